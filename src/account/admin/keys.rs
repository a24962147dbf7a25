//! Signing keys: listed, and replaced by a new one or by one that was made elsewhere.

use std::time::Duration;

use super::{Admin, AdminError, Result};
use crate::account::keys::new_key;
use crate::clock::Timestamp;
use crate::secret::Secret;
use crate::telemetry::audit::Event;
use crate::token::key::{Algorithm, Key, KeyRecord};

impl Admin {
    /// Returns all keys of the store, newest first.
    pub async fn list_keys(&self) -> Result<Vec<KeyRecord>> {
        Ok(self.store.list_keys().await?)
    }

    /// Publishes a new signing key, sealed with `sealing` when given, that signs after `ahead`; returns it. The old one signs
    /// until then, and verifies until the last token it signed has expired.
    pub async fn rotate_key(
        &self,
        algorithm: Algorithm,
        sealing: Option<&Secret<Vec<u8>>>,
        ahead: Duration,
        now: Timestamp,
    ) -> Result<KeyRecord> {
        if algorithm.is_symmetric() {
            return Err(AdminError::SharedSecret(algorithm.name()));
        }
        self.publish_key(new_key(algorithm, sealing, ahead, now).await?, now).await
    }

    /// Publishes a key that was made elsewhere, given as PKCS#8, as [`Admin::rotate_key`] does a new one; returns it.
    pub async fn import_key(
        &self,
        algorithm: Algorithm,
        pkcs8: &Secret<Vec<u8>>,
        sealing: Option<&Secret<Vec<u8>>>,
        (now, ahead): (Timestamp, Duration),
    ) -> Result<KeyRecord> {
        if algorithm.is_symmetric() {
            return Err(AdminError::SharedSecret(algorithm.name()));
        }
        let key = Key::import(algorithm, pkcs8.expose(), sealing, now)?;
        if self.store.list_keys().await?.iter().any(|known| known.kid == key.kid) {
            return Err(AdminError::KnownKey(key.kid));
        }
        self.publish_key(KeyRecord { signs_from: now.plus(ahead), ..key }, now).await
    }

    async fn publish_key(&self, key: KeyRecord, now: Timestamp) -> Result<KeyRecord> {
        self.store.rotate_key(key.clone(), None).await?;
        self.record(Event::KeyRotated, None, None, now);
        Ok(key)
    }
}
