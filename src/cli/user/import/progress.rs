//! How far an import is: a bar on a terminal, a line at every tenth elsewhere. And who could not come: a line each.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::path::Path;

use serde_json::json;

use super::source::{Reading, unusable};
use crate::account::admin::Refusal;
use crate::cli::failure::Result;
use crate::cli::table::printable;

const WIDTH: u64 = 30;
/// In rows, where it is not known how many there are.
const LINE_EVERY: u64 = 10_000;

/// What stderr shows while an import runs.
pub struct Progress {
    is_terminal: bool,
    report: Option<BufWriter<File>>,
    shown: u64,
}

impl Progress {
    /// Begins; refused rows go to the file `report`, if there is one.
    pub fn begin(report: Option<&Path>) -> Result<Self> {
        let open = |path: &Path| File::create(path).map_err(|error| unusable(&path.display().to_string(), error));
        let report = report.map(open).transpose()?.map(BufWriter::new);
        Ok(Self { is_terminal: io::stderr().is_terminal(), report, shown: 0 })
    }

    /// Tells of a row that can't be used.
    pub fn refuse(&mut self, line: u64, refusal: &Refusal) -> io::Result<()> {
        if let Some(report) = &mut self.report {
            let entry = json!({ "line": line, "field": refusal.field, "reason": refusal.reason });
            return writeln!(report, "{entry}");
        }
        self.clear()?;
        writeln!(io::stderr(), "{}", sentence(line, refusal))
    }

    /// Shows how far `reading` has come after so many rows.
    pub fn show(&mut self, reading: &Reading, rows: u64) -> io::Result<()> {
        let percent = reading.percent();
        if self.is_terminal {
            let bar = percent.map(bar).unwrap_or_default();
            write!(io::stderr(), "\r\x1b[K{bar}{rows} rows")?;
            return io::stderr().flush();
        }
        let step = percent.map_or(rows / LINE_EVERY, |percent| percent / 10);
        if step == self.shown {
            return Ok(());
        }
        self.shown = step;
        let of_all = percent.map(|percent| format!(" ({percent} %)")).unwrap_or_default();
        writeln!(io::stderr(), "{rows} rows{of_all}")
    }

    fn clear(&self) -> io::Result<()> {
        if self.is_terminal { write!(io::stderr(), "\r\x1b[K") } else { Ok(()) }
    }

    pub fn end(mut self) -> io::Result<()> {
        self.clear()?;
        self.report.as_mut().map_or(Ok(()), Write::flush)
    }
}

/// Returns the refusal as a line for people; a column's name may be anything.
pub fn sentence(line: u64, refusal: &Refusal) -> String {
    let field = if refusal.field.is_empty() { String::new() } else { format!("{}: ", printable(&refusal.field)) };
    format!("line {line}: {field}{}", printable(&refusal.reason))
}

fn bar(percent: u64) -> String {
    let full = percent * WIDTH / 100;
    let (full, empty) = ("#".repeat(usize::try_from(full).unwrap_or(0)), WIDTH.saturating_sub(full));
    format!("[{full}{}] {percent:>3} %  ", ".".repeat(usize::try_from(empty).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_is_as_long_at_the_end_as_at_the_beginning() {
        assert_eq!(bar(0), format!("[{}]   0 %  ", ".".repeat(30)));
        assert_eq!(bar(50), format!("[{}{}]  50 %  ", "#".repeat(15), ".".repeat(15)));
        assert_eq!(bar(100), format!("[{}] 100 %  ", "#".repeat(30)));
    }

    #[test]
    fn a_refusal_moves_no_cursor() {
        let refusal = Refusal::new("a\x1b[2Jb", "no such field");
        assert_eq!(sentence(7, &refusal), "line 7: a\\u{1b}[2Jb: no such field");
        assert_eq!(sentence(7, &Refusal::new("", "no object")), "line 7: no object");
    }
}
