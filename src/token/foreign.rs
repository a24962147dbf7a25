//! Tokens that others issue (`[[auth.trusted_issuer]]`): held against the keys and rules of the one issuer they name.
//! As strict as with our own about encoding, types and times; forgiving only about header members that say nothing about
//! how to verify. A key that a token brings along, or an address for one, is never looked at. Called by `auth`.

use std::sync::Arc;
use std::time::Duration;

use super::algorithm::Algorithm;
pub use super::claim_path::ClaimPath;
use super::claims::{Times, TokenError};
use super::jws::Parts;
use super::object::Object;
use super::payload::Payload;
pub use super::public_key::{PublicKey, PublicKeyError};
use super::set::next_id;
use crate::clock::Timestamp;
use crate::identity::{Principal, SessionId};
use crate::secret::sha256;

/// What tokens of one issuer are held against, and where their claims are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerRules {
    /// Empty: its tokens name none.
    pub issuer: String,
    /// Empty: any.
    pub audience: Vec<String>,
    pub leeway: Duration,
    pub claims: ClaimPaths,
    /// How the `user_id` of its tokens names an account here; `None`: its users are its own.
    pub accounts: Option<AccountName>,
}

/// What an id in a token is the id of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountName {
    /// What the system called the user that they came from.
    ExternalId,
    Id,
    Email,
    Username,
}

/// Where in a payload the parts of a [`Principal`] are; `None` is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimPaths {
    pub user_id: ClaimPath,
    pub email: Option<ClaimPath>,
    pub username: Option<ClaimPath>,
    pub roles: Option<ClaimPath>,
    pub scope: Option<ClaimPath>,
}

/// The keys of another issuer at one moment.
#[derive(Clone, Debug)]
pub struct IssuerKeys {
    keys: Arc<[PublicKey]>,
    id: u64,
}

impl IssuerKeys {
    /// None at all is possible: then no token verifies.
    pub fn new(keys: Vec<PublicKey>) -> Self {
        Self { keys: keys.into(), id: next_id() }
    }

    /// Returns the keys of a JWK set that may be used with one of `allowed`; at least one.
    pub fn from_set(json: &[u8], allowed: &[Algorithm]) -> Result<Self, PublicKeyError> {
        PublicKey::from_set(json, allowed).map(Self::new)
    }

    /// Returns the same keys as a set of its own, so that what was verified under other rules doesn't count.
    #[must_use]
    pub fn renewed(&self) -> Self {
        Self { keys: Arc::clone(&self.keys), id: next_id() }
    }

    /// Returns a number that no other set of keys in this process has, ours included.
    pub fn id(&self) -> u64 {
        self.id
    }

    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Returns the one key that could have signed; of several each guess would cost a verification.
    fn find(&self, algorithm: &str, kid: Option<&str>) -> Option<&PublicKey> {
        let mut fitting = self.keys.iter().filter(|key| key.fits(algorithm, kid));
        let first = fitting.next()?;
        fitting.next().is_none().then_some(first)
    }
}

/// Whom a verified token of another issuer stands for; made only by [`Unverified::verify`].
#[derive(Clone, Debug)]
pub struct ForeignClaims {
    principal: Principal,
    expires_at: Timestamp,
}

impl ForeignClaims {
    pub fn into_principal(self) -> Principal {
        self.principal
    }

    pub fn expires_at(&self) -> Timestamp {
        self.expires_at
    }
}

/// A token that was taken apart and not verified.
pub struct Unverified<'t> {
    parts: Parts<'t>,
    payload: Payload,
}

impl<'t> Unverified<'t> {
    pub fn read(token: &'t str) -> Result<Self, TokenError> {
        let parts = Parts::split(token).ok_or(TokenError::Malformed)?;
        let payload = Object::parse(&parts.payload()?).ok_or(TokenError::InvalidClaims)?;
        Ok(Self { parts, payload: Payload::new(payload) })
    }

    /// Returns whom the token claims to be from: good for choosing what to verify it with, and for nothing else.
    /// An empty text stands for none.
    pub fn issuer(&self) -> Option<&str> {
        match self.payload.text("iss").ok()? {
            Some("") => None,
            named => Some(named.unwrap_or_default()),
        }
    }

    /// Returns what the token says, if one of `keys` signed it and it keeps to `rules`.
    pub fn verify(&self, rules: &IssuerRules, keys: &IssuerKeys, now: Timestamp) -> Result<ForeignClaims, TokenError> {
        self.check_signature(keys)?;
        let payload = &self.payload;
        if payload.text("iss")? != (!rules.issuer.is_empty()).then_some(rules.issuer.as_str()) {
            return Err(TokenError::WrongIssuer);
        }
        let audiences = payload.audiences()?;
        if !rules.audience.is_empty() && !audiences.iter().any(|one| rules.audience.iter().any(|asked| asked == one)) {
            return Err(TokenError::WrongAudience);
        }
        let times = Times::of_foreign(payload)?;
        for registered in ["sub", "jti"] {
            payload.text(registered)?;
        }
        if self.says_refresh()? {
            return Err(TokenError::WrongType);
        }
        let principal = self.principal(&rules.claims, &rules.issuer)?;
        times.check(rules.leeway, now)?;
        Ok(ForeignClaims { principal, expires_at: times.expires_at() })
    }

    fn check_signature(&self, keys: &IssuerKeys) -> Result<(), TokenError> {
        let header = Object::parse(&self.parts.header()?).ok_or(TokenError::Malformed)?;
        // `crit` and what it would name change what is signed or how (RFC 7515 section 4.1.11, RFC 7797); a key in the
        // header is what forgers bring. All else, `x5t` and `jku` included, is read by nobody.
        if ["crit", "b64", "zip", "enc", "jwk"].into_iter().any(|name| header.member(name).is_some()) {
            return Err(TokenError::Malformed);
        }
        let text = |name| header.member(name).map(|value| value.as_str().ok_or(TokenError::Malformed)).transpose();
        let (algorithm, kid, typ) = (text("alg")?, text("kid")?, text("typ")?);
        if !typ.is_none_or(is_access_token) {
            return Err(TokenError::WrongType);
        }
        let algorithm = algorithm.ok_or(TokenError::Malformed)?;
        let key = keys.find(algorithm, kid).ok_or(TokenError::UnknownKey)?;
        if !key.verifies(self.parts.signed().as_bytes(), &self.parts.signature()?) {
            return Err(TokenError::BadSignature);
        }
        Ok(())
    }

    /// Returns whether one of the claims by which issuers tell their tokens apart says that this one is for refreshing.
    fn says_refresh(&self) -> Result<bool, TokenError> {
        for name in ["type", "typ", "token_type", "token_use"] {
            let kind = self.payload.text(name)?.unwrap_or_default();
            if kind.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("refresh")) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn principal(&self, claims: &ClaimPaths, issuer: &str) -> Result<Principal, TokenError> {
        let payload = &self.payload;
        let email = payload.text_at(claims.email.as_ref())?;
        Ok(Principal {
            user_id: payload.user_id_at(&claims.user_id)?,
            session: self.session(issuer),
            // An address that the issuer itself doubts must not open the account of its owner in some app.
            email: if payload.has_unverified_email() { None } else { email },
            username: payload.text_at(claims.username.as_ref())?,
            roles: payload.roles_at(claims.roles.as_ref())?,
            scopes: payload.scopes_at(claims.scope.as_ref())?,
        })
    }

    /// Returns an id that no session of ours has: others' tokens belong to none.
    fn session(&self, issuer: &str) -> SessionId {
        let digest = sha256(&[b"session of a foreign token", issuer.as_bytes(), self.parts.signed().as_bytes()]);
        SessionId::foreign(digest)
    }
}

/// Media type names are compared without regard to case (RFC 7515 section 4.1.9).
fn is_access_token(typ: &str) -> bool {
    ["JWT", "at+jwt", "application/at+jwt"].into_iter().any(|known| typ.eq_ignore_ascii_case(known))
}

#[cfg(test)]
mod tests;
