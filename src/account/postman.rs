//! Sends what waits in the outbox. Each mail is claimed for a while, so that of several gateways one sends it and another takes it
//! over when that one dies; its token is made with the claim and exists in clear in the letter alone. A mail that can't be sent waits
//! longer each time, and for a day at most.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, Semaphore};

use super::Accounts;
use super::settings::{AccountSettings, MailSettings};
use crate::clock::{Clock, Timestamp};
use crate::live::Live;
use crate::mail::letter::Invitation;
use crate::mail::{self, Letter, SendError};
use crate::secret::Secret;
use crate::store::{ClaimedMail, MailClaim, MailEnd, Purpose, SharedStore, StoreError};
use crate::telemetry::audit::{Audit, Entry, Event};
use crate::telemetry::metrics::Metrics;
use crate::token::one_time;

/// How often the outbox is looked at for mails of other gateways, and for those whose next attempt is due.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Longer than any attempt takes, and as long as a mail waits whose sender was killed.
const LEASE: Duration = Duration::from_mins(1);
/// Letters on their way at once.
const AT_ONCE: u32 = 4;
/// From the request on. Whoever still wants the mail then has asked again.
const PATIENCE: Duration = Duration::from_hours(24);
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_mins(30);

/// The one who sends.
pub struct Postman {
    store: SharedStore,
    settings: Live<AccountSettings>,
    audit: Audit,
    clock: Clock,
    metrics: Arc<Metrics>,
    mail_waits: Arc<Notify>,
    /// One for each letter that may be on its way.
    places: Arc<Semaphore>,
}

/// A claimed mail with the token that it carries.
struct Errand {
    mail: ClaimedMail,
    token: Secret<String>,
    settings: MailSettings,
}

impl Accounts {
    /// Returns who sends the mails that use cases ask for; one for the whole process.
    pub fn postman(&self, metrics: Arc<Metrics>) -> Arc<Postman> {
        Arc::new(Postman {
            store: Arc::clone(&self.store),
            settings: self.settings.clone(),
            audit: self.audit.clone(),
            clock: self.clock.clone(),
            metrics,
            mail_waits: Arc::clone(&self.mail_waits),
            places: Arc::new(Semaphore::new(AT_ONCE as usize)),
        })
    }
}

impl Postman {
    /// Never returns.
    pub async fn run(self: Arc<Self>) {
        let mut failing = false;
        loop {
            let delivered = self.deliver_due().await;
            if let Err(error) = &delivered
                && !failing
            {
                tracing::warn!(%error, "the outbox can't be read; mails wait");
            }
            failing = delivered.is_err();
            tokio::select! {
                () = self.mail_waits.notified(), if !failing => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    /// Sends what is due now, and returns when all of it has been tried.
    pub async fn deliver_due(self: &Arc<Self>) -> Result<(), StoreError> {
        let sent_off = self.send_off_due().await;
        self.all_arrived().await;
        sent_off?;
        let waiting = self.store.waiting_mails().await?;
        self.metrics.mails_waiting.set(i64::try_from(waiting).unwrap_or(i64::MAX));
        Ok(())
    }

    /// Sends off what is due now. Each letter is a task of its own, which nothing that happens here ends: one that the server has
    /// taken and nobody has written down would go out for the second time.
    async fn send_off_due(self: &Arc<Self>) -> Result<(), StoreError> {
        while let Ok(place) = Arc::clone(&self.places).acquire_owned().await {
            let Some(settings) = self.settings.current().mail.clone() else { break };
            let Some(errand) = self.claim(settings).await? else { break };
            let postman = Arc::clone(self);
            tokio::spawn(async move {
                postman.deliver(errand).await;
                drop(place);
            });
        }
        Ok(())
    }

    /// Returns when no letter is on its way.
    pub async fn all_arrived(&self) {
        let _all = self.places.acquire_many(AT_ONCE).await;
    }

    async fn claim(&self, settings: MailSettings) -> Result<Option<Errand>, StoreError> {
        let (token, now) = (one_time::new(), self.clock.now());
        let claim = MailClaim {
            token: one_time::digest(token.expose()),
            now,
            lease_until: now.plus(LEASE),
            reset_until: now.plus(settings.reset_ttl),
            verify_until: now.plus(settings.verify_ttl),
        };
        let claimed = self.store.claim_mail(claim).await?;
        Ok(claimed.map(|mail| Errand { mail, token, settings }))
    }

    async fn deliver(&self, errand: Errand) {
        let claim = one_time::digest(errand.token.expose());
        let sent = match letter(&errand) {
            Some(letter) => errand.settings.mailer.send(letter).await,
            None => Err(SendError::Recipient("the account has no address any more".into())),
        };
        let now = self.clock.now();
        let end = match &sent {
            Ok(()) => MailEnd::Done,
            Err(error) => after_failure(&errand.mail, error, now),
        };
        if let Err(error) = self.store.finish_mail(claim, end).await {
            // The lease ends, and the mail is sent for the second time, with another link.
            tracing::warn!(user.id = %errand.mail.user.id, %error, "what became of a mail can't be written down");
        }
        // Told once it is so: whoever dies in between says nothing of a mail that went, rather than promise one that waits for its lease.
        match sent {
            Ok(()) => {
                self.metrics.mail("sent");
                self.record(Event::MailSent, &errand.mail, now);
            }
            Err(error) => self.tell_failure(&errand.mail, &error, end, now),
        }
    }

    fn tell_failure(&self, mail: &ClaimedMail, error: &SendError, end: MailEnd, now: Timestamp) {
        let (user, purpose, attempts) = (&mail.user.id, mail.purpose.name(), mail.attempts);
        match end {
            MailEnd::Done => {
                self.metrics.mail("given_up");
                tracing::error!(user.id = %user, purpose, attempts, %error, "a mail is given up");
                self.record(Event::MailFailed, mail, now);
            }
            MailEnd::RetryAt(_) => {
                self.metrics.mail("delayed");
                tracing::warn!(user.id = %user, purpose, attempts, %error, "a mail waits, its server did not take it");
            }
        }
    }

    fn record(&self, event: Event, mail: &ClaimedMail, now: Timestamp) {
        let entry = Entry { user_id: Some(&mail.user.id), reason: Some(mail.purpose.name()), ..Entry::default() };
        self.audit.record(event, &entry, now);
    }
}

fn after_failure(mail: &ClaimedMail, error: &SendError, now: Timestamp) -> MailEnd {
    let retry_at = now.plus(pause_after(mail.attempts));
    match error {
        SendError::Server(_) if retry_at.since(mail.requested_at) <= PATIENCE => MailEnd::RetryAt(retry_at),
        SendError::Server(_) | SendError::Recipient(_) => MailEnd::Done,
    }
}

/// Returns how long to wait after so many attempts: doubled each time.
fn pause_after(attempts: u32) -> Duration {
    let doubled = 2_u32.saturating_pow(attempts.saturating_sub(1));
    FIRST_PAUSE.saturating_mul(doubled).min(LONGEST_PAUSE)
}

fn letter(errand: &Errand) -> Option<Letter> {
    let Errand { mail, token, settings } = errand;
    let (link, lifetime) = match mail.purpose {
        Purpose::ResetPassword => (&settings.reset_link, settings.reset_ttl),
        Purpose::VerifyEmail => (&settings.verify_link, settings.verify_ttl),
    };
    let url = link.url(&settings.origin, token.expose());
    let invitation = Invitation { to: mail.user.email.as_deref()?, origin: &settings.origin, url: &url, lifetime };
    Some(match mail.purpose {
        Purpose::ResetPassword => Letter::reset_password(&invitation),
        Purpose::VerifyEmail => Letter::verify_email(&invitation),
    })
}

const _: () = assert!(mail::TIMEOUT.as_secs() < LEASE.as_secs(), "a claim must not end under an attempt");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::fixture::{World, context, registering};
    use crate::store::UserKey;

    #[test]
    fn pauses_double_up_to_half_an_hour() {
        let secs = [1, 2, 3, 10, 11, 100, u32::MAX].map(|attempts| pause_after(attempts).as_secs());
        assert_eq!(secs, [2, 4, 8, 1024, 1800, 1800, 1800]);
    }

    #[tokio::test]
    async fn a_mail_is_tried_for_a_day_and_an_impossible_one_once() {
        let world = World::new();
        let grant = world.accounts.register(registering("ada@example.com"), &context("192.0.2.1")).await.unwrap();
        let user = world.store.find_user(&UserKey::Id(grant.user.id.clone())).await.unwrap().unwrap();
        let requested_at = world.clock.now();
        let mail = ClaimedMail { purpose: Purpose::ResetPassword, user, requested_at, attempts: 20 };
        let after =
            |error: SendError, hours: u64| after_failure(&mail, &error, requested_at.plus(Duration::from_hours(hours)));
        let away = || SendError::Server("away".into());
        let next = requested_at.plus(Duration::from_hours(23) + LONGEST_PAUSE);
        assert_eq!(after(away(), 23), MailEnd::RetryAt(next));
        assert_eq!(after(away(), 24), MailEnd::Done);
        assert_eq!(after(SendError::Recipient("550".into()), 0), MailEnd::Done);
    }
}
