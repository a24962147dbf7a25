//! Rules that no endpoint shows whole: limits over time and networks, what the feed tells, what survives a restart.

use std::time::Duration;

use super::fixture::{MINUTE, PASSWORD, World, context, login, registering, roles};
use super::{AccountError, Accounts, Field, Leaving, Parts, Rates};
use crate::auth::revocation::Ended;
use crate::clock::Timestamp;
use crate::identity::Principal;
use crate::limit::bucket::Rate;
use crate::password::hash::{Cost, Hasher};
use crate::secret::Secret;
use crate::store::{UserChange, UserKey};

const HOME: &str = "192.0.2.1";

const fn rate(count: u32) -> Rate {
    Rate { count, per: MINUTE }
}

fn principal(world: &World, token: &Secret<String>) -> Principal {
    world.authenticator.verify_bearer(token.expose(), world.clock.now()).unwrap().principal.clone()
}

async fn wrong(world: &World, name: &str, ip: &str) -> AccountError {
    world.accounts.login(login(name, "wrong password"), &context(ip)).await.unwrap_err()
}

#[tokio::test]
async fn every_alias_of_an_account_shares_one_limit() {
    let world = World::new();
    world.change_settings(|settings| settings.rates.login = Some(rate(4)));
    let mut ada = registering("Ada@Example.com");
    ada.username = Some("Ada".into());
    world.accounts.register(ada, &context(HOME)).await.unwrap();
    for alias in ["ada@example.com", "ADA@EXAMPLE.COM", "ada", "\u{ff21}\u{ff24}\u{ff21}"] {
        assert_eq!(wrong(&world, alias, HOME).await, AccountError::InvalidCredentials, "{alias}");
    }
    for alias in ["ada@example.com", "ADA"] {
        assert!(matches!(wrong(&world, alias, HOME).await, AccountError::Limited { .. }), "{alias}");
        let right = world.accounts.login(login(alias, PASSWORD), &context(HOME)).await;
        assert!(matches!(right, Err(AccountError::Limited { .. })), "a right guess past the limit told itself");
    }
}

#[tokio::test]
async fn an_account_that_does_not_exist_reaches_its_limit_like_one_that_does() {
    let world = World::new();
    world.change_settings(|settings| settings.rates.login = Some(rate(3)));
    world.accounts.register(registering("ada@example.com"), &context("198.51.100.7")).await.unwrap();
    let mut answers = Vec::new();
    for name in ["ada@example.com", "nobody@example.com", "nobody", "no such name!"] {
        let mut errors = Vec::new();
        for _ in 0..5 {
            errors.push(wrong(&world, name, HOME).await);
        }
        answers.push(errors);
    }
    assert!(answers.iter().all(|errors| *errors == answers[0]), "{answers:?}");
    assert!(matches!(answers[0][2], AccountError::InvalidCredentials));
    assert!(matches!(answers[0][3], AccountError::Limited { .. }));
}

#[tokio::test]
async fn strangers_can_not_lock_an_account_out_of_a_network_it_signs_in_from() {
    let world = World::new();
    world.change_settings(|settings| {
        settings.rates = Rates { login_account: Some(rate(3)), ..Rates::default() };
    });
    world.accounts.register(registering("ada@example.com"), &context(HOME)).await.unwrap();
    for host in 1..=3 {
        assert_eq!(
            wrong(&world, "ada@example.com", &format!("203.0.113.{host}")).await,
            AccountError::InvalidCredentials
        );
    }
    assert!(matches!(wrong(&world, "ada@example.com", "203.0.113.9").await, AccountError::Limited { .. }));
    assert!(world.accounts.login(login("ada@example.com", PASSWORD), &context(HOME)).await.is_ok());
}

#[tokio::test]
async fn a_restart_forgets_no_network_that_has_a_live_session() {
    let world = World::new();
    world.change_settings(|settings| {
        settings.rates = Rates { login_account: Some(rate(1)), ..Rates::default() };
    });
    world.accounts.register(registering("ada@example.com"), &context(HOME)).await.unwrap();
    let restarted = restarted(&world);
    restarted.login(login("ada@example.com", "wrong password"), &context("203.0.113.1")).await.unwrap_err();
    let stranger = restarted.login(login("ada@example.com", PASSWORD), &context("203.0.113.2")).await;
    assert!(matches!(stranger, Err(AccountError::Limited { .. })));
    assert!(restarted.login(login("ada@example.com", PASSWORD), &context(HOME)).await.is_ok());
}

/// Returns the use cases as another process on the same store would have them.
fn restarted(world: &World) -> Accounts {
    let hasher = Hasher::new(Cost { memory_kib: 128, iterations: 1, parallelism: 1 });
    Accounts::new(Parts {
        store: world.store.clone(),
        hashers: std::sync::Arc::new(super::Hashers::start(hasher, std::num::NonZeroUsize::MIN).unwrap()),
        trust: world.trust.clone(),
        revocations: std::sync::Arc::default(),
        settings: world.settings.clone(),
        audit: world.audit.clone(),
        clock: world.clock.clone(),
    })
}

#[tokio::test]
async fn right_passwords_cost_no_attempts_and_parallel_guesses_cost_one_each() {
    let world = World::new();
    world.change_settings(|settings| settings.rates = Rates { login: Some(rate(5)), ..Rates::default() });
    world.accounts.register(registering("ada@example.com"), &context(HOME)).await.unwrap();
    for _ in 0..8 {
        world.accounts.login(login("ada@example.com", PASSWORD), &context(HOME)).await.unwrap();
    }
    let guesses = (0..20).map(|_| wrong(&world, "ada@example.com", HOME));
    let answers = futures_util::future::join_all(guesses).await;
    let looked_at = answers.iter().filter(|answer| **answer == AccountError::InvalidCredentials).count();
    assert_eq!(looked_at, 5);
    world.clock.advance(MINUTE);
    assert!(world.accounts.login(login("ada@example.com", PASSWORD), &context(HOME)).await.is_ok());
}

#[tokio::test]
async fn registrations_are_counted_per_network() {
    let world = World::new();
    world.change_settings(|settings| settings.rates.register = Some(rate(1)));
    world.accounts.register(registering("a@example.com"), &context(HOME)).await.unwrap();
    let second = world.accounts.register(registering("b@example.com"), &context(HOME)).await;
    assert!(matches!(second, Err(AccountError::Limited { .. })));
    assert!(world.accounts.register(registering("b@example.com"), &context("192.0.2.2")).await.is_ok());
}

#[tokio::test]
async fn a_change_made_by_another_process_reaches_tokens_that_are_out() {
    let world = World::new();
    let grant = world.accounts.register(registering("ada@example.com"), &context(HOME)).await.unwrap();
    assert_eq!(principal(&world, &grant.access_token).roles, []);
    let promoted = UserChange { roles: Some(roles(&["editor"])), ..UserChange::default() };
    world.change_elsewhere(&grant.user.id, promoted).await;
    let now = principal(&world, &grant.access_token);
    assert_eq!((now.roles.len(), now.scopes[0].as_str()), (1, "docs:write"));
    let disabled = UserChange { is_active: Some(false), ..UserChange::default() };
    world.change_elsewhere(&grant.user.id, disabled).await;
    assert!(world.authenticator.verify_bearer(grant.access_token.expose(), world.clock.now()).is_err());
}

#[tokio::test]
async fn a_restart_forgets_no_ended_session_and_no_changed_user() {
    let world = World::new();
    let ended = world.accounts.register(registering("ada@example.com"), &context(HOME)).await.unwrap();
    let disabled = world.accounts.register(registering("eve@example.com"), &context(HOME)).await.unwrap();
    let caller = principal(&world, &ended.access_token);
    world.accounts.logout(Leaving::Caller(&caller), &context(HOME)).await.unwrap();
    let change = UserChange { is_active: Some(false), ..UserChange::default() };
    world.change_elsewhere(&disabled.user.id, change).await;

    let revocations = std::sync::Arc::new(crate::auth::Revocations::new());
    let feed = super::Feed::new(world.store.clone(), revocations.clone(), world.settings.clone(), world.clock.clone());
    feed.catch_up().await.unwrap();
    let after = crate::auth::Authenticator::new(world.trust.clone(), revocations, 100);
    for grant in [&ended, &disabled] {
        assert!(after.verify_bearer(grant.access_token.expose(), world.clock.now()).is_err());
    }
}

#[tokio::test]
async fn whoever_follows_the_feed_hears_of_a_session_that_another_process_ended() {
    let world = World::new();
    let grant = world.accounts.register(registering("ada@example.com"), &context(HOME)).await.unwrap();
    let mut ended = world.authenticator.revocations().ended();
    let accounts = world.accounts.clone();
    let follower = tokio::spawn(async move { accounts.feed().follow().await });
    assert!(world.store.end_session(grant.session, world.clock.now()).await.unwrap());
    let heard = tokio::time::timeout(Duration::from_secs(30), ended.recv()).await;
    assert_eq!(heard.unwrap().unwrap(), Ended::Session(grant.session));
    assert!(world.authenticator.verify_bearer(grant.access_token.expose(), world.clock.now()).is_err());
    follower.abort();
}

#[tokio::test]
async fn what_no_live_token_can_need_is_forgotten_and_what_one_could_is_not() {
    let world = World::new();
    let grant = world.accounts.register(registering("ada@example.com"), &context(HOME)).await.unwrap();
    let caller = principal(&world, &grant.access_token);
    world.accounts.logout(Leaving::Caller(&caller), &context(HOME)).await.unwrap();
    world.accounts.feed().forget_expired().await.unwrap();
    assert_eq!(world.store.changes_after(0).await.unwrap().len(), 1);
    world.clock.advance(8 * 24 * 60 * MINUTE);
    world.accounts.feed().forget_expired().await.unwrap();
    assert_eq!(world.store.changes_after(0).await.unwrap(), []);
}

#[tokio::test]
async fn a_hash_of_another_cost_is_replaced_at_the_next_sign_in() {
    let world = World::new();
    let grant = world.accounts.register(registering("ada@example.com"), &context(HOME)).await.unwrap();
    let stored = async || {
        let user = world.store.find_user(&UserKey::Id(grant.user.id.clone())).await.unwrap().unwrap();
        (user.password_hash.unwrap(), user.password_changed_at)
    };
    let before = stored().await;
    let costlier = restarted(&world);
    costlier.login(login("ada@example.com", PASSWORD), &context(HOME)).await.unwrap();
    let after = stored().await;
    assert_ne!(before.0, after.0);
    assert_eq!(before.1, after.1);
    costlier.login(login("ada@example.com", PASSWORD), &context(HOME)).await.unwrap();
    assert_eq!(stored().await, after, "a hash of today's cost was replaced");
}

#[tokio::test]
async fn a_store_that_is_closed_is_an_error_and_never_a_success() {
    let world = World::new();
    let grant = world.accounts.register(registering("ada@example.com"), &context(HOME)).await.unwrap();
    let caller = principal(&world, &grant.access_token);
    world.store.close().await;
    let here = context(HOME);
    let logout = world.accounts.logout(Leaving::Caller(&caller), &here).await;
    assert!(matches!(logout, Err(AccountError::Unavailable(_))));
    let revoked = world.accounts.revoke(&grant.refresh_token, &here).await;
    assert!(matches!(revoked, Err(AccountError::Unavailable(_))));
    let refreshed = world.accounts.refresh(Some(grant.refresh_token), &here).await;
    assert!(matches!(refreshed, Err(AccountError::Unavailable(_))));
}

#[tokio::test]
async fn every_session_and_account_event_leaves_a_line_that_holds_no_secret() {
    let world = World::new();
    let here = context(HOME);
    let grant = world.accounts.register(registering("ada@example.com"), &here).await.unwrap();
    let caller = principal(&world, &grant.access_token);
    wrong(&world, "ada@example.com", HOME).await;
    let second = world.accounts.login(login("ada@example.com", PASSWORD), &here).await.unwrap();
    let third = world.accounts.refresh(Some(second.refresh_token.clone()), &here).await.unwrap();
    world.clock.advance(MINUTE);
    world.accounts.refresh(Some(second.refresh_token.clone()), &here).await.unwrap_err();
    let new = Secret::new("another horse battery".to_owned());
    let current = Secret::new(PASSWORD.to_owned());
    world.accounts.change_password(&caller, Some(current), Some(new.clone()), &here).await.unwrap();
    world.accounts.delete_account(&caller, Some(new), &here).await.unwrap();
    let expected = [
        "user.registered",
        "login.failed",
        "login.succeeded",
        "session.refreshed",
        "session.reuse_detected",
        "session.ended",
        "password.changed",
        "session.ended",
        "user.deleted",
    ];
    assert_eq!(world.events(), expected);
    let trail = world.audit.collected().concat();
    for secret in [PASSWORD, "wrong password", third.refresh_token.expose(), third.access_token.expose()] {
        assert!(!trail.contains(secret));
    }
    assert!(!trail.contains("ada@"));
}

#[tokio::test]
async fn a_user_without_a_required_name_still_needs_one_of_the_two() {
    let world = World::new();
    world.change_settings(|settings| settings.required_fields = Vec::new());
    let nameless = world.accounts.register(registering("  "), &context(HOME)).await;
    assert_eq!(nameless.unwrap_err(), AccountError::missing("email"));
    world.change_settings(|settings| settings.required_fields = vec![Field::Username, Field::Phone]);
    let error = world.accounts.register(registering("ada@example.com"), &context(HOME)).await.unwrap_err();
    let AccountError::Invalid(faults) = error else { panic!("{error:?}") };
    assert_eq!(faults.iter().map(|fault| fault.field.as_ref()).collect::<Vec<_>>(), ["username", "phone"]);
}

#[tokio::test]
async fn a_session_never_outlives_its_longest_span() {
    let world = World::new();
    world.change_settings(|settings| settings.refresh.session_max = MINUTE);
    let start = world.clock.now();
    let grant = world.accounts.register(registering("ada@example.com"), &context(HOME)).await.unwrap();
    let live = world.accounts.inspect_refresh(&grant.refresh_token).await.unwrap().unwrap();
    assert!(live.expires_at <= start.plus(MINUTE));
    assert!(live.expires_at > Timestamp::default());
    world.clock.advance(MINUTE);
    let refreshed = world.accounts.refresh(Some(grant.refresh_token), &context(HOME)).await;
    assert_eq!(refreshed.unwrap_err(), AccountError::InvalidToken);
}
