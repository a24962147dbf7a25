//! Opens connections to the file, or to one in memory, and brings its tables to the version this program knows. A file of a newer version, or of
//! another program, is refused and left as it is.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, MAIN_DB, OpenFlags, Transaction, TransactionBehavior};

use crate::store::StoreError;

/// What is run to come from version n to n + 1, each in one transaction. Never edit one that has been released.
const MIGRATIONS: &[&str] = &[
    include_str!("schema.sql"),
    include_str!("schema_2.sql"),
    include_str!("schema_3.sql"),
    include_str!("schema_4.sql"),
];

/// "VSTB" in ASCII, the file's `application_id`.
const APPLICATION: i64 = 0x5653_5442;

/// How long one process waits for another one's write (a command beside the running gateway). A request may wait for a batch that
/// waits this long and then in one that does the same, and has to be answered within five seconds.
const BUSY: Duration = Duration::from_secs(2);

/// How long opening waits: others may be bringing the file to this version.
const BUSY_OPENING: Duration = Duration::from_secs(10);

/// Enough for every statement that the store has.
const STATEMENTS: usize = 64;

/// The file can't be the store.
#[derive(Debug, thiserror::Error)]
#[error("the store `{}` can't be opened: {reason}", path.display())]
pub struct OpenError {
    pub path: PathBuf,
    /// [`StoreError::Unavailable`] when another attempt may succeed, [`StoreError::Damaged`] when it won't.
    pub reason: StoreError,
}

impl OpenError {
    pub(super) fn new(path: &Path, reason: StoreError) -> Self {
        Self { path: path.to_owned(), reason }
    }
}

/// Where the tables are.
pub(super) struct Place {
    pub path: PathBuf,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    File,
    Memory,
}

impl Place {
    pub(super) fn file(path: &Path) -> Self {
        Self { path: path.to_owned(), kind: Kind::File }
    }

    /// Returns a new place in this process, which is there for as long as a connection to it is.
    pub(super) fn memory() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        Self { path: format!("file:/vestibule-{number}?vfs=memdb").into(), kind: Kind::Memory }
    }

    /// Flags are given in full, because the default ones read a file's name that begins with `file:` as a URI with options.
    fn connect(&self, access: OpenFlags) -> rusqlite::Result<Connection> {
        let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = match self.kind {
            Kind::File => Connection::open_with_flags(&self.path, flags),
            Kind::Memory => Connection::open_with_flags(&self.path, flags | OpenFlags::SQLITE_OPEN_URI),
        }?;
        connection.busy_timeout(BUSY)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        Ok(connection)
    }
}

/// Returns the connection that writes, to a file that exists and has the newest tables.
pub(super) fn open_writer(place: &Place) -> Result<Connection, OpenError> {
    let failed = |reason| OpenError::new(&place.path, reason);
    if place.kind == Kind::File {
        create_private(&place.path).map_err(|error| failed(StoreError::Unavailable(error.to_string())))?;
    }
    make_ready(place).map_err(failed)
}

/// Returns a connection that can only read. The writer's must exist already.
pub(super) fn open_reader(place: &Place) -> rusqlite::Result<Connection> {
    place.connect(OpenFlags::SQLITE_OPEN_READ_ONLY)
}

/// Whether another process, or another part of this one, has the file open: in WAL mode each holds a shared lock on it for as
/// long. What is wrong with the file otherwise is for opening it to say.
pub fn is_open_elsewhere(path: &Path) -> bool {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let Ok(connection) = Connection::open_with_flags(path, flags) else { return false };
    // With `locking_mode` EXCLUSIVE a WAL file is opened for one process alone, or not at all.
    let alone = connection.execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN IMMEDIATE; ROLLBACK");
    alone.is_err_and(|error| error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy))
}

/// Makes the file readable by its owner alone, before `SQLite` would make it with the umask's mode; the log beside it inherits that.
fn create_private(path: &Path) -> io::Result<()> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        Ok(_) | Err(_) => Ok(()),
    }
}

fn make_ready(place: &Place) -> Result<Connection, StoreError> {
    let mut connection = place.connect(OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.busy_timeout(BUSY_OPENING)?;
    // SQLite opens what it may not write for reading, and would say so at the first write.
    if connection.is_readonly(MAIN_DB)? {
        return Err(StoreError::Unavailable("this user may not write the file".into()));
    }
    // Before the first write, so that a file which isn't ours stays untouched.
    version(&connection.transaction()?)?;
    // What is in memory has no log: readers and the writer wait for each other, briefly.
    if place.kind == Kind::File {
        switch_to_wal(&connection)?;
    }
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", "ON")?;
    connection.pragma_update(None, "secure_delete", "ON")?;
    migrate(&mut connection)?;
    connection.busy_timeout(BUSY)?;
    Ok(connection)
}

/// Switches the file to WAL mode, once in its life. Two processes that do so at once would each wait for the other to leave,
/// which `SQLite` answers at once with `BUSY`, without the patience of `busy_timeout`.
fn switch_to_wal(connection: &Connection) -> rusqlite::Result<()> {
    const PAUSE: Duration = Duration::from_millis(20);
    let mut patience = BUSY_OPENING;
    loop {
        match connection.pragma_update(None, "journal_mode", "WAL") {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && !patience.is_zero() => {
                patience = patience.saturating_sub(PAUSE);
                thread::sleep(PAUSE);
            }
            outcome => return outcome,
        }
    }
}

/// Returns the file's version, 0 for an empty file, if it is one that this program can use. In a transaction, because another
/// process may be writing the first version between one question and the next.
pub(super) fn version(connection: &Transaction<'_>) -> Result<usize, StoreError> {
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let application: i64 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let objects: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if application != APPLICATION && (version, application, objects) != (0, 0, 0) {
        return Err(StoreError::Damaged("the file was written by another program".into()));
    }
    usize::try_from(version).ok().filter(|version| *version <= MIGRATIONS.len()).ok_or_else(|| {
        let known = MIGRATIONS.len();
        StoreError::Damaged(format!(
            "it has version {version}, this program knows versions up to {known}; upgrade the program"
        ))
    })
}

fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    loop {
        if version(&connection.transaction()?)? == MIGRATIONS.len() {
            return Ok(());
        }
        // Asked again under the lock: another process may just have done it.
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let from = version(&transaction)?;
        if let Some(migration) = MIGRATIONS.get(from) {
            transaction.execute_batch(migration)?;
            transaction.pragma_update(None, "user_version", i64::try_from(from + 1).unwrap_or(i64::MAX))?;
        }
        transaction.commit()?;
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn written(sql: &str) -> (tempfile::TempDir, PathBuf) {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("store.db");
        Connection::open(&path).unwrap().execute_batch(sql).unwrap();
        (home, path)
    }

    #[test]
    fn a_new_file_and_its_log_are_for_their_owner_alone() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("store.db");
        let _open = open_writer(&Place::file(&path)).unwrap();
        for name in ["store.db", "store.db-wal"] {
            let mode = std::fs::metadata(home.path().join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
    }

    #[test]
    fn the_writer_has_every_commit_on_disk_before_it_returns() {
        let home = tempfile::tempdir().unwrap();
        let connection = open_writer(&Place::file(&home.path().join("store.db"))).unwrap();
        let ask = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!((ask("synchronous"), ask("foreign_keys"), ask("secure_delete")), (2, 1, 1));
        let mode: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
        assert_eq!(mode, "wal");
    }

    #[test]
    fn a_reader_can_not_write() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("store.db");
        let _writer = open_writer(&Place::file(&path)).unwrap();
        let refused = open_reader(&Place::file(&path)).unwrap().execute("DELETE FROM users", []);
        assert_eq!(refused.unwrap_err().sqlite_error_code(), Some(rusqlite::ErrorCode::ReadOnly));
    }

    #[test]
    fn a_newer_version_is_refused_and_named() {
        let (_home, path) = written(&format!("PRAGMA application_id = {APPLICATION}; PRAGMA user_version = 99;"));
        let error = open_writer(&Place::file(&path)).unwrap_err();
        assert!(matches!(error.reason, StoreError::Damaged(_)));
        assert!(error.to_string().contains("store.db") && error.to_string().contains("version 99"), "{error}");
    }

    #[test]
    fn a_file_of_another_program_is_refused_and_stays_as_it_was() {
        let (_home, path) = written("CREATE TABLE users (name TEXT)");
        let before = std::fs::read(&path).unwrap();
        assert!(open_writer(&Place::file(&path)).unwrap_err().to_string().contains("another program"));
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }

    #[test]
    fn what_is_no_database_is_damaged() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("store.db");
        std::fs::write(&path, "This is not a database, it only happens to lie where one should. ".repeat(20)).unwrap();
        assert!(matches!(open_writer(&Place::file(&path)).unwrap_err().reason, StoreError::Damaged(_)));
    }

    #[test]
    fn a_missing_folder_is_named() {
        let error = open_writer(&Place::file(Path::new("/nonexistent/store.db"))).unwrap_err();
        assert!(matches!(error.reason, StoreError::Unavailable(_)));
        assert!(error.to_string().contains("/nonexistent/store.db"), "{error}");
    }

    #[test]
    fn whether_others_have_the_file_open_is_known() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("store.db");
        assert!(!is_open_elsewhere(&path) && !path.exists(), "asking makes no file");
        let open = open_writer(&Place::file(&path)).unwrap();
        assert!(is_open_elsewhere(&path));
        let reader = open_reader(&Place::file(&path)).unwrap();
        version(&reader.unchecked_transaction().unwrap()).unwrap();
        drop(open);
        assert!(is_open_elsewhere(&path), "a reader counts, too");
        drop(reader);
        assert!(!is_open_elsewhere(&path));
        assert!(open_writer(&Place::file(&path)).is_ok(), "asking leaves the file as it was");
    }

    #[test]
    fn a_place_in_memory_is_there_while_it_is_open_and_has_nothing_to_do_with_another() {
        let changes = |connection: &Connection| -> i64 {
            connection.query_row("SELECT count(*) FROM changes", [], |row| row.get(0)).unwrap()
        };
        let (one, other) = (Place::memory(), Place::memory());
        let (writer, elsewhere) = (open_writer(&one).unwrap(), open_writer(&other).unwrap());
        writer.execute("INSERT INTO changes (at, kind) VALUES (1, 'keys_changed')", []).unwrap();
        let reader = open_reader(&one).unwrap();
        assert_eq!((changes(&reader), changes(&elsewhere)), (1, 0));
        drop((writer, reader));
        assert_eq!(changes(&open_writer(&one).unwrap()), 0);
    }

    #[test]
    fn many_may_open_a_new_file_at_once() {
        for _ in 0..10 {
            let home = tempfile::tempdir().unwrap();
            let path = home.path().join("store.db");
            std::thread::scope(|scope| {
                let racers: Vec<_> =
                    (0..8).map(|_| scope.spawn(|| open_writer(&Place::file(&path)).map(drop))).collect();
                for racer in racers {
                    racer.join().unwrap().unwrap();
                }
            });
        }
    }
}
