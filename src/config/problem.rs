//! What is wrong with a configuration: every problem with its place, what was found, what was expected and the way out.
//! A line that may hold a secret is never shown. Made by the rooms beside this one, printed by `cli`.

use std::fmt;
use std::ops::Range;

/// One mistake. `line` and `column` count from 1; both are 0 when the place is no spot in a text: a variable, a missing file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file, or the environment variable that overrides it.
    pub file: String,
    pub line: usize,
    /// In characters, not bytes.
    pub column: usize,
    /// The key, such as `route[2].upstream`; tables of a list count from 1. Empty for the file as a whole.
    pub path: String,
    pub found: String,
    pub expected: String,
    pub hint: Option<String>,
    /// The line of the text, unless it may hold a secret, and how many characters of it are meant.
    pub(super) excerpt: Option<String>,
    pub(super) width: usize,
}

/// Every mistake of a configuration, in the order of the text. Never empty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Problems(pub Vec<Problem>);

impl Problem {
    /// Returns a problem of the file as a whole.
    pub(super) fn of_file(file: &str, found: String, expected: &str, hint: Option<String>) -> Self {
        Self {
            file: file.to_owned(),
            line: 0,
            column: 0,
            path: String::new(),
            found,
            expected: expected.to_owned(),
            hint: hint.map(|text| legible(&text)),
            excerpt: None,
            width: 0,
        }
    }

    /// Sets line, column and excerpt to those of `span` in `text`.
    pub(super) fn point_at(&mut self, text: &str, span: &Range<usize>) {
        let (line, column) = line_and_column(text, span.start);
        let content = text.lines().nth(line - 1).unwrap_or_default();
        (self.line, self.column) = (line, column);
        self.width = text.get(span.clone()).and_then(|part| part.lines().next()).map_or(1, |part| part.chars().count());
        let inside_long_string = [r#"""""#, "'''"].iter().any(|quotes| open_before(text, span.start, quotes));
        let shown = content.chars().count() <= LONGEST_EXCERPT && !inside_long_string && !may_hold_secret(content);
        self.excerpt = shown.then(|| content.replace(char::is_control, " "));
    }
}

const LONGEST_EXCERPT: usize = 200;

/// Returns line and column, from 1, of a byte offset; the offset may lie past the end.
pub(super) fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

/// Whether a string over several lines is open at `offset`: its lines say nothing about the key they belong to.
fn open_before(text: &str, offset: usize, quotes: &str) -> bool {
    let (line, _) = line_and_column(text, offset);
    let above: usize = text.lines().take(line - 1).map(|content| content.matches(quotes).count()).sum();
    above % 2 == 1
}

/// Whether a line may show a secret: it names a key for one, even misspelt, begins a private key, or has a URL with a
/// user in it.
pub(super) fn may_hold_secret(line: &str) -> bool {
    let names_secret = line.split(|letter: char| !letter.is_alphanumeric()).map(str::to_lowercase).any(|word| {
        strsim::damerau_levenshtein(&word, "secret") <= 2 || strsim::damerau_levenshtein(&word, "smtp") <= 1
    });
    // Where a public key belongs people paste private ones.
    let holds_key = line.contains("PRIVATE KEY") || line.contains("public_key");
    names_secret || holds_key || has_user_info(line)
}

/// Returns `text` with its control characters escaped: a hint may repeat what a file holds, and is shown on a terminal.
fn legible(text: &str) -> String {
    let escaped =
        |letter: char| if letter.is_control() { letter.escape_default().to_string() } else { letter.to_string() };
    text.chars().map(escaped).collect()
}

pub(super) fn has_user_info(text: &str) -> bool {
    text.contains("://") && text.contains('@')
}

/// Returns the name of `names` that `typed` was most likely meant to be: a slip of a few letters, else a longer or shorter form.
pub(super) fn nearest<'n>(typed: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let typed = typed.to_lowercase();
    let names: Vec<&str> = names.into_iter().filter(|name| !name.is_empty()).collect();
    let distance = |name: &str| strsim::damerau_levenshtein(&typed, &name.to_lowercase());
    let closest = *names.iter().min_by_key(|name| distance(name))?;
    if distance(closest) <= (closest.chars().count() / 3).clamp(1, 3) {
        return Some(closest);
    }
    let is_form = |name: &&str| typed.len() >= 3 && name.len() >= 3 && (name.contains(&typed) || typed.contains(*name));
    names.iter().copied().find(is_form)
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.file)?;
        if self.line > 0 {
            write!(out, ":{}:{}", self.line, self.column)?;
        }
        if !self.path.is_empty() {
            write!(out, ": {}", self.path)?;
        }
        writeln!(out, ": found {}, expected {}", self.found, self.expected)?;
        if let Some(excerpt) = &self.excerpt {
            let gutter = self.line.to_string().len();
            let marks =
                "^".repeat(self.width.clamp(1, (excerpt.chars().count() + 2).saturating_sub(self.column).max(1)));
            writeln!(out, "  {:gutter$} |\n  {} | {excerpt}", "", self.line)?;
            writeln!(out, "  {:gutter$} | {:indent$}{marks}", "", "", indent = self.column - 1)?;
        }
        if let Some(hint) = &self.hint {
            writeln!(out, "  hint: {hint}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.0 {
            writeln!(out, "{problem}")?;
        }
        let ending = if self.0.len() == 1 { "" } else { "s" };
        write!(out, "{} problem{ending} found", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pointing_at(text: &str, part: &str) -> Problem {
        let start = text.find(part).expect("the part is in the text");
        let mut problem = Problem::of_file("a.toml", "`x`".into(), "`y`", Some("write `y`".into()));
        problem.point_at(text, &(start..start + part.len()));
        problem
    }

    #[test]
    fn a_problem_shows_its_line_with_a_caret_below_the_part_that_is_meant() {
        let shown = pointing_at("[log]\nlevel = \"loud\"\n", "\"loud\"").to_string();
        assert_eq!(
            shown,
            "a.toml:2:9: found `x`, expected `y`\n    |\n  2 | level = \"loud\"\n    |         ^^^^^^\n  hint: write `y`\n"
        );
    }

    #[test]
    fn columns_count_characters_and_not_bytes() {
        assert_eq!(pointing_at("é = \"ü\", x", "x").column, 10);
    }

    #[test]
    fn a_line_that_may_hold_a_secret_is_not_shown() {
        for line in [
            "secret = \"hunter2\"",
            "secert = \"hunter2\"",
            "refresh_secret = 1",
            "url = \"http://u:hunter2@h\"",
            "public_key = \"-----BEGIN PRIVATE KEY-----hunter2\"",
        ] {
            assert_eq!(pointing_at(line, "=").excerpt, None, "{line}");
        }
        assert_eq!(pointing_at("secret = '''\nhunter2\n'''", "hunter2").excerpt, None);
        assert!(pointing_at("level = 3", "=").excerpt.is_some());
    }

    #[test]
    fn a_place_past_the_end_of_the_text_is_still_a_place() {
        assert_eq!(line_and_column("a\nb", 99), (2, 2));
        let mut problem = Problem::of_file("a", String::new(), "", None);
        problem.point_at("a\n", &(99..120));
        assert!(problem.to_string().starts_with("a:2:1"));
    }

    #[test]
    fn the_nearest_name_is_near_or_none() {
        assert_eq!(nearest("lisen", ["listen", "drain"]), Some("listen"));
        assert_eq!(nearest("timeout", ["connect_timeout", "retries"]), Some("connect_timeout"));
        assert_eq!(nearest("zebra", ["listen", "drain"]), None);
        assert_eq!(nearest("x", []), None);
    }
}
