//! The reading threads, each with a read-only connection of its own. In WAL mode they neither wait for the writer nor
//! hold it up, and a read that starts after a commit was acknowledged sees that commit.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::queue::{self, Queue};
use crate::store::Result;

/// More than any burst that two readers could serve before their callers lose patience.
const QUEUE: usize = 1024;

type Read = Box<dyn FnOnce(&Connection) + Send>;

pub(super) struct Readers {
    queue: Queue<Read>,
    patience: Duration,
}

impl Readers {
    /// Starts one thread for each of `connections`; a read may take `patience`, waiting included.
    pub(super) fn start(connections: Vec<Connection>, patience: Duration) -> Self {
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
        Self { queue, patience }
    }

    /// Returns what `read` found.
    pub(super) async fn run<T, F>(&self, read: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        self.run_within(self.patience, read).await
    }

    pub(super) async fn run_within<T, F>(&self, patience: Duration, read: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        self.queue.submit(Box::new(move |connection| {
            // A caller that went away needs no answer; after a disk that hung, they all have.
            if !reply.is_closed() {
                let _ = reply.send(read(connection));
            }
        }))?;
        queue::answered(answer, patience).await
    }

    pub(super) async fn close(&self) {
        self.queue.close().await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::store::StoreError;

    #[tokio::test]
    async fn who_waits_for_a_read_that_hangs_is_told_in_time_and_what_nobody_waits_for_is_not_read() {
        let readers = Readers::start(vec![Connection::open_in_memory().unwrap()], Duration::from_millis(20));
        let ((release, hang), (tell, told)) = (mpsc::channel::<()>(), mpsc::channel());
        let hanging = readers.run(move |_| {
            let _released = hang.recv();
            Ok(())
        });
        let behind = readers.run(move |_| {
            let _ = tell.send("read");
            Ok(())
        });
        let late = Err(StoreError::Unavailable("SQLite gave no answer within 20ms".into()));
        assert_eq!(tokio::join!(hanging, behind), (late.clone(), late));
        drop(release);
        readers.close().await;
        assert!(told.recv().is_err());
    }
}
