//! E-mail addresses in their one canonical form (SPEC 6): what is stored, and the key that uniqueness, login, limits and reset share.

/// An address that passed the rules.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Email {
    address: String,
    key: String,
}

/// The text is no e-mail address that we take.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an e-mail address of the form local@domain")]
pub struct InvalidEmail;

impl Email {
    /// Returns the address that `typed` spells.
    pub fn parse(typed: &str) -> Result<Self, InvalidEmail> {
        todo!("{typed}")
    }

    /// Returns the address as it is stored, shown and written to.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Returns what makes two spellings one account: NFKC and case fold of the local part, and the domain in A-labels.
    pub fn key(&self) -> &str {
        &self.key
    }
}
