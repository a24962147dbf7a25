//! An account with the keys that its names are unique by, and what a change makes of it: the same in every backend.

use super::{NewUser, Result, StoreError, User, UserChange};
use crate::identity::email::Email;
use crate::identity::username::Username;

/// A user with the two keys that no other room sees again.
pub(super) struct Stored {
    pub user: User,
    pub email_key: Option<String>,
    pub username_key: Option<String>,
}

impl Stored {
    pub fn of(new: &NewUser) -> Self {
        Self {
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
                profile: new.profile.clone(),
                external_id: new.external_id.clone(),
                roles: new.roles.clone(),
                is_active: new.is_active,
                email_verified: new.email_verified,
                password_hash: new.password_hash.clone(),
                password_changed_at: new.now,
                created_at: new.now,
                updated_at: new.now,
            },
        }
    }

    /// Returns a user of another store with the keys of their names.
    pub fn imported(user: User) -> Result<Self> {
        let no_name = |what| StoreError::Damaged(format!("user {} has {what} by which nobody could sign in", user.id));
        let email = user.email.as_deref().map(|email| Email::parse(email).map_err(|_| no_name("an e-mail address")));
        let username = user.username.as_deref().map(|name| Username::parse(name).map_err(|_| no_name("a user name")));
        Ok(Self {
            email_key: email.transpose()?.map(|email| email.key().to_owned()),
            username_key: username.transpose()?.map(|username| username.key().to_owned()),
            user,
        })
    }

    pub fn apply(&mut self, change: UserChange) {
        let user = &mut self.user;
        if let Some(email) = change.email {
            let address = email.as_ref().map(|email| email.address().to_owned());
            user.email_verified = user.email_verified && user.email == address;
            user.email = address;
            self.email_key = email.as_ref().map(|email| email.key().to_owned());
        }
        if let Some(username) = change.username {
            user.username = username.as_ref().map(|username| username.name().to_owned());
            self.username_key = username.as_ref().map(|username| username.key().to_owned());
        }
        set(&mut user.first_name, change.first_name);
        set(&mut user.last_name, change.last_name);
        set(&mut user.full_name, change.full_name);
        set(&mut user.phone, change.phone);
        for (name, value) in change.profile {
            match value {
                Some(value) => user.profile.insert(name, value),
                None => user.profile.remove(&name),
            };
        }
        set(&mut user.external_id, change.external_id);
        set(&mut user.roles, change.roles);
        set(&mut user.is_active, change.is_active);
    }
}

fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}
