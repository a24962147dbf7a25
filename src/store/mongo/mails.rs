//! The outbox: what waits to be sent, and who is sending it. Senders meet at the document of a mail: one of them begins anew.

use mongodb::bson::{Bson, Document, doc};

use super::connection::Connection;
use super::failure::{Failure, Outcome, is_duplicate};
use super::transaction::Transaction;
use super::values::{Draft, Fields, binary, date, text};
use super::{one_time, users};
use crate::store::transfer::WaitingMail;
use crate::store::{ClaimedMail, MailClaim, MailEnd, NewMail, Purpose, Result, StoreError};

/// Racers may exceed `new.most` by as many as they are: it keeps the outbox from growing without end, no more.
pub(super) async fn enqueue(on: &Connection, new: &NewMail) -> Outcome<()> {
    let NewMail { purpose, email, now, most } = new;
    let this = doc! { "_id": WaitingMail::id(*purpose, email.key()) };
    let renew = doc! { "$set": { "requested_at": date(*now) } };
    if on.mails.update_one(this.clone(), renew.clone()).await?.matched_count > 0 {
        return Ok(());
    }
    if usize::try_from(waiting(on).await?).is_ok_and(|count| count >= *most) {
        return Err(StoreError::Unavailable("the outbox is full".into()).into());
    }
    let mut write = renew.clone();
    let mail = doc! { "purpose": purpose.name(), "email_key": email.key(), "due_at": date(*now), "attempts": 0_i64 };
    write.insert("$setOnInsert", mail);
    match on.mails.update_one(this.clone(), write).upsert(true).await {
        // Somebody else has just put it there.
        Err(error) if is_duplicate(&error) => on.mails.update_one(this, renew).await?,
        outcome => outcome?,
    };
    Ok(())
}

pub(super) async fn waiting(on: &Connection) -> Outcome<u64> {
    Ok(on.mails.count_documents(doc! {}).await?)
}

pub(super) async fn claim(work: &mut Transaction<'_>, claim: &MailClaim) -> Outcome<Option<ClaimedMail>> {
    let on = work.on();
    let due = doc! { "due_at": { "$lte": date(claim.now) } };
    while let Some(found) = work.find_first(&on.mails, due.clone(), doc! { "due_at": 1, "requested_at": 1 }).await? {
        let WaitingMail { purpose, email_key, requested_at, attempts, .. } = read(&found)?;
        let this = doc! { "_id": WaitingMail::id(purpose, &email_key) };
        // A write to the user, so that whoever disables them or changes their address meanwhile meets this transaction there.
        let sent = doc! { "$inc": { "mails_sent": 1_i64 } };
        let active = doc! { "email_key": email_key, "is_active": true };
        let user = work.find_one(&on.users, active.clone()).await?.map(|user| users::read(&user)).transpose()?;
        let Some(user) = user.filter(|user| purpose == Purpose::ResetPassword || !user.email_verified) else {
            work.delete(&on.mails, this).await?;
            continue;
        };
        work.update(&on.users, active, sent).await?;
        let attempts = attempts.saturating_add(1);
        let taken =
            doc! { "claim": binary(&claim.token), "due_at": date(claim.lease_until), "attempts": i64::from(attempts) };
        work.update(&on.mails, this, doc! { "$set": taken }).await?;
        one_time::insert(work, &claim.token, purpose, &user.id, claim.token_until(purpose)).await?;
        return Ok(Some(ClaimedMail { purpose, user, requested_at, attempts }));
    }
    Ok(None)
}

/// Takes back whatever waits for that purpose and address.
pub(super) async fn drop_mail(work: &mut Transaction<'_>, purpose: Purpose, email_key: &str) -> Outcome<()> {
    work.delete(&work.on().mails, doc! { "_id": WaitingMail::id(purpose, email_key) }).await?;
    Ok(())
}

pub(super) async fn finish(on: &Connection, claim: [u8; 32], end: MailEnd) -> Outcome<()> {
    let claimed = doc! { "claim": binary(&claim) };
    match end {
        MailEnd::Done => on.mails.delete_one(claimed).await.map(drop),
        MailEnd::RetryAt(at) => {
            let again = doc! { "$set": { "due_at": date(at) }, "$unset": { "claim": "" } };
            on.mails.update_one(claimed, again).await.map(drop)
        }
    }
    .map_err(Failure::from)
}

pub(super) fn draft(mail: &WaitingMail) -> Draft {
    let fields = vec![
        ("purpose", Some(text(mail.purpose.name()))),
        ("email_key", Some(text(&mail.email_key))),
        ("requested_at", Some(date(mail.requested_at))),
        ("due_at", Some(date(mail.due_at))),
        ("attempts", Some(Bson::Int64(i64::from(mail.attempts)))),
        ("claim", mail.claim.as_ref().map(|claim| binary(claim))),
    ];
    Draft { id: text(WaitingMail::id(mail.purpose, &mail.email_key)), fields }
}

pub(super) fn read(mail: &Document) -> Result<WaitingMail> {
    let fields = Fields::of("mails", mail);
    Ok(WaitingMail {
        purpose: fields.parsed("purpose", "a purpose", Purpose::parse)?,
        email_key: fields.text("email_key")?,
        requested_at: fields.moment("requested_at")?,
        due_at: fields.moment("due_at")?,
        attempts: u32::try_from(fields.number("attempts")?).unwrap_or(u32::MAX),
        claim: fields.optional_digest("claim")?,
    })
}
