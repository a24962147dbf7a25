//! Reads documents: all that a query names, a page of them, or a whole collection in one go.

use async_trait::async_trait;
use mongodb::bson::{Bson, Document, doc};
use mongodb::{Collection, Cursor};

use super::failure::Outcome;
use super::values::Fields;
use super::{MongoStore, TRANSFER, api_keys, changes, keys, mails, one_time, sessions, users};
use crate::store::{Kind, Pages, Record, Result};

/// How many records the server sends at a time to whoever reads everything.
const PAGE: u32 = 1000;

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

/// Where somebody is who reads all of one kind. One cursor from the first to the last: asking for each page anew would let the
/// server look for its beginning as often. A cursor that is lost is followed by one that begins where the last page ended.
pub(super) struct Reading<'a> {
    store: &'a MongoStore,
    kind: Kind,
    /// The id at which the last page ended.
    after: Option<Bson>,
    cursor: Option<Cursor<Document>>,
    is_at_end: bool,
}

impl<'a> Reading<'a> {
    pub(super) fn new(store: &'a MongoStore, kind: Kind) -> Self {
        Self { store, kind, after: None, cursor: None, is_at_end: false }
    }
}

#[async_trait]
impl Pages for Reading<'_> {
    async fn next(&mut self) -> Result<Vec<Record>> {
        if self.is_at_end {
            return Ok(Vec::new());
        }
        let mut tries = 0;
        loop {
            let Self { store, kind, after, cursor, is_at_end } = self;
            match store.run_within(TRANSFER, |on| next_page(on.collection(*kind), after.as_ref(), cursor)).await {
                Ok(page) => {
                    *is_at_end = cursor.is_none();
                    if let Some(last) = page.last() {
                        *after = last.get("_id").cloned();
                    }
                    return page.iter().map(|document| read(*kind, document)).collect();
                }
                Err(failure) if store.is_worth_another_try(&failure, &mut tries).await => *cursor = None,
                Err(failure) => return Err(failure),
            }
        }
    }
}

async fn next_page(
    collection: &Collection<Document>,
    after: Option<&Bson>,
    place: &mut Option<Cursor<Document>>,
) -> Outcome<Vec<Document>> {
    let mut cursor = if let Some(cursor) = place.take() {
        cursor
    } else {
        let rest = after.map_or_else(Document::new, |after| doc! { "_id": { "$gt": after.clone() } });
        collection.find(rest).sort(doc! { "_id": 1 }).batch_size(PAGE).await?
    };
    let mut page = Vec::new();
    while page.len() < PAGE as usize && cursor.advance().await? {
        page.push(cursor.deserialize_current()?);
    }
    if page.len() == PAGE as usize {
        *place = Some(cursor);
    }
    Ok(page)
}

fn read(kind: Kind, document: &Document) -> Result<Record> {
    Ok(match kind {
        Kind::Users => Record::User(Box::new(users::read(document)?)),
        Kind::Sessions => Record::Session(Box::new(sessions::read(document)?)),
        Kind::ApiKeys => {
            let digest = Fields::of("api_keys", document).digest("hash")?;
            Record::ApiKey(Box::new((api_keys::read(document)?, digest)))
        }
        Kind::OneTimeTokens => Record::OneTimeToken(one_time::read(document)?),
        Kind::Mails => Record::Mail(mails::read(document)?),
        Kind::Keys => Record::Key(Box::new(keys::read(document)?)),
        Kind::Changes => Record::Change(changes::read(document)?),
    })
}
