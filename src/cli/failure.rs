//! Why a command did not work: one clear line, and the exit code that says the same to a script (sysexits.h).

use std::fmt::Display;
use std::io;

use crate::account::admin::AdminError;
use crate::app::{KeysError, StartError};
use crate::config::Problems;
use crate::store::StoreError;
use crate::store::sqlite::OpenError;

/// What is said and what is returned. An empty message says nothing: everything has been said.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    pub code: u8,
    pub message: String,
}

pub type Result<T> = std::result::Result<T, Failure>;

pub const OTHER: u8 = 1;
pub const USAGE: u8 = 64;
pub const UNAVAILABLE: u8 = 69;
pub const CONFIG: u8 = 78;

impl Failure {
    pub fn new(code: u8, message: impl Display) -> Self {
        Self { code, message: message.to_string() }
    }

    pub fn other(message: impl Display) -> Self {
        Self::new(OTHER, message)
    }

    pub fn usage(message: impl Display) -> Self {
        Self::new(USAGE, message)
    }

    /// Returns an end with `code` after which nothing remains to be said.
    pub fn silent(code: u8) -> Self {
        Self { code, message: String::new() }
    }
}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Self {
        Self::new(CONFIG, format!("the configuration can't be used\n\n{problems}"))
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        Self::new(UNAVAILABLE, error)
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        Self::new(error.exit_code(), error)
    }
}

impl From<KeysError> for Failure {
    fn from(error: KeysError) -> Self {
        StartError::from(error).into()
    }
}

impl From<AdminError> for Failure {
    fn from(error: AdminError) -> Self {
        let code = match &error {
            AdminError::Store(StoreError::Unavailable(_) | StoreError::Damaged(_)) => UNAVAILABLE,
            AdminError::Key(_) => CONFIG,
            AdminError::Store(
                StoreError::EmailTaken
                | StoreError::UsernameTaken
                | StoreError::ExternalIdTaken
                | StoreError::TooManyKeys
                | StoreError::NotFound,
            )
            | AdminError::NoSuchUser(_)
            | AdminError::Ambiguous { .. }
            | AdminError::Nameless
            | AdminError::InvalidEmail(_)
            | AdminError::InvalidUsername(_)
            | AdminError::InvalidExternalId(_)
            | AdminError::InvalidRole(_)
            | AdminError::InvalidText { .. }
            | AdminError::WeakPassword(_)
            | AdminError::NoSuchSession(_)
            | AdminError::NoSuchApiKey(_)
            | AdminError::ApiKey(_)
            | AdminError::Disabled(_)
            | AdminError::SharedSecret(_)
            | AdminError::KnownKey(_) => OTHER,
        };
        Self::new(code, error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        AdminError::Store(error).into()
    }
}

impl From<io::Error> for Failure {
    /// A reader that has seen enough (`vestibule user list | head`) is no failure.
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe { Self::silent(0) } else { Self::other(error) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_is_away_is_not_the_callers_mistake() {
        let away = AdminError::Store(StoreError::Unavailable("locked".into()));
        assert_eq!(Failure::from(away).code, UNAVAILABLE);
        assert_eq!(Failure::from(AdminError::NoSuchUser("ada".into())).code, OTHER);
    }

    #[test]
    fn a_closed_pipe_ends_without_a_word() {
        assert_eq!(Failure::from(io::Error::from(io::ErrorKind::BrokenPipe)), Failure::silent(0));
    }
}
