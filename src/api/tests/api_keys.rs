//! Keys of users: made, shown once, judged, taken back.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http::header::AUTHORIZATION;
use serde_json::{Value, json};

use super::{Answer, Client, Signed, user_id};
use crate::account::fixture::roles;
use crate::clock::Clock;
use crate::store::UserChange;

async fn editor(client: &Client) -> Signed {
    let ada = client.register("ada@example.com").await;
    let change = UserChange { roles: Some(roles(&["editor"])), ..UserChange::default() };
    client.world.change_elsewhere(&user_id(&ada.user), change).await;
    ada
}

async fn make(client: &Client, ada: &Signed, body: Value) -> Answer {
    client.ask("POST", "/auth/keys", Some(&ada.access), Some(body)).await
}

async fn with_header(client: &Client, name: &str, value: &str) -> Answer {
    client.send(Request::get("/auth/me").header(name, value).body(Bytes::new()).unwrap()).await
}

#[tokio::test]
async fn a_key_is_shown_once_and_listed_without_itself() {
    let client = Client::new();
    let ada = editor(&client).await;
    let wanted = json!({"name": " backup ", "scopes": ["docs:write"], "expires_in": 3600});
    let made = make(&client, &ada, wanted).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let key = made.text_of("key");
    assert!(key.starts_with("vk_"));
    let listed = client.get("/auth/keys", &ada.access).await;
    let mut expected = made.json();
    expected.as_object_mut().unwrap().remove("key");
    assert_eq!(listed.json(), json!([expected]));
    let shown = (&expected["name"], &expected["scopes"], &expected["expires_at"], &expected["last_used_at"]);
    assert_eq!(shown, (&json!("backup"), &json!(["docs:write"]), &json!("2027-01-15T09:00:00Z"), &Value::Null));
    assert!(!listed.text.contains(&key) && !client.world.events().is_empty());
    assert_eq!(client.world.events().last().unwrap(), "api_key.created");
}

#[tokio::test]
async fn a_key_reads_its_users_record_in_three_ways_and_changes_nothing() {
    let client = Client::new();
    let ada = editor(&client).await;
    let key = make(&client, &ada, json!({"name": "k"})).await.text_of("key");
    let basic = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!("x:{key}"));
    for (name, value) in [
        ("authorization", format!("Bearer {key}")),
        ("x-api-key", key.clone()),
        ("authorization", format!("Basic {basic}")),
    ] {
        let me = with_header(&client, name, &value).await;
        assert_eq!((me.status, me.text_of("id")), (200, ada.user.clone()), "{name}");
    }
    for (method, path) in
        [("GET", "/auth/keys"), ("POST", "/auth/keys"), ("PATCH", "/auth/me"), ("GET", "/auth/sessions")]
    {
        let answer = client.ask(method, path, Some(&key), Some(json!({"name": "more"}))).await;
        assert_eq!(answer.verdict(), (401, "invalid_token".to_owned()), "{method} {path}");
    }
    let verified = client.get("/auth/token/verify", &key).await.json();
    assert_eq!((&verified["sub"], verified.get("exp"), &verified["scope"]), (&json!(ada.user), None, &json!("")));
}

#[tokio::test]
async fn a_key_ends_when_it_expires_is_taken_back_or_its_user_is_disabled() {
    let client = Client::new();
    let ada = editor(&client).await;
    let status = async |key: &str| with_header(&client, "x-api-key", key).await.status;
    let short = make(&client, &ada, json!({"name": "short", "expires_in": 60})).await.text_of("key");
    let long = make(&client, &ada, json!({"name": "long"})).await;
    let (id, long) = (long.text_of("id"), long.text_of("key"));
    let other = make(&client, &ada, json!({"name": "other"})).await.text_of("key");
    assert_eq!((status(&short).await, status(&long).await, status(&other).await), (200, 200, 200));
    client.world.clock.advance(Duration::from_mins(1));
    assert_eq!((status(&short).await, status(&long).await), (401, 200));
    let path = format!("/auth/keys/{id}");
    let eve = client.register("eve@example.com").await;
    assert_eq!(client.ask("DELETE", &path, Some(&eve.access), None).await.status, 404, "somebody else's key");
    assert_eq!(client.ask("DELETE", &path, Some(&ada.access), None).await.status, 204);
    assert_eq!((status(&long).await, status(&other).await), (401, 200));
    let disable = |is_active| UserChange { is_active: Some(is_active), ..UserChange::default() };
    client.world.change_elsewhere(&user_id(&ada.user), disable(false)).await;
    assert_eq!(status(&other).await, 401);
    client.world.change_elsewhere(&user_id(&ada.user), disable(true)).await;
    assert_eq!(status(&other).await, 200, "a key is a lasting credential, like the password");
}

#[tokio::test]
async fn a_key_has_no_more_scopes_than_its_user_has_now() {
    let client = Client::new();
    let ada = editor(&client).await;
    for scopes in [json!(["admin"]), json!(["docs:write", "no scope"])] {
        let refused = make(&client, &ada, json!({"name": "k", "scopes": scopes})).await;
        assert_eq!(refused.verdict(), (422, "invalid_scope".to_owned()));
    }
    let key = make(&client, &ada, json!({"name": "k", "scopes": ["docs:write"]})).await.text_of("key");
    let scope = async || client.get("/auth/token/verify", &key).await.text_of("scope");
    assert_eq!(scope().await, "docs:write");
    let change = UserChange { roles: Some(Vec::new()), ..UserChange::default() };
    client.world.change_elsewhere(&user_id(&ada.user), change).await;
    assert_eq!(scope().await, "");
}

#[tokio::test]
async fn a_key_that_is_wanted_wrongly_is_named_field_by_field() {
    let client = Client::new();
    let ada = editor(&client).await;
    let cases = [
        (json!({}), 422, "required"),
        (json!({"name": "a\u{7}"}), 422, "invalid_name"),
        (json!({"name": "k", "expires_in": 0}), 422, "invalid_lifetime"),
        (json!({"name": "k", "expires_in": "1h"}), 400, "invalid_request"),
        (json!({"name": "k", "scopes": "docs:write"}), 400, "invalid_request"),
        (json!({"name": "k", "roles": ["admin"]}), 400, "invalid_request"),
    ];
    for (body, status, code) in cases {
        assert_eq!(make(&client, &ada, body.clone()).await.verdict(), (status, code.to_owned()), "{body}");
    }
}

#[tokio::test]
async fn a_narrowed_session_can_not_widen_itself_by_a_key() {
    let client = Client::new();
    let ada = editor(&client).await;
    let form =
        format!("grant_type=password&username=ada%40example.com&password={}&scope=docs:write", "correct+horse+battery");
    let narrow = client.form("/auth/token", None, &form).await.text_of("access_token");
    let more = (roles(&["editor", "reader"]), crate::identity::Scope::parse("docs:read").unwrap());
    client.world.change_settings(|settings| drop(settings.role_scopes.insert(more.0[1].clone(), vec![more.1.clone()])));
    let change = UserChange { roles: Some(more.0.clone()), ..UserChange::default() };
    client.world.change_elsewhere(&user_id(&ada.user), change).await;
    let body = Some(json!({"name": "k", "scopes": ["docs:read"]}));
    assert_eq!(client.ask("POST", "/auth/keys", Some(&narrow), body.clone()).await.status, 422);
    assert_eq!(client.ask("POST", "/auth/keys", Some(&ada.access), body).await.status, 201);
}

#[tokio::test]
async fn a_last_use_is_noted_to_the_minute() {
    let client = Client::new();
    let ada = editor(&client).await;
    let key = make(&client, &ada, json!({"name": "k"})).await.text_of("key");
    let request = Request::get("/auth/me").header(AUTHORIZATION, format!("Bearer {key}")).body(Bytes::new());
    assert_eq!(client.send(request.unwrap()).await.status, 200);
    let last_use = async || client.get("/auth/keys", &ada.access).await.json()[0]["last_used_at"].clone();
    // Noted beside the answer, not before it.
    let deadline = Clock::monotonic() + Duration::from_secs(30);
    while last_use().await == Value::Null && Clock::monotonic() < deadline {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(last_use().await, "2027-01-15T08:00:00Z");
}
