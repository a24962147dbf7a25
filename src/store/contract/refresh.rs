//! Refresh: the verdict of `token::refresh` is carried out, once for all racers.

use std::time::Duration;

use super::Home;
use super::fixtures::*;
use crate::identity::{SessionId, UserId};
use crate::store::{RefreshRequest, Rotation, Session, SharedStore};
use crate::token::refresh;

/// Returns the session after a refresh that must succeed.
async fn goes_on(store: &SharedStore, request: RefreshRequest) -> Session {
    match store.rotate_refresh(request).await.unwrap() {
        Rotation::Continued { session, user, .. } => {
            assert_eq!(user.id, session.user_id);
            *session
        }
        other => panic!("the session should have gone on: {other:?}"),
    }
}

async fn signed_in(store: &SharedStore) -> (UserId, SessionId) {
    let ada = user(store, "ada").await;
    let session = session(store, &ada.id, "first").await;
    (ada.id, session)
}

pub(super) async fn a_rotation_is_stored_with_where_it_came_from(home: &dyn Home) {
    let store = home.open().await;
    let (ada, id) = signed_in(&store).await;
    let request = presented(id, &ada, "first", at(600));
    let session = goes_on(&store, request.clone()).await;
    assert_eq!(session.refresh.current, refresh::hash(&refresh::successor_jti("first")));
    assert_eq!(session.refresh.rotated_at, at(600));
    assert_eq!(session.refresh.expires_at, at(600).plus(POLICY.ttl));
    assert_eq!((session.last_used_at, session.created_at), (at(600), START));
    assert_eq!((&session.origin, session.access_expires_at), (&request.origin, request.access_expires_at));
    assert_eq!(store.find_session(id).await, Ok(Some(session)));
}

pub(super) async fn a_repeat_within_grace_keeps_the_successor(home: &dyn Home) {
    let store = home.open().await;
    let (ada, id) = signed_in(&store).await;
    let first = goes_on(&store, presented(id, &ada, "first", at(600))).await;
    let again = goes_on(&store, presented(id, &ada, "first", at(605))).await;
    assert_eq!(again.refresh, first.refresh);
    assert_eq!((again.last_used_at, again.access_expires_at), (at(605), at(605 + 900)));
    assert_eq!(store.find_session(id).await, Ok(Some(again)));
}

pub(super) async fn a_replay_ends_the_session(home: &dyn Home) {
    let store = home.open().await;
    let (ada, id) = signed_in(&store).await;
    goes_on(&store, presented(id, &ada, "first", at(600))).await;
    assert_eq!(store.rotate_refresh(presented(id, &ada, "first", at(700))).await, Ok(Rotation::Reused));
    assert_eq!(store.find_session(id).await, Ok(None));
    let successor = refresh::successor_jti("first");
    assert_eq!(store.rotate_refresh(presented(id, &ada, &successor, at(701))).await, Ok(Rotation::Ended));
}

pub(super) async fn an_expired_session_ends(home: &dyn Home) {
    let store = home.open().await;
    let (ada, id) = signed_in(&store).await;
    let late = presented(id, &ada, "first", START.plus(POLICY.ttl));
    assert_eq!(store.rotate_refresh(late).await, Ok(Rotation::Ended));
    assert_eq!(store.find_session(id).await, Ok(None));
}

pub(super) async fn without_rotation_the_token_is_kept(home: &dyn Home) {
    let store = home.open().await;
    let (ada, id) = signed_in(&store).await;
    let mut request = presented(id, &ada, "first", at(600));
    request.policy.rotate = false;
    let Rotation::Continued { session, kept: true, .. } = store.rotate_refresh(request).await.unwrap() else {
        panic!("the token should have been kept");
    };
    assert_eq!(session.refresh.current, refresh::hash("first"));
    assert_eq!((session.last_used_at, session.refresh.expires_at), (at(600), at(600).plus(POLICY.ttl)));
    assert_eq!(store.find_session(id).await, Ok(Some(*session)));
}

pub(super) async fn another_users_token_has_no_effect(home: &dyn Home) {
    let store = home.open().await;
    let (_, id) = signed_in(&store).await;
    let grace = user(&store, "grace").await;
    let before = store.find_session(id).await.unwrap();
    assert_eq!(store.rotate_refresh(presented(id, &grace.id, "first", at(1))).await, Ok(Rotation::Ended));
    assert_eq!(store.find_session(id).await.unwrap(), before);
}

pub(super) async fn a_session_that_ended_stays_ended(home: &dyn Home) {
    let store = home.open().await;
    let (ada, id) = signed_in(&store).await;
    store.end_session(id, at(1)).await.unwrap();
    assert_eq!(store.rotate_refresh(presented(id, &ada, "first", at(2))).await, Ok(Rotation::Ended));
    assert_eq!(store.find_session(id).await, Ok(None));
}

pub(super) async fn the_last_access_expiry_never_falls(home: &dyn Home) {
    let store = home.open().await;
    let (ada, id) = signed_in(&store).await;
    let long = goes_on(&store, presented(id, &ada, "first", at(600))).await.access_expires_at;
    let mut shorter = presented(id, &ada, &refresh::successor_jti("first"), at(601));
    shorter.access_expires_at = at(601).plus(Duration::from_secs(1));
    assert_eq!(goes_on(&store, shorter).await.access_expires_at, long);
    assert_eq!(store.find_session(id).await.unwrap().unwrap().access_expires_at, long);
}
