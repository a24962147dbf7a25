//! `vestibule store backup`: a whole copy of a store that is in use, and what is found after it was put back.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use reqwest::StatusCode;
use serde_json::json;

use super::file;
use crate::harness::clients::h1;
use crate::harness::command::run;
use crate::harness::people::post;
use crate::harness::{Person, serve};

#[tokio::test]
async fn a_copy_taken_while_people_register_is_whole_and_can_be_put_back() {
    let (mut gateway, _upstream) = serve("").await;
    let client = h1();
    let ada = Person::register(&gateway, &client, "ada@example.com").await;
    let copy = gateway.folder.path().join("copy.db");
    let said = {
        let registering = async {
            for number in 0.. {
                Person::register(&gateway, &client, &format!("n{number}@example.com")).await;
            }
        };
        let folder = gateway.folder.path().to_owned();
        let backup = tokio::task::spawn_blocking(move || {
            crate::harness::command::run_in(&folder, &["store", "backup", "copy.db"], "").ok()
        });
        tokio::select! {
            said = backup => said.unwrap(),
            () = registering => unreachable!("it never ends"),
        }
    };
    assert!(said.contains("copy.db holds the whole store"), "{said}");
    assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    let late = Person::register(&gateway, &client, "late@example.com").await;
    gateway.kill().await;
    for suffix in ["", "-wal", "-shm"] {
        // A killed process leaves its log; a log of another file must not be played into the copy.
        let _ = fs::remove_file(format!("{}{suffix}", file(&gateway).display()));
    }
    fs::rename(&copy, file(&gateway)).unwrap();
    gateway.restart().await;
    let client = h1();
    assert_eq!(ada.get(&gateway, &client, "/private").await.status(), StatusCode::OK);
    Person::log_in(&gateway, &client, "ada@example.com").await;
    let login = json!({"email": late.email, "password": crate::harness::PASSWORD});
    assert_eq!(post(&gateway, &client, "/auth/login", &login).await.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn an_existing_file_is_replaced_only_when_told_and_nothing_else_is_left_beside_it() {
    let (gateway, _upstream) = serve("").await;
    let copies = gateway.folder.path().join("copies");
    fs::create_dir(&copies).unwrap();
    fs::write(copies.join("a.db"), "precious").unwrap();
    let refused = run(&gateway, &["store", "backup", "copies/a.db"]);
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("copies/a.db") && refused.stderr.contains("--overwrite"), "{}", refused.stderr);
    assert_eq!(fs::read(copies.join("a.db")).unwrap(), b"precious");
    run(&gateway, &["store", "backup", "copies/a.db", "--overwrite"]).ok();
    assert!(fs::read(copies.join("a.db")).unwrap().starts_with(b"SQLite format 3"));
    let refused = run(&gateway, &["store", "backup", "missing/a.db"]);
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("missing/a.db"), "{}", refused.stderr);
    assert_eq!(fs::read_dir(copies).unwrap().count(), 1);
}
