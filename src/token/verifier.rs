//! The half of a key that verifies, parsed once: a public key, or a shared secret. It has one algorithm for good.
//! `material` holds one beside each private key; keys that others publish are nothing but this.

use aws_lc_rs::hmac;
use aws_lc_rs::rsa::PublicKey as RsaPublicKey;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
};

use super::algorithm::Algorithm;
use super::material::Public;

pub(super) enum Verifier {
    Public(ParsedPublicKey),
    /// Boxed: its two precomputed states are ten times the size of the other.
    Hmac(Box<hmac::Key>),
}

/// 2048 bits. What rounds up to as many bytes but has fewer bits fails at every signature.
const MIN_RSA_BYTES: usize = 256;

impl Verifier {
    /// Returns the verifier of a public key in the library's own form or as an X.509 `SubjectPublicKeyInfo`; `None` if it
    /// is not one of `algorithm`, and for every symmetric algorithm, so that no public key can become a secret.
    pub(super) fn from_public(algorithm: Algorithm, bytes: &[u8]) -> Option<Self> {
        let parsed = match algorithm {
            Algorithm::EdDsa => ParsedPublicKey::new(&ED25519, bytes),
            Algorithm::Es256 => ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, bytes),
            Algorithm::Rs256 => {
                let key = RsaPublicKey::from_der(bytes).ok()?;
                if !is_strong(key.modulus_len(), key.exponent().big_endian_without_leading_zero()) {
                    return None;
                }
                ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, bytes)
            }
            Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => return None,
        };
        parsed.ok().map(Self::Public)
    }

    /// Returns the verifier of a public key as a JWK spells it.
    pub(super) fn from_members(public: &Public<'_>) -> Option<Self> {
        match *public {
            Public::Ed25519 { x } if x.len() == 32 => Self::from_public(Algorithm::EdDsa, x),
            Public::P256 { x, y } if x.len() == 32 && y.len() == 32 => {
                // SEC 1 section 2.3.4; the library checks that the point lies on the curve.
                Self::from_public(Algorithm::Es256, &[&[4], x, y].concat())
            }
            Public::Rsa { n, e } if is_strong(n.len(), e) => {
                let parsed = RsaPublicKeyComponents { n, e }.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256);
                parsed.ok().map(Self::Public)
            }
            Public::Ed25519 { .. } | Public::P256 { .. } | Public::Rsa { .. } => None,
        }
    }

    /// Returns the verifier of `secret`; `None` for an asymmetric algorithm.
    pub(super) fn from_secret(algorithm: Algorithm, secret: &[u8]) -> Option<Self> {
        let digest = match algorithm {
            Algorithm::Hs256 => hmac::HMAC_SHA256,
            Algorithm::Hs384 => hmac::HMAC_SHA384,
            Algorithm::Hs512 => hmac::HMAC_SHA512,
            Algorithm::EdDsa | Algorithm::Es256 | Algorithm::Rs256 => return None,
        };
        Some(Self::Hmac(Box::new(hmac::Key::new(digest, secret))))
    }

    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Public(key) => key.verify_sig(message, signature).is_ok(),
            Self::Hmac(key) => hmac::verify(key, message, signature).is_ok(),
        }
    }
}

/// Whether an RSA key is long enough, and its exponent odd and above 1: with 1 everything is its own signature, and the
/// library takes that. It bounds the size of both upwards.
fn is_strong(modulus_bytes: usize, exponent: &[u8]) -> bool {
    let is_odd = exponent.last().is_some_and(|last| last % 2 == 1);
    modulus_bytes >= MIN_RSA_BYTES && is_odd && exponent != [1]
}
