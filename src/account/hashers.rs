//! The threads that hash passwords: few, of lower priority, behind a bounded queue, so that a login storm can slow sign-ins
//! but never the proxied requests beside them. A caller that has gone away costs no hash.

use std::io;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use tokio::sync::oneshot;

use crate::live::Live;
use crate::password::hash::{Check, Hasher};
use crate::secret::Secret;

/// How many callers may wait for each thread: at 20 ms a hash, the last of them waits 1.3 s.
const QUEUE_PER_THREAD: usize = 64;

/// The queue is full; the caller should come again in a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the hashers are busy")]
pub struct Busy;

/// The way to the hashing threads; they end when it is dropped.
pub struct Hashers {
    queue: SyncSender<Job>,
    hasher: Live<Hasher>,
    waiting: AtomicUsize,
    done: Arc<AtomicU64>,
}

impl Hashers {
    /// Starts `threads` threads.
    pub fn start(hasher: Hasher, threads: NonZeroUsize) -> io::Result<Self> {
        let (queue, jobs) = sync_channel(threads.get().saturating_mul(QUEUE_PER_THREAD));
        let (jobs, done) = (Arc::new(Mutex::new(jobs)), Arc::new(AtomicU64::new(0)));
        for number in 0..threads.get() {
            let (jobs, done) = (Arc::clone(&jobs), Arc::clone(&done));
            thread::Builder::new().name(format!("hasher-{number}")).spawn(move || work(&jobs, &done))?;
        }
        Ok(Self { queue, hasher: Live::new(hasher), waiting: AtomicUsize::new(0), done })
    }

    /// Hashes at another cost from now on.
    pub fn replace_hasher(&self, hasher: Hasher) {
        self.hasher.replace(hasher);
    }

    /// Returns the PHC string of `password`.
    pub async fn hash(&self, password: &Secret<String>) -> Result<String, Busy> {
        let password = password.clone();
        self.submit(|hasher, answer| Job::Hash { hasher, password, answer }).await
    }

    /// Returns whether `password` has that hash; `None` costs the same and is `Wrong`.
    pub async fn check(&self, password: &Secret<String>, hash: Option<&str>) -> Result<Check, Busy> {
        let (password, hash) = (password.clone(), hash.map(str::to_owned));
        self.submit(|hasher, answer| Job::Check { hasher, password, hash, answer }).await
    }

    /// Returns how many callers wait for a hash, those whose hash is under way among them.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Returns how many passwords have been hashed since the start.
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    async fn submit<T>(&self, job: impl FnOnce(Arc<Hasher>, oneshot::Sender<T>) -> Job) -> Result<T, Busy> {
        let (answer, answered) = oneshot::channel();
        self.queue.try_send(job(self.hasher.current(), answer)).map_err(|_full| Busy)?;
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(&self.waiting);
        // The sender is dropped unanswered only if the hash panicked; the same call may succeed later.
        answered.await.map_err(|_dropped| Busy)
    }
}

/// One caller who waits; counted for as long as this lives, also when they leave.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

enum Job {
    Hash { hasher: Arc<Hasher>, password: Secret<String>, answer: oneshot::Sender<String> },
    Check { hasher: Arc<Hasher>, password: Secret<String>, hash: Option<String>, answer: oneshot::Sender<Check> },
}

#[derive(Debug, PartialEq, Eq)]
enum Ran {
    Done,
    /// Nobody waits for the answer any more.
    Skipped,
}

impl Job {
    fn run(self, done: &AtomicU64) -> Ran {
        match self {
            Self::Hash { answer, .. } if answer.is_closed() => Ran::Skipped,
            Self::Check { answer, .. } if answer.is_closed() => Ran::Skipped,
            Self::Hash { hasher, password, answer } => {
                let hash = hasher.hash(&password);
                done.fetch_add(1, Ordering::Relaxed);
                answered(answer, hash)
            }
            Self::Check { hasher, password, hash, answer } => {
                let check = hasher.check(&password, hash.as_deref());
                done.fetch_add(1, Ordering::Relaxed);
                answered(answer, check)
            }
        }
    }
}

fn answered<T>(answer: oneshot::Sender<T>, value: T) -> Ran {
    // Whoever left while the hash ran doesn't want it.
    let _ = answer.send(value);
    Ran::Done
}

fn work(jobs: &Mutex<Receiver<Job>>, done: &AtomicU64) {
    lower_priority();
    loop {
        let next = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = next else { return };
        if catch_unwind(AssertUnwindSafe(|| job.run(done))).is_err() {
            tracing::error!("a password hash panicked");
        }
    }
}

/// Lets the workers go first where cores are short.
#[cfg(target_os = "linux")]
fn lower_priority() {
    // SAFETY: setpriority takes three integers and touches no memory. `0` is the calling thread: Linux keeps the nice value
    // per thread (setpriority(2), "C library/kernel differences"). Failing leaves the priority as it is.
    #[allow(unsafe_code)] // std has no thread priorities
    let _ = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, 10) };
}

#[cfg(not(target_os = "linux"))]
fn lower_priority() {}

#[cfg(test)]
mod tests {
    use futures_util::poll;

    use super::*;
    use crate::password::hash::Cost;

    fn hasher(memory_kib: u32) -> Hasher {
        Hasher::new(Cost { memory_kib, iterations: 1, parallelism: 1 })
    }

    fn password() -> Secret<String> {
        Secret::new("correct horse".to_owned())
    }

    #[tokio::test]
    async fn a_hash_made_on_the_pool_opens_for_its_password_alone() {
        let hashers = Hashers::start(hasher(64), NonZeroUsize::MIN).unwrap();
        let hash = hashers.hash(&password()).await.unwrap();
        assert_eq!(hashers.check(&password(), Some(&hash)).await, Ok(Check::Right { upgrade: false }));
        assert_eq!(hashers.check(&Secret::new("wrong".into()), Some(&hash)).await, Ok(Check::Wrong));
        assert_eq!(hashers.check(&password(), None).await, Ok(Check::Wrong));
    }

    #[tokio::test]
    async fn a_full_queue_answers_busy_at_once_and_serves_those_who_wait() {
        let hashers = Hashers::start(hasher(16 * 1024), NonZeroUsize::MIN).unwrap();
        let password = password();
        let mut waiting = Vec::new();
        let mut refused = 0;
        for _ in 0..4 * QUEUE_PER_THREAD {
            let mut call = Box::pin(hashers.check(&password, None));
            match poll!(call.as_mut()) {
                std::task::Poll::Ready(Err(Busy)) => refused += 1,
                std::task::Poll::Ready(Ok(check)) => assert_eq!(check, Check::Wrong),
                std::task::Poll::Pending => waiting.push(call),
            }
        }
        assert!(refused > 0, "nobody was refused");
        assert!(waiting.len() >= QUEUE_PER_THREAD, "only {} were let in", waiting.len());
        assert_eq!(waiting.remove(0).await, Ok(Check::Wrong));
    }

    #[test]
    fn a_caller_who_left_costs_no_hash() {
        let (answer, left) = oneshot::channel();
        drop(left);
        let job = Job::Check { hasher: Arc::new(hasher(64)), password: password(), hash: None, answer };
        assert_eq!(job.run(&AtomicU64::new(0)), Ran::Skipped);
    }

    #[tokio::test]
    async fn a_replaced_hasher_finds_older_hashes_due_for_an_upgrade() {
        let hashers = Hashers::start(hasher(64), NonZeroUsize::MIN).unwrap();
        let hash = hashers.hash(&password()).await.unwrap();
        hashers.replace_hasher(hasher(128));
        assert_eq!(hashers.check(&password(), Some(&hash)).await, Ok(Check::Right { upgrade: true }));
    }
}
