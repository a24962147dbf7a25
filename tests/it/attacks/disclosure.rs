//! Secrets stay secret, mistakes in their files keep the gateway from starting, and errors tell nothing.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use super::World;
use super::forge::{SECRET, hs256_config};
use crate::harness::clients::{BOTH, h1};
use crate::harness::people::{claims, post};
use crate::harness::scripted::{Scripted, read_head};
use crate::harness::smtp::{Security, Smtp};
use crate::harness::{Gateway, PASSWORD, Person};

const WRONG: &str = "a wrong password of somebody";
const COOKIE: &str = "a-cookie-of-the-app";

/// Goes everywhere with secrets in hand, and returns the texts of all answers that have no business to hold one.
async fn visit_everything(world: &World, person: &Person, key: &str) -> String {
    let (gateway, client) = (&world.gateway, h1());
    let basic = format!("Basic {}", STANDARD.encode(format!("ada:{WRONG}")));
    let token = &person.access;
    let mut texts = Vec::new();
    let paths = [
        format!("/auth/token/verify/{key}"),
        format!("/auth/token/verify/{key}%00"),
        format!("/auth/keys/{key}"),
        format!("/private/{key}"),
        format!("/private/{token}"),
        format!("/private?api_key={key}"),
        "/private".to_owned(),
        format!("/private?access_token={token}"),
        format!("/auth/me?password={WRONG}").replace(' ', "%20"),
        format!("/auth/token/verify/{token}"),
        format!("/auth/token/verify/{token}x"),
        format!("/auth/token/verify/{token}/"),
        format!("/auth/token/verify/{token}%00"),
        format!("/auth//token/./verify/{token}"),
        format!("/auth/token/verify/%2e/{token}"),
        format!("/auth/token/verify/x%2f{token}"),
        format!("/%61uth/token/verify/{token}"),
        format!("/auth/token/verify/{}", person.refresh),
        "/auth/sessions".to_owned(),
        "/auth/openapi.json".to_owned(),
        "/auth/.well-known/jwks.json".to_owned(),
        "/auth/.well-known/oauth-authorization-server".to_owned(),
        "/auth/nothing".to_owned(),
        "/metrics".to_owned(),
    ];
    for path in paths {
        for authorization in
            [format!("Bearer {token}"), format!("Bearer {token}x"), basic.clone(), format!("Bearer {key}")]
        {
            let request =
                client.get(gateway.url(&path)).header("authorization", authorization).header("x-api-key", key);
            texts.push(request.header("cookie", COOKIE).send().await.unwrap().text().await.unwrap());
        }
    }
    for endpoint in ["register", "login", "refresh", "logout", "password/change", "introspect", "token", "keys"] {
        for body in [
            json!({"email": person.email, "password": WRONG}).to_string(),
            json!({"email": person.email, "password": WRONG, "unknown": person.refresh}).to_string(),
            json!({"password": [WRONG], "email": {"x": token}}).to_string(),
            json!({"refresh_token": format!("{}x", person.refresh), "token": format!("{token}x")}).to_string(),
            json!({"refresh_token": key, "token": key, "name": key}).to_string(),
            format!("{{\"password\": \"{WRONG}\", \"password\": \"{WRONG}\"}}"),
            format!("{{\"password\": \"{WRONG}"),
            format!("{WRONG} {token}"),
        ] {
            for kind in ["application/json", "application/x-www-form-urlencoded"] {
                let request = client.post(gateway.url(&format!("/auth/{endpoint}"))).header("content-type", kind);
                texts.push(request.body(body.clone()).send().await.unwrap().text().await.unwrap());
            }
        }
    }
    texts.join("\n")
}

fn assert_holds_none(text: &str, secrets: &[String], place: &str) {
    assert!(text.len() > 100, "{place}: {text}");
    for secret in secrets {
        if let Some(at) = text.find(secret.as_str()) {
            let from = text.floor_char_boundary(at.saturating_sub(300));
            panic!("{place} holds {secret}: {}", &text[from..text.floor_char_boundary(at + 300)]);
        }
    }
}

#[tokio::test]
async fn no_token_password_or_hash_is_in_an_answer_a_log_line_a_metric_or_the_store() {
    let world = World::with(&format!("{}\n[log]\nlevel = \"debug\"", hs256_config())).await;
    let person = world.person("ada@example.com").await;
    let other = Person::log_in(&world.gateway, &h1(), "ada@example.com").await;
    let made = person.request(&world.gateway, &h1(), Method::POST, "/auth/keys").json(&json!({"name": "k"}));
    let made: Value = made.send().await.unwrap().json().await.unwrap();
    let key = made["key"].as_str().unwrap();
    let signature = |token: &str| token.rsplit('.').next().unwrap().to_owned();
    let payload = |token: &str| token.split('.').nth(1).unwrap().to_owned();
    let secrets: Vec<String> = [&person, &other]
        .iter()
        .flat_map(|who| [&who.access, &who.refresh].map(|token| [signature(token), payload(token)]))
        .flatten()
        .chain([PASSWORD, WRONG, SECRET, COOKIE, "$argon2"].map(str::to_owned))
        .chain([STANDARD.encode(format!("ada:{WRONG}")), key.to_owned()])
        .collect();
    let answers = visit_everything(&world, &person, key).await;
    // The app sees its own cookie and the credentials that are its own, and says so.
    let is_the_apps = |line: &&str| line.starts_with("{\"method\":");
    let answers: Vec<&str> = answers.lines().filter(|line| !is_the_apps(line)).collect();
    assert_holds_none(&answers.join("\n"), &secrets, "an answer");
    let metrics = h1().get(world.gateway.ops_url("/metrics")).send().await.unwrap().text().await.unwrap();
    assert_holds_none(&metrics, &secrets, "the metrics");
    let folder = world.gateway.folder.path().to_owned();
    let stored: String = ["vestibule.db", "vestibule.db-wal"]
        .iter()
        .filter_map(|name| std::fs::read(folder.join(name)).ok())
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .collect();
    let jti = |token: &str| claims(token)["jti"].as_str().unwrap().to_owned();
    let mut never_stored: Vec<String> = secrets.iter().filter(|secret| *secret != "$argon2").cloned().collect();
    never_stored.extend([jti(&person.refresh), jti(&other.refresh)]);
    assert!(stored.contains("ada@example.com"));
    assert_holds_none(&stored, &never_stored, "the store");
    let lines = world.gateway.stop().await;
    assert_holds_none(&lines, &secrets, "the log");
}

#[tokio::test]
async fn an_error_of_an_app_says_nothing_of_where_the_app_is_or_what_it_runs() {
    let broken = Scripted::start(|_, mut stream| async move {
        read_head(&mut stream).await;
        let _ = stream.write_all(b"garbage from 10.1.2.3:/srv/app\r\n\r\n").await;
    })
    .await;
    let late = Scripted::start(|_, mut stream| async move {
        read_head(&mut stream).await;
        std::future::pending::<()>().await;
    })
    .await;
    let away = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let upstream = |name: &str, url: &str| {
        format!(
            "[upstream.{name}]\nservers = [\"{url}\"]\nresponse_timeout = \"1s\"\n[[route]]\npath = \"/{name}\"\naccess = \"public\"\nupstream = \"{name}\"\n"
        )
    };
    let urls = [
        ("broken", broken.url()),
        ("late", late.url()),
        ("away", format!("http://{away}")),
        ("nowhere", "http://no-such-host.invalid:1".to_owned()),
    ];
    let config: String = urls.iter().map(|(name, url)| upstream(name, url)).collect();
    let gateway = Gateway::start(&config).await;
    for protocol in BOTH {
        for (name, url) in &urls {
            let answer = protocol.client().get(gateway.url(&format!("/{name}"))).send().await.unwrap();
            assert!(matches!(answer.status().as_u16(), 502 | 504), "{name}: {}", answer.status());
            assert_eq!(answer.headers()["content-type"], "application/problem+json");
            let all = format!("{:?} {}", answer.headers().clone(), answer.text().await.unwrap()).to_lowercase();
            let port = url.rsplit(':').next().unwrap();
            let words = [
                "127.0.0.1",
                "10.1.2.3",
                "/srv",
                "invalid:1",
                "no-such-host",
                "refused",
                "hyper",
                "rust",
                "os error",
                "panicked",
                name,
            ];
            for word in words.iter().chain(&[port]) {
                assert!(*word == "1" || !all.contains(word), "{name}: {word} in {all}");
            }
        }
    }
}

#[tokio::test]
async fn a_refused_request_and_its_secrets_never_leave_the_gateway() {
    let world = World::start().await;
    for path in ["/private", "/admin", "/docs", "/x%00", "/auth/nothing"] {
        let request = h1().post(world.gateway.url(path)).header("authorization", "Basic YTpi").header("cookie", COOKIE);
        let answer = request.body("secret").send().await.unwrap();
        assert!(answer.status().is_client_error(), "{path}");
        assert_eq!(answer.headers()["cache-control"], "no-store", "{path}");
        assert!(!answer.headers().contains_key("server"), "{path}");
    }
    assert_eq!(world.upstream.count(), 0);
    assert!(world.upstream.bytes().is_empty());
}

#[tokio::test]
async fn a_secret_or_certificate_that_cannot_be_read_or_used_keeps_the_gateway_from_starting() {
    let route = "[[route]]\npath = \"/\"\nupstream = \"http://127.0.0.1:1\"";
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let (directory, empty) = (folder.path().display().to_string(), file("empty", ""));
    let (short, garbage) =
        (file("short", "too short"), file("garbage.pem", "-----BEGIN NONSENSE-----\nAAAA\n-----END NONSENSE-----\n"));
    let secret = |value: &str| format!("[auth]\nalgorithm = \"HS256\"\nsecret = \"{value}\"");
    let sealed = |value: &str| format!("[auth]\nkey_encryption_secret = \"{value}\"");
    let certificate = |cert: &str, key: &str| {
        format!("[tls]\nmode = \"files\"\n[[tls.certificate]]\ncert = \"{cert}\"\nkey = \"{key}\"")
    };
    let (files, _) = crate::harness::Authority::shared().issue(folder.path(), "one", &["one.test"]);
    let (others, _) = crate::harness::Authority::shared().issue(folder.path(), "two", &["two.test"]);
    let (cert, key, foreign) =
        (files.cert.display().to_string(), files.key.display().to_string(), others.key.display().to_string());
    for config in [
        secret("file:/nonexistent/secret"),
        secret(&format!("file:{directory}")),
        secret(&format!("file:{empty}")),
        secret(&format!("file:{short}")),
        secret("env:NO_SUCH_VARIABLE"),
        secret("base64:!!!"),
        secret(""),
        sealed("file:/nonexistent/secret"),
        sealed("env:NO_SUCH_VARIABLE"),
        sealed("short"),
        certificate("/nonexistent/cert.pem", &key),
        certificate(&cert, "/nonexistent/key.pem"),
        certificate(&directory, &key),
        certificate(&empty, &key),
        certificate(&cert, &empty),
        certificate(&garbage, &garbage),
        certificate(&cert, &foreign),
        certificate(&cert, &cert),
    ] {
        let (code, said) = Gateway::refuse_to_start(&format!("{config}\n{route}")).await;
        assert_eq!(code, 78, "{config}: {said}");
        assert!(!said.contains("too short\"") && !said.contains("PRIVATE"), "{said}");
        assert!(!said.contains("listening"), "{config}: {said}");
    }
}

#[tokio::test]
async fn a_store_that_another_secret_sealed_keeps_the_gateway_from_starting_with_new_keys() {
    let config = |secret: &str| {
        format!(
            "[auth]\nkey_encryption_secret = \"{secret}\"\n[[route]]\npath = \"/\"\nupstream = \"http://127.0.0.1:1\""
        )
    };
    let mut gateway = Gateway::start(&config("a first secret of more than thirty-two bytes")).await;
    gateway.signal("TERM");
    assert!(gateway.ended().await.success());
    for other in [
        config("another secret of more than thirty-two bytes"),
        config("x").replace("key_encryption_secret = \"x\"", ""),
    ] {
        gateway.configure(&other);
        let done = crate::harness::command::run(&gateway, &["serve"]);
        assert_eq!(done.code, 78, "{}{}", done.stdout, done.stderr);
    }
}

/// Returns what a query of MongoDB could be made of, and values of other kinds than a text.
fn not_what_is_wanted() -> [Value; 11] {
    [
        json!({"$ne": ""}),
        json!({"$gt": ""}),
        json!({"$regex": ".*"}),
        json!({"$where": "1"}),
        json!({"$in": ["ada@example.com"]}),
        json!(["ada@example.com"]),
        json!([{"$ne": 1}]),
        json!(true),
        json!(0),
        json!(1.5),
        Value::Null,
    ]
}

#[tokio::test]
async fn json_that_would_be_a_query_is_400_at_every_endpoint_and_opens_nothing() {
    let smtp = Smtp::start(Security::Clear).await;
    let world = World::with(&smtp.configuration("")).await;
    let person = world.person("ada@example.com").await;
    for value in not_what_is_wanted() {
        for (endpoint, body) in [
            ("login", json!({"email": value, "password": PASSWORD})),
            ("login", json!({"username": value, "password": PASSWORD})),
            ("login", json!({"email": person.email, "password": value})),
            ("refresh", json!({"refresh_token": value})),
            ("register", json!({"email": value, "password": PASSWORD})),
            ("register", json!({"email": "new@example.com", "password": value})),
        ] {
            let answer = post(&world.gateway, &h1(), &format!("/auth/{endpoint}"), &body).await;
            let expected: &[u16] = if value.is_null() { &[400, 422] } else { &[400] };
            assert!(expected.contains(&answer.status().as_u16()), "{endpoint} {body}: {}", answer.status());
        }
        for (method, path, body) in [
            (Method::POST, "/auth/keys", json!({"name": value})),
            (Method::POST, "/auth/keys", json!({"name": "k", "scopes": value})),
            (Method::POST, "/auth/keys", json!({"name": "k", "expires_in": value})),
            (
                Method::POST,
                "/auth/password/change",
                json!({"current_password": value, "new_password": "a new password"}),
            ),
            (Method::POST, "/auth/password/forgot", json!({"email": value})),
            (Method::POST, "/auth/password/reset", json!({"token": value, "new_password": "a new password"})),
            (Method::POST, "/auth/email/verify", json!({"token": value})),
            (Method::DELETE, "/auth/me", json!({"password": value})),
        ] {
            let answer = person.request(&world.gateway, &h1(), method, path).json(&body).send().await.unwrap();
            // Nothing is the same as leaving out what may be left out.
            let is_left_out = value.is_null() && (body.get("scopes").is_some() || body.get("expires_in").is_some());
            let expected: &[u16] = if is_left_out { &[201] } else { &[400, 422] };
            assert!(expected.contains(&answer.status().as_u16()), "{path} {body}: {}", answer.status());
        }
    }
    for id in ["$ne", "%7b%22$ne%22:1%7d", "..", "*", "1%20or%201=1", "x'%20or%20'1'='1"] {
        let path = format!("/auth/sessions/{id}");
        let answer = person.request(&world.gateway, &h1(), Method::DELETE, &path).send().await.unwrap();
        assert!(answer.status().is_client_error(), "{id}: {}", answer.status());
    }
    assert_eq!(person.get(&world.gateway, &h1(), "/private").await.status(), 200, "no session was ended");
}

#[tokio::test]
async fn what_operators_see_is_not_on_the_public_listener_nor_what_the_public_sees_on_theirs() {
    let world = World::start().await;
    for path in ["/healthz", "/readyz", "/metrics"] {
        let text = h1().get(world.gateway.url(path)).send().await.unwrap().text().await.unwrap();
        assert!(text.starts_with("{\"method\":\"GET\""), "the app answers {path}: {text}");
    }
    for path in ["/auth/login", "/", "/private", "/auth/.well-known/jwks.json"] {
        assert_eq!(h1().get(world.gateway.ops_url(path)).send().await.unwrap().status(), 404, "{path}");
    }
    for method in [Method::POST, Method::PUT, Method::DELETE] {
        let answer = h1().request(method, world.gateway.ops_url("/metrics")).header("origin", "https://evil.test");
        assert_eq!(answer.send().await.unwrap().status(), 405);
    }
    let answer =
        h1().get(world.gateway.ops_url("/metrics")).header("origin", "https://evil.test").send().await.unwrap();
    assert!(!answer.headers().contains_key("access-control-allow-origin"));
}
