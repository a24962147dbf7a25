//! Rows of users from a file, one after the other: however many there are, few are in memory. Opening looks whether the file is
//! what it is said to be; a row that can't be read is handed on as refused, and what comes after it is read.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::rc::Rc;

use super::field_map::{FieldMap, Record};
use super::{csv_file, json_lines, mongodb_collection, sqlite_table};
use crate::account::admin::Refusal;
use crate::cli::command::{Format, ImportUsers};
use crate::cli::failure::{Failure, Result};
use crate::cli::table::printable;

/// No description of a person is longer; what is, lacks a quote or a line end.
pub const LONGEST_RECORD: u64 = 1 << 20;

pub struct Row {
    /// Where it stands: the line of a file, the number of a row.
    pub line: u64,
    pub record: std::result::Result<Record, Refusal>,
}

/// Rows, until the source ends or breaks.
pub type Rows = Box<dyn Iterator<Item = Result<Row>>>;

pub struct Source {
    pub rows: Rows,
    pub progress: Reading,
}

/// How much has been read, of how much if that is known.
#[derive(Clone, Default)]
pub struct Reading {
    done: Rc<Cell<u64>>,
    total: Option<u64>,
}

impl Reading {
    pub fn of(total: Option<u64>) -> Self {
        Self { done: Rc::default(), total }
    }

    pub fn add(&self, more: u64) {
        self.done.set(self.done.get().saturating_add(more));
    }

    /// Returns from 0 to 100, if the whole is known.
    pub fn percent(&self) -> Option<u64> {
        self.total.map(|total| self.done.get().min(total).saturating_mul(100).checked_div(total).unwrap_or(100))
    }
}

impl Source {
    pub fn open(arguments: &ImportUsers, map: &FieldMap) -> Result<Self> {
        match arguments.format {
            Format::Jsonl => json_lines::open(Bytes::open(&arguments.source)?),
            Format::Csv => csv_file::open(Bytes::open(&arguments.source)?, map),
            Format::Mongodb => mongodb_collection::open(&arguments.source, &arguments.table),
            Format::Sqlite => sqlite_table::open(&arguments.source, &arguments.table, map),
        }
    }
}

/// Returns the failure of a source that can't be used, or breaks off.
pub fn unusable(name: &str, reason: impl std::fmt::Display) -> Failure {
    Failure::other(format!("{}: {reason}", printable(name)))
}

/// The bytes of a file or of stdin, counted.
pub struct Bytes {
    pub name: String,
    input: Box<dyn Read>,
    pub reading: Reading,
    /// What may still be read before a record must end.
    pub room: Rc<Cell<u64>>,
}

impl Bytes {
    fn open(name: &str) -> Result<Self> {
        let (input, total): (Box<dyn Read>, _) = if name == "-" {
            (Box::new(io::stdin()), None)
        } else {
            let file = File::open(name).map_err(|error| unusable(name, error))?;
            let total = file.metadata().ok().filter(std::fs::Metadata::is_file).map(|about| about.len());
            (Box::new(file), total)
        };
        Ok(Self::new(name, input, total))
    }

    pub fn new(name: &str, input: Box<dyn Read>, total: Option<u64>) -> Self {
        let room = Rc::new(Cell::new(u64::MAX));
        Self { name: name.to_owned(), input, reading: Reading::of(total), room }
    }

    pub fn buffered(self) -> BufReader<Self> {
        BufReader::with_capacity(64 * 1024, self)
    }
}

impl Read for Bytes {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.room.get() == 0 {
            return Err(io::Error::other("found a record of more than 1 MiB: a quote that nothing closes?"));
        }
        let count = self.input.read(buffer)?;
        self.room.set(self.room.get().saturating_sub(count as u64));
        self.reading.add(count as u64);
        Ok(count)
    }
}
