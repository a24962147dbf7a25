//! Keys of users, found by their digest. Deleting one leaves a line in the feed of changes, like the end of a session.

use mongodb::bson::{Document, doc};

use super::connection::Connection;
use super::failure::Outcome;
use super::reading;
use super::transaction::Transaction;
use super::values::{Draft, Fields, binary, date, scopes, text};
use super::{changes, users};
use crate::clock::Timestamp;
use crate::identity::{Scope, SessionId, UserId};
use crate::store::{ApiKey, ChangeKind, KeyEnd, NewApiKey, Result, StoreError, User, UserKey};

pub(super) async fn insert(work: &mut Transaction<'_>, new: &NewApiKey) -> Outcome<()> {
    let on = work.on();
    let user = new.key.user_id.as_str();
    // A write to the user, so that whoever makes another key, disables or deletes them meanwhile meets this transaction there.
    let active = doc! { "_id": user, "is_active": true };
    if work.update(&on.users, active, doc! { "$inc": { "api_keys_made": 1_i64 } }).await? == 0 {
        return Err(StoreError::NotFound.into());
    }
    if work.find(&on.api_keys, doc! { "user_id": user }).await?.len() >= new.most {
        return Err(StoreError::TooManyKeys.into());
    }
    work.insert(&on.api_keys, draft(&new.key, &new.hash).into_document()).await
}

pub(super) async fn find(on: &Connection, hash: [u8; 32]) -> Outcome<Option<(ApiKey, User)>> {
    let Some(found) = on.api_keys.find_one(doc! { "hash": binary(&hash) }).await? else { return Ok(None) };
    let key = read(&found)?;
    Ok(users::find(on, &UserKey::Id(key.user_id.clone())).await?.map(|user| (key, user)))
}

pub(super) async fn list(on: &Connection, user: Option<&UserId>) -> Outcome<Vec<ApiKey>> {
    let of_user = user.map_or_else(Document::new, |user| doc! { "user_id": user.as_str() });
    reading::all(on.api_keys.find(of_user).sort(doc! { "created_at": -1, "_id": 1 }).await?, read).await
}

pub(super) async fn delete(work: &mut Transaction<'_>, user: &UserId, id: SessionId, end: KeyEnd) -> Outcome<bool> {
    let key = doc! { "_id": id.to_string(), "user_id": user.as_str() };
    if work.delete(&work.on().api_keys, key).await? == 0 {
        return Ok(false);
    }
    let told = ChangeKind::SessionEnded { session: id, user: user.clone(), remember_until: end.remember_until };
    changes::append(work, &[told], end.now).await?;
    Ok(true)
}

pub(super) async fn touch(on: &Connection, used: &[(SessionId, Timestamp)]) -> Outcome<()> {
    for (id, at) in used {
        let later = doc! { "$max": { "last_used_at": date(*at) } };
        on.api_keys.update_one(doc! { "_id": id.to_string() }, later).await?;
    }
    Ok(())
}

pub(super) fn draft(key: &ApiKey, hash: &[u8; 32]) -> Draft {
    let fields = vec![
        ("user_id", Some(text(key.user_id.as_str()))),
        ("hash", Some(binary(hash))),
        ("name", Some(text(&key.name))),
        ("scopes", Some(scopes(&key.scopes))),
        ("created_at", Some(date(key.created_at))),
        ("expires_at", key.expires_at.map(date)),
        ("last_used_at", key.last_used_at.map(date)),
    ];
    Draft { id: text(key.id.to_string()), fields }
}

pub(super) fn read(document: &Document) -> Result<ApiKey> {
    let fields = Fields::of("api_keys", document);
    Ok(ApiKey {
        id: fields.session_id("_id")?,
        user_id: fields.user_id("user_id")?,
        name: fields.text("name")?,
        scopes: fields.list("scopes", "a list of scopes", Scope::parse)?,
        created_at: fields.moment("created_at")?,
        expires_at: fields.optional_moment("expires_at")?,
        last_used_at: fields.optional_moment("last_used_at")?,
    })
}
