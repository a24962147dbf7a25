//! A table of an `SQLite` file, which is opened for reading alone. A thread reads ahead a little; the file may be in use.

use std::path::PathBuf;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

use super::field_map::{FieldMap, Record};
use super::source::{Reading, Row, Source, unusable};
use crate::account::admin::Refusal;
use crate::cli::failure::Result;
use crate::cli::table::printable;

/// How many rows wait to be imported.
const AHEAD: usize = 512;

pub fn open(path: &str, table: &str, map: &FieldMap) -> Result<Source> {
    let failed = |reason: String| unusable(path, reason);
    let no_database = |error: rusqlite::Error| failed(format!("no SQLite file that can be read: {error}"));
    let file = PathBuf::from(path);
    if !file.is_file() {
        return Err(failed("no such file".to_owned()));
    }
    let connection =
        Connection::open_with_flags(&file, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)
            .map_err(no_database)?;
    let tables = tables(&connection).map_err(no_database)?;
    if !tables.iter().any(|name| name == table) {
        let names: Vec<String> = tables.iter().map(|name| printable(name)).collect();
        return Err(failed(format!("no table is called {}; it has {}", printable(table), names.join(", "))));
    }
    let quoted = format!("\"{}\"", table.replace('"', "\"\""));
    let columns: Vec<String> = {
        let statement = connection.prepare(&format!("SELECT * FROM {quoted}")).map_err(no_database)?;
        statement.column_names().map(str::to_owned).collect()
    };
    map.check_columns(&columns).map_err(|reason| failed(format!("table {}: {reason}", printable(table))))?;
    let total: i64 =
        connection.query_row(&format!("SELECT count(*) FROM {quoted}"), [], |row| row.get(0)).map_err(no_database)?;
    let progress = Reading::of(u64::try_from(total).ok());
    let (sender, rows) = sync_channel(AHEAD);
    let name = path.to_owned();
    thread::Builder::new().name("import-reader".to_owned()).spawn(move || {
        if let Err(error) = read(&connection, &quoted, &columns, &sender) {
            // Whoever stopped listening knows why.
            let _ = sender.send(Err(unusable(&name, error)));
        }
    })?;
    let counted = progress.clone();
    Ok(Source { rows: Box::new(rows.into_iter().inspect(move |_| counted.add(1))), progress })
}

fn tables(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare(
        "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%' ORDER BY 1",
    )?;
    statement.query_map([], |row| row.get(0))?.collect()
}

fn read(
    connection: &Connection,
    quoted: &str,
    columns: &[String],
    sender: &SyncSender<Result<Row>>,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(&format!("SELECT * FROM {quoted}"))?;
    let mut rows = statement.query([])?;
    let mut line = 0;
    while let Some(row) = rows.next()? {
        line += 1;
        let cells = columns.iter().enumerate().map(|(index, column)| {
            let value = value(row.get_ref(index).ok()).ok_or_else(|| Refusal::new(column.clone(), "found no UTF-8"))?;
            Ok((column.clone(), value))
        });
        let record: std::result::Result<Record, Refusal> = cells.collect();
        if sender.send(Ok(Row { line, record })).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

fn value(cell: Option<ValueRef<'_>>) -> Option<Value> {
    Some(match cell? {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => number.into(),
        ValueRef::Real(number) => number.into(),
        ValueRef::Text(text) => std::str::from_utf8(text).ok()?.into(),
        // Ids are often UUIDs as bytes; other bytes are no part of a person's description.
        ValueRef::Blob(bytes) => uuid::Uuid::from_slice(bytes).ok()?.to_string().into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::profile::UserFields;

    fn source(sql: &str, table: &str) -> Result<Source> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.db");
        Connection::open(&path).unwrap().execute_batch(sql).unwrap();
        let map = FieldMap::new(None, &[], &UserFields::new()).unwrap();
        open(path.to_str().unwrap(), table, &map)
    }

    #[test]
    fn rows_come_with_their_types_and_strange_names() {
        let sql = "CREATE TABLE \"my \"\"users\" (id BLOB, email TEXT, is_active INTEGER, phone TEXT);
                   INSERT INTO \"my \"\"users\" VALUES (x'00112233445566778899aabbccddeeff', 'a@b.example', 0, NULL),
                                                       (x'01', 'b@b.example', 1, CAST(x'ff' AS TEXT));";
        let mut rows = source(sql, "my \"users").unwrap().rows;
        let first = rows.next().unwrap().ok().unwrap().record.unwrap();
        assert_eq!(first["id"], "00112233-4455-6677-8899-aabbccddeeff");
        assert_eq!((&first["is_active"], &first["phone"]), (&Value::from(0), &Value::Null));
        let second = rows.next().unwrap().ok().unwrap();
        assert_eq!((second.line, second.record.unwrap_err().field.as_str()), (2, "id"));
        assert!(rows.next().is_none());
    }

    #[test]
    fn a_table_that_is_not_there_or_holds_no_users_is_refused() {
        let sql = "CREATE TABLE people (email TEXT); CREATE TABLE prices (price TEXT);";
        let failure = source(sql, "users").err().unwrap();
        assert!(failure.message.contains("no table is called users; it has people, prices"), "{}", failure.message);
        let failure = source(sql, "prices").err().unwrap();
        assert!(failure.message.contains("table prices: no column holds e-mail"), "{}", failure.message);
    }

    #[test]
    fn what_is_no_database_is_refused_and_no_file_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let map = FieldMap::new(None, &[], &UserFields::new()).unwrap();
        let path = folder.path().join("none.db");
        assert!(open(path.to_str().unwrap(), "users", &map).is_err() && !path.exists());
        std::fs::write(&path, "email,phone\n".repeat(100)).unwrap();
        let failure = open(path.to_str().unwrap(), "users", &map).err().unwrap();
        assert!(failure.message.contains("no SQLite file"), "{}", failure.message);
    }
}
