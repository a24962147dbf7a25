//! Why a use case said no: one variant for each answer a client can tell apart. `api::error` turns them into responses.

use std::borrow::Cow;
use std::time::Duration;

use super::hashers::Busy;
use crate::store::StoreError;

/// What is wrong with one field that a client sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub field: Cow<'static, str>,
    /// Stable, words joined with `_`.
    pub code: &'static str,
    pub message: String,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccountError {
    /// At least one fault.
    #[error("the request breaks a rule")]
    Invalid(Vec<Fault>),
    #[error("registration is closed")]
    RegistrationClosed,
    #[error("another account has this e-mail address")]
    EmailTaken,
    #[error("another account has this user name")]
    UsernameTaken,
    /// Unknown user, wrong password, disabled user, user without a password: one answer for all.
    #[error("the name or the password is wrong")]
    InvalidCredentials,
    /// The token is none of ours, has expired or was spent, or its session or user is gone.
    #[error("the token is not valid")]
    InvalidToken,
    #[error("the account has as many keys as one may have")]
    TooManyKeys,
    #[error("a scope is asked for that is not granted")]
    InvalidScope,
    #[error("there is no such session")]
    SessionNotFound,
    #[error("too many attempts")]
    Limited { retry_after: Duration },
    /// The queue before the hashers is full.
    #[error("too many sign-ins at once")]
    Busy,
    #[error("{0}")]
    Unavailable(String),
    #[error("{0}")]
    Damaged(String),
}

impl AccountError {
    /// Returns the error of a request that lacks `field`.
    pub fn missing(field: &'static str) -> Self {
        Self::Invalid(vec![Fault { field: field.into(), code: "required", message: format!("`{field}` is required") }])
    }
}

impl From<Busy> for AccountError {
    fn from(Busy: Busy) -> Self {
        Self::Busy
    }
}

impl From<StoreError> for AccountError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::EmailTaken => Self::EmailTaken,
            StoreError::UsernameTaken => Self::UsernameTaken,
            // Use cases look users up by the token that a caller showed; where another reading fits, they map it themselves.
            StoreError::NotFound => Self::InvalidToken,
            StoreError::Unavailable(_) => Self::Unavailable(error.to_string()),
            StoreError::TooManyKeys => Self::TooManyKeys,
            // Only an import gives such ids.
            StoreError::ExternalIdTaken | StoreError::Damaged(_) => Self::Damaged(error.to_string()),
        }
    }
}
