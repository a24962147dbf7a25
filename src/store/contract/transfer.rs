//! Moving everything from one store to another: exact, repeatable, all of a batch or nothing.

use super::Home;
use super::fixtures::*;
use crate::identity::{Scope, SessionId};
use crate::store::{
    ApiKey, Batch, Counts, NewApiKey, NewUser, PasswordChange, SharedStore, StoreError, User, UserChange, UserKey,
};
use crate::token::key::KeyRecord;

/// Returns a store with some of everything, and what it holds.
async fn furnished(home: &dyn Home) -> (SharedStore, Batch) {
    let store = home.open().await;
    let (ada, bob) = (user(&store, "Ada").await, user(&store, "bob").await);
    store
        .insert_user(
            NewUser { email: None, username: None, password_hash: None, external_id: None, ..new_user("x") },
            None,
        )
        .await
        .unwrap();
    let rotated = session(&store, &ada.id, "first").await;
    store.rotate_refresh(presented(rotated, &ada.id, "first", at(5))).await.unwrap();
    let ended = session(&store, &ada.id, "second").await;
    store.end_session(ended, at(6)).await.unwrap();
    session(&store, &bob.id, "third").await;
    let scopes = Scope::parse("docs:write").into_iter().collect();
    let (id, name, created_at) = (SessionId::random(), "ci".to_owned(), at(3));
    let key_of_ada = ApiKey { id, user_id: ada.id, name, scopes, created_at, expires_at: None, last_used_at: None };
    store.insert_api_key(NewApiKey { key: key_of_ada, hash: [7; 32], most: 3 }).await.unwrap();
    store.touch_api_keys(vec![(id, at(4))]).await.unwrap();
    let disable = UserChange { is_active: Some(false), ..UserChange::default() };
    store.update_user(&bob.id, disable, at(7)).await.unwrap();
    store.ensure_key(key("old", START)).await.unwrap();
    let sealed = KeyRecord { sealed: true, signs_from: at(60), ..key("new", START) };
    store.rotate_key(sealed, None).await.unwrap();
    let held = contents(&store).await;
    assert_eq!((held.users.len(), held.sessions.len(), held.api_keys.len()), (3, 1, 1));
    assert_eq!((held.keys.len(), held.changes.len()), (2, 5));
    (store, held)
}

async fn contents(store: &SharedStore) -> Batch {
    let mut keys = store.list_keys().await.unwrap();
    keys.reverse();
    Batch {
        users: store.list_users(None, 100).await.unwrap(),
        sessions: store.sessions_after(None, 100).await.unwrap(),
        api_keys: store.api_keys_after(None, 100).await.unwrap(),
        keys,
        changes: store.changes_after(0).await.unwrap(),
    }
}

/// Returns all that is in a batch as text, the bytes of keys included.
fn shown(batch: &Batch) -> String {
    let bytes: Vec<_> = batch.keys.iter().map(|key| key.private.expose()).collect();
    format!("{batch:?} {bytes:?}")
}

pub(super) async fn what_was_imported_reads_as_it_did_in_the_other_store(home: &dyn Home) {
    let (store, held) = furnished(home).await;
    let other = home.another();
    let target = other.open().await;
    assert_eq!(target.count().await, Ok(Counts::default()));
    target.import(held.clone()).await.unwrap();
    assert_eq!(shown(&contents(&target).await), shown(&held));
    let counts = Counts { users: 3, sessions: 1, api_keys: 1, keys: 2, changes: 5 };
    assert_eq!((target.count().await, store.count().await), (Ok(counts), Ok(counts)));
}

pub(super) async fn importing_again_changes_nothing(home: &dyn Home) {
    let (_store, held) = furnished(home).await;
    let other = home.another();
    let target = other.open().await;
    for _ in 0..3 {
        target.import(held.clone()).await.unwrap();
        assert_eq!(shown(&contents(&target).await), shown(&held));
    }
}

pub(super) async fn what_is_here_under_the_same_id_is_replaced(home: &dyn Home) {
    let (_store, held) = furnished(home).await;
    let other = home.another();
    let target = other.open().await;
    let mut older = held.clone();
    for user in &mut older.users {
        *user = User { full_name: None, roles: Vec::new(), password_hash: Some("$old".into()), ..user.clone() };
    }
    older.sessions[0].last_used_at = START;
    older.sessions[0].refresh.previous = None;
    older.keys[0].retired_at = None;
    target.import(older).await.unwrap();
    target.import(held.clone()).await.unwrap();
    assert_eq!(shown(&contents(&target).await), shown(&held));
}

pub(super) async fn a_batch_that_fails_leaves_nothing(home: &dyn Home) {
    let (_store, held) = furnished(home).await;
    let other = home.another();
    let target = other.open().await;
    // Somebody else has the name already.
    let taken = user(&target, "ada").await;
    let refused = target.import(held).await;
    assert!(matches!(refused, Err(StoreError::EmailTaken | StoreError::UsernameTaken)), "{refused:?}");
    assert_eq!(target.count().await, Ok(Counts { users: 1, ..Counts::default() }));
    assert_eq!(target.list_users(None, 10).await.unwrap(), [taken]);
}

pub(super) async fn numbers_of_changes_go_on_from_the_imported_ones(home: &dyn Home) {
    let (store, mut held) = furnished(home).await;
    let last = store.last_change().await.unwrap();
    held.changes.retain(|change| change.seq == last);
    let other = home.another();
    let target = other.open().await;
    target.import(held).await.unwrap();
    assert_eq!(target.last_change().await, Ok(last));
    user(&target, "carol").await;
    let carol = target.find_user(&UserKey::Username(username("carol"))).await.unwrap().unwrap();
    target.delete_user(&carol.id, at(9)).await.unwrap();
    let after: Vec<_> = target.changes_after(last).await.unwrap().iter().map(|change| change.seq).collect();
    assert!(after.len() == 1 && after[0] > last, "{after:?} after {last}");
}

pub(super) async fn an_imported_name_is_taken_and_opens_its_account(home: &dyn Home) {
    let (_store, held) = furnished(home).await;
    let other = home.another();
    let target = other.open().await;
    target.import(held.clone()).await.unwrap();
    assert!(matches!(target.insert_user(new_user("ADA"), None).await, Err(StoreError::EmailTaken)));
    let found = target.find_user(&UserKey::Email(email("aDa@EXAMPLE.com"))).await.unwrap().unwrap();
    assert!(held.users.contains(&found));
    let change = PasswordChange { expected: Some("$hash-of-Ada".into()), hash: "$new".into(), keep: None };
    target.change_password(&found.id, change, at(9)).await.unwrap();
    assert_eq!(target.count().await.unwrap().sessions, 0, "the imported session belongs to the imported user");
}

pub(super) async fn sessions_come_in_pages_by_id(home: &dyn Home) {
    let store = home.open().await;
    let ada = user(&store, "ada").await.id;
    let mut made: Vec<SessionId> = Vec::new();
    for number in 0..7 {
        made.push(session(&store, &ada, &number.to_string()).await);
    }
    made.sort_by_key(ToString::to_string);
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = store.sessions_after(after, 3).await.unwrap();
        assert!(page.len() <= 3);
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        seen.extend(page.iter().map(|session| session.id));
    }
    assert_eq!(seen, made);
}
