//! Signing keys that change by themselves: whoever of the gateways on one store sees first that it is time publishes the next.

use std::time::Duration;

use super::Accounts;
use crate::clock::Timestamp;
use crate::secret::Secret;
use crate::store::StoreError;
use crate::telemetry::audit::{Entry, Event};
use crate::token::key::{Algorithm, Key, KeyError, KeyRecord};
use crate::token::rotation::{self, Schedule};

/// Why no key was published.
#[derive(Debug, thiserror::Error)]
pub enum RotationError {
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Returns a new key that signs after `ahead`.
pub(super) fn new_key(
    algorithm: Algorithm,
    sealing: Option<&Secret<Vec<u8>>>,
    ahead: Duration,
    now: Timestamp,
) -> Result<KeyRecord, KeyError> {
    Ok(KeyRecord { signs_from: now.plus(ahead), ..Key::generate(algorithm, sealing, now)? })
}

impl Accounts {
    /// Publishes the next key if `schedule` says that it is time and nobody else has; returns it if so.
    pub async fn rotate_key_if_due(
        &self,
        algorithm: Algorithm,
        sealing: Option<&Secret<Vec<u8>>>,
        schedule: Schedule,
    ) -> Result<Option<KeyRecord>, RotationError> {
        let now = self.clock.now();
        let records = self.store.list_keys().await?;
        let due = rotation::successor_due(&records, algorithm, schedule).filter(|(_, due)| *due <= now);
        let Some((old, _)) = due else { return Ok(None) };
        let new = new_key(algorithm, sealing, schedule.ahead, now)?;
        if !self.store.rotate_key(new.clone(), Some(&old.kid)).await? {
            return Ok(None);
        }
        let entry = Entry { reason: Some("schedule"), ..Entry::default() };
        self.audit.record(Event::KeyRotated, &entry, now);
        Ok(Some(new))
    }
}
