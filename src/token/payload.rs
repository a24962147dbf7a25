//! Claims read from a verified token's payload, each of exactly the kind it must be. A claim of the wrong kind refuses the
//! token: it never counts as absent (CVE-2026-25537 was an `exp` that did). Called by `claims` alone.

use serde_json::Value;

use super::claims::TokenError;
use super::object::Object;
use crate::clock::Timestamp;
use crate::identity::{Role, Scope, SessionId, UserId};

/// The first second that a double, and with it many a JSON parser, can't tell from its neighbour.
const TIME_LIMIT: u64 = 1 << 53;
const MAX_JTI_BYTES: usize = 128;

pub(super) struct Payload(Object);

type Read<T> = Result<T, TokenError>;

impl Payload {
    pub(super) fn new(claims: Object) -> Self {
        Self(claims)
    }

    /// Returns a claim that is a string or absent.
    pub(super) fn text(&self, name: &str) -> Read<Option<&str>> {
        self.0.member(name).map(|value| value.as_str().ok_or(TokenError::InvalidClaims)).transpose()
    }

    pub(super) fn required_text(&self, name: &str) -> Read<&str> {
        self.text(name)?.ok_or(TokenError::InvalidClaims)
    }

    /// Returns a `NumericDate` (RFC 7519 section 2) that is a plain integer, or absent.
    pub(super) fn time(&self, name: &str) -> Read<Option<Timestamp>> {
        let Some(value) = self.0.member(name) else { return Ok(None) };
        let secs = value.as_u64().filter(|secs| *secs < TIME_LIMIT).ok_or(TokenError::InvalidClaims)?;
        Ok(i64::try_from(secs).ok().map(Timestamp::from_secs))
    }

    pub(super) fn required_time(&self, name: &str) -> Read<Timestamp> {
        self.time(name)?.ok_or(TokenError::InvalidClaims)
    }

    /// Returns the audiences: none, one, or a list of them (RFC 7519 section 4.1.3).
    pub(super) fn audiences(&self) -> Read<Vec<&str>> {
        match self.0.member("aud") {
            None => Ok(Vec::new()),
            Some(Value::String(one)) => Ok(vec![one]),
            Some(_) => self.texts("aud"),
        }
    }

    pub(super) fn subject(&self) -> Read<UserId> {
        UserId::parse(self.required_text("sub")?).ok_or(TokenError::InvalidClaims)
    }

    pub(super) fn session(&self) -> Read<SessionId> {
        let text = self.required_text("sid")?;
        let session: SessionId = text.parse().map_err(|_| TokenError::InvalidClaims)?;
        // UUIDs have several spellings; we write one.
        if session.to_string() == text { Ok(session) } else { Err(TokenError::InvalidClaims) }
    }

    pub(super) fn jti(&self) -> Read<String> {
        let jti = self.required_text("jti")?;
        if (1..=MAX_JTI_BYTES).contains(&jti.len()) { Ok(jti.to_owned()) } else { Err(TokenError::InvalidClaims) }
    }

    /// Returns the roles; absent is none.
    pub(super) fn roles(&self) -> Read<Vec<Role>> {
        self.texts("roles")?.into_iter().map(|text| Role::parse(text).ok_or(TokenError::InvalidClaims)).collect()
    }

    /// Returns the scopes of the space-separated `scope`; absent or empty is none.
    pub(super) fn scopes(&self) -> Read<Vec<Scope>> {
        let list = self.text("scope")?.unwrap_or_default();
        if list.is_empty() {
            return Ok(Vec::new());
        }
        list.split(' ').map(|text| Scope::parse(text).ok_or(TokenError::InvalidClaims)).collect()
    }

    fn texts(&self, name: &str) -> Read<Vec<&str>> {
        let Some(value) = self.0.member(name) else { return Ok(Vec::new()) };
        let list = value.as_array().ok_or(TokenError::InvalidClaims)?;
        list.iter().map(|item| item.as_str().ok_or(TokenError::InvalidClaims)).collect()
    }
}
