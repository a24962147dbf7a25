//! Columns for people. Nothing that a store holds can move a terminal's cursor or forge a row.

use std::io::{self, Write};

use anstyle::Style;

/// Rows below their headings.
pub struct Table<const N: usize> {
    headings: [&'static str; N],
    rows: Vec<[String; N]>,
}

const BOLD: Style = Style::new().bold();

impl<const N: usize> Table<N> {
    pub fn new(headings: [&'static str; N]) -> Self {
        Self { headings, rows: Vec::new() }
    }

    pub fn push(&mut self, cells: [String; N]) {
        self.rows.push(cells.map(|cell| if cell.is_empty() { "-".to_owned() } else { printable(&cell) }));
    }

    /// Writes the columns aligned on their longest cell, two spaces apart; nothing trails.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let widths: [usize; N] = std::array::from_fn(|column| {
            let cells = self.rows.iter().map(|row| row[column].chars().count());
            cells.max().unwrap_or(0).max(self.headings[column].len())
        });
        writeln!(out, "{BOLD}{}{BOLD:#}", align(self.headings.iter().copied(), &widths))?;
        for row in &self.rows {
            writeln!(out, "{}", align(row.iter().map(String::as_str), &widths))?;
        }
        Ok(())
    }
}

fn align<'a>(cells: impl Iterator<Item = &'a str>, widths: &[usize]) -> String {
    let padded: Vec<String> = cells.zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
    padded.join("  ").trim_end().to_owned()
}

/// Writes names and values, one pair a line, values aligned.
pub fn write_pairs(out: &mut impl Write, pairs: &[(&str, String)]) -> io::Result<()> {
    let width = pairs.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, value) in pairs {
        let value = if value.is_empty() { "-".to_owned() } else { printable(value) };
        writeln!(out, "{BOLD}{name:width$}{BOLD:#}  {value}")?;
    }
    Ok(())
}

/// Returns `text` with control and direction characters escaped.
pub fn printable(text: &str) -> String {
    let is_tricky = |letter: char| {
        letter.is_control()
            || matches!(letter, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !text.chars().any(is_tricky) {
        return text.to_owned();
    }
    text.chars()
        .flat_map(|letter| if is_tricky(letter) { letter.escape_default().collect() } else { vec![letter] })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(rows: &[[&str; 3]]) -> String {
        let mut table = Table::new(["NAME", "ROLES", "ID"]);
        for row in rows {
            table.push(row.map(str::to_owned));
        }
        let mut out = anstream::StripStream::new(Vec::new());
        table.write(&mut out).unwrap();
        String::from_utf8(out.into_inner()).unwrap()
    }

    #[test]
    fn columns_are_aligned_and_nothing_trails() {
        let text = written(&[["ada", "", "1"], ["zoë.long", "admin,editor", "22"]]);
        assert_eq!(text, "NAME      ROLES         ID\nada       -             1\nzoë.long  admin,editor  22\n");
    }

    #[test]
    fn no_cell_forges_a_row_or_moves_the_cursor() {
        let text = written(&[["a\nroot  admin  0", "\u{1b}[2J\u{9b}1A", "\u{202e}x"]]);
        assert_eq!(text.lines().count(), 2);
        assert!(
            !text.chars().any(|letter| letter != '\n' && (letter.is_control() || letter == '\u{202e}')),
            "{text:?}"
        );
    }
}
