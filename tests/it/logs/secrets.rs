//! A whole run at the loudest log level, and no secret in anything that was written.

use std::fs;

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::clients::BOTH;
use crate::harness::command::{add_user, run, run_in};
use crate::harness::people::post;
use crate::harness::{Gateway, PASSWORD, Person, Raw, serve};

const NEW_PASSWORD: &str = "tapioca lantern seventeen";
const WRONG_PASSWORD: &str = "unmistakably-wrong-password";
const COOKIE: &str = "cookie-value-of-the-app";
const BASIC: &str = "YXBwOnNlY3JldC1vZi10aGUtYXBw";

/// Returns what of a token must not be written: its signature, and the claims that precede it.
fn parts(token: &str) -> impl Iterator<Item = String> {
    token.split('.').skip(1).map(str::to_owned).collect::<Vec<_>>().into_iter()
}

/// Does one of everything with secrets; returns all of them.
async fn live(gateway: &Gateway, email: &str, client: &reqwest::Client) -> Vec<String> {
    let mut secrets: Vec<String> = [PASSWORD, NEW_PASSWORD, WRONG_PASSWORD, COOKIE, BASIC].map(str::to_owned).to_vec();
    let mut remember = |person: &Person| secrets.extend(parts(&person.access).chain(parts(&person.refresh)));
    let person = Person::register(gateway, client, email).await;
    remember(&person);
    let other = Person::log_in(gateway, client, email).await;
    remember(&other);
    post(gateway, client, "/auth/login", &json!({"email": email, "password": WRONG_PASSWORD})).await;
    // People type their password where the name belongs.
    post(gateway, client, "/auth/login", &json!({"email": WRONG_PASSWORD, "password": WRONG_PASSWORD})).await;
    post(gateway, client, "/auth/register", &json!({"email": email, "password": WRONG_PASSWORD})).await;
    for path in ["/", "/private", "/maybe", "/admin", "/private/status/500", "/private/close"] {
        let request = person.request(gateway, client, Method::GET, path).header("cookie", format!("session={COOKIE}"));
        request.send().await.unwrap();
    }
    for path in ["/", "/maybe", "/private"] {
        client.get(gateway.url(path)).header("authorization", format!("Basic {BASIC}")).send().await.unwrap();
    }
    for token in [&person.access, &person.refresh] {
        client.get(gateway.url(&format!("/auth/token/verify/{token}"))).send().await.unwrap();
        client.get(gateway.url(&format!("/private?access_token={token}"))).send().await.unwrap();
        let fields = [("token", token.as_str())];
        other.request(gateway, client, Method::POST, "/auth/introspect").form(&fields).send().await.unwrap();
    }
    let answer = post(gateway, client, "/auth/refresh", &json!({"refresh_token": person.refresh})).await;
    remember(&Person::from_grant(email, &answer.json::<Value>().await.unwrap()));
    post(gateway, client, "/auth/refresh", &json!({"refresh_token": person.access})).await;
    let fields = [("grant_type", "password"), ("username", email), ("password", PASSWORD)];
    client.post(gateway.url("/auth/token")).form(&fields).send().await.unwrap();
    let change = json!({"current_password": PASSWORD, "new_password": NEW_PASSWORD});
    other.request(gateway, client, Method::POST, "/auth/password/change").json(&change).send().await.unwrap();
    other.log_out(gateway, client).await;
    secrets
}

#[tokio::test]
async fn no_token_password_or_cookie_is_in_anything_that_a_whole_run_writes() {
    let (gateway, _upstream) = serve("[log]\nlevel = \"trace\"").await;
    let mut secrets = Vec::new();
    for (protocol, email) in BOTH.into_iter().zip(["one@example.com", "two@example.com"]) {
        secrets.extend(live(&gateway, email, &protocol.client()).await);
    }
    let mut raw = Raw::tls(&gateway).await;
    raw.send(format!("GET /{WRONG_PASSWORD}\x01 HTTP/1.1\r\nHost: gateway.test\r\nCookie: {COOKIE}\r\n\r\n")).await;
    raw.response().await;

    add_user(&gateway, "three@example.com", PASSWORD, &[]);
    let issued = run(&gateway, &["token", "issue", "three@example.com"]);
    let listed = run(&gateway, &["user", "list", "--json"]);
    let refused =
        run_in(gateway.folder.path(), &["user", "add", "one@example.com", "--password-stdin"], WRONG_PASSWORD);
    let metrics = crate::harness::clients::h1().get(gateway.ops_url("/metrics")).send().await.unwrap();
    let metrics = metrics.text().await.unwrap();
    secrets.extend(parts(issued.stdout.trim()));
    gateway.configure("[auth]\nalgorithm = \"HS256\"\nsecret = \"unmistakably-wrong-password\"");
    gateway.reload().await;
    let database: Vec<u8> = fs::read_dir(gateway.folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().contains("vestibule.db"))
        .flat_map(|path| fs::read(path).unwrap())
        .collect();
    let written = gateway.stop().await;
    let everything = [written, issued.stderr, listed.stdout, listed.stderr, refused.stdout, refused.stderr, metrics];
    assert!(everything[0].lines().count() > 50, "the run was not logged");
    assert!(secrets.len() > 20 && database.len() > 10_000);
    for secret in &secrets {
        for text in &everything {
            // The path that could not be read is shown: that one is no secret's place.
            let lines = text.lines().filter(|line| line.contains(secret.as_str()) && !line.contains("\\u0001"));
            assert_eq!(lines.collect::<Vec<_>>(), Vec::<&str>::new(), "`{secret}` was written");
        }
        assert!(memchr::memmem::find(&database, secret.as_bytes()).is_none(), "`{secret}` is in the database");
    }
}
