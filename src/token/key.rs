//! Signing keys and sets of them: made, kept as bytes, found by `kid`.

use crate::clock::Timestamp;
use crate::secret::Secret;

/// What a key signs with; fixed when the key is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    EdDsa,
    Es256,
    Rs256,
    Hs256,
    Hs384,
    Hs512,
}

impl Algorithm {
    /// Returns the algorithm of that JOSE name: `EdDSA`, `ES256`, `RS256`, `HS256`, `HS384`, `HS512`.
    pub fn parse(name: &str) -> Option<Self> {
        todo!("{name}")
    }

    pub fn name(self) -> &'static str {
        todo!()
    }

    /// Whether signing and verifying share one secret, which is then configured and never published.
    pub fn is_symmetric(self) -> bool {
        matches!(self, Self::Hs256 | Self::Hs384 | Self::Hs512)
    }
}

/// A key as the store keeps it.
#[derive(Clone, Debug)]
pub struct KeyRecord {
    pub kid: String,
    pub algorithm: Algorithm,
    /// PKCS#8, sealed with `key_encryption_secret` when `sealed`.
    pub private: Secret<Vec<u8>>,
    pub sealed: bool,
    pub created_at: Timestamp,
    /// When it stopped signing; it verifies until the last token it signed has expired.
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
#[derive(Debug)]
pub struct Key {
    pub kid: String,
    pub algorithm: Algorithm,
}

impl Key {
    /// Returns a new asymmetric key as a record, sealed with `sealing` when given.
    pub fn generate(
        algorithm: Algorithm,
        sealing: Option<&Secret<Vec<u8>>>,
        now: Timestamp,
    ) -> Result<KeyRecord, KeyError> {
        todo!("{algorithm:?} {sealing:?} {now:?}")
    }

    pub fn open(record: &KeyRecord, sealing: Option<&Secret<Vec<u8>>>) -> Result<Self, KeyError> {
        todo!("{record:?} {sealing:?}")
    }

    /// Returns the key that a shared secret is; its `kid` is a digest of the secret, so it is the same on every node.
    pub fn from_secret(algorithm: Algorithm, secret: &Secret<Vec<u8>>) -> Result<Self, KeyError> {
        todo!("{algorithm:?} {secret:?}")
    }
}

/// The keys of one issuer: the newest signs, all verify.
#[derive(Debug)]
pub struct KeySet {
    keys: Vec<Key>,
    id: u64,
}

impl KeySet {
    /// Returns the set; the first key signs. `None` when there is none.
    pub fn new(keys: Vec<Key>) -> Option<Self> {
        (!keys.is_empty()).then_some(Self { keys, id: 0 })
    }

    /// Returns a number that no other set of keys in this process has: part of every cache key.
    pub fn id(&self) -> u64 {
        self.id
    }

    pub fn signing(&self) -> &Key {
        &self.keys[0]
    }

    pub fn find(&self, kid: &str) -> Option<&Key> {
        self.keys.iter().find(|key| key.kid == kid)
    }
}
