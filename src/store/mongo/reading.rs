//! Reads documents to the end, or a page of them.

use mongodb::bson::{Document, doc};
use mongodb::{Collection, Cursor};

use super::failure::Outcome;
use crate::store::Result;

/// Returns what `read` makes of every document.
pub(super) async fn all<T>(mut cursor: Cursor<Document>, read: fn(&Document) -> Result<T>) -> Outcome<Vec<T>> {
    let mut found = Vec::new();
    while cursor.advance().await? {
        found.push(read(&cursor.deserialize_current()?)?);
    }
    Ok(found)
}

/// Returns up to `limit` in the order of their ids, beginning after `after`. No id is empty, so the empty text comes before all.
pub(super) async fn page<T>(
    collection: &Collection<Document>,
    after: &str,
    limit: usize,
    read: fn(&Document) -> Result<T>,
) -> Outcome<Vec<T>> {
    if limit == 0 {
        // To the server a limit of zero is none.
        return Ok(Vec::new());
    }
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let later = doc! { "_id": { "$gt": after } };
    all(collection.find(later).sort(doc! { "_id": 1 }).limit(limit).await?, read).await
}
