//! Sessions held against a model of them: random sign-ins, refreshes with new and old tokens, departures, disablings,
//! password changes and waits, over a real store. A session that lives has exactly one usable refresh token; once it has
//! ended nothing of it works, on the node that knows and on one that starts from the store.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::fixture::{MINUTE, PASSWORD, World, context, login, registering};
use super::{AccountError, Feed, Grant, Leaving, Rates};
use crate::auth::{Authenticator, Revocations};
use crate::clock::Timestamp;
use crate::identity::{Principal, SessionId, UserId};
use crate::secret::Secret;
use crate::store::UserChange;

const HOME: &str = "192.0.2.1";
const NAMES: [&str; 2] = ["ada@example.com", "eve@example.com"];
const DAY: Duration = Duration::from_hours(24);

/// Indices are taken modulo what there is.
#[derive(Clone, Debug)]
enum Step {
    SignIn {
        user: usize,
        wrongly: bool,
    },
    /// Presents the session's refresh token that lies so far back in its chain.
    Refresh {
        session: usize,
        back: usize,
    },
    Leave {
        session: usize,
        by_refresh: bool,
    },
    LeaveAll {
        session: usize,
    },
    EndOther {
        session: usize,
        other: usize,
    },
    ChangePassword {
        session: usize,
        wrongly: bool,
    },
    Activate {
        user: usize,
        active: bool,
    },
    Wait(Duration),
    Tidy,
}

fn step() -> impl Strategy<Value = Step> {
    let index = || 0_usize..8;
    let waits = [1, 9, 10, 600, 1200].map(Duration::from_secs).into_iter().chain([3 * DAY, 7 * DAY, 13 * DAY]);
    prop_oneof![
        3 => (index(), prop::bool::weighted(0.2)).prop_map(|(user, wrongly)| Step::SignIn { user, wrongly }),
        8 => (index(), prop_oneof![6 => Just(0_usize), 3 => Just(1), 1 => Just(2)])
            .prop_map(|(session, back)| Step::Refresh { session, back }),
        1 => (index(), any::<bool>()).prop_map(|(session, by_refresh)| Step::Leave { session, by_refresh }),
        1 => index().prop_map(|session| Step::LeaveAll { session }),
        1 => (index(), index()).prop_map(|(session, other)| Step::EndOther { session, other }),
        1 => (index(), any::<bool>()).prop_map(|(session, wrongly)| Step::ChangePassword { session, wrongly }),
        1 => (index(), any::<bool>()).prop_map(|(user, active)| Step::Activate { user, active }),
        5 => prop::sample::select(waits.collect::<Vec<_>>()).prop_map(Step::Wait),
        1 => Just(Step::Tidy),
    ]
}

struct ModelUser {
    id: UserId,
    is_active: bool,
    password: String,
}

struct Token {
    text: Secret<String>,
    expires_at: Timestamp,
}

struct ModelSession {
    id: SessionId,
    user: usize,
    begun_at: Timestamp,
    rotated_at: Timestamp,
    /// Every refresh token it had, the newest last.
    chain: Vec<Token>,
    access: Vec<Token>,
    has_ended: bool,
}

struct Model {
    world: World,
    users: Vec<ModelUser>,
    sessions: Vec<ModelSession>,
}

impl Model {
    async fn new() -> Self {
        let world = World::new();
        world.change_settings(|settings| settings.rates = Rates::default());
        let mut model = Self { world, users: Vec::new(), sessions: Vec::new() };
        for (user, name) in NAMES.iter().enumerate() {
            let grant = model.world.accounts.register(registering(name), &context(HOME)).await.unwrap();
            model.users.push(ModelUser { id: grant.user.id.clone(), is_active: true, password: PASSWORD.into() });
            model.begin(user, grant);
        }
        model
    }

    fn now(&self) -> Timestamp {
        self.world.clock.now()
    }

    fn begin(&mut self, user: usize, grant: Grant) {
        let now = self.now();
        let mut session = ModelSession {
            id: grant.session,
            user,
            begun_at: now,
            rotated_at: now,
            chain: Vec::new(),
            access: Vec::new(),
            has_ended: false,
        };
        session.receive(grant, now);
        self.sessions.push(session);
    }

    async fn take(&mut self, step: Step) {
        let (users, sessions) = (self.users.len(), self.sessions.len());
        match step {
            Step::SignIn { user, wrongly } => self.sign_in(user % users, wrongly).await,
            Step::Refresh { session, back } => self.refresh(session % sessions, back).await,
            Step::Leave { session, by_refresh } => self.leave(session % sessions, by_refresh).await,
            Step::LeaveAll { session } => self.leave_all(session % sessions).await,
            Step::EndOther { session, other } => self.end_other(session % sessions, other % sessions).await,
            Step::ChangePassword { session, wrongly } => self.change_password(session % sessions, wrongly).await,
            Step::Activate { user, active } => self.activate(user % users, active).await,
            Step::Wait(span) => self.world.clock.advance(span),
            Step::Tidy => self.world.accounts.feed().forget_expired().await.unwrap(),
        }
    }

    async fn sign_in(&mut self, user: usize, wrongly: bool) {
        let password = if wrongly { "not this one" } else { &self.users[user].password };
        let answer = self.world.accounts.login(login(NAMES[user], password), &context(HOME)).await;
        if wrongly || !self.users[user].is_active {
            assert_eq!(answer.unwrap_err(), AccountError::InvalidCredentials);
        } else {
            self.begin(user, answer.unwrap());
        }
    }

    async fn refresh(&mut self, at: usize, back: usize) {
        let now = self.now();
        let session = &mut self.sessions[at];
        let newest = session.chain.len() - 1;
        let which = newest.saturating_sub(back);
        let token = session.chain[which].text.clone();
        let answer = self.world.accounts.refresh(Some(token), &context(HOME)).await;
        if session.has_ended || session.chain[which].expires_at <= now {
            assert_eq!(answer.unwrap_err(), AccountError::InvalidToken);
        } else if which == newest {
            session.rotated_at = now;
            session.receive(answer.unwrap(), now);
        } else if which + 1 == newest && now.since(session.rotated_at) < Duration::from_secs(10) {
            let grant = answer.unwrap();
            assert_eq!(grant.refresh_token.expose(), session.chain[newest].text.expose(), "a second successor");
            session.remember_access(grant, now);
        } else {
            assert_eq!(answer.unwrap_err(), AccountError::InvalidToken);
            session.has_ended = true;
        }
    }

    /// Returns whom the session's newest access token stands for, while it is good.
    fn caller(&self, at: usize) -> Option<Principal> {
        let token = self.sessions[at].access.last()?.text.expose();
        self.world.authenticator.verify_bearer(token, self.now()).ok().map(|caller| caller.principal.clone())
    }

    async fn leave(&mut self, at: usize, by_refresh: bool) {
        let accounts = &self.world.accounts;
        if by_refresh {
            let newest = self.sessions[at].chain.last().unwrap();
            let is_in_time = newest.expires_at > self.now();
            accounts.logout(Leaving::Token(newest.text.clone()), &context(HOME)).await.unwrap();
            self.sessions[at].has_ended |= is_in_time;
        } else if let Some(caller) = self.caller(at) {
            accounts.logout(Leaving::Caller(&caller), &context(HOME)).await.unwrap();
            self.sessions[at].has_ended = true;
        }
    }

    async fn leave_all(&mut self, at: usize) {
        let Some(caller) = self.caller(at) else { return };
        self.world.accounts.logout_all(&caller, &context(HOME)).await.unwrap();
        self.end_those_of(self.sessions[at].user, None);
    }

    async fn end_other(&mut self, at: usize, other: usize) {
        let Some(caller) = self.caller(at) else { return };
        let answer = self.world.accounts.end_session(&caller, self.sessions[other].id, &context(HOME)).await;
        let is_own = self.sessions[other].user == self.sessions[at].user;
        if is_own && !self.sessions[other].has_ended && answer.is_ok() {
            self.sessions[other].has_ended = true;
        } else {
            // Ended, somebody else's, or tidied away since the last of its tokens ran out.
            assert_eq!(answer, Err(AccountError::SessionNotFound));
            assert!(!is_own || self.sessions[other].has_ended || self.sessions[other].is_out_of_time(self.now()));
        }
    }

    async fn change_password(&mut self, at: usize, wrongly: bool) {
        let Some(caller) = self.caller(at) else { return };
        let user = self.sessions[at].user;
        let next = format!("a new pass phrase {}", self.sessions.len());
        let current = if wrongly { "not this one".to_owned() } else { self.users[user].password.clone() };
        let (shown, wanted) = (Some(Secret::new(current)), Some(Secret::new(next.clone())));
        let answer = self.world.accounts.change_password(&caller, shown, wanted, &context(HOME)).await;
        if wrongly {
            assert_eq!(answer, Err(AccountError::InvalidCredentials));
            return;
        }
        answer.unwrap();
        self.users[user].password = next;
        self.end_those_of(user, Some(at));
    }

    async fn activate(&mut self, user: usize, active: bool) {
        let change = UserChange { is_active: Some(active), ..UserChange::default() };
        self.world.change_elsewhere(&self.users[user].id, change).await;
        self.users[user].is_active = active;
        if !active {
            self.end_those_of(user, None);
        }
    }

    fn end_those_of(&mut self, user: usize, keep: Option<usize>) {
        for (at, session) in self.sessions.iter_mut().enumerate() {
            session.has_ended |= session.user == user && Some(at) != keep;
        }
    }

    async fn check_refresh_tokens(&self) {
        let now = self.now();
        for session in &self.sessions {
            let newest = session.chain.len() - 1;
            for (at, token) in session.chain.iter().enumerate() {
                let found = self.world.accounts.inspect_refresh(&token.text).await.unwrap();
                let is_usable = at == newest && !session.has_ended && token.expires_at > now;
                assert_eq!(found.is_some(), is_usable, "token {at} of {newest}, ended: {}", session.has_ended);
            }
        }
    }

    fn check_access_tokens(&self, node: &Authenticator) {
        let now = self.now();
        for session in &self.sessions {
            for token in &session.access {
                let is_good = node.verify_bearer(token.text.expose(), now).is_ok();
                assert_eq!(is_good, !session.has_ended && token.expires_at > now, "ended: {}", session.has_ended);
            }
        }
    }

    /// Returns what a node that starts now makes of the store.
    async fn restarted(&self) -> Authenticator {
        let World { store, settings, clock, trust, .. } = &self.world;
        let revocations = Arc::new(Revocations::new());
        Feed::new(store.clone(), revocations.clone(), settings.clone(), clock.clone()).catch_up().await.unwrap();
        Authenticator::new(trust.clone(), revocations, 100)
    }
}

impl ModelSession {
    fn receive(&mut self, grant: Grant, now: Timestamp) {
        let expires_at = now.plus(7 * DAY).min(self.begun_at.plus(30 * DAY));
        self.chain.push(Token { text: grant.refresh_token.clone(), expires_at });
        self.remember_access(grant, now);
    }

    fn remember_access(&mut self, grant: Grant, now: Timestamp) {
        self.access.push(Token { text: grant.access_token, expires_at: now.plus(15 * MINUTE) });
    }

    fn is_out_of_time(&self, now: Timestamp) -> bool {
        self.chain.iter().chain(&self.access).all(|token| token.expires_at <= now)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_live_session_has_one_usable_refresh_token_and_nothing_works_of_one_that_ended(
        steps in prop::collection::vec(step(), 1..40),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut model = Model::new().await;
            for step in steps {
                model.take(step).await;
                model.check_refresh_tokens().await;
                model.check_access_tokens(&model.world.authenticator);
            }
            model.check_access_tokens(&model.restarted().await);
        });
    }
}
