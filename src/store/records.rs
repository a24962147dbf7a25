//! What the store keeps and what it is asked to do, free of any backend.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::clock::Timestamp;
use crate::identity::email::Email;
use crate::identity::username::Username;
use crate::identity::{ExternalId, Role, Scope, SessionId, UserId};
use crate::token::refresh::{RefreshPolicy, RefreshState};

/// What else is kept of a user: fields that the configuration declares, by name.
pub type ProfileFields = serde_json::Map<String, Value>;

/// An account.
#[derive(Clone, Debug, PartialEq)]
pub struct User {
    pub id: UserId,
    pub email: Option<String>,
    pub username: Option<String>,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub full_name: Option<String>,
    pub phone: Option<String>,
    pub profile: ProfileFields,
    /// What the system that they came from called them.
    pub external_id: Option<ExternalId>,
    pub roles: Vec<Role>,
    pub is_active: bool,
    pub email_verified: bool,
    /// PHC string; `None`: no password opens this account.
    pub password_hash: Option<String>,
    pub password_changed_at: Timestamp,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// An account to be made. E-mail and user name bring their uniqueness keys with them.
#[derive(Clone, Debug)]
pub struct NewUser {
    pub id: UserId,
    pub email: Option<Email>,
    pub username: Option<Username>,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub full_name: Option<String>,
    pub phone: Option<String>,
    pub profile: ProfileFields,
    pub external_id: Option<ExternalId>,
    pub roles: Vec<Role>,
    pub is_active: bool,
    /// Whether the address is known to be theirs, as another system may have found out.
    pub email_verified: bool,
    pub password_hash: Option<String>,
    pub now: Timestamp,
}

/// Which user is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserKey {
    Id(UserId),
    Email(Email),
    Username(Username),
    ExternalId(ExternalId),
}

/// What to change of a user: `None` leaves a field, `Some(None)` clears it.
#[derive(Clone, Debug, Default)]
pub struct UserChange {
    /// A new address is an unverified one.
    pub email: Option<Option<Email>>,
    pub username: Option<Option<Username>>,
    pub first_name: Option<Option<String>>,
    pub last_name: Option<Option<String>>,
    pub full_name: Option<Option<String>>,
    pub phone: Option<Option<String>>,
    /// Field by field: what is not named stays, `None` removes. Names have no `.` and no `$`.
    pub profile: BTreeMap<String, Option<Value>>,
    pub external_id: Option<Option<ExternalId>>,
    pub roles: Option<Vec<Role>>,
    pub is_active: Option<bool>,
}

#[derive(Clone, Debug)]
pub struct PasswordChange {
    /// The hash the caller checked against; another one meanwhile is `NotFound`.
    pub expected: Option<String>,
    pub hash: String,
    pub keep: Option<SessionId>,
}

/// Where a session was last used from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    pub ip: String,
    pub user_agent: String,
}

/// A session: what a sign-in began and every token of it belongs to.
#[derive(Clone, Debug, PartialEq)]
pub struct Session {
    pub id: SessionId,
    pub user_id: UserId,
    pub created_at: Timestamp,
    pub last_used_at: Timestamp,
    pub origin: Origin,
    pub refresh: RefreshState,
    /// The `exp` of its newest access token: until then its end must be remembered.
    pub access_expires_at: Timestamp,
    /// What its tokens are limited to, of what the user's roles grant; `None`: nothing.
    pub scopes: Option<Vec<Scope>>,
}

#[derive(Clone, Debug)]
pub struct NewSession {
    pub id: SessionId,
    pub user_id: UserId,
    pub created_at: Timestamp,
    pub origin: Origin,
    pub refresh: RefreshState,
    pub access_expires_at: Timestamp,
    pub scopes: Option<Vec<Scope>>,
    /// The user's `password_changed_at` as it was when the password was checked; `None` skips that comparison.
    pub password_changed_at: Option<Timestamp>,
}

/// A key that stands for its user beside the password. Its id takes the place of a session's wherever what hangs on it must end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    pub id: SessionId,
    pub user_id: UserId,
    pub name: String,
    pub scopes: Vec<Scope>,
    pub created_at: Timestamp,
    /// `None`: never.
    pub expires_at: Option<Timestamp>,
    pub last_used_at: Option<Timestamp>,
}

/// A key to be kept, by the digest that it is found by.
#[derive(Clone, Debug)]
pub struct NewApiKey {
    pub key: ApiKey,
    pub hash: [u8; 32],
    /// How many keys its user may have, this one included.
    pub most: usize,
}

/// When a key is deleted, and how long a gateway must remember it.
#[derive(Clone, Copy, Debug)]
pub struct KeyEnd {
    pub now: Timestamp,
    pub remember_until: Timestamp,
}

/// A refresh token was presented; its signature and times are already known to be good.
#[derive(Clone, Debug)]
pub struct RefreshRequest {
    pub session: SessionId,
    pub user_id: UserId,
    pub jti: String,
    pub policy: RefreshPolicy,
    pub origin: Origin,
    pub access_expires_at: Timestamp,
    pub now: Timestamp,
}

/// What became of a presented refresh token.
#[derive(Clone, Debug, PartialEq)]
pub enum Rotation {
    /// The session goes on; its state after the verdict, and its user as of now.
    /// After `Rotate` and `Repeat` the live refresh token is the successor of the presented one, issued at `refresh.rotated_at`;
    /// after `Keep` (`kept`) it is the presented one.
    Continued { session: Box<Session>, user: Box<User>, kept: bool },
    /// A spent token came back; the session has been ended.
    Reused,
    /// No such session, an expired one, or its user is disabled or gone.
    Ended,
}

/// What a mail is about, and what the one-time token in it is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    ResetPassword,
    VerifyEmail,
}

impl Purpose {
    pub const ALL: [Self; 2] = [Self::ResetPassword, Self::VerifyEmail];

    /// Returns the word that stores and logs keep for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::ResetPassword => "reset_password",
            Self::VerifyEmail => "verify_email",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| purpose.name() == name)
    }
}

/// A mail that somebody asked for. Whether anybody has the address is looked at when it is claimed.
#[derive(Clone, Debug)]
pub struct NewMail {
    pub purpose: Purpose,
    pub email: Email,
    pub now: Timestamp,
    /// How many mails may wait, this one included.
    pub most: usize,
}

/// Who is about to send a mail.
#[derive(Clone, Copy, Debug)]
pub struct MailClaim {
    /// The digest of the token that the mail is going to carry; it names the claim as well.
    pub token: [u8; 32],
    pub now: Timestamp,
    /// When another one may take the mail: its sender has died.
    pub lease_until: Timestamp,
    /// Until when the token is good, by what it is good for.
    pub reset_until: Timestamp,
    pub verify_until: Timestamp,
}

impl MailClaim {
    pub fn token_until(&self, purpose: Purpose) -> Timestamp {
        match purpose {
            Purpose::ResetPassword => self.reset_until,
            Purpose::VerifyEmail => self.verify_until,
        }
    }
}

/// A mail that is its claimer's to send.
#[derive(Clone, Debug, PartialEq)]
pub struct ClaimedMail {
    pub purpose: Purpose,
    /// Whose address it goes to, as it is now.
    pub user: User,
    pub requested_at: Timestamp,
    /// How many times it was claimed, this one included.
    pub attempts: u32,
}

/// What became of a claimed mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailEnd {
    /// Sent, or given up: it is forgotten.
    Done,
    RetryAt(Timestamp),
}

/// A one-time token that somebody shows, by its digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OneTime {
    pub purpose: Purpose,
    pub hash: [u8; 32],
    pub now: Timestamp,
}

/// One line of the feed by which gateways learn what others did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub seq: i64,
    pub at: Timestamp,
    pub kind: ChangeKind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// The session ended; its access tokens run out at `remember_until` at the latest.
    SessionEnded {
        session: SessionId,
        user: UserId,
        remember_until: Timestamp,
    },
    /// Roles, names, address or activity of a user changed, or the user is gone.
    UserChanged(UserId),
    KeysChanged,
}
