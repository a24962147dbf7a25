//! What people see and change of their own.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::clients::h1;
use crate::harness::people::{post, problem_code};
use crate::harness::{PASSWORD, Person, serve};

#[tokio::test]
async fn me_shows_every_field_and_patch_changes_only_what_is_given() {
    let ((gateway, _upstream), client) = (serve("").await, h1());
    let person = Person::register(&gateway, &client, "ada@example.com").await;
    let me: Value = person.get(&gateway, &client, "/auth/me").await.json().await.unwrap();
    let names: Vec<&String> = me.as_object().unwrap().keys().collect();
    let mut expected =
        ["id", "email", "username", "first_name", "last_name", "full_name", "phone", "is_active"].to_vec();
    expected.extend(["email_verified", "roles", "created_at"]);
    expected.sort_unstable();
    assert_eq!(names, expected);
    assert_eq!(
        (&me["id"], &me["email"], &me["is_active"]),
        (&json!(person.id), &json!("ada@example.com"), &json!(true))
    );
    assert_eq!(me["roles"], json!([]));

    let change = json!({"username": "ada", "phone": "+44 1"});
    let answer = person.request(&gateway, &client, Method::PATCH, "/auth/me").json(&change).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let answer =
        person.request(&gateway, &client, Method::PATCH, "/auth/me").json(&json!({"phone": null})).send().await;
    let changed: Value = answer.unwrap().json().await.unwrap();
    assert_eq!((&changed["username"], &changed["phone"]), (&json!("ada"), &Value::Null));
    assert_eq!(changed["email"], "ada@example.com");
}

#[tokio::test]
async fn nobody_sets_roles_on_themselves() {
    let ((gateway, _upstream), client) = (serve("").await, h1());
    let body = json!({"email": "eve@example.com", "password": PASSWORD, "roles": ["admin"]});
    let answer = post(&gateway, &client, "/auth/register", &body).await;
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    let person = Person::register(&gateway, &client, "eve@example.com").await;
    for change in
        [json!({"roles": ["admin"]}), json!({"is_active": true}), json!({"id": "1"}), json!({"email_verified": true})]
    {
        let answer = person.request(&gateway, &client, Method::PATCH, "/auth/me").json(&change).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{change}");
    }
    assert_eq!(person.get(&gateway, &client, "/admin").await.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_changed_password_ends_other_sessions_and_signs_in_from_then_on() {
    let ((gateway, _upstream), client) = (serve("").await, h1());
    let here = Person::register(&gateway, &client, "ada@example.com").await;
    let elsewhere = Person::log_in(&gateway, &client, "ada@example.com").await;
    let change = async |body: Value| {
        here.request(&gateway, &client, Method::POST, "/auth/password/change").json(&body).send().await.unwrap()
    };
    let wrong = change(json!({"current_password": "not this one", "new_password": "another fine passphrase"})).await;
    assert_eq!(wrong.status(), StatusCode::UNAUTHORIZED);
    let weak = change(json!({"current_password": PASSWORD, "new_password": "password"})).await;
    assert_eq!(weak.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let done = change(json!({"current_password": PASSWORD, "new_password": "another fine passphrase"})).await;
    assert_eq!(done.status(), StatusCode::NO_CONTENT);

    assert_eq!(elsewhere.get(&gateway, &client, "/private").await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(here.get(&gateway, &client, "/private").await.status(), StatusCode::OK);
    let login = async |password: &str| {
        let body = json!({"email": "ada@example.com", "password": password});
        post(&gateway, &client, "/auth/login", &body).await.status()
    };
    assert_eq!(login(PASSWORD).await, StatusCode::UNAUTHORIZED);
    assert_eq!(login("another fine passphrase").await, StatusCode::OK);
}

#[tokio::test]
async fn a_deleted_account_is_gone_at_once_and_only_its_password_deletes_it() {
    let ((gateway, _upstream), client) = (serve("").await, h1());
    let person = Person::register(&gateway, &client, "ada@example.com").await;
    let delete = async |body: Value| {
        person.request(&gateway, &client, Method::DELETE, "/auth/me").json(&body).send().await.unwrap().status()
    };
    assert_ne!(delete(json!({})).await, StatusCode::NO_CONTENT);
    assert_eq!(delete(json!({"password": "wrong password"})).await, StatusCode::UNAUTHORIZED);
    assert_eq!(person.get(&gateway, &client, "/private").await.status(), StatusCode::OK);
    assert_eq!(delete(json!({"password": PASSWORD})).await, StatusCode::NO_CONTENT);
    assert_eq!(person.get(&gateway, &client, "/private").await.status(), StatusCode::UNAUTHORIZED);
    let body = json!({"email": "ada@example.com", "password": PASSWORD});
    let answer = post(&gateway, &client, "/auth/login", &body).await;
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(problem_code(answer).await, "invalid_credentials");
    let again = Person::register(&gateway, &client, "ada@example.com").await;
    assert_ne!(again.id, person.id);
}

#[tokio::test]
async fn sessions_are_listed_and_ended_one_by_one_and_nobody_ends_a_strangers() {
    let ((gateway, _upstream), client) = (serve("").await, h1());
    let here = Person::register(&gateway, &client, "ada@example.com").await;
    let other = Person::log_in(&gateway, &client, "ada@example.com").await;
    let stranger = Person::register(&gateway, &client, "eve@example.com").await;
    let sessions: Vec<Value> = here.get(&gateway, &client, "/auth/sessions").await.json().await.unwrap();
    assert_eq!(sessions.len(), 2);
    let current: Vec<&Value> = sessions.iter().filter(|session| session["current"] == true).collect();
    assert_eq!(current.len(), 1);
    assert_eq!((&current[0]["id"], &current[0]["ip"]), (&json!(here.session()), &json!("127.0.0.1")));

    let end = async |who: &Person, session: &str| {
        let path = format!("/auth/sessions/{session}");
        who.request(&gateway, &client, Method::DELETE, &path).send().await.unwrap().status()
    };
    assert_eq!(end(&stranger, &other.session()).await, StatusCode::NOT_FOUND);
    assert_eq!(other.get(&gateway, &client, "/private").await.status(), StatusCode::OK);
    assert_eq!(end(&here, &other.session()).await, StatusCode::NO_CONTENT);
    assert_eq!(other.get(&gateway, &client, "/private").await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(here.get(&gateway, &client, "/private").await.status(), StatusCode::OK);
}
