//! Signing keys: listed, and replaced by a new one.

use super::{Admin, AdminError, Result};
use crate::clock::Timestamp;
use crate::secret::Secret;
use crate::telemetry::audit::Event;
use crate::token::key::{Algorithm, Key, KeyRecord};

impl Admin {
    /// Returns all keys of the store, newest first.
    pub async fn list_keys(&self) -> Result<Vec<KeyRecord>> {
        Ok(self.store.list_keys().await?)
    }

    /// Makes a new signing key, sealed with `sealing` when given; returns its id. The old one verifies until the last token it
    /// signed has expired.
    pub async fn rotate_key(
        &self,
        algorithm: Algorithm,
        sealing: Option<&Secret<Vec<u8>>>,
        now: Timestamp,
    ) -> Result<String> {
        if algorithm.is_symmetric() {
            return Err(AdminError::SharedSecret(algorithm.name()));
        }
        let key = Key::generate(algorithm, sealing, now)?;
        let kid = key.kid.clone();
        self.store.rotate_key(key, None).await?;
        self.record(Event::KeyRotated, None, None, now);
        Ok(kid)
    }
}
