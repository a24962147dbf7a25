use serde_json::{Value, json};

use super::{Answer, Client, signed};
use crate::account::fixture::PASSWORD;

async fn patch(client: &Client, access: &str, body: Value) -> Answer {
    client.ask("PATCH", "/auth/me", Some(access), Some(body)).await
}

#[tokio::test]
async fn a_profile_has_every_field_even_those_that_are_unknown() {
    let client = Client::new();
    let ada = client.register("ada@example.com").await;
    let me = client.get("/auth/me", &ada.access).await;
    let names = [
        "id",
        "email",
        "username",
        "first_name",
        "last_name",
        "full_name",
        "phone",
        "profile",
        "is_active",
        "email_verified",
        "roles",
        "created_at",
    ];
    for name in names {
        assert!(me.json().get(name).is_some(), "{name}");
    }
    assert_eq!(me.json().as_object().unwrap().len(), names.len());
    assert_eq!(me.text_of("created_at"), "2027-01-15T08:00:00Z");
}

#[tokio::test]
async fn a_patch_changes_what_it_names_clears_what_is_null_and_leaves_the_rest() {
    let client = Client::new();
    let ada = client.register("ada@example.com").await;
    patch(&client, &ada.access, json!({"first_name": " Ada ", "phone": "1"})).await;
    let answer = patch(&client, &ada.access, json!({"phone": null, "username": "ada"})).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let me = client.get("/auth/me", &ada.access).await.json();
    assert_eq!(me, answer.json());
    assert_eq!((&me["first_name"], &me["phone"], &me["username"]), (&json!("Ada"), &Value::Null, &json!("ada")));
    let verified = client.get("/auth/token/verify", &ada.access).await.json();
    assert_eq!(verified["username"], "ada", "a token that is out still says the old name");
}

#[tokio::test]
async fn a_required_field_can_not_be_cleared_and_a_taken_name_not_taken() {
    let client = Client::new();
    let ada = client.register("ada@example.com").await;
    client.register("eve@example.com").await;
    for empty in [Value::Null, json!(""), json!("  ")] {
        let answer = patch(&client, &ada.access, json!({"email": empty})).await;
        assert_eq!(
            answer.json()["errors"][0],
            json!({"field": "email", "code": "required", "message": "`email` is required"})
        );
        assert_eq!(answer.status, 422);
    }
    let taken = patch(&client, &ada.access, json!({"email": "EVE@example.com"})).await;
    assert_eq!(taken.verdict(), (409, "email_taken".to_owned()));
    let own = patch(&client, &ada.access, json!({"email": "ada@example.com"})).await;
    assert_eq!(own.status, 200);
}

#[tokio::test]
async fn deleting_oneself_needs_the_password_and_ends_every_session() {
    let client = Client::new();
    let ada = client.register("ada@example.com").await;
    let delete = async |body: Option<Value>| client.ask("DELETE", "/auth/me", Some(&ada.access), body).await;
    assert_eq!(delete(None).await.verdict(), (422, "required".to_owned()));
    let wrong = delete(Some(json!({"password": "wrong password"}))).await;
    assert_eq!(wrong.verdict(), (401, "invalid_credentials".to_owned()));
    assert_eq!(client.status_of(&ada.access).await, 200);
    assert_eq!(delete(Some(json!({"password": PASSWORD}))).await.status, 204);
    assert_eq!(client.status_of(&ada.access).await, 401);
    assert_eq!(client.refresh(&ada.refresh).await.status, 401);
    assert_eq!(client.login("ada@example.com", PASSWORD).await.status, 401);
    client.register("ada@example.com").await;
}

#[tokio::test]
async fn sessions_are_listed_with_the_one_that_asks_marked() {
    let client = Client::new();
    client.register("ada@example.com").await;
    client.world.clock.advance(std::time::Duration::from_secs(5));
    let here = signed(&client.login("ada@example.com", PASSWORD).await);
    client.register("eve@example.com").await;
    let listed = client.get("/auth/sessions", &here.access).await.json();
    let listed = listed.as_array().unwrap();
    assert_eq!(listed.len(), 2);
    assert_eq!((&listed[0]["current"], &listed[1]["current"]), (&json!(true), &json!(false)));
    assert_eq!((&listed[0]["ip"], &listed[0]["user_agent"]), (&json!("192.0.2.1"), &json!("")));
    assert!(listed[0]["created_at"].as_str() > listed[1]["created_at"].as_str());
}

#[tokio::test]
async fn one_ends_ones_own_sessions_and_finds_nobody_elses() {
    let client = Client::new();
    let old = client.register("ada@example.com").await;
    let here = signed(&client.login("ada@example.com", PASSWORD).await);
    let eve = client.register("eve@example.com").await;
    let id_of = async |access: &str| {
        let listed = client.get("/auth/sessions", access).await.json();
        let own = listed.as_array().unwrap().iter().find(|session| session["current"] == true).unwrap().clone();
        format!("/auth/sessions/{}", own["id"].as_str().unwrap())
    };
    let (old_path, eve_path) = (id_of(&old.access).await, id_of(&eve.access).await);
    let delete = async |path: &str| client.ask("DELETE", path, Some(&here.access), None).await;
    for path in [eve_path.as_str(), "/auth/sessions/7", "/auth/sessions/00000000-0000-4000-8000-000000000000"] {
        assert_eq!(delete(path).await.verdict(), (404, "not_found".to_owned()), "{path}");
    }
    assert_eq!(delete(&old_path).await.status, 204);
    assert_eq!(delete(&old_path).await.status, 404);
    assert_eq!((client.status_of(&old.access).await, client.status_of(&eve.access).await), (401, 200));
    assert_eq!(client.refresh(&old.refresh).await.status, 401);
}

#[tokio::test]
async fn a_changed_password_ends_every_other_session_and_the_old_password() {
    let client = Client::new();
    let here = client.register("ada@example.com").await;
    let there = signed(&client.login("ada@example.com", PASSWORD).await);
    let change = async |current: &str, new: &str| {
        let body = json!({"current_password": current, "new_password": new});
        client.ask("POST", "/auth/password/change", Some(&here.access), Some(body)).await
    };
    let wrong = change("wrong password", "another battery horse").await;
    assert_eq!(wrong.verdict(), (401, "invalid_credentials".to_owned()));
    assert_eq!(change(PASSWORD, "short").await.verdict(), (422, "password_too_short".to_owned()));
    assert_eq!(change(PASSWORD, "ada@example.com").await.verdict(), (422, "password_is_own_name".to_owned()));
    assert_eq!(client.status_of(&there.access).await, 200);
    assert_eq!(change(PASSWORD, "another battery horse").await.status, 204);
    assert_eq!((client.status_of(&here.access).await, client.status_of(&there.access).await), (200, 401));
    assert_eq!((client.refresh(&there.refresh).await.status, client.refresh(&here.refresh).await.status), (401, 200));
    assert_eq!(client.login("ada@example.com", PASSWORD).await.status, 401);
    assert_eq!(client.login("ada@example.com", "another battery horse").await.status, 200);
}
