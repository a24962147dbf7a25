//! The outbox: what waits, who may send it, and what becomes of it.

use std::sync::Arc;

use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::Home;
use super::fixtures::*;
use crate::clock::Timestamp;
use crate::store::{MailClaim, MailEnd, NewMail, OneTime, Purpose, SharedStore, StoreError, UserChange};

fn new_mail(purpose: Purpose, address: &str, now: Timestamp) -> NewMail {
    NewMail { purpose, email: email(address), now, most: 3 }
}

/// Returns a claim at `now` for a minute, whose token is good for an hour or, to verify an address, for two.
fn claim(token: u8, now: Timestamp) -> MailClaim {
    let later = |minutes: u64| now.plus(std::time::Duration::from_mins(minutes));
    MailClaim { token: [token; 32], now, lease_until: later(1), reset_until: later(60), verify_until: later(120) }
}

async fn ask(store: &SharedStore, purpose: Purpose, address: &str, now: Timestamp) {
    store.enqueue_mail(new_mail(purpose, address, now)).await.unwrap();
}

pub(super) async fn a_claimed_mail_comes_with_its_user_and_a_live_token(home: &dyn Home) {
    let store = home.open().await;
    let ada = user(&store, "ada").await;
    ask(&store, Purpose::ResetPassword, "ADA@example.com", START).await;
    assert_eq!(store.waiting_mails().await, Ok(1));
    let claimed = store.claim_mail(claim(1, at(5))).await.unwrap().unwrap();
    assert_eq!((claimed.purpose, claimed.requested_at, claimed.attempts), (Purpose::ResetPassword, START, 1));
    assert_eq!(claimed.user, ada);
    let token = |purpose, now| OneTime { purpose, hash: [1; 32], now };
    assert_eq!(store.find_one_time(token(Purpose::ResetPassword, at(6))).await, Ok(Some(ada)));
    assert_eq!(store.find_one_time(token(Purpose::VerifyEmail, at(6))).await, Ok(None), "for another purpose");
    assert_eq!(store.find_one_time(token(Purpose::ResetPassword, at(5 + 3600))).await, Ok(None), "too late");
}

pub(super) async fn a_mail_to_nobody_is_taken_and_then_dropped(home: &dyn Home) {
    let store = home.open().await;
    let grace = user(&store, "grace").await.id;
    let disabled = UserChange { is_active: Some(false), ..UserChange::default() };
    store.update_user(&grace, disabled, at(1)).await.unwrap();
    ask(&store, Purpose::ResetPassword, "nobody@example.com", START).await;
    ask(&store, Purpose::ResetPassword, "grace@example.com", at(1)).await;
    assert_eq!(store.waiting_mails().await, Ok(2));
    assert_eq!(store.claim_mail(claim(1, at(5))).await, Ok(None));
    assert_eq!(store.waiting_mails().await, Ok(0));
}

pub(super) async fn an_address_that_is_verified_is_not_asked_about_again(home: &dyn Home) {
    let store = home.open().await;
    user(&store, "ada").await;
    ask(&store, Purpose::VerifyEmail, "ada@example.com", START).await;
    store.claim_mail(claim(1, at(1))).await.unwrap().unwrap();
    store.verify_email(OneTime { purpose: Purpose::VerifyEmail, hash: [1; 32], now: at(2) }).await.unwrap();
    store.finish_mail([1; 32], MailEnd::Done).await.unwrap();
    ask(&store, Purpose::VerifyEmail, "ada@example.com", at(3)).await;
    assert_eq!(store.claim_mail(claim(2, at(4))).await, Ok(None));
    ask(&store, Purpose::ResetPassword, "ada@example.com", at(5)).await;
    assert!(store.claim_mail(claim(3, at(6))).await.unwrap().is_some());
}

pub(super) async fn a_mail_that_is_asked_for_twice_waits_once(home: &dyn Home) {
    let store = home.open().await;
    user(&store, "ada").await;
    ask(&store, Purpose::ResetPassword, "ada@example.com", START).await;
    ask(&store, Purpose::ResetPassword, "Ada@example.com", at(9)).await;
    ask(&store, Purpose::VerifyEmail, "ada@example.com", at(10)).await;
    assert_eq!(store.waiting_mails().await, Ok(2));
    let first = store.claim_mail(claim(1, at(11))).await.unwrap().unwrap();
    assert_eq!(
        (first.purpose, first.requested_at),
        (Purpose::ResetPassword, at(9)),
        "asked for anew, due since the first time"
    );
    let second = store.claim_mail(claim(2, at(11))).await.unwrap().unwrap();
    assert_eq!(second.purpose, Purpose::VerifyEmail);
    assert_eq!(store.claim_mail(claim(3, at(11))).await, Ok(None));
}

pub(super) async fn a_full_outbox_says_so_and_still_renews_what_waits(home: &dyn Home) {
    let store = home.open().await;
    for name in ["a", "b", "c"] {
        ask(&store, Purpose::ResetPassword, &format!("{name}@example.com"), START).await;
    }
    let refused = store.enqueue_mail(new_mail(Purpose::ResetPassword, "d@example.com", at(1))).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    ask(&store, Purpose::ResetPassword, "c@example.com", at(2)).await;
    assert_eq!(store.waiting_mails().await, Ok(3));
}

pub(super) async fn a_claim_ends_with_its_lease_and_another_one_may_send(home: &dyn Home) {
    let store = home.open().await;
    let ada = user(&store, "ada").await;
    ask(&store, Purpose::ResetPassword, "ada@example.com", START).await;
    store.claim_mail(claim(1, at(1))).await.unwrap().unwrap();
    assert_eq!(store.claim_mail(claim(2, at(60))).await, Ok(None));
    let again = store.claim_mail(claim(2, at(61))).await.unwrap().unwrap();
    assert_eq!(again.attempts, 2);
    store.finish_mail([1; 32], MailEnd::Done).await.unwrap();
    assert_eq!(store.waiting_mails().await, Ok(1), "the first claim is over");
    // Either may have reached its reader.
    for token in [1, 2] {
        let token = OneTime { purpose: Purpose::ResetPassword, hash: [token; 32], now: at(70) };
        assert_eq!(store.find_one_time(token).await, Ok(Some(ada.clone())));
    }
    store.finish_mail([2; 32], MailEnd::Done).await.unwrap();
    assert_eq!(store.waiting_mails().await, Ok(0));
}

pub(super) async fn a_mail_that_could_not_be_sent_waits_until_its_next_attempt(home: &dyn Home) {
    let store = home.open().await;
    user(&store, "ada").await;
    ask(&store, Purpose::ResetPassword, "ada@example.com", START).await;
    store.claim_mail(claim(1, at(1))).await.unwrap().unwrap();
    store.finish_mail([1; 32], MailEnd::RetryAt(at(30))).await.unwrap();
    assert_eq!(store.claim_mail(claim(2, at(29))).await, Ok(None));
    assert_eq!(store.claim_mail(claim(2, at(30))).await.unwrap().unwrap().attempts, 2);
}

pub(super) async fn the_outbox_survives_a_death(home: &dyn Home) {
    let store = home.open().await;
    user(&store, "ada").await;
    ask(&store, Purpose::ResetPassword, "ada@example.com", START).await;
    drop(store);
    let store = home.open().await;
    assert!(store.claim_mail(claim(1, at(1))).await.unwrap().is_some());
}

pub(super) async fn sixteen_senders_send_each_mail_once(home: &dyn Home) {
    let (one, other) = (home.open().await, home.open().await);
    for number in 0..3 {
        user(&one, &format!("user{number}")).await;
        ask(&one, Purpose::ResetPassword, &format!("user{number}@example.com"), START).await;
    }
    let barrier = Arc::new(Barrier::new(16));
    let mut senders = JoinSet::new();
    for number in 0..16_u8 {
        let store = if number.is_multiple_of(2) { one.clone() } else { other.clone() };
        let barrier = Arc::clone(&barrier);
        senders.spawn(async move {
            barrier.wait().await;
            store.claim_mail(claim(number, at(1))).await.unwrap().map(|mail| mail.user.id)
        });
    }
    let mut claimed: Vec<_> = senders.join_all().await.into_iter().flatten().collect();
    assert_eq!(claimed.len(), 3);
    claimed.sort_by(|one, next| one.as_str().cmp(next.as_str()));
    claimed.dedup();
    assert_eq!(claimed.len(), 3, "one mail was claimed twice");
}
