//! What needs a mail: a forgotten password, and proof that an address is its user's. Asking does the same work for every address,
//! known, unknown or disabled: the request is written to the outbox, and whether anybody has the address is found out by
//! `postman` after the answer.

use super::api_keys;
use super::error::{AccountError, Fault};
use super::limits::Mailing;
use super::settings::Field;
use super::validate::{Faults, filled};
use super::{Accounts, Context, Subject};
use crate::clock::Timestamp;
use crate::identity::Principal;
use crate::identity::email::Email;
use crate::secret::Secret;
use crate::store::{NewMail, OneTime, Purpose, StoreError, User};
use crate::telemetry::audit::Event;
use crate::token::one_time;

/// How many mails may wait: a mail server that is away for a day must not fill the disk.
const OUTBOX: usize = 10_000;

impl Accounts {
    /// Has a mail sent by which the address's user can choose a new password, if there is one. Never says whether.
    pub async fn forgot_password(&self, typed: Option<String>, context: &Context) -> Result<(), AccountError> {
        let mut faults = Faults::default();
        if filled(typed.as_deref()).is_none() {
            faults.missing(Field::Email.name());
        }
        let email = faults.email(typed.as_deref());
        faults.finish()?;
        let email = email.expect("its absence is a fault");
        self.ask_for_mail(Purpose::ResetPassword, email, context).await?;
        self.record(Event::ResetRequested, &Subject::default(), context);
        Ok(())
    }

    /// Has a mail sent by which the caller can show that their address is theirs; none if they have shown it already.
    pub async fn ask_to_verify(&self, principal: &Principal, context: &Context) -> Result<(), AccountError> {
        let user = self.user_of(principal).await?;
        let Some(email) = address_of(&user) else {
            let message = "the account has no e-mail address".to_owned();
            return Err(AccountError::Invalid(vec![Fault { field: "email".into(), code: "required", message }]));
        };
        self.ask_for_mail(Purpose::VerifyEmail, email, context).await
    }

    async fn ask_for_mail(&self, purpose: Purpose, email: Email, context: &Context) -> Result<(), AccountError> {
        let settings = self.settings.current();
        let now = self.clock.now();
        let counted = self.limits.count_mail(&settings.rates, email.key(), context.network, now);
        match counted.map_err(|limited| AccountError::Limited { retry_after: limited.retry_after })? {
            Mailing::Send => self.enqueue(purpose, email, now).await,
            Mailing::Enough => Ok(()),
        }
    }

    async fn enqueue(&self, purpose: Purpose, email: Email, now: Timestamp) -> Result<(), AccountError> {
        self.store.enqueue_mail(NewMail { purpose, email, now, most: OUTBOX }).await?;
        self.mail_waits.notify_one();
        Ok(())
    }

    /// Has the first mail sent to an address, if mail is on. The account is there already, and its user can ask again.
    pub(super) async fn send_verification(&self, user: &User, now: Timestamp) {
        let Some(email) = address_of(user).filter(|_| self.settings.current().mail.is_some()) else { return };
        if let Err(error) = self.enqueue(Purpose::VerifyEmail, email, now).await {
            tracing::warn!(user.id = %user.id, %error, "no mail will ask for a proof of the address");
        }
    }

    /// Gives the user whose token it is a new password and ends all their sessions. The token is spent by it alone: a password
    /// that breaks a rule leaves it good.
    pub async fn reset_password(
        &self,
        token: Option<Secret<String>>,
        new: Option<Secret<String>>,
        context: &Context,
    ) -> Result<(), AccountError> {
        let mut faults = Faults::default();
        for (name, is_missing) in [("token", token.is_none()), ("new_password", new.is_none())] {
            if is_missing {
                faults.missing(name);
            }
        }
        faults.finish()?;
        let (token, new) = token.zip(new).expect("the absence of either is a fault");
        let presented = self.presented(Purpose::ResetPassword, &token);
        let user = self.store.find_one_time(presented).await?.ok_or_else(bad_token)?;
        let mut faults = Faults::default();
        self.judge_new(&mut faults, &user, Some(&new));
        faults.finish()?;
        let hash = self.hashers.hash(&new).await?;
        let sessions = self.sessions_but(&user.id, None).await?;
        let spent = OneTime { now: self.clock.now(), ..presented };
        let keys_until = spent.now.plus(api_keys::REMEMBERED);
        self.store.reset_password(spent, &hash, keys_until).await.map_err(refusal_of_token)?;
        self.feed.catch_up().await?;
        let subject = Subject { reason: Some("reset"), ..Subject::user(&user.id) };
        self.record(Event::PasswordChanged, &subject, context);
        if !user.email_verified {
            self.record(Event::EmailVerified, &subject, context);
        }
        self.record_ended(&user.id, &sessions, "password_reset", context);
        Ok(())
    }

    /// Takes a token as proof that its user reads what is sent to their address.
    pub async fn verify_email(&self, token: Option<Secret<String>>, context: &Context) -> Result<(), AccountError> {
        let token = token.ok_or_else(|| AccountError::missing("token"))?;
        let presented = self.presented(Purpose::VerifyEmail, &token);
        // Looked for before it is spent: a flood of wrong ones is the readers' work, not the writer's.
        self.store.find_one_time(presented).await?.ok_or_else(bad_token)?;
        let user = self.store.verify_email(presented).await.map_err(refusal_of_token)?;
        self.feed.catch_up().await?;
        self.record(Event::EmailVerified, &Subject::user(&user.id), context);
        Ok(())
    }

    fn presented(&self, purpose: Purpose, token: &Secret<String>) -> OneTime {
        OneTime { purpose, hash: one_time::digest(token.expose()), now: self.clock.now() }
    }
}

fn address_of(user: &User) -> Option<Email> {
    // What is stored was parsed before, so that it parses again.
    user.email.as_deref().and_then(|address| Email::parse(address).ok())
}

/// Not a 401: that is about the credential of a request, and clients answer it by signing their user out.
fn bad_token() -> AccountError {
    let message = "it was used, is too old, or is none of ours; ask for another mail".to_owned();
    AccountError::Invalid(vec![Fault { field: "token".into(), code: "invalid_token", message }])
}

fn refusal_of_token(error: StoreError) -> AccountError {
    match error {
        // Spent by another one meanwhile.
        StoreError::NotFound => bad_token(),
        other => other.into(),
    }
}
