//! Accounts. The keys of e-mail and user name stand beside what is shown of them, under a unique index each, so that racers for
//! one name are settled by the server. A field that is empty is absent, and one that is not ours is left as it is.

use mongodb::bson::{Bson, Document, doc};

use super::connection::Connection;
use super::failure::{Failure, Outcome, is_duplicate};
use super::profile::{document_of, profile_of};
use super::transaction::{Transaction, in_transaction};
use super::values::{Draft, Fields, date, text, texts};
use super::{changes, one_time, reading, sessions};
use crate::clock::Timestamp;
use crate::identity::{ExternalId, Role, UserId};
use crate::store::stored::Stored;
use crate::store::{ChangeKind, NewSession, NewUser, PasswordChange, Result, StoreError, User, UserChange, UserKey};

/// Inserts the user, and with it their first session: both or neither.
pub(super) async fn insert(on: &Connection, new: &NewUser, session: Option<&NewSession>) -> Outcome<User> {
    let stored = Stored::of(new);
    if session.is_some_and(|session| !may_begin(&stored.user, session)) {
        return Err(StoreError::NotFound.into());
    }
    let inserted = match session {
        None => on.users.insert_one(draft(&stored).into_document()).await.map(drop).map_err(Failure::from),
        Some(session) => insert_both(on, &stored, session).await,
    };
    match inserted {
        Ok(()) => Ok(stored.user),
        Err(failure) => Err(named(on, failure, &[stored], Write::Insert).await),
    }
}

async fn insert_both(on: &Connection, stored: &Stored, session: &NewSession) -> Outcome<()> {
    in_transaction!(on, work => async {
        work.insert(&on.users, draft(stored).into_document()).await?;
        work.insert(&on.sessions, sessions::begun(session)).await
    })
}

fn may_begin(user: &User, session: &NewSession) -> bool {
    let same_password = session.password_changed_at.is_none_or(|checked| checked == user.password_changed_at);
    user.is_active && user.id == session.user_id && same_password
}

/// Whether a document with the id of the one that is written may be there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Write {
    Insert,
    Replace,
}

/// Returns what broke a unique index when `users` were to be written: the e-mail first, then the other names. The server names
/// an index, but in an order of its own, and a row imported twice would be refused for its id.
pub(super) async fn named(on: &Connection, failure: Failure, users: &[Stored], write: Write) -> Failure {
    let Failure::Driver(error) = &failure else { return failure };
    if !is_duplicate(error) {
        return failure;
    }
    for stored in users {
        match taken_name(on, stored, write).await {
            Ok(Some(taken)) => return taken.into(),
            Ok(None) => {}
            Err(error) => return error,
        }
    }
    failure
}

/// Returns which name of the user is taken.
async fn taken_name(on: &Connection, stored: &Stored, write: Write) -> Outcome<Option<StoreError>> {
    let external_id = stored.user.external_id.as_ref().map(ExternalId::as_str);
    let names = [
        ("email_key", stored.email_key.as_deref(), StoreError::EmailTaken),
        ("username_key", stored.username_key.as_deref(), StoreError::UsernameTaken),
        ("external_id", external_id, StoreError::ExternalIdTaken),
    ];
    for (field, key, taken) in names {
        let Some(key) = key else { continue };
        let Some(owner) = on.users.find_one(doc! { field: key }).await? else { continue };
        if write == Write::Insert || owner.get_str("_id").ok() != Some(stored.user.id.as_str()) {
            return Ok(Some(taken));
        }
    }
    Ok(None)
}

pub(super) async fn find(on: &Connection, key: &UserKey) -> Outcome<Option<User>> {
    let filter = match key {
        UserKey::Id(id) => doc! { "_id": id.as_str() },
        UserKey::Email(email) => doc! { "email_key": email.key() },
        UserKey::Username(username) => doc! { "username_key": username.key() },
        UserKey::ExternalId(id) => doc! { "external_id": id.as_str() },
    };
    let found = on.users.find_one(filter).await?;
    Ok(found.map(|document| read(&document)).transpose()?)
}

pub(super) async fn list(on: &Connection, after: Option<&UserId>, limit: usize) -> Outcome<Vec<User>> {
    reading::page(&on.users, after.map_or("", UserId::as_str), limit, read).await
}

pub(super) async fn update(on: &Connection, id: &UserId, change: &UserChange, now: Timestamp) -> Outcome<User> {
    let mut wanted = None;
    let outcome = in_transaction!(on, work => write_change(work, id, change, now, &mut wanted));
    match (outcome, wanted) {
        (Err(failure), Some(wanted)) => Err(named(on, failure, &[wanted], Write::Replace).await),
        (outcome, _) => outcome,
    }
}

/// Leaves in `wanted` what was to be written.
async fn write_change(
    work: &mut Transaction<'_>,
    id: &UserId,
    change: &UserChange,
    now: Timestamp,
    wanted: &mut Option<Stored>,
) -> Outcome<User> {
    let by_id = doc! { "_id": id.as_str() };
    let document = work.find_one(&work.on().users, by_id.clone()).await?.ok_or(StoreError::NotFound)?;
    let mut stored = read_stored(&document)?;
    let before = stored.user.clone();
    stored.apply(change.clone());
    if stored.user == before {
        return Ok(before);
    }
    stored.user.updated_at = now;
    let user = stored.user.clone();
    let statement = draft(&stored).into_update();
    *wanted = Some(stored);
    work.update(&work.on().users, by_id, statement).await?;
    let mut told = Vec::new();
    if !user.is_active {
        told = sessions::take(work, doc! { "user_id": id.as_str() }).await?;
    }
    if !user.is_active || user.email != before.email {
        one_time::forget(work, id, None).await?;
    }
    told.push(ChangeKind::UserChanged(id.clone()));
    changes::append(work, &told, now).await?;
    Ok(user)
}

pub(super) async fn delete(work: &mut Transaction<'_>, id: &UserId, now: Timestamp) -> Outcome<()> {
    if work.delete(&work.on().users, doc! { "_id": id.as_str() }).await? == 0 {
        return Err(StoreError::NotFound.into());
    }
    // The line that `changes` has of the user tells of their keys as well.
    work.delete(&work.on().api_keys, doc! { "user_id": id.as_str() }).await?;
    one_time::forget(work, id, None).await?;
    let mut told = sessions::take(work, doc! { "user_id": id.as_str() }).await?;
    told.push(ChangeKind::UserChanged(id.clone()));
    changes::append(work, &told, now).await?;
    Ok(())
}

pub(super) async fn change_password(
    work: &mut Transaction<'_>,
    id: &UserId,
    change: &PasswordChange,
    now: Timestamp,
) -> Outcome<()> {
    replace_password(work, id, change.expected.as_deref(), &change.hash, now).await?;
    let told = sessions::take(work, sessions::all_but(id, change.keep)).await?;
    changes::append(work, &told, now).await
}

pub(super) async fn replace_password(
    work: &mut Transaction<'_>,
    id: &UserId,
    expected: Option<&str>,
    hash: &str,
    now: Timestamp,
) -> Outcome<()> {
    let mut filter = doc! { "_id": id.as_str() };
    if let Some(expected) = expected {
        filter.insert("password_hash", expected);
    }
    let document = work.find_one(&work.on().users, filter.clone()).await?.ok_or(StoreError::NotFound)?;
    let fields = Fields::of("users", &document);
    let before = fields.moment("password_changed_at")?;
    // Strictly grows, because a sign-in that began before the change is told by that it differs.
    let changed_at = Timestamp::from_millis(now.as_millis().max(before.as_millis() + 1));
    let written = doc! { "$set": {
        "password_hash": hash,
        "password_changed_at": date(changed_at),
        "updated_at": date(now),
    } };
    work.update(&work.on().users, filter, written).await?;
    one_time::forget_resets(work, id, fields.optional_text("email_key")?.as_deref()).await
}

pub(super) async fn upgrade_hash(on: &Connection, id: &UserId, expected: &str, hash: &str) -> Outcome<()> {
    let filter = doc! { "_id": id.as_str(), "password_hash": expected };
    let changed = on.users.update_one(filter, doc! { "$set": { "password_hash": hash } }).await?;
    if changed.matched_count == 0 { Err(StoreError::NotFound.into()) } else { Ok(()) }
}

pub(super) fn draft(stored: &Stored) -> Draft {
    let Stored { user, email_key, username_key } = stored;
    let optional = |value: &Option<String>| value.as_ref().map(text);
    let profile = Some(&user.profile).filter(|profile| !profile.is_empty());
    let fields = vec![
        ("email", optional(&user.email)),
        ("email_key", optional(email_key)),
        ("username", optional(&user.username)),
        ("username_key", optional(username_key)),
        ("first_name", optional(&user.first_name)),
        ("last_name", optional(&user.last_name)),
        ("full_name", optional(&user.full_name)),
        ("phone", optional(&user.phone)),
        ("profile", profile.map(|profile| Bson::Document(document_of(profile)))),
        ("external_id", user.external_id.as_ref().map(|id| text(id.as_str()))),
        ("roles", Some(texts(user.roles.iter().map(Role::as_str)))),
        ("is_active", Some(Bson::Boolean(user.is_active))),
        ("email_verified", Some(Bson::Boolean(user.email_verified))),
        ("password_hash", optional(&user.password_hash)),
        ("password_changed_at", Some(date(user.password_changed_at))),
        ("created_at", Some(date(user.created_at))),
        ("updated_at", Some(date(user.updated_at))),
    ];
    Draft { id: text(user.id.as_str()), fields }
}

fn read_stored(document: &Document) -> Result<Stored> {
    let fields = Fields::of("users", document);
    Ok(Stored {
        user: read(document)?,
        email_key: fields.optional_text("email_key")?,
        username_key: fields.optional_text("username_key")?,
    })
}

pub(super) fn read(document: &Document) -> Result<User> {
    let fields = Fields::of("users", document);
    Ok(User {
        id: fields.user_id("_id")?,
        email: fields.optional_text("email")?,
        username: fields.optional_text("username")?,
        first_name: fields.optional_text("first_name")?,
        last_name: fields.optional_text("last_name")?,
        full_name: fields.optional_text("full_name")?,
        phone: fields.optional_text("phone")?,
        profile: fields
            .read_optional("profile", "a JSON object", |value| profile_of(value.as_document()?))?
            .unwrap_or_default(),
        external_id: fields.optional_parsed("external_id", "an id of another system", ExternalId::parse)?,
        roles: fields.list("roles", "a list of roles", Role::parse)?,
        is_active: fields.flag("is_active")?,
        email_verified: fields.flag("email_verified")?,
        password_hash: fields.optional_text("password_hash")?,
        password_changed_at: fields.moment("password_changed_at")?,
        created_at: fields.moment("created_at")?,
        updated_at: fields.moment("updated_at")?,
    })
}
