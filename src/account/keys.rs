//! Signing keys that change by themselves: whoever of the gateways on one store sees first that it is time publishes the next.

use std::panic::resume_unwind;
use std::time::Duration;

use tokio::task::spawn_blocking;

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

/// Returns a new key that signs after `ahead`. It is made beside whatever else runs here: one of RSA takes a processor for some
/// hundred milliseconds.
pub async fn new_key(
    algorithm: Algorithm,
    sealing: Option<&Secret<Vec<u8>>>,
    ahead: Duration,
    now: Timestamp,
) -> Result<KeyRecord, KeyError> {
    let sealing = sealing.cloned();
    let made = spawn_blocking(move || Key::generate(algorithm, sealing.as_ref(), now)).await;
    // Nobody ends such a task, so what came instead of a key is a panic.
    let key = made.unwrap_or_else(|failed| resume_unwind(failed.into_panic()))?;
    Ok(KeyRecord { signs_from: now.plus(ahead), ..key })
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
        let new = new_key(algorithm, sealing, schedule.ahead, now).await?;
        if !self.store.rotate_key(new.clone(), Some(&old.kid)).await? {
            return Ok(None);
        }
        let entry = Entry { reason: Some("schedule"), ..Entry::default() };
        self.audit.record(Event::KeyRotated, &entry, now);
        Ok(Some(new))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::fixture::World;

    const SCHEDULE: Schedule = Schedule { every: Duration::from_secs(1000), ahead: Duration::from_secs(100) };

    async fn rotate(world: &World) -> Option<KeyRecord> {
        world.accounts.rotate_key_if_due(Algorithm::EdDsa, None, SCHEDULE).await.unwrap()
    }

    #[tokio::test]
    async fn the_next_key_is_published_once_when_it_is_time_and_audited() {
        let world = World::new();
        assert!(rotate(&world).await.is_none(), "without a key there is none to follow");
        let first = new_key(Algorithm::EdDsa, None, Duration::ZERO, world.clock.now()).await.unwrap();
        world.store.ensure_key(first.clone()).await.unwrap();
        world.clock.advance(Duration::from_secs(899));
        assert!(rotate(&world).await.is_none());
        world.clock.advance(Duration::from_secs(1));
        let second = rotate(&world).await.unwrap();
        assert_eq!(second.signs_from, first.created_at.plus(SCHEDULE.every));
        assert!(rotate(&world).await.is_none(), "it is published already");
        let keys = world.store.list_keys().await.unwrap();
        let retired: Vec<_> = keys.iter().map(|key| (key.kid.as_str(), key.retired_at)).collect();
        assert_eq!(retired, [(second.kid.as_str(), None), (first.kid.as_str(), Some(second.signs_from))]);
        assert_eq!(world.events(), ["key.rotated"]);
    }
}
