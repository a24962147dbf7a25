//! Runs the contract against a file in a temporary folder, and tests what only a file can show.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use rusqlite::Connection;
use tempfile::TempDir;

use super::*;
use crate::store::contract::Home;
use crate::store::{SharedStore, StoreError};

/// A folder with one store file.
pub(in crate::store) struct TestHome(TempDir);

impl TestHome {
    pub(in crate::store) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(in crate::store) fn path(&self) -> PathBuf {
        self.0.path().join("store.db")
    }
}

#[async_trait]
impl Home for TestHome {
    async fn open(&self) -> SharedStore {
        // On a busy machine what races others can take longer than anybody would wait for.
        Arc::new(SqliteStore::at(&Place::file(&self.path()), TRANSFER).unwrap())
    }

    fn another(&self) -> Box<dyn Home> {
        Box::new(Self::new())
    }
}

/// A place in memory, which is there for as long as this is.
pub(in crate::store) struct MemoryHome {
    place: Place,
    _kept: Mutex<Connection>,
}

impl MemoryHome {
    pub(in crate::store) fn new() -> Self {
        let place = Place::memory();
        let kept = schema::open_writer(&place).unwrap();
        Self { place, _kept: Mutex::new(kept) }
    }
}

#[async_trait]
impl Home for MemoryHome {
    async fn open(&self) -> SharedStore {
        Arc::new(SqliteStore::at(&self.place, TRANSFER).unwrap())
    }

    fn another(&self) -> Box<dyn Home> {
        Box::new(Self::new())
    }
}

#[tokio::test]
async fn closing_folds_the_log_into_the_file() {
    let home = TestHome::new();
    let store = home.open().await;
    store.ping().await.unwrap();
    store.close().await;
    let names: Vec<_> = fs::read_dir(home.0.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["store.db"]);
}

#[tokio::test]
async fn a_store_whose_disk_hangs_is_not_ready_and_closes_all_the_same() {
    let store = SqliteStore::at(&Place::memory(), Duration::from_millis(20)).unwrap();
    let (release, hang) = std::sync::mpsc::channel::<()>();
    let hanging = store.writer.run(move |_| {
        let _released = hang.recv();
        Ok(())
    });
    let (_late, ready) = tokio::join!(hanging, store.ping());
    assert!(matches!(ready, Err(StoreError::Unavailable(_))));
    store.close().await;
    drop(release);
}

#[tokio::test]
async fn a_value_that_is_not_ours_is_damage_and_never_a_default() {
    let home = TestHome::new();
    let store = home.open().await;
    let by_hand = Connection::open(home.path()).unwrap();
    by_hand
        .execute_batch(
            "INSERT INTO users (id, roles, is_active, email_verified, password_changed_at, created_at, updated_at)
             VALUES ('1', '[\"admin\", \"a,b\"]', 1, 0, 0, 0, 0)",
        )
        .unwrap();
    assert!(matches!(store.list_users(None, 10).await, Err(StoreError::Damaged(_))));
}

#[tokio::test]
async fn a_page_overwritten_on_disk_is_damage() {
    let home = TestHome::new();
    home.open().await.close().await;
    let pages: Vec<u64> = Connection::open(home.path())
        .unwrap()
        .prepare("SELECT rootpage FROM sqlite_schema WHERE tbl_name = 'users'")
        .unwrap()
        .query_map([], |row| row.get::<_, i64>(0))
        .unwrap()
        .map(|page| page.unwrap().unsigned_abs())
        .collect();
    assert!(!pages.is_empty());
    let file = OpenOptions::new().write(true).open(home.path()).unwrap();
    for page in pages {
        file.write_all_at(&[0xaa; 4096], (page - 1) * 4096).unwrap();
    }
    let store = home.open().await;
    assert!(matches!(store.list_users(None, 10).await, Err(StoreError::Damaged(_))));
}

#[tokio::test]
async fn a_file_of_the_first_version_is_brought_to_this_one_with_all_that_it_holds() {
    let home = TestHome::new();
    let by_hand = Connection::open(home.path()).unwrap();
    by_hand.execute_batch(include_str!("schema.sql")).unwrap();
    by_hand
        .execute_batch(
            "INSERT INTO users (id, email, email_key, roles, is_active, email_verified, password_changed_at, created_at, updated_at)
             VALUES ('1', 'Ada@example.com', 'ada@example.com', '[\"admin\"]', 1, 1, 5, 5, 5);
             PRAGMA user_version = 1;",
        )
        .unwrap();
    drop(by_hand);
    let users = home.open().await.list_users(None, 10).await.unwrap();
    assert_eq!((users.len(), users[0].email.as_deref()), (1, Some("Ada@example.com")));
    assert_eq!((users[0].profile.len(), &users[0].external_id, users[0].email_verified), (0, &None, true));
}
