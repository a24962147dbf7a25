//! The keys that a trusted issuer publishes, kept fresh on the office: fetched at start, again and again, and soon after a
//! token names a key that isn't among them. Only the configured URL is asked. While the provider is down the last keys
//! stay; before the first have come, none of its tokens verifies. Workers look at the snapshot and never wait.

mod fetch;
mod schedule;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;

use crate::clock::{Clock, Timestamp};
use crate::live::Live;
use crate::secret::sha256;
use crate::token::foreign::{IssuerKeys, PublicKeyError};
use crate::token::key::Algorithm;
use crate::token::key_set_url::KeySetUrl;

pub use fetch::{FetchError, Fetcher};

use fetch::Fetched;
use schedule::Schedule;

/// One published key set.
#[derive(Debug)]
pub struct RemoteKeys {
    url: KeySetUrl,
    allowed: Vec<Algorithm>,
    keys: Live<IssuerKeys>,
    /// A token has named a key that was not there.
    wanted: AtomicBool,
    wake: Arc<Notify>,
    progress: Mutex<Progress>,
}

#[derive(Debug, Default)]
struct Progress {
    schedule: Schedule,
    /// Of the set that `keys` were read from: what is the same again leaves the cache of tokens as it is.
    digest: Option<[u8; 32]>,
}

/// Why there are no new keys.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError {
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error(transparent)]
    Keys(#[from] PublicKeyError),
}

impl RemoteKeys {
    /// Returns the key set at `url`, of which keys for `allowed` are used; empty until it was fetched.
    pub fn new(url: KeySetUrl, allowed: Vec<Algorithm>) -> Self {
        Self::starting_with(url, allowed, IssuerKeys::new(Vec::new()))
    }

    /// Returns the same key set under a new id, with the keys it has, to go on with under changed rules.
    #[must_use]
    pub fn renewed(&self) -> Self {
        Self::starting_with(self.url.clone(), self.allowed.clone(), self.keys.guard().renewed())
    }

    fn starting_with(url: KeySetUrl, allowed: Vec<Algorithm>, keys: IssuerKeys) -> Self {
        Self {
            url,
            allowed,
            keys: Live::new(keys),
            wanted: AtomicBool::new(false),
            wake: Arc::default(),
            progress: Mutex::default(),
        }
    }

    pub fn is_of(&self, url: &KeySetUrl, allowed: &[Algorithm]) -> bool {
        self.url == *url && self.allowed == allowed
    }

    pub fn keys(&self) -> &Live<IssuerKeys> {
        &self.keys
    }

    /// Asks for a refresh, which comes when the schedule allows it. Costs a flood of unknown keys one atomic write each.
    pub(super) fn want(&self) {
        if !self.wanted.swap(true, Ordering::AcqRel) {
            self.wake.notify_one();
        }
    }

    /// Keeps the keys fresh until nobody holds them any more; to be spawned on the office.
    pub async fn follow(this: Weak<Self>, fetcher: Arc<Fetcher>, clock: Clock) {
        let Some(wake) = this.upgrade().map(|keys| Arc::clone(&keys.wake)) else { return };
        loop {
            let Some(keys) = this.upgrade() else { return };
            let wait = keys.wait(clock.now());
            if wait.is_zero() {
                keys.refresh(&fetcher, &clock).await;
                continue;
            }
            drop(keys);
            // Woken or not: what is due is decided by the schedule.
            let _ = timeout(wait, wake.notified()).await;
        }
    }

    /// Returns how long nothing is to be fetched.
    fn wait(&self, now: Timestamp) -> Duration {
        self.progress().schedule.wait(self.wanted.load(Ordering::Acquire), now)
    }

    /// Fetches the keys now, whatever the schedule says, and returns how long the provider would have them kept.
    pub async fn fetch(&self, fetcher: &Fetcher) -> Result<Option<Duration>, RefreshError> {
        self.take(&fetcher.fetch(&self.url).await?)
    }

    async fn refresh(&self, fetcher: &Fetcher, clock: &Clock) {
        let outcome = self.fetch(fetcher).await;
        // Whoever asked during the fetch has the answer as well; whom it did not help asks again.
        self.wanted.store(false, Ordering::Release);
        let mut progress = self.progress();
        match outcome {
            Ok(lifetime) => {
                if progress.schedule.is_failing() {
                    tracing::info!(url = %self.url, "the keys of a trusted issuer can be fetched again");
                }
                progress.schedule.succeeded(clock.now(), lifetime);
            }
            Err(error) => {
                if !progress.schedule.is_failing() {
                    tracing::warn!(url = %self.url, %error, "the keys of a trusted issuer can't be fetched; trying on");
                }
                progress.schedule.failed(clock.now());
            }
        }
    }

    /// Takes what was fetched into use.
    fn take(&self, found: &Fetched) -> Result<Option<Duration>, RefreshError> {
        let digest = Some(sha256(&[&found.body]));
        if self.progress().digest == digest {
            return Ok(found.max_age);
        }
        let keys = IssuerKeys::from_set(&found.body, &self.allowed)?;
        self.keys.replace(keys);
        self.progress().digest = digest;
        tracing::info!(url = %self.url, "the keys of a trusted issuer changed");
        Ok(found.max_age)
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().expect("no holder of this lock can panic")
    }
}

/// Ends the task that follows.
impl Drop for RemoteKeys {
    fn drop(&mut self) {
        self.wake.notify_one();
    }
}

#[cfg(test)]
mod tests;
