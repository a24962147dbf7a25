//! What a presented refresh token means for its session (SPEC 3.2): rotate, repeat the last rotation, or an alarm.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::secret::sha256;

/// SHA-256 of a refresh token's `jti`: all that the store keeps of it.
pub type JtiHash = [u8; 32];

/// What a session remembers of its refresh tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefreshState {
    pub current: JtiHash,
    /// The token that `current` took the place of.
    pub previous: Option<JtiHash>,
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
    todo!()
}

/// Returns the `jti` of the token that follows the one with `jti`. It is derived, so that a repeated refresh can be answered
/// with the same successor although the store keeps only hashes; without the signing key it opens nothing.
pub fn successor_jti(jti: &str) -> String {
    todo!("{jti}")
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
    todo!("{state:?}{created_at:?}{jti}{policy:?}{now:?}")
}
