//! Tokens that others issue: an app's own secret, and a provider that publishes its keys.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use crate::harness::clients::{BOTH, h1};
use crate::harness::scripted::{Scripted, read_head};
use crate::harness::{Gateway, PATIENCE, Person, Upstream, eventually_within, serve, usual};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn shared(more: &str) -> String {
    format!("[[auth.trusted_issuer]]\nissuer = \"app\"\nsecret = \"{SECRET}\"\n{more}")
}

/// Returns a token of five minutes with `more` claims, signed by `sign`.
fn token(header: &Value, more: &Value, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let mut claims = json!({ "iss": "app", "sub": "user-7", "exp": now + 300 });
    for (name, value) in more.as_object().unwrap() {
        claims[name] = value.clone();
    }
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", encode(header), encode(&claims));
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(sign(signed.as_bytes())))
}

fn hs256(more: &Value) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    token(&json!({ "alg": "HS256", "typ": "JWT" }), more, |message| hmac::sign(&key, message).as_ref().to_vec())
}

async fn status(gateway: &Gateway, method: Method, path: &str, token: &str) -> StatusCode {
    h1().request(method, gateway.url(path)).bearer_auth(token).send().await.unwrap().status()
}

#[tokio::test]
async fn an_apps_own_tokens_open_routes_by_the_roles_and_scopes_in_them() {
    let (gateway, upstream) = serve(&shared("claims = { roles = \"access.roles\" }")).await;
    let good = hs256(&json!({ "email": "ada@example.com", "access": { "roles": ["admin"] }, "scope": "docs:read" }));
    for protocol in BOTH {
        for path in ["/private", "/maybe", "/admin", "/docs", "/auth/forward"] {
            let answer = protocol.client().get(gateway.url(path)).bearer_auth(&good).send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::OK, "{path}");
        }
        protocol.client().get(gateway.url("/private")).bearer_auth(&good).send().await.unwrap();
        let seen = upstream.last_request();
        assert_eq!(seen.header("x-user-id"), Some("user-7"));
        assert_eq!(seen.header("x-user-email"), Some("ada@example.com"));
        assert_eq!(seen.header("x-user-roles"), Some("admin"));
        assert_eq!(seen.header("authorization"), None, "the route used it");
    }
    let plain = hs256(&json!({}));
    assert_eq!(status(&gateway, Method::GET, "/private", &plain).await, StatusCode::OK);
    assert_eq!(status(&gateway, Method::GET, "/admin", &plain).await, StatusCode::FORBIDDEN);
    assert_eq!(status(&gateway, Method::GET, "/docs", &plain).await, StatusCode::FORBIDDEN);
    for wrong in [json!({ "iss": "other" }), json!({ "exp": 1 }), json!({ "sub": 7 }), json!({ "nbf": "1" })] {
        assert_eq!(
            status(&gateway, Method::GET, "/private", &hs256(&wrong)).await,
            StatusCode::UNAUTHORIZED,
            "{wrong}"
        );
    }
}

#[tokio::test]
async fn our_own_endpoints_know_no_account_of_others() {
    let (gateway, _upstream) = serve(&shared("")).await;
    let ada = Person::register(&gateway, &h1(), "ada@example.com").await;
    // Whatever id it claims, that of an account here included.
    let id = crate::harness::people::claims(&ada.access)["sub"].clone();
    for token in [hs256(&json!({})), hs256(&json!({ "sub": id }))] {
        assert_eq!(status(&gateway, Method::GET, "/private", &token).await, StatusCode::OK);
        for (method, path) in [
            (Method::GET, "/auth/me"),
            (Method::PATCH, "/auth/me"),
            (Method::GET, "/auth/sessions"),
            (Method::POST, "/auth/logout/all"),
            (Method::GET, "/auth/token/verify"),
        ] {
            assert_eq!(status(&gateway, method, path, &token).await, StatusCode::UNAUTHORIZED, "{path}");
        }
    }
    assert_eq!(ada.get(&gateway, &h1(), "/private").await.status(), StatusCode::OK, "nobody logged her out");
}

#[tokio::test]
async fn a_reload_that_trusts_an_issuer_no_longer_ends_its_tokens() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&format!("{}\n{}", shared(""), usual(&upstream))).await;
    let token = hs256(&json!({}));
    assert_eq!(status(&gateway, Method::GET, "/private", &token).await, StatusCode::OK);
    gateway.configure(&usual(&upstream));
    gateway.reload().await;
    assert_eq!(status(&gateway, Method::GET, "/private", &token).await, StatusCode::UNAUTHORIZED);
    gateway.configure(&format!("{}\n{}", shared(""), usual(&upstream)));
    gateway.reload().await;
    assert_eq!(status(&gateway, Method::GET, "/private", &token).await, StatusCode::OK);
}

#[tokio::test]
async fn a_provider_that_is_down_at_start_delays_its_own_tokens_and_nothing_else() {
    let pair = Ed25519KeyPair::generate().unwrap();
    let x = URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
    let set = json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "kid": "one", "x": x }] }).to_string();
    let is_up = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&is_up);
    let provider = Scripted::start(move |_, mut stream| {
        let (set, is_up) = (set.clone(), Arc::clone(&seen));
        async move {
            read_head(&mut stream).await;
            let head = if is_up.load(Ordering::SeqCst) { "200 OK" } else { "503 Down" };
            let answer = format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\n\r\n{set}", set.len());
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    })
    .await;
    let more = format!(
        "[[auth.trusted_issuer]]\nissuer = \"app\"\naudience = [\"api\"]\njwks_url = \"{}/jwks\"",
        provider.url()
    );
    let (gateway, _upstream) = serve(&more).await;
    let header = json!({ "alg": "EdDSA", "kid": "one" });
    let token = token(&header, &json!({ "aud": "api" }), |message| pair.sign(message).as_ref().to_vec());
    assert_eq!(status(&gateway, Method::GET, "/private", &token).await, StatusCode::UNAUTHORIZED);
    let ada = Person::register(&gateway, &h1(), "ada@example.com").await;
    assert_eq!(ada.get(&gateway, &h1(), "/private").await.status(), StatusCode::OK);
    let ready = h1().get(gateway.ops_url("/readyz")).send().await.unwrap();
    assert_eq!(ready.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(ready.text().await.unwrap().contains("keys of issuer app"));

    is_up.store(true, Ordering::SeqCst);
    eventually_within(PATIENCE + Duration::from_secs(30), "its tokens are taken", || async {
        status(&gateway, Method::GET, "/private", &token).await == StatusCode::OK
    })
    .await;
    assert_eq!(h1().get(gateway.ops_url("/readyz")).send().await.unwrap().status(), StatusCode::OK);
}
