//! Hand-written JSON objects, one a line: what access and audit lines are made of, without an allocation per field.
//! Whatever bytes come in, the line stays one line of printable ASCII and one JSON object (log injection, CVE-2024-45808 in another proxy).

use std::cell::RefCell;
use std::io::Write as _;
use std::net::IpAddr;
use std::time::Duration;

use time::OffsetDateTime;

use crate::clock::Timestamp;

/// Appends one JSON object and its line end to a buffer; [`Object::end`] closes it.
pub struct Object<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> Object<'a> {
    pub fn begin(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out }
    }

    /// Appends a member's name, a constant that needs no escape; its value follows, and a comma, which [`Self::end`] takes back.
    #[inline]
    fn name(&mut self, name: &'static str) {
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    pub fn text(&mut self, name: &'static str, value: &[u8]) {
        self.quoted(name, |out| escape_into(out, value));
    }

    /// Appends a member whose value's `Display` is plain ASCII without quotes or backslashes, such as an id.
    pub fn plain(&mut self, name: &'static str, value: impl std::fmt::Display) {
        self.quoted(name, |out| write!(out, "{value}").expect("a Vec takes every write"));
    }

    pub fn ip(&mut self, name: &'static str, value: IpAddr) {
        self.quoted(name, |out| push_ip(out, value));
    }

    /// Appends a time in RFC 3339, UTC, always with three decimals, so that lines sort as text.
    pub fn time(&mut self, name: &'static str, value: Timestamp) {
        self.quoted(name, |out| push_time(out, value));
    }

    #[inline]
    fn quoted(&mut self, name: &'static str, write: impl FnOnce(&mut Vec<u8>)) {
        self.name(name);
        self.out.push(b'"');
        write(self.out);
        self.out.extend_from_slice(b"\",");
    }

    pub fn number(&mut self, name: &'static str, value: u64) {
        self.bare(name, |out| push_number(out, value));
    }

    pub fn yes(&mut self, name: &'static str) {
        self.bare(name, |out| out.extend_from_slice(b"true"));
    }

    /// Appends a span in milliseconds with three decimals.
    pub fn millis(&mut self, name: &'static str, value: Duration) {
        self.bare(name, |out| push_millis(out, value));
    }

    #[inline]
    fn bare(&mut self, name: &'static str, write: impl FnOnce(&mut Vec<u8>)) {
        self.name(name);
        write(self.out);
        self.out.push(b',');
    }

    pub fn end(self) {
        if self.out.last() == Some(&b',') {
            self.out.pop();
        }
        self.out.extend_from_slice(b"}\n");
    }
}

pub fn push_number(out: &mut Vec<u8>, value: u64) {
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    let mut rest = value;
    loop {
        at -= 1;
        digits[at] = ascii_digit(rest % 10);
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

pub fn push_millis(out: &mut Vec<u8>, value: Duration) {
    let micros = u64::try_from(value.as_micros()).unwrap_or(u64::MAX);
    push_number(out, micros / 1000);
    out.push(b'.');
    push_padded::<3>(out, micros % 1000);
}

/// Appends an address in its usual form, an IPv4 one without the machinery of formatting: most lines have one.
pub fn push_ip(out: &mut Vec<u8>, value: IpAddr) {
    let IpAddr::V4(ip) = value else {
        write!(out, "{value}").expect("a Vec takes every write");
        return;
    };
    for (place, octet) in ip.octets().into_iter().enumerate() {
        if place > 0 {
            out.push(b'.');
        }
        push_number(out, octet.into());
    }
}

/// Appends a time in RFC 3339. A thread writes date and time of day once a second.
pub fn push_time(out: &mut Vec<u8>, value: Timestamp) {
    thread_local! {
        static SECOND: RefCell<(i64, Vec<u8>)> = const { RefCell::new((i64::MIN, Vec::new())) };
    }
    let millis = value.as_millis();
    SECOND.with_borrow_mut(|(second, text)| {
        if *second != millis.div_euclid(1000) {
            *second = millis.div_euclid(1000);
            text.clear();
            push_second(text, value);
        }
        out.extend_from_slice(text);
    });
    out.push(b'.');
    push_padded::<3>(out, millis.rem_euclid(1000).unsigned_abs());
    out.push(b'Z');
}

fn push_second(out: &mut Vec<u8>, value: Timestamp) {
    let Ok(moment) = OffsetDateTime::from_unix_timestamp_nanos(i128::from(value.as_millis()) * 1_000_000) else {
        write!(out, "{}", value.as_secs()).expect("a Vec takes every write");
        return;
    };
    push_padded::<4>(out, u64::try_from(moment.year()).unwrap_or(0));
    for (separator, part) in [
        (b'-', u8::from(moment.month())),
        (b'-', moment.day()),
        (b'T', moment.hour()),
        (b':', moment.minute()),
        (b':', moment.second()),
    ] {
        out.push(separator);
        push_padded::<2>(out, u64::from(part));
    }
}

fn push_padded<const WIDTH: usize>(out: &mut Vec<u8>, value: u64) {
    let (mut digits, mut rest) = ([0; WIDTH], value);
    for digit in digits.iter_mut().rev() {
        *digit = ascii_digit(rest % 10);
        rest /= 10;
    }
    out.extend_from_slice(&digits);
}

fn ascii_digit(value: u64) -> u8 {
    b'0' + u8::try_from(value).expect("a digit is below ten")
}

/// Appends `value` as the inside of a JSON string of printable ASCII. Other characters become `\u` escapes, bytes that are no
/// UTF-8 the replacement character: no terminal sees a control or direction character, no reader a second line.
pub fn escape_into(out: &mut Vec<u8>, value: &[u8]) {
    let is_plain = |byte: u8| (b' '..=b'~').contains(&byte) && byte != b'"' && byte != b'\\';
    // Nearly always all of it. Without a way out the compiler looks at sixteen at once.
    if value.iter().fold(true, |plain, &byte| plain & is_plain(byte)) {
        return out.extend_from_slice(value);
    }
    let plain = value.iter().position(|&byte| !is_plain(byte)).unwrap_or(value.len());
    out.extend_from_slice(&value[..plain]);
    for chunk in value[plain..].utf8_chunks() {
        for character in chunk.valid().chars() {
            push_escaped(out, character);
        }
        if !chunk.invalid().is_empty() {
            out.extend_from_slice(b"\\ufffd");
        }
    }
}

fn push_escaped(out: &mut Vec<u8>, character: char) {
    match character {
        '"' => out.extend_from_slice(b"\\\""),
        '\\' => out.extend_from_slice(b"\\\\"),
        '\n' => out.extend_from_slice(b"\\n"),
        '\r' => out.extend_from_slice(b"\\r"),
        '\t' => out.extend_from_slice(b"\\t"),
        ' '..='~' => out.push(character as u8),
        _ => {
            for unit in character.encode_utf16(&mut [0; 2]) {
                write!(out, "\\u{unit:04x}").expect("a Vec takes every write");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn object(write: impl FnOnce(&mut Object<'_>)) -> String {
        let mut out = Vec::new();
        let mut object = Object::begin(&mut out);
        write(&mut object);
        object.end();
        String::from_utf8(out).unwrap()
    }

    proptest! {
        #[test]
        fn any_bytes_stay_one_line_of_printable_ascii_and_one_object(bytes: Vec<u8>) {
            let line = object(|object| object.text("path", &bytes));
            let (body, end) = line.split_at(line.len() - 1);
            prop_assert_eq!(end, "\n");
            prop_assert!(body.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
            let value: Value = serde_json::from_str(body).unwrap();
            prop_assert_eq!(value["path"].as_str().unwrap(), String::from_utf8_lossy(&bytes));
        }

        #[test]
        fn any_text_reads_back_as_it_was(text: String) {
            let line = object(|object| object.text("name", text.as_bytes()));
            let value: Value = serde_json::from_str(&line).unwrap();
            prop_assert_eq!(value["name"].as_str().unwrap(), text);
        }

        #[test]
        fn numbers_and_spans_read_back(number: u64, micros in 0_u64..1 << 50) {
            let line = object(|object| {
                object.number("number", number);
                object.millis("span", Duration::from_micros(micros));
            });
            let value: Value = serde_json::from_str(&line).unwrap();
            prop_assert_eq!(value["number"].as_u64(), Some(number));
            #[allow(clippy::cast_precision_loss)] // below 2^50 nothing is lost
            let millis = micros as f64 / 1000.0;
            prop_assert!((value["span"].as_f64().unwrap() - millis).abs() < 0.001);
        }
    }

    #[test]
    fn times_have_three_decimals_whatever_they_are() {
        let line = object(|object| {
            object.time("a", Timestamp::from_millis(1_700_000_000_250));
            object.time("b", Timestamp::from_secs(0));
        });
        assert_eq!(line, "{\"a\":\"2023-11-14T22:13:20.250Z\",\"b\":\"1970-01-01T00:00:00.000Z\"}\n");
    }
}
