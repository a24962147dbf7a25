//! The keys of one issuer. The first signs, all verify, and a token says by `kid` which one it means.

use std::sync::atomic::{AtomicU64, Ordering};

use super::key::Key;

/// The keys of one issuer: the newest signs, all verify.
#[derive(Debug)]
pub struct KeySet {
    keys: Vec<Key>,
    id: u64,
}

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// Returns a number that no set of keys, ours or another issuer's, has had in this process.
pub(super) fn next_id() -> u64 {
    NEXT_ID.fetch_add(1, Ordering::Relaxed)
}

impl KeySet {
    /// Returns the set; the first key signs. `None` when there is none.
    pub fn new(keys: Vec<Key>) -> Option<Self> {
        (!keys.is_empty()).then(|| Self { keys, id: next_id() })
    }

    /// Returns the set of somebody who has yet to learn their keys: nothing verifies, and nobody may sign with it.
    pub fn unknown() -> Self {
        Self { keys: Vec::new(), id: next_id() }
    }

    /// Returns a number that no other set of keys in this process has: part of every cache key.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Returns the key that signs; no set is asked for it but one that has keys.
    pub fn signing(&self) -> &Key {
        &self.keys[0]
    }

    pub fn has_keys(&self) -> bool {
        !self.keys.is_empty()
    }

    pub fn find(&self, kid: &str) -> Option<&Key> {
        self.keys.iter().find(|key| key.kid == kid)
    }

    pub fn keys(&self) -> &[Key] {
        &self.keys
    }
}
