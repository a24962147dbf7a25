//! Turns a presented credential into a caller: bearer tokens, the cache of verified ones, and what has been revoked.
//! Serving stands on it; it never touches the store: whoever changes accounts tells [`Revocations`].

pub mod bearer;
mod cache;
pub mod revocation;

use std::sync::Arc;

use crate::clock::Timestamp;
use crate::identity::{Caller, Principal};
use crate::live::Live;
use crate::token::claims::{self, Expected, TokenError};
use crate::token::key::KeySet;

pub use cache::CacheCounts;
pub use revocation::Revocations;

use cache::{Known, TokenCache};
use revocation::{Looked, Standing};

/// What tokens are signed with and held against: one snapshot, swapped whole at reload and key rotation.
#[derive(Debug)]
pub struct Trust {
    pub access: KeySet,
    /// The keys of refresh tokens: the same secrets unless `auth.refresh_secret` names another.
    pub refresh: KeySet,
    pub expected: Expected,
}

/// Why a presented credential is not taken. All answer 401 `invalid_token`; the variant is for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadCredential {
    #[error("{0}")]
    Token(#[from] TokenError),
    #[error("its session has ended or its user is disabled")]
    Revoked,
}

/// Knows which credentials are good; one for the whole process.
#[derive(Debug)]
pub struct Authenticator {
    trust: Live<Trust>,
    revocations: Arc<Revocations>,
    cache: TokenCache,
}

impl Authenticator {
    /// Returns an authenticator that remembers at most `cache_entries` verified tokens.
    pub fn new(trust: Live<Trust>, revocations: Arc<Revocations>, cache_entries: u64) -> Self {
        Self { trust, revocations, cache: TokenCache::new(cache_entries) }
    }

    /// Returns the caller that a bearer access token stands for. A hit in the cache costs no allocation and no lock.
    pub fn verify_bearer(&self, token: &str, now: Timestamp) -> Result<Arc<Caller>, BadCredential> {
        let trust = self.trust.guard();
        let key = TokenCache::key(trust.access.id(), token);
        if let Some(caller) = self.cache.find(&key, now) {
            return Ok(caller);
        }
        let claims = claims::verify_access(&trust.access, &trust.expected, token, now)?;
        let expires_at = claims.expires_at();
        let signed = claims.into_principal();
        // The version is taken before the look, so that an end that comes in between makes the entry stale, not lasting.
        let (version, principal) = match self.revocations.look(signed.session, &signed.user_id) {
            Looked::Revoked => return Err(BadCredential::Revoked),
            Looked::AsSigned(version) => (version, signed),
            Looked::Changed(version, standing) => (version, apply(signed, standing)?),
        };
        let caller = Arc::new(Caller::new(principal, expires_at));
        self.cache.insert(key, Known { caller: Arc::clone(&caller), version }, now);
        Ok(caller)
    }

    /// Returns whether `token` carries the key id of one of our keys: then no upstream may see it.
    pub fn is_ours(&self, token: &str) -> bool {
        claims::names_our_key(&self.trust.guard().access, token)
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
