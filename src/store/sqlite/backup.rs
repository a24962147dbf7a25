//! A copy of the file while others use it: whole, of one moment, on disk before it gets its name, and for its owner alone.

use std::ffi::c_int;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};
use tempfile::{Builder, NamedTempFile};

use super::schema::{self, OpenError, Place};
use crate::store::StoreError;

/// Pages between two words of progress.
const PAGES: c_int = 1024;

/// What becomes of a file that lies where a backup is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    Keep,
    Replace,
}

#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error(transparent)]
    Source(#[from] OpenError),
    #[error("`{}` exists already; name another file, or say --overwrite", .0.display())]
    Exists(PathBuf),
    #[error("`{}` is the store itself, or a part of it; name another file", .0.display())]
    Itself(PathBuf),
    #[error("`{}` can't be written: {reason}; nothing is left there", file.display())]
    Target { file: PathBuf, reason: String },
}

/// Copies the store at `path` into `file`; `told` hears how many pages of how many are done. Returns the copy's size.
pub fn back_up(
    path: &Path,
    file: &Path,
    existing: Existing,
    mut told: impl FnMut(u64, u64),
) -> Result<u64, BackupError> {
    if is_part_of(path, file) {
        return Err(BackupError::Itself(file.to_owned()));
    }
    if existing == Existing::Keep && file.symlink_metadata().is_ok() {
        return Err(BackupError::Exists(file.to_owned()));
    }
    let unreadable = |error: rusqlite::Error| OpenError::new(path, error.into());
    let source = schema::open_reader(&Place::file(path)).map_err(unreadable)?;
    // One reading transaction over all steps: what others commit meanwhile would else begin the copy anew.
    let snapshot = source.unchecked_transaction().map_err(unreadable)?;
    schema::version(&snapshot).map_err(|reason| OpenError::new(path, reason))?;
    let failed = |reason: String| BackupError::Target { file: file.to_owned(), reason };
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let partial =
        Builder::new().prefix(".vestibule-backup-").tempfile_in(folder).map_err(|error| failed(error.to_string()))?;
    copy(&snapshot, partial.path(), &mut told).map_err(|error| failed(error.to_string()))?;
    keep(partial, file, existing, folder).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => BackupError::Exists(file.to_owned()),
        _ => failed(error.to_string()),
    })
}

/// Whether `file` is the store at `path` under whatever name, or one of the files that `SQLite` keeps beside it: who has the store open
/// would go on writing to what is no longer there.
fn is_part_of(path: &Path, file: &Path) -> bool {
    let Ok(target) = file.metadata() else { return false };
    ["", "-wal", "-shm", "-journal"].iter().any(|suffix| {
        let mut own = path.canonicalize().unwrap_or_else(|_| path.to_owned()).into_os_string();
        own.push(suffix);
        Path::new(&own).metadata().is_ok_and(|own| (own.dev(), own.ino()) == (target.dev(), target.ino()))
    })
}

fn copy(source: &Connection, path: &Path, told: &mut impl FnMut(u64, u64)) -> Result<(), StoreError> {
    let mut target = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let backup = Backup::new(source, &mut target)?;
    loop {
        let step = backup.step(PAGES)?;
        let progress = backup.progress();
        let pages = |count: c_int| u64::from(count.unsigned_abs());
        told(pages(progress.pagecount - progress.remaining), pages(progress.pagecount));
        match step {
            StepResult::Done => break,
            // Nobody else has the copy open, so these pass.
            StepResult::Busy | StepResult::Locked => std::thread::sleep(Duration::from_millis(20)),
            _ => {}
        }
    }
    drop(backup);
    let verdict: String = target.pragma_query_value(None, "quick_check", |row| row.get(0))?;
    if verdict != "ok" {
        return Err(StoreError::Damaged(format!("the store itself is damaged: {verdict}")));
    }
    // Back to one file without a log beside it.
    target.pragma_update(None, "journal_mode", "DELETE")?;
    target.close().map_err(|(_, error)| error.into())
}

/// Gives the copy its name once every byte of it is on disk; the name is on disk, too, before this returns.
fn keep(partial: NamedTempFile, file: &Path, existing: Existing, folder: &Path) -> io::Result<u64> {
    partial.as_file().sync_all()?;
    let kept = match existing {
        Existing::Keep => partial.persist_noclobber(file),
        Existing::Replace => partial.persist(file),
    };
    let size = kept.map_err(|error| error.error)?.metadata()?.len();
    File::open(folder)?.sync_all()?;
    Ok(size)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn store(folder: &Path) -> (PathBuf, Connection) {
        let path = folder.join("store.db");
        let connection = schema::open_writer(&Place::file(&path)).unwrap();
        (path, connection)
    }

    fn insert(connection: &Connection, first: i64, last: i64) {
        let sql = "WITH RECURSIVE numbers (at) AS (SELECT ?1 UNION ALL SELECT at + 1 FROM numbers WHERE at < ?2)
                   INSERT INTO changes (at, kind) SELECT at, 'keys_changed' FROM numbers";
        connection.execute(sql, [first, last]).unwrap();
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn the_copy_is_of_one_moment_although_others_write_meanwhile() {
        let home = tempfile::tempdir().unwrap();
        let (path, connection) = store(home.path());
        insert(&connection, 1, 200_000);
        let copy = home.path().join("copy.db");
        let mut steps = 0;
        back_up(&path, &copy, Existing::Keep, |done, total| {
            steps += 1;
            assert!(done <= total);
            insert(&connection, 300_000, 300_010);
        })
        .unwrap();
        assert!(steps > 1, "one step shows nothing");
        let count = |path: &Path| -> i64 {
            let connection = Connection::open(path).unwrap();
            connection.query_row("SELECT count(*) FROM changes", [], |row| row.get(0)).unwrap()
        };
        assert_eq!(count(&copy), 200_000);
        assert!(count(&path) > 200_000);
        assert_eq!(std::fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn what_lies_there_already_stays_unless_it_may_be_replaced() {
        let home = tempfile::tempdir().unwrap();
        let (path, _connection) = store(home.path());
        let copy = home.path().join("copy.db");
        std::fs::write(&copy, "precious").unwrap();
        assert!(matches!(back_up(&path, &copy, Existing::Keep, |_, _| {}), Err(BackupError::Exists(_))));
        assert_eq!(std::fs::read(&copy).unwrap(), b"precious");
        back_up(&path, &copy, Existing::Replace, |_, _| {}).unwrap();
        assert!(schema::open_writer(&Place::file(&copy)).is_ok());
    }

    #[test]
    fn the_store_is_never_replaced_by_its_own_copy() {
        let home = tempfile::tempdir().unwrap();
        let (path, connection) = store(home.path());
        insert(&connection, 1, 10);
        let (link, symlink) = (home.path().join("link.db"), home.path().join("symlink.db"));
        std::fs::hard_link(&path, &link).unwrap();
        std::os::unix::fs::symlink(&path, &symlink).unwrap();
        for file in [path.clone(), link, symlink, home.path().join("store.db-wal"), home.path().join("store.db-shm")] {
            let refused = back_up(&path, &file, Existing::Replace, |_, _| {});
            assert!(matches!(refused, Err(BackupError::Itself(_))), "{}", file.display());
        }
        insert(&connection, 11, 20);
    }

    #[test]
    fn a_backup_that_fails_leaves_nothing_behind() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("copies");
        std::fs::create_dir(&folder).unwrap();
        let foreign = home.path().join("foreign.db");
        Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE notes (text)").unwrap();
        for (path, said) in
            [(foreign.as_path(), "another program"), (Path::new("/nonexistent/store.db"), "/nonexistent")]
        {
            let error = back_up(path, &folder.join("copy.db"), Existing::Keep, |_, _| {}).unwrap_err();
            assert!(error.to_string().contains(said), "{error}");
        }
        assert_eq!(names(&folder), Vec::<String>::new());
        let (path, _connection) = store(home.path());
        let error = back_up(&path, Path::new("/nonexistent/copy.db"), Existing::Keep, |_, _| {}).unwrap_err();
        assert!(error.to_string().contains("/nonexistent/copy.db"), "{error}");
    }

    #[test]
    fn a_damaged_store_does_not_replace_a_good_backup() {
        let home = tempfile::tempdir().unwrap();
        let (path, connection) = store(home.path());
        insert(&connection, 1, 10_000);
        drop(connection);
        let copy = home.path().join("copy.db");
        back_up(&path, &copy, Existing::Keep, |_, _| {}).unwrap();
        let good = std::fs::read(&copy).unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        let half = bytes.len() / 2;
        bytes[half..half + 8192].fill(0xaa);
        std::fs::write(&path, bytes).unwrap();
        let error = back_up(&path, &copy, Existing::Replace, |_, _| {}).unwrap_err();
        assert!(error.to_string().contains("damaged"), "{error}");
        assert_eq!(std::fs::read(&copy).unwrap(), good);
    }
}
