//! Signing keys, as bytes; whether they are sealed is the caller's affair.

use mongodb::bson::{Bson, Document, doc};

use super::changes;
use super::connection::Connection;
use super::failure::Outcome;
use super::transaction::Transaction;
use super::values::{Fields, binary, date};
use crate::clock::Timestamp;
use crate::secret::Secret;
use crate::store::{ChangeKind, Result};
use crate::token::key::{Algorithm, KeyRecord};

pub(super) async fn list(on: &Connection) -> Outcome<Vec<KeyRecord>> {
    // Of keys made in the same millisecond the one stored later is the newer.
    let mut cursor = on.keys.find(doc! {}).sort(doc! { "created_at": -1, "number": -1 }).await?;
    let mut keys = Vec::new();
    while cursor.advance().await? {
        keys.push(read(&cursor.deserialize_current()?)?);
    }
    Ok(keys)
}

pub(super) async fn ensure(work: &mut Transaction<'_>, key: &KeyRecord) -> Outcome<()> {
    let live = doc! { "algorithm": key.algorithm.name(), "retired_at": Bson::Null };
    if work.find_one(&work.on().keys, live).await?.is_some() {
        return Ok(());
    }
    put(work, key, key.created_at).await
}

pub(super) async fn rotate(work: &mut Transaction<'_>, key: &KeyRecord, now: Timestamp) -> Outcome<()> {
    let live = doc! { "algorithm": key.algorithm.name(), "retired_at": Bson::Null };
    work.update(&work.on().keys, live, doc! { "$set": { "retired_at": date(now) } }).await?;
    put(work, key, now).await
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

/// Stores the key. One that is known already (imported a second time) comes back into use.
async fn put(work: &mut Transaction<'_>, key: &KeyRecord, now: Timestamp) -> Outcome<()> {
    let number = changes::append(work, &[ChangeKind::KeysChanged], now).await?;
    let change = doc! {
        "$set": {
            "algorithm": key.algorithm.name(),
            "private": binary(key.private.expose()),
            "sealed": key.sealed,
            "created_at": date(key.created_at),
            "number": number,
        },
        "$unset": { "retired_at": "" },
    };
    work.put(&work.on().keys, doc! { "_id": &key.kid }, change).await
}

fn read(document: &Document) -> Result<KeyRecord> {
    let fields = Fields::of("keys", document);
    Ok(KeyRecord {
        kid: fields.text("_id")?,
        algorithm: fields.parsed("algorithm", "an algorithm", Algorithm::parse)?,
        private: Secret::new(fields.bytes("private")?),
        sealed: fields.flag("sealed")?,
        created_at: fields.moment("created_at")?,
        retired_at: fields.optional_moment("retired_at")?,
    })
}
