//! The one thread that writes. It takes what is queued, runs each intent in a savepoint of one transaction, commits
//! once for all of them, and only then answers: nobody hears of a success that is not on disk.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::oneshot;

use super::queue::{self, Queue, Work};
use crate::store::{Result, StoreError};

/// Bounds the memory and the delay that waiting writers can pile up.
const QUEUE: usize = 1024;
/// Bounds how long the first of a batch waits for the last.
const BATCH: usize = 256;

/// One caller's intent with its way back.
trait Job: Send {
    fn run(&mut self, database: &Connection) -> Effect;

    /// Tells the caller; a failed commit overrides what `run` had found.
    fn answer(self: Box<Self>, committed: &Result<()>);
}

enum Effect {
    Keep,
    Undo,
}

struct Intent<T, F> {
    work: Option<F>,
    result: Result<T>,
    reply: oneshot::Sender<Result<T>>,
}

impl<T, F> Job for Intent<T, F>
where
    T: Send,
    F: FnOnce(&Connection) -> Result<T> + Send,
{
    fn run(&mut self, database: &Connection) -> Effect {
        if self.reply.is_closed() {
            // Refused as late already: nobody would audit it, and a refresh would find its own token spent.
            return Effect::Undo;
        }
        if let Some(work) = self.work.take() {
            // A panic undoes this savepoint and leaves `abandoned` as the result; the others of the batch don't notice.
            if let Ok(result) = catch_unwind(AssertUnwindSafe(|| work(database))) {
                self.result = result;
            }
        }
        if self.result.is_ok() { Effect::Keep } else { Effect::Undo }
    }

    fn answer(self: Box<Self>, committed: &Result<()>) {
        let result = committed.clone().and(self.result);
        // A caller that went away needs no answer; its write stands.
        let _ = self.reply.send(result);
    }
}

pub(super) struct Writer {
    queue: Queue<Box<dyn Job>>,
    patience: Duration,
}

impl Writer {
    /// Starts the thread; an intent may take `patience`, waiting included.
    pub(super) fn start(connection: Connection, patience: Duration) -> Self {
        let (queue, work) = Queue::new(QUEUE);
        queue.start("store-writer", move || write_until_closed(connection, &work));
        Self { queue, patience }
    }

    /// Returns what `work` returned once its effects are on disk. An error leaves no effect, but where it says that the answer
    /// came too late: then work that had begun may be done yet. What had not is left out.
    pub(super) async fn run<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        self.run_within(self.patience, work).await
    }

    pub(super) async fn run_within<T, F>(&self, patience: Duration, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        self.queue.submit(Box::new(Intent { work: Some(work), result: Err(queue::abandoned()), reply }))?;
        queue::answered(answer, patience).await
    }

    pub(super) async fn close(&self) {
        self.queue.close().await;
    }
}

fn write_until_closed(mut connection: Connection, work: &Work<Box<dyn Job>>) {
    while let Some(first) = queue::next(work) {
        let mut batch = vec![first];
        while batch.len() < BATCH {
            let Some(job) = queue::next_waiting(work) else { break };
            batch.push(job);
        }
        let committed = commit(&mut connection, &mut batch);
        for job in batch {
            job.answer(&committed);
        }
    }
}

/// Runs the batch in one transaction. An error means that nothing of it is on disk.
fn commit(connection: &mut Connection, batch: &mut [Box<dyn Job>]) -> Result<()> {
    let mut transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for job in batch {
        run_in_savepoint(&mut transaction, job.as_mut())?;
    }
    Ok(transaction.commit()?)
}

fn run_in_savepoint(transaction: &mut Transaction<'_>, job: &mut dyn Job) -> Result<()> {
    let mut savepoint = transaction.savepoint()?;
    let effect = job.run(&savepoint);
    // A full disk or a failing one makes SQLite roll the whole transaction back by itself (sqlite.org/lang_transaction.html,
    // section 3.1). What came after would then commit statement by statement, so the batch ends here.
    if savepoint.is_autocommit() {
        return Err(StoreError::Unavailable("the disk refused the write".into()));
    }
    match effect {
        Effect::Keep => {}
        Effect::Undo => savepoint.rollback()?,
    }
    Ok(savepoint.commit()?)
}

#[cfg(test)]
mod tests;
