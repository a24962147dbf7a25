//! One record of any kind: by what it is found, and whether two are the same in every part.

use serde_json::{Value, json};

use crate::clock::Timestamp;
use crate::identity::{ExternalId, Role, Scope};
use crate::secret::sha256;
use crate::store::{ApiKey, Batch, Change, ChangeKind, Session, User};
use crate::token::key::KeyRecord;

#[derive(Clone, Debug)]
pub(super) enum Record {
    User(Box<User>),
    Session(Box<Session>),
    ApiKey(Box<(ApiKey, [u8; 32])>),
    Key(Box<KeyRecord>),
    Change(Change),
}

impl Record {
    /// Returns the id; ids of one kind sort as the store lists them.
    pub(super) fn id(&self) -> String {
        match self {
            Self::User(user) => user.id.as_str().to_owned(),
            Self::Session(session) => session.id.to_string(),
            Self::ApiKey(key) => key.0.id.to_string(),
            Self::Key(key) => key.kid.clone(),
            Self::Change(change) => format!("{:020}", change.seq),
        }
    }

    /// Returns the digest of every part of it.
    pub(super) fn fingerprint(&self) -> [u8; 32] {
        let parts = match self {
            Self::User(user) => parts_of_user(user),
            Self::Session(session) => parts_of_session(session),
            Self::ApiKey(key) => parts_of_api_key(&key.0, &key.1),
            Self::Key(key) => parts_of_key(key),
            Self::Change(change) => parts_of_change(change),
        };
        sha256(&[parts.to_string().as_bytes()])
    }

    /// Whether it is a session of which no token lives.
    pub(super) fn is_dead(&self, now: Timestamp) -> bool {
        match self {
            Self::Session(session) => session.refresh.expires_at.max(session.access_expires_at) <= now,
            Self::User(_) | Self::ApiKey(_) | Self::Key(_) | Self::Change(_) => false,
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
            Self::Key(_) | Self::Change(_) => None,
        }
    }

    /// Puts the record among the others that travel with it.
    pub(super) fn join(self, batch: &mut Batch) {
        match self {
            Self::User(user) => batch.users.push(*user),
            Self::Session(session) => batch.sessions.push(*session),
            Self::ApiKey(key) => batch.api_keys.push(*key),
            Self::Key(key) => batch.keys.push(*key),
            Self::Change(change) => batch.changes.push(change),
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
