//! Accounts. The keys of e-mail and user name stand beside what is shown of them, under a UNIQUE index each,
//! so that racers for one name are settled by the file itself.

use rusqlite::{Connection, Row, params};

use super::values::{Profile, Roles};
use super::{changes, one_time, sessions};
use crate::clock::Timestamp;
use crate::identity::{ExternalId, UserId};
use crate::store::stored::Stored;
use crate::store::{ChangeKind, NewSession, NewUser, PasswordChange, Result, StoreError, User, UserChange, UserKey};

pub(super) fn insert(database: &Connection, new: &NewUser, session: Option<&NewSession>) -> Result<User> {
    let stored = Stored::of(new);
    refuse_taken(database, &stored, None)?;
    write(database, INSERT, &stored)?;
    if let Some(session) = session {
        sessions::insert(database, session)?;
    }
    Ok(stored.user)
}

/// Puts a user of another store in the place of who is here under that id.
pub(super) fn import(database: &Connection, user: User) -> Result<()> {
    let stored = Stored::imported(user)?;
    let sql = if by_id(database, &stored.user.id)?.is_some() { UPDATE } else { INSERT };
    write(database, sql, &stored)
}

pub(super) fn by_id(database: &Connection, id: &UserId) -> Result<Option<User>> {
    Ok(stored(database, id)?.map(|stored| stored.user))
}

pub(super) fn find(database: &Connection, key: &UserKey) -> Result<Option<User>> {
    let (sql, key) = match key {
        UserKey::Id(id) => return by_id(database, id),
        UserKey::Email(email) => return by_email_key(database, email.key()),
        UserKey::Username(username) => ("SELECT * FROM users WHERE username_key = ?1", username.key()),
        UserKey::ExternalId(id) => ("SELECT * FROM users WHERE external_id = ?1", id.as_str()),
    };
    database.prepare_cached(sql)?.query_and_then([key], read)?.next().transpose()
}

pub(super) fn by_email_key(database: &Connection, key: &str) -> Result<Option<User>> {
    database.prepare_cached("SELECT * FROM users WHERE email_key = ?1")?.query_and_then([key], read)?.next().transpose()
}

pub(super) fn list(database: &Connection, after: Option<&UserId>, limit: usize) -> Result<Vec<User>> {
    // No id is empty, so the empty text comes before all of them.
    let after = after.map_or("", UserId::as_str);
    database
        .prepare_cached("SELECT * FROM users WHERE id > ?1 ORDER BY id LIMIT ?2")?
        .query_and_then(params![after, i64::try_from(limit).unwrap_or(i64::MAX)], read)?
        .collect()
}

pub(super) fn update(database: &Connection, id: &UserId, change: UserChange, now: Timestamp) -> Result<User> {
    let mut stored = stored(database, id)?.ok_or(StoreError::NotFound)?;
    let before = stored.user.clone();
    stored.apply(change);
    if stored.user == before {
        return Ok(before);
    }
    stored.user.updated_at = now;
    refuse_taken(database, &stored, Some(id))?;
    write(database, UPDATE, &stored)?;
    if !stored.user.is_active {
        sessions::end_all(database, id, None, now)?;
    }
    if !stored.user.is_active || stored.user.email != before.email {
        one_time::forget(database, id, None)?;
    }
    changes::append(database, &ChangeKind::UserChanged(id.clone()), now)?;
    Ok(stored.user)
}

pub(super) fn delete(database: &Connection, id: &UserId, now: Timestamp) -> Result<()> {
    sessions::end_all(database, id, None, now)?;
    let deleted = database.prepare_cached("DELETE FROM users WHERE id = ?1")?.execute([id])?;
    if deleted == 0 {
        return Err(StoreError::NotFound);
    }
    changes::append(database, &ChangeKind::UserChanged(id.clone()), now)
}

pub(super) fn change_password(
    database: &Connection,
    id: &UserId,
    change: &PasswordChange,
    now: Timestamp,
) -> Result<()> {
    replace_password(database, id, change.expected.as_deref(), &change.hash, now)?;
    sessions::end_all(database, id, change.keep, now)?;
    Ok(())
}

pub(super) fn replace_password(
    database: &Connection,
    id: &UserId,
    expected: Option<&str>,
    hash: &str,
    now: Timestamp,
) -> Result<()> {
    // `password_changed_at` strictly grows, because a sign-in that began before the change is told by that it differs.
    let changed = database
        .prepare_cached(
            "UPDATE users SET password_hash = ?3, password_changed_at = max(?4, password_changed_at + 1), updated_at = ?4
             WHERE id = ?1 AND (?2 IS NULL OR password_hash IS ?2)",
        )?
        .execute(params![id, expected, hash, now])?;
    if changed == 0 {
        return Err(StoreError::NotFound);
    }
    let email_key = stored(database, id)?.and_then(|stored| stored.email_key);
    one_time::forget_resets(database, id, email_key.as_deref())
}

pub(super) fn upgrade_hash(database: &Connection, id: &UserId, expected: &str, hash: &str) -> Result<()> {
    let changed = database
        .prepare_cached("UPDATE users SET password_hash = ?3 WHERE id = ?1 AND password_hash = ?2")?
        .execute(params![id, expected, hash])?;
    if changed == 0 { Err(StoreError::NotFound) } else { Ok(()) }
}

/// Says which name is taken, the e-mail first, by anyone but `except`. The indexes would refuse as well, but in an order of
/// their own, and a row imported twice would be refused for its id.
fn refuse_taken(database: &Connection, stored: &Stored, except: Option<&UserId>) -> Result<()> {
    let taken = |sql: &str, key: Option<&str>| -> Result<bool> {
        Ok(database.prepare_cached(sql)?.exists(params![key, except])?)
    };
    if taken("SELECT 1 FROM users WHERE email_key = ?1 AND id IS NOT ?2", stored.email_key.as_deref())? {
        return Err(StoreError::EmailTaken);
    }
    if taken("SELECT 1 FROM users WHERE username_key = ?1 AND id IS NOT ?2", stored.username_key.as_deref())? {
        return Err(StoreError::UsernameTaken);
    }
    let external_id = stored.user.external_id.as_ref().map(ExternalId::as_str);
    if taken("SELECT 1 FROM users WHERE external_id = ?1 AND id IS NOT ?2", external_id)? {
        return Err(StoreError::ExternalIdTaken);
    }
    Ok(())
}

const INSERT: &str = "
    INSERT INTO users (id, email, email_key, username, username_key, first_name, last_name, full_name, phone, roles,
                       is_active, email_verified, password_hash, password_changed_at, created_at, updated_at, profile,
                       external_id)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)";

const UPDATE: &str = "
    UPDATE users SET email = ?2, email_key = ?3, username = ?4, username_key = ?5, first_name = ?6, last_name = ?7,
                     full_name = ?8, phone = ?9, roles = ?10, is_active = ?11, email_verified = ?12, password_hash = ?13,
                     password_changed_at = ?14, created_at = ?15, updated_at = ?16, profile = ?17,
                     external_id = ?18
    WHERE id = ?1";

/// Runs [`INSERT`] or [`UPDATE`], which number their parameters alike.
fn write(database: &Connection, sql: &str, stored: &Stored) -> Result<()> {
    let Stored { user, email_key, username_key } = stored;
    database.prepare_cached(sql)?.execute(params![
        user.id,
        user.email,
        email_key,
        user.username,
        username_key,
        user.first_name,
        user.last_name,
        user.full_name,
        user.phone,
        Roles(user.roles.clone()),
        user.is_active,
        user.email_verified,
        user.password_hash,
        user.password_changed_at,
        user.created_at,
        user.updated_at,
        Profile(user.profile.clone()),
        user.external_id,
    ])?;
    Ok(())
}

fn stored(database: &Connection, id: &UserId) -> Result<Option<Stored>> {
    let read = |row: &Row<'_>| {
        Ok(Stored { user: read(row)?, email_key: row.get("email_key")?, username_key: row.get("username_key")? })
    };
    database.prepare_cached("SELECT * FROM users WHERE id = ?1")?.query_and_then([id], read)?.next().transpose()
}

pub(super) fn read(row: &Row<'_>) -> Result<User> {
    Ok(User {
        id: row.get("id")?,
        email: row.get("email")?,
        username: row.get("username")?,
        first_name: row.get("first_name")?,
        last_name: row.get("last_name")?,
        full_name: row.get("full_name")?,
        phone: row.get("phone")?,
        profile: row.get::<_, Profile>("profile")?.0,
        external_id: row.get("external_id")?,
        roles: row.get::<_, Roles>("roles")?.0,
        is_active: row.get("is_active")?,
        email_verified: row.get("email_verified")?,
        password_hash: row.get("password_hash")?,
        password_changed_at: row.get("password_changed_at")?,
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
    })
}
