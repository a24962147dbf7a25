//! A store in memory: served like any other, gone with its gateway, and out of every command's reach.

use reqwest::StatusCode;
use serde_json::json;

use crate::harness::clients::h1;
use crate::harness::command::run;
use crate::harness::people::post;
use crate::harness::{PASSWORD, Person, serve};

const MEMORY: &str = "[store]\nurl = \"memory:\"\n";

#[tokio::test]
async fn people_come_and_go_and_are_forgotten_with_the_process() {
    let (mut gateway, _upstream) = serve(MEMORY).await;
    let client = h1();
    let ada = Person::register(&gateway, &client, "ada@example.com").await;
    assert_eq!(ada.get(&gateway, &client, "/private").await.status(), StatusCode::OK);
    let bob = Person::register(&gateway, &client, "bob@example.com").await;
    bob.log_out(&gateway, &client).await;
    assert_eq!(bob.get(&gateway, &client, "/private").await.status(), StatusCode::UNAUTHORIZED);

    gateway.kill().await;
    gateway.restart().await;
    assert_eq!(ada.get(&gateway, &client, "/private").await.status(), StatusCode::UNAUTHORIZED);
    let again = post(&gateway, &client, "/auth/login", &json!({ "email": ada.email, "password": PASSWORD })).await;
    assert_eq!(again.status(), StatusCode::UNAUTHORIZED);
    assert!(!gateway.folder.path().join("vestibule.db").exists());
}

#[tokio::test]
async fn no_command_takes_a_memory_of_its_own_for_the_gateways() {
    let (gateway, _upstream) = serve(MEMORY).await;
    for command in [
        &["user", "list"] as &[&str],
        &["key", "rotate"],
        &["session", "list"],
        &["store", "backup", "copy.db"],
        &["store", "migrate", "--to", "sqlite:copy.db"],
        &["store", "migrate", "--from", "sqlite:copy.db", "--to", "memory:"],
    ] {
        let done = run(&gateway, command);
        assert_eq!(done.code, 78, "{command:?}: {}", done.stderr);
        assert!(done.stderr.contains("\"memory:\"") && done.stderr.contains("sqlite:PATH"), "{}", done.stderr);
    }
    assert!(!gateway.folder.path().join("copy.db").exists());
    run(&gateway, &["check"]).ok();
}
