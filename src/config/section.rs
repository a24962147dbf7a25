//! Reads one table, key by key, into values that hold their defaults: what is absent or wrong leaves the default standing,
//! and what is wrong becomes a problem at its place. An environment variable that overrides a key is read in its stead.

mod raw;

use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::{Range, RangeInclusive};
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::document::{At, Document, Fault, join};
use super::environment::{plain_bytes, resolve, variable_for};
use super::problem::has_user_info;
use super::text::{self, Parsed};
use crate::limit::bucket::Rate;
use crate::secret::Secret;
use raw::{Raw, describe, quoted, quoting_hint};

#[derive(Clone)]
pub(super) struct Section<'a> {
    pub document: &'a Document<'a>,
    pub path: String,
    table: Option<&'a DeTable<'a>>,
    /// The same table of the profile, which says what this one leaves out.
    base: Option<&'a DeTable<'a>>,
    span: Range<usize>,
}

struct Found<'a> {
    at: At,
    raw: Raw<'a>,
}

/// A string with its indirection followed; `shown` is how a problem may speak of it.
struct Text {
    value: String,
    shown: String,
    is_indirect: bool,
}

impl<'a> Section<'a> {
    pub(super) fn root(document: &'a Document<'a>, table: &'a DeTable<'a>) -> Self {
        let base = document.profile().map(|profile| &profile.table);
        Self { document, path: String::new(), table: Some(table), base, span: 0..0 }
    }

    // ---- tables ----

    /// Returns the table under `key`; an absent one reads as empty.
    pub(super) fn table(&self, key: &str) -> Self {
        let path = join(&self.path, key);
        self.document.ask(&path);
        let value = self.entry(key);
        let table = value.and_then(|value| value.get_ref().as_table());
        let span = value.map_or(self.span.clone(), Spanned::span);
        if let (Some(value), None) = (value, table) {
            let fault = Fault::new(describe(value.get_ref()), format!("the table [{path}]"));
            self.document.refuse(&At::Span(value.span()), &path, fault);
        }
        let base = self.base.and_then(|base| base.get(key)).and_then(|value| value.get_ref().as_table());
        Self { document: self.document, path, table, base, span }
    }

    /// Returns the tables of the list under `key`: `[[key]]`.
    pub(super) fn tables(&self, key: &str) -> Vec<Self> {
        let path = join(&self.path, key);
        self.document.ask(&path);
        let Some(value) = self.entry(key) else { return Vec::new() };
        let items = value.get_ref().as_array();
        let expected = format!("tables that begin with [[{path}]]");
        let Some(items) = items else {
            let hint = value.get_ref().is_table().then(|| format!("write `[[{path}]]`"));
            let fault = Fault::new(describe(value.get_ref()), expected).hint(hint);
            self.document.refuse(&At::Span(value.span()), &path, fault);
            return Vec::new();
        };
        let mut sections = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let path = format!("{path}[{}]", index + 1);
            self.document.ask(&path);
            match item.get_ref().as_table() {
                Some(table) => {
                    sections.push(Self {
                        document: self.document,
                        path,
                        table: Some(table),
                        base: None,
                        span: item.span(),
                    });
                }
                None => {
                    self.document.refuse(
                        &At::Span(item.span()),
                        &path,
                        Fault::new(describe(item.get_ref()), &expected),
                    );
                }
            }
        }
        sections
    }

    /// Returns the names of this table's own keys, and of those that the profile adds, with their places, in the order of the
    /// alphabet.
    pub(super) fn keys(&self) -> Vec<(String, At)> {
        let added = self.base.into_iter().flat_map(DeTable::keys).map(|key| (key.get_ref().to_string(), At::Profile));
        let own = self.table.into_iter().flat_map(DeTable::keys);
        let own = own.map(|key| (key.get_ref().to_string(), At::Span(key.span())));
        added.chain(own).collect::<BTreeMap<_, _>>().into_iter().collect()
    }

    // ---- single values ----

    /// Reads `key` into `into` by way of `parse`; `expected` ends the sentence "expected …".
    pub(super) fn parsed<T>(&self, key: &str, into: &mut T, expected: &str, parse: impl Fn(&str) -> Parsed<T>) {
        let Some(found) = self.find(key) else { return };
        if let Some(value) = self.parse_one(&found, &join(&self.path, key), expected, &parse) {
            *into = value;
        }
    }

    /// Like [`Section::parsed`], but the empty text is `None`.
    pub(super) fn optional<T>(
        &self,
        key: &str,
        into: &mut Option<T>,
        expected: &str,
        parse: impl Fn(&str) -> Parsed<T>,
    ) {
        let expected = format!("{expected}, or \"\" for none");
        self.parsed(key, into, &expected, |text| if text.is_empty() { Ok(None) } else { parse(text).map(Some) });
    }

    pub(super) fn duration(&self, key: &str, into: &mut Duration) {
        self.parsed(key, into, "a duration such as \"500ms\", \"10s\", \"15m\", \"12h\" or \"7d\"", text::duration);
    }

    /// A duration that something waits for: zero would never let it happen.
    pub(super) fn timeout(&self, key: &str, into: &mut Duration) {
        self.parsed(key, into, "a duration above zero, such as \"500ms\" or \"10s\"", |text| {
            text::duration(text).and_then(|span| if span.is_zero() { Err(None) } else { Ok(span) })
        });
    }

    pub(super) fn size(&self, key: &str, into: &mut usize, range: RangeInclusive<&str>) {
        let bound = |bound: &str| text::size(bound).expect("bounds are written in this program");
        let bytes = bound(range.start())..=bound(range.end());
        let expected = format!("a size such as \"256KiB\", from {} to {}", range.start(), range.end());
        self.parsed(key, into, &expected, |text| {
            text::size(text).and_then(|size| if bytes.contains(&size) { Ok(size) } else { Err(None) })
        });
    }

    pub(super) fn rate(&self, key: &str, into: &mut Option<Rate>) {
        self.parsed(key, into, "a rate such as \"10/m\" (per s, m, h or d), or \"\" for no limit", text::rate);
    }

    pub(super) fn choice<T: Clone>(&self, key: &str, into: &mut T, choices: &[(&str, T)]) {
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        self.parsed(key, into, &one_of(&names), |text| choose(text, choices));
    }

    pub(super) fn bool(&self, key: &str, into: &mut bool) {
        let Some(found) = self.find(key) else { return };
        let value = match found.raw {
            Raw::Toml(value) => value.as_bool(),
            Raw::Variable(text) => text.parse().ok(),
        };
        match value {
            Some(value) => *into = value,
            None => self.document.refuse(
                &found.at,
                &join(&self.path, key),
                Fault::new(found.raw.describe(), "true or false"),
            ),
        }
    }

    pub(super) fn integer<T>(&self, key: &str, into: &mut T, range: RangeInclusive<T>)
    where
        T: PartialOrd + Display + TryFrom<i64>,
    {
        let Some(found) = self.find(key) else { return };
        let number = match found.raw {
            Raw::Toml(DeValue::Integer(integer)) => i64::from_str_radix(integer.as_str(), integer.radix()).ok(),
            Raw::Toml(_) => None,
            Raw::Variable(text) => text.parse().ok(),
        };
        let number = number.and_then(|number| T::try_from(number).ok()).filter(|number| range.contains(number));
        let Some(number) = number else {
            let expected = format!("a whole number from {} to {}", range.start(), range.end());
            return self.document.refuse(&found.at, &join(&self.path, key), Fault::new(found.raw.describe(), expected));
        };
        *into = number;
    }

    /// Reads a secret; the empty text is none. No problem ever shows what stands there.
    pub(super) fn secret(&self, key: &str, into: &mut Option<Secret<Vec<u8>>>) {
        let Some(found) = self.find(key) else { return };
        let path = join(&self.path, key);
        let expected = "a secret as text, \"env:NAME\", \"file:PATH\" or \"base64:…\"";
        let text = match &found.raw {
            Raw::Toml(DeValue::String(text)) => text.as_ref(),
            Raw::Variable(text) => text,
            Raw::Toml(other) => {
                let fault = Fault::new(format!("a value of type {}", other.type_str()), expected);
                return self.document.refuse(&found.at, &path, fault);
            }
        };
        let bytes = match resolve(text, self.document.environment) {
            // What is behind an indirection may be `base64:` as well, when it is text.
            Ok(Some(bytes)) => match std::str::from_utf8(&bytes) {
                Ok(text) => plain_bytes(text),
                Err(_) => Ok(bytes),
            },
            Ok(None) => plain_bytes(text),
            Err(unresolved) => {
                return self.document.refuse(&found.at, &path, Fault::new(unresolved.found, unresolved.expected));
            }
        };
        match bytes {
            Ok(bytes) => *into = (!bytes.is_empty()).then(|| Secret::new(bytes)),
            Err(hint) => self.document.refuse(&found.at, &path, Fault::new("something else", expected).hint(hint)),
        }
    }

    // ---- lists ----

    /// Reads a list of strings; a variable holds them separated by commas. Returns where each item that was taken stands.
    pub(super) fn list<T>(
        &self,
        key: &str,
        into: &mut Vec<T>,
        expected: &str,
        parse: impl Fn(&str) -> Parsed<T>,
    ) -> Vec<At> {
        let Some(found) = self.find(key) else { return Vec::new() };
        let path = join(&self.path, key);
        let items = match found.raw {
            Raw::Toml(DeValue::Array(items)) => items
                .iter()
                .map(|item| Found { at: At::Span(item.span()), raw: Raw::Toml(item.get_ref()) })
                .collect::<Vec<_>>(),
            Raw::Toml(other) => {
                let hint = other.as_str().filter(|text| !has_user_info(text)).map(|text| format!("write [{text:?}]"));
                let fault = Fault::new(found.raw.describe(), format!("a list, each item {expected}"));
                self.document.refuse(&found.at, &path, fault.hint(hint));
                return Vec::new();
            }
            Raw::Variable(text) => text
                .split(',')
                .map(str::trim)
                .filter(|item| !item.is_empty())
                .map(|item| Found { at: found.at.clone(), raw: Raw::Variable(item) })
                .collect(),
        };
        // Wrong items are left out but do not stop the others from being judged.
        let taken =
            items.into_iter().filter_map(|item| Some((self.parse_one(&item, &path, expected, &parse)?, item.at)));
        let (values, places) = taken.unzip();
        *into = values;
        places
    }

    // ---- places, for checks across keys ----

    pub(super) fn is_set(&self, key: &str) -> bool {
        self.find(key).is_some()
    }

    /// Returns whether it is the profile that says what `key` is, and nobody else.
    pub(super) fn is_from_profile(&self, key: &str) -> bool {
        self.find(key).is_some_and(|found| matches!(found.at, At::Profile))
    }

    /// Returns where the value of `key` stands, or this section if it is absent.
    pub(super) fn at(&self, key: &str) -> At {
        self.find(key).map_or(At::Span(self.span.clone()), |found| found.at)
    }

    pub(super) fn refuse(&self, key: &str, fault: Fault) {
        self.document.refuse(&self.at(key), &join(&self.path, key), fault);
    }

    /// Refuses a list's item; `place` is what [`Section::list`] returned for it.
    pub(super) fn refuse_item(&self, key: &str, place: Option<&At>, fault: Fault) {
        self.document.refuse(&place.cloned().unwrap_or_else(|| self.at(key)), &join(&self.path, key), fault);
    }

    pub(super) fn refuse_whole(&self, fault: Fault) {
        self.document.refuse(&At::Span(self.span.clone()), &self.path, fault);
    }

    // ---- below ----

    fn entry(&self, key: &str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.table.and_then(|table| table.get(key))
    }

    fn find(&self, key: &str) -> Option<Found<'a>> {
        let path = join(&self.path, key);
        self.document.ask(&path);
        let name = variable_for(&path);
        let text = self.document.environment.get(&name).filter(|_| !path.contains('[') && path.contains('.'));
        if let Some(text) = text {
            return Some(Found { at: At::Variable(name), raw: Raw::Variable(text) });
        }
        if let Some(value) = self.entry(key) {
            return Some(Found { at: At::Span(value.span()), raw: Raw::Toml(value.get_ref()) });
        }
        if let Some(variable) = self.document.profile().and_then(|profile| profile.variables.get(&path)) {
            return Some(Found { at: At::Variable(variable.name.clone()), raw: Raw::Variable(&variable.text) });
        }
        let value = self.base.and_then(|base| base.get(key))?;
        Some(Found { at: At::Profile, raw: Raw::Toml(value.get_ref()) })
    }

    fn parse_one<T>(
        &self,
        found: &Found<'_>,
        path: &str,
        expected: &str,
        parse: &impl Fn(&str) -> Parsed<T>,
    ) -> Option<T> {
        let fault = match self.text(&found.raw) {
            Ok(text) => match parse(&text.value) {
                Ok(value) => return Some(value),
                // A hint may repeat the value, which no problem does with the content of a variable or file.
                Err(hint) => Fault::new(text.shown, expected).hint(hint.filter(|_| !text.is_indirect)),
            },
            Err(mut fault) => {
                if fault.expected.is_empty() {
                    expected.clone_into(&mut fault.expected);
                }
                fault
            }
        };
        self.document.refuse(&found.at, path, fault);
        None
    }

    /// Returns the string with its indirection followed; an `expected` left empty is for the caller to say.
    fn text(&self, raw: &Raw<'_>) -> Result<Text, Fault> {
        let text = match raw {
            Raw::Toml(DeValue::String(text)) => text.as_ref(),
            Raw::Variable(text) => text,
            Raw::Toml(other) => return Err(Fault::new(describe(other), "").hint(quoting_hint(other))),
        };
        match resolve(text, self.document.environment) {
            Ok(None) => Ok(Text { value: text.to_owned(), shown: quoted(text), is_indirect: false }),
            Ok(Some(bytes)) => {
                let shown = format!("what {} holds", quoted(text));
                match String::from_utf8(bytes) {
                    Ok(value) => Ok(Text { value, shown, is_indirect: true }),
                    Err(_) => Err(Fault::new(format!("{shown}, which is not UTF-8"), "")),
                }
            }
            Err(unresolved) => Err(Fault::new(unresolved.found, unresolved.expected)),
        }
    }
}

pub(super) fn one_of(names: &[&str]) -> String {
    names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(" or ")
}

pub(super) fn choose<T: Clone>(text: &str, choices: &[(&str, T)]) -> Parsed<T> {
    let found = choices.iter().find(|(name, _)| *name == text).map(|(_, value)| value.clone());
    let near = || super::problem::nearest(text, choices.iter().map(|(name, _)| *name));
    found.ok_or_else(|| near().map(|name| format!("did you mean {name:?}?")))
}
