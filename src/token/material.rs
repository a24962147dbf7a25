//! The bytes behind a key: parsed once, kept parsed, asked only to sign, to verify and to show their public half.
//! Nothing here reads a token; `key` decides which material a token is held against.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use zeroize::Zeroizing;

use super::algorithm::Algorithm;
use super::verifier::Verifier;

/// A private key, or a shared secret, beside what verifies its signatures.
pub(super) struct Material {
    signer: Signer,
    verifier: Verifier,
}

enum Signer {
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair),
    Rsa(RsaKeyPair),
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
        let (signer, verifier) = match algorithm {
            Algorithm::EdDsa => {
                let pair = Ed25519KeyPair::from_pkcs8(pkcs8).ok()?;
                let verifier = Verifier::from_public(algorithm, pair.public_key().as_ref())?;
                (Signer::Ed25519(pair), verifier)
            }
            Algorithm::Es256 => {
                let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8).ok()?;
                let verifier = Verifier::from_public(algorithm, pair.public_key().as_ref())?;
                (Signer::P256(pair), verifier)
            }
            Algorithm::Rs256 => {
                let pair = RsaKeyPair::from_pkcs8(pkcs8).ok()?;
                let verifier = Verifier::from_public(algorithm, pair.public_key().as_ref())?;
                (Signer::Rsa(pair), verifier)
            }
            Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => return None,
        };
        Some(Self { signer, verifier })
    }

    /// Returns the HMAC key of `secret`; `None` for an asymmetric algorithm, so that no public key can become a secret.
    pub(super) fn from_secret(algorithm: Algorithm, secret: &[u8]) -> Option<Self> {
        let verifier = Verifier::from_secret(algorithm, secret)?;
        let Verifier::Hmac(key) = &verifier else { return None };
        Some(Self { signer: Signer::Hmac(key.clone()), verifier })
    }

    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        match &self.signer {
            Signer::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
            Signer::P256(pair) => {
                pair.sign(&SystemRandom::new(), message).expect("aws-lc signs with a key it accepted").as_ref().to_vec()
            }
            Signer::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature)
                    .expect("aws-lc signs with a key it accepted");
                signature
            }
            Signer::Hmac(key) => hmac::sign(key, message).as_ref().to_vec(),
        }
    }

    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        self.verifier.verifies(message, signature)
    }

    /// Returns the public half; `None` for a shared secret, which has none.
    pub(super) fn public(&self) -> Option<Public<'_>> {
        match &self.signer {
            Signer::Ed25519(pair) => Some(Public::Ed25519 { x: pair.public_key().as_ref() }),
            Signer::P256(pair) => {
                // SEC 1 section 2.3.3, uncompressed: 04, then both coordinates at full length.
                let (x, y) = pair.public_key().as_ref().get(1..)?.split_at_checked(32)?;
                Some(Public::P256 { x, y })
            }
            Signer::Rsa(pair) => {
                let public = pair.public_key();
                Some(Public::Rsa {
                    n: public.modulus().big_endian_without_leading_zero(),
                    e: public.exponent().big_endian_without_leading_zero(),
                })
            }
            Signer::Hmac(_) => None,
        }
    }
}
