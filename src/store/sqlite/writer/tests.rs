//! What the writer owes its callers when things go wrong: nothing acknowledged that is not on disk, nobody left waiting.

use super::*;

const NOTHING: [i64; 0] = [];

fn connection() -> (tempfile::TempDir, Connection) {
    let home = tempfile::tempdir().unwrap();
    let connection = Connection::open(home.path().join("test.db")).unwrap();
    connection.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE parent (id INTEGER PRIMARY KEY); CREATE TABLE kept (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED)").unwrap();
    (home, connection)
}

/// A job and what its caller will hear.
type Asked = (Box<dyn Job>, oneshot::Receiver<Result<()>>);

/// Returns a job that inserts `id` and says what became of it.
fn insert(id: i64, parent: Option<i64>) -> Asked {
    job(move |database| {
        database.execute("INSERT INTO kept VALUES (?1, ?2)", rusqlite::params![id, parent])?;
        Ok(())
    })
}

fn job<F>(work: F) -> Asked
where
    F: FnOnce(&Connection) -> Result<()> + Send + 'static,
{
    let (reply, answer) = oneshot::channel();
    (Box::new(Intent { work: Some(work), result: Err(queue::abandoned()), reply }), answer)
}

/// Runs the jobs as one batch and returns what each caller heard.
fn run(connection: &mut Connection, jobs: Vec<Asked>) -> Vec<Result<()>> {
    let (mut batch, answers): (Vec<_>, Vec<_>) = jobs.into_iter().unzip();
    let committed = commit(connection, &mut batch);
    for job in batch {
        job.answer(&committed);
    }
    answers.into_iter().map(|answer| answer.blocking_recv().unwrap()).collect()
}

fn kept(connection: &Connection) -> Vec<i64> {
    let mut statement = connection.prepare("SELECT id FROM kept ORDER BY id").unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(|id| id.unwrap()).collect()
}

#[test]
fn a_failed_intent_undoes_itself_alone() {
    let (_home, mut connection) = connection();
    let half = job(|database| {
        database.execute("INSERT INTO kept VALUES (9, NULL)", [])?;
        Err(StoreError::NotFound)
    });
    let heard = run(&mut connection, vec![insert(1, None), half, insert(2, None)]);
    assert_eq!(heard, [Ok(()), Err(StoreError::NotFound), Ok(())]);
    assert_eq!(kept(&connection), [1, 2]);
}

#[test]
fn a_panic_undoes_its_intent_and_the_others_stand() {
    let (_home, mut connection) = connection();
    let broken = job(|database| {
        database.execute("INSERT INTO kept VALUES (9, NULL)", [])?;
        panic!("a bug in an intent")
    });
    let heard = run(&mut connection, vec![insert(1, None), broken, insert(2, None)]);
    assert_eq!(heard, [Ok(()), Err(queue::abandoned()), Ok(())]);
    assert_eq!(kept(&connection), [1, 2]);
}

#[test]
fn when_the_commit_fails_nobody_is_told_of_success() {
    let (_home, mut connection) = connection();
    connection.pragma_update(None, "foreign_keys", "ON").unwrap();
    // A deferred foreign key is judged by COMMIT, so this batch runs through and fails at its very end.
    let heard = run(&mut connection, vec![insert(1, None), insert(2, Some(404))]);
    assert!(heard.iter().all(Result::is_err), "{heard:?}");
    assert_eq!(kept(&connection), NOTHING);
    assert_eq!(run(&mut connection, vec![insert(3, None)]), [Ok(())]);
}

#[test]
fn a_transaction_that_sqlite_gave_up_takes_the_whole_batch_with_it() {
    let (_home, mut connection) = connection();
    let gives_up = job(|database| {
        database.execute("INSERT OR ROLLBACK INTO kept VALUES (1, NULL)", [])?;
        Ok(())
    });
    let heard = run(&mut connection, vec![insert(1, None), gives_up, insert(2, None)]);
    assert!(heard.iter().all(|outcome| matches!(outcome, Err(StoreError::Unavailable(_)))), "{heard:?}");
    assert_eq!(kept(&connection), NOTHING, "nothing was committed statement by statement");
}

#[test]
fn a_lock_that_another_process_holds_is_unavailable() {
    let (home, mut connection) = connection();
    connection.busy_timeout(std::time::Duration::ZERO).unwrap();
    let other = Connection::open(home.path().join("test.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert!(matches!(run(&mut connection, vec![insert(1, None)])[..], [Err(StoreError::Unavailable(_))]));
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(run(&mut connection, vec![insert(1, None)]), [Ok(())]);
}

#[tokio::test]
async fn what_waits_together_is_committed_together() {
    let (home, connection) = connection();
    let other = Connection::open(home.path().join("test.db")).unwrap();
    let (queue, work) = Queue::new(QUEUE);
    let mut answers = Vec::new();
    for id in 0..100 {
        let (job, answer) = insert(id, None);
        queue.submit(job).unwrap();
        answers.push(answer);
    }
    let (last, answer) = job(move |database| {
        assert_eq!((kept(database).len(), kept(&other).len()), (100, 0), "the others are committed already");
        Ok(())
    });
    queue.submit(last).unwrap();
    answers.push(answer);
    queue.start("test", move || write_until_closed(connection, &work));
    for answer in answers {
        assert_eq!(answer.await.unwrap(), Ok(()));
    }
}

#[tokio::test]
async fn who_waits_behind_a_write_that_hangs_is_told_in_time_and_that_write_does_not_happen_later() {
    let (home, connection) = connection();
    let writer = Writer::start(connection, Duration::from_millis(20));
    let (release, hang) = std::sync::mpsc::channel::<()>();
    let hanging = writer.run(move |_| {
        let _released = hang.recv();
        Ok(())
    });
    let behind = writer.run(|database| {
        database.execute("INSERT INTO kept VALUES (1, NULL)", [])?;
        Ok(())
    });
    let late = Err(StoreError::Unavailable("SQLite gave no answer within 20ms".into()));
    assert_eq!(tokio::join!(hanging, behind), (late.clone(), late));
    drop(release);
    writer.close().await;
    assert_eq!(kept(&Connection::open(home.path().join("test.db")).unwrap()), NOTHING);
}
