//! What was acknowledged stays: over closing, over dying, over opening again.

use super::Home;
use super::fixtures::*;
use crate::store::{SharedStore, StoreError, UserKey};

/// Writes one of each and returns what a reader sees of it.
async fn furnish(store: &SharedStore) -> String {
    let ada = user(store, "ada").await;
    session(store, &ada.id, "first").await;
    let ended = session(store, &ada.id, "second").await;
    store.end_session(ended, at(1)).await.unwrap();
    store.ensure_key(key("one", START)).await.unwrap();
    look(store).await
}

async fn look(store: &SharedStore) -> String {
    let ada = store.find_user(&UserKey::Email(email("ada@example.com"))).await.unwrap().unwrap();
    let sessions = store.list_sessions(None, START).await.unwrap();
    let keys = store.list_keys().await.unwrap();
    let changes = store.changes_after(0).await.unwrap();
    assert_eq!((sessions.len(), keys.len(), changes.len()), (1, 1, 2));
    format!("{ada:?} {sessions:?} {keys:?} {changes:?}")
}

pub(super) async fn closing_and_opening_keeps_everything(home: &dyn Home) {
    let store = home.open().await;
    let written = furnish(&store).await;
    store.close().await;
    assert_eq!(look(&home.open().await).await, written);
}

pub(super) async fn dropping_without_closing_keeps_what_was_acknowledged(home: &dyn Home) {
    let store = home.open().await;
    let written = furnish(&store).await;
    drop(store);
    assert_eq!(look(&home.open().await).await, written);
}

pub(super) async fn a_closed_store_says_so(home: &dyn Home) {
    let store = home.open().await;
    store.close().await;
    store.close().await;
    assert!(matches!(store.ping().await, Err(StoreError::Unavailable(_))));
    assert!(matches!(store.list_keys().await, Err(StoreError::Unavailable(_))));
    assert!(matches!(store.insert_user(new_user("ada"), None).await, Err(StoreError::Unavailable(_))));
}

pub(super) async fn an_open_store_answers_ping(home: &dyn Home) {
    assert_eq!(home.open().await.ping().await, Ok(()));
}
