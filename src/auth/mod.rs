//! Turns a presented credential into a caller: bearer tokens, ours or a trusted issuer's, keys of users, the cache of verified
//! ones, and what has been revoked. Serving stands on it; the store is read for what only it knows ([`Directory`]) and never
//! written but for when a key was last used. Whoever changes accounts tells [`Revocations`].

pub mod bearer;
mod cache;
mod directory;
pub mod issuers;
pub mod key_set;
pub mod revocation;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::clock::Timestamp;
use crate::identity::email::Email;
use crate::identity::username::Username;
use crate::identity::{Caller, ExternalId, Principal, Scope, SessionId, UserId};
use crate::live::Live;
use crate::store::UserKey;
use crate::token::api_key;
use crate::token::claims::{self, Expected, TokenError};
use crate::token::foreign::AccountName;
use crate::token::key::KeySet;

pub use cache::CacheCounts;
pub use directory::{Directory, Unavailable};
pub use issuers::{Issuers, TrustedIssuer};
pub use revocation::Revocations;

use cache::{Known, Source, TokenCache, TokenHash};
use directory::{FRESHNESS, Found, Question};
use revocation::{Looked, Standing};

/// What tokens are signed with and held against: one snapshot, swapped whole at reload and key rotation.
#[derive(Debug)]
pub struct Trust {
    pub access: KeySet,
    /// The keys of refresh tokens: the same secrets unless `auth.refresh_secret` names another.
    pub refresh: KeySet,
    pub expected: Expected,
}

/// Why a presented credential is not taken. All but the last answer 401 `invalid_token`; the variant is for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadCredential {
    #[error("{0}")]
    Token(#[from] TokenError),
    #[error("its session has ended or its user is disabled")]
    Revoked,
    /// What it must be held against is not known yet: 503, because the same token may be good in a moment.
    #[error("the store has yet to tell which credentials are good")]
    NotYet,
}

/// Why nobody is known by a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    #[error("{0}")]
    Bad(#[from] BadCredential),
    #[error("{0}")]
    Unavailable(#[from] Unavailable),
}

/// Knows which credentials are good; one for the whole process.
#[derive(Debug)]
pub struct Authenticator {
    trust: Live<Trust>,
    issuers: Live<Issuers>,
    revocations: Arc<Revocations>,
    cache: TokenCache,
    is_open: AtomicBool,
    directory: Option<Directory>,
}

impl Authenticator {
    /// Returns an authenticator that trusts no issuer but us and remembers at most `cache_entries` verified tokens.
    pub fn new(trust: Live<Trust>, revocations: Arc<Revocations>, cache_entries: u64) -> Self {
        Self {
            trust,
            issuers: Live::new(Issuers::default()),
            revocations,
            cache: TokenCache::new(cache_entries),
            is_open: AtomicBool::new(true),
            directory: None,
        }
    }

    /// Returns the same that can look accounts up: without a directory it takes no keys of users.
    #[must_use]
    pub fn with_directory(self, directory: Directory) -> Self {
        Self { directory: Some(directory), ..self }
    }

    /// Knows nobody until [`Authenticator::open`]: the keys, or what was revoked before this start, have yet to be read. To be
    /// called before anything is served, because what was verified stays remembered.
    pub fn shut(&self) {
        self.is_open.store(false, Ordering::Release);
    }

    pub fn open(&self) {
        self.is_open.store(true, Ordering::Release);
    }

    pub fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Acquire)
    }

    /// Trusts these issuers beside us from now on, and no others.
    pub fn trust_issuers(&self, issuers: Issuers) {
        self.issuers.replace(issuers);
    }

    /// Returns the issuers that are trusted beside us.
    pub fn issuers(&self) -> Arc<Issuers> {
        self.issuers.current()
    }

    /// Returns the caller that an access token of ours stands for: what our own endpoints ask for, where other credentials have
    /// no session. A hit in the cache costs no allocation and no lock.
    pub fn verify_bearer(&self, token: &str, now: Timestamp) -> Result<Arc<Caller>, BadCredential> {
        if !self.is_open() {
            return Err(BadCredential::NotYet);
        }
        let trust = self.trust.guard();
        let key = match self.cache.find(trust.access.id(), token, now, &self.issuers) {
            Ok(known) => {
                let is_ours = known.source == Source::Ours;
                return is_ours.then(|| Arc::clone(&known.caller)).ok_or(BadCredential::Token(TokenError::UnknownKey));
            }
            Err(key) => key,
        };
        self.verify_ours(&trust, token, now).map(|known| self.remember(key, known, now))
    }

    /// Returns the caller that a credential stands for: an access token, ours or a trusted issuer's, or a key of a user. What
    /// routes ask for. A hit costs the same; what the cache doesn't know may wait for the store.
    pub async fn verify_any(&self, token: &str, now: Timestamp) -> Result<Arc<Caller>, CredentialError> {
        self.verify_of(token, Whose::Anybody, now).await
    }

    /// Returns the same of a credential that stands for an account here.
    pub async fn verify_account(&self, token: &str, now: Timestamp) -> Result<Arc<Caller>, CredentialError> {
        self.verify_of(token, Whose::Account, now).await
    }

    async fn verify_of(&self, token: &str, whose: Whose, now: Timestamp) -> Result<Arc<Caller>, CredentialError> {
        match self.verify_here(token, whose, now) {
            Verdict::Good(caller) => Ok(caller),
            Verdict::Bad(why) => Err(why.into()),
            // Boxed: a request whose credential is known should not carry the room for this.
            Verdict::Ask(pending) => Box::pin(self.ask(*pending, now)).await,
        }
    }

    /// Returns what can be said without the store.
    fn verify_here(&self, token: &str, whose: Whose, now: Timestamp) -> Verdict {
        if !self.is_open() {
            return Verdict::Bad(BadCredential::NotYet);
        }
        let trust = self.trust.guard();
        let key = match self.cache.find(trust.access.id(), token, now, &self.issuers) {
            Ok(known) => {
                return match (known.source, whose) {
                    (Source::Issuer(_), Whose::Account) => Verdict::Bad(BadCredential::Token(TokenError::UnknownKey)),
                    _ => Verdict::Good(Arc::clone(&known.caller)),
                };
            }
            Err(key) => key,
        };
        if api_key::looks_like_one(token) {
            return ask_for_key(key, token);
        }
        match self.verify_ours(&trust, token, now) {
            Ok(known) => Verdict::Good(self.remember(key, known, now)),
            // What names a key of ours is ours to judge, whatever issuer it claims.
            Err(BadCredential::Token(error)) if !claims::names_our_key(&trust.access, token) => {
                self.verify_foreign(key, token, whose, now).unwrap_or(Verdict::Bad(error.into()))
            }
            Err(why) => Verdict::Bad(why),
        }
    }

    fn verify_ours(&self, trust: &Trust, token: &str, now: Timestamp) -> Result<Known, BadCredential> {
        let claims = claims::verify_access(&trust.access, &trust.expected, token, now)?;
        let (expires_at, is_narrowed) = (claims.expires_at(), claims.is_narrowed());
        let signed = claims.into_principal();
        let limit = is_narrowed.then(|| signed.scopes.clone());
        // The version is taken before the look, so that an end that comes in between makes the entry stale, not lasting.
        let (version, principal) = match self.revocations.look(signed.session, &signed.user_id) {
            Looked::Revoked => return Err(BadCredential::Revoked),
            Looked::AsSigned(version) => (version, signed),
            Looked::Changed(version, standing) => (version, apply(signed, standing, limit.as_deref())?),
        };
        let caller = Arc::new(Caller::new(principal, expires_at));
        Ok(Known { caller, version, source: Source::Ours, good_until: expires_at })
    }

    /// Returns whom a trusted issuer's token stands for; `None` if it is from none of them. An account of ours with the same
    /// id that is disabled or deleted refuses it; what roles ours has is nothing to the issuer's token.
    fn verify_foreign(&self, key: TokenHash, token: &str, whose: Whose, now: Timestamp) -> Option<Verdict> {
        let verified = match self.issuers.guard().verify(token, now)? {
            Ok(verified) => verified,
            Err(error) => return Some(Verdict::Bad(error.into())),
        };
        let expires_at = verified.claims.expires_at();
        let principal = verified.claims.into_principal();
        if let Some(name) = verified.accounts {
            let source = Source::Account(verified.key_set);
            return Some(account_key(name, &principal.user_id).map_or(Verdict::Bad(BadCredential::Revoked), |user| {
                let (question, session) = (Question::Account(user), principal.session);
                Verdict::Ask(Box::new(Pending { key, question, session, expires_at, source }))
            }));
        }
        Some(match self.revocations.look(principal.session, &principal.user_id) {
            Looked::Revoked => Verdict::Bad(BadCredential::Revoked),
            Looked::AsSigned(version) | Looked::Changed(version, _) => {
                let caller = Arc::new(Caller::new(principal, expires_at));
                let source = Source::Issuer(verified.key_set);
                let caller = self.remember(key, Known { caller, version, source, good_until: expires_at }, now);
                match whose {
                    Whose::Anybody => Verdict::Good(caller),
                    Whose::Account => Verdict::Bad(BadCredential::Token(TokenError::UnknownKey)),
                }
            }
        })
    }

    /// Returns whom a credential stands for whose account only the store knows.
    async fn ask(&self, pending: Pending, now: Timestamp) -> Result<Arc<Caller>, CredentialError> {
        let directory = self.directory.as_ref().ok_or(BadCredential::Revoked)?;
        let found = directory.find(pending.question, now).await?;
        let Found { user, key } = found.filter(|found| found.user.is_active).ok_or(BadCredential::Revoked)?;
        let expires_at = key.as_ref().and_then(|key| key.expires_at).unwrap_or(pending.expires_at);
        if expires_at <= now {
            return Err(BadCredential::Token(TokenError::Expired).into());
        }
        let limit = key.as_ref().map(|key| key.scopes.as_slice());
        let mut scopes = directory.scopes_of(&user);
        scopes.retain(|scope| limit.is_none_or(|limit| limit.contains(scope)));
        let principal = Principal {
            session: key.as_ref().map_or(pending.session, |key| key.id),
            user_id: user.id,
            email: user.email,
            username: user.username,
            roles: user.roles,
            scopes,
        };
        // What changed since the store was read is either told already, and found here, or will make the version stale.
        let (version, principal) = match self.revocations.look(principal.session, &principal.user_id) {
            Looked::Revoked => return Err(BadCredential::Revoked.into()),
            Looked::AsSigned(version) => (version, principal),
            Looked::Changed(version, standing) => (version, apply(principal, standing, limit)?),
        };
        let known = Known {
            caller: Arc::new(Caller::new(principal, expires_at)),
            version,
            source: pending.source,
            good_until: expires_at.min(now.plus(FRESHNESS)),
        };
        Ok(self.remember(pending.key, known, now))
    }

    fn remember(&self, key: TokenHash, known: Known, now: Timestamp) -> Arc<Caller> {
        let caller = Arc::clone(&known.caller);
        self.cache.insert(key, known, now);
        caller
    }

    /// Returns whether `token` carries the key id of one of our keys, or is a key of a user: then no upstream may see it. While
    /// our keys are not known, everything with the three parts of a JWT could be ours.
    pub fn is_ours(&self, token: &str) -> bool {
        let trust = self.trust.guard();
        let may_be_signed_by_us = if trust.access.has_keys() {
            claims::names_our_key(&trust.access, token)
        } else {
            token.bytes().filter(|byte| *byte == b'.').count() == 2
        };
        may_be_signed_by_us || api_key::is_one(token)
    }

    pub fn revocations(&self) -> &Arc<Revocations> {
        &self.revocations
    }

    pub fn cache_counts(&self) -> CacheCounts {
        self.cache.counts()
    }
}

/// Whose credentials a place takes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whose {
    /// Those of another issuer's own users among them.
    Anybody,
    Account,
}

/// What can be said of a credential without the store.
enum Verdict {
    Good(Arc<Caller>),
    Bad(BadCredential),
    Ask(Box<Pending>),
}

/// A credential that is good if its account is.
struct Pending {
    key: TokenHash,
    question: Question,
    session: SessionId,
    expires_at: Timestamp,
    source: Source,
}

fn ask_for_key(key: TokenHash, text: &str) -> Verdict {
    if !api_key::is_one(text) {
        return Verdict::Bad(BadCredential::Token(TokenError::Malformed));
    }
    let digest = api_key::digest(text);
    let (question, session) = (Question::ApiKey(digest), SessionId::foreign(digest));
    Verdict::Ask(Box::new(Pending { key, question, session, expires_at: Timestamp::NEVER, source: Source::ApiKey }))
}

/// Returns the key of the account that a token's id names; `None` if none can be named so.
fn account_key(name: AccountName, id: &UserId) -> Option<UserKey> {
    match name {
        AccountName::ExternalId => ExternalId::parse(id.as_str()).map(UserKey::ExternalId),
        AccountName::Id => Some(UserKey::Id(id.clone())),
        AccountName::Email => Email::parse(id.as_str()).ok().map(UserKey::Email),
        AccountName::Username => Username::parse(id.as_str()).ok().map(UserKey::Username),
    }
}

/// Returns the principal with what its user is now in place of what was signed; of the scopes only those within `limit`.
fn apply(signed: Principal, standing: Standing, limit: Option<&[Scope]>) -> Result<Principal, BadCredential> {
    match standing {
        Standing::Gone => Err(BadCredential::Revoked),
        Standing::Active { email, username, roles, mut scopes } => {
            scopes.retain(|scope| limit.is_none_or(|limit| limit.contains(scope)));
            Ok(Principal { email, username, roles, scopes, ..signed })
        }
    }
}

#[cfg(test)]
mod tests;
