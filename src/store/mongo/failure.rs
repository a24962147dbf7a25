//! What an error of the driver means for a caller of the store. Texts name kinds, codes and collections, never a value, an
//! address with its password or a server's own words: those repeat what was sent to it.

use mongodb::error::{Error, ErrorKind, WriteFailure};

use crate::store::StoreError;

/// What an intent fails with inside this room, where the driver's own error still says whether to try again.
#[derive(Debug)]
pub(super) enum Failure {
    Store(StoreError),
    Driver(Error),
}

pub(super) type Outcome<T> = std::result::Result<T, Failure>;

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Driver(error)
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Store(error) => error,
            Failure::Driver(error) => judge(&error),
        }
    }
}

pub(super) const NO_PRIMARY: &str = "no primary of MongoDB can be reached";

/// Whether a primary was looked for as long as one waits, in vain.
pub(super) fn is_without_primary(error: &Error) -> bool {
    matches!(&*error.kind, ErrorKind::ServerSelection { .. })
}

/// Whether a connection broke or could not be had.
pub(super) fn is_of_connection(error: &Error) -> bool {
    matches!(&*error.kind, ErrorKind::Io(_) | ErrorKind::ConnectionPoolCleared { .. })
}

/// The code of a broken unique index.
const DUPLICATE_KEY: i32 = 11000;

/// Codes after which the same call fails again until somebody repairs something: the type of a field differs, a document is
/// too large or not valid, a unique index was broken where the store gives no name twice.
const DAMAGE: [i32; 6] = [2, 14, 121, DUPLICATE_KEY, 10334, 17280];

fn judge(error: &Error) -> StoreError {
    // Marked non-exhaustive, hence the last arm: what is not known to stay may pass.
    match &*error.kind {
        ErrorKind::BsonDeserialization(_) | ErrorKind::Bson(_) | ErrorKind::InvalidResponse { .. } => {
            StoreError::Damaged("the server's answer can't be read".into())
        }
        ErrorKind::Authentication { .. } => {
            StoreError::Unavailable("MongoDB refuses the user or the password of store.url".into())
        }
        ErrorKind::ServerSelection { .. } => StoreError::Unavailable(NO_PRIMARY.into()),
        ErrorKind::Io(io) => StoreError::Unavailable(format!("the connection to MongoDB failed: {}", io.kind())),
        ErrorKind::DnsResolve { .. } => {
            StoreError::Unavailable("the name of the MongoDB deployment can't be looked up".into())
        }
        ErrorKind::InvalidTlsConfig { .. } => {
            StoreError::Unavailable("the TLS files that store.url names can't be used".into())
        }
        _ => match code(error) {
            Some((code, name)) if DAMAGE.contains(&code) => {
                StoreError::Damaged(format!("MongoDB says {name} ({code})"))
            }
            Some((code, name)) => StoreError::Unavailable(format!("MongoDB says {name} ({code})")),
            None => StoreError::Unavailable("MongoDB did not do what it was asked to".into()),
        },
    }
}

/// Returns the server's number and name of what went wrong, if it is the server that says so.
pub(super) fn code(error: &Error) -> Option<(i32, &str)> {
    match &*error.kind {
        ErrorKind::Command(error) => Some((error.code, or_unnamed(&error.code_name))),
        ErrorKind::Write(WriteFailure::WriteError(error)) => {
            Some((error.code, or_unnamed(error.code_name.as_deref().unwrap_or_default())))
        }
        ErrorKind::Write(WriteFailure::WriteConcernError(error)) => Some((error.code, or_unnamed(&error.code_name))),
        ErrorKind::InsertMany(many) => {
            let first = many.write_errors.as_ref().and_then(|errors| errors.first());
            let of_write = first.map(|error| (error.code, error.code_name.as_deref().unwrap_or_default()));
            let of_concern = many.write_concern_error.as_ref().map(|error| (error.code, error.code_name.as_str()));
            of_write.or(of_concern).map(|(code, name)| (code, or_unnamed(name)))
        }
        _ => None,
    }
}

fn or_unnamed(name: &str) -> &str {
    if name.is_empty() { "an error" } else { name }
}

/// Returns whether a unique index refused the write.
pub(super) fn is_duplicate(error: &Error) -> bool {
    code(error).is_some_and(|(code, _)| code == DUPLICATE_KEY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_or_a_url_says_is_not_repeated() {
        let error = Error::from(std::io::Error::new(std::io::ErrorKind::ConnectionRefused, "hunter2"));
        let StoreError::Unavailable(text) = judge(&error) else { panic!("{error}") };
        assert_eq!(text, "the connection to MongoDB failed: connection refused");
    }
}
