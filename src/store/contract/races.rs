//! Races: sixteen at once, many rounds, half of them through a second handle as another process would come.

use std::sync::Arc;

use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::Home;
use super::fixtures::*;
use crate::identity::UserId;
use crate::store::{Rotation, SharedStore, StoreError, UserChange};
use crate::token::refresh;

const ROUNDS: usize = 25;
const RACERS: usize = 16;

/// Returns what sixteen racers got that began together.
async fn race<T, F>(stores: &[SharedStore; 2], run: impl Fn(usize, SharedStore) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let start = Arc::new(Barrier::new(RACERS));
    let mut racers = JoinSet::new();
    for number in 0..RACERS {
        let (start, racer) = (Arc::clone(&start), run(number, Arc::clone(&stores[number % 2])));
        racers.spawn(async move {
            start.wait().await;
            racer.await
        });
    }
    racers.join_all().await
}

async fn two_handles(home: &dyn Home) -> [SharedStore; 2] {
    [home.open().await, home.open().await]
}

pub(super) async fn one_email_goes_to_one_of_sixteen(home: &dyn Home) {
    let stores = two_handles(home).await;
    for round in 0..ROUNDS {
        let outcomes = race(&stores, |number, store| async move {
            let mut new = new_user(&format!("racer{round}-{number}"));
            new.email = Some(email(&format!("prize{round}@example.com")));
            let session = new_session(&new.id, "first", START);
            store.insert_user(new, Some(session)).await
        })
        .await;
        let (won, lost): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
        assert_eq!(won.len(), 1);
        assert!(lost.iter().all(|outcome| *outcome == Err(StoreError::EmailTaken)), "{lost:?}");
    }
    assert_eq!(stores[0].list_users(None, 1000).await.unwrap().len(), ROUNDS);
    assert_eq!(stores[1].list_sessions(None, at(1)).await.unwrap().len(), ROUNDS);
}

pub(super) async fn sixteen_refreshes_agree_on_one_successor(home: &dyn Home) {
    let stores = two_handles(home).await;
    let ada = user(&stores[0], "ada").await.id;
    for _ in 0..ROUNDS {
        let id = session(&stores[0], &ada, "first").await;
        let outcomes = race(&stores, |_, store| {
            let request = presented(id, &ada, "first", at(5));
            async move { store.rotate_refresh(request).await }
        })
        .await;
        for outcome in outcomes {
            let Ok(Rotation::Continued { session, kept: false, .. }) = outcome else { panic!("{outcome:?}") };
            assert_eq!(session.refresh.current, refresh::hash(&refresh::successor_jti("first")));
            assert_eq!(session.refresh.previous, Some(refresh::hash("first")));
        }
    }
}

pub(super) async fn sixteen_starts_make_one_key(home: &dyn Home) {
    for _ in 0..ROUNDS {
        let empty = home.another();
        let stores = two_handles(empty.as_ref()).await;
        let outcomes = race(&stores, |number, store| async move {
            let keys = store.ensure_key(key(&number.to_string(), at(number as u64))).await.unwrap();
            kids(&keys).join(" ")
        })
        .await;
        let kept = kids(&stores[0].list_keys().await.unwrap()).join(" ");
        assert!(outcomes.iter().all(|seen| *seen == kept), "{kept} was kept, {outcomes:?} were seen");
        assert!(!kept.contains(' '), "{kept}");
    }
}

pub(super) async fn sixteen_rotations_of_one_key_make_one_key(home: &dyn Home) {
    let stores = two_handles(home).await;
    stores[0].ensure_key(key("0", START)).await.unwrap();
    for round in 1..=ROUNDS {
        let replaced = stores[0].list_keys().await.unwrap().remove(0).kid;
        let outcomes = race(&stores, |number, store| {
            let (next, replaced) = (key(&format!("{round}.{number}"), at(round as u64)), replaced.clone());
            async move { store.rotate_key(next, Some(&replaced)).await.unwrap() }
        })
        .await;
        assert_eq!(outcomes.iter().filter(|made| **made).count(), 1, "round {round}");
        assert_eq!(stores[1].count().await.unwrap().keys, round as u64 + 1);
    }
}

pub(super) async fn a_refresh_never_survives_a_disabled_user(home: &dyn Home) {
    let stores = two_handles(home).await;
    for round in 0..ROUNDS {
        let ada: UserId = user(&stores[0], &format!("ada{round}")).await.id;
        let id = session(&stores[0], &ada, "first").await;
        race(&stores, |number, store| {
            let (ada, request) = (ada.clone(), presented(id, &ada, "first", at(5)));
            async move {
                if number == RACERS / 2 {
                    let disable = UserChange { is_active: Some(false), ..UserChange::default() };
                    store.update_user(&ada, disable, at(5)).await.map(drop).unwrap();
                } else {
                    store.rotate_refresh(request).await.map(drop).unwrap();
                }
            }
        })
        .await;
        assert_eq!(stores[0].list_sessions(Some(&ada), at(6)).await.unwrap(), []);
    }
}
