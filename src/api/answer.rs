//! The shapes of success: JSON that nobody may store, JSON that everybody may, and nothing at all.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Response, StatusCode};
use serde_json::{Value, json};

use crate::account::{ApiKey, Grant, Profile, SessionView};
use crate::clock::Timestamp;
use crate::identity::{Caller, Role, Scope};

/// What a handler answers with, before it is shaped; `null` is no body.
pub type Reply = Response<Value>;

/// Returns a JSON answer; [`finish`] forbids to store it.
pub fn json_with(status: StatusCode, body: Value) -> Reply {
    let mut reply = Response::new(body);
    *reply.status_mut() = status;
    reply
}

pub fn ok(body: Value) -> Reply {
    json_with(StatusCode::OK, body)
}

/// Returns a JSON answer that is the same for everybody and changes rarely.
pub fn public(body: Value) -> Reply {
    let mut reply = ok(body);
    reply.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    reply
}

pub fn no_content() -> Reply {
    json_with(StatusCode::NO_CONTENT, Value::Null)
}

/// Returns the answer to what will be done, or not, when nobody waits any more.
pub fn accepted() -> Reply {
    json_with(StatusCode::ACCEPTED, Value::Null)
}

/// Returns the answer as it leaves: what doesn't say that it may be stored must not be.
pub fn finish(mut response: Response<Bytes>) -> Response<Bytes> {
    let headers = response.headers_mut();
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Returns all that a grant knows to say: of its user and its tokens. Which of it is said, the endpoint's shape decides.
pub fn grant(grant: &Grant) -> Value {
    let mut body = profile(&grant.user);
    body["user_id"] = json!(grant.user.id.as_str());
    body["access_token"] = json!(grant.access_token.expose());
    body["refresh_token"] = json!(grant.refresh_token.expose());
    body["token_type"] = json!("bearer");
    body["expires_in"] = json!(grant.expires_in.as_secs());
    body["scope"] = json!(scope(&grant.scopes));
    body
}

pub fn profile(profile: &Profile) -> Value {
    let mut body = json!({
        "id": profile.id.as_str(),
        "email": profile.email,
        "username": profile.username,
        "first_name": profile.first_name,
        "last_name": profile.last_name,
        "full_name": profile.full_name,
        "phone": profile.phone,
        "is_active": profile.is_active,
        "email_verified": profile.email_verified,
        "roles": roles(&profile.roles),
        "created_at": profile.created_at.to_rfc3339(),
    });
    if let Some(fields) = &profile.profile {
        body["profile"] = json!(fields);
    }
    body
}

/// Returns a key of a user without the key itself.
pub fn api_key(key: &ApiKey) -> Value {
    json!({
        "id": key.id.to_string(),
        "name": key.name,
        "scopes": key.scopes.iter().map(Scope::as_str).collect::<Vec<_>>(),
        "created_at": key.created_at.to_rfc3339(),
        "expires_at": key.expires_at.map(Timestamp::to_rfc3339),
        "last_used_at": key.last_used_at.map(Timestamp::to_rfc3339),
    })
}

pub fn sessions(sessions: &[SessionView]) -> Value {
    let shown = sessions.iter().map(|session| {
        json!({
            "id": session.id.to_string(),
            "created_at": session.created_at.to_rfc3339(),
            "last_used_at": session.last_used_at.to_rfc3339(),
            "ip": session.ip,
            "user_agent": session.user_agent,
            "current": session.current,
        })
    });
    Value::Array(shown.collect())
}

/// Returns what a good access token stands for (RFC 7662 section 2.2); what is unknown is left out.
pub fn active(caller: &Caller, issuer: &str) -> Value {
    let principal = &caller.principal;
    let mut body = json!({
        "active": true,
        "token_type": "bearer",
        "type": "access",
        "iss": issuer,
        "sub": principal.user_id.as_str(),
        "sid": principal.session.to_string(),
        "roles": roles(&principal.roles),
        "scope": scope(&principal.scopes),
    });
    if caller.expires_at != Timestamp::NEVER {
        body["exp"] = json!(caller.expires_at.as_secs());
    }
    for (name, value) in [("email", &principal.email), ("username", &principal.username)] {
        if let Some(value) = value {
            body[name] = json!(value);
        }
    }
    body
}

fn roles(roles: &[Role]) -> Vec<&str> {
    roles.iter().map(Role::as_str).collect()
}

fn scope(scopes: &[Scope]) -> String {
    scopes.iter().map(Scope::as_str).collect::<Vec<_>>().join(" ")
}
