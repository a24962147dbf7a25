//! `vestibule user import`: rows of another system, read one after the other, judged each by itself, written many at a time.
//! A source that isn't what it says is refused before the first write, and so is one whose first rows can all not be used.

mod csv_file;
mod field_map;
mod json_lines;
mod mongodb_collection;
mod progress;
mod reading;
mod source;
mod sqlite_table;

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;

use crate::account::admin::{Admitted, Gate, Mode, Outcome, Refusal};
use crate::cli::command::ImportUsers;
use crate::cli::context::{Context, load, now, stdout, with_settings};
use crate::cli::failure::{Failure, Result};
use crate::clock::Timestamp;
use crate::password::foreign::Notation;
use crate::password::hash::Hasher;
use crate::store::sqlite::SqliteStore;
use field_map::FieldMap;
use progress::{Progress, sentence};
use source::{Row, Rows, Source};

/// Rows written at a time: enough for the store to commit many together.
const BATCH: usize = 512;

pub fn run(arguments: &ImportUsers) -> Result<()> {
    let (_, settings) = load(&arguments.file)?;
    let map = FieldMap::new(arguments.profile, &arguments.map, &settings.auth.user_fields)?;
    let source = Source::open(arguments, &map)?;
    let progress = Progress::begin(arguments.report.as_deref())?;
    with_settings(settings, async |context| {
        let rehearsal = if arguments.dry_run { Some(Rehearsal::begin()?) } else { None };
        let mode = rehearsal.as_ref().map_or(Mode::Write, |rehearsal| rehearsal.mode.clone());
        let hasher = Hasher::new(context.settings.password.cost);
        let gate = Gate { hasher: &hasher, fields: &context.settings.auth.user_fields };
        let mut import = Import { context, map: &map, gate, mode, now: now(), progress, tally: Tally::default() };
        let result = import.take_all(source).await;
        let Import { progress, tally, .. } = import;
        progress.end()?;
        tally.tell(&mut stdout(), arguments.dry_run)?;
        result?;
        match tally.refused {
            0 => Ok(()),
            refused => Err(Failure::other(format!("{refused} of {} rows can't be used", tally.read))),
        }
    })
}

/// An empty store in which a dry run finds out who would take whose name.
struct Rehearsal {
    mode: Mode,
    _folder: tempfile::TempDir,
}

impl Rehearsal {
    fn begin() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let store = SqliteStore::open(&folder.path().join("rehearsal.db"))?;
        Ok(Self { mode: Mode::Rehearse(Arc::new(store)), _folder: folder })
    }
}

struct Import<'a> {
    context: &'a Context,
    map: &'a FieldMap,
    gate: Gate<'a>,
    mode: Mode,
    now: Timestamp,
    progress: Progress,
    tally: Tally,
}

/// A row that may come, or why it can't.
type Judged = (u64, std::result::Result<Admitted, Refusal>);

impl Import<'_> {
    async fn take_all(&mut self, source: Source) -> Result<()> {
        let Source { mut rows, progress } = source;
        loop {
            let (batch, broken) = next_batch(&mut rows);
            let judged: Vec<Judged> = batch.into_iter().map(|row| self.judge(row)).collect();
            if self.tally.read == 0 {
                refuse_if_none_fits(&judged)?;
            }
            let is_last = judged.len() < BATCH;
            self.write(judged).await?;
            self.progress.show(&progress, self.tally.read)?;
            broken?;
            if is_last {
                return Ok(());
            }
        }
    }

    fn judge(&self, row: Row) -> Judged {
        let newcomer = row.record.and_then(|record| reading::newcomer(self.map, &record));
        (row.line, newcomer.and_then(|newcomer| newcomer.judge(&self.gate, self.now)))
    }

    async fn write(&mut self, judged: Vec<Judged>) -> Result<()> {
        let (mut lines, mut people) = (Vec::new(), Vec::new());
        for (line, judged) in judged {
            match judged {
                Ok(person) => {
                    lines.push((line, person.notation));
                    people.push(person);
                }
                Err(refusal) => {
                    self.tally.refuse();
                    self.progress.refuse(line, &refusal)?;
                }
            }
        }
        let outcomes = self.context.admin.bring_over(people, &self.mode, self.now).await?;
        for ((line, notation), outcome) in lines.into_iter().zip(outcomes) {
            match outcome {
                Outcome::Added => self.tally.add(notation),
                Outcome::Present => self.tally.pass(),
                Outcome::Refused(refusal) => {
                    self.tally.refuse();
                    self.progress.refuse(line, &refusal)?;
                }
            }
        }
        Ok(())
    }
}

/// Returns the next rows, and how the source broke if it did.
fn next_batch(rows: &mut Rows) -> (Vec<Row>, Result<()>) {
    let mut batch = Vec::with_capacity(BATCH);
    for row in rows.take(BATCH) {
        match row {
            Ok(row) => batch.push(row),
            Err(failure) => return (batch, Err(failure)),
        }
    }
    (batch, Ok(()))
}

/// Rows that can all not be used are hardly users: another map is needed, or another file.
fn refuse_if_none_fits(judged: &[Judged]) -> Result<()> {
    let Some((line, Err(first))) = judged.first() else { return Ok(()) };
    if judged.iter().any(|(_, judged)| judged.is_ok()) {
        return Ok(());
    }
    let first = sentence(*line, first);
    Err(Failure::other(format!("none of the first {} rows can be used, nothing was written; {first}", judged.len())))
}

/// What became of the rows.
#[derive(Default)]
struct Tally {
    read: u64,
    added: u64,
    present: u64,
    refused: u64,
    by_notation: BTreeMap<Notation, u64>,
    without_password: u64,
}

impl Tally {
    fn add(&mut self, notation: Option<Notation>) {
        self.read += 1;
        self.added += 1;
        match notation {
            Some(notation) => *self.by_notation.entry(notation).or_default() += 1,
            None => self.without_password += 1,
        }
    }

    fn pass(&mut self) {
        self.read += 1;
        self.present += 1;
    }

    fn refuse(&mut self) {
        self.read += 1;
        self.refused += 1;
    }

    fn tell(&self, out: &mut impl Write, is_dry: bool) -> std::io::Result<()> {
        let Self { read, added, present, refused, .. } = self;
        let verb = if is_dry { "would be added" } else { "added" };
        writeln!(out, "{read} rows: {added} {verb}, {present} here already, {refused} refused")?;
        if *added == 0 && *read > 0 {
            writeln!(out, "nothing was changed")?;
        }
        for (notation, count) in &self.by_notation {
            writeln!(out, "{count} with {notation} hashes")?;
        }
        if self.by_notation.contains_key(&Notation::Bcrypt) {
            writeln!(out, "{BCRYPT_RULE}")?;
        }
        if self.without_password > 0 {
            writeln!(out, "{} without a password: nobody can sign in to them yet", self.without_password)?;
        }
        Ok(())
    }
}

const BCRYPT_RULE: &str = "\
bcrypt hashes hold the first 72 bytes of a password alone: what follows may be anything until the owner signs in, and counts from
then on as it was typed";
