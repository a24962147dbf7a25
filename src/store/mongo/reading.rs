//! Reads documents: all that a query names, a page of them, or a whole collection in one go.

use async_trait::async_trait;
use mongodb::bson::{Document, doc};
use mongodb::{Collection, Cursor};

use super::connection::Connection;
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
/// server look for its beginning as often.
pub(super) struct Reading<'a> {
    store: &'a MongoStore,
    kind: Kind,
    place: Place,
}

enum Place {
    Beginning,
    Within(Cursor<Document>),
    End,
}

impl<'a> Reading<'a> {
    pub(super) fn new(store: &'a MongoStore, kind: Kind) -> Self {
        Self { store, kind, place: Place::Beginning }
    }
}

#[async_trait]
impl Pages for Reading<'_> {
    async fn next(&mut self) -> Result<Vec<Record>> {
        let Self { store, kind, place } = self;
        store.run_within(TRANSFER, |on| next_page(on, *kind, place)).await
    }
}

async fn next_page(on: &Connection, kind: Kind, place: &mut Place) -> Outcome<Vec<Record>> {
    if matches!(place, Place::Beginning) {
        let whole = on.collection(kind).find(doc! {}).sort(doc! { "_id": 1 }).batch_size(PAGE);
        *place = Place::Within(whole.await?);
    }
    let mut page = Vec::new();
    while let Place::Within(cursor) = place
        && page.len() < PAGE as usize
    {
        if cursor.advance().await? {
            page.push(read(kind, &cursor.deserialize_current()?)?);
        } else {
            *place = Place::End;
        }
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
