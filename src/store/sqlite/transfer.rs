//! All that the store holds, page by page, whole records from another store, and how much there is of everything.

use async_trait::async_trait;
use rusqlite::{Connection, Row, params};

use super::reader::Readers;
use super::{api_keys, changes, keys, mails, one_time, sessions, users};
use crate::store::{Batch, Counts, Kind, Pages, Record, Result, TRANSFER};

const PAGE: i64 = 1000;

pub(super) fn count(database: &Connection) -> Result<Counts> {
    // One statement, so that all are of one moment.
    let counts = database
        .prepare_cached(
            "SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM sessions), (SELECT count(*) FROM api_keys),
                    (SELECT count(*) FROM one_time_tokens), (SELECT count(*) FROM mails), (SELECT count(*) FROM keys),
                    (SELECT count(*) FROM changes)",
        )?
        .query_row([], |row| {
            let number = |column| Ok::<_, rusqlite::Error>(row.get::<_, i64>(column)?.unsigned_abs());
            Ok(Counts {
                users: number(0)?,
                sessions: number(1)?,
                api_keys: number(2)?,
                one_time_tokens: number(3)?,
                mails: number(4)?,
                keys: number(5)?,
                changes: number(6)?,
            })
        })?;
    Ok(counts)
}

pub(super) fn import(database: &Connection, batch: Batch) -> Result<()> {
    for user in batch.users {
        users::import(database, user)?;
    }
    for session in &batch.sessions {
        sessions::import(database, session)?;
    }
    for (key, hash) in &batch.api_keys {
        api_keys::import(database, key, hash)?;
    }
    for token in &batch.one_time_tokens {
        one_time::import(database, token)?;
    }
    for mail in &batch.mails {
        mails::import(database, mail)?;
    }
    for key in &batch.keys {
        keys::import(database, key)?;
    }
    batch.changes.iter().try_for_each(|change| changes::import(database, change))
}

/// Where somebody is who reads all of one kind.
pub(super) struct Reading<'a> {
    readers: &'a Readers,
    kind: Kind,
    /// The id of the last record; no record has the empty one, and it comes before all.
    last: String,
}

impl<'a> Reading<'a> {
    pub(super) fn new(readers: &'a Readers, kind: Kind) -> Self {
        Self { readers, kind, last: String::new() }
    }
}

#[async_trait]
impl Pages for Reading<'_> {
    async fn next(&mut self) -> Result<Vec<Record>> {
        let (kind, last) = (self.kind, self.last.clone());
        let page = self.readers.run_within(TRANSFER, move |database| page(database, kind, &last)).await?;
        if let Some(last) = page.last() {
            self.last = last.id();
        }
        Ok(page)
    }
}

fn page(database: &Connection, kind: Kind, last: &str) -> Result<Vec<Record>> {
    database.prepare_cached(statement(kind))?.query_and_then(params![last, PAGE], |row| read(kind, row))?.collect()
}

/// Returns the query for up to `?2` rows after the one of the id `?1`.
fn statement(kind: Kind) -> &'static str {
    match kind {
        Kind::Users => "SELECT * FROM users WHERE id > ?1 ORDER BY id LIMIT ?2",
        Kind::Sessions => "SELECT * FROM sessions WHERE id > ?1 ORDER BY id LIMIT ?2",
        Kind::ApiKeys => "SELECT * FROM api_keys WHERE id > ?1 ORDER BY id LIMIT ?2",
        Kind::OneTimeTokens => "SELECT * FROM one_time_tokens WHERE hash > unhex(?1) ORDER BY hash LIMIT ?2",
        // No index has this order, but the outbox is bounded.
        Kind::Mails => {
            "SELECT * FROM mails WHERE purpose || ':' || email_key > ?1 ORDER BY purpose || ':' || email_key LIMIT ?2"
        }
        Kind::Keys => "SELECT * FROM keys WHERE kid > ?1 ORDER BY kid LIMIT ?2",
        Kind::Changes => "SELECT * FROM changes WHERE seq > CAST(?1 AS INTEGER) ORDER BY seq LIMIT ?2",
    }
}

fn read(kind: Kind, row: &Row<'_>) -> Result<Record> {
    Ok(match kind {
        Kind::Users => Record::User(Box::new(users::read(row)?)),
        Kind::Sessions => Record::Session(Box::new(sessions::read(row)?)),
        Kind::ApiKeys => Record::ApiKey(Box::new((api_keys::read(row)?, row.get("hash")?))),
        Kind::OneTimeTokens => Record::OneTimeToken(one_time::read(row)?),
        Kind::Mails => Record::Mail(mails::read(row)?),
        Kind::Keys => Record::Key(Box::new(keys::read(row)?)),
        Kind::Changes => Record::Change(changes::read(row)?),
    })
}
