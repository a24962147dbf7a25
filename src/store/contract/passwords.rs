//! Passwords: changed and upgraded only from the one that was checked.

use super::Home;
use super::fixtures::*;
use crate::identity::UserId;
use crate::store::{PasswordChange, SharedStore, StoreError, UserKey};

async fn hash_of(store: &SharedStore, id: &UserId) -> Option<String> {
    store.find_user(&UserKey::Id(id.clone())).await.unwrap().and_then(|user| user.password_hash)
}

fn change(expected: Option<&str>) -> PasswordChange {
    PasswordChange { expected: expected.map(str::to_owned), hash: "$new".into(), keep: None }
}

pub(super) async fn a_changed_password_ends_every_session_but_the_kept_one(home: &dyn Home) {
    let store = home.open().await;
    let ada = user(&store, "ada").await;
    let kept = session(&store, &ada.id, "kept").await;
    let other = session(&store, &ada.id, "other").await;
    let wanted = PasswordChange { keep: Some(kept), ..change(Some("$hash-of-ada")) };
    store.change_password(&ada.id, wanted, at(60)).await.unwrap();
    let after = store.find_user(&UserKey::Id(ada.id.clone())).await.unwrap().unwrap();
    assert_eq!((after.password_hash.as_deref(), after.password_changed_at), (Some("$new"), at(60)));
    assert!(store.find_session(kept).await.unwrap().is_some());
    assert_eq!(store.find_session(other).await.unwrap(), None);
}

pub(super) async fn a_password_changed_meanwhile_is_not_overwritten(home: &dyn Home) {
    let store = home.open().await;
    let ada = user(&store, "ada").await;
    let session = session(&store, &ada.id, "first").await;
    let outcome = store.change_password(&ada.id, change(Some("$stale")), at(1)).await;
    assert_eq!(outcome, Err(StoreError::NotFound));
    assert_eq!(hash_of(&store, &ada.id).await.as_deref(), Some("$hash-of-ada"));
    assert!(store.find_session(session).await.unwrap().is_some());
    // Without an expectation (an administrator, a reset) it is replaced whatever it was.
    store.change_password(&ada.id, change(None), at(2)).await.unwrap();
    assert_eq!(hash_of(&store, &ada.id).await.as_deref(), Some("$new"));
    assert_eq!(store.change_password(&UserId::random(), change(None), at(2)).await, Err(StoreError::NotFound));
}

pub(super) async fn a_sign_in_against_the_old_password_begins_no_session(home: &dyn Home) {
    let store = home.open().await;
    let ada = user(&store, "ada").await;
    let mut late = new_session(&ada.id, "late", at(1));
    late.password_changed_at = Some(ada.password_changed_at);
    store.insert_session(late.clone()).await.unwrap();
    // In the very millisecond in which the account was made: the two passwords still differ in their time.
    store.change_password(&ada.id, change(None), START).await.unwrap();
    let mut later = new_session(&ada.id, "later", at(1));
    later.password_changed_at = Some(ada.password_changed_at);
    assert_eq!(store.insert_session(later.clone()).await, Err(StoreError::NotFound));
    assert_eq!(store.list_sessions(Some(&ada.id), at(1)).await.unwrap(), []);
}

pub(super) async fn an_upgraded_hash_ends_nothing(home: &dyn Home) {
    let store = home.open().await;
    let ada = user(&store, "ada").await;
    let session = session(&store, &ada.id, "first").await;
    store.upgrade_hash(&ada.id, "$hash-of-ada", "$costlier").await.unwrap();
    let after = store.find_user(&UserKey::Id(ada.id.clone())).await.unwrap().unwrap();
    assert_eq!(after.password_hash.as_deref(), Some("$costlier"));
    assert_eq!(after.password_changed_at, ada.password_changed_at);
    assert!(store.find_session(session).await.unwrap().is_some());
}

pub(super) async fn a_hash_changed_meanwhile_is_not_upgraded(home: &dyn Home) {
    let store = home.open().await;
    let ada = user(&store, "ada").await;
    store.change_password(&ada.id, change(None), at(1)).await.unwrap();
    let outcome = store.upgrade_hash(&ada.id, "$hash-of-ada", "$costlier").await;
    assert_eq!(outcome, Err(StoreError::NotFound));
    assert_eq!(hash_of(&store, &ada.id).await.as_deref(), Some("$new"));
}
