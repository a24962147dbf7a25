//! Whole records from another store, and how much there is of everything.

use mongodb::bson::doc;

use super::connection::Connection;
use super::failure::Outcome;
use super::transaction::{Transaction, in_transaction};
use super::users::{self, Write};
use super::{api_keys, changes, keys, sessions};
use crate::store::stored::Stored;
use crate::store::{Batch, Counts, Result};

pub(super) async fn count(on: &Connection) -> Outcome<Counts> {
    Ok(Counts {
        users: on.users.count_documents(doc! {}).await?,
        sessions: on.sessions.count_documents(doc! {}).await?,
        api_keys: on.api_keys.count_documents(doc! {}).await?,
        keys: on.keys.count_documents(doc! {}).await?,
        changes: on.changes.count_documents(doc! {}).await?,
    })
}

pub(super) async fn import(on: &Connection, batch: &Batch) -> Outcome<()> {
    let users: Vec<Stored> = batch.users.iter().cloned().map(Stored::imported).collect::<Result<_>>()?;
    match in_transaction!(on, work => write(work, batch, &users)) {
        Err(failure) => Err(users::named(on, failure, &users, Write::Replace).await),
        Ok(()) => Ok(()),
    }
}

async fn write(work: &mut Transaction<'_>, batch: &Batch, users: &[Stored]) -> Outcome<()> {
    let on = work.on();
    work.put_all(&on.users, users.iter().map(users::draft).collect()).await?;
    work.put_all(&on.sessions, batch.sessions.iter().map(sessions::draft).collect()).await?;
    work.put_all(&on.api_keys, batch.api_keys.iter().map(|(key, hash)| api_keys::draft(key, hash)).collect()).await?;
    for key in &batch.keys {
        keys::put(work, key).await?;
    }
    changes::import(work, &batch.changes).await
}
