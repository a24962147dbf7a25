//! A collection of a MongoDB database, read in the order of its ids. A thread reads ahead a little. The URI is never shown: it may hold
//! a password.

use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{Bson, Document, doc};
use mongodb::options::{ClientOptions, ConnectionString};
use mongodb::{Client, Cursor};
use serde_json::{Map, Value};

use super::source::{Reading, Row, Source};
use crate::cli::failure::{Failure, Result};
use crate::cli::table::printable;
use crate::clock::Timestamp;

/// How many rows wait to be imported.
const AHEAD: usize = 512;
/// How long the deployment may take to answer at all.
const PATIENCE: Duration = Duration::from_secs(10);

const EXPECTED: &str = "expected mongodb://HOST/DATABASE, or env:NAME for the variable that holds it";

/// Opens the collection `name` of the database that `uri` names, or the variable that `env:…` does.
pub fn open(uri: &str, name: &str) -> Result<Source> {
    let uri = match uri.strip_prefix("env:") {
        Some(variable) => std::env::var(variable)
            .map_err(|_| Failure::usage(format!("the variable {} is not set; {EXPECTED}", printable(variable))))?,
        None => uri.to_owned(),
    };
    let parsed = ConnectionString::parse(&uri).map_err(|_| Failure::usage(format!("no MongoDB URI; {EXPECTED}")))?;
    let database = parsed
        .default_database
        .clone()
        .ok_or_else(|| Failure::usage(format!("the MongoDB URI names no database; {EXPECTED}")))?;
    let (ready, opened) = sync_channel(1);
    let (sender, rows) = sync_channel(AHEAD);
    let place = Place { database, collection: name.to_owned() };
    thread::Builder::new().name("import-reader".to_owned()).spawn(move || read(parsed, &place, &ready, &sender))?;
    let total = opened.recv().map_err(|_| Failure::other("the reader of the collection has died"))??;
    let progress = Reading::of(Some(total));
    let counted = progress.clone();
    Ok(Source { rows: Box::new(rows.into_iter().inspect(move |_| counted.add(1))), progress })
}

struct Place {
    database: String,
    collection: String,
}

impl Place {
    fn failure(&self, reason: impl std::fmt::Display) -> Failure {
        let (database, collection) = (printable(&self.database), printable(&self.collection));
        Failure::other(format!("collection {collection} of database {database}: {reason}"))
    }
}

/// Tells `ready` how many documents there are, then `rows` each of them.
fn read(uri: ConnectionString, place: &Place, ready: &SyncSender<Result<u64>>, rows: &SyncSender<Result<Row>>) {
    // The driver looks after its connections on the worker while this thread waits for the import.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return drop(ready.send(Err(error.into()))),
    };
    runtime.block_on(async {
        match begin(uri, place).await {
            Ok((cursor, total)) => {
                // Whoever stopped listening knows why, here as below.
                let _ = ready.send(Ok(total));
                if let Err(error) = hand_on(cursor, rows).await {
                    let _ = rows.send(Err(place.failure(error)));
                }
            }
            Err(failure) => drop(ready.send(Err(failure))),
        }
    });
}

async fn begin(uri: ConnectionString, place: &Place) -> Result<(Cursor<Document>, u64)> {
    let failed = |error: mongodb::error::Error| place.failure(error.kind);
    let mut options = ClientOptions::parse(uri).await.map_err(failed)?;
    options.app_name = Some("vestibule user import".to_owned());
    options.server_selection_timeout = Some(PATIENCE);
    let database = Client::with_options(options).map_err(failed)?.database(&place.database);
    let mut names = database.list_collection_names().await.map_err(failed)?;
    if !names.contains(&place.collection) {
        names.sort();
        let names: Vec<String> = names.iter().take(30).map(|name| printable(name)).collect();
        return Err(place.failure(format!("there is none of that name; the database has {}", names.join(", "))));
    }
    let collection = database.collection::<Document>(&place.collection);
    let total = collection.estimated_document_count().await.map_err(failed)?;
    let cursor = collection.find(doc! {}).sort(doc! { "_id": 1 }).await.map_err(failed)?;
    Ok((cursor, total))
}

async fn hand_on(mut cursor: Cursor<Document>, rows: &SyncSender<Result<Row>>) -> mongodb::error::Result<()> {
    let mut line = 0;
    while cursor.advance().await? {
        line += 1;
        let document = cursor.deserialize_current()?;
        if rows.send(Ok(Row { line, record: Ok(record(document)) })).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

fn record(document: Document) -> Map<String, Value> {
    document.into_iter().map(|(name, value)| (name, json(value))).collect()
}

/// Returns the value as JSON. What describes no person (code, timestamps of the log) is nothing.
fn json(value: Bson) -> Value {
    match value {
        Bson::String(text) | Bson::Symbol(text) => text.into(),
        Bson::Boolean(flag) => flag.into(),
        Bson::Int32(number) => number.into(),
        Bson::Int64(number) => number.into(),
        Bson::Double(number) => number.into(),
        Bson::Decimal128(number) => number.to_string().into(),
        Bson::ObjectId(id) => id.to_hex().into(),
        Bson::DateTime(moment) => Timestamp::from_millis(moment.timestamp_millis()).to_rfc3339().into(),
        Bson::Array(items) => items.into_iter().map(json).collect(),
        Bson::Document(document) => Value::Object(record(document)),
        Bson::Binary(binary) if matches!(binary.subtype, BinarySubtype::Uuid | BinarySubtype::UuidOld) => {
            uuid::Uuid::from_slice(&binary.bytes).map_or(Value::Null, |id| id.to_string().into())
        }
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use mongodb::bson::{Binary, DateTime, oid::ObjectId};
    use serde_json::json;

    use super::*;

    #[test]
    fn values_become_what_mongoexport_would_have_meant() {
        let uuid = uuid::Uuid::from_u128(7);
        let document = doc! {
            "_id": ObjectId::parse_str("65f000000000000000000001").unwrap(),
            "uuid": Binary { subtype: BinarySubtype::Uuid, bytes: uuid.as_bytes().to_vec() },
            "created_at": DateTime::from_millis(1_700_000_000_000),
            "is_active": true,
            "age": 38_i64,
            "address": { "city": "London", "lines": ["a", "b"] },
            "nothing": Bson::Null,
            "code": Bson::JavaScriptCode("1".into()),
        };
        let expected = json!({
            "_id": "65f000000000000000000001",
            "uuid": uuid.to_string(),
            "created_at": "2023-11-14T22:13:20Z",
            "is_active": true,
            "age": 38,
            "address": { "city": "London", "lines": ["a", "b"] },
            "nothing": null,
            "code": null,
        });
        assert_eq!(Value::Object(record(document)), expected);
    }

    #[test]
    fn what_is_no_uri_or_names_no_database_is_refused_unseen() {
        for wrong in ["", "users.jsonl", "http://u:hunter2@host/db", "mongodb://u:hunter2@host", "env:NOT_SET_ANYWHERE"]
        {
            let failure = open(wrong, "users").err().unwrap();
            assert_eq!(failure.code, 64, "{wrong}");
            assert!(!failure.message.contains("hunter2"), "{}", failure.message);
        }
    }
}
