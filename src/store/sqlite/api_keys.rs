//! Keys of users, found by their digest. Deleting one leaves a line in the feed of changes, like the end of a session.

use rusqlite::{Connection, Row, params};

use super::values::Scopes;
use super::{changes, users};
use crate::clock::Timestamp;
use crate::identity::{SessionId, UserId};
use crate::store::{ApiKey, ChangeKind, KeyEnd, NewApiKey, Result, StoreError, User};

pub(super) fn insert(database: &Connection, new: &NewApiKey) -> Result<()> {
    let NewApiKey { key, hash, most } = new;
    if !users::by_id(database, &key.user_id)?.is_some_and(|user| user.is_active) {
        return Err(StoreError::NotFound);
    }
    let count: i64 = database
        .prepare_cached("SELECT count(*) FROM api_keys WHERE user_id = ?1")?
        .query_row([&key.user_id], |row| row.get(0))?;
    if usize::try_from(count).is_ok_and(|count| count >= *most) {
        return Err(StoreError::TooManyKeys);
    }
    write(database, key, hash)
}

/// Puts a key of another store in the place of what is here under its id.
pub(super) fn import(database: &Connection, key: &ApiKey, hash: &[u8; 32]) -> Result<()> {
    database.prepare_cached("DELETE FROM api_keys WHERE id = ?1")?.execute([key.id])?;
    write(database, key, hash)
}

fn write(database: &Connection, key: &ApiKey, hash: &[u8; 32]) -> Result<()> {
    database
        .prepare_cached(
            "INSERT INTO api_keys (id, user_id, hash, name, scopes, created_at, expires_at, last_used_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            key.id,
            key.user_id,
            hash,
            key.name,
            Scopes(key.scopes.clone()),
            key.created_at,
            key.expires_at,
            key.last_used_at,
        ])?;
    Ok(())
}

pub(super) fn find(database: &Connection, hash: [u8; 32]) -> Result<Option<(ApiKey, User)>> {
    let found = database
        .prepare_cached("SELECT * FROM api_keys WHERE hash = ?1")?
        .query_and_then([hash], read)?
        .next()
        .transpose()?;
    let Some(key) = found else { return Ok(None) };
    Ok(users::by_id(database, &key.user_id)?.map(|user| (key, user)))
}

pub(super) fn list(database: &Connection, user: Option<&UserId>) -> Result<Vec<ApiKey>> {
    let Some(user) = user else {
        return database
            .prepare_cached("SELECT * FROM api_keys ORDER BY created_at DESC, id")?
            .query_and_then([], read)?
            .collect();
    };
    database
        .prepare_cached("SELECT * FROM api_keys WHERE user_id = ?1 ORDER BY created_at DESC, id")?
        .query_and_then([user], read)?
        .collect()
}

pub(super) fn delete(database: &Connection, user: &UserId, id: SessionId, end: KeyEnd) -> Result<bool> {
    let deleted =
        database.prepare_cached("DELETE FROM api_keys WHERE id = ?1 AND user_id = ?2")?.execute(params![id, user])?;
    if deleted == 0 {
        return Ok(false);
    }
    let kind = ChangeKind::SessionEnded { session: id, user: user.clone(), remember_until: end.remember_until };
    changes::append(database, &kind, end.now)?;
    Ok(true)
}

pub(super) fn touch(database: &Connection, used: &[(SessionId, Timestamp)]) -> Result<()> {
    let mut update = database
        .prepare_cached("UPDATE api_keys SET last_used_at = max(?2, ifnull(last_used_at, ?2)) WHERE id = ?1")?;
    for (id, at) in used {
        update.execute(params![id, at])?;
    }
    Ok(())
}

pub(super) fn read(row: &Row<'_>) -> Result<ApiKey> {
    Ok(ApiKey {
        id: row.get("id")?,
        user_id: row.get("user_id")?,
        name: row.get("name")?,
        scopes: row.get::<_, Scopes>("scopes")?.0,
        created_at: row.get("created_at")?,
        expires_at: row.get("expires_at")?,
        last_used_at: row.get("last_used_at")?,
    })
}
