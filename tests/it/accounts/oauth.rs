//! The OAuth endpoints, and what is published for those who verify tokens themselves.

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};

use crate::harness::clients::h1;
use crate::harness::people::part;
use crate::harness::{Gateway, PASSWORD, Person, serve};

async fn form(gateway: &Gateway, client: &Client, path: &str, fields: &[(&str, &str)]) -> Response {
    client.post(gateway.url(path)).form(fields).send().await.unwrap()
}

/// Returns whether a published key verifies the token, by nothing of ours.
pub fn is_signed_by_a_published_key(token: &str, key_set: &Value) -> bool {
    let kid = &part(token, 0)["kid"];
    let keys = key_set["keys"].as_array().unwrap();
    let Some(key) = keys.iter().find(|key| &key["kid"] == kid) else { return false };
    assert_eq!((&key["kty"], &key["crv"], &key["alg"]), (&json!("OKP"), &json!("Ed25519"), &json!("EdDSA")));
    let public = URL_SAFE_NO_PAD.decode(key["x"].as_str().unwrap()).unwrap();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    UnparsedPublicKey::new(&ED25519, public).verify(signed.as_bytes(), &signature).is_ok()
}

#[tokio::test]
async fn the_token_endpoint_takes_a_password_or_a_refresh_token_as_a_form() {
    let ((gateway, _upstream), client) = (serve("").await, h1());
    let person = Person::register(&gateway, &client, "ada@example.com").await;
    let fields = [("grant_type", "password"), ("username", "ada@example.com"), ("password", PASSWORD)];
    let answer = form(&gateway, &client, "/auth/token", &fields).await;
    assert_eq!((answer.status(), &answer.headers()["cache-control"]), (StatusCode::OK, &"no-store".parse().unwrap()));
    let grant: Value = answer.json().await.unwrap();
    assert!(grant["token_type"].as_str().unwrap().eq_ignore_ascii_case("bearer"));
    let session = Person { access: grant["access_token"].as_str().unwrap().to_owned(), ..person.clone() };
    assert_eq!(session.get(&gateway, &client, "/private").await.status(), StatusCode::OK);

    let refresh = grant["refresh_token"].as_str().unwrap();
    let fields = [("grant_type", "refresh_token"), ("refresh_token", refresh)];
    let answer = form(&gateway, &client, "/auth/token", &fields).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_ne!(answer.json::<Value>().await.unwrap()["refresh_token"], refresh);
}

#[tokio::test]
async fn the_token_endpoint_refuses_in_the_words_of_rfc_6749() {
    let ((gateway, _upstream), client) = (serve("").await, h1());
    Person::register(&gateway, &client, "ada@example.com").await;
    for (fields, error) in [
        (
            &[("grant_type", "password"), ("username", "ada@example.com"), ("password", "wrong one")][..],
            "invalid_grant",
        ),
        (&[("grant_type", "refresh_token"), ("refresh_token", "x.y.z")], "invalid_grant"),
        (&[("grant_type", "password"), ("username", "ada@example.com")], "invalid_request"),
        (&[("grant_type", "client_credentials")], "unsupported_grant_type"),
        (&[("username", "ada@example.com")], "invalid_request"),
        (&[("grant_type", "password"), ("grant_type", "password")], "invalid_request"),
    ] {
        let answer = form(&gateway, &client, "/auth/token", fields).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{fields:?}");
        assert_eq!(answer.json::<Value>().await.unwrap()["error"], error, "{fields:?}");
    }
}

#[tokio::test]
async fn verify_and_introspect_tell_live_tokens_from_dead_ones_and_revoke_kills() {
    let ((gateway, _upstream), client) = (serve("").await, h1());
    let person = Person::register(&gateway, &client, "ada@example.com").await;
    let watcher = Person::log_in(&gateway, &client, "ada@example.com").await;
    let stranger = Person::register(&gateway, &client, "eve@example.com").await;
    let verify = async || person.get(&gateway, &client, "/auth/token/verify").await;
    let verify_given =
        async || client.get(gateway.url(&format!("/auth/token/verify/{}", person.access))).send().await.unwrap();
    let introspect = async |by: &Person, token: &str| {
        let request = client.post(gateway.url("/auth/introspect")).bearer_auth(&by.access).form(&[("token", token)]);
        request.send().await.unwrap().json::<Value>().await.unwrap()
    };
    for answer in [verify().await, verify_given().await] {
        assert_eq!(answer.status(), StatusCode::OK);
        let body: Value = answer.json().await.unwrap();
        assert_eq!((&body["active"], &body["sub"]), (&json!(true), &json!(person.id)));
    }
    assert_eq!(introspect(&watcher, &person.access).await["active"], true);
    assert_eq!(introspect(&watcher, &person.refresh).await["active"], true);
    assert_eq!(introspect(&stranger, &person.access).await, json!({"active": false}));
    let answer = form(&gateway, &client, "/auth/introspect", &[("token", person.access.as_str())]).await;
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "only with a credential");

    let answer = form(&gateway, &client, "/auth/revoke", &[("token", person.refresh.as_str())]).await;
    assert_eq!(answer.status(), StatusCode::OK);
    for answer in [verify().await, verify_given().await] {
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    }
    assert_eq!(introspect(&watcher, &person.access).await, json!({"active": false}));
    assert_eq!(introspect(&watcher, &person.refresh).await, json!({"active": false}));
    let answer = form(&gateway, &client, "/auth/revoke", &[("token", "no token at all")]).await;
    assert_eq!(answer.status(), StatusCode::OK, "RFC 7009 section 2.2");
}

#[tokio::test]
async fn a_token_verifies_with_the_published_key_and_nothing_of_ours() {
    let ((gateway, _upstream), client) = (serve("").await, h1());
    let person = Person::register(&gateway, &client, "ada@example.com").await;
    for path in ["/auth/.well-known/jwks.json", "/.well-known/jwks.json"] {
        let answer = client.get(gateway.url(path)).send().await.unwrap();
        assert_ne!(answer.headers()["cache-control"], "no-store", "key sets may be cached");
        let set: Value = answer.json().await.unwrap();
        assert!(set["keys"].as_array().unwrap().iter().all(|key| key.get("d").is_none()), "a private key is shown");
        assert!(is_signed_by_a_published_key(&person.access, &set));
    }
    assert_eq!(part(&person.access, 0)["alg"], "EdDSA");
}
