//! Where accounts live: in one file, or in a MongoDB that several gateways share. One trait of whole intents, each atomic, so
//! that no caller gets and then puts. Holds no rule: what a refresh token means is `token::refresh`'s word, looked up inside the transaction.
//! Every method that changes something has it on disk before it answers.

pub mod migrate;
pub mod mongo;
pub mod records;
pub mod sqlite;
mod stored;
pub mod transfer;

#[cfg(test)]
mod contract;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

pub use records::{
    ApiKey, Change, ChangeKind, ClaimedMail, KeyEnd, MailClaim, MailEnd, NewApiKey, NewMail, NewSession, NewUser,
    OneTime, PasswordChange, ProfileFields, Purpose, RefreshRequest, Rotation, Session, User, UserChange, UserKey,
};
pub use transfer::{Batch, Counts, Kind, Pages, Record};

use crate::clock::Timestamp;
use crate::identity::{SessionId, UserId};
use crate::token::key::KeyRecord;

/// How long an intent may take, waiting included: whoever asks has an answer within five seconds.
const PATIENCE: Duration = Duration::from_secs(4);
/// How long a page or a batch may take when everything is moved, and whatever else nobody waits for at an endpoint.
const TRANSFER: Duration = Duration::from_mins(5);

/// What can go wrong, by what a caller does about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    #[error("another account has this e-mail address")]
    EmailTaken,
    #[error("another account has this user name")]
    UsernameTaken,
    #[error("another account came with this id from the other system")]
    ExternalIdTaken,
    #[error("the user has as many keys as one may have")]
    TooManyKeys,
    /// No such user, session or key; or it is no longer what the caller saw (disabled, password changed meanwhile).
    #[error("not found")]
    NotFound,
    /// The store can't be reached, is overloaded or gave no answer in time; the same call may succeed later. What was to be
    /// written may yet be, if the answer is all that was late.
    #[error("the store is not available: {0}")]
    Unavailable(String),
    /// The store answers, but not with what we wrote: corrupt, or written by a newer version.
    #[error("the store is damaged or of another version: {0}")]
    Damaged(String),
}

pub type Result<T> = std::result::Result<T, StoreError>;

/// A shared handle to whichever backend is configured.
pub type SharedStore = Arc<dyn Store>;

#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Inserts a user, and with it their first session: both or neither.
    async fn insert_user(&self, user: NewUser, session: Option<NewSession>) -> Result<User>;

    async fn find_user(&self, key: &UserKey) -> Result<Option<User>>;

    /// Returns up to `limit` users in the order of their ids, beginning after `after`.
    async fn list_users(&self, after: Option<&UserId>, limit: usize) -> Result<Vec<User>>;

    /// Applies what is `Some` in `change`. Disabling ends every session of the user in the same step; disabling and a new
    /// address make their one-time tokens void.
    async fn update_user(&self, id: &UserId, change: UserChange, now: Timestamp) -> Result<User>;

    /// Deletes a user with every session.
    async fn delete_user(&self, id: &UserId, now: Timestamp) -> Result<()>;

    /// Replaces a password hash, if it is still `change.expected` (when given), and ends every session but `change.keep`.
    /// Tokens that could reset the password are void, and so are the mails that would bring more.
    async fn change_password(&self, id: &UserId, change: PasswordChange, now: Timestamp) -> Result<()>;

    /// Replaces a password hash by a costlier one of the same password, if it is still `expected`; ends nothing.
    async fn upgrade_hash(&self, id: &UserId, expected: &str, hash: &str) -> Result<()>;

    /// Begins a session for a user who is still active and whose password is still the one that was checked
    /// (`session.password_changed_at`), else `NotFound`.
    async fn insert_session(&self, session: NewSession) -> Result<()>;

    async fn find_session(&self, id: SessionId) -> Result<Option<Session>>;

    /// Returns a user's live sessions, newest first; with `None`, everybody's.
    async fn list_sessions(&self, user: Option<&UserId>, now: Timestamp) -> Result<Vec<Session>>;

    /// Judges a presented refresh token and carries the verdict out: one transaction, so that racers agree.
    async fn rotate_refresh(&self, request: RefreshRequest) -> Result<Rotation>;

    /// Ends a session; `false` if there was none.
    async fn end_session(&self, id: SessionId, now: Timestamp) -> Result<bool>;

    /// Ends a user's sessions but `keep`; returns those it ended.
    async fn end_sessions(&self, user: &UserId, keep: Option<SessionId>, now: Timestamp) -> Result<Vec<SessionId>>;

    /// Inserts a key of a user who is active, else `NotFound`.
    async fn insert_api_key(&self, new: NewApiKey) -> Result<()>;

    /// Returns the key with that digest and its user; expired or disabled ones too.
    async fn find_api_key(&self, hash: [u8; 32]) -> Result<Option<(ApiKey, User)>>;

    /// Returns a user's keys, newest first; with `None`, everybody's.
    async fn list_api_keys(&self, user: Option<&UserId>) -> Result<Vec<ApiKey>>;

    /// Deletes a key of the user, and tells of it as of a session that ended; `false` if there was none.
    async fn delete_api_key(&self, user: &UserId, id: SessionId, end: KeyEnd) -> Result<bool>;

    /// Notes when keys were last used; a later time already there stays, and keys that are gone are passed over.
    async fn touch_api_keys(&self, used: Vec<(SessionId, Timestamp)>) -> Result<()>;

    /// Puts a mail into the outbox; one for the same purpose and address that waits there already is asked for anew instead.
    /// It is written whether or not anybody has the address, so that neither time nor answer tells. `Unavailable` when the
    /// outbox is full.
    async fn enqueue_mail(&self, new: NewMail) -> Result<()>;

    /// Claims the mail that has been due for longest, and keeps the one-time token that it is to carry: both or neither.
    /// Mails that are nobody's, a disabled user's, or about an address that is verified already, are dropped on the way.
    async fn claim_mail(&self, claim: MailClaim) -> Result<Option<ClaimedMail>>;

    /// Ends the claim that is named by its token; one that another claim has replaced is passed over.
    async fn finish_mail(&self, claim: [u8; 32], end: MailEnd) -> Result<()>;

    /// Returns how many mails wait in the outbox.
    async fn waiting_mails(&self) -> Result<u64>;

    /// Returns the active user whose live token this is, without spending it.
    async fn find_one_time(&self, token: OneTime) -> Result<Option<User>>;

    /// Spends a token for a new password hash: the address counts as verified, every session ends, the user's other tokens are
    /// void, and so are the mails that would bring more. If the address was not verified before, whoever had the account may have
    /// been anybody: its keys end as well, remembered until `keys_until`. `NotFound` if the token is not live.
    async fn reset_password(&self, token: OneTime, hash: &str, keys_until: Timestamp) -> Result<User>;

    /// Spends a token: the address that it was sent to is verified. `NotFound` if it is not live.
    async fn verify_email(&self, token: OneTime) -> Result<User>;

    /// Inserts `key` if the store has no unretired key of its algorithm; returns all keys, newest first. Racers end with one key set.
    async fn ensure_key(&self, key: KeyRecord) -> Result<Vec<KeyRecord>>;

    /// Inserts `key` and lets those of its algorithm that would sign then retire at `key.signs_from`. With `replaces`, nothing
    /// happens unless that is the newest key of the algorithm that nothing retires; racers make one key. Returns whether it did.
    async fn rotate_key(&self, key: KeyRecord, replaces: Option<&str>) -> Result<bool>;

    /// Puts the encrypted form of keys in the place of the plain one; what is no longer plain stays as it is.
    async fn seal_keys(&self, sealed: Vec<KeyRecord>) -> Result<()>;

    /// Returns all keys, newest first.
    async fn list_keys(&self) -> Result<Vec<KeyRecord>>;

    /// Returns what changed after `seq` in order: for gateways that must hear of it within a second.
    async fn changes_after(&self, seq: i64) -> Result<Vec<Change>>;

    /// Returns the newest change's number, 0 if there is none.
    async fn last_change(&self) -> Result<i64>;

    /// Returns when a change may have been made that [`Store::changes_after`] has not told: at once where the store hears of
    /// it, else after the time in which it must be asked. For one task at a time.
    async fn wait_for_change(&self) {
        tokio::time::sleep(Duration::from_millis(250)).await;
    }

    /// Deletes expired sessions and one-time tokens, and changes and retired keys that no live token can need any more (older
    /// than `keep_after`).
    async fn prune(&self, now: Timestamp, keep_after: Timestamp) -> Result<()>;

    /// Returns what goes through all of one kind, what has expired too. What is written meanwhile may be seen or not.
    fn read_all(&self, kind: Kind) -> Box<dyn Pages + '_>;

    /// Returns how much there is of everything.
    async fn count(&self) -> Result<Counts>;

    /// Takes over what another store holds, all of it or nothing, in place of what is here under the same ids: doing it again
    /// changes nothing. Leaves no line in the feed but those it is given; for a store that nobody serves from.
    async fn import(&self, batch: Batch) -> Result<()>;

    /// Succeeds if the store could serve a write now.
    async fn ping(&self) -> Result<()>;

    /// Writes what is pending and closes; later calls answer `Unavailable`.
    async fn close(&self);
}
