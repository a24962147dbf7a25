//! The fields of a message: those that came stand where they came, in the section's own memory, and go on as the lines they were;
//! those that were set follow. A list, because messages have few: looking one up costs less than a map does to make and to drop.

use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::header::lists;
use super::wire::{append_field, append_line};

#[derive(Clone, Default)]
pub struct Fields {
    section: Bytes,
    given: Vec<Line>,
    set: Vec<(HeaderName, HeaderValue)>,
    /// The marks of all names that are there, and perhaps of some that were: most names that are asked for are not, and this says so.
    marks: u64,
    /// Whole lines before all others; nobody finds them by name.
    told: Bytes,
}

/// Where in the section a field stands: its name from `name` to `colon`, its value from `value` to `end`.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    name: u32,
    colon: u32,
    value: u32,
    end: u32,
    mark: u64,
}

/// Where fields can be looked up by name.
pub trait Lookup {
    /// Returns the values of every field of that name.
    fn values<'a>(&'a self, name: &HeaderName) -> impl Iterator<Item = &'a [u8]>;

    /// Returns the value of the only field of that name; `None` if there is none, or more than one.
    fn only<'a>(&'a self, name: &HeaderName) -> Option<&'a [u8]> {
        let mut values = self.values(name);
        values.next().filter(|_| values.next().is_none())
    }
}

impl Lookup for HeaderMap {
    fn values<'a>(&'a self, name: &HeaderName) -> impl Iterator<Item = &'a [u8]> {
        self.get_all(name).iter().map(HeaderValue::as_bytes)
    }
}

impl Lookup for Fields {
    fn values<'a>(&'a self, name: &HeaderName) -> impl Iterator<Item = &'a [u8]> {
        let mark = mark(name.as_str().as_bytes());
        let (given, set) = if self.marks & mark == 0 { Default::default() } else { (&self.given[..], &self.set[..]) };
        let given = given.iter().filter(move |line| line.mark == mark && is(self.name(line), name));
        let set = set.iter().filter(move |(other, _)| other == name);
        given.map(|line| self.value(line)).chain(set.map(|(_, value)| value.as_bytes()))
    }
}

impl Line {
    /// Returns the place of a field whose name and value are parts of a section that begins at the address `section`.
    pub fn of(section: usize, name: &[u8], value: &[u8]) -> Self {
        let place = |part: &[u8]| {
            let at = part.as_ptr().addr() - section;
            (at, at + part.len())
        };
        Self::at(place(name), place(value), mark(name))
    }

    fn at(name: (usize, usize), value: (usize, usize), mark: u64) -> Self {
        let place = |at: usize| u32::try_from(at).expect("a section is shorter than that");
        Self { name: place(name.0), colon: place(name.1), value: place(value.0), end: place(value.1), mark }
    }

    fn range(from: u32, to: u32) -> std::ops::Range<usize> {
        from as usize..to as usize
    }

    fn name_in<'a>(&self, section: &'a [u8]) -> &'a [u8] {
        &section[Self::range(self.name, self.colon)]
    }

    fn is_one_of(&self, section: &[u8], names: &Names) -> bool {
        self.mark & names.marks != 0
            && names.names.iter().any(|known| self.name_in(section).eq_ignore_ascii_case(known.as_bytes()))
    }
}

/// Appends a field to a section in the making; returns its place.
pub fn append(section: &mut Vec<u8>, name: &[u8], value: &[u8]) -> Line {
    let start = section.len();
    append_line(name, value, section);
    let end = section.len() - b"\r\n".len();
    Line::at((start, start + name.len()), (end - value.len(), end), mark(name))
}

impl Fields {
    /// Returns the fields at `given` in `section`, each of them a name and a value without white space around it, and no other.
    pub fn given(section: Bytes, given: Vec<Line>) -> Self {
        let marks = given.iter().fold(0, |marks, line| marks | line.mark);
        Self { section, given, marks, ..Self::default() }
    }

    fn name(&self, line: &Line) -> &[u8] {
        line.name_in(&self.section)
    }

    fn value(&self, line: &Line) -> &[u8] {
        &self.section[Line::range(line.value, line.end)]
    }

    /// Returns every name, as it was written.
    pub fn names(&self) -> impl Iterator<Item = &[u8]> {
        let set = self.set.iter().map(|(name, _)| name.as_str().as_bytes());
        self.given.iter().map(|line| self.name(line)).chain(set)
    }

    /// Returns every field, its name as it was written.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let set = self.set.iter().map(|(name, value)| (name.as_str().as_bytes(), value.as_bytes()));
        self.given.iter().map(|line| (self.name(line), self.value(line))).chain(set)
    }

    /// Hands on every field of another name.
    pub fn each_without(&self, others: &Names, mut each: impl FnMut(&[u8], &[u8])) {
        for line in self.given.iter().filter(|line| !line.is_one_of(&self.section, others)) {
            each(self.name(line), self.value(line));
        }
        for (name, value) in self.set.iter().filter(|(name, _)| !others.contain(name)) {
            each(name.as_str().as_bytes(), value.as_bytes());
        }
    }

    pub fn first<'a>(&'a self, name: &HeaderName) -> Option<&'a [u8]> {
        let mark = mark(name.as_str().as_bytes());
        // Written out: it is asked several times of each message, most often in vain.
        if self.marks & mark == 0 {
            return None;
        }
        for line in &self.given {
            if line.mark == mark && is(self.name(line), name) {
                return Some(self.value(line));
            }
        }
        self.set.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_bytes())
    }

    pub fn contains(&self, name: &HeaderName) -> bool {
        self.first(name).is_some()
    }

    /// Whether a list has an option in it, such as `close` in `Connection` (RFC 9110 section 5.6.1).
    pub fn list_holds(&self, name: &HeaderName, option: &[u8]) -> bool {
        self.first(name).is_some() && self.values(name).any(|list| lists(list, option))
    }

    pub fn contains_any(&self, names: &Names) -> bool {
        if self.marks & names.marks == 0 {
            return false;
        }
        self.given.iter().any(|line| line.is_one_of(&self.section, names))
            || self.set.iter().any(|(name, _)| names.contain(name))
    }

    /// Takes out the fields whose name `is_out`.
    pub fn remove_where(&mut self, mut is_out: impl FnMut(&[u8]) -> bool) {
        let section = &self.section;
        self.given.retain(|line| !is_out(line.name_in(section)));
        self.set.retain(|(name, _)| !is_out(name.as_str().as_bytes()));
    }

    pub fn remove_any(&mut self, names: &Names) {
        if self.marks & names.marks == 0 {
            return;
        }
        let section = &self.section;
        self.given.retain(|line| !line.is_one_of(section, names));
        self.set.retain(|(name, _)| !names.contain(name));
    }

    pub fn remove(&mut self, name: &HeaderName) {
        let mark = mark(name.as_str().as_bytes());
        if self.marks & mark == 0 {
            return;
        }
        let section = &self.section;
        let is_out = |line: &Line| line.mark == mark && is(line.name_in(section), name);
        self.given.retain(|line| !is_out(line));
        self.set.retain(|(other, _)| other != name);
    }

    /// Makes room for so many fields that are to be set.
    pub fn reserve(&mut self, count: usize) {
        self.set.reserve(count);
    }

    /// Sets a field in place of all others of that name.
    pub fn set(&mut self, name: HeaderName, value: HeaderValue) {
        self.remove(&name);
        self.append(name, value);
    }

    pub fn append(&mut self, name: HeaderName, value: HeaderValue) {
        self.marks |= mark(name.as_str().as_bytes());
        self.set.push((name, value));
    }

    /// Has `lines` go before where the fields are written; each of them ends in CR LF. Only for what goes out next: whoever looks
    /// fields up, or makes a map of them, does not see these.
    pub fn tell(&mut self, lines: Bytes) {
        self.told = lines;
    }

    /// Appends one line for each field.
    pub fn write(&self, out: &mut Vec<u8>) {
        self.write_without(&NO_NAMES, out);
    }

    /// Appends one line for each field of another name.
    pub fn write_without(&self, others: &Names, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.told);
        // Of lines that follow each other and are written as we would, many go in one copy.
        let mut run = 0..0;
        for line in &self.given {
            if line.is_one_of(&self.section, others) {
                continue;
            }
            let is_plain = line.value == line.colon + 2
                && self.section[Line::range(line.colon, line.value)] == *b": "
                && self.section.get(Line::range(line.end, line.end + 2)) == Some(b"\r\n");
            let whole = Line::range(line.name, line.end + 2);
            if is_plain && whole.start == run.end {
                run.end = whole.end;
                continue;
            }
            out.extend_from_slice(&self.section[run]);
            run = if is_plain { whole } else { 0..0 };
            if !is_plain {
                append_line(self.name(line), self.value(line), out);
            }
        }
        out.extend_from_slice(&self.section[run]);
        for (name, value) in self.set.iter().filter(|(name, _)| !others.contain(name)) {
            append_line(name.as_str().as_bytes(), value.as_bytes(), out);
        }
    }

    /// Returns them as the handlers of our own endpoints take them. A given field that a map can't take is left out; the grammars are the same.
    pub fn into_map(self) -> HeaderMap {
        debug_assert!(self.told.is_empty(), "what was told goes out next");
        let mut map = HeaderMap::try_with_capacity(self.given.len() + self.set.len()).unwrap_or_default();
        for line in &self.given {
            let value = self.section.slice(Line::range(line.value, line.end));
            let _ = append_field(&mut map, self.name(line), value);
        }
        for (name, value) in self.set {
            map.append(name, value);
        }
        map
    }
}

/// Names alone: values are credentials at times, and the section still holds what was removed.
impl fmt::Debug for Fields {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.names().map(String::from_utf8_lossy)).finish()
    }
}

impl From<HeaderMap> for Fields {
    fn from(map: HeaderMap) -> Self {
        let mut fields = Self { set: Vec::with_capacity(map.len()), ..Self::default() };
        let mut last = None;
        for (name, value) in map {
            // A map says a name once for all of its values.
            last = name.or(last);
            if let Some(name) = last.clone() {
                fields.append(name, value);
            }
        }
        fields
    }
}

/// Names that are looked for together.
#[derive(Debug)]
pub struct Names {
    names: &'static [&'static str],
    marks: u64,
}

const NO_NAMES: Names = Names::new(&[]);

impl Names {
    /// `names` are in lower case.
    pub const fn new(names: &'static [&'static str]) -> Self {
        let (mut marks, mut at) = (0, 0);
        while at < names.len() {
            marks |= mark(names[at].as_bytes());
            at += 1;
        }
        Self { names, marks }
    }

    fn contain(&self, name: &HeaderName) -> bool {
        mark(name.as_str().as_bytes()) & self.marks != 0 && self.names.contains(&name.as_str())
    }
}

/// Returns one of 64 bits for a name in any spelling. Two names may share one, few do.
const fn mark(name: &[u8]) -> u64 {
    let [first, .., last] = name else { return 1 };
    1 << ((name.len() * 11 + (*first & 31) as usize * 5 + (*last & 31) as usize) % 64)
}

/// Returns a value as text, if it is visible ASCII, spaces and tabs.
pub fn text(value: &[u8]) -> Option<&str> {
    let is_plain = |byte: &u8| matches!(byte, b'\t' | b' '..=b'~');
    value.iter().all(is_plain).then(|| std::str::from_utf8(value).ok()).flatten()
}

fn is(written: &[u8], name: &HeaderName) -> bool {
    written.eq_ignore_ascii_case(name.as_str().as_bytes())
}

#[cfg(test)]
mod tests;
