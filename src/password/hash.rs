//! argon2id (RFC 9106) in PHC string form, and whether a stored hash is due for an upgrade.

use crate::secret::Secret;

/// argon2id's cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    pub memory_kib: u32,
    pub iterations: u32,
    pub parallelism: u32,
}

/// What a check of a password against a stored hash says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// Right; `upgrade` when the hash was made with another cost or algorithm than is configured.
    Right {
        upgrade: bool,
    },
    Wrong,
}

/// Makes and checks hashes at one configured cost.
#[derive(Debug)]
pub struct Hasher {
    cost: Cost,
    /// A hash of a password nobody knows, at the configured cost: checked in place of the hash that an unknown user lacks.
    decoy: String,
}

impl Hasher {
    pub fn new(cost: Cost) -> Self {
        Self { cost, decoy: String::new() }
    }

    /// Returns the PHC string of `password` (taken after NFC) with a random salt.
    pub fn hash(&self, password: &Secret<String>) -> String {
        todo!("{password:?}{:?}{}", self.cost, self.decoy)
    }

    /// Returns whether `password` has that hash; with `None` it does the same work and answers `Wrong`.
    pub fn check(&self, password: &Secret<String>, hash: Option<&str>) -> Check {
        todo!("{password:?}{hash:?}")
    }
}
