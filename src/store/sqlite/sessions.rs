//! Sessions: begun, used, ended. Whatever removes a live one leaves a line in the feed of changes.

use rusqlite::{Connection, Row, params};

use super::values::Scopes;
use super::{changes, users};
use crate::clock::Timestamp;
use crate::identity::{SessionId, UserId};
use crate::store::records::Origin;
use crate::store::{ChangeKind, NewSession, RefreshRequest, Result, Rotation, Session, StoreError, User};
use crate::token::refresh::{self, RefreshState, Verdict};

pub(super) fn insert(database: &Connection, session: &NewSession) -> Result<()> {
    let user = users::by_id(database, &session.user_id)?.ok_or(StoreError::NotFound)?;
    let still_as_checked = session.password_changed_at.is_none_or(|checked| checked == user.password_changed_at);
    if !user.is_active || !still_as_checked {
        return Err(StoreError::NotFound);
    }
    let session = session.clone();
    let begun = Session {
        id: session.id,
        user_id: session.user_id,
        created_at: session.created_at,
        last_used_at: session.created_at,
        origin: session.origin,
        refresh: session.refresh,
        access_expires_at: session.access_expires_at,
        scopes: session.scopes,
    };
    write(database, INSERT, &begun)
}

/// Puts a session of another store in the place of what is here under its id.
pub(super) fn import(database: &Connection, session: &Session) -> Result<()> {
    database.prepare_cached("DELETE FROM sessions WHERE id = ?1")?.execute([session.id])?;
    write(database, INSERT, session)
}

pub(super) fn find(database: &Connection, id: SessionId) -> Result<Option<Session>> {
    database.prepare_cached("SELECT * FROM sessions WHERE id = ?1")?.query_and_then([id], read)?.next().transpose()
}

pub(super) fn list(database: &Connection, user: Option<&UserId>, now: Timestamp) -> Result<Vec<Session>> {
    let Some(user) = user else {
        return database
            .prepare_cached("SELECT * FROM sessions WHERE expires_at > ?1 ORDER BY created_at DESC, id")?
            .query_and_then([now], read)?
            .collect();
    };
    database
        .prepare_cached("SELECT * FROM sessions WHERE user_id = ?1 AND expires_at > ?2 ORDER BY created_at DESC, id")?
        .query_and_then(params![user, now], read)?
        .collect()
}

pub(super) fn rotate(database: &Connection, request: &RefreshRequest) -> Result<Rotation> {
    let Some(session) = find(database, request.session)?.filter(|session| session.user_id == request.user_id) else {
        return Ok(Rotation::Ended);
    };
    let verdict = refresh::judge(&session.refresh, session.created_at, &request.jti, &request.policy, request.now);
    let (state, kept) = match verdict {
        Verdict::Rotate(state) => (state, false),
        Verdict::Keep(state) => (state, true),
        Verdict::Repeat => (session.refresh.clone(), false),
        Verdict::Reused => {
            end(database, session.id, request.now)?;
            return Ok(Rotation::Reused);
        }
        Verdict::Expired => {
            end(database, session.id, request.now)?;
            return Ok(Rotation::Ended);
        }
    };
    let Some(user) = users::by_id(database, &session.user_id)?.filter(|user| user.is_active) else {
        end(database, session.id, request.now)?;
        return Ok(Rotation::Ended);
    };
    go_on(database, session, state, request).map(|session| continued(session, user, kept))
}

fn continued(session: Session, user: User, kept: bool) -> Rotation {
    Rotation::Continued { session: Box::new(session), user: Box::new(user), kept }
}

/// Returns the session as it is after this use, and stores it so.
fn go_on(database: &Connection, session: Session, state: RefreshState, request: &RefreshRequest) -> Result<Session> {
    let session = Session {
        refresh: state,
        last_used_at: request.now,
        origin: request.origin.clone(),
        // Never less than before: an older access token may run longer (its lifetime was shortened since), and the
        // session's end has to be remembered until the last one is dead.
        access_expires_at: session.access_expires_at.max(request.access_expires_at),
        ..session
    };
    write(database, UPDATE, &session)?;
    Ok(session)
}

const INSERT: &str = "
    INSERT INTO sessions (id, user_id, created_at, last_used_at, ip, user_agent, refresh_current, refresh_previous,
                          rotated_at, expires_at, access_expires_at, scopes)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";

const UPDATE: &str = "
    UPDATE sessions SET user_id = ?2, created_at = ?3, last_used_at = ?4, ip = ?5, user_agent = ?6, refresh_current = ?7,
                        refresh_previous = ?8, rotated_at = ?9, expires_at = ?10, access_expires_at = ?11, scopes = ?12
    WHERE id = ?1";

/// Runs [`INSERT`] or [`UPDATE`], which number their parameters alike.
fn write(database: &Connection, sql: &str, session: &Session) -> Result<()> {
    database.prepare_cached(sql)?.execute(params![
        session.id,
        session.user_id,
        session.created_at,
        session.last_used_at,
        session.origin.ip,
        session.origin.user_agent,
        session.refresh.current,
        session.refresh.previous,
        session.refresh.rotated_at,
        session.refresh.expires_at,
        session.access_expires_at,
        session.scopes.clone().map(Scopes),
    ])?;
    Ok(())
}

pub(super) fn end(database: &Connection, id: SessionId, now: Timestamp) -> Result<bool> {
    let ended = database
        .prepare_cached("DELETE FROM sessions WHERE id = ?1 RETURNING id, user_id, access_expires_at")?
        .query_and_then([id], read_end)?
        .collect::<Result<Vec<_>>>()?;
    tell(database, &ended, now)?;
    Ok(!ended.is_empty())
}

pub(super) fn end_all(
    database: &Connection,
    user: &UserId,
    keep: Option<SessionId>,
    now: Timestamp,
) -> Result<Vec<SessionId>> {
    let ended = database
        .prepare_cached(
            "DELETE FROM sessions WHERE user_id = ?1 AND id IS NOT ?2 RETURNING id, user_id, access_expires_at",
        )?
        .query_and_then(params![user, keep], read_end)?
        .collect::<Result<Vec<_>>>()?;
    tell(database, &ended, now)?;
    Ok(ended.into_iter().map(|end| end.session).collect())
}

/// Deletes the sessions of which no token lives. Nobody need hear of it.
pub(super) fn prune(database: &Connection, now: Timestamp) -> Result<()> {
    database
        .prepare_cached("DELETE FROM sessions WHERE expires_at <= ?1 AND access_expires_at <= ?1")?
        .execute([now])?;
    Ok(())
}

struct Ended {
    session: SessionId,
    user: UserId,
    remember_until: Timestamp,
}

fn tell(database: &Connection, ended: &[Ended], now: Timestamp) -> Result<()> {
    for Ended { session, user, remember_until } in ended {
        let kind = ChangeKind::SessionEnded { session: *session, user: user.clone(), remember_until: *remember_until };
        changes::append(database, &kind, now)?;
    }
    Ok(())
}

fn read_end(row: &Row<'_>) -> Result<Ended> {
    Ok(Ended { session: row.get("id")?, user: row.get("user_id")?, remember_until: row.get("access_expires_at")? })
}

pub(super) fn read(row: &Row<'_>) -> Result<Session> {
    Ok(Session {
        id: row.get("id")?,
        user_id: row.get("user_id")?,
        created_at: row.get("created_at")?,
        last_used_at: row.get("last_used_at")?,
        origin: Origin { ip: row.get("ip")?, user_agent: row.get("user_agent")? },
        refresh: RefreshState {
            current: row.get("refresh_current")?,
            previous: row.get("refresh_previous")?,
            rotated_at: row.get("rotated_at")?,
            expires_at: row.get("expires_at")?,
        },
        access_expires_at: row.get("access_expires_at")?,
        scopes: row.get::<_, Option<Scopes>>("scopes")?.map(|scopes| scopes.0),
    })
}
