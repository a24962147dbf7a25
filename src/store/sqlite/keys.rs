//! Signing keys, as bytes; whether they are sealed is the caller's affair.

use rusqlite::{Connection, Row, params};

use super::changes;
use crate::clock::Timestamp;
use crate::secret::Secret;
use crate::store::{ChangeKind, Result};
use crate::token::key::KeyRecord;

pub(super) fn list(database: &Connection) -> Result<Vec<KeyRecord>> {
    // Of keys made in the same millisecond the one inserted later is the newer.
    database
        .prepare_cached(
            "SELECT kid, algorithm, private, sealed, created_at, signs_from, retired_at FROM keys
             ORDER BY created_at DESC, rowid DESC",
        )?
        .query_and_then([], read)?
        .collect()
}

pub(super) fn ensure(database: &Connection, key: &KeyRecord) -> Result<Vec<KeyRecord>> {
    let exists = database
        .prepare_cached("SELECT 1 FROM keys WHERE algorithm = ?1 AND retired_at IS NULL")?
        .exists([key.algorithm])?;
    if !exists {
        put(database, key)?;
        changes::append(database, &ChangeKind::KeysChanged, key.created_at)?;
    }
    list(database)
}

pub(super) fn rotate(database: &Connection, key: &KeyRecord, replaces: Option<&str>) -> Result<bool> {
    if let Some(replaces) = replaces {
        let newest = list(database)?.into_iter().find(|old| old.algorithm == key.algorithm && old.retired_at.is_none());
        if newest.is_none_or(|newest| newest.kid != replaces) {
            return Ok(false);
        }
    }
    // One that waits for its turn, or for its end, gives way as well.
    database
        .prepare_cached(
            "UPDATE keys SET retired_at = ?2 WHERE algorithm = ?1 AND (retired_at IS NULL OR retired_at > ?2)",
        )?
        .execute(params![key.algorithm, key.signs_from])?;
    put(database, key)?;
    changes::append(database, &ChangeKind::KeysChanged, key.created_at)?;
    Ok(true)
}

/// Overwrites the private key of a record that is not sealed yet (`secure_delete` wipes the old bytes).
pub(super) fn seal(database: &Connection, key: &KeyRecord) -> Result<()> {
    database
        .prepare_cached("UPDATE keys SET private = ?2, sealed = 1 WHERE kid = ?1 AND sealed = 0")?
        .execute(params![key.kid, key.private.expose()])?;
    Ok(())
}

/// Deletes keys that were retired before `keep_after`.
pub(super) fn prune(database: &Connection, now: Timestamp, keep_after: Timestamp) -> Result<()> {
    let deleted = database.prepare_cached("DELETE FROM keys WHERE retired_at < ?1")?.execute([keep_after])?;
    if deleted == 0 {
        return Ok(());
    }
    changes::append(database, &ChangeKind::KeysChanged, now)
}

/// Inserts the key. One that is known already (imported a second time) comes back into use.
fn put(database: &Connection, key: &KeyRecord) -> Result<()> {
    database
        .prepare_cached(
            "INSERT INTO keys (kid, algorithm, private, sealed, created_at, signs_from) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (kid) DO UPDATE SET algorithm = ?2, private = ?3, sealed = ?4, created_at = ?5, signs_from = ?6,
                                             retired_at = NULL",
        )?
        .execute(params![key.kid, key.algorithm, key.private.expose(), key.sealed, key.created_at, key.signs_from])?;
    Ok(())
}

pub(super) fn import(database: &Connection, key: &KeyRecord) -> Result<()> {
    put(database, key)?;
    database
        .prepare_cached("UPDATE keys SET retired_at = ?2 WHERE kid = ?1")?
        .execute(params![key.kid, key.retired_at])?;
    Ok(())
}

pub(super) fn read(row: &Row<'_>) -> Result<KeyRecord> {
    Ok(KeyRecord {
        kid: row.get("kid")?,
        algorithm: row.get("algorithm")?,
        private: Secret::new(row.get("private")?),
        sealed: row.get("sealed")?,
        created_at: row.get("created_at")?,
        signs_from: row.get("signs_from")?,
        retired_at: row.get("retired_at")?,
    })
}
