//! Turns a presented credential into a caller: bearer tokens, ours or a trusted issuer's, the cache of verified ones, and
//! what has been revoked. Serving stands on it; it never touches the store: whoever changes accounts tells [`Revocations`].

pub mod bearer;
mod cache;
pub mod issuers;
pub mod key_set;
pub mod revocation;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::clock::Timestamp;
use crate::identity::{Caller, Principal};
use crate::live::Live;
use crate::token::claims::{self, Expected, TokenError};
use crate::token::key::KeySet;

pub use cache::CacheCounts;
pub use issuers::{Issuers, TrustedIssuer};
pub use revocation::Revocations;

use cache::{Known, TokenCache, TokenHash};
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

/// Knows which credentials are good; one for the whole process.
#[derive(Debug)]
pub struct Authenticator {
    trust: Live<Trust>,
    issuers: Live<Issuers>,
    revocations: Arc<Revocations>,
    cache: TokenCache,
    is_open: AtomicBool,
}

impl Authenticator {
    /// Returns an authenticator that trusts no issuer but us and remembers at most `cache_entries` verified tokens.
    pub fn new(trust: Live<Trust>, revocations: Arc<Revocations>, cache_entries: u64) -> Self {
        let (issuers, cache) = (Live::new(Issuers::default()), TokenCache::new(cache_entries));
        Self { trust, issuers, revocations, cache, is_open: AtomicBool::new(true) }
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

    /// Returns the caller that an access token of ours stands for: what our own endpoints ask for, where another issuer's
    /// users have no account. A hit in the cache costs no allocation and no lock.
    pub fn verify_bearer(&self, token: &str, now: Timestamp) -> Result<Arc<Caller>, BadCredential> {
        if !self.is_open() {
            return Err(BadCredential::NotYet);
        }
        let trust = self.trust.guard();
        let key = TokenCache::key(trust.access.id(), token);
        if let Some(known) = self.cache.find(&key, now, &self.issuers) {
            let is_ours = known.issuer_keys.is_none();
            return is_ours.then(|| Arc::clone(&known.caller)).ok_or(BadCredential::Token(TokenError::UnknownKey));
        }
        self.verify_ours(&trust, token, now).map(|known| self.remember(key, known, now))
    }

    /// Returns the caller that an access token stands for, ours or a trusted issuer's: what routes ask for. A hit costs the same.
    pub fn verify_any_bearer(&self, token: &str, now: Timestamp) -> Result<Arc<Caller>, BadCredential> {
        if !self.is_open() {
            return Err(BadCredential::NotYet);
        }
        let trust = self.trust.guard();
        let key = TokenCache::key(trust.access.id(), token);
        if let Some(known) = self.cache.find(&key, now, &self.issuers) {
            return Ok(Arc::clone(&known.caller));
        }
        let known = match self.verify_ours(&trust, token, now) {
            // What names a key of ours is ours to judge, whatever issuer it claims.
            Err(BadCredential::Token(error)) if !claims::names_our_key(&trust.access, token) => {
                self.verify_foreign(token, now).unwrap_or(Err(error.into()))
            }
            verdict => verdict,
        };
        known.map(|known| self.remember(key, known, now))
    }

    fn verify_ours(&self, trust: &Trust, token: &str, now: Timestamp) -> Result<Known, BadCredential> {
        let claims = claims::verify_access(&trust.access, &trust.expected, token, now)?;
        let expires_at = claims.expires_at();
        let signed = claims.into_principal();
        // The version is taken before the look, so that an end that comes in between makes the entry stale, not lasting.
        let (version, principal) = match self.revocations.look(signed.session, &signed.user_id) {
            Looked::Revoked => return Err(BadCredential::Revoked),
            Looked::AsSigned(version) => (version, signed),
            Looked::Changed(version, standing) => (version, apply(signed, standing)?),
        };
        Ok(Known { caller: Arc::new(Caller::new(principal, expires_at)), version, issuer_keys: None })
    }

    /// Returns whom a trusted issuer's token stands for; `None` if it is from none of them. An account of ours with the same
    /// id that is disabled or deleted refuses it; what roles ours has is nothing to the issuer's token.
    fn verify_foreign(&self, token: &str, now: Timestamp) -> Option<Result<Known, BadCredential>> {
        let verified = match self.issuers.guard().verify(token, now)? {
            Ok(verified) => verified,
            Err(error) => return Some(Err(error.into())),
        };
        let expires_at = verified.claims.expires_at();
        let principal = verified.claims.into_principal();
        Some(match self.revocations.look(principal.session, &principal.user_id) {
            Looked::Revoked => Err(BadCredential::Revoked),
            Looked::AsSigned(version) | Looked::Changed(version, _) => {
                let caller = Arc::new(Caller::new(principal, expires_at));
                Ok(Known { caller, version, issuer_keys: Some(verified.key_set) })
            }
        })
    }

    fn remember(&self, key: TokenHash, known: Known, now: Timestamp) -> Arc<Caller> {
        let caller = Arc::clone(&known.caller);
        self.cache.insert(key, known, now);
        caller
    }

    /// Returns whether `token` carries the key id of one of our keys: then no upstream may see it. While our keys are not
    /// known, everything with the three parts of a JWT could be ours.
    pub fn is_ours(&self, token: &str) -> bool {
        let trust = self.trust.guard();
        if !trust.access.has_keys() {
            return token.bytes().filter(|byte| *byte == b'.').count() == 2;
        }
        claims::names_our_key(&trust.access, token)
    }

    pub fn revocations(&self) -> &Arc<Revocations> {
        &self.revocations
    }

    pub fn cache_counts(&self) -> CacheCounts {
        self.cache.counts()
    }
}

/// Returns the principal with what its user is now in place of what was signed.
fn apply(signed: Principal, standing: Standing) -> Result<Principal, BadCredential> {
    match standing {
        Standing::Gone => Err(BadCredential::Revoked),
        Standing::Active { email, username, roles, scopes } => {
            Ok(Principal { email, username, roles, scopes, ..signed })
        }
    }
}

#[cfg(test)]
mod tests;
