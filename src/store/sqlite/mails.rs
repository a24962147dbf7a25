//! The outbox: what waits to be sent, and who is sending it.

use rusqlite::{Connection, Row, params};

use super::{one_time, users};
use crate::clock::Timestamp;
use crate::store::transfer::WaitingMail;
use crate::store::{ClaimedMail, MailClaim, MailEnd, NewMail, Purpose, Result, StoreError};

pub(super) fn enqueue(database: &Connection, new: &NewMail) -> Result<()> {
    let NewMail { purpose, email, now, most } = new;
    // A request for what waits already is written down as well: one that costs less would tell that it waits.
    let renewed = database
        .prepare_cached("UPDATE mails SET requested_at = ?3 WHERE purpose = ?1 AND email_key = ?2")?
        .execute(params![purpose, email.key(), now])?;
    if renewed > 0 {
        return Ok(());
    }
    if usize::try_from(waiting(database)?).is_ok_and(|count| count >= *most) {
        return Err(StoreError::Unavailable("the outbox is full".into()));
    }
    database
        .prepare_cached(
            "INSERT INTO mails (purpose, email_key, requested_at, due_at, attempts) VALUES (?1, ?2, ?3, ?3, 0)",
        )?
        .execute(params![purpose, email.key(), now])?;
    Ok(())
}

pub(super) fn waiting(database: &Connection) -> Result<u64> {
    let count: i64 = database.prepare_cached("SELECT count(*) FROM mails")?.query_row([], |row| row.get(0))?;
    Ok(count.unsigned_abs())
}

/// Puts a mail of another store in the place of what waits here for its purpose and address.
pub(super) fn import(database: &Connection, mail: &WaitingMail) -> Result<()> {
    let WaitingMail { purpose, email_key, requested_at, due_at, attempts, claim } = mail;
    database
        .prepare_cached(
            "INSERT OR REPLACE INTO mails (purpose, email_key, requested_at, due_at, attempts, claim)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![purpose, email_key, requested_at, due_at, attempts, claim])?;
    Ok(())
}

pub(super) fn claim(database: &Connection, claim: &MailClaim) -> Result<Option<ClaimedMail>> {
    while let Some(due) = next_due(database, claim.now)? {
        let user = users::by_email_key(database, &due.email_key)?.filter(|user| user.is_active);
        let wanted = user.filter(|user| due.purpose == Purpose::ResetPassword || !user.email_verified);
        let Some(user) = wanted else {
            drop_mail(database, due.purpose, &due.email_key)?;
            continue;
        };
        let attempts = due.attempts.saturating_add(1);
        database
            .prepare_cached(
                "UPDATE mails SET claim = ?3, due_at = ?4, attempts = ?5 WHERE purpose = ?1 AND email_key = ?2",
            )?
            .execute(params![due.purpose, due.email_key, claim.token, claim.lease_until, attempts])?;
        one_time::insert(database, &claim.token, due.purpose, &user.id, claim.token_until(due.purpose))?;
        let WaitingMail { purpose, requested_at, .. } = due;
        return Ok(Some(ClaimedMail { purpose, user, requested_at, attempts }));
    }
    Ok(None)
}

fn next_due(database: &Connection, now: Timestamp) -> Result<Option<WaitingMail>> {
    database
        .prepare_cached("SELECT * FROM mails WHERE due_at <= ?1 ORDER BY due_at, requested_at LIMIT 1")?
        .query_and_then([now], read)?
        .next()
        .transpose()
}

/// Takes back whatever waits for that purpose and address.
pub(super) fn drop_mail(database: &Connection, purpose: Purpose, email_key: &str) -> Result<()> {
    database
        .prepare_cached("DELETE FROM mails WHERE purpose = ?1 AND email_key = ?2")?
        .execute(params![purpose, email_key])?;
    Ok(())
}

pub(super) fn finish(database: &Connection, claim: [u8; 32], end: MailEnd) -> Result<()> {
    match end {
        MailEnd::Done => database.prepare_cached("DELETE FROM mails WHERE claim = ?1")?.execute([claim])?,
        MailEnd::RetryAt(at) => database
            .prepare_cached("UPDATE mails SET due_at = ?2, claim = NULL WHERE claim = ?1")?
            .execute(params![claim, at])?,
    };
    Ok(())
}

pub(super) fn read(row: &Row<'_>) -> Result<WaitingMail> {
    Ok(WaitingMail {
        purpose: row.get("purpose")?,
        email_key: row.get("email_key")?,
        requested_at: row.get("requested_at")?,
        due_at: row.get("due_at")?,
        attempts: row.get("attempts")?,
        claim: row.get("claim")?,
    })
}
