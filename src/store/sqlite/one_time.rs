//! One-time tokens: kept by their digest, found while they live, spent once.

use rusqlite::{Connection, Row, params};

use super::{api_keys, changes, mails, sessions, users};
use crate::clock::Timestamp;
use crate::identity::UserId;
use crate::store::transfer::SentToken;
use crate::store::{ChangeKind, KeyEnd, OneTime, Purpose, Result, StoreError, User};

pub(super) fn insert(
    database: &Connection,
    hash: &[u8; 32],
    purpose: Purpose,
    user: &UserId,
    expires_at: Timestamp,
) -> Result<()> {
    database
        .prepare_cached("INSERT INTO one_time_tokens (hash, purpose, user_id, expires_at) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![hash, purpose, user, expires_at])?;
    Ok(())
}

/// Puts a token of another store in the place of what is here under its digest.
pub(super) fn import(database: &Connection, token: &SentToken) -> Result<()> {
    database.prepare_cached("DELETE FROM one_time_tokens WHERE hash = ?1")?.execute([token.hash])?;
    insert(database, &token.hash, token.purpose, &token.user_id, token.expires_at)
}

pub(super) fn find(database: &Connection, token: &OneTime) -> Result<Option<User>> {
    let found: Option<UserId> = database
        .prepare_cached("SELECT user_id FROM one_time_tokens WHERE hash = ?1 AND purpose = ?2 AND expires_at > ?3")?
        .query_and_then(params![token.hash, token.purpose, token.now], |row| row.get("user_id"))?
        .next()
        .transpose()?;
    let Some(user) = found else { return Ok(None) };
    Ok(users::by_id(database, &user)?.filter(|user| user.is_active))
}

pub(super) fn reset_password(
    database: &Connection,
    token: &OneTime,
    hash: &str,
    keys_until: Timestamp,
) -> Result<User> {
    let user = find(database, token)?.ok_or(StoreError::NotFound)?;
    users::replace_password(database, &user.id, None, hash, token.now)?;
    sessions::end_all(database, &user.id, None, token.now)?;
    forget(database, &user.id, None)?;
    if !user.email_verified {
        let end = KeyEnd { now: token.now, remember_until: keys_until };
        for key in api_keys::list(database, Some(&user.id))? {
            api_keys::delete(database, &user.id, key.id, end)?;
        }
    }
    mark_verified(database, &user, token.now)
}

pub(super) fn verify_email(database: &Connection, token: &OneTime) -> Result<User> {
    let user = find(database, token)?.ok_or(StoreError::NotFound)?;
    forget(database, &user.id, Some(Purpose::VerifyEmail))?;
    mark_verified(database, &user, token.now)
}

/// Returns the user as they are afterwards.
fn mark_verified(database: &Connection, user: &User, now: Timestamp) -> Result<User> {
    let id = &user.id;
    database
        .prepare_cached("UPDATE users SET email_verified = 1, updated_at = ?2 WHERE id = ?1")?
        .execute(params![id, now])?;
    changes::append(database, &ChangeKind::UserChanged(id.clone()), now)?;
    users::by_id(database, id)?.ok_or(StoreError::NotFound)
}

/// Makes the user's tokens for `purpose` void; with `None`, all of them.
pub(super) fn forget(database: &Connection, user: &UserId, purpose: Option<Purpose>) -> Result<()> {
    database
        .prepare_cached("DELETE FROM one_time_tokens WHERE user_id = ?1 AND purpose = ifnull(?2, purpose)")?
        .execute(params![user, purpose])?;
    Ok(())
}

/// Makes what could still reset a password that was just replaced void: tokens, and mails that would bring more.
pub(super) fn forget_resets(database: &Connection, user: &UserId, email_key: Option<&str>) -> Result<()> {
    forget(database, user, Some(Purpose::ResetPassword))?;
    email_key.map_or(Ok(()), |key| mails::drop_mail(database, Purpose::ResetPassword, key))
}

pub(super) fn prune(database: &Connection, now: Timestamp) -> Result<()> {
    database.prepare_cached("DELETE FROM one_time_tokens WHERE expires_at <= ?1")?.execute([now])?;
    Ok(())
}

pub(super) fn read(row: &Row<'_>) -> Result<SentToken> {
    Ok(SentToken {
        hash: row.get("hash")?,
        purpose: row.get("purpose")?,
        user_id: row.get("user_id")?,
        expires_at: row.get("expires_at")?,
    })
}
