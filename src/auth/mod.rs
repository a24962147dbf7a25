//! Turns a presented credential into a caller: bearer tokens, the cache of verified ones, and what has been revoked.
//! Serving stands on it; it never touches the store: whoever changes accounts tells [`revocation::Revocations`].

pub mod bearer;
pub mod revocation;

use std::sync::Arc;

use crate::clock::Timestamp;
use crate::identity::Caller;
use crate::live::Live;
use crate::token::claims::{Expected, TokenError};
use crate::token::key::KeySet;

pub use revocation::Revocations;

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
    _private: (),
}

impl Authenticator {
    pub fn new(trust: Live<Trust>, revocations: Arc<Revocations>, cache_entries: u64) -> Self {
        let _ = (trust, revocations, cache_entries);
        Self { _private: () }
    }

    /// Returns the caller that a bearer access token stands for. A hit in the cache costs no allocation and no lock.
    pub fn verify_bearer(&self, token: &str, now: Timestamp) -> Result<Arc<Caller>, BadCredential> {
        todo!("{token}{now:?}")
    }
}
