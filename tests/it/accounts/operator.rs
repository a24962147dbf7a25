//! Commands from another process reach the running gateway within a second.

use reqwest::{Client, StatusCode};
use serde_json::Value;

use super::oauth::is_signed_by_a_published_key;
use crate::harness::clients::h1;
use crate::harness::command::run;
use crate::harness::people::part;
use crate::harness::{Gateway, Person, WITHIN_A_SECOND, eventually_within, serve};

async fn soon_answers(gateway: &Gateway, client: &Client, person: &Person, path: &str, status: StatusCode) {
    eventually_within(WITHIN_A_SECOND, &format!("{path} answers {status}"), || async {
        person.get(gateway, client, path).await.status() == status
    })
    .await;
}

#[tokio::test]
async fn a_role_that_a_command_gives_or_takes_counts_within_a_second() {
    let ((gateway, _upstream), client) = (serve("").await, h1());
    let person = Person::register(&gateway, &client, "ada@example.com").await;
    assert_eq!(person.get(&gateway, &client, "/admin").await.status(), StatusCode::FORBIDDEN);
    run(&gateway, &["user", "set", "ada@example.com", "--role", "admin"]).ok();
    // Whether the token of before shows the new role or asks for a refresh: a fresh one must have it.
    let admin = Person::log_in(&gateway, &client, "ada@example.com").await;
    soon_answers(&gateway, &client, &admin, "/admin", StatusCode::OK).await;
    run(&gateway, &["user", "set", "ada@example.com", "--no-roles"]).ok();
    eventually_within(WITHIN_A_SECOND, "the old token no longer opens /admin", || async {
        admin.get(&gateway, &client, "/admin").await.status() != StatusCode::OK
    })
    .await;
}

#[tokio::test]
async fn a_disabled_account_is_out_within_a_second_and_back_when_enabled() {
    let ((gateway, _upstream), client) = (serve("").await, h1());
    let person = Person::register(&gateway, &client, "ada@example.com").await;
    assert_eq!(person.get(&gateway, &client, "/private").await.status(), StatusCode::OK);
    run(&gateway, &["user", "disable", "ada@example.com"]).ok();
    soon_answers(&gateway, &client, &person, "/private", StatusCode::UNAUTHORIZED).await;
    run(&gateway, &["user", "enable", "ada@example.com"]).ok();
    let again = Person::log_in(&gateway, &client, "ada@example.com").await;
    soon_answers(&gateway, &client, &again, "/private", StatusCode::OK).await;
    assert_eq!(person.get(&gateway, &client, "/private").await.status(), StatusCode::UNAUTHORIZED, "ended is ended");
}

#[tokio::test]
async fn a_session_that_a_command_revokes_ends_within_a_second_and_others_go_on() {
    let ((gateway, _upstream), client) = (serve("").await, h1());
    let person = Person::register(&gateway, &client, "ada@example.com").await;
    let other = Person::log_in(&gateway, &client, "ada@example.com").await;
    run(&gateway, &["session", "revoke", &person.session()]).ok();
    soon_answers(&gateway, &client, &person, "/private", StatusCode::UNAUTHORIZED).await;
    assert_eq!(other.get(&gateway, &client, "/private").await.status(), StatusCode::OK);
    run(&gateway, &["session", "revoke", "--user", "ada@example.com"]).ok();
    soon_answers(&gateway, &client, &other, "/private", StatusCode::UNAUTHORIZED).await;
}

#[tokio::test]
async fn a_deleted_account_and_a_new_password_by_command_end_sessions_within_a_second() {
    let ((gateway, _upstream), client) = (serve("").await, h1());
    let person = Person::register(&gateway, &client, "ada@example.com").await;
    let gone = Person::register(&gateway, &client, "gone@example.com").await;
    let passwd = ["user", "passwd", "ada@example.com", "--password-stdin"];
    crate::harness::command::run_in(gateway.folder.path(), &passwd, "some other passphrase\n").ok();
    soon_answers(&gateway, &client, &person, "/private", StatusCode::UNAUTHORIZED).await;
    run(&gateway, &["user", "delete", "--yes", "gone@example.com"]).ok();
    soon_answers(&gateway, &client, &gone, "/private", StatusCode::UNAUTHORIZED).await;
}

#[tokio::test]
async fn after_a_key_rotation_old_tokens_verify_and_new_ones_are_signed_by_the_new_key() {
    let ((gateway, _upstream), client) = (serve("").await, h1());
    let old = Person::register(&gateway, &client, "ada@example.com").await;
    let old_kid = part(&old.access, 0)["kid"].clone();
    run(&gateway, &["key", "rotate"]).ok();
    eventually_within(WITHIN_A_SECOND, "a token is signed by the new key", || async {
        let new = Person::log_in(&gateway, &client, "ada@example.com").await;
        part(&new.access, 0)["kid"] != old_kid
    })
    .await;
    let new = Person::log_in(&gateway, &client, "ada@example.com").await;
    let set: Value = client.get(gateway.url("/.well-known/jwks.json")).send().await.unwrap().json().await.unwrap();
    for person in [&old, &new] {
        assert_eq!(person.get(&gateway, &client, "/private").await.status(), StatusCode::OK);
        assert!(is_signed_by_a_published_key(&person.access, &set));
    }
    let body = serde_json::json!({"refresh_token": old.refresh});
    let answer = crate::harness::people::post(&gateway, &client, "/auth/refresh", &body).await;
    assert_eq!(answer.status(), StatusCode::OK, "refresh tokens outlive a rotation");
}
