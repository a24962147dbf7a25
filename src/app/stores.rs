//! What a store's URL leads to: the one place that knows which backends there are. Opened by the gateway and by every command.

use std::path::Path;
use std::sync::Arc;

use super::start_error::StartError;
use crate::config::settings::Store;
use crate::store::SharedStore;
use crate::store::sqlite::{self, BackupError, Existing, SqliteStore};

/// Opens the store; a file that is not there is made.
pub fn open_store(store: &Store) -> Result<SharedStore, StartError> {
    match store {
        Store::Sqlite { path } => {
            let store = SqliteStore::open(path).map_err(|error| StartError::Store(error.to_string()))?;
            Ok(Arc::new(store))
        }
    }
}

/// Returns the error with the store that it came from, if it came from one.
pub(super) fn name_store(store: &Store, error: StartError) -> StartError {
    let Store::Sqlite { path } = store;
    match error {
        StartError::Store(reason) => StartError::Store(format!("the store `{}`: {reason}", path.display())),
        StartError::Configuration(_) | StartError::Listen(_) | StartError::Internal(_) => error,
    }
}

/// Says why nothing can be moved from the one to the other, before either is opened.
pub fn refuse_to_migrate(from: &Store, to: &Store) -> Result<(), StartError> {
    let Store::Sqlite { path } = from;
    if !path.is_file() {
        return Err(StartError::Store(format!("--from: there is no store `{}`", path.display())));
    }
    let Store::Sqlite { path: other } = to;
    let place = |path: &Path| path.canonicalize().ok();
    if place(path).is_some_and(|from| Some(from) == place(other)) {
        return Err(StartError::Store(format!("--from and --to are one store, `{}`", path.display())));
    }
    for path in [path, other] {
        if sqlite::is_open_elsewhere(path) {
            let path = path.display();
            return Err(StartError::Store(format!(
                "the store `{path}` is in use: stop the gateway and every other command on it first"
            )));
        }
    }
    Ok(())
}

/// Copies the store into `file` while it is in use; `told` hears how many pages of how many are done. Returns the copy's size.
pub fn back_up(store: &Store, file: &Path, existing: Existing, told: impl FnMut(u64, u64)) -> Result<u64, StartError> {
    match store {
        Store::Sqlite { path } => sqlite::back_up(path, file, existing, told).map_err(|error| match error {
            BackupError::Source(_) => StartError::Store(error.to_string()),
            BackupError::Exists(_) | BackupError::Target { .. } => StartError::internal(error),
        }),
    }
}
