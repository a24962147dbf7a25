//! Signing keys: made, kept as bytes, opened once and then ready to sign and verify.
//! A key knows its one algorithm; whatever a token's header claims can only be compared with it. The store keeps
//! [`KeyRecord`]s, `app` opens them into a [`KeySet`].

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

pub use super::algorithm::Algorithm;
pub use super::set::KeySet;

use super::jws::{self, TokenType};
use super::material::{self, Material, Public};
use super::{jwk, seal};
use crate::clock::Timestamp;
use crate::secret::{Secret, sha256};

/// The least length of a shared secret, for every HS algorithm.
pub(super) const MIN_SECRET_BYTES: usize = 32;

/// A key as the store keeps it.
#[derive(Clone, Debug)]
pub struct KeyRecord {
    pub kid: String,
    pub algorithm: Algorithm,
    /// PKCS#8, sealed with `key_encryption_secret` when `sealed`.
    pub private: Secret<Vec<u8>>,
    pub sealed: bool,
    pub created_at: Timestamp,
    /// From when on it signs. Until then it is only published, so that whoever verifies knows it before it meets its tokens.
    pub signs_from: Timestamp,
    /// When it stops signing, which may lie ahead; it verifies until the last token it signed has expired.
    pub retired_at: Option<Timestamp>,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("the key is not PKCS#8 of its algorithm")]
    Malformed,
    #[error("the key is encrypted and `auth.key_encryption_secret` is not set or another one")]
    Sealed,
    #[error("a secret for {0} has at least {1} bytes")]
    SecretTooShort(&'static str, usize),
}

/// One key, ready to use.
pub struct Key {
    pub kid: String,
    pub algorithm: Algorithm,
    material: Material,
    /// The encoded JWS header of every type of token, so that signing never builds one and verifying mostly compares.
    headers: [String; TokenType::ALL.len()],
}

impl Key {
    /// Returns a new asymmetric key as a record, sealed with `sealing` when given. A symmetric algorithm is `Malformed`:
    /// its secret is configured, never made.
    pub fn generate(
        algorithm: Algorithm,
        sealing: Option<&Secret<Vec<u8>>>,
        now: Timestamp,
    ) -> Result<KeyRecord, KeyError> {
        let pkcs8 = material::generate_pkcs8(algorithm).ok_or(KeyError::Malformed)?;
        Self::import(algorithm, &pkcs8, sealing, now)
    }

    /// Returns the record of a key made elsewhere, given as PKCS#8. Its `kid` is its RFC 7638 thumbprint, so importing
    /// the same key twice gives the same `kid`.
    pub fn import(
        algorithm: Algorithm,
        pkcs8: &[u8],
        sealing: Option<&Secret<Vec<u8>>>,
        now: Timestamp,
    ) -> Result<KeyRecord, KeyError> {
        let material = Material::from_pkcs8(algorithm, pkcs8).ok_or(KeyError::Malformed)?;
        let kid = jwk::thumbprint(&material.public().ok_or(KeyError::Malformed)?);
        let private = match sealing {
            Some(secret) => seal::seal(secret, seal::Label { algorithm, kid: &kid }, pkcs8),
            None => pkcs8.to_vec(),
        };
        let private = Secret::new(private);
        let sealed = sealing.is_some();
        Ok(KeyRecord { kid, algorithm, private, sealed, created_at: now, signs_from: now, retired_at: None })
    }

    /// Returns the record with its private half sealed; `None` if it is already.
    pub fn seal(record: &KeyRecord, sealing: &Secret<Vec<u8>>) -> Option<KeyRecord> {
        let label = seal::Label { algorithm: record.algorithm, kid: &record.kid };
        let seal = || Secret::new(seal::seal(sealing, label, record.private.expose()));
        (!record.sealed).then(|| KeyRecord { private: seal(), sealed: true, ..record.clone() })
    }

    pub fn open(record: &KeyRecord, sealing: Option<&Secret<Vec<u8>>>) -> Result<Self, KeyError> {
        let stored = record.private.expose();
        let pkcs8 = if record.sealed {
            let label = seal::Label { algorithm: record.algorithm, kid: &record.kid };
            sealing.and_then(|secret| seal::unseal(secret, label, stored)).ok_or(KeyError::Sealed)?
        } else {
            Zeroizing::new(stored.clone())
        };
        let material = Material::from_pkcs8(record.algorithm, &pkcs8).ok_or(KeyError::Malformed)?;
        Ok(Self::new(record.kid.clone(), record.algorithm, material))
    }

    /// Returns the key that a shared secret is; its `kid` is a digest of the secret, so it is the same on every node.
    /// An asymmetric algorithm is `Malformed`.
    pub fn from_secret(algorithm: Algorithm, secret: &Secret<Vec<u8>>) -> Result<Self, KeyError> {
        let material = Material::from_secret(algorithm, secret.expose()).ok_or(KeyError::Malformed)?;
        if secret.expose().len() < MIN_SECRET_BYTES {
            return Err(KeyError::SecretTooShort(algorithm.name(), MIN_SECRET_BYTES));
        }
        let digest = sha256(&[b"kid of a shared secret", algorithm.name().as_bytes(), secret.expose()]);
        Ok(Self::new(URL_SAFE_NO_PAD.encode(&digest[..16]), algorithm, material))
    }

    fn new(kid: String, algorithm: Algorithm, material: Material) -> Self {
        let headers = TokenType::ALL.map(|typ| jws::header(algorithm, &kid, typ));
        Self { kid, algorithm, material, headers }
    }

    /// Returns the encoded header of every token of this type that this key signs.
    pub(super) fn header(&self, typ: TokenType) -> &str {
        &self.headers[typ as usize]
    }

    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.material.sign(message)
    }

    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        self.material.verifies(message, signature)
    }

    pub(super) fn public(&self) -> Option<Public<'_>> {
        self.material.public()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Key").field("kid", &self.kid).field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);
    const ASYMMETRIC: [Algorithm; 3] = [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256];

    fn secret(bytes: usize) -> Secret<Vec<u8>> {
        Secret::new(vec![b'k'; bytes])
    }

    #[test]
    fn a_generated_key_verifies_what_it_signed_after_a_trip_through_the_store_sealed_or_not() {
        let sealing = secret(16);
        for algorithm in ASYMMETRIC {
            for sealing in [None, Some(&sealing)] {
                let record = Key::generate(algorithm, sealing, NOW).unwrap();
                assert_eq!(record.sealed, sealing.is_some());
                let signature = Key::open(&record, sealing).unwrap().sign(b"message");
                let again = Key::open(&record, sealing).unwrap();
                assert!(again.verifies(b"message", &signature), "{algorithm:?}");
                assert!(!again.verifies(b"massage", &signature), "{algorithm:?}");
            }
        }
    }

    #[test]
    fn a_sealed_key_opens_with_its_own_secret_only() {
        let record = Key::generate(Algorithm::EdDsa, Some(&secret(16)), NOW).unwrap();
        assert_eq!(Key::open(&record, None).unwrap_err(), KeyError::Sealed);
        assert_eq!(Key::open(&record, Some(&secret(17))).unwrap_err(), KeyError::Sealed);
        let renamed = KeyRecord { kid: "another".into(), ..record };
        assert_eq!(Key::open(&renamed, Some(&secret(16))).unwrap_err(), KeyError::Sealed);
    }

    #[test]
    fn a_key_that_is_sealed_later_opens_with_the_secret_only_and_is_sealed_once() {
        let plain = Key::generate(Algorithm::EdDsa, None, NOW).unwrap();
        let sealed = Key::seal(&plain, &secret(16)).unwrap();
        assert_eq!((sealed.sealed, &sealed.kid, sealed.signs_from), (true, &plain.kid, plain.signs_from));
        let signature = Key::open(&plain, None).unwrap().sign(b"message");
        assert!(Key::open(&sealed, Some(&secret(16))).unwrap().verifies(b"message", &signature));
        assert_eq!(Key::open(&sealed, None).unwrap_err(), KeyError::Sealed);
        assert!(Key::seal(&sealed, &secret(17)).is_none());
    }

    #[test]
    fn a_key_of_one_algorithm_does_not_open_as_another() {
        for made in ASYMMETRIC {
            let record = Key::generate(made, None, NOW).unwrap();
            for claimed in Algorithm::ALL.into_iter().filter(|claimed| *claimed != made) {
                let record = KeyRecord { algorithm: claimed, ..record.clone() };
                assert_eq!(Key::open(&record, None).unwrap_err(), KeyError::Malformed, "{made:?} as {claimed:?}");
            }
        }
    }

    #[test]
    fn a_shared_secret_below_32_bytes_is_refused() {
        for algorithm in [Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512] {
            let error = Key::from_secret(algorithm, &secret(31)).unwrap_err();
            assert_eq!(error, KeyError::SecretTooShort(algorithm.name(), 32));
            assert!(Key::from_secret(algorithm, &secret(32)).is_ok());
        }
    }

    #[test]
    fn the_kid_of_a_secret_is_the_same_on_every_node_and_another_for_another_algorithm_or_secret() {
        let kid = |algorithm, bytes| Key::from_secret(algorithm, &secret(bytes)).unwrap().kid;
        assert_eq!(kid(Algorithm::Hs256, 32), kid(Algorithm::Hs256, 32));
        assert_ne!(kid(Algorithm::Hs256, 32), kid(Algorithm::Hs512, 32));
        assert_ne!(kid(Algorithm::Hs256, 32), kid(Algorithm::Hs256, 33));
    }

    #[test]
    fn secrets_and_key_pairs_do_not_stand_in_for_each_other() {
        for algorithm in ASYMMETRIC {
            assert_eq!(Key::from_secret(algorithm, &secret(64)).unwrap_err(), KeyError::Malformed);
        }
        assert_eq!(Key::generate(Algorithm::Hs256, None, NOW).unwrap_err(), KeyError::Malformed);
    }

    #[test]
    fn debug_output_shows_no_private_byte() {
        let record = Key::generate(Algorithm::EdDsa, None, NOW).unwrap();
        let key = Key::open(&record, None).unwrap();
        assert_eq!(format!("{key:?}"), format!("Key {{ kid: {:?}, algorithm: EdDsa, .. }}", record.kid));
        assert!(format!("{record:?}").contains("Secret(…)"));
    }
}
