//! One-time tokens: what spending one does, and what makes it void.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::Home;
use super::fixtures::*;
use crate::clock::Timestamp;
use crate::identity::SessionId;
use crate::store::{
    ApiKey, ChangeKind, MailClaim, MailEnd, NewApiKey, NewMail, OneTime, PasswordChange, Purpose, SharedStore,
    StoreError, User, UserChange, UserKey,
};

const REMEMBER: Timestamp = Timestamp::from_secs(1_700_009_000);

fn shown(purpose: Purpose, token: u8, now: Timestamp) -> OneTime {
    OneTime { purpose, hash: [token; 32], now }
}

/// Sends the user a token that is good for an hour.
async fn send(store: &SharedStore, user: &User, purpose: Purpose, token: u8) -> OneTime {
    let email = email(user.email.as_deref().unwrap());
    store.enqueue_mail(NewMail { purpose, email, now: START, most: 100 }).await.unwrap();
    let until = at(3600);
    let claim =
        MailClaim { token: [token; 32], now: START, lease_until: at(60), reset_until: until, verify_until: until };
    let claimed = store.claim_mail(claim).await.unwrap().unwrap();
    assert_eq!((&claimed.user.id, claimed.purpose), (&user.id, purpose));
    store.finish_mail([token; 32], MailEnd::Done).await.unwrap();
    shown(purpose, token, at(10))
}

async fn is_live(store: &SharedStore, token: OneTime) -> bool {
    store.find_one_time(token).await.unwrap().is_some()
}

async fn found(store: &SharedStore, user: &User) -> User {
    store.find_user(&UserKey::Id(user.id.clone())).await.unwrap().unwrap()
}

async fn key(store: &SharedStore, user: &User) -> SessionId {
    let key = ApiKey {
        id: SessionId::random(),
        user_id: user.id.clone(),
        name: "key".into(),
        scopes: Vec::new(),
        created_at: START,
        expires_at: None,
        last_used_at: None,
    };
    store.insert_api_key(NewApiKey { key: key.clone(), hash: [9; 32], most: 5 }).await.unwrap();
    key.id
}

pub(super) async fn a_reset_replaces_the_password_and_ends_every_session_once(home: &dyn Home) {
    let store = home.open().await;
    let ada = user(&store, "ada").await;
    let (first, second) = (session(&store, &ada.id, "a").await, session(&store, &ada.id, "b").await);
    let token = send(&store, &ada, Purpose::ResetPassword, 1).await;
    let after = store.reset_password(token, "$new", REMEMBER).await.unwrap();
    assert_eq!(after.password_hash.as_deref(), Some("$new"));
    assert!(after.password_changed_at > ada.password_changed_at && after.email_verified);
    assert_eq!(found(&store, &ada).await, after);
    for id in [first, second] {
        assert_eq!(store.find_session(id).await, Ok(None));
    }
    assert_eq!(store.reset_password(token, "$another", REMEMBER).await, Err(StoreError::NotFound));
    assert_eq!(found(&store, &ada).await.password_hash.as_deref(), Some("$new"));
}

pub(super) async fn a_reset_makes_every_other_token_of_the_user_void(home: &dyn Home) {
    let store = home.open().await;
    let (ada, grace) = (user(&store, "ada").await, user(&store, "grace").await);
    let first = send(&store, &ada, Purpose::ResetPassword, 1).await;
    let second = send(&store, &ada, Purpose::ResetPassword, 2).await;
    let verification = send(&store, &ada, Purpose::VerifyEmail, 3).await;
    let of_another = send(&store, &grace, Purpose::ResetPassword, 4).await;
    store.reset_password(second, "$new", REMEMBER).await.unwrap();
    assert!(!is_live(&store, first).await && !is_live(&store, verification).await);
    assert!(is_live(&store, of_another).await);
}

pub(super) async fn a_reset_of_an_unverified_account_ends_the_keys_of_whoever_had_it(home: &dyn Home) {
    let store = home.open().await;
    let ada = user(&store, "ada").await;
    let first = key(&store, &ada).await;
    let token = send(&store, &ada, Purpose::ResetPassword, 1).await;
    store.reset_password(token, "$new", REMEMBER).await.unwrap();
    assert_eq!(store.list_api_keys(Some(&ada.id)).await, Ok(Vec::new()));
    let changes = store.changes_after(0).await.unwrap();
    let told = ChangeKind::SessionEnded { session: first, user: ada.id.clone(), remember_until: REMEMBER };
    assert!(changes.iter().any(|change| change.kind == told), "{changes:?}");
    // The address is verified now: keys made since are its user's own.
    key(&store, &ada).await;
    let token = send(&store, &ada, Purpose::ResetPassword, 2).await;
    store.reset_password(token, "$newer", REMEMBER).await.unwrap();
    assert_eq!(store.list_api_keys(Some(&ada.id)).await.unwrap().len(), 1);
}

pub(super) async fn a_verified_address_is_told_of_and_its_tokens_are_spent(home: &dyn Home) {
    let store = home.open().await;
    let ada = user(&store, "ada").await;
    let begun = session(&store, &ada.id, "a").await;
    let first = send(&store, &ada, Purpose::VerifyEmail, 1).await;
    let second = send(&store, &ada, Purpose::VerifyEmail, 2).await;
    let reset = send(&store, &ada, Purpose::ResetPassword, 3).await;
    let before = store.last_change().await.unwrap();
    let after = store.verify_email(first).await.unwrap();
    assert_eq!(after, User { email_verified: true, updated_at: at(10), ..ada.clone() });
    let changes = store.changes_after(before).await.unwrap();
    assert_eq!(changes.into_iter().map(|change| change.kind).collect::<Vec<_>>(), [ChangeKind::UserChanged(ada.id)]);
    assert_eq!(store.verify_email(first).await, Err(StoreError::NotFound));
    assert!(!is_live(&store, second).await && is_live(&store, reset).await);
    assert!(store.find_session(begun).await.unwrap().is_some(), "a proof ends nothing");
}

pub(super) async fn a_token_is_good_for_its_own_purpose_and_time_alone(home: &dyn Home) {
    let store = home.open().await;
    let ada = user(&store, "ada").await;
    let reset = send(&store, &ada, Purpose::ResetPassword, 1).await;
    assert_eq!(store.verify_email(OneTime { purpose: Purpose::VerifyEmail, ..reset }).await, Err(StoreError::NotFound));
    assert_eq!(store.verify_email(shown(Purpose::VerifyEmail, 7, at(1))).await, Err(StoreError::NotFound));
    let late = OneTime { now: at(3600), ..reset };
    assert_eq!(store.reset_password(late, "$new", REMEMBER).await, Err(StoreError::NotFound));
    assert_eq!(found(&store, &ada).await, ada);
}

pub(super) async fn a_new_address_makes_tokens_for_the_old_one_void(home: &dyn Home) {
    let store = home.open().await;
    let ada = user(&store, "ada").await;
    let (reset, verification) =
        (send(&store, &ada, Purpose::ResetPassword, 1).await, send(&store, &ada, Purpose::VerifyEmail, 2).await);
    let moved = |address: &str| UserChange { email: Some(Some(email(address))), ..UserChange::default() };
    store
        .update_user(&ada.id, UserChange { phone: Some(Some("1".into())), ..UserChange::default() }, at(2))
        .await
        .unwrap();
    assert!(is_live(&store, reset).await, "another field is no reason");
    store.update_user(&ada.id, moved("ada@elsewhere.example"), at(3)).await.unwrap();
    store.update_user(&ada.id, moved("ada@example.com"), at(4)).await.unwrap();
    assert!(!is_live(&store, reset).await && !is_live(&store, verification).await);
}

pub(super) async fn a_disabled_users_tokens_are_void_for_good(home: &dyn Home) {
    let store = home.open().await;
    let ada = user(&store, "ada").await;
    let reset = send(&store, &ada, Purpose::ResetPassword, 1).await;
    for is_active in [false, true] {
        let change = UserChange { is_active: Some(is_active), ..UserChange::default() };
        store.update_user(&ada.id, change, at(2)).await.unwrap();
        assert!(!is_live(&store, reset).await);
    }
    let other = send(&store, &ada, Purpose::ResetPassword, 2).await;
    store.delete_user(&ada.id, at(5)).await.unwrap();
    assert!(!is_live(&store, other).await);
}

pub(super) async fn a_changed_password_makes_resets_void_and_takes_their_mails_back(home: &dyn Home) {
    let store = home.open().await;
    let ada = user(&store, "ada").await;
    let reset = send(&store, &ada, Purpose::ResetPassword, 1).await;
    let verification = send(&store, &ada, Purpose::VerifyEmail, 2).await;
    let email = email("ada@example.com");
    store.enqueue_mail(NewMail { purpose: Purpose::ResetPassword, email, now: START, most: 9 }).await.unwrap();
    let change = PasswordChange { expected: None, hash: "$new".into(), keep: None };
    store.change_password(&ada.id, change, at(3)).await.unwrap();
    assert!(!is_live(&store, reset).await && is_live(&store, verification).await);
    assert_eq!(store.waiting_mails().await, Ok(0));
}

pub(super) async fn pruning_forgets_what_is_too_late(home: &dyn Home) {
    let store = home.open().await;
    let ada = user(&store, "ada").await;
    let reset = send(&store, &ada, Purpose::ResetPassword, 1).await;
    store.prune(at(3599), START).await.unwrap();
    assert!(is_live(&store, reset).await);
    store.prune(at(3600), START).await.unwrap();
    assert!(!is_live(&store, reset).await, "even to a clock that went back");
}

pub(super) async fn sixteen_resets_with_one_token_make_one_password(home: &dyn Home) {
    let (one, other) = (home.open().await, home.open().await);
    for round in 0..5_u8 {
        let ada = user(&one, &format!("ada{round}")).await;
        let token = send(&one, &ada, Purpose::ResetPassword, round).await;
        let barrier = Arc::new(Barrier::new(16));
        let mut racers = JoinSet::new();
        for number in 0..16_u8 {
            let store = if number.is_multiple_of(2) { one.clone() } else { other.clone() };
            let barrier = Arc::clone(&barrier);
            racers.spawn(async move {
                barrier.wait().await;
                store.reset_password(token, &format!("$new-{number}"), REMEMBER).await
            });
        }
        let results = tokio::time::timeout(Duration::from_mins(1), racers.join_all()).await.unwrap();
        let won: Vec<&User> = results.iter().filter_map(|result| result.as_ref().ok()).collect();
        assert_eq!(won.len(), 1, "{results:?}");
        assert!(results.iter().all(|result| result.is_ok() || *result == Err(StoreError::NotFound)));
        assert_eq!(&found(&one, &ada).await, won[0]);
    }
}
