//! What a presented refresh token means for its session: rotate, repeat the last rotation, or an alarm.
//! A pure state machine: the store calls [`judge`] inside the transaction that carries the verdict out, and never
//! decides anything itself. A token that is neither the current one nor the one just spent always ends the session.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::clock::Timestamp;
use crate::secret::{equal, random_bytes, sha256};

/// SHA-256 of a refresh token's `jti`: all that the store keeps of it.
pub type JtiHash = [u8; 32];

/// What a session remembers of its refresh tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefreshState {
    pub current: JtiHash,
    /// The token that `current` took the place of.
    pub previous: Option<JtiHash>,
    /// Exact, so that a grace of less than a second means what it says; tokens carry its whole seconds.
    pub rotated_at: Timestamp,
    pub expires_at: Timestamp,
}

/// How long refresh tokens live and how often they change.
#[derive(Clone, Copy, Debug)]
pub struct RefreshPolicy {
    pub ttl: Duration,
    pub session_max: Duration,
    pub rotate: bool,
    pub grace: Duration,
}

/// What to do with a presented token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The current token: it is spent, its successor takes over. The new state.
    Rotate(RefreshState),
    /// The current token, and tokens don't rotate: it stays, its time is extended.
    Keep(RefreshState),
    /// The token just spent, presented again while its successor lies unused: the same successor once more.
    Repeat,
    /// A spent token: somebody holds a copy. The session must end.
    Reused,
    Expired,
}

/// Returns the `jti` of a session's first refresh token: 128 random bits in base64url.
pub fn first_jti() -> String {
    URL_SAFE_NO_PAD.encode(random_bytes::<16>())
}

/// Returns the `jti` of the token that follows the one with `jti`. It is derived, so that a repeated refresh can be answered
/// with the same successor although the store keeps only hashes; without the signing key it opens nothing.
pub fn successor_jti(jti: &str) -> String {
    URL_SAFE_NO_PAD.encode(&sha256(&[b"refresh successor", jti.as_bytes()])[..16])
}

pub fn hash(jti: &str) -> JtiHash {
    sha256(&[b"refresh", jti.as_bytes()])
}

/// Returns what `jti` means for a session begun at `created_at` with `state`.
pub fn judge(
    state: &RefreshState,
    created_at: Timestamp,
    jti: &str,
    policy: &RefreshPolicy,
    now: Timestamp,
) -> Verdict {
    let session_end = created_at.plus(policy.session_max);
    if state.expires_at <= now || session_end <= now {
        return Verdict::Expired;
    }
    let presented = hash(jti);
    let expires_at = now.plus(policy.ttl).min(session_end);
    if equal(&presented, &state.current) {
        if !policy.rotate {
            return Verdict::Keep(RefreshState { expires_at, ..state.clone() });
        }
        return Verdict::Rotate(RefreshState {
            current: hash(&successor_jti(jti)),
            previous: Some(presented),
            rotated_at: now,
            expires_at,
        });
    }
    // `since` is zero when another node's clock was ahead: still inside any window but an empty one.
    let just_spent = state.previous.is_some_and(|previous| equal(&presented, &previous));
    if just_spent && now.since(state.rotated_at) < policy.grace {
        return Verdict::Repeat;
    }
    Verdict::Reused
}

#[cfg(test)]
mod tests;
