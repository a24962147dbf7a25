//! The public keys as a JWK set (RFC 7517, RFC 8037).

use super::key::KeySet;

/// Returns `{"keys": […]}` of every asymmetric key in the set, as `/.well-known/jwks.json` shows it.
pub fn public_set(keys: &KeySet) -> serde_json::Value {
    todo!("{keys:?}")
}
