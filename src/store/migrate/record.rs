//! One record of any kind beside another: whether both are the same in every part, and which was used later.

use serde_json::{Value, json};

use crate::clock::Timestamp;
use crate::identity::{ExternalId, Role, Scope};
use crate::secret::sha256;
use crate::store::transfer::{SentToken, WaitingMail};
use crate::store::{ApiKey, Change, ChangeKind, Record, Session, User};
use crate::token::key::KeyRecord;

impl Record {
    /// Returns the digest of every part of it.
    pub(super) fn fingerprint(&self) -> [u8; 32] {
        let parts = match self {
            Self::User(user) => parts_of_user(user),
            Self::Session(session) => parts_of_session(session),
            Self::ApiKey(key) => parts_of_api_key(&key.0, &key.1),
            Self::OneTimeToken(token) => parts_of_token(token),
            Self::Mail(mail) => parts_of_mail(mail),
            Self::Key(key) => parts_of_key(key),
            Self::Change(change) => parts_of_change(change),
        };
        sha256(&[parts.to_string().as_bytes()])
    }

    /// Whether it is a session of which no token lives, or a token that does not.
    pub(super) fn is_dead(&self, now: Timestamp) -> bool {
        match self {
            Self::Session(session) => session.refresh.expires_at.max(session.access_expires_at) <= now,
            Self::OneTimeToken(token) => token.expires_at <= now,
            Self::User(_) | Self::ApiKey(_) | Self::Mail(_) | Self::Key(_) | Self::Change(_) => false,
        }
    }

    /// Whether this record of the target was used after that of the source, so that overwriting it would lose something.
    /// Lines of the feed never change: one that differs is somebody else's.
    pub(super) fn is_newer(&self, source: &Self) -> bool {
        match (self.used_at(), source.used_at()) {
            (Some(here), Some(there)) => here > there,
            (Some(_), None) => true,
            (None, _) => matches!(self, Self::Change(_)),
        }
    }

    fn used_at(&self) -> Option<Timestamp> {
        match self {
            Self::User(user) => Some(user.updated_at),
            Self::Session(session) => Some(session.last_used_at),
            Self::ApiKey(key) => key.0.last_used_at,
            Self::Mail(mail) => Some(mail.requested_at.max(mail.due_at)),
            Self::OneTimeToken(_) | Self::Key(_) | Self::Change(_) => None,
        }
    }
}

fn parts_of_user(user: &User) -> Value {
    // Field by field, so that one that is added later fails to compile here until it is thought of.
    let User {
        id,
        email,
        username,
        first_name,
        last_name,
        full_name,
        phone,
        profile,
        external_id,
        roles,
        is_active,
        email_verified,
        password_hash,
        password_changed_at,
        created_at,
        updated_at,
    } = user;
    let roles: Vec<&str> = roles.iter().map(Role::as_str).collect();
    let times = [password_changed_at, created_at, updated_at].map(|at| at.as_millis());
    let external_id = external_id.as_ref().map(ExternalId::as_str);
    json!([
        id.as_str(),
        [email, username, first_name, last_name, full_name, phone],
        profile,
        external_id,
        roles,
        [is_active, email_verified],
        password_hash,
        times,
    ])
}

fn parts_of_session(session: &Session) -> Value {
    let Session { id, user_id, created_at, last_used_at, origin, refresh, access_expires_at, scopes } = session;
    let scopes = scopes.as_ref().map(|scopes| scopes.iter().map(Scope::as_str).collect::<Vec<_>>());
    let times = [*created_at, *last_used_at, refresh.rotated_at, refresh.expires_at, *access_expires_at];
    json!([
        id.to_string(),
        user_id.as_str(),
        [&origin.ip, &origin.user_agent],
        refresh.current,
        refresh.previous,
        scopes,
        times.map(Timestamp::as_millis),
    ])
}

fn parts_of_api_key(key: &ApiKey, hash: &[u8; 32]) -> Value {
    let ApiKey { id, user_id, name, scopes, created_at, expires_at, last_used_at } = key;
    let scopes: Vec<&str> = scopes.iter().map(Scope::as_str).collect();
    let times = [Some(*created_at), *expires_at, *last_used_at].map(|at| at.map(Timestamp::as_millis));
    json!([id.to_string(), user_id.as_str(), hash, name, scopes, times])
}

fn parts_of_token(token: &SentToken) -> Value {
    let SentToken { hash, purpose, user_id, expires_at } = token;
    json!([hash, purpose.name(), user_id.as_str(), expires_at.as_millis()])
}

fn parts_of_mail(mail: &WaitingMail) -> Value {
    let WaitingMail { purpose, email_key, requested_at, due_at, attempts, claim } = mail;
    json!([purpose.name(), email_key, requested_at.as_millis(), due_at.as_millis(), attempts, claim])
}

fn parts_of_key(key: &KeyRecord) -> Value {
    let KeyRecord { kid, algorithm, private, sealed, created_at, signs_from, retired_at } = key;
    let times = [Some(*created_at), Some(*signs_from), *retired_at].map(|at| at.map(Timestamp::as_millis));
    json!([kid, algorithm.name(), sha256(&[private.expose()]), sealed, times])
}

fn parts_of_change(change: &Change) -> Value {
    let Change { seq, at, kind } = change;
    let kind = match kind {
        ChangeKind::SessionEnded { session, user, remember_until } => {
            json!(["session_ended", session.to_string(), user.as_str(), remember_until.as_millis()])
        }
        ChangeKind::UserChanged(user) => json!(["user_changed", user.as_str()]),
        ChangeKind::KeysChanged => json!(["keys_changed"]),
    };
    json!([seq, at.as_millis(), kind])
}
