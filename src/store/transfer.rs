//! What travels between stores: everything that one holds, as it is, with hashes and sealed keys. Every backend gives it out in
//! one order and takes it in; `migrate` does both.

use std::fmt::Write as _;

use async_trait::async_trait;

use super::{ApiKey, Change, Purpose, Result, Session, User};
use crate::clock::Timestamp;
use crate::identity::UserId;
use crate::token::key::KeyRecord;

/// What a store holds, in the order in which it has to be written: sessions need their users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Users,
    Sessions,
    ApiKeys,
    OneTimeTokens,
    Mails,
    Keys,
    Changes,
}

impl Kind {
    pub const ALL: [Self; 7] =
        [Self::Users, Self::Sessions, Self::ApiKeys, Self::OneTimeTokens, Self::Mails, Self::Keys, Self::Changes];

    /// Returns what people call them.
    pub fn name(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Sessions => "sessions",
            Self::ApiKeys => "API keys",
            Self::OneTimeTokens => "mailed tokens",
            Self::Mails => "waiting mails",
            Self::Keys => "signing keys",
            Self::Changes => "changes",
        }
    }

    pub fn of(self, counts: &Counts) -> u64 {
        match self {
            Self::Users => counts.users,
            Self::Sessions => counts.sessions,
            Self::ApiKeys => counts.api_keys,
            Self::OneTimeTokens => counts.one_time_tokens,
            Self::Mails => counts.mails,
            Self::Keys => counts.keys,
            Self::Changes => counts.changes,
        }
    }
}

/// How much a store holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub users: u64,
    pub sessions: u64,
    pub api_keys: u64,
    pub one_time_tokens: u64,
    pub mails: u64,
    pub keys: u64,
    pub changes: u64,
}

/// A one-time token that was sent, by its digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentToken {
    pub hash: [u8; 32],
    pub purpose: Purpose,
    pub user_id: UserId,
    pub expires_at: Timestamp,
}

/// A mail in the outbox, whether or not anybody has the address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingMail {
    pub purpose: Purpose,
    pub email_key: String,
    pub requested_at: Timestamp,
    pub due_at: Timestamp,
    pub attempts: u32,
    /// The digest of the token that whoever sends it now carries.
    pub claim: Option<[u8; 32]>,
}

impl WaitingMail {
    /// Returns the id of what waits for that purpose and address: it waits once.
    pub fn id(purpose: Purpose, email_key: &str) -> String {
        format!("{}:{email_key}", purpose.name())
    }
}

/// One of any kind.
#[derive(Clone, Debug)]
pub enum Record {
    User(Box<User>),
    Session(Box<Session>),
    /// With its digest.
    ApiKey(Box<(ApiKey, [u8; 32])>),
    OneTimeToken(SentToken),
    Mail(WaitingMail),
    Key(Box<KeyRecord>),
    Change(Change),
}

impl Record {
    /// Returns the id; ids of one kind sort as every store gives them out.
    pub fn id(&self) -> String {
        match self {
            Self::User(user) => user.id.as_str().to_owned(),
            Self::Session(session) => session.id.to_string(),
            Self::ApiKey(key) => key.0.id.to_string(),
            Self::OneTimeToken(token) => token.hash.iter().fold(String::new(), |mut hex, byte| {
                let _ = write!(hex, "{byte:02x}");
                hex
            }),
            Self::Mail(mail) => WaitingMail::id(mail.purpose, &mail.email_key),
            Self::Key(key) => key.kid.clone(),
            Self::Change(change) => format!("{:020}", change.seq),
        }
    }

    /// Puts the record among the others that travel with it.
    pub fn join(self, batch: &mut Batch) {
        match self {
            Self::User(user) => batch.users.push(*user),
            Self::Session(session) => batch.sessions.push(*session),
            Self::ApiKey(key) => batch.api_keys.push(*key),
            Self::OneTimeToken(token) => batch.one_time_tokens.push(token),
            Self::Mail(mail) => batch.mails.push(mail),
            Self::Key(key) => batch.keys.push(*key),
            Self::Change(change) => batch.changes.push(change),
        }
    }
}

/// Some of what a store holds, on its way to another one.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    pub users: Vec<User>,
    /// Of users who are in the store already, or in this batch.
    pub sessions: Vec<Session>,
    /// With their digests; likewise.
    pub api_keys: Vec<(ApiKey, [u8; 32])>,
    /// Likewise.
    pub one_time_tokens: Vec<SentToken>,
    pub mails: Vec<WaitingMail>,
    /// Oldest first: of two of one moment the later one counts as the newer.
    pub keys: Vec<KeyRecord>,
    /// With the numbers they had; none that is given later is lower.
    pub changes: Vec<Change>,
}

/// Goes through all of one kind, once.
#[async_trait]
pub trait Pages: Send {
    /// Returns the next ones in the order of their ids; none at the end.
    async fn next(&mut self) -> Result<Vec<Record>>;
}
