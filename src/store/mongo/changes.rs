//! The feed of what changed. A change is written in the transaction of what it tells of, and takes its number from one counter
//! document in the same transaction: two can't hold the counter at once, so a number becomes visible only after all lower ones.

use mongodb::bson::{Bson, Document, doc};

use super::connection::Connection;
use super::failure::Outcome;
use super::reading;
use super::transaction::Transaction;
use super::values::{Draft, Fields, date, text};
use crate::clock::Timestamp;
use crate::store::{Change, ChangeKind, Result, StoreError};

const SESSION_ENDED: &str = "session_ended";
const USER_CHANGED: &str = "user_changed";
const KEYS_CHANGED: &str = "keys_changed";

/// The id of the counter, in `counters`.
pub(super) const COUNTER: &str = "changes";

/// Writes down `kinds` in their order.
pub(super) async fn append(work: &mut Transaction<'_>, kinds: &[ChangeKind], at: Timestamp) -> Outcome<()> {
    if kinds.is_empty() {
        return Ok(());
    }
    let count = i64::try_from(kinds.len()).unwrap_or(i64::MAX);
    let first = work.take_numbers(COUNTER, count).await?;
    let lines = kinds.iter().zip(first..).map(|(kind, seq)| draft(seq, kind, at).into_document()).collect();
    work.insert_all(&work.on().changes, lines).await
}

/// Takes over lines of another store with the numbers that they had there.
pub(super) async fn import(work: &mut Transaction<'_>, changes: &[Change]) -> Outcome<()> {
    let Some(last) = changes.iter().map(|change| change.seq).max() else { return Ok(()) };
    let on = work.on();
    work.put(&on.counters, doc! { "_id": COUNTER }, doc! { "$max": { "value": last } }).await?;
    work.put_all(&on.changes, changes.iter().map(|change| draft(change.seq, &change.kind, change.at)).collect()).await
}

fn draft(seq: i64, kind: &ChangeKind, at: Timestamp) -> Draft {
    let mut fields = vec![("at", Some(date(at)))];
    match kind {
        ChangeKind::SessionEnded { session, user, remember_until } => fields.extend([
            ("kind", Some(text(SESSION_ENDED))),
            ("session_id", Some(text(session.to_string()))),
            ("user_id", Some(text(user.as_str()))),
            ("remember_until", Some(date(*remember_until))),
        ]),
        ChangeKind::UserChanged(user) => {
            fields.extend([("kind", Some(text(USER_CHANGED))), ("user_id", Some(text(user.as_str())))]);
        }
        ChangeKind::KeysChanged => fields.push(("kind", Some(text(KEYS_CHANGED)))),
    }
    Draft { id: Bson::Int64(seq), fields }
}

pub(super) async fn after(on: &Connection, seq: i64) -> Outcome<Vec<Change>> {
    reading::all(on.changes.find(doc! { "_id": { "$gt": seq } }).sort(doc! { "_id": 1 }).await?, read).await
}

pub(super) async fn last(on: &Connection) -> Outcome<i64> {
    // From the counter, not from the changes: after pruning there may be none, and the number must not fall back.
    match on.counters.find_one(doc! { "_id": COUNTER }).await? {
        Some(counter) => Ok(Fields::of("counters", &counter).number("value")?),
        None => Ok(0),
    }
}

/// Deletes what is older than `keep_after`, but no end of a session that still has to be remembered.
pub(super) async fn prune(on: &Connection, now: Timestamp, keep_after: Timestamp) -> Outcome<()> {
    let forgettable = doc! { "$or": [{ "remember_until": Bson::Null }, { "remember_until": { "$lte": date(now) } }] };
    let mut old = doc! { "at": { "$lt": date(keep_after) } };
    old.extend(forgettable);
    on.changes.delete_many(old).await?;
    Ok(())
}

pub(super) fn read(line: &Document) -> Result<Change> {
    let fields = Fields::of("changes", line);
    let kind = match fields.text("kind")?.as_str() {
        SESSION_ENDED => ChangeKind::SessionEnded {
            session: fields.session_id("session_id")?,
            user: fields.user_id("user_id")?,
            remember_until: fields.moment("remember_until")?,
        },
        USER_CHANGED => ChangeKind::UserChanged(fields.user_id("user_id")?),
        KEYS_CHANGED => ChangeKind::KeysChanged,
        _ => return Err(StoreError::Damaged("changes.kind is one that this version does not know".into())),
    };
    Ok(Change { seq: fields.number("_id")?, at: fields.moment("at")?, kind })
}
