//! Which passwords are accepted: length in characters after NFC, not a common one, not the user's own names.

use crate::secret::Secret;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    pub min_length: usize,
    pub max_length: usize,
    pub deny_common: bool,
}

/// Why a password is refused: stable code and text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Weakness {
    #[error("the password has fewer than {0} characters")]
    TooShort(usize),
    #[error("the password has more than {0} characters")]
    TooLong(usize),
    #[error("the password is one of the most common ones")]
    TooCommon,
    #[error("the password is the user's own name or e-mail")]
    OwnName,
}

impl Weakness {
    /// Returns `password_too_short`, `password_too_long`, `password_too_common` or `password_is_own_name`.
    pub fn code(self) -> &'static str {
        todo!()
    }
}

impl Rules {
    /// Returns `Ok` if the password is acceptable; `own` are the user's e-mail, user name and names.
    pub fn judge(&self, password: &Secret<String>, own: &[&str]) -> Result<(), Weakness> {
        todo!("{password:?}{own:?}")
    }
}
