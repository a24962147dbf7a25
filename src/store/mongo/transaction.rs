//! A transaction and its repetition. What the server calls transient (two met at one document, a primary stepped down) is
//! done again from the beginning; a commit whose answer was lost is asked for again, which the server takes for the same one.
//! How long that may go on is bounded by whoever runs the intent.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use mongodb::bson::{Bson, Document, doc};
use mongodb::error::{Error, TRANSIENT_TRANSACTION_ERROR, UNKNOWN_TRANSACTION_COMMIT_RESULT};
use mongodb::options::{ReadConcern, ReturnDocument, TransactionOptions};
use mongodb::{ClientSession, Collection};
use tokio::time::timeout;

use super::connection::{Connection, write_concern};
use super::failure::{Failure, NO_PRIMARY, Outcome, code, is_of_connection, is_without_primary};
use super::primary::Primary;
use super::values::{Draft, Fields};
use crate::secret::random_bytes;
use crate::store::StoreError;

const NO_SUCH_TRANSACTION: i32 = 251;

/// The longest pause before a transaction is tried again; racers must not meet again at once.
const LONGEST_PAUSE_MS: u64 = 128;

/// How long the server keeps a transaction of which it hears nothing, unless it was told otherwise.
const LIFETIME: Duration = Duration::from_mins(1);

/// How long the driver may take to tell what it makes of a connection that broke.
const NEWS: Duration = Duration::from_millis(50);

pub(super) struct Transaction<'a> {
    on: &'a Connection,
    /// `None` once it was handed to [`end_later`].
    session: Option<ClientSession>,
    stage: Stage,
    attempts: u32,
}

/// How far it is, as far as the server may know.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Open,
    Committing,
    Ended,
}

/// Comes to the result of `$step`, which may use the transaction `$name`, once that is committed; runs it again as often as
/// it takes. A macro, because a closure that borrows the transaction over an await can't be known to be `Send`.
macro_rules! in_transaction {
    ($connection:expr, $name:ident => $step:expr) => {{
        let mut work = $crate::store::mongo::transaction::Transaction::begin($connection).await?;
        loop {
            let outcome = {
                let $name = &mut work;
                $step.await
            };
            if let Some(ended) = work.conclude(outcome).await.transpose() {
                break ended;
            }
        }
    }};
}
pub(super) use in_transaction;

/// The same for what takes a number for a change: one after the other, where others meet.
macro_rules! in_turn {
    ($connection:expr, $name:ident => $step:expr) => {
        async {
            let _turn = $connection.turn.lock().await;
            $crate::store::mongo::transaction::in_transaction!($connection, $name => $step)
        }
    };
}
pub(super) use in_turn;

impl<'a> Transaction<'a> {
    pub(super) async fn begin(on: &'a Connection) -> Outcome<Self> {
        if on.primary.is_away() {
            return Err(StoreError::Unavailable(NO_PRIMARY.into()).into());
        }
        let mut session = on.client.start_session().await?;
        start(&mut session).await?;
        Ok(Self { on, session: Some(session), stage: Stage::Open, attempts: 0 })
    }

    fn session(&mut self) -> &mut ClientSession {
        self.session.as_mut().expect("only a drop takes it")
    }

    /// Returns the collections, for longer than the transaction is borrowed.
    pub(super) fn on(&self) -> &'a Connection {
        self.on
    }

    /// Commits what succeeded and undoes what failed. `None`: it was in vain, and has begun anew.
    pub(super) async fn conclude<T>(&mut self, outcome: Outcome<T>) -> Outcome<Option<T>> {
        let failure = match outcome {
            Ok(value) => match self.commit().await {
                Ok(()) => {
                    self.stage = Stage::Ended;
                    return Ok(Some(value));
                }
                Err(failure) => failure,
            },
            Err(failure) => failure,
        };
        let Failure::Driver(error) = &failure else {
            self.abort().await;
            return Err(failure);
        };
        if !self.may_go_on(error).await {
            return Err(failure);
        }
        let is_in_vain = error.contains_label(TRANSIENT_TRANSACTION_ERROR);
        self.abort().await;
        if !is_in_vain {
            return Err(failure);
        }
        self.pause().await;
        start(self.session()).await?;
        self.stage = Stage::Open;
        Ok(None)
    }

    /// Returns whether there is a primary to be told what becomes of the transaction. An end that can't be sent would be lost: it
    /// is [`end_later`]'s then.
    async fn may_go_on(&self, error: &Error) -> bool {
        if is_without_primary(error) {
            // Whoever has just waited for one in vain does not wait again.
            return false;
        }
        if is_of_connection(error) {
            tokio::time::sleep(NEWS).await;
        }
        self.on.primary.is_found().await
    }

    /// What the server has undone by itself can't be undone again, and what it is not told it undoes in time.
    async fn abort(&mut self) {
        let _ = self.session().abort_transaction().await;
        self.stage = Stage::Ended;
    }

    async fn commit(&mut self) -> Outcome<()> {
        self.stage = Stage::Committing;
        loop {
            match self.session().commit_transaction().await {
                Err(error) if error.contains_label(UNKNOWN_TRANSACTION_COMMIT_RESULT) => {
                    if !self.may_go_on(&error).await {
                        return Err(error.into());
                    }
                    self.pause().await;
                }
                // The commit may have been asked for before, and the server that did it may be one that has forgotten: to begin
                // anew could do it twice.
                Err(error) if code(&error).is_some_and(|(code, _)| code == NO_SUCH_TRANSACTION) => {
                    self.stage = Stage::Ended;
                    return Err(StoreError::Unavailable("whether MongoDB made the change is not known".into()).into());
                }
                outcome => return Ok(outcome?),
            }
        }
    }

    async fn pause(&mut self) {
        let longest = (4_u64 << self.attempts.min(5)).min(LONGEST_PAUSE_MS);
        self.attempts += 1;
        let random = u64::from(u16::from_be_bytes(random_bytes()));
        tokio::time::sleep(Duration::from_millis(1 + random % longest)).await;
    }

    pub(super) async fn find_one(
        &mut self,
        collection: &Collection<Document>,
        filter: Document,
    ) -> Outcome<Option<Document>> {
        Ok(collection.find_one(filter).session(self.session()).await?)
    }

    /// Returns the one that comes first in the order of `sort`.
    pub(super) async fn find_first(
        &mut self,
        collection: &Collection<Document>,
        filter: Document,
        sort: Document,
    ) -> Outcome<Option<Document>> {
        Ok(collection.find_one(filter).sort(sort).session(self.session()).await?)
    }

    pub(super) async fn find(&mut self, collection: &Collection<Document>, filter: Document) -> Outcome<Vec<Document>> {
        let mut cursor = collection.find(filter).session(self.session()).await?;
        let mut found = Vec::new();
        while cursor.advance(self.session()).await? {
            found.push(cursor.deserialize_current()?);
        }
        Ok(found)
    }

    pub(super) async fn insert(&mut self, collection: &Collection<Document>, document: Document) -> Outcome<()> {
        collection.insert_one(document).session(self.session()).await?;
        Ok(())
    }

    pub(super) async fn insert_all(
        &mut self,
        collection: &Collection<Document>,
        documents: Vec<Document>,
    ) -> Outcome<()> {
        collection.insert_many(documents).session(self.session()).await?;
        Ok(())
    }

    /// Returns how many documents `filter` named.
    pub(super) async fn update(
        &mut self,
        collection: &Collection<Document>,
        filter: Document,
        change: Document,
    ) -> Outcome<u64> {
        Ok(collection.update_many(filter, change).session(self.session()).await?.matched_count)
    }

    /// Changes the document that `filter` names, or makes it.
    pub(super) async fn put(
        &mut self,
        collection: &Collection<Document>,
        filter: Document,
        change: Document,
    ) -> Outcome<()> {
        collection.update_one(filter, change).upsert(true).session(self.session()).await?;
        Ok(())
    }

    /// Writes every draft into the document that has its id, else as a new one.
    pub(super) async fn put_all(&mut self, collection: &Collection<Document>, drafts: Vec<Draft>) -> Outcome<()> {
        let ids: Vec<Bson> = drafts.iter().map(|draft| draft.id.clone()).collect();
        let present = self.find(collection, doc! { "_id": { "$in": ids } }).await?;
        let present: HashSet<&Bson> = present.iter().filter_map(|document| document.get("_id")).collect();
        let (old, new): (Vec<_>, Vec<_>) = drafts.into_iter().partition(|draft| present.contains(&draft.id));
        for draft in old {
            self.update(collection, doc! { "_id": draft.id.clone() }, draft.into_update()).await?;
        }
        if new.is_empty() {
            return Ok(());
        }
        self.insert_all(collection, new.into_iter().map(Draft::into_document).collect()).await
    }

    /// Returns the first of `count` numbers of a counter that nobody else gets.
    pub(super) async fn take_numbers(&mut self, counter: &str, count: i64) -> Outcome<i64> {
        let raise = doc! { "$inc": { "value": count } };
        let counters = &self.on.counters;
        let after = counters.find_one_and_update(doc! { "_id": counter }, raise).upsert(true);
        let after = after.return_document(ReturnDocument::After).session(self.session()).await?;
        let after = after.ok_or_else(|| StoreError::Damaged(format!("counters has no counter of {counter}")))?;
        Ok(Fields::of("counters", &after).number("value")? - count + 1)
    }

    /// Returns how many documents are gone.
    pub(super) async fn delete(&mut self, collection: &Collection<Document>, filter: Document) -> Outcome<u64> {
        Ok(collection.delete_many(filter).session(self.session()).await?.deleted_count)
    }
}

/// An intent that was given up has an end as well: one that the server can't be told of would keep what it wrote from everybody
/// else until the server forgets it.
impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if let Some(session) = self.session.take()
            && self.stage != Stage::Ended
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(end_later(session, self.stage, Arc::clone(&self.on.primary)));
        }
    }
}

async fn end_later(mut session: ClientSession, stage: Stage, primary: Arc<Primary>) {
    tokio::time::sleep(NEWS).await;
    if timeout(LIFETIME, primary.is_back()).await.is_err() {
        return;
    }
    // An end that fails once more is the server's to find.
    let _ = match stage {
        // Asked for already, so it can't be taken back: whether it was made is all that is open.
        Stage::Committing => session.commit_transaction().await,
        Stage::Open | Stage::Ended => session.abort_transaction().await,
    };
}

async fn start(session: &mut ClientSession) -> Result<(), Error> {
    let options =
        TransactionOptions::builder().read_concern(ReadConcern::snapshot()).write_concern(write_concern()).build();
    session.start_transaction().with_options(options).await
}
