//! What our tokens say, made and checked in one place (SPEC 3.2, RFC 9068).

use std::time::Duration;

use super::key::KeySet;
use crate::clock::Timestamp;
use crate::identity::{Principal, SessionId, UserId};

/// What every token of ours is held against.
#[derive(Clone, Debug)]
pub struct Expected {
    pub issuer: String,
    /// Empty: tokens carry no audience and none is asked for.
    pub audience: Vec<String>,
    pub leeway: Duration,
}

/// A verified access token; made only by [`verify_access`].
#[derive(Clone, Debug)]
pub struct AccessClaims {
    principal: Principal,
    jti: String,
    issued_at: Timestamp,
    expires_at: Timestamp,
}

impl AccessClaims {
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    pub fn into_principal(self) -> Principal {
        self.principal
    }

    pub fn jti(&self) -> &str {
        &self.jti
    }

    pub fn issued_at(&self) -> Timestamp {
        self.issued_at
    }

    pub fn expires_at(&self) -> Timestamp {
        self.expires_at
    }
}

/// A verified refresh token; made only by [`verify_refresh`].
#[derive(Clone, Debug)]
pub struct RefreshClaims {
    user_id: UserId,
    session: SessionId,
    jti: String,
    expires_at: Timestamp,
}

impl RefreshClaims {
    pub fn user_id(&self) -> &UserId {
        &self.user_id
    }

    pub fn session(&self) -> SessionId {
        self.session
    }

    pub fn jti(&self) -> &str {
        &self.jti
    }

    pub fn expires_at(&self) -> Timestamp {
        self.expires_at
    }
}

/// Why a token is not taken. Callers answer all of them alike; the variant is for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    #[error("not a JWS in compact form")]
    Malformed,
    #[error("signed with a key that is not ours")]
    UnknownKey,
    #[error("the signature does not verify")]
    BadSignature,
    #[error("of another type than this place takes")]
    WrongType,
    #[error("a claim is missing, repeated or of the wrong kind")]
    InvalidClaims,
    #[error("of another issuer")]
    WrongIssuer,
    #[error("for another audience")]
    WrongAudience,
    #[error("expired")]
    Expired,
    #[error("not valid yet")]
    NotYetValid,
}

/// Returns the signed access token (`typ: at+jwt`) for `principal`, with a random `jti`.
pub fn sign_access(keys: &KeySet, expected: &Expected, principal: &Principal, now: Timestamp, ttl: Duration) -> String {
    todo!("{keys:?}{expected:?}{principal:?}{now:?}{ttl:?}")
}

/// Returns the signed refresh token (`typ: rt+jwt`); everything is given, so that the same call makes the same token again.
pub fn sign_refresh(keys: &KeySet, issuer: &str, refresh: &NewRefresh<'_>) -> String {
    todo!("{keys:?}{issuer}{refresh:?}")
}

/// What a refresh token is made of.
#[derive(Clone, Copy, Debug)]
pub struct NewRefresh<'a> {
    pub user_id: &'a UserId,
    pub session: SessionId,
    pub jti: &'a str,
    pub issued_at: Timestamp,
    pub expires_at: Timestamp,
}

pub fn verify_access(
    keys: &KeySet,
    expected: &Expected,
    token: &str,
    now: Timestamp,
) -> Result<AccessClaims, TokenError> {
    todo!("{keys:?}{expected:?}{token}{now:?}")
}

pub fn verify_refresh(
    keys: &KeySet,
    expected: &Expected,
    token: &str,
    now: Timestamp,
) -> Result<RefreshClaims, TokenError> {
    todo!("{keys:?}{expected:?}{token}{now:?}")
}

/// Returns whether `token` looks as if one of our keys had signed it: its header names one of our key ids.
/// Decides what is stripped before an upstream sees it, never what is accepted.
pub fn names_our_key(keys: &KeySet, token: &str) -> bool {
    todo!("{keys:?}{token}")
}
