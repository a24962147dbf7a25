//! Accounts: made, listed, changed, disabled, deleted, given a password.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Admin, AdminError, Result};
use crate::clock::Timestamp;
use crate::identity::email::Email;
use crate::identity::username::Username;
use crate::identity::{ExternalId, Role, UserId};
use crate::password::hash::Hasher;
use crate::password::rules::Rules;
use crate::secret::Secret;
use crate::store::{NewUser, PasswordChange, User, UserChange};
use crate::telemetry::audit::Event;

/// What is typed of a person: `None` leaves a field as it is, an empty text clears it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    pub email: Option<String>,
    pub username: Option<String>,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub full_name: Option<String>,
    pub phone: Option<String>,
    pub external_id: Option<String>,
    /// Field by field, of the declared types; `None` clears one.
    pub fields: BTreeMap<String, Option<Value>>,
    /// Replaces all roles.
    pub roles: Option<Vec<String>>,
}

/// How passwords are judged and hashed.
pub struct Passwords {
    pub hasher: Hasher,
    pub rules: Rules,
}

/// As long as a name may be; so that one can't fill a header or a page.
pub(super) const TEXT_LIMIT: usize = 256;
/// How many users are read at a time.
const PAGE: usize = 500;

impl Admin {
    /// Returns the new account. Without a password nobody can sign in to it until it is given one.
    pub async fn add_user(
        &self,
        profile: &Profile,
        password: Option<&Secret<String>>,
        passwords: &Passwords,
        now: Timestamp,
    ) -> Result<User> {
        let change = profile.to_change()?;
        let (email, username) = (change.email.flatten(), change.username.flatten());
        if email.is_none() && username.is_none() {
            return Err(AdminError::Nameless);
        }
        let user = NewUser {
            id: UserId::random(),
            email,
            username,
            first_name: change.first_name.flatten(),
            last_name: change.last_name.flatten(),
            full_name: change.full_name.flatten(),
            phone: change.phone.flatten(),
            profile: change.profile.into_iter().filter_map(|(name, value)| Some((name, value?))).collect(),
            external_id: change.external_id.flatten(),
            roles: change.roles.unwrap_or_default(),
            is_active: true,
            email_verified: false,
            password_hash: None,
            now,
        };
        let own = [
            user.email.as_ref().map(Email::address),
            user.username.as_ref().map(Username::name),
            user.first_name.as_deref(),
            user.last_name.as_deref(),
            user.full_name.as_deref(),
        ];
        let password_hash = password.map(|password| passwords.hash(password, own)).transpose()?;
        let user = self.store.insert_user(NewUser { password_hash, ..user }, None).await?;
        self.record(Event::UserRegistered, Some(&user.id), None, now);
        Ok(user)
    }

    /// Returns the next users after `after` in the order of their ids; none at the end.
    pub async fn next_users(&self, after: Option<&UserId>) -> Result<Vec<User>> {
        Ok(self.store.list_users(after, PAGE).await?)
    }

    /// Returns the account as it is after the change. One of e-mail address and user name must remain.
    pub async fn set_user(&self, user: &User, profile: &Profile, now: Timestamp) -> Result<User> {
        let change = profile.to_change()?;
        let keeps_email = change.email.as_ref().map_or(user.email.is_some(), Option::is_some);
        let keeps_username = change.username.as_ref().map_or(user.username.is_some(), Option::is_some);
        if !keeps_email && !keeps_username {
            return Err(AdminError::Nameless);
        }
        self.update(user, change, Event::UserUpdated, now).await
    }

    /// Refuses every sign-in and ends every session of the user, at once.
    pub async fn disable_user(&self, user: &User, now: Timestamp) -> Result<User> {
        let change = UserChange { is_active: Some(false), ..UserChange::default() };
        self.update(user, change, Event::UserDisabled, now).await
    }

    pub async fn enable_user(&self, user: &User, now: Timestamp) -> Result<User> {
        let change = UserChange { is_active: Some(true), ..UserChange::default() };
        self.update(user, change, Event::UserEnabled, now).await
    }

    async fn update(&self, user: &User, change: UserChange, event: Event, now: Timestamp) -> Result<User> {
        let user = self.store.update_user(&user.id, change, now).await?;
        self.record(event, Some(&user.id), None, now);
        Ok(user)
    }

    pub async fn delete_user(&self, user: &User, now: Timestamp) -> Result<()> {
        self.store.delete_user(&user.id, now).await?;
        self.record(Event::UserDeleted, Some(&user.id), None, now);
        Ok(())
    }

    /// Gives the user a new password and ends all their sessions.
    pub async fn set_password(
        &self,
        user: &User,
        password: &Secret<String>,
        passwords: &Passwords,
        now: Timestamp,
    ) -> Result<()> {
        let own = [&user.email, &user.username, &user.first_name, &user.last_name, &user.full_name];
        let hash = passwords.hash(password, own.map(Option::as_deref))?;
        let change = PasswordChange { expected: None, hash, keep: None };
        self.store.change_password(&user.id, change, now).await?;
        self.record(Event::PasswordChanged, Some(&user.id), None, now);
        Ok(())
    }
}

impl Passwords {
    fn hash(&self, password: &Secret<String>, own: [Option<&str>; 5]) -> Result<String> {
        let own: Vec<&str> = own.into_iter().flatten().collect();
        self.rules.judge(password, &own)?;
        Ok(self.hasher.hash(password))
    }
}

impl Profile {
    fn to_change(&self) -> Result<UserChange> {
        Ok(UserChange {
            email: parsed(self.email.as_deref(), |typed| {
                Email::parse(typed).map_err(|_| AdminError::InvalidEmail(typed.to_owned()))
            })?,
            username: parsed(self.username.as_deref(), |typed| {
                Username::parse(typed).map_err(|_| AdminError::InvalidUsername(typed.to_owned()))
            })?,
            first_name: parsed(self.first_name.as_deref(), |typed| text("first name", typed))?,
            last_name: parsed(self.last_name.as_deref(), |typed| text("last name", typed))?,
            full_name: parsed(self.full_name.as_deref(), |typed| text("full name", typed))?,
            phone: parsed(self.phone.as_deref(), |typed| text("phone", typed))?,
            profile: self.fields.clone(),
            external_id: parsed(self.external_id.as_deref(), |typed| {
                ExternalId::parse(typed).ok_or_else(|| AdminError::InvalidExternalId(typed.to_owned()))
            })?,
            roles: self.roles.as_deref().map(parse_roles).transpose()?,
            ..UserChange::default()
        })
    }
}

/// Returns the field as a change: nothing typed leaves it, white space clears it.
#[allow(clippy::option_option)] // the store's own way to tell `leave` from `clear`
fn parsed<T>(typed: Option<&str>, parse: impl FnOnce(&str) -> Result<T>) -> Result<Option<Option<T>>> {
    match typed.map(str::trim) {
        None => Ok(None),
        Some("") => Ok(Some(None)),
        Some(typed) => parse(typed).map(|value| Some(Some(value))),
    }
}

pub(super) fn text(field: &'static str, typed: &str) -> Result<String> {
    if typed.chars().count() > TEXT_LIMIT || typed.chars().any(char::is_control) {
        return Err(AdminError::InvalidText { field, limit: TEXT_LIMIT });
    }
    Ok(typed.to_owned())
}

/// Returns the roles in the order given, each once.
pub(super) fn parse_roles(names: &[String]) -> Result<Vec<Role>> {
    let mut roles = Vec::with_capacity(names.len());
    for name in names.iter().map(|name| name.trim()).filter(|name| !name.is_empty()) {
        let role = Role::parse(name).ok_or_else(|| AdminError::InvalidRole(name.to_owned()))?;
        if !roles.contains(&role) {
            roles.push(role);
        }
    }
    Ok(roles)
}
