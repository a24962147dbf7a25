//! CSV with a header (RFC 4180), as `PostgreSQL`'s `COPY … CSV HEADER` writes it: an empty cell is nothing.

use csv::{ByteRecord, Reader, ReaderBuilder, Terminator};
use serde_json::Value;

use super::field_map::{FieldMap, Record};
use super::source::{Bytes, LONGEST_RECORD, Row, Source, unusable};
use crate::account::admin::Refusal;
use crate::cli::failure::Result;

pub fn open(bytes: Bytes, map: &FieldMap) -> Result<Source> {
    let (name, progress, room) = (bytes.name.clone(), bytes.reading.clone(), bytes.room.clone());
    room.set(LONGEST_RECORD);
    // Lines end with LF, and a CR before it is taken off here: read as one end, the two would count as half a line each.
    let mut reader = ReaderBuilder::new().terminator(Terminator::Any(b'\n')).from_reader(bytes);
    let failed = |reason: String| unusable(&name, format!("no CSV file of users: {reason}"));
    let header = reader.byte_headers().map_err(|error| failed(error.to_string()))?;
    let columns: Option<Vec<String>> =
        header.iter().map(|cell| String::from_utf8(cell.trim_ascii().to_vec()).ok()).collect();
    let columns = columns.ok_or_else(|| failed("the header is not UTF-8".to_owned()))?;
    map.check_columns(&columns).map_err(failed)?;
    Ok(Source { rows: Box::new(Records { reader, name, columns, room, is_over: false }), progress })
}

struct Records {
    reader: Reader<Bytes>,
    name: String,
    columns: Vec<String>,
    room: std::rc::Rc<std::cell::Cell<u64>>,
    is_over: bool,
}

impl Iterator for Records {
    type Item = Result<Row>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let mut cells = ByteRecord::new();
        loop {
            self.room.set(LONGEST_RECORD);
            let read = self.reader.read_byte_record(&mut cells);
            if matches!(read, Ok(false)) {
                return None;
            }
            let line = cells.position().map_or(0, csv::Position::line);
            if cells.len() == 1 && self.columns.len() > 1 && cells[0].trim_ascii().is_empty() {
                continue;
            }
            return Some(match read.map_err(csv::Error::into_kind) {
                Ok(_) => Ok(Row { line, record: self.record(&cells) }),
                Err(csv::ErrorKind::UnequalLengths { expected_len, len, .. }) => {
                    let reason = format!("found {len} cells, expected {expected_len} as in the header");
                    Ok(Row { line, record: Err(Refusal::new("", reason)) })
                }
                Err(csv::ErrorKind::Io(error)) => Err(self.broken(&error.to_string())),
                Err(_) => Err(self.broken("can't be read")),
            });
        }
    }
}

impl Records {
    fn broken(&mut self, reason: &str) -> crate::cli::failure::Failure {
        self.is_over = true;
        unusable(&self.name, format!("after line {}: {reason}", self.reader.position().line()))
    }

    fn record(&self, cells: &ByteRecord) -> std::result::Result<Record, Refusal> {
        let mut record = Record::new();
        for (column, cell) in self.columns.iter().zip(cells) {
            let cell = cell.strip_suffix(b"\r").unwrap_or(cell);
            let text = std::str::from_utf8(cell).map_err(|_| Refusal::new(column.clone(), "found no UTF-8"))?;
            if !text.is_empty() {
                record.insert(column.clone(), Value::from(text));
            }
        }
        Ok(record)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::identity::profile::UserFields;

    fn source(text: &[u8]) -> Result<Source> {
        let map = FieldMap::new(None, &[], &UserFields::new()).unwrap();
        open(Bytes::new("users.csv", Box::new(Cursor::new(text.to_vec())), None), &map)
    }

    #[test]
    fn cells_are_named_by_the_header_and_empty_ones_are_nothing() {
        let text = "\u{feff}email, phone,full_name\na@b.example,,\"L, \"\"Ada\"\"\nx\"\nlast@b.example,1,\n";
        for text in [text.to_owned(), text.replace('\n', "\r\n")] {
            let rows: Vec<Row> = source(text.as_bytes()).unwrap().rows.map(|row| row.ok().unwrap()).collect();
            let records: Vec<&Record> = rows.iter().map(|row| row.record.as_ref().unwrap()).collect();
            assert_eq!((rows.len(), rows[0].line, rows[1].line), (2, 2, 4), "{text:?}");
            assert_eq!((records[0]["email"].as_str(), records[0].get("phone")), (Some("a@b.example"), None));
            assert_eq!(records[0]["full_name"].as_str().unwrap().replace('\r', ""), "L, \"Ada\"\nx");
            assert_eq!((records[1]["phone"].as_str(), records[1].get("full_name")), (Some("1"), None), "{text:?}");
        }
    }

    #[test]
    fn blank_lines_are_passed_over() {
        for text in ["email,phone\n\na@b.example,1\n\n", "email,phone\r\n\r\na@b.example,1\r\n\r\n"] {
            assert_eq!(source(text.as_bytes()).unwrap().rows.collect::<Vec<_>>().len(), 1, "{text:?}");
        }
    }

    #[test]
    fn a_row_of_another_length_or_encoding_is_refused_alone() {
        let rows = source(b"email,phone\na@b.example\nb@b.example,\xff\nc@b.example,1\n").unwrap().rows;
        let good: Vec<(u64, bool)> =
            rows.map(|row| row.ok().unwrap()).map(|row| (row.line, row.record.is_ok())).collect();
        assert_eq!(good, [(2, false), (3, false), (4, true)]);
    }

    #[test]
    fn a_file_without_users_is_refused_before_its_first_row() {
        for text in [&b"price,name\n1,2\n"[..], b"email;phone\n", b"{\"email\":\"a@b.example\"}\n", b"", b"\xff\xfe\n"]
        {
            let failure = source(text).err().unwrap();
            assert!(failure.message.starts_with("users.csv: no CSV file of users: "), "{}", failure.message);
        }
    }

    #[test]
    fn a_quote_that_nothing_closes_ends_the_reading_and_takes_no_memory() {
        let endless = [&b"email\na@b.example\n\""[..], &vec![b'x'; 3 << 20]].concat();
        let mut rows = source(&endless).unwrap().rows;
        assert!(rows.next().unwrap().is_ok());
        let failure = rows.next().unwrap().err().unwrap();
        assert!(failure.message.contains("more than 1 MiB"), "{}", failure.message);
        assert!(rows.next().is_none());
    }
}
