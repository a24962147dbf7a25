use serde_json::json;

use super::{Client, signed, user_id};
use crate::account::fixture::{PASSWORD, roles};
use crate::identity::Scope;
use crate::store::UserChange;

fn password_grant(name: &str, password: &str) -> String {
    format!("grant_type=password&username={name}&password={}&client_id=app", password.replace(' ', "+"))
}

#[tokio::test]
async fn the_token_endpoint_answers_as_rfc_6749_says() {
    let client = Client::new();
    let ada = client.register("ada@example.com").await;
    let promoted = UserChange { roles: Some(roles(&["editor"])), ..UserChange::default() };
    client.world.change_elsewhere(&user_id(&ada.user), promoted).await;
    let issued = client.form("/auth/token", None, &password_grant("ada%40example.com", PASSWORD)).await;
    assert_eq!(issued.status, 200, "{}", issued.text);
    assert_eq!(issued.header("cache-control"), "no-store");
    let json = issued.json();
    assert_eq!((&json["token_type"], &json["scope"]), (&json!("bearer"), &json!("docs:write")));
    assert_eq!((&json["expires_in"], json.get("user_id")), (&json!(900), None));
    let form = format!("grant_type=refresh_token&refresh_token={}", issued.text_of("refresh_token"));
    let refreshed = client.form("/auth/token", None, &form).await;
    assert_eq!(refreshed.status, 200);
    assert_eq!(client.status_of(&refreshed.text_of("access_token")).await, 200);
}

#[tokio::test]
async fn the_token_endpoint_refuses_as_rfc_6749_says() {
    let client = Client::new();
    let ada = client.register("ada@example.com").await;
    let wrong_type = format!("grant_type=refresh_token&refresh_token={}", ada.access);
    let cases = [
        (password_grant("ada%40example.com", "wrong"), "invalid_grant"),
        (password_grant("nobody", PASSWORD), "invalid_grant"),
        (wrong_type, "invalid_grant"),
        ("grant_type=refresh_token".to_owned(), "invalid_request"),
        ("grant_type=password&username=ada".to_owned(), "invalid_request"),
        ("username=ada&password=x".to_owned(), "invalid_request"),
        ("grant_type=password&grant_type=password".to_owned(), "invalid_request"),
        ("grant_type=client_credentials".to_owned(), "unsupported_grant_type"),
    ];
    for (form, error) in cases {
        let answer = client.form("/auth/token", None, &form).await;
        assert_eq!((answer.status, answer.text_of("error")), (400, error.to_owned()), "{form}");
        assert!(!answer.text_of("error_description").is_empty());
        assert_eq!(answer.header("cache-control"), "no-store");
    }
    let json = client.post("/auth/token", json!({"grant_type": "password"})).await;
    assert_eq!((json.status, json.text_of("error").as_str()), (400, "invalid_request"));
}

#[tokio::test]
async fn verifying_says_who_a_token_is_for_or_401() {
    let client = Client::new();
    let ada = client.register("ada@example.com").await;
    let by_header = client.get("/auth/token/verify", &ada.access).await;
    let by_path = client.ask("GET", &format!("/auth/token/verify/{}", ada.access), None, None).await;
    assert_eq!((by_header.status, &by_header.text), (200, &by_path.text));
    let json = by_path.json();
    assert_eq!(
        (&json["active"], &json["sub"], &json["email"]),
        (&json!(true), &json!(ada.user), &json!("ada@example.com"))
    );
    assert_eq!((&json["iss"], &json["exp"]), (&json!("https://gate.example.com"), &json!(1_800_000_900)));
    for bad in ["x", ada.refresh.as_str(), "a.b.c"] {
        let answer = client.ask("GET", &format!("/auth/token/verify/{bad}"), None, None).await;
        assert_eq!(answer.verdict(), (401, "invalid_token".to_owned()));
        assert_eq!(answer.header("www-authenticate"), "Bearer error=\"invalid_token\"");
        assert_eq!(client.get("/auth/token/verify", bad).await.status, 401);
    }
}

#[tokio::test]
async fn introspection_shows_ones_own_tokens_and_everybodys_to_an_admin() {
    let client = Client::new();
    let ada = client.register("ada@example.com").await;
    let eve = client.register("eve@example.com").await;
    let ask = async |by: &str, token: &str| client.form("/auth/introspect", Some(by), &format!("token={token}")).await;
    let own = ask(&ada.access, &ada.access).await.json();
    assert_eq!((&own["active"], &own["sub"], &own["type"]), (&json!(true), &json!(ada.user), &json!("access")));
    let refresh = ask(&ada.access, &ada.refresh).await.json();
    assert_eq!((&refresh["active"], &refresh["type"]), (&json!(true), &json!("refresh")));
    for token in [ada.access.as_str(), &ada.refresh, "garbage"] {
        assert_eq!(ask(&eve.access, token).await.json(), json!({"active": false}));
    }
    let admin = UserChange { roles: Some(roles(&["admin"])), ..UserChange::default() };
    client.world.change_elsewhere(&user_id(&eve.user), admin).await;
    assert_eq!(ask(&eve.access, &ada.access).await.json()["sub"], json!(ada.user));
    let spent = signed(&client.refresh(&ada.refresh).await);
    assert_eq!(ask(&ada.access, &ada.refresh).await.json(), json!({"active": false}));
    assert_eq!(ask(&ada.access, &spent.refresh).await.json()["active"], json!(true));
    let missing = client.form("/auth/introspect", Some(&ada.access), "x=y").await;
    assert_eq!((missing.status, missing.text_of("error").as_str()), (400, "invalid_request"));
}

#[tokio::test]
async fn either_token_revokes_its_session_and_garbage_revokes_nothing() {
    let client = Client::new();
    for kind in ["access", "refresh"] {
        let ada = client.register(&format!("{kind}@example.com")).await;
        let token = if kind == "access" { &ada.access } else { &ada.refresh };
        for _ in 0..2 {
            let form = format!("token={token}&token_type_hint=whatever");
            assert_eq!(client.form("/auth/revoke", None, &form).await.status, 200);
        }
        assert_eq!(client.status_of(&ada.access).await, 401);
        assert_eq!(client.refresh(&ada.refresh).await.status, 401);
    }
    assert_eq!(client.form("/auth/revoke", None, "token=garbage").await.status, 200);
    assert_eq!(client.form("/auth/revoke", None, "").await.text_of("error"), "invalid_request");
}

#[tokio::test]
async fn discovery_may_be_cached_and_points_to_our_own_origin() {
    let client = Client::new();
    for prefix in ["", "/auth"] {
        let keys = client.ask("GET", &format!("{prefix}/.well-known/jwks.json"), None, None).await;
        assert!(keys.json()["keys"].is_array(), "{}", keys.text);
        let path = format!("{prefix}/.well-known/oauth-authorization-server");
        let metadata = client.ask("GET", &path, None, None).await;
        assert_eq!(metadata.text_of("issuer"), "https://gate.example.com");
        assert_eq!(metadata.text_of("token_endpoint"), "https://gate.example.com/auth/token");
        assert_eq!(metadata.text_of("jwks_uri"), "https://gate.example.com/auth/.well-known/jwks.json");
        for answer in [keys, metadata] {
            assert_eq!((answer.status, answer.header("cache-control")), (200, "public, max-age=300"));
        }
    }
}

/// Signs in as somebody whose roles grant `docs:write` and `docs:read`.
async fn granted(client: &Client, scope: &str) -> super::Answer {
    let form = format!("{}&scope={scope}", password_grant("ada%40example.com", PASSWORD));
    client.form("/auth/token", None, &form).await
}

async fn two_scopes() -> (Client, String) {
    let client = Client::new();
    client.world.change_settings(|settings| {
        let reader = (roles(&["reader"]).remove(0), vec![Scope::parse("docs:read").unwrap()]);
        settings.role_scopes.extend([reader]);
    });
    let ada = client.register("ada@example.com").await;
    let both = UserChange { roles: Some(roles(&["editor", "reader"])), ..UserChange::default() };
    client.world.change_elsewhere(&user_id(&ada.user), both).await;
    (client, ada.user)
}

#[tokio::test]
async fn a_scope_parameter_narrows_the_session_for_all_of_its_life() {
    let (client, ada) = two_scopes().await;
    let narrow = granted(&client, "docs:read+else:where").await;
    assert_eq!((narrow.status, narrow.text_of("scope")), (200, "docs:read".to_owned()));
    let form = format!("grant_type=refresh_token&refresh_token={}", narrow.text_of("refresh_token"));
    let next = client.form("/auth/token", None, &form).await;
    assert_eq!(next.text_of("scope"), "docs:read");
    let token = next.text_of("access_token");
    for (roles_now, left) in [(&["editor", "reader", "x"][..], "docs:read"), (&["editor"], "")] {
        let change = UserChange { roles: Some(roles(roles_now)), ..UserChange::default() };
        client.world.change_elsewhere(&user_id(&ada), change).await;
        let verified = client.get("/auth/token/verify", &token).await;
        assert_eq!(verified.text_of("scope"), left, "a role that came later widened the token");
    }
}

#[tokio::test]
async fn a_scope_that_is_not_granted_is_refused_and_spends_no_refresh_token() {
    let (client, _) = two_scopes().await;
    for scope in ["else:where", "docs:read++docs:write", "docs%00"] {
        let refused = granted(&client, scope).await;
        assert_eq!((refused.status, refused.text_of("error").as_str()), (400, "invalid_scope"), "{scope}");
    }
    let whole = granted(&client, "").await;
    assert_eq!(whole.text_of("scope"), "docs:read docs:write");
    let refresh = |token: String, scope: &str| format!("grant_type=refresh_token&refresh_token={token}&scope={scope}");
    let form = refresh(whole.text_of("refresh_token"), "docs:read+admin");
    assert_eq!(client.form("/auth/token", None, &form).await.text_of("error"), "invalid_scope");
    let form = refresh(whole.text_of("refresh_token"), "docs:read");
    let less = client.form("/auth/token", None, &form).await;
    assert_eq!((less.status, less.text_of("scope")), (200, "docs:read".to_owned()));
    let form = refresh(less.text_of("refresh_token"), "");
    assert_eq!(client.form("/auth/token", None, &form).await.text_of("scope"), "docs:read docs:write");
}
