//! What the use cases are told by the configuration: one snapshot, swapped whole at reload.

use std::sync::Arc;
use std::time::Duration;

use crate::identity::profile::UserFields;
use crate::identity::{Role, Scope};
use crate::limit::bucket::Rate;
use crate::mail::{Link, Mailer};
use crate::password::rules::Rules;
use crate::policy::{RoleScopes, granted_scopes};
use crate::token::refresh::RefreshPolicy;

#[derive(Clone, Debug)]
pub struct AccountSettings {
    pub registration: Registration,
    /// What a user must have beside a password; an account always has an e-mail address or a user name.
    pub required_fields: Vec<Field>,
    /// What else a user may have.
    pub user_fields: UserFields,
    pub access_ttl: Duration,
    pub refresh: RefreshPolicy,
    pub passwords: Rules,
    pub role_scopes: RoleScopes,
    pub rates: Rates,
    /// `None`: no mail is sent, and nothing that needs one is offered.
    pub mail: Option<MailSettings>,
}

/// How mail is sent, and what its links are.
#[derive(Clone, Debug)]
pub struct MailSettings {
    pub mailer: Arc<Mailer>,
    /// What every link begins with; never what a request said.
    pub origin: String,
    pub reset_link: Link,
    pub verify_link: Link,
    pub reset_ttl: Duration,
    pub verify_ttl: Duration,
}

impl AccountSettings {
    /// Returns how long a token can live: a retired key must verify until then, and a change of a user be remembered.
    pub fn longest_token(&self) -> Duration {
        self.access_ttl.max(self.refresh.ttl)
    }

    /// Returns the scopes that `roles` grant together, each once, in order.
    pub fn scopes_of(&self, roles: &[Role]) -> Vec<Scope> {
        granted_scopes(&self.role_scopes, roles)
    }
}

/// Whether strangers may make accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registration {
    Open,
    Closed,
}

/// How often something may fail or happen; `None`: as often as one likes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// Wrong passwords per account and client network.
    pub login: Option<Rate>,
    /// Wrong passwords per account over all networks it does not know.
    pub login_account: Option<Rate>,
    /// Wrong passwords per client network over all accounts.
    pub login_network: Option<Rate>,
    /// Registrations per client network.
    pub register: Option<Rate>,
    /// Mails asked for per account and client network.
    pub mail: Option<Rate>,
    /// Mails sent per account, whoever asks.
    pub mail_account: Option<Rate>,
    /// Mails asked for per client network over all accounts.
    pub mail_network: Option<Rate>,
}

/// A field of a user that its owner may write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Field {
    Email,
    Username,
    FirstName,
    LastName,
    FullName,
    Phone,
}

impl Field {
    pub const ALL: [Self; 6] =
        [Self::Email, Self::Username, Self::FirstName, Self::LastName, Self::FullName, Self::Phone];

    /// Returns the name that requests, answers and the configuration call it by.
    pub fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Username => "username",
            Self::FirstName => "first_name",
            Self::LastName => "last_name",
            Self::FullName => "full_name",
            Self::Phone => "phone",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.name() == name)
    }
}
