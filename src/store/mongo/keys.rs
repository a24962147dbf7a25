//! Signing keys, as bytes; whether they are sealed is the caller's affair.

use mongodb::bson::{Bson, Document, doc};

use super::changes;
use super::connection::Connection;
use super::failure::Outcome;
use super::reading;
use super::transaction::Transaction;
use super::values::{Draft, Fields, binary, date, text};
use crate::clock::Timestamp;
use crate::secret::Secret;
use crate::store::{ChangeKind, Result};
use crate::token::key::{Algorithm, KeyRecord};

/// The id of the counter by which keys of one moment have an order, in `counters`.
pub(super) const COUNTER: &str = "keys";

pub(super) async fn list(on: &Connection) -> Outcome<Vec<KeyRecord>> {
    // Of keys made in the same millisecond the one stored later is the newer.
    reading::all(on.keys.find(doc! {}).sort(doc! { "created_at": -1, "number": -1 }).await?, read).await
}

pub(super) async fn ensure(work: &mut Transaction<'_>, key: &KeyRecord) -> Outcome<()> {
    if work.find_one(&work.on().keys, unretired(key)).await?.is_some() {
        return Ok(());
    }
    publish(work, key).await
}

pub(super) async fn rotate(work: &mut Transaction<'_>, key: &KeyRecord, replaces: Option<&str>) -> Outcome<bool> {
    let on = work.on();
    if let Some(replaces) = replaces {
        let known = work.find(&on.keys, unretired(key)).await?;
        let known: Vec<Newest<'_>> = known.iter().map(newest_key).collect::<Result<_>>()?;
        if known.into_iter().max().is_none_or(|(_, _, kid)| kid != replaces) {
            return Ok(false);
        }
    }
    // One that waits for its turn, or for its end, gives way as well.
    let later = doc! { "retired_at": { "$gt": date(key.signs_from) } };
    let gives_way = doc! { "algorithm": key.algorithm.name(), "$or": [{ "retired_at": Bson::Null }, later] };
    work.update(&on.keys, gives_way, doc! { "$set": { "retired_at": date(key.signs_from) } }).await?;
    publish(work, key).await?;
    Ok(true)
}

/// Puts the sealed form in the place of the plain one.
pub(super) async fn seal(on: &Connection, keys: &[KeyRecord]) -> Outcome<()> {
    for key in keys {
        let sealed = doc! { "$set": { "private": binary(key.private.expose()), "sealed": true } };
        on.keys.update_one(doc! { "_id": &key.kid, "sealed": false }, sealed).await?;
    }
    Ok(())
}

/// Deletes keys that were retired before `keep_after`.
pub(super) async fn prune(work: &mut Transaction<'_>, now: Timestamp, keep_after: Timestamp) -> Outcome<()> {
    if work.delete(&work.on().keys, old(keep_after)).await? > 0 {
        changes::append(work, &[ChangeKind::KeysChanged], now).await?;
    }
    Ok(())
}

/// Returns whether [`prune`] would delete one: a look that costs no transaction.
pub(super) async fn any_to_prune(on: &Connection, keep_after: Timestamp) -> Outcome<bool> {
    Ok(on.keys.find_one(old(keep_after)).await?.is_some())
}

fn old(keep_after: Timestamp) -> Document {
    doc! { "retired_at": { "$lt": date(keep_after) } }
}

fn unretired(key: &KeyRecord) -> Document {
    doc! { "algorithm": key.algorithm.name(), "retired_at": Bson::Null }
}

/// Stores the key and tells of it. One that is known already comes back into use.
async fn publish(work: &mut Transaction<'_>, key: &KeyRecord) -> Outcome<()> {
    put(work, &KeyRecord { retired_at: None, ..key.clone() }).await?;
    changes::append(work, &[ChangeKind::KeysChanged], key.created_at).await
}

/// Stores the key as it is. One that is known already keeps its place among those of its moment.
pub(super) async fn put(work: &mut Transaction<'_>, key: &KeyRecord) -> Outcome<()> {
    let number = work.take_numbers(COUNTER, 1).await?;
    let mut change = draft(key).into_update();
    change.insert("$setOnInsert", doc! { "number": number });
    work.put(&work.on().keys, doc! { "_id": &key.kid }, change).await
}

fn draft(key: &KeyRecord) -> Draft {
    let fields = vec![
        ("algorithm", Some(text(key.algorithm.name()))),
        ("private", Some(binary(key.private.expose()))),
        ("sealed", Some(Bson::Boolean(key.sealed))),
        ("created_at", Some(date(key.created_at))),
        ("signs_from", Some(date(key.signs_from))),
        ("retired_at", key.retired_at.map(date)),
    ];
    Draft { id: text(&key.kid), fields }
}

/// What decides which of two keys is the newer, and its id.
type Newest<'a> = (Timestamp, i64, &'a str);

fn newest_key(document: &Document) -> Result<Newest<'_>> {
    let fields = Fields::of("keys", document);
    Ok((fields.moment("created_at")?, fields.number("number")?, document.get_str("_id").unwrap_or_default()))
}

pub(super) fn read(document: &Document) -> Result<KeyRecord> {
    let fields = Fields::of("keys", document);
    Ok(KeyRecord {
        kid: fields.text("_id")?,
        algorithm: fields.parsed("algorithm", "an algorithm", Algorithm::parse)?,
        private: Secret::new(fields.bytes("private")?),
        sealed: fields.flag("sealed")?,
        created_at: fields.moment("created_at")?,
        signs_from: fields.moment("signs_from")?,
        retired_at: fields.optional_moment("retired_at")?,
    })
}
