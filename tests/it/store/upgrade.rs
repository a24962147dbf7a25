//! A file that an older version wrote is brought to this one, with all that it holds.

use rusqlite::Connection;
use serde_json::Value;

use super::file;
use crate::harness::clients::h1;
use crate::harness::command::run;
use crate::harness::{Gateway, Person, Upstream, usual};

#[tokio::test]
async fn a_file_of_the_first_version_is_served_with_its_accounts() {
    let upstream = Upstream::start().await;
    let mut gateway = Gateway::start(&usual(&upstream)).await;
    Person::register(&gateway, &h1(), "ada@example.com").await;
    let hash = "SELECT password_hash FROM users";
    let hash: String = Connection::open(file(&gateway)).unwrap().query_row(hash, [], |row| row.get(0)).unwrap();
    gateway.signal("TERM");
    gateway.ended().await;
    std::fs::remove_file(file(&gateway)).unwrap();
    let old = Connection::open(file(&gateway)).unwrap();
    old.execute_batch(include_str!("../../../src/store/sqlite/schema.sql")).unwrap();
    old.execute(
        "INSERT INTO users (id, email, email_key, roles, is_active, email_verified, password_hash, password_changed_at,
                            created_at, updated_at)
         VALUES ('old-1', 'Ada@example.com', 'ada@example.com', '[\"admin\"]', 1, 1, ?1, 5, 5, 5)",
        [hash],
    )
    .unwrap();
    old.pragma_update(None, "user_version", 1).unwrap();
    drop(old);
    gateway.restart().await;
    let ada = Person::log_in(&gateway, &h1(), "ada@example.com").await;
    assert_eq!(ada.id, "old-1");
    let shown: Value = run(&gateway, &["user", "show", "ada@example.com", "--json"]).json();
    assert_eq!((&shown["email"], &shown["roles"][0]), (&"Ada@example.com".into(), &"admin".into()));
}
