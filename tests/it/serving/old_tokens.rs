//! Tokens that an app signed before it moved behind the gateway: they find its users by the ids it knew them by.

use std::time::SystemTime;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::harness::clients::{BOTH, h1};
use crate::harness::command::{add_user, run};
use crate::harness::{Gateway, PASSWORD, WITHIN_A_SECOND, eventually_within, serve};

const SECRET: &str = "the secret that the old app signed with";

fn trusting() -> String {
    format!("[[auth.trusted_issuer]]\nissuer = \"\"\nsecret = \"{SECRET}\"\naccounts = \"external_id\"\n")
}

/// Returns what a JWT library makes of an id and an `exp`, with `more` claims.
fn old_token(sub: &str, more: &Value) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let mut claims = json!({ "sub": sub, "exp": now + 300 });
    claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
    let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(hmac::sign(&key, signed.as_bytes())))
}

async fn status(gateway: &Gateway, path: &str, token: &str) -> StatusCode {
    h1().get(gateway.url(path)).bearer_auth(token).send().await.unwrap().status()
}

#[tokio::test]
async fn an_old_token_stands_for_the_account_that_came_with_its_id() {
    let (gateway, upstream) = serve(&trusting()).await;
    add_user(&gateway, "ada@example.com", PASSWORD, &["--external-id", "42", "--role", "admin"]);
    let id = run(&gateway, &["user", "show", "ada@example.com", "--json"]).json()["id"].as_str().unwrap().to_owned();
    let token = old_token("42", &json!({}));
    for protocol in BOTH {
        for path in ["/private", "/admin", "/maybe"] {
            let answer = protocol.client().get(gateway.url(path)).bearer_auth(&token).send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::OK, "{path}");
            let seen = upstream.last_request();
            assert_eq!((seen.header("x-user-id"), seen.header("x-user-roles")), (Some(id.as_str()), Some("admin")));
            assert_eq!(seen.header("authorization"), None);
        }
    }
    let me: Value = h1().get(gateway.url("/auth/me")).bearer_auth(&token).send().await.unwrap().json().await.unwrap();
    assert_eq!(me["email"], "ada@example.com");
    assert_eq!(status(&gateway, &format!("/auth/token/verify/{token}"), "").await, StatusCode::OK);
    assert_eq!(status(&gateway, "/auth/sessions", &token).await, StatusCode::UNAUTHORIZED, "it has no session here");
}

#[tokio::test]
async fn an_old_token_is_refused_once_its_user_is_disabled_here() {
    let (gateway, _upstream) = serve(&trusting()).await;
    add_user(&gateway, "ada@example.com", PASSWORD, &["--external-id", "42"]);
    let token = old_token("42", &json!({}));
    assert_eq!(status(&gateway, "/private", &token).await, StatusCode::OK);
    run(&gateway, &["user", "disable", "ada@example.com"]).ok();
    eventually_within(WITHIN_A_SECOND, "the token is refused", async || {
        status(&gateway, "/private", &token).await == StatusCode::UNAUTHORIZED
    })
    .await;
    assert_eq!(status(&gateway, "/private", &old_token("42", &json!({"n": 1}))).await, StatusCode::UNAUTHORIZED);
    run(&gateway, &["user", "enable", "ada@example.com"]).ok();
    eventually_within(WITHIN_A_SECOND, "the token is taken again", async || {
        status(&gateway, "/private", &token).await == StatusCode::OK
    })
    .await;
}

#[tokio::test]
async fn a_token_of_nobody_for_refreshing_or_with_an_issuer_is_refused() {
    let (gateway, _upstream) = serve(&trusting()).await;
    add_user(&gateway, "ada@example.com", PASSWORD, &["--external-id", "42"]);
    assert_eq!(status(&gateway, "/private", &old_token("42", &json!({"type": "access"}))).await, StatusCode::OK);
    for (sub, more) in [
        ("43", json!({})),
        ("ada@example.com", json!({})),
        ("42", json!({"type": "refresh"})),
        ("42", json!({"token_type": "refresh_token"})),
        ("42", json!({"iss": "vestibule"})),
        ("42", json!({"iss": ""})),
    ] {
        let token = old_token(sub, &more);
        assert_eq!(status(&gateway, "/private", &token).await, StatusCode::UNAUTHORIZED, "{sub} {more}");
    }
}
