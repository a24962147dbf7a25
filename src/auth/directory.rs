//! The accounts that credentials name without being of our making: keys of users, and tokens of an issuer whose users are ours.
//! Asked only about what the cache does not know; the store is read on the office, and how much at once is bounded.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use crate::clock::Timestamp;
use crate::identity::Scope;
use crate::live::Live;
use crate::policy::{RoleScopes, granted_scopes};
use crate::store::{ApiKey, SharedStore, StoreError, User, UserKey};

/// Questions that may be under way; the store answers one in well under a millisecond.
const PLACES: usize = 512;

/// How exactly the last use of a key is known; as long as an answer is remembered.
pub(super) const FRESHNESS: Duration = Duration::from_mins(1);

/// What a credential names.
#[derive(Clone, Debug)]
pub(super) enum Question {
    Account(UserKey),
    /// By its digest.
    ApiKey([u8; 32]),
}

/// An account, and the key that it was found by.
#[derive(Debug)]
pub(super) struct Found {
    pub user: User,
    pub key: Option<ApiKey>,
}

/// The store can't be asked now; the same credential may be good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("accounts can't be looked up now")]
pub struct Unavailable;

pub struct Directory {
    store: SharedStore,
    office: Handle,
    places: Arc<Semaphore>,
    role_scopes: Live<RoleScopes>,
}

impl Directory {
    /// Must be called on the office: the store is read there.
    pub fn new(store: SharedStore, role_scopes: Live<RoleScopes>) -> Self {
        Self { store, office: Handle::current(), places: Arc::new(Semaphore::new(PLACES)), role_scopes }
    }

    pub(super) fn scopes_of(&self, user: &User) -> Vec<Scope> {
        granted_scopes(&self.role_scopes.guard(), &user.roles)
    }

    /// Returns the account that a credential names and notes the use of a key; `None` if there is none.
    pub(super) async fn find(&self, question: Question, now: Timestamp) -> Result<Option<Found>, Unavailable> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_full| Unavailable)?;
        let store = Arc::clone(&self.store);
        let asked = self.office.spawn(async move {
            // Kept for as long as the store is asked: whoever asked may be gone before that.
            let _place = place;
            find(&store, question, now).await
        });
        let found = asked.await.map_err(|_panicked| Unavailable)?;
        found.map_err(|error| {
            tracing::warn!(%error, "a credential could not be looked up");
            Unavailable
        })
    }
}

async fn find(store: &SharedStore, question: Question, now: Timestamp) -> Result<Option<Found>, StoreError> {
    let hash = match question {
        Question::Account(key) => {
            return Ok(store.find_user(&key).await?.map(|user| Found { user, key: None }));
        }
        Question::ApiKey(hash) => hash,
    };
    let Some((key, user)) = store.find_api_key(hash).await? else { return Ok(None) };
    let is_due = key.last_used_at.is_none_or(|last| now.since(last) >= FRESHNESS);
    if is_due && user.is_active && key.expires_at.is_none_or(|end| now < end) {
        let (store, touched) = (Arc::clone(store), vec![(key.id, now)]);
        // Nobody waits for it: a use that is not noted costs nobody anything.
        tokio::spawn(async move {
            if let Err(error) = store.touch_api_keys(touched).await {
                tracing::warn!(%error, "the last use of a key could not be noted");
            }
        });
    }
    Ok(Some(Found { user, key: Some(key) }))
}

impl std::fmt::Debug for Directory {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Directory(…)")
    }
}
