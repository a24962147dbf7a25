//! Between two files; the contract holds every backend to what is asked of it here.

use std::time::Duration;

use rusqlite::Connection;

use super::*;
use crate::clock::Timestamp;
use crate::identity::email::Email;
use crate::identity::{Role, SessionId, UserId};
use crate::secret::Secret;
use crate::store::contract::Home;
use crate::store::records::{Origin, ProfileFields};
use crate::store::sqlite::tests::TestHome;
use crate::store::{NewSession, NewUser, UserChange, UserKey};
use crate::token::key::{Algorithm, KeyRecord};
use crate::token::refresh::RefreshState;

const START: Timestamp = Timestamp::from_secs(1_700_000_000);

fn user(number: usize) -> NewUser {
    NewUser {
        id: UserId::random(),
        email: Some(Email::parse(&format!("u{number}@example.com")).unwrap()),
        username: None,
        first_name: Some("Ada".into()),
        last_name: None,
        full_name: None,
        phone: None,
        profile: ProfileFields::new(),
        external_id: None,
        roles: Role::parse("editor").into_iter().collect(),
        is_active: true,
        email_verified: false,
        password_hash: Some(format!("$hash-{number}")),
        now: START,
    }
}

fn session(user: &UserId) -> NewSession {
    NewSession {
        id: SessionId::random(),
        user_id: user.clone(),
        created_at: START,
        origin: Origin::default(),
        refresh: RefreshState { current: [1; 32], previous: None, rotated_at: START, expires_at: START },
        access_expires_at: START,
        password_changed_at: None,
        scopes: None,
    }
}

/// Returns a store with `users` people, each with two sessions, and some keys and changes.
async fn furnished(home: &dyn Home, users: usize) -> SharedStore {
    let store = home.open().await;
    for number in 0..users {
        let new = user(number);
        let id = new.id.clone();
        store.insert_user(new, Some(session(&id))).await.unwrap();
        store.insert_session(session(&id)).await.unwrap();
        if number % 3 == 0 {
            let change = UserChange { phone: Some(Some("1".into())), ..UserChange::default() };
            store.update_user(&id, change, START).await.unwrap();
        }
    }
    for kid in ["one", "two"] {
        let private = Secret::new(kid.as_bytes().to_vec());
        let (created_at, signs_from) = (START, START);
        let algorithm = Algorithm::EdDsa;
        let key =
            KeyRecord { kid: kid.into(), algorithm, private, sealed: false, created_at, signs_from, retired_at: None };
        store.rotate_key(key, None).await.unwrap();
    }
    store
}

async fn run(from: &SharedStore, to: &SharedStore) -> Result<Moved> {
    migrate(from, to, START.minus(Duration::from_secs(1)), &mut |_| {}).await
}

#[tokio::test]
async fn everything_is_there_afterwards_and_a_second_run_writes_nothing() {
    let (home, other) = (TestHome::new(), TestHome::new());
    let (from, to) = (furnished(&home, 10).await, other.open().await);
    let first = run(&from, &to).await.unwrap();
    assert_eq!(first.counts, Counts { users: 10, sessions: 20, keys: 2, changes: 6, ..Counts::default() });
    assert_eq!((first.copied, from.count().await.unwrap()), (38, first.counts));
    assert_eq!(run(&from, &to).await.unwrap(), Moved { copied: 0, ..first });
    let kids = |keys: Vec<KeyRecord>| keys.into_iter().map(|key| key.kid).collect::<Vec<_>>();
    assert_eq!(kids(to.list_keys().await.unwrap()), kids(from.list_keys().await.unwrap()));
}

#[tokio::test]
async fn the_way_there_and_back_ends_in_the_same_content() {
    let homes = [TestHome::new(), TestHome::new(), TestHome::new()];
    let (from, between, back) = (furnished(&homes[0], 5).await, homes[1].open().await, homes[2].open().await);
    let there = run(&from, &between).await.unwrap();
    assert_eq!(run(&between, &back).await.unwrap(), there);
}

#[tokio::test]
async fn sessions_of_which_no_token_lives_stay_behind_and_make_no_difference() {
    let (home, other) = (TestHome::new(), TestHome::new());
    let (from, to) = (furnished(&home, 3).await, other.open().await);
    let user = from.list_users(None, 1).await.unwrap().remove(0).id;
    let lasting = NewSession { access_expires_at: START.plus(Duration::from_secs(1)), ..session(&user) };
    from.insert_session(lasting.clone()).await.unwrap();
    let moved = migrate(&from, &to, START, &mut |_| {}).await.unwrap();
    assert_eq!((moved.counts.users, moved.counts.sessions), (3, 1));
    assert_eq!(to.find_session(lasting.id).await, from.find_session(lasting.id).await);
    assert_eq!(from.count().await.unwrap().sessions, 7, "the source is only read");
}

#[tokio::test]
async fn what_was_cut_off_goes_on_where_it_was() {
    let (home, other) = (TestHome::new(), TestHome::new());
    let (from, to) = (furnished(&home, 20).await, other.open().await);
    let users = from.list_users(None, 7).await.unwrap();
    let mut copied = Batch::default();
    for record in from.read_all(Kind::Sessions).next().await.unwrap() {
        record.join(&mut copied);
    }
    copied.sessions.retain(|session| users.iter().any(|user| user.id == session.user_id));
    copied.sessions.truncate(3);
    to.import(Batch { users, ..copied }).await.unwrap();
    let moved = run(&from, &to).await.unwrap();
    assert_eq!((moved.counts.users, moved.counts.sessions), (20, 40));
    assert_eq!(moved.copied, 13 + 37 + moved.counts.keys + moved.counts.changes);
}

#[tokio::test]
async fn what_changed_in_the_source_since_the_cut_is_brought_up_to_date() {
    let (home, other) = (TestHome::new(), TestHome::new());
    let (from, to) = (furnished(&home, 3).await, other.open().await);
    run(&from, &to).await.unwrap();
    let id = from.list_users(None, 1).await.unwrap().remove(0).id;
    let change = UserChange { full_name: Some(Some("Grace".into())), ..UserChange::default() };
    from.update_user(&id, change, Timestamp::from_secs(1_700_000_009)).await.unwrap();
    assert_eq!(run(&from, &to).await.unwrap().copied, 2, "the user and the line that tells of it");
    assert_eq!(to.find_user(&UserKey::Id(id)).await.unwrap().unwrap().full_name.as_deref(), Some("Grace"));
}

#[tokio::test]
async fn a_source_without_anything_is_taken_for_a_mistake() {
    let (home, other) = (TestHome::new(), TestHome::new());
    let (from, to) = (home.open().await, other.open().await);
    assert_eq!(run(&from, &to).await, Err(MigrateError::Empty));
}

#[tokio::test]
async fn a_target_with_accounts_of_its_own_is_refused_and_left_as_it_is() {
    let (home, other) = (TestHome::new(), TestHome::new());
    let (from, to) = (furnished(&home, 3).await, other.open().await);
    let stranger = user(100);
    to.insert_user(stranger.clone(), None).await.unwrap();
    let refused = run(&from, &to).await;
    assert_eq!(refused, Err(MigrateError::Foreign { kind: Kind::Users, id: stranger.id.to_string() }));
    assert_eq!(to.count().await.unwrap(), Counts { users: 1, ..Counts::default() });
}

#[tokio::test]
async fn a_target_with_nothing_but_a_key_of_its_own_is_refused() {
    let (home, other) = (TestHome::new(), TestHome::new());
    let (from, to) = (furnished(&home, 3).await, furnished(&other, 0).await);
    let key = KeyRecord { kid: "zzz".into(), ..to.list_keys().await.unwrap().remove(0) };
    to.rotate_key(key, None).await.unwrap();
    assert!(matches!(run(&from, &to).await, Err(MigrateError::Foreign { kind: Kind::Keys, id }) if id == "zzz"));
    assert_eq!(to.count().await.unwrap().users, 0);
}

#[tokio::test]
async fn a_target_that_was_served_from_since_is_refused() {
    let (home, other) = (TestHome::new(), TestHome::new());
    let (from, to) = (furnished(&home, 3).await, other.open().await);
    run(&from, &to).await.unwrap();
    let id = to.list_users(None, 1).await.unwrap().remove(0).id;
    let change = UserChange { full_name: Some(Some("Grace".into())), ..UserChange::default() };
    to.update_user(&id, change, Timestamp::from_secs(1_700_000_009)).await.unwrap();
    assert_eq!(run(&from, &to).await, Err(MigrateError::Used { kind: Kind::Users, id: id.to_string() }));
}

#[tokio::test]
async fn a_source_that_is_written_to_meanwhile_is_noticed() {
    let (home, other) = (TestHome::new(), TestHome::new());
    let (from, to) = (furnished(&home, 3).await, other.open().await);
    let by_hand = Connection::open(home.path()).unwrap();
    let outcome = migrate(&from, &to, START.minus(Duration::from_secs(1)), &mut |progress| {
        // The first word of comparing comes when the users have been seen and their sessions have not.
        if (progress.step, progress.kind) == (Step::Compare, Kind::Users) {
            by_hand.execute_batch("DELETE FROM sessions").unwrap();
        }
    })
    .await;
    assert!(matches!(outcome, Err(MigrateError::Unequal { kind: Kind::Sessions, .. })), "{outcome:?}");
}
