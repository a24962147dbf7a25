//! A JSON object a line. Blank lines count as lines and are passed over.

use std::io::{BufRead, BufReader, Read as _};

use serde_json::Value;

use super::field_map::Record;
use super::source::{Bytes, LONGEST_RECORD, Row, Source, unusable};
use crate::account::admin::Refusal;
use crate::cli::failure::Result;

pub fn open(bytes: Bytes) -> Result<Source> {
    let (name, progress) = (bytes.name.clone(), bytes.reading.clone());
    let mut lines = Lines { input: bytes.buffered(), name, number: 0, is_over: false };
    let Some(first) = lines.next().transpose()? else {
        return Ok(Source { rows: Box::new(std::iter::empty()), progress });
    };
    if let Err(refusal) = &first.record {
        let found = format!("no file of JSON lines: line {}: {}", first.line, refusal.reason);
        return Err(unusable(&lines.name, format!("{found}; expected a JSON object on each line")));
    }
    Ok(Source { rows: Box::new(std::iter::once(Ok(first)).chain(lines)), progress })
}

struct Lines {
    input: BufReader<Bytes>,
    name: String,
    number: u64,
    is_over: bool,
}

impl Iterator for Lines {
    type Item = Result<Row>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.is_over {
            self.number += 1;
            let mut line = Vec::new();
            let read = (&mut self.input).take(LONGEST_RECORD).read_until(b'\n', &mut line);
            let is_cut = line.len() as u64 == LONGEST_RECORD && line.last() != Some(&b'\n');
            let skipped = if is_cut { self.input.skip_until(b'\n').map(drop) } else { Ok(()) };
            if let Err(error) = read.and(skipped.map(|()| 0)) {
                self.is_over = true;
                return Some(Err(unusable(&self.name, format!("line {}: {error}", self.number))));
            }
            self.is_over = line.last() != Some(&b'\n') && !is_cut;
            let content = line.trim_ascii();
            let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
            if is_cut {
                let record = Err(Refusal::new("", "found a line of more than 1 MiB"));
                return Some(Ok(Row { line: self.number, record }));
            }
            if !content.is_empty() {
                return Some(Ok(Row { line: self.number, record: parse(content) }));
            }
        }
        None
    }
}

fn parse(line: &[u8]) -> std::result::Result<Record, Refusal> {
    let found = match serde_json::from_slice(line) {
        Ok(Value::Object(record)) => return Ok(record),
        Ok(Value::Array(_)) => "found a JSON array; `jq -c '.[]'` makes lines of one".to_owned(),
        Ok(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => {
            "found a JSON value that is no object".to_owned()
        }
        // serde_json names places and kinds, never what stands there.
        Err(_) if line == b"[" || line.starts_with(b"[{") => {
            "found the beginning of a JSON array; `jq -c '.[]'` makes lines of one".to_owned()
        }
        Err(error) => format!("found no JSON object: column {}", error.column()),
    };
    Err(Refusal::new("", found))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn rows(text: &[u8]) -> Result<Vec<(u64, bool)>> {
        let bytes = Bytes::new("users.jsonl", Box::new(Cursor::new(text.to_vec())), Some(text.len() as u64));
        open(bytes)?.rows.map(|row| row.map(|row| (row.line, row.record.is_ok()))).collect()
    }

    #[test]
    fn lines_keep_their_numbers_over_blank_ones_and_such_as_are_no_object() {
        let text = b"\n{\"a\":1}\r\n\n[1]\n\xff\xfe\n{\"a\":2";
        assert_eq!(rows(text), Ok(vec![(2, true), (4, false), (5, false), (6, false)]));
        assert_eq!(rows(b"\xef\xbb\xbf{\"a\":1}"), Ok(vec![(1, true)]));
        assert_eq!(rows(b"\n\n"), Ok(vec![]));
    }

    #[test]
    fn a_file_that_begins_otherwise_is_refused_with_what_it_is() {
        for (text, found) in [
            (&b"[\n{\"a\":1}]"[..], "array"),
            (b"[{\"a\":1},{\"a\":2}]", "array"),
            (b"email,name\n", "no JSON object"),
            (b"SQLite format 3\0", "no JSON object"),
            (b"7", "no object"),
        ] {
            let failure = rows(text).unwrap_err();
            assert!(failure.message.starts_with("users.jsonl: no file of JSON lines: line 1"), "{}", failure.message);
            assert!(failure.message.contains(found), "{}", failure.message);
        }
    }

    #[test]
    fn a_line_without_end_is_refused_in_bounded_memory_and_the_next_is_read() {
        let long = [b"{\"a\":1}\n{\"b\":\"".to_vec(), vec![b'x'; 3 << 20], b"\"}\n{\"c\":1}\n".to_vec()].concat();
        assert_eq!(rows(&long), Ok(vec![(1, true), (2, false), (3, true)]));
    }
}
