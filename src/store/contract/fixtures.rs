//! What the behaviours need before they can begin: users, sessions, keys, requests.

use std::time::Duration;

use serde_json::{Value, json};

use crate::clock::Timestamp;
use crate::identity::email::Email;
use crate::identity::username::Username;
use crate::identity::{ExternalId, Role, SessionId, UserId};
use crate::secret::Secret;
use crate::store::records::Origin;
use crate::store::{NewSession, NewUser, ProfileFields, RefreshRequest, SharedStore, User};
use crate::token::key::{Algorithm, KeyRecord};
use crate::token::refresh::{self, RefreshPolicy, RefreshState};

/// When every behaviour begins: in the year 2096, because MongoDB deletes by its own clock what has long expired.
pub(super) const START: Timestamp = Timestamp::from_secs(4_000_000_000);

/// Returns the moment `secs` after the beginning.
pub(super) fn at(secs: u64) -> Timestamp {
    START.plus(Duration::from_secs(secs))
}

pub(super) fn email(text: &str) -> Email {
    Email::parse(text).unwrap()
}

pub(super) fn username(text: &str) -> Username {
    Username::parse(text).unwrap()
}

pub(super) fn external_id(text: &str) -> ExternalId {
    ExternalId::parse(text).unwrap()
}

/// Returns the fields of a JSON object.
pub(super) fn profile(object: &Value) -> ProfileFields {
    object.as_object().unwrap().clone()
}

pub(super) fn new_user(name: &str) -> NewUser {
    NewUser {
        id: UserId::random(),
        email: Some(email(&format!("{name}@example.com"))),
        username: Some(username(name)),
        first_name: Some("Ada".into()),
        last_name: None,
        full_name: Some("Ada, Countess of Lovelace".into()),
        phone: None,
        profile: profile(&json!({ "date_of_birth": "1815-12-10", "is_verified": true })),
        external_id: Some(external_id(&format!("old-{name}"))),
        roles: ["editor", "admin"].iter().filter_map(|role| Role::parse(role)).collect(),
        is_active: true,
        email_verified: false,
        password_hash: Some(format!("$hash-of-{name}")),
        now: START,
    }
}

/// Returns a user of that name, just made.
pub(super) async fn user(store: &SharedStore, name: &str) -> User {
    store.insert_user(new_user(name), None).await.unwrap()
}

/// Returns a session of a week that begins at `created_at` with the refresh token `jti`.
pub(super) fn new_session(user: &UserId, jti: &str, created_at: Timestamp) -> NewSession {
    NewSession {
        id: SessionId::random(),
        user_id: user.clone(),
        created_at,
        origin: Origin { ip: "192.0.2.1".into(), user_agent: "curl/8".into() },
        refresh: RefreshState {
            current: refresh::hash(jti),
            previous: None,
            rotated_at: created_at,
            expires_at: created_at.plus(POLICY.ttl),
        },
        access_expires_at: created_at.plus(Duration::from_mins(15)),
        scopes: None,
        password_changed_at: None,
    }
}

/// Returns the id of a session of `user`, just begun with the refresh token `jti`.
pub(super) async fn session(store: &SharedStore, user: &UserId, jti: &str) -> SessionId {
    session_at(store, user, jti, START).await
}

pub(super) async fn session_at(store: &SharedStore, user: &UserId, jti: &str, created_at: Timestamp) -> SessionId {
    let new = new_session(user, jti, created_at);
    store.insert_session(new.clone()).await.unwrap();
    new.id
}

pub(super) const POLICY: RefreshPolicy = RefreshPolicy {
    ttl: Duration::from_hours(7 * 24),
    session_max: Duration::from_hours(30 * 24),
    rotate: true,
    grace: Duration::from_secs(10),
};

/// Returns what a client sends that presents `jti` at `now`.
pub(super) fn presented(session: SessionId, user: &UserId, jti: &str, now: Timestamp) -> RefreshRequest {
    RefreshRequest {
        session,
        user_id: user.clone(),
        jti: jti.into(),
        policy: POLICY,
        origin: Origin { ip: "198.51.100.7".into(), user_agent: "Firefox".into() },
        access_expires_at: now.plus(Duration::from_mins(15)),
        now,
    }
}

pub(super) fn key(kid: &str, created_at: Timestamp) -> KeyRecord {
    KeyRecord {
        kid: kid.into(),
        algorithm: Algorithm::EdDsa,
        private: Secret::new(vec![0, 1, 2, 255]),
        sealed: false,
        created_at,
        signs_from: created_at,
        retired_at: None,
    }
}

/// Returns the `kid`s of `keys` in their order.
pub(super) fn kids(keys: &[KeyRecord]) -> Vec<&str> {
    keys.iter().map(|key| key.kid.as_str()).collect()
}
