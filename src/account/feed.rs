//! What took effect in the store, told to the serving side: ended sessions, changed users, new keys.
//! Every use case catches up before it answers, and a task does so whenever the store knows or suspects that another process
//! changed something; both go the same way and under one lock, so that an older reading never takes the place of a newer one.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, Notify};

use super::settings::AccountSettings;
use crate::auth::Revocations;
use crate::auth::revocation::Standing;
use crate::clock::{Clock, Timestamp};
use crate::identity::UserId;
use crate::live::Live;
use crate::store::{Change, ChangeKind, SharedStore, StoreError, User, UserKey};

/// How much longer than its tokens a change is remembered: clocks of nodes differ, and leeway is configured elsewhere.
pub const SLACK: Duration = Duration::from_mins(1);

/// How far the serving side has been told.
pub struct Feed {
    store: SharedStore,
    revocations: Arc<Revocations>,
    settings: Live<AccountSettings>,
    clock: Clock,
    told: Mutex<Told>,
    /// How often somebody has asked to catch up.
    asked: AtomicU64,
    keys_changed: Notify,
}

/// How far it has come, and whom the last reading served.
struct Told {
    seq: i64,
    /// Whoever had asked with this number or a lower one when the last reading began.
    served: u64,
    outcome: Result<(), StoreError>,
}

impl Feed {
    /// Returns a feed that has told nothing yet; the first [`Feed::catch_up`] tells all that the store still remembers.
    pub fn new(
        store: SharedStore,
        revocations: Arc<Revocations>,
        settings: Live<AccountSettings>,
        clock: Clock,
    ) -> Self {
        let told = Mutex::new(Told { seq: 0, served: 0, outcome: Ok(()) });
        Self { store, revocations, settings, clock, told, asked: AtomicU64::new(0), keys_changed: Notify::new() }
    }

    /// Tells what changed since the last time. Must have succeeded once before anything is served. Those who wait while the
    /// store is read share the next reading and how it ends: were each to read alone, a store that answers late would hold up a
    /// queue of them, one after the other.
    pub async fn catch_up(&self) -> Result<(), StoreError> {
        let number = self.asked.fetch_add(1, Ordering::AcqRel) + 1;
        let mut told = self.told.lock().await;
        if told.served >= number {
            return told.outcome.clone();
        }
        let serving = self.asked.load(Ordering::Acquire);
        let outcome = self.tell_after(&mut told.seq).await;
        (told.served, told.outcome) = (serving, outcome.clone());
        outcome
    }

    async fn tell_after(&self, seq: &mut i64) -> Result<(), StoreError> {
        let changes = self.store.changes_after(*seq).await?;
        let Some(last) = changes.last() else { return Ok(()) };
        self.apply(&changes).await?;
        *seq = last.seq;
        Ok(())
    }

    /// Tells everything anew that is still remembered: what a standing is made of has been configured differently.
    pub async fn tell_again(&self) -> Result<(), StoreError> {
        self.told.lock().await.seq = 0;
        self.catch_up().await
    }

    /// Catches up for ever; a store that fails is logged once and asked again.
    pub async fn follow(&self) {
        let mut failing = false;
        loop {
            self.store.wait_for_change().await;
            match self.catch_up().await {
                Ok(()) if failing => tracing::info!("the store can be read again"),
                Err(error) if !failing => tracing::warn!(%error, "changes in the store can't be read; trying on"),
                Ok(()) | Err(_) => continue,
            }
            failing = !failing;
        }
    }

    /// Returns when somebody has changed the signing keys since the last call.
    pub async fn keys_changed(&self) {
        self.keys_changed.notified().await;
    }

    /// Forgets what no live token can need any more, here and in the store.
    pub async fn forget_expired(&self) -> Result<(), StoreError> {
        let settings = self.settings.current();
        let now = self.clock.now();
        self.revocations.forget_expired(now, SLACK);
        self.store.prune(now, now.minus(settings.longest_token() + SLACK)).await
    }

    async fn apply(&self, changes: &[Change]) -> Result<(), StoreError> {
        let now = self.clock.now();
        // Longer than an access token of today: a reload may have made them shorter.
        let memory = self.settings.current().longest_token();
        let mut users = BTreeSet::new();
        for change in changes {
            match &change.kind {
                ChangeKind::SessionEnded { session, user, remember_until } => {
                    if remember_until.plus(SLACK) > now {
                        self.revocations.end_session(*session, user, *remember_until);
                    }
                }
                ChangeKind::UserChanged(user) => {
                    if change.at.plus(memory + SLACK) > now {
                        users.insert(user);
                    }
                }
                ChangeKind::KeysChanged => self.keys_changed.notify_one(),
            }
        }
        for user in users {
            self.tell_standing(user, now.plus(memory)).await?;
        }
        Ok(())
    }

    async fn tell_standing(&self, id: &UserId, remember_until: Timestamp) -> Result<(), StoreError> {
        let standing = match self.store.find_user(&UserKey::Id(id.clone())).await? {
            Some(user) if user.is_active => self.standing_of(user),
            Some(_) | None => Standing::Gone,
        };
        self.revocations.change_user(id, standing, remember_until);
        Ok(())
    }

    fn standing_of(&self, user: User) -> Standing {
        let scopes = self.settings.current().scopes_of(&user.roles);
        Standing::Active { email: user.email, username: user.username, roles: user.roles, scopes }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use tokio::task::yield_now;

    use crate::account::fixture::World;
    use crate::store::StoreError;

    #[tokio::test]
    async fn those_who_wait_share_the_next_reading_and_who_comes_later_has_their_own() {
        let world = World::new();
        let feed = world.accounts.feed();
        let away = Err(StoreError::Unavailable("away".into()));
        let mut told = feed.told.lock().await;
        let reading = async {
            yield_now().await;
            (told.served, told.outcome) = (feed.asked.load(Ordering::Acquire), away.clone());
            drop(told);
        };
        let (first, second, ()) = tokio::join!(feed.catch_up(), feed.catch_up(), reading);
        assert_eq!((first, second), (away.clone(), away));
        assert_eq!(feed.catch_up().await, Ok(()));
    }
}
