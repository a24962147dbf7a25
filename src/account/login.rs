//! Signing in with a password, and proving it again where an endpoint asks for it.
//! Unknown user, wrong password, disabled user and user without a password do the same work and get the same answer.

use std::time::{Duration, Instant};

use super::error::AccountError;
use super::grant::{Grant, Reach};
use super::limits::{AccountKey, Attempt, Exceeded, FAMILIAR_FOR, Network};
use super::validate::{Faults, filled};
use super::{Accounts, Context, Subject};
use crate::clock::{Clock, Timestamp};
use crate::identity::email::Email;
use crate::identity::username::Username;
use crate::identity::{Scope, UserId};
use crate::password::hash::Check;
use crate::secret::Secret;
use crate::store::{NewSession, StoreError, User, UserKey};
use crate::telemetry::audit::Event;

/// A refused sign-in is answered a whole number of these after it came: microseconds that a record which is found, or a hash
/// that is read, takes longer than none can't be seen from outside.
const REFUSAL_STEP: Duration = Duration::from_millis(5);

/// What somebody typed to sign in: one of the two names, and the password.
#[derive(Clone, Debug, Default)]
pub struct Login {
    pub email: Option<String>,
    pub username: Option<String>,
    pub password: Option<Secret<String>>,
    /// What the session is to be limited to (RFC 6749 section 3.3); `None`: all that the roles grant.
    pub scopes: Option<Vec<Scope>>,
}

impl Login {
    fn judge(self) -> Result<(Name, Secret<String>), AccountError> {
        let mut faults = Faults::default();
        let (email, username) = (filled(self.email.as_deref()), filled(self.username.as_deref()));
        if email.is_some() && username.is_some() {
            faults.note("username", "ambiguous", "give `email` or `username`, not both");
        }
        let name = email.or(username).map(Name::read);
        if name.is_none() {
            faults.missing("email");
        }
        if self.password.is_none() {
            faults.missing("password");
        }
        faults.finish()?;
        Ok((name.expect("its absence is a fault"), self.password.expect("its absence is a fault")))
    }
}

/// A typed name. A user name has no `@`, so the text alone says which it is.
enum Name {
    Email(Email),
    Username(Username),
    /// What no account can be called.
    Impossible(String),
}

impl Name {
    fn read(typed: &str) -> Self {
        let parsed = if typed.contains('@') {
            Email::parse(typed).map(Self::Email).ok()
        } else {
            Username::parse(typed).map(Self::Username).ok()
        };
        parsed.unwrap_or_else(|| Self::Impossible(typed.to_owned()))
    }

    fn store_key(&self) -> Option<UserKey> {
        match self {
            Self::Email(email) => Some(UserKey::Email(email.clone())),
            Self::Username(username) => Some(UserKey::Username(username.clone())),
            Self::Impossible(_) => None,
        }
    }

    fn text(&self) -> &str {
        match self {
            Self::Email(email) => email.key(),
            Self::Username(username) => username.key(),
            Self::Impossible(typed) => typed,
        }
    }
}

/// Somebody who says they are an account's owner.
pub(super) struct Claimant {
    account: AccountKey,
    user: Option<User>,
}

impl Claimant {
    pub(super) fn known(user: User) -> Self {
        Self { account: AccountKey::User(user.id.clone()), user: Some(user) }
    }

    fn reason(&self) -> &'static str {
        match &self.user {
            None => "unknown_user",
            Some(user) if !user.is_active => "disabled",
            Some(user) if user.password_hash.is_none() => "no_password",
            Some(_) => "wrong_password",
        }
    }
}

/// A user whose password was just shown to be right.
pub(super) struct Proven {
    pub user: User,
    /// The hash that the password was checked against.
    pub hash: String,
    due_for_upgrade: bool,
}

fn until_next_step(came: Instant) -> Duration {
    let step = REFUSAL_STEP.as_nanos();
    let late = came.elapsed().as_nanos() % step;
    Duration::from_nanos(u64::try_from(step - late).expect("a step is short"))
}

impl Accounts {
    /// Returns the grant of a new session.
    pub async fn login(&self, login: Login, context: &Context) -> Result<Grant, AccountError> {
        let came = Clock::monotonic();
        let asked = login.scopes.clone();
        let (name, password) = login.judge()?;
        let user = match name.store_key() {
            Some(key) => self.store.find_user(&key).await?,
            None => None,
        };
        let claimant = match user {
            Some(user) => Claimant::known(user),
            None => Claimant { account: AccountKey::unknown(name.text()), user: None },
        };
        let proven = match self.prove(claimant, &password, context).await {
            Err(refusal @ AccountError::InvalidCredentials) => {
                tokio::time::sleep(until_next_step(came)).await;
                return Err(refusal);
            }
            otherwise => otherwise?,
        };
        if proven.due_for_upgrade {
            self.upgrade_hash(&proven, &password).await;
        }
        let user = proven.user;
        let now = self.clock.now();
        let limit = asked.map(|asked| self.limit_of(&user, &asked)).transpose()?;
        let beginning = self.begin_session(&user.id, Some(user.password_changed_at), context, now);
        let session = NewSession { scopes: limit, ..beginning.session };
        self.store.insert_session(session.clone()).await.map_err(|error| match error {
            // Disabled, or given another password, since we looked.
            StoreError::NotFound => AccountError::InvalidCredentials,
            other => other.into(),
        })?;
        self.limits.remember(&user.id, context.network, now);
        let subject = Subject { session: Some(session.id), ..Subject::user(&user.id) };
        self.record(Event::LoginSucceeded, &subject, context);
        let refresh_token = self.refresh_token(&user.id, session.id, &beginning.jti, &session.refresh);
        Ok(self.grant(&user, Reach::of(session.id, session.scopes.as_ref()), refresh_token, now))
    }

    /// Returns what of `asked` the user's roles grant; something must be left.
    fn limit_of(&self, user: &User, asked: &[Scope]) -> Result<Vec<Scope>, AccountError> {
        let mut granted = self.settings.current().scopes_of(&user.roles);
        granted.retain(|scope| asked.contains(scope));
        if granted.is_empty() { Err(AccountError::InvalidScope) } else { Ok(granted) }
    }

    /// Returns the claimant's account if `password` opens it; counted by the login limits.
    pub(super) async fn prove(
        &self,
        claimant: Claimant,
        password: &Secret<String>,
        context: &Context,
    ) -> Result<Proven, AccountError> {
        let rates = self.settings.current().rates;
        let now = self.clock.now();
        let attempt = self.count_attempt(&claimant, context, now).await?;
        let reason = claimant.reason();
        let user = claimant.user;
        let hash = user.as_ref().filter(|user| user.is_active).and_then(|user| user.password_hash.clone());
        let check = self
            .hashers
            .check(password, hash.as_deref())
            .await
            .inspect_err(|_busy| self.limits.forgive(&rates, &attempt, now))?;
        match (check, user, hash) {
            (Check::Right { upgrade }, Some(user), Some(hash)) => {
                self.limits.forgive(&rates, &attempt, self.clock.now());
                Ok(Proven { user, hash, due_for_upgrade: upgrade })
            }
            (Check::Right { .. } | Check::Wrong, user, _) => {
                let subject = Subject { user: user.as_ref().map(|user| &user.id), reason: Some(reason), session: None };
                self.record(Event::LoginFailed, &subject, context);
                Err(AccountError::InvalidCredentials)
            }
        }
    }

    /// Counts an attempt before its hash runs, so that parallel guesses can't share one.
    async fn count_attempt(
        &self,
        claimant: &Claimant,
        context: &Context,
        now: Timestamp,
    ) -> Result<Attempt, AccountError> {
        let rates = self.settings.current().rates;
        let account = claimant.account.clone();
        let network = self.limits.recall(&account, context.network, now);
        let mut attempt = Attempt { account, from: context.network, network };
        let mut counted = self.limits.begin(&rates, &attempt, now);
        if matches!(counted, Err(Exceeded::Account(_))) && self.has_session_from(&attempt, now).await? {
            attempt.network = Network::Familiar;
            counted = self.limits.begin(&rates, &attempt, now);
        }
        counted.map_err(|exceeded| {
            let user = claimant.user.as_ref().map(|user| &user.id);
            self.record(Event::LoginLimited, &Subject { user, ..Subject::default() }, context);
            AccountError::Limited { retry_after: exceeded.retry_after() }
        })?;
        Ok(attempt)
    }

    /// Returns whether the account has a live session from the attempt's network: what is remembered in memory alone is
    /// lost at a restart. Asked for unknown accounts too, so that the time tells nothing.
    async fn has_session_from(&self, attempt: &Attempt, now: Timestamp) -> Result<bool, AccountError> {
        let user = match &attempt.account {
            AccountKey::User(user) => user.clone(),
            AccountKey::Unknown(_) => UserId::random(),
        };
        let sessions = self.store.list_sessions(Some(&user), now).await?;
        Ok(sessions.iter().any(|session| {
            let ip = session.origin.ip.parse::<std::net::IpAddr>();
            now.since(session.last_used_at) < FAMILIAR_FOR
                && ip.is_ok_and(|ip| attempt.from.contains(&ip.to_canonical()))
        }))
    }

    /// Stores the hash at today's cost; failing to leaves the old one, and the next sign-in tries again.
    async fn upgrade_hash(&self, proven: &Proven, password: &Secret<String>) {
        let Ok(hash) = self.hashers.hash(password).await else { return };
        if let Err(error) = self.store.upgrade_hash(&proven.user.id, &proven.hash, &hash).await {
            tracing::warn!(user.id = %proven.user.id, %error, "a password hash could not be upgraded");
        }
    }
}
