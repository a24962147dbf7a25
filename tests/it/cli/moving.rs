//! `user import` and `user export`: people move in with the passwords they have.

use std::fs;
use std::path::Path;

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::harness::clients::h1;
use crate::harness::command::{Done, run, run_in};
use crate::harness::people::post;
use crate::harness::{Gateway, serve};

/// Hashes that the libraries themselves made, each with its password.
fn known_hashes() -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/password_hashes.jsonl");
    let text = fs::read_to_string(path).unwrap();
    let known: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(known.len() > 100);
    known
}

fn write_lines(gateway: &Gateway, name: &str, lines: impl IntoIterator<Item = Value>) {
    let text: String = lines.into_iter().map(|line| format!("{line}\n")).collect();
    fs::write(gateway.folder.path().join(name), text).unwrap();
}

fn person(name: &str) -> Value {
    json!({"email": format!("{name}@example.com"), "external_id": name, "password_hash": null})
}

fn import(gateway: &Gateway, arguments: &[&str]) -> Done {
    run(gateway, &[&["user", "import", "--format"], arguments].concat())
}

fn users(gateway: &Gateway) -> usize {
    run(gateway, &["user", "list", "--json"]).ok().lines().count()
}

#[tokio::test]
async fn people_sign_in_with_the_passwords_they_had_and_are_upgraded() {
    let (gateway, _upstream) = serve("").await;
    let client = h1();
    let known = known_hashes();
    let cheap = known.iter().enumerate().step_by(6).filter(|(_, known)| {
        !known["made_by"].as_str().unwrap().contains(" as it comes") //
    });
    let people: Vec<(String, &Value)> = cheap.map(|(at, known)| (format!("user{at}@example.com"), known)).collect();
    assert!(people.len() > 20);
    let lines = people.iter().map(|(email, known)| json!({"email": email, "password_hash": known["hash"]}));
    write_lines(&gateway, "users.jsonl", lines);
    let told = import(&gateway, &["jsonl", "users.jsonl"]).ok();
    assert!(told.starts_with(&format!("{0} rows: {0} added, 0 here already, 0 refused\n", people.len())), "{told}");
    assert!(told.contains("with PBKDF2 hashes") && told.contains("first 72 bytes"), "{told}");
    for (email, known) in &people {
        for (password, status) in
            [(json!("wrong"), StatusCode::UNAUTHORIZED), (known["password"].clone(), StatusCode::OK)]
        {
            let body = json!({"email": email, "password": password});
            assert_eq!(post(&gateway, &client, "/auth/login", &body).await.status(), status, "{known}");
        }
    }
    let export = run(&gateway, &["user", "export"]).ok();
    let upgraded = export.lines().filter(|line| line.contains("\"password_hash\":\"$argon2id$v=19$m=64,")).count();
    assert_eq!(upgraded, people.len(), "each is argon2id at the configured cost");
}

#[tokio::test]
async fn an_export_is_read_back_as_it_was_and_twice_changes_nothing() {
    let fields = "[auth.user_fields]\nteam = { type = \"string\" }\n";
    let (gateway, _upstream) = serve(fields).await;
    let whole = json!({
        "external_id": "65f1", "email": "Ada@example.com", "username": "ada", "first_name": "Ada", "last_name": "L",
        "full_name": "Ada L", "phone": "+44", "roles": ["admin", "editor"], "is_active": false, "email_verified": true,
        "password_hash": known_hashes()[0]["hash"], "created_at": "2024-05-01T10:00:00.25Z", "team": "engines",
    });
    write_lines(&gateway, "users.jsonl", [whole.clone(), person("bob")]);
    import(&gateway, &["jsonl", "users.jsonl"]).ok();
    let export = run(&gateway, &["user", "export"]).ok();
    let ada: Value = serde_json::from_str(export.lines().find(|line| line.contains("ada")).unwrap()).unwrap();
    for (name, value) in whole.as_object().unwrap().iter().filter(|(name, _)| *name != "team") {
        assert_eq!(&ada[name], value, "{name}");
    }
    assert_eq!(ada["profile"], json!({"team": "engines"}));

    let (other, _upstream) = serve(fields).await;
    fs::write(other.folder.path().join("export.jsonl"), &export).unwrap();
    import(&other, &["jsonl", "export.jsonl"]).ok();
    assert_eq!(run(&other, &["user", "export"]).ok(), export);
    let again = import(&other, &["jsonl", "export.jsonl"]).ok();
    assert_eq!(again, "2 rows: 0 added, 2 here already, 0 refused\nnothing was changed\n");
    assert_eq!(run(&other, &["user", "export"]).ok(), export);
}

#[tokio::test]
async fn a_row_that_can_not_be_used_is_reported_and_the_rest_come() {
    let (gateway, _upstream) = serve("").await;
    let text = "email,password_hash,phone\n\
                ada@example.com,,1\n\
                not an address,,2\n\
                bob@example.com,plain-hunter2,3\n\
                ADA@example.com,,4\n\
                eve@example.com,,5,6\n\
                zoe@example.com,!,7\n";
    fs::write(gateway.folder.path().join("users.csv"), text).unwrap();
    let map = ["csv", "--map", "external_id=phone", "users.csv"];
    let done = import(&gateway, &map);
    assert_eq!(done.code, 1, "{}", done.stderr);
    assert!(done.stdout.starts_with("6 rows: 2 added, 0 here already, 4 refused\n"), "{}", done.stdout);
    assert!(done.stderr.contains("line 3: email: not an e-mail address"), "{}", done.stderr);
    assert!(done.stderr.contains("line 4: password_hash: found no password hash"), "{}", done.stderr);
    assert!(done.stderr.contains("line 5: email: another account has this e-mail address"), "{}", done.stderr);
    assert!(done.stderr.contains("line 6: found 4 cells, expected 3"), "{}", done.stderr);
    assert!(!done.stderr.contains("hunter2"), "{}", done.stderr);

    let done = import(&gateway, &[&map[..3], &["--report", "refused.jsonl", "users.csv"]].concat());
    assert!(done.stdout.starts_with("6 rows: 0 added, 2 here already, 4 refused\nnothing was changed\n"));
    assert!(!done.stderr.contains("line 3"), "{}", done.stderr);
    let report = fs::read_to_string(gateway.folder.path().join("refused.jsonl")).unwrap();
    let entries: Vec<Value> = report.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(entries.len(), 4);
    assert!(entries.iter().any(|entry| entry["line"] == 4 && entry["field"] == "password_hash"), "{report}");
}

#[tokio::test]
async fn a_file_that_is_not_what_it_says_is_refused_before_the_first_write() {
    let (gateway, _upstream) = serve("").await;
    let prices: String = (0..50).map(|price| format!("{price},x{price}\n")).collect();
    for (name, text) in [
        ("array.jsonl", "[{\"email\":\"a@example.com\"}]".to_owned()),
        ("other.jsonl", "{\"mail\":\"a@example.com\"}\n{\"mail\":\"b@example.com\"}\n".to_owned()),
        ("prices.csv", format!("price,name\n{prices}")),
        ("text.db", "no database\n".repeat(200)),
    ] {
        fs::write(gateway.folder.path().join(name), text).unwrap();
    }
    let attempts: [&[&str]; 7] = [
        &["jsonl", "array.jsonl"],
        &["jsonl", "other.jsonl"],
        &["jsonl", "prices.csv"],
        &["csv", "prices.csv"],
        &["csv", "--map", "email=name", "prices.csv"],
        &["sqlite", "text.db"],
        &["jsonl", "missing.jsonl"],
    ];
    for attempt in attempts {
        let done = import(&gateway, attempt);
        let last = done.stderr.lines().last().unwrap_or_default();
        assert_eq!(done.code, 1, "{attempt:?}: {}", done.stderr);
        assert!(last.starts_with("error: ") && !last.contains("panicked"), "{attempt:?}: {}", done.stderr);
    }
    assert_eq!(users(&gateway), 0);
    assert_eq!(import(&gateway, &["jsonl", "--map", "mail=x", "other.jsonl"]).code, 64);
    import(&gateway, &["jsonl", "--map", "email=mail", "other.jsonl"]).ok();
    assert_eq!(users(&gateway), 2);
}

#[tokio::test]
async fn a_dry_run_says_what_would_happen_and_writes_nothing() {
    let (gateway, _upstream) = serve("").await;
    write_lines(&gateway, "users.jsonl", [person("ada"), person("bob"), person("ada")]);
    let told = import(&gateway, &["jsonl", "--dry-run", "users.jsonl"]).ok();
    assert!(told.starts_with("3 rows: 2 would be added, 1 here already, 0 refused\n"), "{told}");
    assert_eq!(users(&gateway), 0);
    let told = import(&gateway, &["jsonl", "users.jsonl"]).ok();
    assert!(told.starts_with("3 rows: 2 added, 1 here already, 0 refused\n"), "{told}");
    let told = import(&gateway, &["jsonl", "--dry-run", "users.jsonl"]).ok();
    assert_eq!(told, "3 rows: 0 would be added, 3 here already, 0 refused\nnothing was changed\n");
}

#[tokio::test]
async fn lines_come_from_stdin_too_and_an_account_made_here_is_not_touched() {
    let (gateway, _upstream) = serve("").await;
    let arguments = ["user", "add", "ada@example.com", "--full-name", "Ada", "--password-stdin"];
    run_in(gateway.folder.path(), &arguments, "some good passphrase\n").ok();
    let before = run(&gateway, &["user", "export"]).ok();
    let line = json!({"email": "ADA@example.com", "full_name": "Eve", "roles": ["admin"]}).to_string();
    let done = run_in(gateway.folder.path(), &["user", "import", "--format", "jsonl", "-"], &line);
    assert_eq!(done.ok(), "1 rows: 0 added, 1 here already, 0 refused\nnothing was changed\n");
    let line = json!({"email": "ADA@example.com", "external_id": "7", "full_name": "Eve"}).to_string();
    let done = run_in(gateway.folder.path(), &["user", "import", "--format", "jsonl", "-"], &line);
    assert_eq!(done.code, 1, "somebody of another system is not who registered here");
    assert_eq!(run(&gateway, &["user", "export"]).ok(), before);
}
