//! One-time tokens: kept by their digest, found while they live, spent once.

use mongodb::bson::{Document, doc};

use super::connection::Connection;
use super::failure::Outcome;
use super::transaction::Transaction;
use super::values::{Draft, Fields, binary, date, text};
use super::{changes, mails, sessions, users};
use crate::clock::Timestamp;
use crate::identity::UserId;
use crate::store::transfer::SentToken;
use crate::store::{ChangeKind, OneTime, Purpose, Result, StoreError, User, UserKey};

pub(super) async fn insert(
    work: &mut Transaction<'_>,
    hash: &[u8; 32],
    purpose: Purpose,
    user: &UserId,
    expires_at: Timestamp,
) -> Outcome<()> {
    let token = SentToken { hash: *hash, purpose, user_id: user.clone(), expires_at };
    work.insert(&work.on().one_time_tokens, draft(&token).into_document()).await
}

pub(super) fn draft(token: &SentToken) -> Draft {
    let fields = vec![
        ("purpose", Some(text(token.purpose.name()))),
        ("user_id", Some(text(token.user_id.as_str()))),
        ("expires_at", Some(date(token.expires_at))),
    ];
    Draft { id: binary(&token.hash), fields }
}

pub(super) fn read(token: &Document) -> Result<SentToken> {
    let fields = Fields::of("one_time_tokens", token);
    Ok(SentToken {
        hash: fields.digest("_id")?,
        purpose: fields.parsed("purpose", "a purpose", Purpose::parse)?,
        user_id: fields.user_id("user_id")?,
        expires_at: fields.moment("expires_at")?,
    })
}

fn live(token: &OneTime) -> Document {
    doc! { "_id": binary(&token.hash), "purpose": token.purpose.name(), "expires_at": { "$gt": date(token.now) } }
}

pub(super) async fn find(on: &Connection, token: &OneTime) -> Outcome<Option<User>> {
    let Some(found) = on.one_time_tokens.find_one(live(token)).await? else { return Ok(None) };
    let user = Fields::of("one_time_tokens", &found).user_id("user_id")?;
    Ok(users::find(on, &UserKey::Id(user)).await?.filter(|user| user.is_active))
}

/// Returns the active user whose live token this is.
async fn owner(work: &mut Transaction<'_>, token: &OneTime) -> Outcome<User> {
    let on = work.on();
    let found = work.find_one(&on.one_time_tokens, live(token)).await?.ok_or(StoreError::NotFound)?;
    let user = Fields::of("one_time_tokens", &found).text("user_id")?;
    let found = work.find_one(&on.users, doc! { "_id": user, "is_active": true }).await?.ok_or(StoreError::NotFound)?;
    Ok(users::read(&found)?)
}

pub(super) async fn reset_password(
    work: &mut Transaction<'_>,
    token: &OneTime,
    hash: &str,
    keys_until: Timestamp,
) -> Outcome<User> {
    let on = work.on();
    let user = owner(work, token).await?;
    users::replace_password(work, &user.id, None, hash, token.now).await?;
    forget(work, &user.id, None).await?;
    let mut told = sessions::take(work, sessions::all_but(&user.id, None)).await?;
    if !user.email_verified {
        let of_user = doc! { "user_id": user.id.as_str() };
        for key in work.find(&on.api_keys, of_user.clone()).await? {
            let session = Fields::of("api_keys", &key).session_id("_id")?;
            told.push(ChangeKind::SessionEnded { session, user: user.id.clone(), remember_until: keys_until });
        }
        work.delete(&on.api_keys, of_user).await?;
    }
    mark_verified(work, &user, told, token.now).await
}

pub(super) async fn verify_email(work: &mut Transaction<'_>, token: &OneTime) -> Outcome<User> {
    let user = owner(work, token).await?;
    forget(work, &user.id, Some(Purpose::VerifyEmail)).await?;
    mark_verified(work, &user, Vec::new(), token.now).await
}

/// Tells of what has ended and of the user; returns them as they are afterwards.
async fn mark_verified(
    work: &mut Transaction<'_>,
    user: &User,
    mut told: Vec<ChangeKind>,
    now: Timestamp,
) -> Outcome<User> {
    let on = work.on();
    let this = doc! { "_id": user.id.as_str() };
    let verified = doc! { "$set": { "email_verified": true, "updated_at": date(now) } };
    work.update(&on.users, this.clone(), verified).await?;
    told.push(ChangeKind::UserChanged(user.id.clone()));
    changes::append(work, &told, now).await?;
    let after = work.find_one(&on.users, this).await?.ok_or(StoreError::NotFound)?;
    Ok(users::read(&after)?)
}

/// Makes the user's tokens for `purpose` void; with `None`, all of them.
pub(super) async fn forget(work: &mut Transaction<'_>, user: &UserId, purpose: Option<Purpose>) -> Outcome<()> {
    let mut theirs = doc! { "user_id": user.as_str() };
    if let Some(purpose) = purpose {
        theirs.insert("purpose", purpose.name());
    }
    work.delete(&work.on().one_time_tokens, theirs).await?;
    Ok(())
}

/// Makes what could still reset a password that was just replaced void: tokens, and mails that would bring more.
pub(super) async fn forget_resets(work: &mut Transaction<'_>, user: &UserId, email_key: Option<&str>) -> Outcome<()> {
    forget(work, user, Some(Purpose::ResetPassword)).await?;
    match email_key {
        Some(key) => mails::drop_mail(work, Purpose::ResetPassword, key).await,
        None => Ok(()),
    }
}

pub(super) async fn prune(on: &Connection, now: Timestamp) -> Outcome<()> {
    on.one_time_tokens.delete_many(doc! { "expires_at": { "$lte": date(now) } }).await?;
    Ok(())
}
