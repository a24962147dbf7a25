//! A user's key on routes: seen once, used in three ways, taken back.

use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use crate::harness::clients::{BOTH, h1};
use crate::harness::command::{add_user, run};
use crate::harness::{Gateway, PASSWORD, Person, serve};

const OWN: &str = "[auth.paths]\nkeys = \"/my-keys\"\n";

async fn make(gateway: &Gateway, person: &Person, body: &Value) -> (String, String) {
    let answer = person.request(gateway, &h1(), reqwest::Method::POST, "/auth/keys").json(body).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::CREATED);
    let made: Value = answer.json().await.unwrap();
    (made["id"].as_str().unwrap().to_owned(), made["key"].as_str().unwrap().to_owned())
}

/// Returns the three ways to show a key on a request for `path`.
fn ways(gateway: &Gateway, client: &Client, path: &str, key: &str) -> [RequestBuilder; 3] {
    let request = || client.get(gateway.url(path));
    [request().bearer_auth(key), request().header("x-api-key", key), request().basic_auth("anybody", Some(key))]
}

#[tokio::test]
async fn a_key_opens_routes_in_three_ways_reaches_no_app_and_ends_at_once() {
    let (gateway, upstream) = serve(OWN).await;
    add_user(&gateway, "ada@example.com", PASSWORD, &["--role", "editor"]);
    let ada = Person::log_in(&gateway, &h1(), "ada@example.com").await;
    let (id, key) = make(&gateway, &ada, &json!({"name": "k", "scopes": ["docs:read"]})).await;
    for protocol in BOTH {
        for request in
            ["/private", "/docs", "/maybe", "/"].iter().flat_map(|path| ways(&gateway, &protocol.client(), path, &key))
        {
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::OK, "{}", answer.url());
            let seen = upstream.last_request();
            assert_eq!((seen.header("authorization"), seen.header("x-api-key")), (None, None), "{}", seen.target);
            let expected = (seen.target != "/").then_some(ada.id.as_str());
            assert_eq!(seen.header("x-user-id"), expected, "{}", seen.target);
        }
        for request in ways(&gateway, &protocol.client(), "/admin", &key) {
            assert_eq!(request.send().await.unwrap().status(), StatusCode::FORBIDDEN);
        }
    }
    let answer = h1().get(gateway.url("/auth/forward")).header("x-api-key", &key).send().await.unwrap();
    assert_eq!(
        (answer.status(), &answer.headers()["x-user-email"]),
        (StatusCode::OK, &"ada@example.com".parse().unwrap())
    );
    assert!(!String::from_utf8_lossy(&upstream.bytes()).contains(&key), "the key reached the app");
    let ended = ada.request(&gateway, &h1(), reqwest::Method::DELETE, &format!("/my-keys/{id}")).send().await.unwrap();
    assert_eq!(ended.status(), StatusCode::NO_CONTENT);
    for request in ways(&gateway, &h1(), "/private", &key) {
        assert_eq!(request.send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn a_key_without_the_scope_is_403_and_a_misspelt_or_doubled_one_is_refused() {
    let (gateway, _upstream) = serve("").await;
    add_user(&gateway, "ada@example.com", PASSWORD, &["--role", "editor"]);
    let ada = Person::log_in(&gateway, &h1(), "ada@example.com").await;
    let (_, key) = make(&gateway, &ada, &json!({"name": "k"})).await;
    let client = h1();
    assert_eq!(
        client.get(gateway.url("/docs")).bearer_auth(&key).send().await.unwrap().status(),
        StatusCode::FORBIDDEN
    );
    let misspelt = format!("{}{}", &key[..key.len() - 1], if key.ends_with('x') { 'y' } else { 'x' });
    for request in ways(&gateway, &client, "/maybe", &misspelt) {
        assert_eq!(request.send().await.unwrap().status(), StatusCode::UNAUTHORIZED, "a bad key is not ignored");
    }
    let both = client.get(gateway.url("/private")).bearer_auth(&ada.access).header("x-api-key", &key);
    assert_eq!(both.send().await.unwrap().status(), StatusCode::BAD_REQUEST);
    let own = client.get(gateway.url("/maybe")).header("x-api-key", "the-apps-own-key");
    assert_eq!(own.send().await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn an_apps_own_authorization_passes_where_only_the_key_header_is_looked_at() {
    let route = "[[route]]\npath = \"/app\"\ncredentials = [\"api-key-header\"]\nupstream = \"app\"\n";
    let (gateway, upstream) = serve(route).await;
    let client = h1();
    let ada = Person::register(&gateway, &client, "ada@example.com").await;
    let (_, key) = make(&gateway, &ada, &json!({"name": "k"})).await;
    for (own, passes) in
        [("Bearer the-apps-own", true), ("Basic YXBwOnNlY3JldA==", true), (&*format!("Bearer {}", ada.access), false)]
    {
        let request = client.get(gateway.url("/app")).header("authorization", own);
        assert_eq!(request.try_clone().unwrap().send().await.unwrap().status(), StatusCode::UNAUTHORIZED, "{own}");
        assert_eq!(request.header("x-api-key", &key).send().await.unwrap().status(), StatusCode::OK, "{own}");
        let seen = upstream.last_request();
        assert_eq!(seen.header("x-user-id"), Some(ada.id.as_str()));
        assert_eq!(seen.header("authorization"), passes.then_some(own), "ours never passes");
    }
}

#[tokio::test]
async fn keys_are_made_listed_and_taken_back_by_command_while_the_gateway_runs() {
    let (gateway, _upstream) = serve("").await;
    add_user(&gateway, "ada@example.com", PASSWORD, &["--role", "editor"]);
    let arguments = ["api-key", "create", "ada@example.com", "--name", "backup", "--scope", "docs:read", "--json"];
    let made = run(&gateway, &arguments).json();
    let (id, key) = (made["id"].as_str().unwrap(), made["key"].as_str().unwrap());
    let status = async || h1().get(gateway.url("/docs")).header("x-api-key", key).send().await.unwrap().status();
    assert_eq!(status().await, StatusCode::OK);
    let listed = run(&gateway, &["api-key", "list", "ada@example.com"]).ok();
    assert!(listed.contains("backup") && listed.contains("docs:read") && !listed.contains(key), "{listed}");
    let refused = run(&gateway, &["api-key", "create", "ada@example.com", "--name", "x", "--scope", "admin"]);
    assert!(
        refused.code == 1 && refused.stderr.contains("only scopes that are yours: docs:read"),
        "{}",
        refused.stderr
    );
    run(&gateway, &["api-key", "revoke", id]).ok();
    crate::harness::eventually_within(crate::harness::WITHIN_A_SECOND, "the key is refused", async || {
        status().await == StatusCode::UNAUTHORIZED
    })
    .await;
    assert_eq!(run(&gateway, &["api-key", "revoke", id]).code, 1);
}
