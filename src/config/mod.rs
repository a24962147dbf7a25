//! Turns TOML text into checked [`Settings`], or into every [`Problem`] of it at once, each with its place and the way out.
//! It never shows a secret, and opens no file but the configuration and those that a value names with `file:`.
//! Called by `app` and `cli`, and imported by nobody else.

mod defaults;
mod document;
mod environment;
mod front;
mod problem;
mod profiles;
mod read;
mod section;
pub mod settings;
mod text;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use toml::de::DeTable;

use document::{At, Document, Fault};
use section::Section;

pub use environment::Environment;
pub use front::{FrontOptions, front};
pub use problem::{Problem, Problems};
pub use settings::Settings;

/// Returns the file that is read when none is named: the first that exists of `vestibule.toml` and
/// `config/vestibule.toml`, else the first, so that [`load`] can say that it is missing.
pub fn find_file() -> PathBuf {
    let places = ["vestibule.toml", "config/vestibule.toml"].map(PathBuf::from);
    places.iter().find(|place| place.is_file()).unwrap_or(&places[0]).clone()
}

/// Returns the settings that the file and the variables make, or everything that is wrong with them.
pub fn load(path: &Path, environment: &Environment) -> Result<Settings, Problems> {
    let name = path.display().to_string();
    let unreadable = |found: String, hint: Option<&str>| {
        let hint = hint.map(str::to_owned);
        Problems(vec![Problem::of_file(&name, found, "a configuration file in TOML", hint)])
    };
    let bytes = std::fs::read(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            let hint = "`vestibule front http://127.0.0.1:3000 --print-config` prints one to start from";
            unreadable("no such file".to_owned(), Some(hint))
        }
        _ => unreadable(error.to_string(), None),
    })?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let text = String::from_utf8_lossy(&error.as_bytes()[..valid]);
        let (line, column) = problem::line_and_column(&text, valid);
        let mut problems = unreadable("bytes that are not UTF-8".to_owned(), None);
        (problems.0[0].line, problems.0[0].column) = (line, column);
        problems
    })?;
    parse(&name, &text, environment)
}

/// Returns the settings that `text` and the variables make; `name` stands for the file in problems.
pub fn parse(name: &str, text: &str, environment: &Environment) -> Result<Settings, Problems> {
    let document = Document::new(name, text, environment);
    let settings = read_document(&document);
    let problems = document.into_problems();
    if problems.is_empty() { Ok(settings) } else { Err(Problems(problems)) }
}

/// Returns the store that `url` and `prefix` name, read as `[store]` of a file would be; `option` and `OPTION-prefix` are where
/// they stand on a command line.
pub fn store_at(
    option: &str,
    url: &str,
    prefix: Option<&str>,
    environment: &Environment,
) -> Result<settings::Store, Problems> {
    let environment = environment.without_overrides();
    let prefix = prefix.map(|prefix| format!("\nprefix = {}", toml::Value::from(prefix))).unwrap_or_default();
    let text = format!("url = {}{prefix}", toml::Value::from(url));
    let document = Document::new(option, &text, &environment);
    let store = match DeTable::parse(&text) {
        Ok(table) => read::store(&Section::root(&document, table.get_ref())),
        Err(error) => {
            document.refuse(&At::File, "", syntax_fault(error.message()));
            settings::Store::default()
        }
    };
    let mut problems = document.into_problems();
    for problem in &mut problems {
        // It stands on a command line, not in a text.
        (problem.line, problem.column, problem.excerpt) = (0, 0, None);
        if std::mem::take(&mut problem.path) == "prefix" {
            problem.file = format!("{option}-prefix");
        }
    }
    if problems.is_empty() { Ok(store) } else { Err(Problems(problems)) }
}

fn read_document(document: &Document<'_>) -> Settings {
    let (table, errors) = DeTable::parse_recoverable(document.text);
    // After a slip of syntax the parser guesses, and what it says next is about its guesses. A repeated key spoils nothing.
    let slip = errors.iter().find(|error| error.message() != DUPLICATE_KEY);
    let repeated = errors.iter().filter(|error| error.message() == DUPLICATE_KEY);
    for error in slip.into_iter().chain(repeated.filter(|_| slip.is_none())) {
        let at = At::Span(error.span().unwrap_or_default());
        document.refuse(&at, "", syntax_fault(error.message()));
    }
    if slip.is_some() {
        return Settings::default();
    }
    let table = table.into_inner();
    // What is no table is refused once, when it is read.
    if table.get("auth").is_none_or(|auth| auth.get_ref().is_table()) {
        read::choose_profile(&Section::root(document, &table));
    }
    let settings = read::settings(&Section::root(document, &table));
    document.refuse_unknown_keys(&table, "");
    document.refuse_unknown_variables();
    settings
}

const DUPLICATE_KEY: &str = "duplicate key";

fn syntax_fault(message: &str) -> Fault {
    if message == DUPLICATE_KEY {
        return Fault::new("a key for the second time", "each key once");
    }
    match message.split_once(", expected ") {
        Some(("string values must be quoted" | "invalid float", _)) => {
            Fault::new("a value that is none", "a string in quotes, a number, true, false or a list")
        }
        Some((found, "nothing")) => Fault::new(found, TOML),
        Some((found, expected)) => Fault::new(found, expected),
        None => Fault::new(message, TOML),
    }
}

const TOML: &str = "TOML (https://toml.io)";
