//! The feed of what changed. A change is written in the transaction of what it tells of, and takes its number from one counter
//! document in the same transaction: two can't hold the counter at once, so a number becomes visible only after all lower ones.

use mongodb::bson::{Bson, Document, doc};

use super::connection::Connection;
use super::failure::Outcome;
use super::transaction::Transaction;
use super::values::{Fields, date};
use crate::clock::Timestamp;
use crate::store::{Change, ChangeKind, Result, StoreError};

const SESSION_ENDED: &str = "session_ended";
const USER_CHANGED: &str = "user_changed";
const KEYS_CHANGED: &str = "keys_changed";

/// The id of the counter, in `counters`.
const COUNTER: &str = "changes";

/// Writes down `kinds` in their order; returns the number of the last.
pub(super) async fn append(work: &mut Transaction<'_>, kinds: &[ChangeKind], at: Timestamp) -> Outcome<i64> {
    if kinds.is_empty() {
        return Ok(0);
    }
    let count = i64::try_from(kinds.len()).unwrap_or(i64::MAX);
    let raise = doc! { "$inc": { "value": count } };
    let counter = work.find_and_update(&work.on().counters, doc! { "_id": COUNTER }, raise).await?;
    let counter = counter.ok_or_else(|| StoreError::Damaged("counters has no counter of changes".into()))?;
    let last = Fields::of("counters", &counter).number("value")?;
    let lines = kinds.iter().zip(last - count + 1..).map(|(kind, seq)| line(seq, kind, at)).collect();
    work.insert_all(&work.on().changes, lines).await?;
    Ok(last)
}

fn line(seq: i64, kind: &ChangeKind, at: Timestamp) -> Document {
    let mut line = doc! { "_id": seq, "at": date(at) };
    match kind {
        ChangeKind::SessionEnded { session, user, remember_until } => {
            line.extend(doc! {
                "kind": SESSION_ENDED,
                "session_id": session.to_string(),
                "user_id": user.as_str(),
                "remember_until": date(*remember_until),
            });
        }
        ChangeKind::UserChanged(user) => line.extend(doc! { "kind": USER_CHANGED, "user_id": user.as_str() }),
        ChangeKind::KeysChanged => line.extend(doc! { "kind": KEYS_CHANGED }),
    }
    line
}

pub(super) async fn after(on: &Connection, seq: i64) -> Outcome<Vec<Change>> {
    let mut cursor = on.changes.find(doc! { "_id": { "$gt": seq } }).sort(doc! { "_id": 1 }).await?;
    let mut changes = Vec::new();
    while cursor.advance().await? {
        changes.push(read(&cursor.deserialize_current()?)?);
    }
    Ok(changes)
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

fn read(line: &Document) -> Result<Change> {
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
