//! What an error of `SQLite` means for a caller of the store: try later, choose another name, or look at the disk.
//! Texts name tables and columns, never values.

use rusqlite::{Error, ErrorCode};

use crate::store::StoreError;

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        // Both enums are marked non-exhaustive, hence the last arms: what is not known to pass is damage.
        match error.sqlite_error_code() {
            Some(ErrorCode::ConstraintViolation) => taken(&error),
            Some(
                ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::DiskFull
                | ErrorCode::SystemIoFailure
                | ErrorCode::ReadOnly
                | ErrorCode::CannotOpen
                | ErrorCode::PermissionDenied
                | ErrorCode::OutOfMemory
                | ErrorCode::OperationAborted
                | ErrorCode::OperationInterrupted
                | ErrorCode::FileLockingProtocolFailed,
            ) => Self::Unavailable(error.to_string()),
            Some(_) | None => Self::Damaged(error.to_string()),
        }
    }
}

/// Returns which uniqueness was broken. `SQLite` names the columns in its message and nowhere else.
fn taken(error: &Error) -> StoreError {
    let text = error.to_string();
    if text.contains("users.email_key") {
        StoreError::EmailTaken
    } else if text.contains("users.username_key") {
        StoreError::UsernameTaken
    } else if text.contains("users.external_id") {
        StoreError::ExternalIdTaken
    } else {
        StoreError::Damaged(text)
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi;

    use super::*;

    fn mapped(code: std::ffi::c_int) -> StoreError {
        Error::SqliteFailure(ffi::Error::new(code), None).into()
    }

    #[test]
    fn what_may_pass_is_unavailable() {
        for code in [ffi::SQLITE_BUSY, ffi::SQLITE_FULL, ffi::SQLITE_IOERR_FSYNC, ffi::SQLITE_READONLY_DBMOVED] {
            assert!(matches!(mapped(code), StoreError::Unavailable(_)), "{code}");
        }
    }

    #[test]
    fn what_stays_wrong_is_damage() {
        for code in [ffi::SQLITE_CORRUPT, ffi::SQLITE_NOTADB, ffi::SQLITE_CONSTRAINT_FOREIGNKEY, ffi::SQLITE_ERROR] {
            assert!(matches!(mapped(code), StoreError::Damaged(_)), "{code}");
        }
    }
}
