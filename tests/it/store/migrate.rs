//! `vestibule store migrate` between two files: complete, repeatable, and nothing is overwritten that is not its own.

use std::fs;
use std::path::Path;

use reqwest::StatusCode;
use rusqlite::Connection;
use serde_json::json;

use super::file;
use crate::harness::clients::h1;
use crate::harness::command::{Background, Done, run_in};
use crate::harness::people::post;
use crate::harness::{Gateway, Person, serve, usual};

/// More than one page and one batch, so that it can be cut off between them.
const MANY: u64 = 20_000;

fn migrate(folder: &Path, to: &str) -> Done {
    run_in(folder, &["store", "migrate", "--from", "sqlite:vestibule.db", "--to", to], "")
}

pub async fn stopped(mut gateway: Gateway) -> Gateway {
    gateway.signal("TERM");
    gateway.ended().await;
    gateway
}

/// Puts `many` people into the file, each with a session, without asking anybody.
pub fn fill(path: &Path, many: u64) {
    let sql = format!(
        "BEGIN;
         WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {many})
         INSERT INTO users (id, email, email_key, roles, is_active, email_verified, password_hash, password_changed_at,
                            created_at, updated_at)
         SELECT 'u' || n, 'u' || n || '@example.com', 'u' || n || '@example.com', '[\"editor\"]', 1, 0, '$h' || n, n, n, n
         FROM n;
         INSERT INTO sessions (id, user_id, created_at, last_used_at, ip, user_agent, refresh_current, rotated_at,
                               expires_at, access_expires_at)
         SELECT printf('00000000-0000-4000-8000-%012d', substr(id, 2)), id, 1, 1, '192.0.2.1', 'curl', zeroblob(32), 1,
                4102444800000, 1
         FROM users WHERE id LIKE 'u%';
         COMMIT;"
    );
    Connection::open(path).unwrap().execute_batch(&sql).unwrap();
}

/// Returns all rows of all tables as text, table by table.
pub fn contents(path: &Path) -> Vec<String> {
    let connection = Connection::open(path).unwrap();
    let all = |table: &str| {
        let mut statement = connection.prepare(&format!("SELECT * FROM {table} ORDER BY 1")).unwrap();
        let columns = statement.column_count();
        let row = |row: &rusqlite::Row<'_>| -> rusqlite::Result<String> {
            let values = (0..columns).map(|column| row.get::<_, rusqlite::types::Value>(column));
            Ok(format!("{:?}", values.collect::<rusqlite::Result<Vec<_>>>()?))
        };
        let rows = statement.query_map([], row).unwrap();
        rows.map(|row| format!("{table} {}", row.unwrap())).collect::<Vec<_>>()
    };
    ["users", "sessions", "api_keys", "one_time_tokens", "mails", "keys", "changes"]
        .iter()
        .flat_map(|table| all(table))
        .collect()
}

#[tokio::test]
async fn accounts_sessions_keys_and_what_was_revoked_are_there_afterwards() {
    let (gateway, upstream) = serve("").await;
    let client = h1();
    let ada = Person::register(&gateway, &client, "ada@example.com").await;
    let gone = Person::log_in(&gateway, &client, "ada@example.com").await;
    gone.log_out(&gateway, &client).await;
    let mut gateway = stopped(gateway).await;
    let folder = gateway.folder.path().to_owned();
    let done = migrate(&folder, "sqlite:moved.db");
    let said = done.stdout.clone();
    done.ok();
    assert!(said.contains("users         1") && said.contains("both stores hold the same"), "{said}");
    assert_eq!(contents(&folder.join("moved.db")), contents(&file(&gateway)));
    fs::remove_file(file(&gateway)).unwrap();
    gateway.configure(&format!("[store]\nurl = \"sqlite:moved.db\"\n{}", usual(&upstream)));
    gateway.restart().await;
    let client = h1();
    assert_eq!(ada.get(&gateway, &client, "/private").await.status(), StatusCode::OK);
    assert_eq!(gone.get(&gateway, &client, "/private").await.status(), StatusCode::UNAUTHORIZED, "it had ended");
    let answer = post(&gateway, &client, "/auth/refresh", &json!({"refresh_token": ada.refresh})).await;
    assert_eq!(answer.status(), StatusCode::OK);
    Person::log_in(&gateway, &client, "ada@example.com").await;
}

#[tokio::test]
async fn a_run_that_was_killed_is_continued_and_a_further_one_copies_nothing() {
    let gateway = stopped(serve("").await.0).await;
    let folder = gateway.folder.path();
    fill(&file(&gateway), MANY);
    let arguments = ["store", "migrate", "--from", "sqlite:vestibule.db", "--to", "sqlite:moved.db"];
    let mut first = Background::start(folder, &arguments);
    first.stderr.line("a word of sessions", |line| line.starts_with("copying sessions: ")).await;
    first.end("KILL").await;
    let half = contents(&folder.join("moved.db")).len();
    assert!(half > 0, "it was killed before anything was copied");
    let said = migrate(folder, "sqlite:moved.db").ok();
    assert!(said.contains(&format!("users         {MANY}\nsessions      {MANY}\n")), "{said}");
    assert_eq!(contents(&folder.join("moved.db")), contents(&file(&gateway)));
    let again = migrate(folder, "sqlite:moved.db").ok();
    assert!(again.contains("; 0 records were copied"), "{again}");
    let back = run_in(folder, &["store", "migrate", "--from", "sqlite:moved.db", "--to", "sqlite:back.db"], "").ok();
    let digest = |said: &str| said.split("sha256 ").nth(1).unwrap().split(')').next().unwrap().to_owned();
    assert_eq!(digest(&back), digest(&said));
}

#[tokio::test]
async fn a_store_that_is_served_from_is_neither_read_nor_filled() {
    let (gateway, _upstream) = serve("").await;
    let folder = gateway.folder.path();
    let refused = migrate(folder, "sqlite:moved.db");
    assert_eq!(refused.code, 69, "{}", refused.stderr);
    assert!(
        refused.stderr.contains("vestibule.db") && refused.stderr.contains("stop the gateway"),
        "{}",
        refused.stderr
    );
    assert!(!folder.join("moved.db").exists());
    run_in(folder, &["store", "backup", "copy.db"], "").ok();
    let refused = run_in(folder, &["store", "migrate", "--from", "sqlite:copy.db", "--to", "sqlite:vestibule.db"], "");
    assert_eq!(refused.code, 69, "{}", refused.stderr);
    assert!(refused.stderr.contains("stop the gateway"), "{}", refused.stderr);
}

#[tokio::test]
async fn a_target_of_somebody_else_is_left_as_it_is() {
    let gateway = stopped(serve("").await.0).await;
    let folder = gateway.folder.path();
    let (mine, other) = (serve("").await, serve("").await);
    Person::register(&other.0, &h1(), "eve@example.com").await;
    drop(mine);
    let other = stopped(other.0).await;
    let url = format!("sqlite:{}", file(&other).display());
    let before = contents(&file(&other));
    let refused = migrate(folder, &url);
    assert_eq!(refused.code, 1, "{}", refused.stderr);
    assert!(refused.stderr.contains("of its own") && refused.stderr.contains("empty"), "{}", refused.stderr);
    assert_eq!(contents(&file(&other)), before);
}

#[tokio::test]
async fn what_can_not_be_meant_is_refused_with_the_reason() {
    let gateway = stopped(serve("").await.0).await;
    let folder = gateway.folder.path();
    let run = |arguments: &[&str]| run_in(folder, &[&["store", "migrate"], arguments].concat(), "");
    let table = [
        (vec!["--from", "sqlite:missing.db", "--to", "sqlite:moved.db"], 69, "missing.db"),
        (vec!["--from", "sqlite:vestibule.db", "--to", "sqlite:./vestibule.db"], 69, "one store"),
        (vec!["--to", "vestibule.db"], 78, "sqlite:"),
        (vec!["--to", "env:NOWHERE"], 78, "NOWHERE"),
        (vec!["--from", "sqlite:vestibule.db"], 64, "--to"),
        (vec!["--from", "sqlite:vestibule.db", "--to", "sqlite:moved.db", "--to-prefix", "a_"], 78, "prefix"),
        (vec!["--to", "sqlite:moved.db", "--from-prefix", "a_"], 64, "--from"),
        (vec!["--to", "mongodb://a,b/v", "--to-prefix", "1"], 78, "--to-prefix: found"),
    ];
    for (arguments, code, said) in table {
        let refused = run(&arguments);
        assert_eq!(refused.code, code, "{arguments:?}: {}", refused.stderr);
        assert!(refused.stderr.contains(said), "{arguments:?}: {}", refused.stderr);
    }
    assert!(!folder.join("missing.db").exists() && !folder.join("moved.db").exists());
    // Without --from it is the store of the configuration.
    run(&["--to", "sqlite:moved.db"]).ok();
    assert_eq!(contents(&folder.join("moved.db")), contents(&file(&gateway)));
}
