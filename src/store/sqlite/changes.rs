//! The feed of what changed. A line is written in the transaction of the change it tells of, so no gateway can read the one
//! without the other.

use rusqlite::{Connection, Row, params};

use crate::clock::Timestamp;
use crate::identity::{SessionId, UserId};
use crate::store::{Change, ChangeKind, Result, StoreError};

const SESSION_ENDED: &str = "session_ended";
const USER_CHANGED: &str = "user_changed";
const KEYS_CHANGED: &str = "keys_changed";

pub(super) fn append(database: &Connection, kind: &ChangeKind, at: Timestamp) -> Result<()> {
    write(database, None, kind, at)
}

/// Writes a line of another store under its number; the counter goes on from the highest.
pub(super) fn import(database: &Connection, change: &Change) -> Result<()> {
    write(database, Some(change.seq), &change.kind, change.at)
}

fn write(database: &Connection, seq: Option<i64>, kind: &ChangeKind, at: Timestamp) -> Result<()> {
    let (name, session, user, remember_until) = match kind {
        ChangeKind::SessionEnded { session, user, remember_until } => {
            (SESSION_ENDED, Some(session), Some(user), Some(remember_until))
        }
        ChangeKind::UserChanged(user) => (USER_CHANGED, None, Some(user), None),
        ChangeKind::KeysChanged => (KEYS_CHANGED, None, None, None),
    };
    database
        .prepare_cached(
            "INSERT OR REPLACE INTO changes (seq, at, kind, session_id, user_id, remember_until)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![seq, at, name, session, user, remember_until])?;
    Ok(())
}

pub(super) fn after(database: &Connection, seq: i64) -> Result<Vec<Change>> {
    database
        .prepare_cached(
            "SELECT seq, at, kind, session_id, user_id, remember_until FROM changes WHERE seq > ?1 ORDER BY seq",
        )?
        .query_and_then([seq], read)?
        .collect()
}

pub(super) fn last(database: &Connection) -> Result<i64> {
    // From the counter, not from the table: after pruning the table may be empty, and the number must not fall back.
    let newest = database
        .prepare_cached("SELECT max(seq) FROM sqlite_sequence WHERE name = 'changes'")?
        .query_row([], |row| row.get::<_, Option<i64>>(0))?;
    Ok(newest.unwrap_or(0))
}

/// Deletes what is older than `keep_after`, but no end of a session that still has to be remembered.
pub(super) fn prune(database: &Connection, now: Timestamp, keep_after: Timestamp) -> Result<()> {
    database
        .prepare_cached("DELETE FROM changes WHERE at < ?1 AND (remember_until IS NULL OR remember_until <= ?2)")?
        .execute(params![keep_after, now])?;
    Ok(())
}

pub(super) fn read(row: &Row<'_>) -> Result<Change> {
    let kind: String = row.get("kind")?;
    let kind = match kind.as_str() {
        SESSION_ENDED => ChangeKind::SessionEnded {
            session: row.get::<_, SessionId>("session_id")?,
            user: row.get("user_id")?,
            remember_until: row.get("remember_until")?,
        },
        USER_CHANGED => ChangeKind::UserChanged(row.get::<_, UserId>("user_id")?),
        KEYS_CHANGED => ChangeKind::KeysChanged,
        _ => return Err(StoreError::Damaged("changes.kind holds a kind that this version does not know".into())),
    };
    Ok(Change { seq: row.get("seq")?, at: row.get("at")?, kind })
}
