//! The embedded store: one `SQLite` file, one writer thread with group commit, readers beside it.
//! This file opens it and hands each intent of [`Store`] to the thread that carries it out; the intents themselves
//! are plain functions over a connection, one file per table. Another process may have the same file open.

mod api_keys;
mod backup;
mod changes;
mod failure;
mod keys;
mod mails;
mod one_time;
mod queue;
mod reader;
mod schema;
mod sessions;
mod transfer;
mod users;
mod values;
mod writer;

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::timeout;

pub use backup::{BackupError, Existing, back_up};
pub use schema::{OpenError, is_open_elsewhere};

use super::{
    ApiKey, Batch, Change, ClaimedMail, Counts, KeyEnd, Kind, MailClaim, MailEnd, NewApiKey, NewMail, NewSession,
    NewUser, OneTime, PATIENCE, Pages, PasswordChange, RefreshRequest, Result, Rotation, Session, Store, TRANSFER,
    User, UserChange, UserKey,
};
use crate::clock::Timestamp;
use crate::identity::{SessionId, UserId};
use crate::token::key::KeyRecord;
use reader::Readers;
use schema::Place;
use writer::Writer;

/// Reads are short and come beside the gateway's own work: two threads hide each other's disk waits.
const READERS: usize = 2;

/// The store in one file.
pub struct SqliteStore {
    writer: Writer,
    readers: Readers,
    patience: Duration,
}

impl SqliteStore {
    /// Opens the file at `path`; makes it, for its owner's eyes only, if there is none.
    pub fn open(path: &Path) -> std::result::Result<Self, OpenError> {
        Self::at(&Place::file(path), PATIENCE)
    }

    /// Returns a new store that is nowhere but in this process, and gone once it is closed or dropped.
    pub fn in_memory() -> std::result::Result<Self, OpenError> {
        Self::at(&Place::memory(), PATIENCE)
    }

    fn at(place: &Place, patience: Duration) -> std::result::Result<Self, OpenError> {
        let failed = |failure: rusqlite::Error| OpenError::new(&place.path, failure.into());
        // The writer's connection comes first: it makes the tables, which readers only look at.
        let connection = schema::open_writer(place)?;
        let connections = (0..READERS).map(|_| schema::open_reader(place)).collect::<rusqlite::Result<Vec<_>>>();
        let readers = Readers::start(connections.map_err(failed)?, patience);
        Ok(Self { writer: Writer::start(connection, patience), readers, patience })
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn insert_user(&self, user: NewUser, session: Option<NewSession>) -> Result<User> {
        self.writer.run(move |database| users::insert(database, &user, session.as_ref())).await
    }

    async fn find_user(&self, key: &UserKey) -> Result<Option<User>> {
        let key = key.clone();
        self.readers.run(move |database| users::find(database, &key)).await
    }

    async fn list_users(&self, after: Option<&UserId>, limit: usize) -> Result<Vec<User>> {
        let after = after.cloned();
        self.readers.run(move |database| users::list(database, after.as_ref(), limit)).await
    }

    async fn update_user(&self, id: &UserId, change: UserChange, now: Timestamp) -> Result<User> {
        let id = id.clone();
        self.writer.run(move |database| users::update(database, &id, change, now)).await
    }

    async fn delete_user(&self, id: &UserId, now: Timestamp) -> Result<()> {
        let id = id.clone();
        self.writer.run(move |database| users::delete(database, &id, now)).await
    }

    async fn change_password(&self, id: &UserId, change: PasswordChange, now: Timestamp) -> Result<()> {
        let id = id.clone();
        self.writer.run(move |database| users::change_password(database, &id, &change, now)).await
    }

    async fn upgrade_hash(&self, id: &UserId, expected: &str, hash: &str) -> Result<()> {
        let (id, expected, hash) = (id.clone(), expected.to_owned(), hash.to_owned());
        self.writer.run(move |database| users::upgrade_hash(database, &id, &expected, &hash)).await
    }

    async fn insert_session(&self, session: NewSession) -> Result<()> {
        self.writer.run(move |database| sessions::insert(database, &session)).await
    }

    async fn find_session(&self, id: SessionId) -> Result<Option<Session>> {
        self.readers.run(move |database| sessions::find(database, id)).await
    }

    async fn list_sessions(&self, user: Option<&UserId>, now: Timestamp) -> Result<Vec<Session>> {
        let user = user.cloned();
        let patience = if user.is_some() { self.patience } else { TRANSFER };
        self.readers.run_within(patience, move |database| sessions::list(database, user.as_ref(), now)).await
    }

    async fn rotate_refresh(&self, request: RefreshRequest) -> Result<Rotation> {
        self.writer.run(move |database| sessions::rotate(database, &request)).await
    }

    async fn end_session(&self, id: SessionId, now: Timestamp) -> Result<bool> {
        self.writer.run(move |database| sessions::end(database, id, now)).await
    }

    async fn end_sessions(&self, user: &UserId, keep: Option<SessionId>, now: Timestamp) -> Result<Vec<SessionId>> {
        let user = user.clone();
        self.writer.run(move |database| sessions::end_all(database, &user, keep, now)).await
    }

    async fn insert_api_key(&self, new: NewApiKey) -> Result<()> {
        self.writer.run(move |database| api_keys::insert(database, &new)).await
    }

    async fn find_api_key(&self, hash: [u8; 32]) -> Result<Option<(ApiKey, User)>> {
        self.readers.run(move |database| api_keys::find(database, hash)).await
    }

    async fn list_api_keys(&self, user: Option<&UserId>) -> Result<Vec<ApiKey>> {
        let user = user.cloned();
        let patience = if user.is_some() { self.patience } else { TRANSFER };
        self.readers.run_within(patience, move |database| api_keys::list(database, user.as_ref())).await
    }

    async fn delete_api_key(&self, user: &UserId, id: SessionId, end: KeyEnd) -> Result<bool> {
        let user = user.clone();
        self.writer.run(move |database| api_keys::delete(database, &user, id, end)).await
    }

    async fn touch_api_keys(&self, used: Vec<(SessionId, Timestamp)>) -> Result<()> {
        self.writer.run(move |database| api_keys::touch(database, &used)).await
    }

    async fn enqueue_mail(&self, new: NewMail) -> Result<()> {
        self.writer.run(move |database| mails::enqueue(database, &new)).await
    }

    async fn claim_mail(&self, claim: MailClaim) -> Result<Option<ClaimedMail>> {
        self.writer.run(move |database| mails::claim(database, &claim)).await
    }

    async fn finish_mail(&self, claim: [u8; 32], end: MailEnd) -> Result<()> {
        self.writer.run(move |database| mails::finish(database, claim, end)).await
    }

    async fn waiting_mails(&self) -> Result<u64> {
        self.readers.run(mails::waiting).await
    }

    async fn find_one_time(&self, token: OneTime) -> Result<Option<User>> {
        self.readers.run(move |database| one_time::find(database, &token)).await
    }

    async fn reset_password(&self, token: OneTime, hash: &str, keys_until: Timestamp) -> Result<User> {
        let hash = hash.to_owned();
        self.writer.run(move |database| one_time::reset_password(database, &token, &hash, keys_until)).await
    }

    async fn verify_email(&self, token: OneTime) -> Result<User> {
        self.writer.run(move |database| one_time::verify_email(database, &token)).await
    }

    async fn ensure_key(&self, key: KeyRecord) -> Result<Vec<KeyRecord>> {
        self.writer.run(move |database| keys::ensure(database, &key)).await
    }

    async fn rotate_key(&self, key: KeyRecord, replaces: Option<&str>) -> Result<bool> {
        let replaces = replaces.map(str::to_owned);
        self.writer.run(move |database| keys::rotate(database, &key, replaces.as_deref())).await
    }

    async fn seal_keys(&self, sealed: Vec<KeyRecord>) -> Result<()> {
        self.writer.run(move |database| sealed.iter().try_for_each(|key| keys::seal(database, key))).await
    }

    async fn list_keys(&self) -> Result<Vec<KeyRecord>> {
        self.readers.run(keys::list).await
    }

    async fn changes_after(&self, seq: i64) -> Result<Vec<Change>> {
        self.readers.run(move |database| changes::after(database, seq)).await
    }

    async fn last_change(&self) -> Result<i64> {
        self.readers.run(changes::last).await
    }

    async fn prune(&self, now: Timestamp, keep_after: Timestamp) -> Result<()> {
        self.writer
            .run_within(TRANSFER, move |database| {
                sessions::prune(database, now)?;
                one_time::prune(database, now)?;
                keys::prune(database, now, keep_after)?;
                changes::prune(database, now, keep_after)
            })
            .await
    }

    fn read_all(&self, kind: Kind) -> Box<dyn Pages + '_> {
        Box::new(transfer::Reading::new(&self.readers, kind))
    }

    async fn count(&self) -> Result<Counts> {
        self.readers.run_within(TRANSFER, transfer::count).await
    }

    async fn import(&self, batch: Batch) -> Result<()> {
        self.writer.run_within(TRANSFER, move |database| transfer::import(database, batch)).await
    }

    async fn ping(&self) -> Result<()> {
        // An empty intent still takes the write lock, so another process that holds it for good is noticed.
        let written = self.writer.run(|_| Ok(()));
        // Beside it and not after it, so that both together take no longer than one.
        let (written, read) = tokio::join!(written, self.last_change());
        written.and(read.map(drop))
    }

    async fn close(&self) {
        let closed = async {
            // The writer last: the connection that closes last folds the log into the file and removes it.
            self.readers.close().await;
            self.writer.close().await;
        };
        if timeout(self.patience, closed).await.is_err() {
            // What was acknowledged is on disk, and the next one who opens the file finds it in the log.
            tracing::warn!(
                limit_ms = self.patience.as_millis(),
                "the store's file did not close in time; it is left as it is"
            );
        }
    }
}

#[cfg(test)]
pub(in crate::store) mod tests;
