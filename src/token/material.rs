//! The bytes behind a key: parsed once, kept parsed, asked only to sign, to verify and to show their public half.
//! Nothing here reads a token; `key` decides which material a token is held against.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
    ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair,
};
use zeroize::Zeroizing;

use super::algorithm::Algorithm;

pub(super) enum Material {
    Ed25519 {
        pair: Ed25519KeyPair,
        public: ParsedPublicKey,
    },
    P256 {
        pair: EcdsaKeyPair,
        public: ParsedPublicKey,
    },
    Rsa {
        pair: RsaKeyPair,
        public: ParsedPublicKey,
    },
    /// Boxed: its two precomputed states are ten times the size of the others.
    Hmac(Box<hmac::Key>),
}

/// The public half, as a JWK spells it (RFC 7518 section 6, RFC 8037 section 2).
pub(super) enum Public<'a> {
    Ed25519 { x: &'a [u8] },
    P256 { x: &'a [u8], y: &'a [u8] },
    Rsa { n: &'a [u8], e: &'a [u8] },
}

/// Returns a new private key as PKCS#8; `None` for a symmetric algorithm, whose secret is configured.
pub(super) fn generate_pkcs8(algorithm: Algorithm) -> Option<Zeroizing<Vec<u8>>> {
    let made = match algorithm {
        Algorithm::EdDsa => {
            Ed25519KeyPair::generate().and_then(|pair| pair.to_pkcs8v1()).map(|der| wiped(der.as_ref()))
        }
        Algorithm::Es256 => EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
            .and_then(|pair| pair.to_pkcs8v1())
            .map(|der| wiped(der.as_ref())),
        Algorithm::Rs256 => {
            RsaKeyPair::generate(KeySize::Rsa2048).and_then(|pair| pair.as_der()).map(|der| wiped(der.as_ref()))
        }
        Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => return None,
    };
    Some(made.expect("aws-lc makes keys unless memory is exhausted"))
}

fn wiped(bytes: &[u8]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(bytes.to_vec())
}

impl Material {
    /// Returns the key pair that `pkcs8` holds, if it is one of `algorithm`; RSA from 2048 bits.
    pub(super) fn from_pkcs8(algorithm: Algorithm, pkcs8: &[u8]) -> Option<Self> {
        match algorithm {
            Algorithm::EdDsa => {
                let pair = Ed25519KeyPair::from_pkcs8(pkcs8).ok()?;
                let public = ParsedPublicKey::new(&ED25519, pair.public_key()).ok()?;
                Some(Self::Ed25519 { pair, public })
            }
            Algorithm::Es256 => {
                let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8).ok()?;
                let public = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, pair.public_key()).ok()?;
                Some(Self::P256 { pair, public })
            }
            Algorithm::Rs256 => {
                let pair = RsaKeyPair::from_pkcs8(pkcs8).ok()?;
                let public = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public_key()).ok()?;
                Some(Self::Rsa { pair, public })
            }
            Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => None,
        }
    }

    /// Returns the HMAC key of `secret`; `None` for an asymmetric algorithm, so that no public key can become a secret.
    pub(super) fn from_secret(algorithm: Algorithm, secret: &[u8]) -> Option<Self> {
        let digest = match algorithm {
            Algorithm::Hs256 => hmac::HMAC_SHA256,
            Algorithm::Hs384 => hmac::HMAC_SHA384,
            Algorithm::Hs512 => hmac::HMAC_SHA512,
            Algorithm::EdDsa | Algorithm::Es256 | Algorithm::Rs256 => return None,
        };
        Some(Self::Hmac(Box::new(hmac::Key::new(digest, secret))))
    }

    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Ed25519 { pair, .. } => pair.sign(message).as_ref().to_vec(),
            Self::P256 { pair, .. } => {
                pair.sign(&SystemRandom::new(), message).expect("aws-lc signs with a key it accepted").as_ref().to_vec()
            }
            Self::Rsa { pair, .. } => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature)
                    .expect("aws-lc signs with a key it accepted");
                signature
            }
            Self::Hmac(key) => hmac::sign(key, message).as_ref().to_vec(),
        }
    }

    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Ed25519 { public, .. } | Self::P256 { public, .. } | Self::Rsa { public, .. } => {
                public.verify_sig(message, signature).is_ok()
            }
            Self::Hmac(key) => hmac::verify(key, message, signature).is_ok(),
        }
    }

    /// Returns the public half; `None` for a shared secret, which has none.
    pub(super) fn public(&self) -> Option<Public<'_>> {
        match self {
            Self::Ed25519 { pair, .. } => Some(Public::Ed25519 { x: pair.public_key().as_ref() }),
            Self::P256 { pair, .. } => {
                // SEC 1 section 2.3.3, uncompressed: 04, then both coordinates at full length.
                let (x, y) = pair.public_key().as_ref().get(1..)?.split_at_checked(32)?;
                Some(Public::P256 { x, y })
            }
            Self::Rsa { pair, .. } => {
                let public = pair.public_key();
                Some(Public::Rsa {
                    n: public.modulus().big_endian_without_leading_zero(),
                    e: public.exponent().big_endian_without_leading_zero(),
                })
            }
            Self::Hmac(_) => None,
        }
    }
}
