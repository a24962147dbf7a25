//! Sessions: begun, listed, ended, pruned.

use std::time::Duration;

use super::Home;
use super::fixtures::*;
use crate::identity::{Scope, SessionId};
use crate::store::{NewSession, Session, StoreError, UserChange};

pub(super) async fn a_session_is_kept_as_it_was_begun(home: &dyn Home) {
    let store = home.open().await;
    let ada = user(&store, "ada").await;
    let scopes = Some(["docs:read", "docs/write"].iter().filter_map(|scope| Scope::parse(scope)).collect());
    let new = NewSession { scopes, ..new_session(&ada.id, "first", at(3)) };
    store.insert_session(new.clone()).await.unwrap();
    let expected = Session {
        id: new.id,
        user_id: new.user_id,
        created_at: at(3),
        last_used_at: at(3),
        origin: new.origin,
        refresh: new.refresh,
        access_expires_at: new.access_expires_at,
        scopes: new.scopes,
    };
    assert_eq!(store.find_session(new.id).await, Ok(Some(expected)));
}

pub(super) async fn sessions_are_listed_newest_first_and_only_live_ones(home: &dyn Home) {
    let store = home.open().await;
    let ada = user(&store, "ada").await;
    let grace = user(&store, "grace").await;
    let first = session_at(&store, &ada.id, "1", at(1)).await;
    let second = session_at(&store, &ada.id, "2", at(2)).await;
    let hers = session_at(&store, &grace.id, "3", at(3)).await;
    let ids = |sessions: Vec<Session>| sessions.iter().map(|session| session.id).collect::<Vec<_>>();
    assert_eq!(ids(store.list_sessions(Some(&ada.id), at(4)).await.unwrap()), [second, first]);
    assert_eq!(ids(store.list_sessions(None, at(4)).await.unwrap()), [hers, second, first]);
    let first_expires = at(1).plus(POLICY.ttl);
    assert_eq!(ids(store.list_sessions(None, first_expires).await.unwrap()), [hers, second]);
}

pub(super) async fn a_disabled_users_sessions_end_and_none_begins(home: &dyn Home) {
    let store = home.open().await;
    let ada = user(&store, "ada").await;
    let open = session(&store, &ada.id, "first").await;
    let disable = UserChange { is_active: Some(false), ..UserChange::default() };
    assert!(!store.update_user(&ada.id, disable, at(1)).await.unwrap().is_active);
    assert_eq!(store.find_session(open).await.unwrap(), None);
    let next = new_session(&ada.id, "next", at(2));
    assert_eq!(store.insert_session(next.clone()).await, Err(StoreError::NotFound));
    let enable = UserChange { is_active: Some(true), ..UserChange::default() };
    store.update_user(&ada.id, enable, at(3)).await.unwrap();
    assert_eq!(store.find_session(open).await.unwrap(), None, "enabling brings nothing back");
    store.insert_session(next).await.unwrap();
}

pub(super) async fn a_session_ends_once(home: &dyn Home) {
    let store = home.open().await;
    let ada = user(&store, "ada").await;
    let session = session(&store, &ada.id, "first").await;
    assert_eq!(store.end_session(session, at(1)).await, Ok(true));
    assert_eq!(store.end_session(session, at(2)).await, Ok(false));
    assert_eq!(store.find_session(session).await, Ok(None));
    assert_eq!(store.end_session(SessionId::random(), at(2)).await, Ok(false));
}

pub(super) async fn ending_a_users_sessions_spares_the_kept_one_and_other_users(home: &dyn Home) {
    let store = home.open().await;
    let ada = user(&store, "ada").await;
    let grace = user(&store, "grace").await;
    let kept = session(&store, &ada.id, "kept").await;
    let mut others = vec![session(&store, &ada.id, "1").await, session(&store, &ada.id, "2").await];
    let hers = session(&store, &grace.id, "hers").await;
    let mut ended = store.end_sessions(&ada.id, Some(kept), at(1)).await.unwrap();
    others.sort();
    ended.sort();
    assert_eq!(ended, others);
    assert!(store.find_session(kept).await.unwrap().is_some());
    assert!(store.find_session(hers).await.unwrap().is_some());
    assert_eq!(store.end_sessions(&ada.id, None, at(2)).await, Ok(vec![kept]));
}

pub(super) async fn pruning_takes_only_sessions_of_which_no_token_lives(home: &dyn Home) {
    let store = home.open().await;
    let ada = user(&store, "ada").await;
    let expired = session_at(&store, &ada.id, "1", START).await;
    let live = session_at(&store, &ada.id, "2", at(60)).await;
    let mut outlived = new_session(&ada.id, "3", START);
    let now = START.plus(POLICY.ttl);
    outlived.access_expires_at = now.plus(Duration::from_secs(1));
    store.insert_session(outlived.clone()).await.unwrap();
    store.prune(now, START).await.unwrap();
    assert_eq!(store.find_session(expired).await.unwrap(), None);
    assert!(store.find_session(live).await.unwrap().is_some());
    // Its access token still lives, and whoever disables the user must find it.
    assert!(store.find_session(outlived.id).await.unwrap().is_some());
}
