//! JWS compact serialisation (RFC 7515) over aws-lc: strict base64url, strict JSON, one signature, no surprises.
//! Takes tokens that [`sign`] could have made and no others. The header never chooses how it is verified: `alg` is
//! compared with the key's own, and no member but `alg`, `kid`, `typ` is taken. `claims` calls it; `foreign` borrows `Parts`.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

use super::algorithm::Algorithm;
use super::claims::TokenError;
use super::key::{Key, KeySet};
use super::object::Object;

/// Longer tokens are refused unread.
const MAX_BYTES: usize = 8 * 1024;

/// What a token is for, said by `typ` so that one can't be taken for another (RFC 8725 section 3.11).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenType {
    Access,
    Refresh,
}

impl TokenType {
    /// In the order of the discriminants.
    pub(super) const ALL: [Self; 2] = [Self::Access, Self::Refresh];

    pub fn name(self) -> &'static str {
        match self {
            Self::Access => "at+jwt",
            Self::Refresh => "rt+jwt",
        }
    }
}

/// Returns the encoded header of tokens of that type under that key.
pub(super) fn header(algorithm: Algorithm, kid: &str, typ: TokenType) -> String {
    let header = serde_json::json!({ "alg": algorithm.name(), "kid": kid, "typ": typ.name() });
    URL_SAFE_NO_PAD.encode(header.to_string())
}

/// Returns the signed token.
pub fn sign(key: &Key, typ: TokenType, claims: &impl Serialize) -> String {
    let payload = serde_json::to_vec(claims).expect("claims are strings, numbers and lists of strings");
    let mut token = String::with_capacity(payload.len() * 4 / 3 + 512);
    token.push_str(key.header(typ));
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(payload, &mut token);
    let signature = key.sign(token.as_bytes());
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    token
}

/// Returns the claims of a token of that type that one of `keys` has signed. They are parsed after the signature is verified.
pub fn open(keys: &KeySet, typ: TokenType, token: &str) -> Result<Object, TokenError> {
    let parts = Parts::split(token).ok_or(TokenError::Malformed)?;
    let key = find_key(keys, typ, parts.header)?;
    if !key.verifies(parts.signed.as_bytes(), &parts.signature()?) {
        return Err(TokenError::BadSignature);
    }
    Object::parse(&parts.payload()?).ok_or(TokenError::InvalidClaims)
}

/// The parts of a compact token, still encoded.
pub(super) struct Parts<'t> {
    header: &'t str,
    payload: &'t str,
    signature: &'t str,
    /// Header and payload with the dot between them: what the signature is about.
    signed: &'t str,
}

impl<'t> Parts<'t> {
    /// Returns the parts, unless there are other than three or the token is longer than any of use.
    pub(super) fn split(token: &'t str) -> Option<Self> {
        if token.len() > MAX_BYTES {
            return None;
        }
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, payload) = signed.split_once('.')?;
        (!payload.contains('.')).then_some(Self { header, payload, signature, signed })
    }

    pub(super) fn header(&self) -> Result<Vec<u8>, TokenError> {
        decode(self.header)
    }

    pub(super) fn payload(&self) -> Result<Vec<u8>, TokenError> {
        decode(self.payload)
    }

    pub(super) fn signature(&self) -> Result<Vec<u8>, TokenError> {
        decode(self.signature)
    }

    /// Returns what the signature is about.
    pub(super) fn signed(&self) -> &'t str {
        self.signed
    }
}

/// Returns the bytes of unpadded base64url in its one canonical spelling: unused bits are zero (RFC 4648 section 3.5).
fn decode(part: &str) -> Result<Vec<u8>, TokenError> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Malformed)
}

fn find_key<'k>(keys: &'k KeySet, typ: TokenType, header: &str) -> Result<&'k Key, TokenError> {
    // Every header we ever made is found here, without being parsed.
    if let Some(key) = keys.keys().iter().find(|key| key.header(typ) == header) {
        return Ok(key);
    }
    let header = Object::parse(&decode(header)?).ok_or(TokenError::Malformed)?;
    // `crit`, `b64`, `zip`, `enc`, and every way to bring a key along (`jwk`, `jku`, `x5c`, `x5u`): none of it is ours.
    if header.names().any(|name| !matches!(name, "alg" | "kid" | "typ")) {
        return Err(TokenError::Malformed);
    }
    let text = |name| header.member(name).map(|value| value.as_str().ok_or(TokenError::Malformed)).transpose();
    let (alg, kid, typ_found) = (text("alg")?, text("kid")?, text("typ")?);
    let key = kid.and_then(|kid| keys.find(kid)).ok_or(TokenError::UnknownKey)?;
    if alg != Some(key.algorithm.name()) {
        return Err(TokenError::BadSignature);
    }
    // Media type names are compared without regard to case (RFC 7515 section 4.1.9).
    if !typ_found.is_some_and(|found| found.eq_ignore_ascii_case(typ.name())) {
        return Err(TokenError::WrongType);
    }
    Ok(key)
}

#[cfg(test)]
mod tests;
