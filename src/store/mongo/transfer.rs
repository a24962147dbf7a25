//! Whole records from another store, and how much there is of everything.

use mongodb::bson::doc;

use super::connection::Connection;
use super::failure::Outcome;
use super::transaction::{Transaction, in_transaction};
use super::users::{self, Write};
use super::{api_keys, changes, keys, mails, one_time, sessions};
use crate::store::stored::Stored;
use crate::store::{Batch, Counts, Kind, Result};

pub(super) async fn count(on: &Connection) -> Outcome<Counts> {
    let count = async |kind| Outcome::Ok(on.collection(kind).count_documents(doc! {}).await?);
    Ok(Counts {
        users: count(Kind::Users).await?,
        sessions: count(Kind::Sessions).await?,
        api_keys: count(Kind::ApiKeys).await?,
        one_time_tokens: count(Kind::OneTimeTokens).await?,
        mails: count(Kind::Mails).await?,
        keys: count(Kind::Keys).await?,
        changes: count(Kind::Changes).await?,
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
    work.put_all(&on.one_time_tokens, batch.one_time_tokens.iter().map(one_time::draft).collect()).await?;
    work.put_all(&on.mails, batch.mails.iter().map(mails::draft).collect()).await?;
    for key in &batch.keys {
        keys::put(work, key).await?;
    }
    changes::import(work, &batch.changes).await
}
