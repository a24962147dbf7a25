//! Whole records from another store, and how much there is of everything.

use rusqlite::Connection;

use super::{api_keys, changes, keys, sessions, users};
use crate::store::{Batch, Counts, Result};

pub(super) fn count(database: &Connection) -> Result<Counts> {
    // One statement, so that all are of one moment.
    let counts = database
        .prepare_cached(
            "SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM sessions), (SELECT count(*) FROM api_keys),
                    (SELECT count(*) FROM keys), (SELECT count(*) FROM changes)",
        )?
        .query_row([], |row| {
            let number = |column| Ok::<_, rusqlite::Error>(row.get::<_, i64>(column)?.unsigned_abs());
            let (users, sessions, api_keys) = (number(0)?, number(1)?, number(2)?);
            Ok(Counts { users, sessions, api_keys, keys: number(3)?, changes: number(4)? })
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
    for key in &batch.keys {
        keys::import(database, key)?;
    }
    batch.changes.iter().try_for_each(|change| changes::import(database, change))
}
