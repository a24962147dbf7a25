//! Signing keys: made once, rotated, pruned.

use super::Home;
use super::fixtures::*;
use crate::token::key::{Algorithm, KeyRecord};

pub(super) async fn a_key_is_made_once_per_algorithm(home: &dyn Home) {
    let store = home.open().await;
    assert_eq!(kids(&store.ensure_key(key("one", START)).await.unwrap()), ["one"]);
    assert_eq!(kids(&store.ensure_key(key("two", at(1))).await.unwrap()), ["one"]);
    let other = KeyRecord { algorithm: Algorithm::Es256, sealed: true, ..key("three", at(2)) };
    let keys = store.ensure_key(other).await.unwrap();
    assert_eq!(kids(&keys), ["three", "one"]);
    assert_eq!((keys[0].algorithm, keys[0].sealed), (Algorithm::Es256, true));
    assert_eq!((keys[1].algorithm, keys[1].sealed), (Algorithm::EdDsa, false));
    assert_eq!(keys[1].private.expose(), key("one", START).private.expose());
}

pub(super) async fn a_rotated_key_signs_and_the_old_one_is_retired(home: &dyn Home) {
    let store = home.open().await;
    store.ensure_key(key("old", START)).await.unwrap();
    store.ensure_key(KeyRecord { algorithm: Algorithm::Es256, ..key("other", START) }).await.unwrap();
    store.rotate_key(key("new", at(60)), at(60)).await.unwrap();
    let keys = store.list_keys().await.unwrap();
    let retired: Vec<_> = keys.iter().map(|key| (key.kid.as_str(), key.retired_at)).collect();
    assert_eq!(retired, [("new", None), ("other", None), ("old", Some(at(60)))]);
    // The moment of a first retirement stays.
    store.rotate_key(key("newer", at(120)), at(120)).await.unwrap();
    let keys = store.list_keys().await.unwrap();
    assert_eq!(kids(&keys), ["newer", "new", "other", "old"]);
    assert_eq!(keys[3].retired_at, Some(at(60)));
}

pub(super) async fn a_retired_key_is_pruned_when_its_time_has_come(home: &dyn Home) {
    let store = home.open().await;
    store.ensure_key(key("old", START)).await.unwrap();
    store.rotate_key(key("new", at(60)), at(60)).await.unwrap();
    store.prune(at(100), at(60)).await.unwrap();
    assert_eq!(kids(&store.list_keys().await.unwrap()), ["new", "old"]);
    store.prune(at(100), at(61)).await.unwrap();
    assert_eq!(kids(&store.list_keys().await.unwrap()), ["new"]);
}

pub(super) async fn a_known_key_can_come_back_into_use(home: &dyn Home) {
    let store = home.open().await;
    store.ensure_key(key("first", START)).await.unwrap();
    store.rotate_key(key("second", at(1)), at(1)).await.unwrap();
    store.rotate_key(key("first", at(2)), at(2)).await.unwrap();
    let keys = store.list_keys().await.unwrap();
    assert_eq!(kids(&keys), ["first", "second"]);
    assert_eq!((keys[0].retired_at, keys[1].retired_at), (None, Some(at(2))));
}
