//! The feed of changes: complete, in order, and only of what happened.

use super::Home;
use super::fixtures::*;
use crate::identity::{SessionId, UserId};
use crate::store::{ChangeKind, PasswordChange, SharedStore, UserChange};
use crate::token::refresh;

async fn kinds_after(store: &SharedStore, seq: i64) -> Vec<ChangeKind> {
    store.changes_after(seq).await.unwrap().into_iter().map(|change| change.kind).collect()
}

/// Returns the line of a session of [`session`] that was never refreshed.
fn ended(session: SessionId, user: &UserId) -> ChangeKind {
    ChangeKind::SessionEnded { session, user: user.clone(), remember_until: at(900) }
}

pub(super) async fn each_change_has_its_line_in_order(home: &dyn Home) {
    let store = home.open().await;
    let ada = user(&store, "ada").await.id;
    let mut open = Vec::new();
    for jti in ["0", "1", "2", "3", "4"] {
        open.push(session(&store, &ada, jti).await);
    }
    assert_eq!((store.last_change().await, kinds_after(&store, 0).await), (Ok(0), Vec::new()));
    store.end_session(open[0], at(1)).await.unwrap();
    let keep = Some(open[2]);
    store.end_sessions(&ada, keep, at(2)).await.map(|ended| assert_eq!(ended.len(), 3)).unwrap();
    let late = session(&store, &ada, "late").await;
    let password = PasswordChange { expected: None, hash: "$new".into(), keep };
    store.change_password(&ada, password, at(3)).await.unwrap();
    let disable = UserChange { is_active: Some(false), ..UserChange::default() };
    store.update_user(&ada, disable, at(4)).await.unwrap();
    store.ensure_key(key("one", at(5))).await.unwrap();
    store.rotate_key(key("two", at(6)), None).await.unwrap();
    store.delete_user(&ada, at(7)).await.unwrap();

    let changes = store.changes_after(0).await.unwrap();
    assert!(changes.is_sorted_by(|one, next| one.seq < next.seq));
    assert_eq!(changes.last().map(|change| change.seq), Some(store.last_change().await.unwrap()));
    let times: Vec<_> = changes.iter().map(|change| change.at).collect();
    assert_eq!(times, [1, 2, 2, 2, 3, 4, 4, 5, 6, 7].map(at));
    let kinds = kinds_after(&store, 0).await;
    assert_eq!(kinds[0], ended(open[0], &ada));
    for session in [open[1], open[3], open[4]] {
        assert!(kinds[1..4].contains(&ended(session, &ada)));
    }
    assert_eq!(kinds[4..6], [ended(late, &ada), ended(open[2], &ada)]);
    let user = ChangeKind::UserChanged(ada);
    assert_eq!(kinds[6..], [user.clone(), ChangeKind::KeysChanged, ChangeKind::KeysChanged, user]);
    assert_eq!(kinds_after(&store, changes[7].seq).await, kinds[8..]);
}

pub(super) async fn what_fails_leaves_no_line(home: &dyn Home) {
    let store = home.open().await;
    let ada = user(&store, "ada").await.id;
    user(&store, "grace").await;
    session(&store, &ada, "first").await;
    let taken =
        UserChange { email: Some(Some(email("grace@example.com"))), is_active: Some(false), ..UserChange::default() };
    store.update_user(&ada, taken, at(1)).await.unwrap_err();
    let stale = PasswordChange { expected: Some("$stale".into()), hash: "$new".into(), keep: None };
    store.change_password(&ada, stale, at(1)).await.unwrap_err();
    store.end_session(SessionId::random(), at(1)).await.unwrap();
    store.delete_user(&UserId::random(), at(1)).await.unwrap_err();
    store.update_user(&ada, UserChange::default(), at(1)).await.unwrap();
    assert_eq!((store.last_change().await, kinds_after(&store, 0).await), (Ok(0), Vec::new()));
}

pub(super) async fn an_end_is_remembered_until_its_last_access_token_is_dead(home: &dyn Home) {
    let store = home.open().await;
    let ada = user(&store, "ada").await.id;
    let session = session(&store, &ada, "first").await;
    store.rotate_refresh(presented(session, &ada, "first", at(600))).await.unwrap();
    let successor = refresh::successor_jti("first");
    store.rotate_refresh(presented(session, &ada, &successor, at(650))).await.unwrap();
    assert_eq!(kinds_after(&store, 0).await, []);
    store.rotate_refresh(presented(session, &ada, "first", at(700))).await.unwrap();
    let remember_until = at(650 + 900);
    assert_eq!(kinds_after(&store, 0).await, [ChangeKind::SessionEnded { session, user: ada, remember_until }]);
}

pub(super) async fn pruning_never_takes_numbers_back(home: &dyn Home) {
    let store = home.open().await;
    let ada = user(&store, "ada").await.id;
    for number in 0..3 {
        let change = UserChange { phone: Some(Some(number.to_string())), ..UserChange::default() };
        store.update_user(&ada, change, at(number)).await.unwrap();
    }
    let newest = store.last_change().await.unwrap();
    store.prune(at(10), at(2)).await.unwrap();
    assert_eq!(store.changes_after(0).await.unwrap().len(), 1, "the one at the limit is kept");
    store.prune(at(10), at(10)).await.unwrap();
    assert_eq!((store.last_change().await, kinds_after(&store, 0).await), (Ok(newest), Vec::new()));
    store.delete_user(&ada, at(11)).await.unwrap();
    assert!(store.changes_after(newest).await.unwrap()[0].seq > newest);
}

pub(super) async fn an_end_that_must_be_remembered_is_not_pruned(home: &dyn Home) {
    let store = home.open().await;
    let ada = user(&store, "ada").await.id;
    let session = session(&store, &ada, "first").await;
    store.end_session(session, at(1)).await.unwrap();
    store.prune(at(899), at(899)).await.unwrap();
    assert_eq!(kinds_after(&store, 0).await, [ended(session, &ada)]);
    store.prune(at(900), at(900)).await.unwrap();
    assert_eq!(kinds_after(&store, 0).await, []);
}

pub(super) async fn another_process_hears_of_changes(home: &dyn Home) {
    let gateway = home.open().await;
    let ada = user(&gateway, "ada").await.id;
    let session = session(&gateway, &ada, "first").await;
    let seen = gateway.last_change().await.unwrap();
    let command = home.open().await;
    let disable = UserChange { is_active: Some(false), ..UserChange::default() };
    command.update_user(&ada, disable, at(1)).await.unwrap();
    let expected = [ended(session, &ada), ChangeKind::UserChanged(ada)];
    assert_eq!(kinds_after(&gateway, seen).await, expected);
    assert_eq!(gateway.find_session(session).await, Ok(None));
}
