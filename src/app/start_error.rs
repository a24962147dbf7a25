//! Why the gateway did not start, by the exit code that tells a supervisor.

use std::fmt::Display;

use super::keys::KeysError;
use crate::mail::SendError;
use crate::server;
use crate::store::StoreError;
use crate::tls::TlsError;

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// 78: the file is right in itself, but not with what it names.
    #[error("{0}")]
    Configuration(String),
    /// 69: the store can't be opened or does not answer.
    #[error("{0}")]
    Store(String),
    /// 71: a port can't be bound.
    #[error("{0}")]
    Listen(#[from] server::StartError),
    /// 1: the machine refused something that it owes every process.
    #[error("{0}")]
    Internal(String),
}

impl StartError {
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Configuration(_) => 78,
            Self::Store(_) => 69,
            Self::Listen(_) => 71,
            Self::Internal(_) => 1,
        }
    }

    pub(super) fn internal(error: impl Display) -> Self {
        Self::Internal(error.to_string())
    }
}

impl From<TlsError> for StartError {
    fn from(error: TlsError) -> Self {
        Self::Configuration(error.to_string())
    }
}

impl From<SendError> for StartError {
    fn from(error: SendError) -> Self {
        Self::Configuration(format!("mail.smtp: {error}"))
    }
}

impl From<StoreError> for StartError {
    fn from(error: StoreError) -> Self {
        Self::Store(error.to_string())
    }
}

impl From<KeysError> for StartError {
    fn from(error: KeysError) -> Self {
        match error {
            KeysError::Store(error) => error.into(),
            KeysError::Stored { .. }
            | KeysError::Key(_)
            | KeysError::Missing(_)
            | KeysError::Issuer { .. }
            | KeysError::Tls(_) => Self::Configuration(error.to_string()),
        }
    }
}
