//! One TOML text being read: it collects the problems and remembers which keys were asked for,
//! so that whatever nobody asked for is an unknown key. [`Section`](super::section::Section)s read through it.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeSet;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::environment::{Environment, variable_for};
use super::problem::{Problem, nearest};
use super::profiles::Profile;

/// Where a value stands.
#[derive(Clone, Debug)]
pub(super) enum At {
    Span(Range<usize>),
    Variable(String),
    /// What is missing has no place of its own.
    File,
    /// A value that the chosen profile brought.
    Profile,
}

/// What is wrong, before it is known where.
pub(super) struct Fault {
    pub found: String,
    pub expected: String,
    pub hint: Option<String>,
}

impl Fault {
    pub(super) fn new(found: impl Into<String>, expected: impl Into<String>) -> Self {
        Self { found: found.into(), expected: expected.into(), hint: None }
    }

    pub(super) fn hint(mut self, hint: impl Into<Option<String>>) -> Self {
        self.hint = hint.into();
        self
    }
}

pub(super) struct Document<'a> {
    pub name: &'a str,
    pub text: &'a str,
    pub environment: &'a Environment,
    /// Chosen once, by the text itself, before anything else is read.
    profile: OnceCell<Profile>,
    /// Paths of every key that was asked for, present or not, and of every list item that was gone through.
    asked: RefCell<BTreeSet<String>>,
    problems: RefCell<Vec<(At, Problem)>>,
    warnings: RefCell<Vec<String>>,
}

impl<'a> Document<'a> {
    pub(super) fn new(name: &'a str, text: &'a str, environment: &'a Environment) -> Self {
        Self {
            name,
            text,
            environment,
            profile: OnceCell::new(),
            asked: RefCell::default(),
            problems: RefCell::default(),
            warnings: RefCell::default(),
        }
    }

    pub(super) fn choose_profile(&self, profile: Profile) {
        // Called once; a second choice would have to be the same.
        let _ = self.profile.set(profile);
    }

    pub(super) fn profile(&self) -> Option<&Profile> {
        self.profile.get()
    }

    pub(super) fn ask(&self, path: &str) {
        self.asked.borrow_mut().insert(path.to_owned());
    }

    pub(super) fn refuse(&self, at: &At, path: &str, fault: Fault) {
        let mut problem = Problem::of_file(self.name, fault.found, &fault.expected, fault.hint);
        path.clone_into(&mut problem.path);
        match at {
            At::Span(span) => problem.point_at(self.text, span),
            At::Variable(name) => problem.file.clone_from(name),
            At::File => {}
            At::Profile => {
                let name = self.profile().map_or("", |profile| profile.name);
                problem.hint.get_or_insert_with(|| {
                    format!("`auth.profile = {name:?}` asks for it; write `{path}` to change that")
                });
            }
        }
        self.problems.borrow_mut().push((at.clone(), problem));
    }

    /// Returns `file:line:column` of a place, for hints that speak of another one.
    pub(super) fn describe(&self, at: &At) -> String {
        match at {
            At::Span(span) => {
                let (line, column) = super::problem::line_and_column(self.text, span.start);
                format!("{}:{line}:{column}", self.name)
            }
            At::Variable(name) => name.clone(),
            At::File | At::Profile => self.name.to_owned(),
        }
    }

    /// Notes what is allowed but probably not meant.
    pub(super) fn warn(&self, at: &At, text: &str) {
        self.warnings.borrow_mut().push(format!("{}: {text}", self.describe(at)));
    }

    /// Returns whether `read` recorded no problem; only then do further checks of what it read make sense.
    pub(super) fn is_clean(&self, read: impl FnOnce()) -> bool {
        let before = self.problems.borrow().len();
        read();
        self.problems.borrow().len() == before
    }

    /// Refuses every key of `table` and below that nobody asked for.
    pub(super) fn refuse_unknown_keys(&self, table: &DeTable<'_>, path: &str) {
        for (key, value) in table {
            let key_path = join(path, key.get_ref());
            if self.asked.borrow().contains(&key_path) {
                // Below a value that was refused as a whole nothing was asked for.
                if !self.problems.borrow().iter().any(|(_, problem)| problem.path == key_path) {
                    self.refuse_unknown_below(value, &key_path);
                }
                continue;
            }
            let what = if value.get_ref().is_table() && path.is_empty() { "section" } else { "key" };
            let place = if path.is_empty() { "a section that exists".to_owned() } else { format!("a key of [{path}]") };
            let fault = Fault::new(format!("the unknown {what} `{}`", plain(key.get_ref())), place);
            let at = At::Span(key.span());
            self.refuse(&at, &plain(&key_path), fault.hint(self.hint_for(path, key.get_ref())));
            self.hide_value_of_last();
        }
    }

    fn refuse_unknown_below(&self, value: &Spanned<DeValue<'_>>, path: &str) {
        match value.get_ref() {
            DeValue::Table(table) => self.refuse_unknown_keys(table, path),
            DeValue::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    if let DeValue::Table(table) = item.get_ref() {
                        let item_path = format!("{path}[{}]", index + 1);
                        if self.asked.borrow().contains(&item_path) {
                            self.refuse_unknown_keys(table, &item_path);
                        }
                    }
                }
            }
            DeValue::String(_)
            | DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_) => {}
        }
    }

    /// An unknown key may be a misspelt secret, so its line is shown only when it is a header, which has no value.
    fn hide_value_of_last(&self) {
        if let Some((_, problem)) = self.problems.borrow_mut().last_mut() {
            let is_header =
                problem.excerpt.as_ref().is_some_and(|line| line.trim_start().starts_with('[') && !line.contains('='));
            if !is_header {
                problem.excerpt = None;
            }
        }
    }

    fn hint_for(&self, path: &str, typed: &str) -> Option<String> {
        let asked = self.asked.borrow();
        let inside = |known: &&String| known.rsplit_once('.').map_or(path.is_empty(), |(section, _)| section == path);
        let last = |known: &String| known.rsplit_once('.').map_or(0, |(section, _)| section.len() + 1);
        let siblings =
            asked.iter().filter(inside).map(|known| &known[last(known)..]).filter(|name| !name.ends_with(']'));
        if let Some(name) = nearest(typed, siblings) {
            return Some(format!("did you mean `{name}`?"));
        }
        let elsewhere = asked.iter().find(|known| known.rsplit_once('.').is_some_and(|(_, name)| name == typed))?;
        let (section, name) = elsewhere.rsplit_once('.')?;
        let section = section.split('[').next().unwrap_or(section);
        Some(format!("`{name}` belongs in [{section}]"))
    }

    /// Refuses every `VESTIBULE_<SECTION>__<KEY>` that overrides nothing.
    pub(super) fn refuse_unknown_variables(&self) {
        let known: BTreeSet<String> =
            self.asked.borrow().iter().filter(|path| !path.contains('[')).map(|path| variable_for(path)).collect();
        let unknown: Vec<&str> = self.environment.overrides().filter(|name| !known.contains(*name)).collect();
        for name in unknown {
            let candidates = known.iter().map(String::as_str).filter(|candidate| candidate.contains("__"));
            let hint = nearest(name, candidates).map(|known| format!("did you mean `{known}`?"));
            let fault = Fault::new("a variable that names no key", "VESTIBULE_<SECTION>__<KEY>").hint(hint);
            // A name may hold what a terminal would obey.
            self.refuse(&At::Variable(name.escape_debug().to_string()), "", fault);
        }
    }

    pub(super) fn take_warnings(&self) -> Vec<String> {
        self.warnings.take()
    }

    /// Returns the problems in the order of the text, those without a place in it last.
    pub(super) fn into_problems(self) -> Vec<Problem> {
        let mut problems = self.problems.into_inner();
        problems.sort_by_key(|(at, _)| match at {
            At::Span(span) => span.start,
            At::Variable(_) | At::File | At::Profile => usize::MAX,
        });
        problems.into_iter().map(|(_, problem)| problem).collect()
    }

    #[cfg(test)]
    pub(super) fn asked(&self) -> BTreeSet<String> {
        self.asked.borrow().clone()
    }
}

pub(super) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// Returns a key as a message may show it: short, without control characters.
fn plain(key: &str) -> String {
    key.chars().take(80).map(|letter| if letter.is_control() { '?' } else { letter }).collect()
}
