//! Keys that others publish or share with us, read from a JWK set (RFC 7517), one JWK, or PEM; nothing in them signs.
//! A key has the one algorithm that its kind fits and the configuration allows; what a set says of a key can only narrow that.
//! Keys that don't fit are passed over; a private key where a public one belongs is never used.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::pki_types::pem::PemObject;
use serde_json::Value;

use super::algorithm::Algorithm;
use super::key::MIN_SECRET_BYTES;
use super::material::Public;
use super::object::Object;
use super::verifier::Verifier;
use crate::secret::Secret;

/// More keys than any provider has; a set is read up to here.
const MAX_KEYS: usize = 100;
const MAX_KID_BYTES: usize = 256;

/// One key to verify with.
pub struct PublicKey {
    /// `None`: whatever a token calls it.
    kid: Option<String>,
    algorithm: Algorithm,
    verifier: Verifier,
}

/// Why a key of another issuer can't be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublicKeyError {
    #[error("neither a PEM section `PUBLIC KEY` nor a JWK")]
    Unreadable,
    #[error("a private key, which its owner alone should have")]
    Private,
    #[error("a key that is not RSA of 2048 to 8192 bits, EC P-256 or Ed25519, or not meant for signatures")]
    Unsupported,
    #[error("not a JWK set: an object with a list `keys`")]
    NotASet,
    #[error("a JWK set without a key that can be used")]
    NothingUsable,
    #[error("a secret of less than {MIN_SECRET_BYTES} bytes")]
    SecretTooShort,
}

impl PublicKey {
    /// Returns the key that a secret shared with the issuer is, under one HS algorithm.
    pub fn from_secret(algorithm: Algorithm, secret: &Secret<Vec<u8>>) -> Result<Self, PublicKeyError> {
        if secret.expose().len() < MIN_SECRET_BYTES {
            return Err(PublicKeyError::SecretTooShort);
        }
        let verifier = Verifier::from_secret(algorithm, secret.expose()).ok_or(PublicKeyError::Unsupported)?;
        Ok(Self { kid: None, algorithm, verifier })
    }

    /// Returns the key that `text` holds as PEM (`SubjectPublicKeyInfo`) or as a JWK; it goes by any `kid`.
    pub fn from_text(text: &str) -> Result<Self, PublicKeyError> {
        if let Some(jwk) = Object::parse(text.as_bytes()) {
            return Ok(Self { kid: None, ..Self::from_jwk(&jwk)? });
        }
        if text.contains("PRIVATE KEY-----") {
            return Err(PublicKeyError::Private);
        }
        let der = SubjectPublicKeyInfoDer::from_pem_slice(text.as_bytes()).map_err(|_| PublicKeyError::Unreadable)?;
        let asymmetric = Algorithm::ALL.into_iter().filter(|algorithm| !algorithm.is_symmetric());
        let mut read = asymmetric.filter_map(|algorithm| Some((algorithm, Verifier::from_public(algorithm, &der)?)));
        let (algorithm, verifier) = read.next().ok_or(PublicKeyError::Unsupported)?;
        Ok(Self { kid: None, algorithm, verifier })
    }

    /// Returns the keys of a JWK set that are for signatures by one of `allowed`.
    pub(super) fn from_set(json: &[u8], allowed: &[Algorithm]) -> Result<Vec<Self>, PublicKeyError> {
        let set = Object::parse(json).ok_or(PublicKeyError::NotASet)?;
        let listed = set.member("keys").and_then(Value::as_array).ok_or(PublicKeyError::NotASet)?;
        let read = listed.iter().take(MAX_KEYS).filter_map(|item| Self::from_jwk(&Object::from_value(item)?).ok());
        let keys: Vec<Self> = read.filter(|key| allowed.contains(&key.algorithm)).collect();
        if keys.is_empty() { Err(PublicKeyError::NothingUsable) } else { Ok(keys) }
    }

    fn from_jwk(jwk: &Object) -> Result<Self, PublicKeyError> {
        // A JWK that gives its private half away (RFC 7518 section 6), or is a secret altogether.
        if jwk.member("d").is_some() || jwk.member("k").is_some() {
            return Err(PublicKeyError::Private);
        }
        let jwk = Jwk(jwk);
        let (algorithm, verifier) = jwk.read().ok_or(PublicKeyError::Unsupported)?;
        let is_meant = jwk.allows("use", "sig") && jwk.allows("alg", algorithm.name()) && jwk.may_verify();
        if !is_meant {
            return Err(PublicKeyError::Unsupported);
        }
        Ok(Self { kid: jwk.kid()?, algorithm, verifier })
    }

    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Whether a token with that header could be this key's.
    pub(super) fn fits(&self, algorithm: &str, kid: Option<&str>) -> bool {
        let is_named = match (&self.kid, kid) {
            (Some(ours), Some(named)) => ours == named,
            (None, _) | (_, None) => true,
        };
        is_named && self.algorithm.name() == algorithm
    }

    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        self.verifier.verifies(message, signature)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = out.debug_struct("PublicKey");
        shown.field("kid", &self.kid).field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

/// The members of one JWK.
struct Jwk<'a>(&'a Object);

impl Jwk<'_> {
    fn text(&self, name: &str) -> Option<&str> {
        self.0.member(name)?.as_str()
    }

    fn bytes(&self, name: &str) -> Option<Vec<u8>> {
        URL_SAFE_NO_PAD.decode(self.text(name)?).ok()
    }

    fn read(&self) -> Option<(Algorithm, Verifier)> {
        match (self.text("kty")?, self.text("crv")) {
            ("OKP", Some("Ed25519")) => {
                let x = self.bytes("x")?;
                Some((Algorithm::EdDsa, Verifier::from_members(&Public::Ed25519 { x: &x })?))
            }
            ("EC", Some("P-256")) => {
                let (x, y) = (self.bytes("x")?, self.bytes("y")?);
                Some((Algorithm::Es256, Verifier::from_members(&Public::P256 { x: &x, y: &y })?))
            }
            ("RSA", _) => {
                let (n, e) = (self.bytes("n")?, self.bytes("e")?);
                // Some providers write the sign byte of ASN.1 along, against RFC 7518 section 6.3.1.1.
                let public = Public::Rsa { n: without_leading_zeros(&n), e: without_leading_zeros(&e) };
                Some((Algorithm::Rs256, Verifier::from_members(&public)?))
            }
            _ => None,
        }
    }

    /// Whether the member is absent or says just that.
    fn allows(&self, name: &str, value: &str) -> bool {
        self.0.member(name).is_none_or(|found| found == value)
    }

    fn may_verify(&self) -> bool {
        let Some(operations) = self.0.member("key_ops") else { return true };
        operations.as_array().is_some_and(|list| list.iter().any(|one| one == "verify"))
    }

    /// Returns the key's id, if it has one.
    fn kid(&self) -> Result<Option<String>, PublicKeyError> {
        match self.0.member("kid") {
            None => Ok(None),
            Some(Value::String(kid)) if kid.len() <= MAX_KID_BYTES => Ok(Some(kid.clone())),
            Some(_) => Err(PublicKeyError::Unsupported),
        }
    }
}

fn without_leading_zeros(bytes: &[u8]) -> &[u8] {
    let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len());
    &bytes[start..]
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod wycheproof_tests;
