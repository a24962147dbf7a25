//! How users, sessions and keys are shown: JSON for machines, moments for people.

use serde_json::{Value, json};

use crate::clock::Timestamp;
use crate::identity::{ExternalId, Role, Scope};
use crate::store::{ApiKey, Session, User};
use crate::token::key::KeyRecord;

/// Returns the user as `GET /me` shows it, and what else an operator may know. Never the password's hash.
pub fn user(user: &User) -> Value {
    json!({
        "id": user.id.as_str(),
        "email": user.email,
        "username": user.username,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "full_name": user.full_name,
        "phone": user.phone,
        "profile": user.profile,
        "external_id": user.external_id.as_ref().map(ExternalId::as_str),
        "is_active": user.is_active,
        "email_verified": user.email_verified,
        "roles": user.roles.iter().map(Role::as_str).collect::<Vec<_>>(),
        "has_password": user.password_hash.is_some(),
        "password_changed_at": user.password_changed_at.to_rfc3339(),
        "created_at": user.created_at.to_rfc3339(),
        "updated_at": user.updated_at.to_rfc3339(),
    })
}

pub fn session(session: &Session) -> Value {
    json!({
        "id": session.id.to_string(),
        "user_id": session.user_id.as_str(),
        "created_at": session.created_at.to_rfc3339(),
        "last_used_at": session.last_used_at.to_rfc3339(),
        "expires_at": session.refresh.expires_at.to_rfc3339(),
        "ip": session.origin.ip,
        "user_agent": session.origin.user_agent,
    })
}

/// Returns what may be known of a user's key; never the key.
pub fn api_key(key: &ApiKey) -> Value {
    json!({
        "id": key.id.to_string(),
        "user_id": key.user_id.as_str(),
        "name": key.name,
        "scopes": key.scopes.iter().map(Scope::as_str).collect::<Vec<_>>(),
        "created_at": key.created_at.to_rfc3339(),
        "expires_at": key.expires_at.map(Timestamp::to_rfc3339),
        "last_used_at": key.last_used_at.map(Timestamp::to_rfc3339),
    })
}

/// Returns what may be known of a key; never its private half.
pub fn key(key: &KeyRecord) -> Value {
    json!({
        "kid": key.kid,
        "algorithm": key.algorithm.name(),
        "encrypted": key.sealed,
        "created_at": key.created_at.to_rfc3339(),
        "signs_from": key.signs_from.to_rfc3339(),
        "retired_at": key.retired_at.map(Timestamp::to_rfc3339),
    })
}

/// Returns what a person calls the user.
pub fn name(user: &User) -> &str {
    user.email.as_deref().or(user.username.as_deref()).unwrap_or(user.id.as_str())
}

pub fn roles(user: &User) -> String {
    user.roles.iter().map(Role::as_str).collect::<Vec<_>>().join(",")
}

/// Returns the declared fields as one line.
pub fn profile(user: &User) -> String {
    user.profile.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
}

/// Returns `2026-01-02 03:04:05` in UTC.
pub fn moment(at: Timestamp) -> String {
    at.floor_secs().to_rfc3339().replace('T', " ").trim_end_matches('Z').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_have_no_fraction() {
        assert_eq!(moment(Timestamp::from_millis(1_700_000_000_250)), "2023-11-14 22:13:20");
    }
}
