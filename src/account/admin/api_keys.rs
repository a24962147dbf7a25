//! Keys of users, as operators make and take them back.

use super::{Admin, AdminError, Result};
use crate::account::api_keys::{MadeKey, REMEMBERED, WantedKey};
use crate::clock::Timestamp;
use crate::identity::{Scope, SessionId};
use crate::store::{ApiKey, KeyEnd, StoreError, User};
use crate::telemetry::audit::Event;

impl Admin {
    /// Returns the user's keys, newest first; with `None`, everybody's.
    pub async fn list_api_keys(&self, user: Option<&User>) -> Result<Vec<ApiKey>> {
        Ok(self.store.list_api_keys(user.map(|user| &user.id)).await?)
    }

    /// Returns a new key for the user; `granted` are the scopes of their roles.
    pub async fn make_api_key(
        &self,
        user: &User,
        wanted: &WantedKey,
        granted: &[Scope],
        now: Timestamp,
    ) -> Result<MadeKey> {
        let made = MadeKey::new(wanted.judge(&user.id, granted, now).map_err(AdminError::ApiKey)?);
        self.store.insert_api_key(made.to_store()).await.map_err(|error| match error {
            StoreError::NotFound => AdminError::Disabled(super::shown(user).to_owned()),
            other => AdminError::Store(other),
        })?;
        self.record(Event::ApiKeyCreated, Some(&user.id), Some(made.record.id), now);
        Ok(made)
    }

    /// Takes a key back, everywhere, at once.
    pub async fn revoke_api_key(&self, id: SessionId, now: Timestamp) -> Result<ApiKey> {
        let keys = self.store.list_api_keys(None).await?;
        let key = keys.into_iter().find(|key| key.id == id).ok_or(AdminError::NoSuchApiKey(id))?;
        let end = KeyEnd { now, remember_until: now.plus(REMEMBERED) };
        if !self.store.delete_api_key(&key.user_id, id, end).await? {
            return Err(AdminError::NoSuchApiKey(id));
        }
        self.record(Event::ApiKeyRevoked, Some(&key.user_id), Some(id), now);
        Ok(key)
    }
}
