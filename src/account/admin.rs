//! What an operator does with accounts, sessions and keys, past the rules that hold for users themselves: no limit, no
//! current password, roles as they like. What protects the accounts stays: canonical names, unique, strong passwords.
//! Called by `cli`; knows no terminal and no HTTP. Passwords are hashed on the caller's thread, which has nothing else to do.

mod api_keys;
mod keys;
mod newcomers;
mod sessions;
#[cfg(test)]
mod tests;
mod users;

pub use newcomers::{Admitted, Gate, Mode, Newcomer, Outcome, Refusal};
pub use sessions::{Issue, IssuedTokens};
pub use users::{Passwords, Profile};

use super::error::AccountError;
use crate::clock::Timestamp;
use crate::identity::email::Email;
use crate::identity::username::Username;
use crate::identity::{SessionId, UserId};
use crate::password::rules::Weakness;
use crate::store::{SharedStore, StoreError, User, UserKey};
use crate::telemetry::audit::{Audit, Entry, Event};
use crate::token::key::KeyError;

/// Why nothing was done. Each text is a whole answer to a person.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    #[error("no user has `{0}` as e-mail address, user name or id")]
    NoSuchUser(String),
    #[error("`{who}` is the id of one user and the name of another ({other}); write `id:{who}` or `id:{other}`")]
    Ambiguous { who: String, other: UserId },
    #[error("a user needs an e-mail address or a user name to sign in with")]
    Nameless,
    #[error("`{0}` is not an e-mail address of the form local@domain")]
    InvalidEmail(String),
    #[error("`{0}` is not a user name: 1 to 64 letters, digits, `-`, `_` or `.`")]
    InvalidUsername(String),
    #[error("`{0}` is not an id of another system: 1 to 128 visible ASCII characters")]
    InvalidExternalId(String),
    #[error("`{0}` is not a role: 1 to 64 ASCII letters, digits, `-`, `_`, `.` or `:`")]
    InvalidRole(String),
    #[error("{field}: expected at most {limit} characters and no control characters")]
    InvalidText { field: &'static str, limit: usize },
    #[error(transparent)]
    WeakPassword(#[from] Weakness),
    #[error("no live session has the id {0}")]
    NoSuchSession(SessionId),
    #[error("no API key has the id {0}")]
    NoSuchApiKey(SessionId),
    #[error("{}", faults(.0))]
    ApiKey(AccountError),
    #[error("{0} is disabled; enable the account first")]
    Disabled(String),
    #[error("auth.algorithm is {0}: its key is `auth.secret`; change that to rotate it")]
    SharedSecret(&'static str),
    #[error("the key {0} is here already")]
    KnownKey(String),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

pub type Result<T> = std::result::Result<T, AdminError>;

/// An operator at the store; what they do is audited with the reason `command`.
pub struct Admin {
    store: SharedStore,
    audit: Audit,
}

impl Admin {
    pub fn new(store: SharedStore, audit: Audit) -> Self {
        Self { store, audit }
    }

    /// Returns the user that `who` means: an e-mail address, a user name or an id. `id:…` is an id and nothing else.
    pub async fn find_user(&self, who: &str) -> Result<User> {
        let who = who.trim();
        let no_such_user = || AdminError::NoSuchUser(who.to_owned());
        if let Some(id) = who.strip_prefix("id:").and_then(UserId::parse) {
            return self.store.find_user(&UserKey::Id(id)).await?.ok_or_else(no_such_user);
        }
        // A user can choose another's id for a name; an operator must not disable the wrong one for it.
        let mut found: Option<User> = None;
        for key in readings(who) {
            let Some(user) = self.store.find_user(&key).await? else { continue };
            match &found {
                Some(first) if first.id != user.id => {
                    return Err(AdminError::Ambiguous { who: who.to_owned(), other: user.id });
                }
                _ => found = Some(user),
            }
        }
        found.ok_or_else(no_such_user)
    }

    fn record(&self, event: Event, user: Option<&UserId>, session: Option<SessionId>, now: Timestamp) {
        let entry = Entry { user_id: user, session, reason: Some("command"), ..Entry::default() };
        self.audit.record(event, &entry, now);
    }
}

/// Returns what a person calls the user.
fn shown(user: &User) -> &str {
    user.email.as_deref().or(user.username.as_deref()).unwrap_or(user.id.as_str())
}

/// Returns what is wrong with each field, in one line.
fn faults(error: &AccountError) -> String {
    let AccountError::Invalid(faults) = error else { return error.to_string() };
    faults.iter().map(|fault| format!("{}: {}", fault.field, fault.message)).collect::<Vec<_>>().join("; ")
}

/// Returns everything that `who` could mean.
fn readings(who: &str) -> impl Iterator<Item = UserKey> {
    let id = UserId::parse(who).map(UserKey::Id);
    let email = Email::parse(who).ok().map(UserKey::Email);
    let username = Username::parse(who).ok().map(UserKey::Username);
    [id, email, username].into_iter().flatten()
}
