//! The audit trail: one JSON line for every account and session event, with a stable `event` name.
//! Never a secret; what a line says of a person is an id.

use std::sync::{Arc, Mutex};

use super::json::Object;
use super::metrics::Metrics;
use super::sink::Lines;
use crate::clock::Timestamp;
use crate::identity::{SessionId, UserId};

/// What happened. The names are a contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    UserRegistered,
    UserUpdated,
    UserDisabled,
    UserEnabled,
    UserDeleted,
    LoginSucceeded,
    LoginFailed,
    LoginLimited,
    SessionRefreshed,
    SessionReuseDetected,
    SessionEnded,
    PasswordChanged,
    KeyRotated,
    ApiKeyCreated,
    ApiKeyRevoked,
    ResetRequested,
    EmailVerified,
    MailSent,
    MailFailed,
}

impl Event {
    /// Returns `user.registered` and so on.
    pub fn name(self) -> &'static str {
        match self {
            Self::UserRegistered => "user.registered",
            Self::UserUpdated => "user.updated",
            Self::UserDisabled => "user.disabled",
            Self::UserEnabled => "user.enabled",
            Self::UserDeleted => "user.deleted",
            Self::LoginSucceeded => "login.succeeded",
            Self::LoginFailed => "login.failed",
            Self::LoginLimited => "login.limited",
            Self::SessionRefreshed => "session.refreshed",
            Self::SessionReuseDetected => "session.reuse_detected",
            Self::SessionEnded => "session.ended",
            Self::PasswordChanged => "password.changed",
            Self::KeyRotated => "key.rotated",
            Self::ApiKeyCreated => "api_key.created",
            Self::ApiKeyRevoked => "api_key.revoked",
            Self::ResetRequested => "password.reset_requested",
            Self::EmailVerified => "email.verified",
            Self::MailSent => "mail.sent",
            Self::MailFailed => "mail.failed",
        }
    }

    /// Returns the outcome of an attempt to sign in, if that is what happened.
    fn login_outcome(self) -> Option<&'static str> {
        match self {
            Self::LoginSucceeded => Some("succeeded"),
            Self::LoginFailed => Some("failed"),
            Self::LoginLimited => Some("limited"),
            Self::UserRegistered
            | Self::UserUpdated
            | Self::UserDisabled
            | Self::UserEnabled
            | Self::UserDeleted
            | Self::SessionRefreshed
            | Self::SessionReuseDetected
            | Self::SessionEnded
            | Self::PasswordChanged
            | Self::KeyRotated
            | Self::ApiKeyCreated
            | Self::ApiKeyRevoked
            | Self::ResetRequested
            | Self::EmailVerified
            | Self::MailSent
            | Self::MailFailed => None,
        }
    }
}

/// One line of the trail.
#[derive(Clone, Debug, Default)]
pub struct Entry<'a> {
    pub user_id: Option<&'a UserId>,
    pub session: Option<SessionId>,
    /// The client's address; absent for commands.
    pub ip: Option<&'a str>,
    pub request_id: Option<&'a str>,
    /// Why, where the event leaves it open: `wrong_password`, `logout`, `refresh_reused`, …
    pub reason: Option<&'a str>,
}

/// The way to the trail; clones write to the same place. The default discards.
#[derive(Clone, Debug, Default)]
pub struct Audit {
    trail: Trail,
    /// Where attempts to sign in are counted as well.
    metrics: Option<Arc<Metrics>>,
}

#[derive(Clone, Debug, Default)]
enum Trail {
    #[default]
    Discard,
    Lines(Lines),
    Memory(Arc<Mutex<Vec<String>>>),
}

impl Audit {
    pub fn new(lines: Lines) -> Self {
        Self { trail: Trail::Lines(lines), metrics: None }
    }

    /// Returns the same trail, which counts attempts to sign in besides.
    #[must_use]
    pub fn counting(self, metrics: Arc<Metrics>) -> Self {
        Self { metrics: Some(metrics), ..self }
    }

    /// Returns a trail that keeps its lines, for tests to look at.
    pub fn memory() -> Self {
        Self { trail: Trail::Memory(Arc::default()), metrics: None }
    }

    /// Returns what a [`Audit::memory`] trail holds; others hold nothing.
    pub fn collected(&self) -> Vec<String> {
        match &self.trail {
            Trail::Memory(lines) => lines.lock().expect("no holder of this lock can panic").clone(),
            Trail::Discard | Trail::Lines(_) => Vec::new(),
        }
    }

    /// Writes the line at once, past the workers' buffers: it must not be lost with a crash.
    pub fn record(&self, event: Event, entry: &Entry<'_>, now: Timestamp) {
        if let (Some(metrics), Some(outcome)) = (&self.metrics, event.login_outcome()) {
            metrics.login(outcome);
        }
        match &self.trail {
            Trail::Discard => {}
            Trail::Lines(lines) => lines.hand_over(format_line(event, entry, now)),
            Trail::Memory(lines) => {
                let line = String::from_utf8(format_line(event, entry, now)).expect("lines are ASCII");
                lines.lock().expect("no holder of this lock can panic").push(line);
            }
        }
    }
}

/// Returns the line, with its end; what is unknown is left out.
pub fn format_line(event: Event, entry: &Entry<'_>, now: Timestamp) -> Vec<u8> {
    let mut out = Vec::with_capacity(320);
    let mut object = Object::begin(&mut out);
    object.time("time", now);
    object.yes("audit");
    object.plain("event", event.name());
    if let Some(user) = entry.user_id {
        object.text("user_id", user.as_str().as_bytes());
    }
    if let Some(session) = entry.session {
        object.plain("session_id", session);
    }
    for (name, value) in [("ip", entry.ip), ("request_id", entry.request_id), ("reason", entry.reason)] {
        if let Some(value) = value {
            object.text(name, value.as_bytes());
        }
    }
    object.end();
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_line_says_what_is_known_and_nothing_else() {
        let (audit, user) = (Audit::memory(), UserId::random());
        let entry = Entry { user_id: Some(&user), ip: Some("192.0.2.1"), reason: Some("logout"), ..Entry::default() };
        audit.record(Event::SessionEnded, &entry, Timestamp::from_secs(0));
        let lines = audit.collected();
        assert_eq!(lines.len(), 1);
        let expected = json!({"time": "1970-01-01T00:00:00.000Z", "audit": true, "event": "session.ended",
            "user_id": user.as_str(), "ip": "192.0.2.1", "reason": "logout"});
        assert_eq!(serde_json::from_str::<Value>(&lines[0]).unwrap(), expected);
    }

    proptest! {
        #[test]
        fn whatever_is_recorded_is_exactly_one_line_of_json(ip: String, request_id: String, reason: String) {
            let entry = Entry { ip: Some(&ip), request_id: Some(&request_id), reason: Some(&reason), ..Entry::default() };
            let line = String::from_utf8(format_line(Event::LoginFailed, &entry, Timestamp::from_secs(1))).unwrap();
            prop_assert_eq!(line.lines().count(), 1);
            prop_assert!(line.is_ascii());
            let value: Value = serde_json::from_str(&line).unwrap();
            prop_assert_eq!(value["reason"].as_str(), Some(reason.as_str()));
        }
    }
}
