//! A bounded queue with the threads that empty it. Work that finds the queue full or closed is refused at once,
//! so that a slow disk shows as `Unavailable` and never as a growing heap.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

use crate::store::{Result, StoreError};

/// The end where work goes in.
pub(super) struct Queue<J> {
    sender: Mutex<Option<SyncSender<J>>>,
    /// Each thread holds a receiver until it has ended.
    threads: watch::Sender<()>,
}

/// The end where work comes out; several threads may share it.
pub(super) type Work<J> = Arc<Mutex<Receiver<J>>>;

impl<J: Send + 'static> Queue<J> {
    /// Returns a queue for `capacity` jobs and its other end.
    pub(super) fn new(capacity: usize) -> (Self, Work<J>) {
        let (sender, receiver) = sync_channel(capacity);
        let queue = Self { sender: Mutex::new(Some(sender)), threads: watch::Sender::new(()) };
        (queue, Arc::new(Mutex::new(receiver)))
    }

    /// Starts a thread that works for this queue until `body` returns.
    pub(super) fn start(&self, name: &str, body: impl FnOnce() + Send + 'static) {
        let alive = self.threads.subscribe();
        let spawned = thread::Builder::new().name(name.to_owned()).spawn(move || {
            body();
            drop(alive);
        });
        // Without the thread its end of the queue is gone, and every call is answered `Unavailable`.
        if let Err(failure) = spawned {
            tracing::error!(thread = name, error = %failure, "a store thread did not start");
        }
    }

    pub(super) fn submit(&self, job: J) -> Result<()> {
        let sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(sender) = sender.as_ref() else { return Err(closed()) };
        sender.try_send(job).map_err(|refused| match refused {
            TrySendError::Full(_) => StoreError::Unavailable("too many requests are waiting".into()),
            TrySendError::Disconnected(_) => closed(),
        })
    }

    /// Takes no more work; returns when the threads have finished what was queued.
    pub(super) async fn close(&self) {
        self.sender.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.threads.closed().await;
    }
}

/// Waits for the next job; `None` once the queue is closed and empty.
pub(super) fn next<J>(work: &Work<J>) -> Option<J> {
    work.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

/// Returns a job if one is waiting.
pub(super) fn next_waiting<J>(work: &Work<J>) -> Option<J> {
    work.lock().unwrap_or_else(PoisonError::into_inner).try_recv().ok()
}

/// Returns what a job sent back. A disk can take a read or a write and never return; only the job's thread may wait for that.
pub(super) async fn answered<T>(answer: oneshot::Receiver<Result<T>>, patience: Duration) -> Result<T> {
    match timeout(patience, answer).await {
        Ok(answer) => answer.unwrap_or_else(|_| Err(abandoned())),
        Err(_late) => Err(StoreError::Unavailable(format!("SQLite gave no answer within {patience:?}"))),
    }
}

fn closed() -> StoreError {
    StoreError::Unavailable("it has been closed".into())
}

/// What a caller hears whose job was dropped without an answer.
pub(super) fn abandoned() -> StoreError {
    StoreError::Unavailable("the request failed inside the store".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_refuses_at_once() {
        let (queue, _work) = Queue::new(1);
        assert_eq!(queue.submit(1), Ok(()));
        assert!(matches!(queue.submit(2), Err(StoreError::Unavailable(reason)) if reason.contains("waiting")));
    }

    #[tokio::test]
    async fn what_was_queued_before_closing_is_still_done() {
        let (queue, work) = Queue::new(8);
        let (done, results) = sync_channel(8);
        for number in 0..8 {
            queue.submit(number).unwrap();
        }
        queue.start("test", move || {
            while let Some(number) = next(&work) {
                done.send(number).unwrap();
            }
        });
        queue.close().await;
        assert_eq!(results.try_iter().count(), 8);
        assert!(matches!(queue.submit(9), Err(StoreError::Unavailable(_))));
    }
}
