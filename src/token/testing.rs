//! Keys, claims and forgeries for this room's tests.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::claims::{Expected, TokenError, verify_access, verify_refresh};
use super::key::{Algorithm, Key, KeySet};
use crate::clock::Timestamp;
use crate::secret::Secret;

pub(super) fn generated(algorithm: Algorithm) -> Key {
    Key::open(&Key::generate(algorithm, None, Timestamp::default()).unwrap(), None).unwrap()
}

pub(super) fn shared(algorithm: Algorithm, secret: &Secret<Vec<u8>>) -> Key {
    Key::from_secret(algorithm, secret).unwrap()
}

/// Returns a key of that algorithm, whichever kind it is.
pub(super) fn key(algorithm: Algorithm) -> Key {
    if algorithm.is_symmetric() {
        return shared(algorithm, &Secret::new(vec![b's'; 64]));
    }
    generated(algorithm)
}

pub(super) fn set(key: Key) -> KeySet {
    KeySet::new(vec![key]).unwrap()
}

/// Returns a token with exactly that header and payload, well signed by `key`.
pub(super) fn forge(key: &Key, header: &str, payload: &str) -> String {
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(key.sign(signed.as_bytes())))
}

pub(super) const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

pub(super) fn expected() -> Expected {
    Expected { issuer: "https://id.example".into(), audience: vec!["api".into()], leeway: Duration::ZERO }
}

/// Returns the claims of a good access token at [`NOW`].
pub(super) fn access_claims() -> Value {
    json!({
        "iss": "https://id.example", "sub": "ada", "aud": "api", "exp": NOW.as_secs() + 900, "iat": NOW.as_secs(),
        "jti": "one", "sid": "6f0c4d64-6a1c-4d2c-9a52-0d3b4a4d3c11", "type": "access",
        "roles": ["editor"], "scope": "docs:read docs:write", "email": "ada@example.com", "username": "ada",
    })
}

/// Returns the claims of a good refresh token at [`NOW`].
pub(super) fn refresh_claims() -> Value {
    json!({
        "iss": "https://id.example", "sub": "ada", "exp": NOW.as_secs() + 900, "iat": NOW.as_secs(),
        "jti": "one", "sid": "6f0c4d64-6a1c-4d2c-9a52-0d3b4a4d3c11", "type": "refresh",
    })
}

/// Returns the verdict on an access token at [`NOW`].
pub(super) fn judge_access(keys: &KeySet, token: &str) -> Result<(), TokenError> {
    verify_access(keys, &expected(), token, NOW).map(|_| ())
}

/// Returns the verdict on a refresh token at [`NOW`].
pub(super) fn judge_refresh(keys: &KeySet, token: &str) -> Result<(), TokenError> {
    verify_refresh(keys, &expected(), token, NOW).map(|_| ())
}
