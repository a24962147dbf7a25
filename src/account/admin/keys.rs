//! Signing keys: listed, and replaced by a new one.

use std::time::Duration;

use super::{Admin, AdminError, Result};
use crate::account::keys::new_key;
use crate::clock::Timestamp;
use crate::secret::Secret;
use crate::telemetry::audit::Event;
use crate::token::key::{Algorithm, KeyRecord};

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
        let key = new_key(algorithm, sealing, ahead, now)?;
        self.store.rotate_key(key.clone(), None).await?;
        self.record(Event::KeyRotated, None, None, now);
        Ok(key)
    }
}
