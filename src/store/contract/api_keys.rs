//! Keys of users: found by a digest, told of when they end.

use super::Home;
use super::fixtures::*;
use crate::identity::{Scope, SessionId, UserId};
use crate::store::{ApiKey, ChangeKind, KeyEnd, NewApiKey, SharedStore, StoreError, UserChange};

fn new_key(user: &UserId, number: u8) -> NewApiKey {
    let key = ApiKey {
        id: SessionId::random(),
        user_id: user.clone(),
        name: format!("key {number}"),
        scopes: ["docs:write", "docs/read"].iter().filter_map(|scope| Scope::parse(scope)).collect(),
        created_at: at(number.into()),
        expires_at: number.is_multiple_of(2).then(|| at(3600)),
        last_used_at: None,
    };
    NewApiKey { key, hash: [number; 32], most: 3 }
}

async fn key(store: &SharedStore, user: &UserId, number: u8) -> ApiKey {
    let new = new_key(user, number);
    store.insert_api_key(new.clone()).await.unwrap();
    new.key
}

fn end(now: u64) -> KeyEnd {
    KeyEnd { now: at(now), remember_until: at(now + 900) }
}

pub(super) async fn a_key_is_found_by_its_digest_with_its_user(home: &dyn Home) {
    let store = home.open().await;
    let ada = user(&store, "ada").await;
    let (first, second) = (key(&store, &ada.id, 1).await, key(&store, &ada.id, 2).await);
    assert_eq!(store.find_api_key([1; 32]).await, Ok(Some((first, ada.clone()))));
    assert_eq!(store.find_api_key([2; 32]).await, Ok(Some((second, ada))));
    assert_eq!(store.find_api_key([3; 32]).await, Ok(None));
}

pub(super) async fn keys_are_listed_newest_first(home: &dyn Home) {
    let store = home.open().await;
    let (ada, grace) = (user(&store, "ada").await.id, user(&store, "grace").await.id);
    let (first, second) = (key(&store, &ada, 1).await, key(&store, &ada, 2).await);
    let third = key(&store, &grace, 3).await;
    assert_eq!(store.list_api_keys(Some(&ada)).await, Ok(vec![second.clone(), first.clone()]));
    assert_eq!(store.list_api_keys(None).await, Ok(vec![third, second, first]));
}

pub(super) async fn a_deleted_key_is_gone_and_told_of_like_a_session(home: &dyn Home) {
    let store = home.open().await;
    let ada = user(&store, "ada").await.id;
    let id = key(&store, &ada, 1).await.id;
    assert_eq!(store.delete_api_key(&ada, id, end(5)).await, Ok(true));
    assert_eq!(store.find_api_key([1; 32]).await, Ok(None));
    let changes = store.changes_after(0).await.unwrap();
    let told: Vec<_> = changes.into_iter().map(|change| change.kind).collect();
    assert_eq!(told, [ChangeKind::SessionEnded { session: id, user: ada.clone(), remember_until: at(905) }]);
    assert_eq!(store.delete_api_key(&ada, id, end(6)).await, Ok(false));
    assert_eq!(store.last_change().await, Ok(1));
}

pub(super) async fn a_key_is_deleted_for_its_own_user_alone(home: &dyn Home) {
    let store = home.open().await;
    let (ada, grace) = (user(&store, "ada").await.id, user(&store, "grace").await.id);
    let id = key(&store, &ada, 1).await.id;
    assert_eq!(store.delete_api_key(&grace, id, end(5)).await, Ok(false));
    assert!(store.find_api_key([1; 32]).await.unwrap().is_some());
}

pub(super) async fn who_is_not_active_gets_no_key(home: &dyn Home) {
    let store = home.open().await;
    let ada = user(&store, "ada").await.id;
    let disabled = UserChange { is_active: Some(false), ..UserChange::default() };
    store.update_user(&ada, disabled, at(1)).await.unwrap();
    assert_eq!(store.insert_api_key(new_key(&ada, 1)).await, Err(StoreError::NotFound));
    assert_eq!(store.insert_api_key(new_key(&UserId::random(), 1)).await, Err(StoreError::NotFound));
}

pub(super) async fn no_user_has_more_keys_than_they_may(home: &dyn Home) {
    let store = home.open().await;
    let (ada, grace) = (user(&store, "ada").await.id, user(&store, "grace").await.id);
    for number in 1..=3 {
        key(&store, &ada, number).await;
    }
    assert_eq!(store.insert_api_key(new_key(&ada, 4)).await, Err(StoreError::TooManyKeys));
    key(&store, &grace, 5).await;
}

pub(super) async fn a_last_use_never_falls(home: &dyn Home) {
    let store = home.open().await;
    let ada = user(&store, "ada").await.id;
    let id = key(&store, &ada, 1).await.id;
    store.touch_api_keys(vec![(id, at(20)), (SessionId::random(), at(1))]).await.unwrap();
    store.touch_api_keys(vec![(id, at(10))]).await.unwrap();
    let (found, _) = store.find_api_key([1; 32]).await.unwrap().unwrap();
    assert_eq!(found.last_used_at, Some(at(20)));
    assert_eq!(store.last_change().await, Ok(0), "a use changes nothing that a gateway must hear of");
}

pub(super) async fn a_deleted_users_keys_are_gone(home: &dyn Home) {
    let store = home.open().await;
    let ada = user(&store, "ada").await.id;
    key(&store, &ada, 1).await;
    store.delete_user(&ada, at(1)).await.unwrap();
    assert_eq!(store.find_api_key([1; 32]).await, Ok(None));
    assert_eq!(store.list_api_keys(None).await, Ok(Vec::new()));
}
