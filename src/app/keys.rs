//! The keys that sign and verify: made at first start, opened from the store, or given as shared secrets.

use crate::auth::Trust;
use crate::clock::Timestamp;
use crate::config::Settings;
use crate::secret::Secret;
use crate::store::{SharedStore, StoreError};
use crate::token::claims::Expected;
use crate::token::key::{Algorithm, Key, KeyError, KeyRecord, KeySet};

#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("key {kid} of the store: {error}")]
    Stored { kid: String, error: KeyError },
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error("the store holds no key for {0}")]
    Missing(&'static str),
}

/// Returns what tokens are signed with and held against; an asymmetric key that the store lacks is made and kept there first.
pub async fn load_trust(settings: &Settings, store: &SharedStore, now: Timestamp) -> Result<Trust, KeysError> {
    let auth = &settings.auth;
    let expected = Expected { issuer: auth.issuer.clone(), audience: auth.audience.clone(), leeway: auth.leeway };
    if let Some(secret) = &auth.secrets.access {
        let refresh = auth.secrets.refresh.as_ref().unwrap_or(secret);
        return Ok(Trust {
            access: shared(auth.algorithm, secret)?,
            refresh: shared(auth.algorithm, refresh)?,
            expected,
        });
    }
    let sealing = auth.secrets.key_encryption.as_ref();
    let records = store.ensure_key(Key::generate(auth.algorithm, sealing, now)?).await?;
    Ok(Trust {
        access: stored(auth.algorithm, &records, sealing)?,
        refresh: stored(auth.algorithm, &records, sealing)?,
        expected,
    })
}

fn shared(algorithm: Algorithm, secret: &Secret<Vec<u8>>) -> Result<KeySet, KeysError> {
    let key = Key::from_secret(algorithm, secret)?;
    KeySet::new(vec![key]).ok_or(KeysError::Missing(algorithm.name()))
}

/// Returns the set of all stored keys. The newest live one of `algorithm` signs; those of other algorithms verify what they signed.
fn stored(algorithm: Algorithm, records: &[KeyRecord], sealing: Option<&Secret<Vec<u8>>>) -> Result<KeySet, KeysError> {
    let signs = |record: &&KeyRecord| record.algorithm == algorithm && record.retired_at.is_none();
    let signing = records.iter().find(signs).ok_or(KeysError::Missing(algorithm.name()))?;
    let others = records.iter().filter(|record| record.kid != signing.kid);
    let open = |record: &KeyRecord| {
        Key::open(record, sealing).map_err(|error| KeysError::Stored { kid: record.kid.clone(), error })
    };
    let keys: Result<Vec<Key>, KeysError> = std::iter::once(signing).chain(others).map(open).collect();
    KeySet::new(keys?).ok_or(KeysError::Missing(algorithm.name()))
}
