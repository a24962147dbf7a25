//! Making an account. Nobody gives themselves a role, and a taken name costs as much as a free one.

use super::error::AccountError;
use super::grant::{Grant, Reach};
use super::settings::{AccountSettings, Field, Registration};
use super::validate::{Faults, filled};
use super::{Accounts, Context, Subject};
use crate::clock::Timestamp;
use crate::identity::UserId;
use crate::identity::email::Email;
use crate::identity::username::Username;
use crate::secret::Secret;
use crate::store::{NewUser, ProfileFields};
use crate::telemetry::audit::Event;

/// What a stranger typed.
#[derive(Clone, Debug, Default)]
pub struct Registering {
    pub email: Option<String>,
    pub username: Option<String>,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub full_name: Option<String>,
    pub phone: Option<String>,
    pub profile: ProfileFields,
    pub password: Option<Secret<String>>,
}

impl Registering {
    fn typed(&self, field: Field) -> Option<&str> {
        filled(match field {
            Field::Email => self.email.as_deref(),
            Field::Username => self.username.as_deref(),
            Field::FirstName => self.first_name.as_deref(),
            Field::LastName => self.last_name.as_deref(),
            Field::FullName => self.full_name.as_deref(),
            Field::Phone => self.phone.as_deref(),
        })
    }

    /// Returns the user to be made, still without a hash, and the password for it.
    fn judge(&self, settings: &AccountSettings, now: Timestamp) -> Result<(NewUser, Secret<String>), AccountError> {
        let mut faults = Faults::default();
        for field in &settings.required_fields {
            if self.typed(*field).is_none() {
                faults.missing(field.name());
            }
        }
        let names_required =
            settings.required_fields.iter().any(|field| matches!(field, Field::Email | Field::Username));
        if !names_required && self.typed(Field::Email).or(self.typed(Field::Username)).is_none() {
            faults.missing(Field::Email.name());
        }
        let user = NewUser {
            id: UserId::random(),
            email: faults.email(self.typed(Field::Email)),
            username: faults.username(self.typed(Field::Username)),
            first_name: faults.text(Field::FirstName, self.typed(Field::FirstName)),
            last_name: faults.text(Field::LastName, self.typed(Field::LastName)),
            full_name: faults.text(Field::FullName, self.typed(Field::FullName)),
            phone: faults.text(Field::Phone, self.typed(Field::Phone)),
            profile: faults.new_profile(&self.profile, &settings.user_fields),
            external_id: None,
            roles: Vec::new(),
            is_active: true,
            email_verified: false,
            password_hash: None,
            now,
        };
        match &self.password {
            Some(password) => faults.password("password", password, &settings.passwords, &own_names(&user)),
            None => faults.missing("password"),
        }
        faults.finish()?;
        Ok((user, self.password.clone().expect("its absence is a fault")))
    }
}

fn own_names(user: &NewUser) -> Vec<&str> {
    let email = user.email.as_ref().map(Email::address);
    let username = user.username.as_ref().map(Username::name);
    let names = [user.first_name.as_deref(), user.last_name.as_deref(), user.full_name.as_deref()];
    [email, username].into_iter().chain(names).flatten().collect()
}

impl Accounts {
    /// Returns the first grant of a new account.
    pub async fn register(&self, typed: Registering, context: &Context) -> Result<Grant, AccountError> {
        let settings = self.settings.current();
        if settings.registration == Registration::Closed {
            return Err(AccountError::RegistrationClosed);
        }
        let now = self.clock.now();
        let (mut user, password) = typed.judge(&settings, now)?;
        self.limits
            .count_registration(&settings.rates, context.network, now)
            .map_err(|limited| AccountError::Limited { retry_after: limited.retry_after })?;
        // Hashed before anybody looks whether the name is free: the time it takes must not tell.
        let hash = self.hashers.hash(&password).await.inspect_err(|_busy| {
            self.limits.forgive_registration(&settings.rates, context.network, now);
        })?;
        user.password_hash = Some(hash);
        let beginning = self.begin_session(&user.id, None, context, now);
        let session = beginning.session;
        let user = self.store.insert_user(user, Some(session.clone())).await?;
        self.limits.remember(&user.id, context.network, now);
        let subject = Subject { session: Some(session.id), ..Subject::user(&user.id) };
        self.record(Event::UserRegistered, &subject, context);
        if user.email.is_some() {
            self.send_verification(&user, now).await;
        }
        let refresh_token = self.refresh_token(&user.id, session.id, &beginning.jti, &session.refresh);
        Ok(self.grant(&user, Reach::of(session.id, None), refresh_token, now))
    }
}
