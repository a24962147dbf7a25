//! What our tokens say, made and checked in one place (RFC 9068).
//! A token that was verified here is of the type asked for, from our issuer, for our audience, and within its times;
//! whether its session still lives is `auth`'s and the store's business.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, URL_SAFE_NO_PAD};
use base64::{alphabet, engine::DecodePaddingMode};
use memchr::memmem;
use serde::Serialize;

use super::jws::{self, TokenType};
use super::key::KeySet;
use super::payload::Payload;
use crate::clock::Timestamp;
use crate::identity::{Principal, Role, Scope, SessionId, UserId};
use crate::secret::random_bytes;

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
    is_narrowed: bool,
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

    /// Returns whether its scopes are fewer than those its user's roles grant because the sign-in asked for fewer: then a role
    /// that is given later adds none.
    pub fn is_narrowed(&self) -> bool {
        self.is_narrowed
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
    #[error("signed with a key that is not known")]
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

/// The claims of an access token, in the order they are written.
#[derive(Serialize)]
struct AccessPayload<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    iss: &'a str,
    sub: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<Audience<'a>>,
    exp: i64,
    iat: i64,
    jti: String,
    sid: String,
    #[serde(rename = "type")]
    kind: &'static str,
    roles: Vec<&'a str>,
    scope: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    narrowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Audience<'a> {
    One(&'a str),
    Several(&'a [String]),
}

#[derive(Serialize)]
struct RefreshPayload<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    iss: &'a str,
    sub: &'a str,
    exp: i64,
    iat: i64,
    jti: &'a str,
    sid: String,
    #[serde(rename = "type")]
    kind: &'static str,
}

/// What an access token is made of.
#[derive(Clone, Copy, Debug)]
pub struct NewAccess<'a> {
    pub principal: &'a Principal,
    /// Whether the principal's scopes were cut to what the sign-in asked for.
    pub is_narrowed: bool,
    pub ttl: Duration,
}

/// Returns the signed access token (`typ: at+jwt`) for `principal`, with a random `jti`.
pub fn sign_access(keys: &KeySet, expected: &Expected, principal: &Principal, now: Timestamp, ttl: Duration) -> String {
    sign_new_access(keys, expected, &NewAccess { principal, is_narrowed: false, ttl }, now)
}

/// Returns the same of a token that may be narrowed.
pub fn sign_new_access(keys: &KeySet, expected: &Expected, new: &NewAccess<'_>, now: Timestamp) -> String {
    let principal = new.principal;
    let scopes: Vec<&str> = principal.scopes.iter().map(Scope::as_str).collect();
    let payload = AccessPayload {
        iss: &expected.issuer,
        sub: principal.user_id.as_str(),
        aud: match expected.audience.as_slice() {
            [] => None,
            [one] => Some(Audience::One(one)),
            several => Some(Audience::Several(several)),
        },
        exp: now.plus(new.ttl).as_secs(),
        iat: now.as_secs(),
        jti: URL_SAFE_NO_PAD.encode(random_bytes::<16>()),
        sid: principal.session.to_string(),
        kind: kind(TokenType::Access),
        roles: principal.roles.iter().map(Role::as_str).collect(),
        scope: scopes.join(" "),
        narrowed: new.is_narrowed,
        email: principal.email.as_deref(),
        username: principal.username.as_deref(),
    };
    jws::sign(keys.signing(), TokenType::Access, &payload)
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

/// Returns the signed refresh token (`typ: rt+jwt`); everything is given, so that the same call makes the same token again
/// (with ES256 the same claims under another signature). Times are cut to whole seconds.
pub fn sign_refresh(keys: &KeySet, issuer: &str, refresh: &NewRefresh<'_>) -> String {
    let payload = RefreshPayload {
        iss: issuer,
        sub: refresh.user_id.as_str(),
        exp: refresh.expires_at.as_secs(),
        iat: refresh.issued_at.as_secs(),
        jti: refresh.jti,
        sid: refresh.session.to_string(),
        kind: kind(TokenType::Refresh),
    };
    jws::sign(keys.signing(), TokenType::Refresh, &payload)
}

pub fn verify_access(
    keys: &KeySet,
    expected: &Expected,
    token: &str,
    now: Timestamp,
) -> Result<AccessClaims, TokenError> {
    let payload = Payload::new(jws::open(keys, TokenType::Access, token)?);
    let common = Common::read(&payload, TokenType::Access)?;
    let claims = AccessClaims {
        principal: Principal {
            user_id: common.user_id,
            session: common.session,
            email: payload.text("email")?.map(str::to_owned),
            username: payload.text("username")?.map(str::to_owned),
            roles: payload.roles()?,
            scopes: payload.scopes()?,
        },
        is_narrowed: payload.flag("narrowed")?,
        jti: common.jti,
        issued_at: common.times.issued_at,
        expires_at: common.times.expires_at,
    };
    let audiences = payload.audiences()?;
    check_issuer(&payload, expected)?;
    if !expected.audience.is_empty() && !audiences.iter().any(|ours| expected.audience.iter().any(|one| one == ours)) {
        return Err(TokenError::WrongAudience);
    }
    common.times.check(expected.leeway, now)?;
    Ok(claims)
}

/// Returns the claims of a refresh token; it has no audience but its issuer.
pub fn verify_refresh(
    keys: &KeySet,
    expected: &Expected,
    token: &str,
    now: Timestamp,
) -> Result<RefreshClaims, TokenError> {
    let payload = Payload::new(jws::open(keys, TokenType::Refresh, token)?);
    let common = Common::read(&payload, TokenType::Refresh)?;
    payload.audiences()?;
    check_issuer(&payload, expected)?;
    common.times.check(expected.leeway, now)?;
    let Common { user_id, session, jti, times } = common;
    Ok(RefreshClaims { user_id, session, jti, expires_at: times.expires_at })
}

/// Returns whether `token` looks as if one of our keys had signed it: its header names one of our key ids.
/// Decides what is stripped before an upstream sees it, never what is accepted; so it is as forgiving as the most forgiving
/// parser behind us could be.
pub fn names_our_key(keys: &KeySet, token: &str) -> bool {
    let header = token.split('.').next().unwrap_or_default();
    let Ok(header) = FORGIVING.decode(header) else { return false };
    let is_quoted =
        |at: usize, kid: &str| header[..at].last() == Some(&b'"') && header.get(at + kid.len()) == Some(&b'"');
    keys.keys().iter().any(|key| memmem::find_iter(&header, key.kid.as_bytes()).any(|at| is_quoted(at, &key.kid)))
}

const FORGIVING: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The value of the `type` claim.
fn kind(typ: TokenType) -> &'static str {
    match typ {
        TokenType::Access => "access",
        TokenType::Refresh => "refresh",
    }
}

/// What both types of token must carry.
struct Common {
    user_id: UserId,
    session: SessionId,
    jti: String,
    times: Times,
}

impl Common {
    fn read(payload: &Payload, typ: TokenType) -> Result<Self, TokenError> {
        if payload.required_text("type")? != kind(typ) {
            return Err(TokenError::WrongType);
        }
        let times = Times {
            issued_at: payload.required_time("iat")?,
            not_before: payload.time("nbf")?,
            expires_at: payload.required_time("exp")?,
        };
        Ok(Self { user_id: payload.subject()?, session: payload.session()?, jti: payload.jti()?, times })
    }
}

/// When a token begins and ends to count.
pub(super) struct Times {
    issued_at: Timestamp,
    not_before: Option<Timestamp>,
    expires_at: Timestamp,
}

impl Times {
    /// Returns the times of another issuer's token, which may leave out when it was made.
    pub(super) fn of_foreign(payload: &Payload) -> Result<Self, TokenError> {
        Ok(Self {
            issued_at: payload.time("iat")?.unwrap_or_default(),
            not_before: payload.time("nbf")?,
            expires_at: payload.required_time("exp")?,
        })
    }

    pub(super) fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    pub(super) fn check(&self, leeway: Duration, now: Timestamp) -> Result<(), TokenError> {
        if self.expires_at <= self.issued_at {
            return Err(TokenError::InvalidClaims);
        }
        let latest_start = now.plus(leeway);
        if self.issued_at > latest_start || self.not_before.is_some_and(|start| start > latest_start) {
            return Err(TokenError::NotYetValid);
        }
        if self.expires_at.plus(leeway) <= now {
            return Err(TokenError::Expired);
        }
        Ok(())
    }
}

/// Tokens carry an issuer exactly if one is configured.
fn check_issuer(payload: &Payload, expected: &Expected) -> Result<(), TokenError> {
    let ours = (!expected.issuer.is_empty()).then_some(expected.issuer.as_str());
    if payload.text("iss")? == ours { Ok(()) } else { Err(TokenError::WrongIssuer) }
}

#[cfg(test)]
mod tests;
