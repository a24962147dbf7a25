//! Moving everything from one store to another: exact, repeatable, all of a batch or nothing.

use super::Home;
use super::fixtures::*;
use crate::identity::{Scope, SessionId};
use crate::store::transfer::SentToken;
use crate::store::{
    ApiKey, Batch, Counts, Kind, MailClaim, MailEnd, NewApiKey, NewMail, NewUser, OneTime, PasswordChange, Purpose,
    Record, SharedStore, StoreError, User, UserChange, UserKey,
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
    for (purpose, address) in
        [(Purpose::VerifyEmail, "ada@example.com"), (Purpose::ResetPassword, "nobody@example.com")]
    {
        store.enqueue_mail(NewMail { purpose, email: email(address), now: at(7), most: 9 }).await.unwrap();
    }
    let later = |secs| at(8).plus(std::time::Duration::from_secs(secs));
    let (lease_until, reset_until, verify_until) = (later(60), later(3600), later(7200));
    let claim = MailClaim { token: [200; 32], now: at(8), lease_until, reset_until, verify_until };
    store.claim_mail(claim).await.unwrap().expect("a mail to Ada");
    store.ensure_key(key("old", START)).await.unwrap();
    let sealed = KeyRecord { sealed: true, signs_from: at(60), ..key("new", START) };
    store.rotate_key(sealed, None).await.unwrap();
    let held = contents(&store).await;
    assert_eq!((held.users.len(), held.sessions.len(), held.api_keys.len()), (3, 1, 1));
    assert_eq!((held.keys.len(), held.changes.len()), (2, 5));
    assert_eq!((held.one_time_tokens.len(), held.mails.len()), (1, 2));
    (store, held)
}

async fn contents(store: &SharedStore) -> Batch {
    let mut batch = Batch::default();
    for kind in Kind::ALL {
        for record in all(store, kind).await {
            record.join(&mut batch);
        }
    }
    batch.keys.sort_by_key(|key| key.created_at);
    batch
}

/// Returns all of one kind, and checks that none came twice or out of turn.
async fn all(store: &SharedStore, kind: Kind) -> Vec<Record> {
    let (mut pages, mut found) = (store.read_all(kind), Vec::new());
    loop {
        let page = pages.next().await.unwrap();
        if page.is_empty() {
            break;
        }
        found.extend(page);
    }
    assert!(pages.next().await.unwrap().is_empty(), "the end stays the end");
    assert!(found.is_sorted_by(|one, next| one.id() < next.id()), "{kind:?} in the order of their ids");
    found
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
    let counts = Counts { users: 3, sessions: 1, api_keys: 1, one_time_tokens: 1, mails: 2, keys: 2, changes: 5 };
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

pub(super) async fn a_moved_mail_is_sent_once_and_its_token_is_good_there(home: &dyn Home) {
    let (_store, held) = furnished(home).await;
    let other = home.another();
    let target = other.open().await;
    target.import(held).await.unwrap();
    let token = OneTime { purpose: Purpose::VerifyEmail, hash: [200; 32], now: at(9) };
    assert!(target.find_one_time(token).await.unwrap().is_some());
    // Whoever was sending it when the store moved has reported to nobody: after its lease it is sent again.
    let claim = |token: u8, now| MailClaim {
        token: [token; 32],
        now,
        lease_until: at(900),
        reset_until: at(900),
        verify_until: at(900),
    };
    assert_eq!(target.claim_mail(claim(1, at(60))).await, Ok(None), "to nobody, or under way");
    let again = target.claim_mail(claim(2, at(68))).await.unwrap().expect("its lease is over");
    assert_eq!((again.purpose, again.attempts), (Purpose::VerifyEmail, 2));
    target.finish_mail([2; 32], MailEnd::Done).await.unwrap();
    assert_eq!(target.waiting_mails().await, Ok(0));
}

pub(super) async fn whatever_the_ids_all_of_a_kind_come_once_and_in_order(home: &dyn Home) {
    let store = home.open().await;
    // More than any store reads at a time, of one kind.
    let ada = user(&store, "ada").await.id;
    let held = |number: u16| {
        let mut hash = [7; 32];
        hash[..2].copy_from_slice(&number.to_le_bytes());
        SentToken { hash, purpose: Purpose::VerifyEmail, user_id: ada.clone(), expires_at: at(9) }
    };
    store.import(Batch { one_time_tokens: (0..1100).map(held).collect(), ..Batch::default() }).await.unwrap();
    assert_eq!(all(&store, Kind::OneTimeTokens).await.len(), 1100);
    for number in 0..5 {
        session(&store, &ada, &number.to_string()).await;
    }
    assert_eq!(all(&store, Kind::Sessions).await.len(), 5);
    assert!(all(&store, Kind::Mails).await.is_empty());
}
