//! Who someone is: ids, roles, scopes, and the [`Principal`] that a verified credential stands for.
//! Leaf room: it decides nothing about access and knows no request.

pub mod email;
pub mod profile;
pub mod text;
pub mod username;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use http::HeaderValue;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use uuid::Uuid;

use crate::clock::Timestamp;

/// A user's id: opaque text of 1 to 128 visible ASCII characters; ours are UUIDs of version 7.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UserId(Arc<str>);

impl UserId {
    pub fn random() -> Self {
        Self(Uuid::now_v7().to_string().into())
    }

    /// Returns the id that `text` spells, or `None` if it can't be one.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then(|| Self(text.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// The id that another system knew a user by, of the same characters as a [`UserId`] and never taken for one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExternalId(Arc<str>);

impl ExternalId {
    /// Returns the id that `text` spells, or `None` if it can't be one.
    pub fn parse(text: &str) -> Option<Self> {
        UserId::parse(text).map(|UserId(text)| Self(text))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A session's id, the `sid` of every token that belongs to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(Uuid);

impl SessionId {
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }

    /// Returns an id made of a digest, for a credential that belongs to no session of ours. Its version tells it from those.
    pub fn foreign(digest: [u8; 32]) -> Self {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        Self(uuid::Builder::from_custom_bytes(bytes).into_uuid())
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(out)
    }
}

impl FromStr for SessionId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        Uuid::try_parse(text).map(Self)
    }
}

/// A role name: 1 to 64 ASCII letters, digits, `-`, `_`, `.`, `:`; so a list of them fits a header and a comma separates.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Role(Arc<str>);

impl Role {
    pub fn parse(text: &str) -> Option<Self> {
        is_name(text).then(|| Self(text.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An OAuth 2.0 scope token (RFC 6749 section 3.3), of the characters a [`Role`] may have and `/`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Scope(Arc<str>);

impl Scope {
    pub fn parse(text: &str) -> Option<Self> {
        is_name(&text.replace('/', ".")).then(|| Self(text.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte))
}

/// Whom a verified credential stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    pub user_id: UserId,
    pub session: SessionId,
    pub email: Option<String>,
    pub username: Option<String>,
    pub roles: Vec<Role>,
    pub scopes: Vec<Scope>,
}

/// A principal with the header values that announce it, made once per credential and shared by every request with it.
#[derive(Debug)]
pub struct Caller {
    pub principal: Principal,
    /// When the credential ends.
    pub expires_at: Timestamp,
    pub headers: IdentityValues,
}

/// The values of the identity headers; what is unknown is absent.
#[derive(Debug, Default)]
pub struct IdentityValues {
    pub user_id: Option<HeaderValue>,
    pub email: Option<HeaderValue>,
    pub name: Option<HeaderValue>,
    pub roles: Option<HeaderValue>,
}

impl Caller {
    pub fn new(principal: Principal, expires_at: Timestamp) -> Self {
        let roles: Vec<&str> = principal.roles.iter().map(Role::as_str).collect();
        let name = principal.username.as_deref().or(principal.email.as_deref());
        let headers = IdentityValues {
            user_id: header_value(principal.user_id.as_str()),
            email: principal.email.as_deref().and_then(header_value),
            name: name.and_then(header_value),
            roles: header_value(&roles.join(",")),
        };
        Self { principal, expires_at, headers }
    }
}

/// What percent-encoding must touch so that the result is a field value and decodes to what it was.
const NOT_IN_A_VALUE: &AsciiSet = &CONTROLS.add(b'%');

/// Returns `text` as a field value, percent-encoded as UTF-8 when it isn't one as it stands; `None` when empty.
fn header_value(text: &str) -> Option<HeaderValue> {
    if text.is_empty() {
        return None;
    }
    let plain = text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') && text.trim() == text;
    if plain {
        return HeaderValue::from_str(text).ok();
    }
    HeaderValue::from_str(&utf8_percent_encode(text, NOT_IN_A_VALUE).to_string()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn principal(username: Option<&str>) -> Principal {
        Principal {
            user_id: UserId::random(),
            session: SessionId::random(),
            email: Some("ada@example.com".into()),
            username: username.map(str::to_owned),
            roles: ["editor", "admin"].iter().filter_map(|name| Role::parse(name)).collect(),
            scopes: Vec::new(),
        }
    }

    #[test]
    fn roles_are_joined_with_commas() {
        let caller = Caller::new(principal(None), Timestamp::from_secs(0));
        assert_eq!(caller.headers.roles.expect("has roles"), "editor,admin");
    }

    #[test]
    fn name_is_the_user_name_else_the_email() {
        let named = Caller::new(principal(Some("ada")), Timestamp::from_secs(0));
        assert_eq!(named.headers.name.expect("has a name"), "ada");
        let unnamed = Caller::new(principal(None), Timestamp::from_secs(0));
        assert_eq!(unnamed.headers.name.expect("has a name"), "ada@example.com");
    }

    #[test]
    fn a_name_that_is_no_field_value_is_percent_encoded() {
        let caller = Caller::new(principal(Some("Zoë\r\nX: 1")), Timestamp::from_secs(0));
        assert_eq!(caller.headers.name.expect("has a name"), "Zo%C3%AB%0D%0AX: 1");
    }

    #[test]
    fn a_role_with_a_comma_is_no_role() {
        assert_eq!(Role::parse("a,b"), None);
        assert_eq!(Role::parse(""), None);
    }
}
