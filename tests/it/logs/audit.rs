//! The audit trail, event by event.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::clients::h1;
use crate::harness::people::post;
use crate::harness::{Gateway, PASSWORD, Person, serve};

async fn event(gateway: &Gateway, name: &str, user: &str) -> Value {
    let wanted = |line: &Value| line["event"] == name && line["user_id"] == user;
    let line = gateway.stdout().object(&format!("the audit of {name}"), wanted).await;
    assert_eq!((&line["audit"], &line["ip"]), (&json!(true), &json!("127.0.0.1")), "{line}");
    assert!(line["request_id"].is_string(), "{line}");
    line
}

#[tokio::test]
async fn every_account_and_session_event_is_audited_by_its_name() {
    let (gateway, _upstream) = serve("[auth]\nrefresh_grace = \"0s\"\n[limits]\nlogin = \"2/m\"").await;
    let client = h1();
    let person = Person::register(&gateway, &client, "ada@example.com").await;
    event(&gateway, "user.registered", &person.id).await;
    let person = Person::log_in(&gateway, &client, "ada@example.com").await;
    let line = event(&gateway, "login.succeeded", &person.id).await;
    assert_eq!(line["session_id"], person.session());

    let change = json!({"full_name": "Ada L"});
    let patched = person.request(&gateway, &client, Method::PATCH, "/auth/me").json(&change).send().await.unwrap();
    assert_eq!(patched.status(), StatusCode::OK);
    event(&gateway, "user.updated", &person.id).await;

    let body = json!({"refresh_token": person.refresh});
    assert_eq!(post(&gateway, &client, "/auth/refresh", &body).await.status(), StatusCode::OK);
    event(&gateway, "session.refreshed", &person.id).await;
    assert_eq!(post(&gateway, &client, "/auth/refresh", &body).await.status(), StatusCode::UNAUTHORIZED);
    event(&gateway, "session.reuse_detected", &person.id).await;

    let person = Person::log_in(&gateway, &client, "ada@example.com").await;
    let body = json!({"current_password": PASSWORD, "new_password": "another passphrase"});
    person.request(&gateway, &client, Method::POST, "/auth/password/change").json(&body).send().await.unwrap();
    event(&gateway, "password.changed", &person.id).await;
    person.log_out(&gateway, &client).await;
    let wanted = |line: &Value| line["event"] == "session.ended" && line["session_id"] == person.session();
    gateway.stdout().object("the audit of the logout", wanted).await;

    for _ in 0..3 {
        post(&gateway, &client, "/auth/login", &json!({"email": "ada@example.com", "password": "wrong one"})).await;
    }
    event(&gateway, "login.failed", &person.id).await;
    gateway.stdout().object("the audit of the limit", |line| line["event"] == "login.limited").await;
}

#[tokio::test]
async fn a_deletion_is_audited_and_a_failed_login_of_nobody_names_nobody() {
    let (gateway, _upstream) = serve("").await;
    let client = h1();
    let person = Person::register(&gateway, &client, "ada@example.com").await;
    let body = json!({"password": PASSWORD});
    person.request(&gateway, &client, Method::DELETE, "/auth/me").json(&body).send().await.unwrap();
    event(&gateway, "user.deleted", &person.id).await;
    post(&gateway, &client, "/auth/login", &json!({"email": "typed@example.com", "password": "wrong one"})).await;
    let line = gateway.stdout().object("the audit of the failure", |line| line["event"] == "login.failed").await;
    assert!(line.get("user_id").is_none(), "{line}");
    assert!(!gateway.stdout().text().contains("typed@example.com"), "what was typed may be a password");
}
