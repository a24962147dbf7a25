//! Whole records from another store, and how much there is of everything.

use rusqlite::Connection;

use super::{changes, keys, sessions, users};
use crate::store::{Batch, Counts, Result};

pub(super) fn count(database: &Connection) -> Result<Counts> {
    // One statement, so that all four are of one moment.
    let counts = database
        .prepare_cached(
            "SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM sessions), (SELECT count(*) FROM keys),
                    (SELECT count(*) FROM changes)",
        )?
        .query_row([], |row| {
            let number = |column| Ok::<_, rusqlite::Error>(row.get::<_, i64>(column)?.unsigned_abs());
            Ok(Counts { users: number(0)?, sessions: number(1)?, keys: number(2)?, changes: number(3)? })
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
    for key in &batch.keys {
        keys::import(database, key)?;
    }
    batch.changes.iter().try_for_each(|change| changes::import(database, change))
}
