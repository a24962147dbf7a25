//! Sessions: begun, used, ended. Whatever ends one leaves a line in the feed of changes, in the same transaction.

use mongodb::bson::{Document, doc};
use mongodb::options::ReturnDocument;

use super::connection::Connection;
use super::failure::Outcome;
use super::reading;
use super::transaction::{Transaction, in_transaction};
use super::values::{Draft, Fields, binary, date, scopes, text};
use super::{changes, users};
use crate::clock::Timestamp;
use crate::identity::{SessionId, UserId};
use crate::store::records::Origin;
use crate::store::{ChangeKind, NewSession, RefreshRequest, Result, Rotation, Session, StoreError, User, UserKey};
use crate::token::refresh::{self, RefreshState, Verdict};

pub(super) async fn insert(work: &mut Transaction<'_>, session: &NewSession) -> Outcome<()> {
    let mut user = doc! { "_id": session.user_id.as_str(), "is_active": true };
    if let Some(checked) = session.password_changed_at {
        user.insert("password_changed_at", date(checked));
    }
    // A write to the user, so that whoever disables them or changes their password meanwhile meets this transaction there:
    // having read the same document alone, both would succeed, and the session would outlive its end.
    let found = work.update(&work.on().users, user, doc! { "$inc": { "sessions_begun": 1_i64 } }).await?;
    if found == 0 {
        return Err(StoreError::NotFound.into());
    }
    work.insert(&work.on().sessions, begun(session)).await
}

/// Returns the document of a session that begins.
pub(super) fn begun(new: &NewSession) -> Document {
    let new = new.clone();
    let session = Session {
        id: new.id,
        user_id: new.user_id,
        created_at: new.created_at,
        last_used_at: new.created_at,
        origin: new.origin,
        refresh: new.refresh,
        access_expires_at: new.access_expires_at,
        scopes: new.scopes,
    };
    draft(&session).into_document()
}

pub(super) fn draft(session: &Session) -> Draft {
    let fields = vec![
        ("user_id", Some(text(session.user_id.as_str()))),
        ("created_at", Some(date(session.created_at))),
        ("last_used_at", Some(date(session.last_used_at))),
        ("ip", Some(text(&session.origin.ip))),
        ("user_agent", Some(text(&session.origin.user_agent))),
        ("refresh_current", Some(binary(&session.refresh.current))),
        ("refresh_previous", session.refresh.previous.as_ref().map(|previous| binary(previous))),
        ("rotated_at", Some(date(session.refresh.rotated_at))),
        ("expires_at", Some(date(session.refresh.expires_at))),
        ("access_expires_at", Some(date(session.access_expires_at))),
        ("forget_at", Some(date(session.refresh.expires_at.max(session.access_expires_at)))),
        ("scopes", session.scopes.as_deref().map(scopes)),
    ];
    Draft { id: text(session.id.to_string()), fields }
}

pub(super) async fn find(on: &Connection, id: SessionId) -> Outcome<Option<Session>> {
    let found = on.sessions.find_one(doc! { "_id": id.to_string() }).await?;
    Ok(found.map(|document| read(&document)).transpose()?)
}

pub(super) async fn list(on: &Connection, user: Option<&UserId>, now: Timestamp) -> Outcome<Vec<Session>> {
    let mut live = doc! { "expires_at": { "$gt": date(now) } };
    if let Some(user) = user {
        live.insert("user_id", user.as_str());
    }
    reading::all(on.sessions.find(live).sort(doc! { "created_at": -1, "_id": 1 }).await?, read).await
}

/// Judges the presented token by the session as it is, and writes the verdict only if it still is so; else judges again. A user who
/// is disabled meanwhile has lost the session in the same step, so that the write finds none.
pub(super) async fn rotate(on: &Connection, request: &RefreshRequest) -> Outcome<Rotation> {
    loop {
        let session = find(on, request.session).await?;
        let Some(session) = session.filter(|session| session.user_id == request.user_id) else {
            return Ok(Rotation::Ended);
        };
        let verdict = refresh::judge(&session.refresh, session.created_at, &request.jti, &request.policy, request.now);
        let (state, kept) = match verdict {
            Verdict::Rotate(state) => (state, false),
            Verdict::Keep(state) => (state, true),
            Verdict::Repeat => (session.refresh.clone(), false),
            Verdict::Reused => return end(on, session.id, request.now).await.map(|_| Rotation::Reused),
            Verdict::Expired => return end(on, session.id, request.now).await.map(|_| Rotation::Ended),
        };
        let user = users::find(on, &UserKey::Id(session.user_id.clone())).await?;
        let Some(user) = user.filter(|user| user.is_active) else {
            return end(on, session.id, request.now).await.map(|_| Rotation::Ended);
        };
        if let Some(session) = go_on(on, &session, &state, request).await? {
            return Ok(continued(session, user, kept));
        }
    }
}

fn continued(session: Session, user: User, kept: bool) -> Rotation {
    Rotation::Continued { session: Box::new(session), user: Box::new(user), kept }
}

/// Returns the session as it is after this use; `None` if it is no longer the one that was judged.
async fn go_on(
    on: &Connection,
    judged: &Session,
    state: &RefreshState,
    request: &RefreshRequest,
) -> Outcome<Option<Session>> {
    let as_judged = doc! {
        "_id": judged.id.to_string(),
        "refresh_current": binary(&judged.refresh.current),
        "rotated_at": date(judged.refresh.rotated_at),
    };
    let mut set = doc! {
        "last_used_at": date(request.now),
        "ip": &request.origin.ip,
        "user_agent": &request.origin.user_agent,
        "refresh_current": binary(&state.current),
        "rotated_at": date(state.rotated_at),
        "expires_at": date(state.expires_at),
    };
    if let Some(previous) = &state.previous {
        set.insert("refresh_previous", binary(previous));
    }
    // Never less than before: an older access token may run longer (its lifetime was shortened since), and the session's
    // end has to be remembered until the last one is dead.
    let highest = doc! {
        "access_expires_at": date(request.access_expires_at),
        "forget_at": date(state.expires_at.max(request.access_expires_at)),
    };
    let update = doc! { "$set": set, "$max": highest };
    let after = on.sessions.find_one_and_update(as_judged, update).return_document(ReturnDocument::After).await?;
    Ok(after.map(|document| read(&document)).transpose()?)
}

/// Ends a session; `false` if there was none.
pub(super) async fn end(on: &Connection, id: SessionId, now: Timestamp) -> Outcome<bool> {
    let ended = end_where(on, doc! { "_id": id.to_string() }, now).await?;
    Ok(!ended.is_empty())
}

/// Ends a user's sessions but `keep`; returns those it ended.
pub(super) async fn end_all(
    on: &Connection,
    user: &UserId,
    keep: Option<SessionId>,
    now: Timestamp,
) -> Outcome<Vec<SessionId>> {
    end_where(on, all_but(user, keep), now).await
}

async fn end_where(on: &Connection, filter: Document, now: Timestamp) -> Outcome<Vec<SessionId>> {
    // A look that costs no transaction: most who leave twice, or have one session, end here.
    if on.sessions.find_one(filter.clone()).await?.is_none() {
        return Ok(Vec::new());
    }
    let _turn = on.turn.lock().await;
    let ended = in_transaction!(on, work => async {
        let told = take(work, filter.clone()).await?;
        changes::append(work, &told, now).await?;
        Outcome::Ok(told)
    })?;
    let id = |kind: ChangeKind| match kind {
        ChangeKind::SessionEnded { session, .. } => Some(session),
        ChangeKind::UserChanged(_) | ChangeKind::KeysChanged => None,
    };
    Ok(ended.into_iter().filter_map(id).collect())
}

/// Returns the filter for a user's sessions but `keep`.
pub(super) fn all_but(user: &UserId, keep: Option<SessionId>) -> Document {
    let mut filter = doc! { "user_id": user.as_str() };
    if let Some(keep) = keep {
        filter.insert("_id", doc! { "$ne": keep.to_string() });
    }
    filter
}

/// Deletes the sessions that `filter` names; returns what is to be told of their ends.
pub(super) async fn take(work: &mut Transaction<'_>, filter: Document) -> Outcome<Vec<ChangeKind>> {
    let taken = work.find(&work.on().sessions, filter).await?;
    let mut told = Vec::with_capacity(taken.len());
    let mut ids = Vec::with_capacity(taken.len());
    for document in &taken {
        let fields = Fields::of("sessions", document);
        ids.push(fields.text("_id")?);
        told.push(ChangeKind::SessionEnded {
            session: fields.session_id("_id")?,
            user: fields.user_id("user_id")?,
            remember_until: fields.moment("access_expires_at")?,
        });
    }
    if !ids.is_empty() {
        work.delete(&work.on().sessions, doc! { "_id": { "$in": ids } }).await?;
    }
    Ok(told)
}

/// Deletes the sessions of which no token lives. Nobody need hear of it.
pub(super) async fn prune(on: &Connection, now: Timestamp) -> Outcome<()> {
    on.sessions.delete_many(doc! { "forget_at": { "$lte": date(now) } }).await?;
    Ok(())
}

pub(super) fn read(document: &Document) -> Result<Session> {
    let fields = Fields::of("sessions", document);
    Ok(Session {
        id: fields.session_id("_id")?,
        user_id: fields.user_id("user_id")?,
        created_at: fields.moment("created_at")?,
        last_used_at: fields.moment("last_used_at")?,
        origin: Origin { ip: fields.text("ip")?, user_agent: fields.text("user_agent")? },
        refresh: RefreshState {
            current: fields.digest("refresh_current")?,
            previous: fields.optional_digest("refresh_previous")?,
            rotated_at: fields.moment("rotated_at")?,
            expires_at: fields.moment("expires_at")?,
        },
        access_expires_at: fields.moment("access_expires_at")?,
        scopes: fields.optional_scopes("scopes")?,
    })
}
