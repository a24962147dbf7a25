//! The indexes: made when they are missing, and looked at again afterwards, because an index that could not be made or that
//! somebody dropped lets one name be given twice. Called at the first contact and every minute.

use std::time::Duration;

use mongodb::bson::{Bson, Document, doc};
use mongodb::options::IndexOptions;
use mongodb::{Collection, IndexModel};

use super::connection::Connection;
use super::failure::{Outcome, code, is_duplicate};
use super::{changes, keys};

/// How long after its end what expires stays if nobody prunes it: clocks of servers and gateways differ.
const SLACK: Duration = Duration::from_hours(1);

/// Returns why a name could be given to two accounts, if it could.
pub(super) async fn ensure(on: &Connection) -> Outcome<Option<String>> {
    let mut problems = Vec::new();
    for field in ["email_key", "username_key", "external_id"] {
        problems.extend(ensure_unique(&on.users, field).await?);
    }
    let expire = IndexOptions::builder().expire_after(SLACK).build();
    let unique = IndexOptions::builder().unique(true).build();
    let others = [
        (&on.sessions, doc! { "forget_at": 1 }, Some(expire.clone())),
        (&on.sessions, doc! { "user_id": 1, "created_at": -1 }, None),
        (&on.api_keys, doc! { "hash": 1 }, Some(unique)),
        (&on.api_keys, doc! { "user_id": 1, "created_at": -1 }, None),
        (&on.mails, doc! { "due_at": 1 }, None),
        (&on.mails, doc! { "claim": 1 }, None),
        (&on.one_time_tokens, doc! { "user_id": 1 }, None),
        (&on.one_time_tokens, doc! { "expires_at": 1 }, Some(expire)),
        (&on.changes, doc! { "at": 1 }, None),
        // Few as keys are: what has an index is there before the first transaction, where making it is a conflict of its own.
        (&on.keys, doc! { "created_at": -1, "number": -1 }, None),
    ];
    for (collection, keys, options) in others {
        let index = IndexModel::builder().keys(keys).options(options).build();
        if let Err(error) = collection.create_index(index).await {
            let Some((code, _)) = code(&error) else { return Err(error.into()) };
            // Slower without it, or cleared up later; nothing becomes wrong.
            tracing::warn!(collection = collection.name(), code, "an index of the store could not be made");
        }
    }
    // Likewise.
    for counter in [changes::COUNTER, keys::COUNTER] {
        let made = on.counters.update_one(doc! { "_id": counter }, doc! { "$setOnInsert": { "value": 0_i64 } });
        match made.upsert(true).await {
            Err(error) if !is_duplicate(&error) => return Err(error.into()),
            Ok(_) | Err(_) => {}
        }
    }
    Ok((!problems.is_empty()).then(|| problems.join("; ")))
}

/// Returns what is wrong with the unique index on a field of users, after trying to make it.
async fn ensure_unique(users: &Collection<Document>, field: &str) -> Outcome<Option<String>> {
    // `$exists` and not a type, because the server uses a partial index only for queries that surely lie within it.
    let present = doc! { field: { "$exists": true } };
    let options = IndexOptions::builder().unique(true).partial_filter_expression(present.clone()).build();
    let index = IndexModel::builder().keys(doc! { field: 1 }).options(options).build();
    let made = users.create_index(index).await;
    if is_there(users, field, &present).await? {
        return Ok(None);
    }
    let name = users.name();
    Ok(Some(match made {
        Err(error) if is_duplicate(&error) => {
            let twice = duplicates(users, field).await?;
            format!("{name}.{field} can't be unique: the documents {twice} have the same one; keep one of them")
        }
        Err(error) => match code(&error) {
            Some((code, said)) => {
                format!("{name} has no unique index on {field}, and MongoDB refuses to make it: {said} ({code})")
            }
            None => return Err(error.into()),
        },
        Ok(_) => format!("{name} has no unique index on {field}, although one was just made"),
    }))
}

async fn is_there(users: &Collection<Document>, field: &str, present: &Document) -> Outcome<bool> {
    let mut indexes = users.list_indexes().await?;
    while indexes.advance().await? {
        let index = indexes.deserialize_current()?;
        let Some(options) = index.options else { continue };
        let is_whole = options.partial_filter_expression.as_ref().is_none_or(|filter| filter == present);
        let is_on_field = index.keys.len() == 1 && index.keys.contains_key(field);
        if is_on_field && is_whole && options.unique == Some(true) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns the ids of some documents that share a value.
async fn duplicates(users: &Collection<Document>, field: &str) -> Outcome<String> {
    let stages = [
        doc! { "$match": { field: { "$exists": true } } },
        doc! { "$group": { "_id": format!("${field}"), "ids": { "$push": "$_id" }, "count": { "$sum": 1 } } },
        doc! { "$match": { "count": { "$gt": 1 } } },
        doc! { "$limit": 1 },
    ];
    let mut groups = users.aggregate(stages).await?;
    let mut ids = Vec::new();
    while groups.advance().await? {
        let group = groups.deserialize_current()?;
        let listed = group.get_array("ids").map(Vec::as_slice).unwrap_or_default();
        ids.extend(listed.iter().take(5).filter_map(Bson::as_str).map(str::to_owned));
    }
    Ok(ids.join(" and "))
}
