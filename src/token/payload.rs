//! Claims read from a verified token's payload, each of exactly the kind it must be. A claim of the wrong kind refuses the
//! token: it never counts as absent (CVE-2026-25537 was an `exp` that did). Called by `claims` and `foreign`.

use serde_json::Value;

use super::claim_path::ClaimPath;
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

    /// Returns a claim that is true or false; absent is false.
    pub(super) fn flag(&self, name: &str) -> Read<bool> {
        self.0.member(name).map_or(Ok(false), |value| value.as_bool().ok_or(TokenError::InvalidClaims))
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
        self.0.member(name).map_or(Ok(Vec::new()), strings)
    }
}

/// What other issuers' tokens say, wherever they say it.
impl Payload {
    /// Returns the text at a path that is configured and leads to one.
    pub(super) fn text_at(&self, path: Option<&ClaimPath>) -> Read<Option<String>> {
        let Some(value) = self.value_at(path)? else { return Ok(None) };
        value.as_str().map(|text| Some(text.to_owned())).ok_or(TokenError::InvalidClaims)
    }

    /// Returns the id at the path. Where apps keep their users' ids those may be numbers; `sub` never is.
    pub(super) fn user_id_at(&self, path: &ClaimPath) -> Read<UserId> {
        let value = path.find(&self.0)?.ok_or(TokenError::InvalidClaims)?;
        let number = value.as_u64().filter(|_| !path.is_subject()).map(|number| number.to_string());
        let text = value.as_str().or(number.as_deref()).ok_or(TokenError::InvalidClaims)?;
        UserId::parse(text).ok_or(TokenError::InvalidClaims)
    }

    /// Returns the roles at the path. A name that can't be a role here grants nothing and is left out.
    pub(super) fn roles_at(&self, path: Option<&ClaimPath>) -> Read<Vec<Role>> {
        Ok(self.words_at(path)?.into_iter().filter_map(Role::parse).collect())
    }

    /// Returns the scopes at the path, like roles.
    pub(super) fn scopes_at(&self, path: Option<&ClaimPath>) -> Read<Vec<Scope>> {
        Ok(self.words_at(path)?.into_iter().filter_map(Scope::parse).collect())
    }

    /// Whether the issuer says that it has not verified the address (`OpenID` Connect Core section 5.1).
    pub(super) fn has_unverified_email(&self) -> bool {
        self.0.member("email_verified").is_some_and(|value| *value == false || value == "false")
    }

    /// Returns the words at the path: the items of a list, or what spaces separate in a text.
    fn words_at(&self, path: Option<&ClaimPath>) -> Read<Vec<&str>> {
        match self.value_at(path)? {
            None => Ok(Vec::new()),
            Some(Value::String(text)) => Ok(text.split(' ').collect()),
            Some(list) => strings(list),
        }
    }

    fn value_at(&self, path: Option<&ClaimPath>) -> Read<Option<&Value>> {
        path.map_or(Ok(None), |path| path.find(&self.0))
    }
}

fn strings(list: &Value) -> Read<Vec<&str>> {
    let list = list.as_array().ok_or(TokenError::InvalidClaims)?;
    list.iter().map(|item| item.as_str().ok_or(TokenError::InvalidClaims)).collect()
}
