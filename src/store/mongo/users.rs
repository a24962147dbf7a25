//! Accounts. The keys of e-mail and user name stand beside what is shown of them, under a unique index each, so that racers for
//! one name are settled by the server. A field that is empty is absent, and one that is not ours is left as it is.

use mongodb::bson::{Bson, Document, doc};

use super::connection::Connection;
use super::failure::{Failure, Outcome, is_duplicate};
use super::transaction::{Transaction, in_transaction};
use super::values::{Fields, date};
use super::{changes, sessions};
use crate::clock::Timestamp;
use crate::identity::{Role, UserId};
use crate::store::{ChangeKind, NewSession, NewUser, PasswordChange, Result, StoreError, User, UserChange, UserKey};

/// A user with the two keys that no other room sees again.
struct Stored {
    user: User,
    email_key: Option<String>,
    username_key: Option<String>,
}

/// Inserts the user, and with it their first session: both or neither.
pub(super) async fn insert(on: &Connection, new: &NewUser, session: Option<&NewSession>) -> Outcome<User> {
    let stored = stored_from(new);
    if session.is_some_and(|session| !may_begin(&stored.user, session)) {
        return Err(StoreError::NotFound.into());
    }
    let inserted = match session {
        None => on.users.insert_one(document(&stored)).await.map(drop).map_err(Failure::from),
        Some(session) => insert_both(on, &stored, session).await,
    };
    match inserted {
        Ok(()) => Ok(stored.user),
        Err(failure) => Err(named(on, failure, &stored, None).await),
    }
}

async fn insert_both(on: &Connection, stored: &Stored, session: &NewSession) -> Outcome<()> {
    in_transaction!(on, work => async {
        work.insert(&on.users, document(stored)).await?;
        work.insert(&on.sessions, sessions::document(session)).await
    })
}

fn may_begin(user: &User, session: &NewSession) -> bool {
    let same_password = session.password_changed_at.is_none_or(|checked| checked == user.password_changed_at);
    user.is_active && user.id == session.user_id && same_password
}

/// Returns what broke a unique index: the e-mail first, by anyone but `except`. The server names an index, but in an order of its
/// own, and a row imported twice would be refused for its id.
async fn named(on: &Connection, failure: Failure, stored: &Stored, except: Option<&UserId>) -> Failure {
    let Failure::Driver(error) = &failure else { return failure };
    if !is_duplicate(error) {
        return failure;
    }
    let names = [
        ("email_key", &stored.email_key, StoreError::EmailTaken),
        ("username_key", &stored.username_key, StoreError::UsernameTaken),
    ];
    for (field, key, taken) in names {
        let Some(key) = key else { continue };
        match on.users.find_one(doc! { field: key }).await {
            Ok(Some(owner)) if except.is_none_or(|except| owner.get_str("_id").ok() != Some(except.as_str())) => {
                return taken.into();
            }
            Ok(Some(_) | None) => {}
            Err(error) => return error.into(),
        }
    }
    failure
}

pub(super) async fn find(on: &Connection, key: &UserKey) -> Outcome<Option<User>> {
    let filter = match key {
        UserKey::Id(id) => doc! { "_id": id.as_str() },
        UserKey::Email(email) => doc! { "email_key": email.key() },
        UserKey::Username(username) => doc! { "username_key": username.key() },
    };
    let found = on.users.find_one(filter).await?;
    Ok(found.map(|document| read(&document)).transpose()?)
}

pub(super) async fn list(on: &Connection, after: Option<&UserId>, limit: usize) -> Outcome<Vec<User>> {
    if limit == 0 {
        // To the server a limit of zero is none.
        return Ok(Vec::new());
    }
    // No id is empty, so the empty text comes before all of them.
    let later = doc! { "_id": { "$gt": after.map_or("", UserId::as_str) } };
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut cursor = on.users.find(later).sort(doc! { "_id": 1 }).limit(limit).await?;
    let mut users = Vec::new();
    while cursor.advance().await? {
        users.push(read(&cursor.deserialize_current()?)?);
    }
    Ok(users)
}

pub(super) async fn update(on: &Connection, id: &UserId, change: &UserChange, now: Timestamp) -> Outcome<User> {
    let mut wanted = None;
    let outcome = in_transaction!(on, work => write_change(work, id, change, now, &mut wanted));
    match (outcome, wanted) {
        (Err(failure), Some(wanted)) => Err(named(on, failure, &wanted, Some(id)).await),
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
    apply(&mut stored, change.clone());
    if stored.user == before {
        return Ok(before);
    }
    stored.user.updated_at = now;
    let user = stored.user.clone();
    let statement = replacement(&stored);
    *wanted = Some(stored);
    work.update(&work.on().users, by_id, statement).await?;
    let mut told = Vec::new();
    if !user.is_active {
        told = sessions::take(work, doc! { "user_id": id.as_str() }).await?;
    }
    told.push(ChangeKind::UserChanged(id.clone()));
    changes::append(work, &told, now).await?;
    Ok(user)
}

pub(super) async fn delete(work: &mut Transaction<'_>, id: &UserId, now: Timestamp) -> Outcome<()> {
    if work.delete(&work.on().users, doc! { "_id": id.as_str() }).await? == 0 {
        return Err(StoreError::NotFound.into());
    }
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
    let mut filter = doc! { "_id": id.as_str() };
    if let Some(expected) = &change.expected {
        filter.insert("password_hash", expected);
    }
    let document = work.find_one(&work.on().users, filter.clone()).await?.ok_or(StoreError::NotFound)?;
    let before = Fields::of("users", &document).moment("password_changed_at")?;
    // Strictly grows, because a sign-in that began before the change is told by that it differs.
    let changed_at = Timestamp::from_millis(now.as_millis().max(before.as_millis() + 1));
    let written = doc! { "$set": {
        "password_hash": &change.hash,
        "password_changed_at": date(changed_at),
        "updated_at": date(now),
    } };
    work.update(&work.on().users, filter, written).await?;
    let told = sessions::take(work, sessions::all_but(id, change.keep)).await?;
    changes::append(work, &told, now).await?;
    Ok(())
}

pub(super) async fn upgrade_hash(on: &Connection, id: &UserId, expected: &str, hash: &str) -> Outcome<()> {
    let filter = doc! { "_id": id.as_str(), "password_hash": expected };
    let changed = on.users.update_one(filter, doc! { "$set": { "password_hash": hash } }).await?;
    if changed.matched_count == 0 { Err(StoreError::NotFound.into()) } else { Ok(()) }
}

fn stored_from(new: &NewUser) -> Stored {
    Stored {
        email_key: new.email.as_ref().map(|email| email.key().to_owned()),
        username_key: new.username.as_ref().map(|username| username.key().to_owned()),
        user: User {
            id: new.id.clone(),
            email: new.email.as_ref().map(|email| email.address().to_owned()),
            username: new.username.as_ref().map(|username| username.name().to_owned()),
            first_name: new.first_name.clone(),
            last_name: new.last_name.clone(),
            full_name: new.full_name.clone(),
            phone: new.phone.clone(),
            roles: new.roles.clone(),
            is_active: new.is_active,
            email_verified: false,
            password_hash: new.password_hash.clone(),
            password_changed_at: new.now,
            created_at: new.now,
            updated_at: new.now,
        },
    }
}

fn apply(stored: &mut Stored, change: UserChange) {
    let user = &mut stored.user;
    if let Some(email) = change.email {
        let address = email.as_ref().map(|email| email.address().to_owned());
        user.email_verified = user.email_verified && user.email == address;
        user.email = address;
        stored.email_key = email.as_ref().map(|email| email.key().to_owned());
    }
    if let Some(username) = change.username {
        user.username = username.as_ref().map(|username| username.name().to_owned());
        stored.username_key = username.as_ref().map(|username| username.key().to_owned());
    }
    set(&mut user.first_name, change.first_name);
    set(&mut user.last_name, change.last_name);
    set(&mut user.full_name, change.full_name);
    set(&mut user.phone, change.phone);
    set(&mut user.roles, change.roles);
    set(&mut user.is_active, change.is_active);
}

fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

/// Returns every field that the store knows but the id, with its value; `None` for one that must be absent.
fn fields(stored: &Stored) -> [(&'static str, Option<Bson>); 15] {
    let Stored { user, email_key, username_key } = stored;
    let text = |text: &Option<String>| text.clone().map(Bson::String);
    let roles = user.roles.iter().map(|role| Bson::String(role.as_str().to_owned())).collect();
    [
        ("email", text(&user.email)),
        ("email_key", text(email_key)),
        ("username", text(&user.username)),
        ("username_key", text(username_key)),
        ("first_name", text(&user.first_name)),
        ("last_name", text(&user.last_name)),
        ("full_name", text(&user.full_name)),
        ("phone", text(&user.phone)),
        ("roles", Some(Bson::Array(roles))),
        ("is_active", Some(Bson::Boolean(user.is_active))),
        ("email_verified", Some(Bson::Boolean(user.email_verified))),
        ("password_hash", text(&user.password_hash)),
        ("password_changed_at", Some(date(user.password_changed_at))),
        ("created_at", Some(date(user.created_at))),
        ("updated_at", Some(date(user.updated_at))),
    ]
}

fn document(stored: &Stored) -> Document {
    let mut document = doc! { "_id": stored.user.id.as_str() };
    document.extend(fields(stored).into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    document
}

/// Returns the update that leaves fields alone which the store does not know.
fn replacement(stored: &Stored) -> Document {
    let (mut set, mut unset) = (Document::new(), Document::new());
    for (name, value) in fields(stored) {
        match value {
            Some(value) => set.insert(name, value),
            None => unset.insert(name, ""),
        };
    }
    let mut update = doc! { "$set": set };
    if !unset.is_empty() {
        update.insert("$unset", unset);
    }
    update
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
        roles: fields.list("roles", "a list of roles", Role::parse)?,
        is_active: fields.flag("is_active")?,
        email_verified: fields.flag("email_verified")?,
        password_hash: fields.optional_text("password_hash")?,
        password_changed_at: fields.moment("password_changed_at")?,
        created_at: fields.moment("created_at")?,
        updated_at: fields.moment("updated_at")?,
    })
}
