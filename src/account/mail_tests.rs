//! Forgotten passwords and verified addresses over a real store, with letters kept in memory and a clock moved by hand.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use tokio::sync::Semaphore;
use tokio::task::yield_now;

use super::fixture::{MINUTE, PASSWORD, World, context, login, registering};
use super::{AccountError, MailSettings, Postman, ProfileChange, Rates};
use crate::identity::Principal;
use crate::limit::bucket::Rate;
use crate::mail::{Letter, Link, Mailer};
use crate::secret::Secret;
use crate::store::UserChange;
use crate::telemetry::metrics::Metrics;

const HOME: &str = "192.0.2.1";
const NEW: &str = "a password of its own";
const HOUR: Duration = Duration::from_hours(1);

struct Post {
    world: World,
    postman: Arc<Postman>,
    letters: Arc<Mutex<Vec<Letter>>>,
}

impl Post {
    fn new() -> Self {
        Self::sending_by(Mailer::memory())
    }

    fn sending_by((mailer, letters): (Mailer, Arc<Mutex<Vec<Letter>>>)) -> Self {
        let world = World::new();
        world.change_settings(|settings| {
            settings.mail = Some(MailSettings {
                mailer: Arc::new(mailer),
                origin: "https://app.example.com".into(),
                reset_link: Link::parse("/reset#token={token}").unwrap(),
                verify_link: Link::parse("/verify?token={token}").unwrap(),
                reset_ttl: HOUR,
                verify_ttl: 24 * HOUR,
            });
        });
        let postman = world.accounts.postman(Arc::new(Metrics::new(1, Counter::default())));
        Self { world, postman, letters }
    }

    /// Returns what is sent now, to whom and with which token.
    async fn collect(&self) -> Vec<(String, Secret<String>)> {
        self.postman.deliver_due().await.unwrap();
        let letters = std::mem::take(&mut *self.letters.lock().unwrap());
        let token = |letter: &Letter| letter.text.split_once("token=").unwrap().1.lines().next().unwrap().to_owned();
        letters.iter().map(|letter| (letter.to.clone(), Secret::new(token(letter)))).collect()
    }

    /// Makes an account whose first mail is collected already.
    async fn register(&self, email: &str) -> Principal {
        let grant = self.world.accounts.register(registering(email), &context(HOME)).await.unwrap();
        self.collect().await;
        let token = grant.access_token.expose();
        let caller = self.world.authenticator.verify_bearer(token, self.world.clock.now()).unwrap();
        caller.principal.clone()
    }

    async fn forgot(&self, email: &str) -> Result<(), AccountError> {
        self.world.accounts.forgot_password(Some(email.into()), &context(HOME)).await
    }

    /// Returns the token of the only mail that a forgotten password brings.
    async fn reset_token(&self, email: &str) -> Secret<String> {
        self.forgot(email).await.unwrap();
        let mut sent = self.collect().await;
        assert_eq!(sent.len(), 1);
        sent.remove(0).1
    }

    async fn reset(&self, token: &Secret<String>, password: &str) -> Result<(), AccountError> {
        let password = Secret::new(password.to_owned());
        self.world.accounts.reset_password(Some(token.clone()), Some(password), &context(HOME)).await
    }

    async fn verify(&self, token: &Secret<String>) -> Result<(), AccountError> {
        self.world.accounts.verify_email(Some(token.clone()), &context(HOME)).await
    }

    async fn can_sign_in(&self, name: &str, password: &str) -> bool {
        self.world.accounts.login(login(name, password), &context(HOME)).await.is_ok()
    }
}

fn code(result: Result<(), AccountError>) -> String {
    match result {
        Err(AccountError::Invalid(faults)) => format!("{} {}", faults[0].field, faults[0].code),
        other => format!("{other:?}"),
    }
}

#[tokio::test]
async fn what_a_mail_brings_makes_a_new_password_once() {
    let post = Post::new();
    post.register("ada@example.com").await;
    let token = post.reset_token("ADA@Example.com").await;
    assert_eq!(post.reset(&token, NEW).await, Ok(()));
    assert!(post.can_sign_in("ada@example.com", NEW).await);
    assert!(!post.can_sign_in("ada@example.com", PASSWORD).await);
    assert_eq!(code(post.reset(&token, "yet another password").await), "token invalid_token");
    let events = post.world.events();
    for event in ["password.reset_requested", "mail.sent", "password.changed", "email.verified", "session.ended"] {
        assert!(events.iter().any(|found| found == event), "no {event} in {events:?}");
    }
}

#[tokio::test]
async fn a_reset_ends_every_session_at_once() {
    let post = Post::new();
    let grant = post.world.accounts.register(registering("ada@example.com"), &context(HOME)).await.unwrap();
    post.collect().await;
    let token = post.reset_token("ada@example.com").await;
    post.reset(&token, NEW).await.unwrap();
    let now = post.world.clock.now();
    assert!(post.world.authenticator.verify_bearer(grant.access_token.expose(), now).is_err());
    assert!(post.world.accounts.refresh(Some(grant.refresh_token), &context(HOME)).await.is_err());
}

#[tokio::test]
async fn a_weak_password_is_refused_and_the_token_stays_good() {
    let post = Post::new();
    post.register("ada@example.com").await;
    let token = post.reset_token("ada@example.com").await;
    for weak in ["short", "password123", "ada@example.com"] {
        assert!(code(post.reset(&token, weak).await).starts_with("new_password "), "{weak}");
    }
    assert_eq!(post.reset(&token, NEW).await, Ok(()));
}

#[tokio::test]
async fn a_token_that_is_too_old_or_none_of_ours_is_refused() {
    let post = Post::new();
    post.register("ada@example.com").await;
    let token = post.reset_token("ada@example.com").await;
    for wrong in ["", "x", &token.expose()[1..]] {
        assert_eq!(code(post.reset(&Secret::new(wrong.to_owned()), NEW).await), "token invalid_token", "{wrong}");
    }
    assert_eq!(code(post.verify(&token).await), "token invalid_token", "it is for another purpose");
    post.world.clock.advance(HOUR);
    assert_eq!(code(post.reset(&token, NEW).await), "token invalid_token");
}

#[tokio::test]
async fn every_address_is_answered_alike_and_only_an_active_users_gets_a_mail() {
    let post = Post::new();
    let stopped = post.register("stopped@example.com").await;
    let change = UserChange { is_active: Some(false), ..UserChange::default() };
    post.world.change_elsewhere(&stopped.user_id, change).await;
    for email in ["nobody@example.com", "stopped@example.com"] {
        assert_eq!(post.forgot(email).await, Ok(()));
        assert_eq!(post.world.store.waiting_mails().await, Ok(1), "{email}: the same is written for everybody");
        assert!(post.collect().await.is_empty(), "{email}");
    }
    assert_eq!(code(post.forgot("no address").await), "email invalid_email");
}

#[tokio::test]
async fn mail_goes_to_the_stored_address_and_not_to_the_typed_one() {
    let post = Post::new();
    post.register("Ada@example.com").await;
    post.forgot("ａｄａ@EXAMPLE.com").await.unwrap();
    let sent = post.collect().await;
    assert_eq!(sent.iter().map(|(to, _)| to.as_str()).collect::<Vec<_>>(), ["Ada@example.com"]);
}

#[tokio::test]
async fn registering_brings_a_mail_that_verifies_the_address() {
    let post = Post::new();
    let grant = post.world.accounts.register(registering("ada@example.com"), &context(HOME)).await.unwrap();
    let sent = post.collect().await;
    assert_eq!((sent.len(), sent[0].0.as_str()), (1, "ada@example.com"));
    post.verify(&sent[0].1).await.unwrap();
    assert_eq!(code(post.verify(&sent[0].1).await), "token invalid_token");
    let now = post.world.clock.now();
    let caller = post.world.authenticator.verify_bearer(grant.access_token.expose(), now).expect("it ends nothing");
    assert!(post.world.accounts.profile(&caller.principal).await.unwrap().email_verified);
    post.world.accounts.ask_to_verify(&caller.principal, &context(HOME)).await.unwrap();
    assert!(post.collect().await.is_empty(), "there is nothing left to verify");
}

#[tokio::test]
async fn a_new_address_is_unverified_voids_old_links_and_gets_a_mail_of_its_own() {
    let post = Post::new();
    let ada = post.register("ada@example.com").await;
    post.world.accounts.ask_to_verify(&ada, &context(HOME)).await.unwrap();
    let old = post.collect().await.remove(0).1;
    let reset = post.reset_token("ada@example.com").await;
    let change = ProfileChange { email: Some(Some("ada@elsewhere.example".into())), ..ProfileChange::default() };
    let profile = post.world.accounts.change_profile(&ada, &change, &context(HOME)).await.unwrap();
    assert!(!profile.email_verified);
    assert_eq!(code(post.verify(&old).await), "token invalid_token");
    assert_eq!(code(post.reset(&reset, NEW).await), "token invalid_token");
    let sent = post.collect().await;
    assert_eq!((sent.len(), sent[0].0.as_str()), (1, "ada@elsewhere.example"));
    assert_eq!(post.verify(&sent[0].1).await, Ok(()));
}

#[tokio::test]
async fn limits_are_the_same_for_addresses_that_nobody_has() {
    let post = Post::new();
    post.register("ada@example.com").await;
    let rate = |count| Some(Rate { count, per: MINUTE });
    post.world.change_settings(|settings| settings.rates = Rates { mail: rate(2), ..Rates::default() });
    for email in ["ada@example.com", "nobody@example.com"] {
        assert_eq!((post.forgot(email).await, post.forgot(email).await), (Ok(()), Ok(())));
        assert_eq!(post.forgot(email).await, Err(AccountError::Limited { retry_after: MINUTE / 2 }), "{email}");
    }
}

#[tokio::test]
async fn an_address_that_has_had_enough_gets_no_more_and_nobody_is_told() {
    let post = Post::new();
    post.register("ada@example.com").await;
    let rate = |count| Some(Rate { count, per: MINUTE });
    post.world.change_settings(|settings| settings.rates = Rates { mail_account: rate(1), ..Rates::default() });
    let first = post.reset_token("ada@example.com").await;
    assert_eq!(post.forgot("ada@example.com").await, Ok(()));
    assert!(post.collect().await.is_empty());
    assert_eq!(post.reset(&first, NEW).await, Ok(()), "the link that was sent still works");
}

#[tokio::test]
async fn letters_that_the_server_has_taken_are_told_of_though_the_outbox_fails_meanwhile() {
    let replies = Arc::new(Semaphore::new(0));
    let post = Post::sending_by(Mailer::memory_replying(Arc::clone(&replies)));
    for number in 0..5 {
        let email = format!("n{number}@example.com");
        post.world.accounts.register(registering(&email), &context(HOME)).await.unwrap();
    }
    let told = || post.world.events().iter().filter(|event| *event == "mail.sent").count();
    let postman = Arc::clone(&post.postman);
    let delivering = tokio::spawn(async move { postman.deliver_due().await });
    while post.letters.lock().unwrap().len() < 4 {
        yield_now().await;
    }
    post.world.store.close().await;
    // The place of the first is the fifth one's, which can't be claimed any more.
    replies.add_permits(1);
    while told() < 1 {
        yield_now().await;
    }
    replies.add_permits(3);
    assert!(delivering.await.unwrap().is_err());
    assert_eq!(told(), 4);
}

#[tokio::test]
async fn without_mail_nothing_is_written_for_later() {
    let world = World::new();
    world.accounts.register(registering("ada@example.com"), &context(HOME)).await.unwrap();
    assert_eq!(world.store.waiting_mails().await, Ok(0));
}
