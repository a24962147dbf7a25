//! User names in their one canonical form: what is stored, and the key that uniqueness, login and limits share.

/// A user name that passed the rules: 1 to 64 characters after NFC, letters, marks, digits, `-`, `_`, `.`, and never an `@`,
/// so that no user name can be read as an e-mail address.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Username {
    name: String,
    key: String,
}

/// The text is no user name that we take.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a user name has 1 to 64 letters, digits, `-`, `_` or `.`")]
pub struct InvalidUsername;

impl Username {
    pub fn parse(typed: &str) -> Result<Self, InvalidUsername> {
        todo!("{typed}")
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns NFKC and case fold of the name.
    pub fn key(&self) -> &str {
        &self.key
    }
}
