//! `user` and `session`.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::harness::clients::h1;
use crate::harness::command::{add_user, run, run_in};
use crate::harness::people::post;
use crate::harness::{Gateway, PASSWORD, Person, WITHIN_A_SECOND, eventually_within, serve};

#[tokio::test]
async fn an_account_is_added_shown_listed_changed_and_deleted() {
    let (gateway, _upstream) = serve("").await;
    add_user(&gateway, "Ada@Example.com", PASSWORD, &["--username", "ada", "--role", "b", "--role", "a"]);
    add_user(&gateway, "bob@example.com", PASSWORD, &[]);
    let shown = run(&gateway, &["user", "show", "ada", "--json"]).json();
    assert_eq!((&shown["username"], &shown["has_password"]), (&json!("ada"), &json!(true)));
    assert_eq!(shown["email"].as_str().unwrap().to_lowercase(), "ada@example.com");
    let mut roles: Vec<&str> = shown["roles"].as_array().unwrap().iter().map(|role| role.as_str().unwrap()).collect();
    roles.sort_unstable();
    assert_eq!(roles, ["a", "b"]);
    let id = shown["id"].as_str().unwrap();
    for who in [id, "ADA", "ada@EXAMPLE.com"] {
        assert_eq!(run(&gateway, &["user", "show", who, "--json"]).json()["id"], id, "{who}");
    }

    let listed = run(&gateway, &["user", "list", "--json"]).ok();
    let listed: Vec<Value> = listed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(listed.len(), 2);
    let table = run(&gateway, &["user", "list"]).ok();
    assert!(table.contains("ADA@EXAMPLE.COM") || table.to_lowercase().contains("ada@example.com"), "{table}");

    run(&gateway, &["user", "set", "ada", "--role", "c", "--full-name", "Ada L", "--username", "countess"]).ok();
    let changed = run(&gateway, &["user", "show", "countess", "--json"]).json();
    assert_eq!((&changed["roles"], &changed["full_name"]), (&json!(["c"]), &json!("Ada L")));

    run(&gateway, &["user", "delete", "--yes", "countess"]).ok();
    assert_ne!(run(&gateway, &["user", "show", id]).code, 0);
    let text = run(&gateway, &["user", "show", "bob@example.com"]).ok();
    assert!(text.contains("bob@example.com") && !text.contains("argon2"), "{text}");
}

#[tokio::test]
async fn declared_fields_are_written_by_the_command_and_shown_to_their_user() {
    let fields =
        "[auth.user_fields]\nis_verified = { type = \"boolean\", write = \"admin\" }\nborn = { type = \"date\" }\n";
    let (gateway, _upstream) = serve(fields).await;
    add_user(&gateway, "ada@example.com", PASSWORD, &["--field", "is_verified=true", "--field", "born=1815-12-10"]);
    let client = h1();
    let ada = Person::log_in(&gateway, &client, "ada@example.com").await;
    let me: Value = ada.get(&gateway, &client, "/auth/me").await.json().await.unwrap();
    assert_eq!(me["profile"], json!({"born": "1815-12-10", "is_verified": true}));
    run(&gateway, &["user", "set", "ada@example.com", "--field", "born="]).ok();
    let shown = run(&gateway, &["user", "show", "ada@example.com", "--json"]).json();
    assert_eq!(shown["profile"], json!({"is_verified": true}));
    assert!(run(&gateway, &["user", "show", "ada@example.com"]).ok().contains("is_verified=true"));
    for field in ["born=yesterday", "role=admin"] {
        let refused = run(&gateway, &["user", "set", "ada@example.com", "--field", field]);
        assert!(refused.code == 64 && refused.stderr.contains("--field"), "{}", refused.stderr);
    }
}

#[tokio::test]
async fn what_can_not_be_done_is_said_in_one_line_with_an_exit_code() {
    let (gateway, _upstream) = serve("").await;
    add_user(&gateway, "ada@example.com", PASSWORD, &[]);
    for (arguments, stdin) in [
        (&["user", "add", "ada@example.com", "--password-stdin"][..], "some good passphrase\n"),
        (&["user", "add", "eve@example.com", "--password-stdin"], "short\n"),
        (&["user", "add", "not an address@", "--password-stdin"], "some good passphrase\n"),
        (&["user", "show", "nobody@example.com"], ""),
        (&["user", "disable", "nobody"], ""),
        (&["user", "set", "ada@example.com"], ""),
        (&["user", "set", "ada@example.com", "--role", "no good, role"], ""),
        (&["session", "revoke", "nobody"], ""),
    ] {
        let done = run_in(gateway.folder.path(), arguments, stdin);
        assert_ne!(done.code, 0, "{arguments:?}");
        assert!(done.stderr.starts_with("error: "), "{arguments:?}: {}", done.stderr);
        assert!(!done.stderr.contains("passphrase") && !done.stderr.contains("panicked"), "{}", done.stderr);
    }
}

#[tokio::test]
async fn disable_enable_and_passwd_decide_who_signs_in() {
    let (gateway, _upstream) = serve("").await;
    let client = h1();
    add_user(&gateway, "ada@example.com", PASSWORD, &[]);
    let login = async |password: &str| {
        let body = json!({"email": "ada@example.com", "password": password});
        post(&gateway, &client, "/auth/login", &body).await.status()
    };
    assert_eq!(login(PASSWORD).await, StatusCode::OK);
    run(&gateway, &["user", "disable", "ada@example.com"]).ok();
    assert_eq!(login(PASSWORD).await, StatusCode::UNAUTHORIZED);
    run(&gateway, &["user", "enable", "ada@example.com"]).ok();
    assert_eq!(login(PASSWORD).await, StatusCode::OK);
    let passwd = ["user", "passwd", "ada@example.com", "--password-stdin"];
    run_in(gateway.folder.path(), &passwd, "a whole new passphrase\n").ok();
    assert_eq!(login(PASSWORD).await, StatusCode::UNAUTHORIZED);
    assert_eq!(login("a whole new passphrase").await, StatusCode::OK);
}

#[tokio::test]
async fn sessions_are_listed_with_where_they_come_from() {
    let (gateway, _upstream) = serve("").await;
    let client = h1();
    let person = Person::register(&gateway, &client, "ada@example.com").await;
    let listed = run(&gateway, &["session", "list", "ada@example.com", "--json"]).json();
    assert_eq!((&listed["id"], &listed["ip"]), (&json!(person.session()), &json!("127.0.0.1")));
    let table = run(&gateway, &["session", "list"]).ok();
    assert!(table.contains(&person.session()) && table.contains("ada@example.com"), "{table}");
    run(&gateway, &["session", "revoke", &person.session()]).ok();
    assert_eq!(run(&gateway, &["session", "list", "--json"]).ok(), "");
    let again = run(&gateway, &["session", "revoke", &person.session()]);
    assert_ne!(again.code, 0, "it is gone already");
}

/// Returns the events that a command audits on its stderr.
fn audited(gateway: &Gateway, arguments: &[&str], stdin: &str) -> Vec<String> {
    let done = run_in(gateway.folder.path(), arguments, stdin);
    assert_eq!(done.code, 0, "{}", done.stderr);
    let lines = done.stderr.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter_map(|line| Some(line["event"].as_str()?.to_owned())).collect()
}

#[tokio::test]
async fn commands_audit_what_they_do() {
    let (gateway, _upstream) = serve("").await;
    let add = ["user", "add", "ada@example.com", "--password-stdin"];
    assert_eq!(audited(&gateway, &add, "some good passphrase\n"), ["user.registered"]);
    assert_eq!(audited(&gateway, &["user", "set", "ada@example.com", "--role", "x"], ""), ["user.updated"]);
    assert!(audited(&gateway, &["user", "disable", "ada@example.com"], "").contains(&"user.disabled".to_owned()));
    assert_eq!(audited(&gateway, &["user", "enable", "ada@example.com"], ""), ["user.enabled"]);
    let passwd = ["user", "passwd", "ada@example.com", "--password-stdin"];
    assert!(audited(&gateway, &passwd, "another passphrase\n").contains(&"password.changed".to_owned()));
    assert_eq!(audited(&gateway, &["key", "rotate"], ""), ["key.rotated"]);
    assert!(audited(&gateway, &["user", "delete", "ada@example.com"], "").contains(&"user.deleted".to_owned()));
}

#[tokio::test]
async fn an_account_that_a_command_adds_signs_in_at_once_with_its_roles() {
    let (gateway, _upstream) = serve("").await;
    let client = h1();
    add_user(&gateway, "boss@example.com", PASSWORD, &["--role", "admin"]);
    let boss = Person::log_in(&gateway, &client, "boss@example.com").await;
    assert_eq!(boss.get(&gateway, &client, "/admin").await.status(), StatusCode::OK);
    run(&gateway, &["user", "delete", "--yes", "boss@example.com"]).ok();
    eventually_within(WITHIN_A_SECOND, "the account is gone", || async {
        boss.get(&gateway, &client, "/admin").await.status() == StatusCode::UNAUTHORIZED
    })
    .await;
}
