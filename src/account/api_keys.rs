//! Keys of users: made, listed, taken back. A key stands for its user with the scopes it was made with, as long as the user's roles
//! grant them; it is shown once. Only who signed in may make one, so that a key that leaked can't multiply.

use std::time::Duration;

use super::error::AccountError;
use super::validate::{Faults, filled};
use super::{Accounts, Context, Subject};
use crate::clock::Timestamp;
use crate::identity::{Principal, Role, Scope, SessionId, UserId};
use crate::secret::Secret;
use crate::store::{ApiKey, KeyEnd, NewApiKey};
use crate::telemetry::audit::Event;
use crate::token::api_key;

/// How many keys a user may have.
pub const MOST: usize = 100;
/// How long a gateway that was away must still hear of a key's end: streams hang on it, nothing else does.
pub const REMEMBERED: Duration = Duration::from_hours(1);

const MAX_NAME_CHARS: usize = 100;
/// Ten years: a number that is longer is a mistake.
const LONGEST: Duration = Duration::from_hours(10 * 366 * 24);

/// A key that is wanted.
#[derive(Clone, Debug, Default)]
pub struct WantedKey {
    pub name: Option<String>,
    pub scopes: Vec<String>,
    /// `None`: it never expires.
    pub expires_in: Option<Duration>,
}

/// A key that was just made.
#[derive(Clone, Debug)]
pub struct MadeKey {
    pub record: ApiKey,
    /// The only time it is known.
    pub key: Secret<String>,
}

impl WantedKey {
    /// Returns the record of the key for somebody who may give it the scopes `granted`.
    pub fn judge(&self, user: &UserId, granted: &[Scope], now: Timestamp) -> Result<ApiKey, AccountError> {
        let mut faults = Faults::default();
        let name = filled(self.name.as_deref()).unwrap_or_default();
        if name.is_empty() {
            faults.missing("name");
        } else if name.chars().count() > MAX_NAME_CHARS || name.contains(char::is_control) {
            let message = format!("at most {MAX_NAME_CHARS} characters, and no control characters");
            faults.note("name", "invalid_name", message);
        }
        let scopes: Vec<Scope> = self.scopes.iter().filter_map(|scope| Scope::parse(scope)).collect();
        if scopes.len() < self.scopes.len() || scopes.iter().any(|scope| !granted.contains(scope)) {
            let names: Vec<&str> = granted.iter().map(Scope::as_str).collect();
            let message = format!("only scopes that are yours: {}", names.join(" "));
            faults.note("scopes", "invalid_scope", message);
        }
        if self.expires_in.is_some_and(|span| span.is_zero() || span > LONGEST) {
            faults.note("expires_in", "invalid_lifetime", "expected 1 second to 10 years, or nothing");
        }
        faults.finish()?;
        Ok(ApiKey {
            id: SessionId::random(),
            user_id: user.clone(),
            name: name.to_owned(),
            scopes,
            created_at: now,
            expires_at: self.expires_in.map(|span| now.plus(span)),
            last_used_at: None,
        })
    }
}

impl MadeKey {
    /// Returns a new key with that record.
    pub fn new(record: ApiKey) -> Self {
        Self { record, key: api_key::new() }
    }

    /// Returns what the store keeps of it.
    pub fn to_store(&self) -> NewApiKey {
        NewApiKey { key: self.record.clone(), hash: api_key::digest(self.key.expose()), most: MOST }
    }
}

impl Accounts {
    /// Returns the caller's keys, newest first.
    pub async fn api_keys(&self, principal: &Principal) -> Result<Vec<ApiKey>, AccountError> {
        Ok(self.store.list_api_keys(Some(&principal.user_id)).await?)
    }

    pub async fn make_api_key(
        &self,
        principal: &Principal,
        wanted: &WantedKey,
        context: &Context,
    ) -> Result<MadeKey, AccountError> {
        let user = self.user_of(principal).await?;
        let granted = self.granted_to(principal, &user.roles);
        let made = MadeKey::new(wanted.judge(&user.id, &granted, self.clock.now())?);
        self.store.insert_api_key(made.to_store()).await?;
        let subject = Subject { session: Some(made.record.id), ..Subject::user(&user.id) };
        self.record(Event::ApiKeyCreated, &subject, context);
        Ok(made)
    }

    /// Returns the scopes that a key may have: a narrowed session can't widen itself by one.
    fn granted_to(&self, principal: &Principal, roles: &[Role]) -> Vec<Scope> {
        let mut granted = self.settings.current().scopes_of(roles);
        granted.retain(|scope| principal.scopes.contains(scope));
        granted
    }

    /// Takes one of the caller's own keys back, at once; anybody else's is not found.
    pub async fn revoke_api_key(
        &self,
        principal: &Principal,
        id: SessionId,
        context: &Context,
    ) -> Result<(), AccountError> {
        let now = self.clock.now();
        let end = KeyEnd { now, remember_until: now.plus(REMEMBERED) };
        let user = &principal.user_id;
        if !self.store.delete_api_key(user, id, end).await? {
            return Err(AccountError::SessionNotFound);
        }
        self.feed.catch_up().await?;
        self.record(Event::ApiKeyRevoked, &Subject { session: Some(id), ..Subject::user(user) }, context);
        Ok(())
    }
}
