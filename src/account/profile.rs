//! A user's own record: reading, changing and deleting it. Roles and activity are not theirs to change.

use super::error::AccountError;
use super::login::Claimant;
use super::settings::{AccountSettings, Field};
use super::validate::{Faults, filled};
use super::{Accounts, Context, Subject};
use crate::clock::Timestamp;
use crate::identity::email::Email;
use crate::identity::profile::UserFields;
use crate::identity::username::Username;
use crate::identity::{Principal, Role, UserId};
use crate::secret::Secret;
use crate::store::{ProfileFields, User, UserChange, UserKey};
use crate::telemetry::audit::Event;

/// A user as they see themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    pub id: UserId,
    pub email: Option<String>,
    pub username: Option<String>,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub full_name: Option<String>,
    pub phone: Option<String>,
    /// The fields that the configuration declares; `None` if it declares none.
    pub profile: Option<ProfileFields>,
    pub is_active: bool,
    pub email_verified: bool,
    pub roles: Vec<Role>,
    pub created_at: Timestamp,
}

impl Profile {
    /// Returns the user with the fields that are declared now; what a store keeps beyond them is nobody's to see.
    pub(super) fn of(user: User, declared: &UserFields) -> Self {
        let mut profile = user.profile;
        profile.retain(|name, _| declared.contains_key(name));
        Self {
            id: user.id,
            email: user.email,
            username: user.username,
            first_name: user.first_name,
            last_name: user.last_name,
            full_name: user.full_name,
            phone: user.phone,
            profile: (!declared.is_empty()).then_some(profile),
            is_active: user.is_active,
            email_verified: user.email_verified,
            roles: user.roles,
            created_at: user.created_at,
        }
    }
}

/// What a user wants changed: `None` leaves a field, `Some(None)` clears it.
#[derive(Clone, Debug, Default)]
pub struct ProfileChange {
    pub email: Option<Option<String>>,
    pub username: Option<Option<String>>,
    pub first_name: Option<Option<String>>,
    pub last_name: Option<Option<String>>,
    pub full_name: Option<Option<String>>,
    pub phone: Option<Option<String>>,
    /// Field by field; `null` clears one.
    pub profile: ProfileFields,
}

impl ProfileChange {
    #[allow(clippy::option_option)] // absent leaves, empty clears, a text replaces
    fn typed(&self, field: Field) -> Option<Option<&str>> {
        let typed = match field {
            Field::Email => &self.email,
            Field::Username => &self.username,
            Field::FirstName => &self.first_name,
            Field::LastName => &self.last_name,
            Field::FullName => &self.full_name,
            Field::Phone => &self.phone,
        };
        typed.as_ref().map(|value| filled(value.as_deref()))
    }

    fn clears(&self, field: Field) -> bool {
        self.typed(field) == Some(None)
    }

    /// Returns what the store shall change of `user`; fields that would stay as they are, are left out.
    fn judge(&self, user: &User, settings: &AccountSettings) -> Result<UserChange, AccountError> {
        let mut faults = Faults::default();
        for field in &settings.required_fields {
            if self.clears(*field) {
                faults.missing(field.name());
            }
        }
        let keeps_email =
            user.email.is_some() && !self.clears(Field::Email) || self.typed(Field::Email).flatten().is_some();
        let keeps_username =
            user.username.is_some() && !self.clears(Field::Username) || self.typed(Field::Username).flatten().is_some();
        if !keeps_email && !keeps_username {
            faults.note(Field::Email.name(), "required", "an account needs an e-mail address or a user name");
        }
        let email = self.typed(Field::Email).map(|typed| faults.email(typed));
        let username = self.typed(Field::Username).map(|typed| faults.username(typed));
        let mut text = |field| self.typed(field).map(|typed| faults.text(field, typed));
        let change = UserChange {
            // The address of now is not a new one: it stays verified.
            email: email.filter(|email| email.as_ref().map(Email::address) != user.email.as_deref()),
            username: username.filter(|name| name.as_ref().map(Username::name) != user.username.as_deref()),
            first_name: text(Field::FirstName).filter(|text| *text != user.first_name),
            last_name: text(Field::LastName).filter(|text| *text != user.last_name),
            full_name: text(Field::FullName).filter(|text| *text != user.full_name),
            phone: text(Field::Phone).filter(|text| *text != user.phone),
            profile: faults.profile_change(&self.profile, &settings.user_fields),
            ..UserChange::default()
        };
        faults.finish()?;
        Ok(change)
    }
}

fn changes_nothing(change: &UserChange) -> bool {
    change.email.is_none()
        && change.username.is_none()
        && change.first_name.is_none()
        && change.last_name.is_none()
        && change.full_name.is_none()
        && change.phone.is_none()
        && change.profile.is_empty()
}

impl Accounts {
    pub async fn profile(&self, principal: &Principal) -> Result<Profile, AccountError> {
        Ok(self.shown(self.user_of(principal).await?))
    }

    /// Returns whether users have fields that the configuration declares.
    pub fn has_profiles(&self) -> bool {
        !self.settings.current().user_fields.is_empty()
    }

    pub(super) fn shown(&self, user: User) -> Profile {
        Profile::of(user, &self.settings.current().user_fields)
    }

    /// Returns the profile after the change.
    pub async fn change_profile(
        &self,
        principal: &Principal,
        wanted: &ProfileChange,
        context: &Context,
    ) -> Result<Profile, AccountError> {
        let user = self.user_of(principal).await?;
        let change = wanted.judge(&user, &self.settings.current())?;
        if changes_nothing(&change) {
            return Ok(self.shown(user));
        }
        let has_new_address = matches!(change.email, Some(Some(_)));
        let now = self.clock.now();
        let user = self.store.update_user(&user.id, change, now).await?;
        if has_new_address {
            self.send_verification(&user, now).await;
        }
        self.feed.catch_up().await?;
        let subject = Subject { session: Some(principal.session), ..Subject::user(&user.id) };
        self.record(Event::UserUpdated, &subject, context);
        Ok(self.shown(user))
    }

    /// Deletes the caller's account with every session of it, if the password is right.
    pub async fn delete_account(
        &self,
        principal: &Principal,
        password: Option<Secret<String>>,
        context: &Context,
    ) -> Result<(), AccountError> {
        let password = password.ok_or_else(|| AccountError::missing("password"))?;
        let user = self.user_of(principal).await?;
        let proven = self.prove(Claimant::known(user), &password, context).await?;
        let id = proven.user.id;
        let sessions = self.sessions_but(&id, None).await?;
        self.store.delete_user(&id, self.clock.now()).await?;
        self.feed.catch_up().await?;
        self.record_ended(&id, &sessions, "user_deleted", context);
        self.record(Event::UserDeleted, &Subject::user(&id), context);
        Ok(())
    }

    pub(super) async fn user_of(&self, principal: &Principal) -> Result<User, AccountError> {
        let found = self.store.find_user(&UserKey::Id(principal.user_id.clone())).await?;
        found.filter(|user| user.is_active).ok_or(AccountError::InvalidToken)
    }
}
