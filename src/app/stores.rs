//! What a store's URL leads to: the one place that knows which backends there are. Called by the gateway and by every command.

use std::path::Path;
use std::sync::Arc;

use super::keys::KeysError;
use super::start_error::StartError;
use crate::config::settings::Store;
use crate::store::mongo::MongoStore;
use crate::store::sqlite::{self, BackupError, Existing, SqliteStore};
use crate::store::{SharedStore, StoreError};

/// Opens the store; a file that is not there is made, and one on other machines is not asked anything yet.
pub fn open_store(store: &Store) -> Result<SharedStore, StartError> {
    match store {
        Store::Memory => {
            tracing::warn!("store.url is memory: accounts, sessions and keys end with this process");
            let store = SqliteStore::in_memory().map_err(|error| StartError::Store(error.to_string()))?;
            Ok(Arc::new(store))
        }
        Store::Sqlite { path } => {
            let store = SqliteStore::open(path).map_err(|error| StartError::Store(error.to_string()))?;
            Ok(Arc::new(store))
        }
        Store::MongoDb { url, prefix } => {
            let store = MongoStore::new(url.clone(), prefix);
            Ok(Arc::new(store.map_err(|error| StartError::Configuration(error.to_string()))?))
        }
    }
}

/// The same for a command, which runs beside a gateway: what is in another process's memory it can't reach.
pub fn open_store_beside(store: &Store) -> Result<SharedStore, StartError> {
    if *store == Store::Memory { Err(out_of_reach("store.url")) } else { open_store(store) }
}

/// `place` says where the store was named.
fn out_of_reach(place: &str) -> StartError {
    StartError::Configuration(format!(
        "{place} is \"memory:\", which is the serving gateway's own and ends with it: ask the gateway over HTTP, or serve from \
         \"sqlite:PATH\""
    ))
}

/// Returns what was read from the store at start; `None` where it is away and may be: a file that can't be read needs somebody
/// who looks, other machines come back by themselves.
pub(super) fn unless_away<T>(store: &Store, outcome: Result<T, impl Into<KeysError>>) -> Result<Option<T>, StartError> {
    match (store, outcome.map_err(Into::into)) {
        (_, Ok(value)) => Ok(Some(value)),
        (Store::MongoDb { .. }, Err(KeysError::Store(StoreError::Unavailable(_)))) => Ok(None),
        (Store::Memory | Store::Sqlite { .. } | Store::MongoDb { .. }, Err(error)) => {
            Err(name_store(store, error.into()))
        }
    }
}

/// Returns the error with the store that it came from, if it came from one. A URL may hold a password and is not repeated.
fn name_store(store: &Store, error: StartError) -> StartError {
    match (store, error) {
        (Store::Memory, StartError::Store(reason)) => StartError::Store(format!("the store in memory: {reason}")),
        (Store::Sqlite { path }, StartError::Store(reason)) => {
            StartError::Store(format!("the store `{}`: {reason}", path.display()))
        }
        (Store::MongoDb { .. }, StartError::Store(reason)) => {
            StartError::Store(format!("the MongoDB of store.url: {reason}"))
        }
        (_, error @ (StartError::Configuration(_) | StartError::Listen(_) | StartError::Internal(_))) => error,
    }
}

/// Says why nothing can be moved from the one to the other, before either is opened. Whether a gateway is served from a
/// MongoDB can't be seen; that it was is found when both are compared.
pub fn refuse_to_migrate(from: &Store, to: &Store) -> Result<(), StartError> {
    for (option, store) in [("--from", from), ("--to", to)] {
        if *store == Store::Memory {
            return Err(StartError::Configuration(format!(
                "{option} is \"memory:\", where nothing lasts: name a file, \"sqlite:PATH\""
            )));
        }
    }
    if let Store::Sqlite { path } = from
        && !path.is_file()
    {
        return Err(StartError::Store(format!("--from: there is no store `{}`", path.display())));
    }
    if is_same(from, to) {
        return Err(StartError::Store("--from and --to are one store".to_owned()));
    }
    for store in [from, to] {
        if let Store::Sqlite { path } = store
            && sqlite::is_open_elsewhere(path)
        {
            let path = path.display();
            return Err(StartError::Store(format!(
                "the store `{path}` is in use: stop the gateway and every other command on it first"
            )));
        }
    }
    Ok(())
}

fn is_same(from: &Store, to: &Store) -> bool {
    match (from, to) {
        (Store::Sqlite { path: from }, Store::Sqlite { path: to }) => {
            let place = |path: &Path| path.canonicalize().ok();
            place(from).is_some_and(|from| Some(from) == place(to))
        }
        (Store::Memory | Store::Sqlite { .. } | Store::MongoDb { .. }, _) => from == to,
    }
}

/// Copies the store into `file` while it is in use; `told` hears how many pages of how many are done. Returns the copy's size.
pub fn back_up(store: &Store, file: &Path, existing: Existing, told: impl FnMut(u64, u64)) -> Result<u64, StartError> {
    match store {
        Store::Sqlite { path } => sqlite::back_up(path, file, existing, told).map_err(|error| match error {
            BackupError::Source(_) => StartError::Store(error.to_string()),
            BackupError::Exists(_) | BackupError::Itself(_) | BackupError::Target { .. } => StartError::internal(error),
        }),
        Store::Memory => Err(out_of_reach("store.url")),
        Store::MongoDb { .. } => Err(StartError::Configuration(
            "store.url names a MongoDB, and this copies an SQLite file only: use MongoDB's own backups, such as \
             `mongodump --oplog`, or `vestibule store migrate --to sqlite:FILE` while no gateway runs"
                .to_owned(),
        )),
    }
}
