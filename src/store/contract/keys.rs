//! Signing keys: made once, rotated, pruned.

use super::Home;
use super::fixtures::*;
use crate::secret::Secret;
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
    assert!(store.rotate_key(key("new", at(60)), None).await.unwrap());
    let keys = store.list_keys().await.unwrap();
    let retired: Vec<_> = keys.iter().map(|key| (key.kid.as_str(), key.retired_at)).collect();
    assert_eq!(retired, [("new", None), ("other", None), ("old", Some(at(60)))]);
    // The moment of a first retirement stays.
    store.rotate_key(key("newer", at(120)), None).await.unwrap();
    let keys = store.list_keys().await.unwrap();
    assert_eq!(kids(&keys), ["newer", "new", "other", "old"]);
    assert_eq!(keys[3].retired_at, Some(at(60)));
}

pub(super) async fn a_retired_key_is_pruned_when_its_time_has_come(home: &dyn Home) {
    let store = home.open().await;
    store.ensure_key(key("old", START)).await.unwrap();
    assert!(store.rotate_key(key("new", at(60)), None).await.unwrap());
    store.prune(at(100), at(60)).await.unwrap();
    assert_eq!(kids(&store.list_keys().await.unwrap()), ["new", "old"]);
    store.prune(at(100), at(61)).await.unwrap();
    assert_eq!(kids(&store.list_keys().await.unwrap()), ["new"]);
}

pub(super) async fn a_known_key_can_come_back_into_use(home: &dyn Home) {
    let store = home.open().await;
    store.ensure_key(key("first", START)).await.unwrap();
    store.rotate_key(key("second", at(1)), None).await.unwrap();
    store.rotate_key(key("first", at(2)), None).await.unwrap();
    let keys = store.list_keys().await.unwrap();
    assert_eq!(kids(&keys), ["first", "second"]);
    assert_eq!((keys[0].retired_at, keys[1].retired_at), (None, Some(at(2))));
}

pub(super) async fn a_key_that_waits_for_its_turn_leaves_the_old_one_signing_until_then(home: &dyn Home) {
    let store = home.open().await;
    store.ensure_key(key("old", START)).await.unwrap();
    let later = |kid, secs| KeyRecord { signs_from: at(secs), ..key(kid, at(10)) };
    store.rotate_key(later("new", 60), None).await.unwrap();
    let times = |keys: Vec<KeyRecord>| -> Vec<_> {
        keys.into_iter().map(|key| (key.kid, key.created_at, key.signs_from, key.retired_at)).collect()
    };
    let (new, old) = (("new".to_owned(), at(10), at(60), None), ("old".to_owned(), START, START, Some(at(60))));
    assert_eq!(times(store.list_keys().await.unwrap()), [new, old]);
    store.prune(at(50), at(50)).await.unwrap();
    assert_eq!(kids(&store.list_keys().await.unwrap()), ["new", "old"], "it still signs");
    // One whose turn comes sooner takes the place of both.
    store.rotate_key(later("sooner", 30), None).await.unwrap();
    let keys = times(store.list_keys().await.unwrap());
    let retired: Vec<_> = keys.iter().map(|(kid, _, _, retired)| (kid.as_str(), *retired)).collect();
    assert_eq!(retired, [("sooner", None), ("new", Some(at(30))), ("old", Some(at(30)))]);
}

pub(super) async fn a_rotation_that_comes_second_makes_no_key(home: &dyn Home) {
    let store = home.open().await;
    store.ensure_key(key("old", START)).await.unwrap();
    assert!(store.rotate_key(key("new", at(1)), Some("old")).await.unwrap());
    let told = store.last_change().await.unwrap();
    assert!(!store.rotate_key(key("late", at(2)), Some("old")).await.unwrap());
    let other = KeyRecord { algorithm: Algorithm::Es256, ..key("other", at(3)) };
    assert!(!store.rotate_key(other, Some("new")).await.unwrap(), "a key of another algorithm is none to replace");
    assert_eq!(kids(&store.list_keys().await.unwrap()), ["new", "old"]);
    assert_eq!(store.last_change().await.unwrap(), told);
}

pub(super) async fn a_plain_key_is_sealed_once_and_keeps_its_place(home: &dyn Home) {
    let store = home.open().await;
    let plain = store.ensure_key(key("one", START)).await.unwrap().remove(0);
    store.rotate_key(key("two", at(1)), None).await.unwrap();
    let sealed = |bytes: &[u8]| KeyRecord { private: Secret::new(bytes.to_vec()), sealed: true, ..plain.clone() };
    store.seal_keys(vec![sealed(b"first")]).await.unwrap();
    store.seal_keys(vec![sealed(b"second")]).await.unwrap();
    let keys = store.list_keys().await.unwrap();
    assert_eq!(kids(&keys), ["two", "one"]);
    assert_eq!((keys[1].sealed, keys[1].private.expose().as_slice()), (true, &b"first"[..]));
    assert_eq!((keys[1].signs_from, keys[1].retired_at), (START, Some(at(1))));
    assert!(!keys[0].sealed);
}
