//! The reading threads, each with a read-only connection of its own. In WAL mode they neither wait for the writer nor
//! hold it up, and a read that starts after a commit was acknowledged sees that commit.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::queue::{self, Queue};
use crate::store::Result;

/// More than any burst that two readers could serve before their callers lose patience.
const QUEUE: usize = 1024;

type Read = Box<dyn FnOnce(&Connection) + Send>;

pub(super) struct Readers(Queue<Read>);

impl Readers {
    /// Starts one thread for each of `connections`.
    pub(super) fn start(connections: Vec<Connection>) -> Self {
        let (queue, work) = Queue::<Read>::new(QUEUE);
        for connection in connections {
            let work = Arc::clone(&work);
            queue.start("store-reader", move || {
                while let Some(read) = queue::next(&work) {
                    // The caller of a read that panics hears of it by the answer that never comes; the thread goes on.
                    let _ = catch_unwind(AssertUnwindSafe(|| read(&connection)));
                }
            });
        }
        Self(queue)
    }

    /// Returns what `read` found.
    pub(super) async fn run<T, F>(&self, read: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        self.0.submit(Box::new(move |connection| {
            // A caller that went away needs no answer.
            let _ = reply.send(read(connection));
        }))?;
        answer.await.unwrap_or_else(|_| Err(queue::abandoned()))
    }

    pub(super) async fn close(&self) {
        self.0.close().await;
    }
}
