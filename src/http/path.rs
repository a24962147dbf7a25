//! The one canonical form of a path, for request targets and for the patterns of routes.
//! What two parsers could read two ways is refused here; what is left is spelt in exactly one way. Never guesses.

use std::borrow::Cow;

/// Why a path has no canonical form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the path holds a character or escape that parsers read differently")]
pub struct AmbiguousPath;

/// What a byte of a path may do when it stands there unescaped.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Plain,
    Slash,
    Dot,
    Percent,
    /// Not a character of a URI, but sent by browsers: escaped on the way through.
    Escape,
    Refuse,
}

const CLASSES: [Class; 256] = {
    let mut table = [Class::Refuse; 256];
    let mut byte = 0x21_u8;
    while byte < 0x7F {
        table[byte as usize] = match byte {
            b'/' => Class::Slash,
            b'.' => Class::Dot,
            b'%' => Class::Percent,
            b'"' | b'<' | b'>' | b'[' | b']' | b'^' | b'`' | b'{' | b'|' | b'}' => Class::Escape,
            b'#' | b'?' | b'\\' => Class::Refuse,
            _ => Class::Plain,
        };
        byte += 1;
    }
    table
};

/// How often an upstream that decodes too eagerly is followed. An escape that is nested deeper is refused.
const NESTING: usize = 3;

/// Appends the canonical form of `path`, which must begin with `/`, to `out`; returns whether it holds an escaped slash.
/// On an error `out` holds a part of it and is of no use.
pub fn append_canonical(path: &str, out: &mut String) -> Result<bool, AmbiguousPath> {
    if !path.starts_with('/') {
        return Err(AmbiguousPath);
    }
    if is_plainly_canonical(path.as_bytes()) {
        out.push_str(path);
        return Ok(false);
    }
    let root = out.len();
    let mut has_escaped_slash = false;
    let mut ends_open = true;
    for segment in path[1..].split('/') {
        ends_open = matches!(segment, "" | "." | "..");
        match segment {
            "" | "." => {}
            ".." => out.truncate(out[root..].rfind('/').map_or(root, |slash| root + slash)),
            _ => {
                out.push('/');
                has_escaped_slash |= append_segment(segment, out)?;
            }
        }
    }
    if ends_open {
        out.push('/');
    }
    Ok(has_escaped_slash)
}

/// Returns a canonical path with its escapes read, as servers do before they look for a resource: `/%40x` and `/@x` are one
/// to them. Escaped slashes and percent signs stay, so that segments stay what they are. A key to compare by, not a path to send.
pub fn comparable(path: &str) -> Cow<'_, str> {
    let bytes = path.as_bytes();
    if memchr::memchr(b'%', bytes).is_none() {
        return Cow::Borrowed(path);
    }
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        match escape_at(bytes, at) {
            Some(value) if !matches!(value, b'/' | b'%') => {
                decoded.push(value);
                at += 3;
            }
            _ => {
                decoded.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8(decoded).map_or(Cow::Borrowed(path), Cow::Owned)
}

/// Most paths are canonical as they come: one pass proves it. Doubled slashes and whatever begins with a dot take the long way.
fn is_plainly_canonical(path: &[u8]) -> bool {
    let mut previous = Class::Plain;
    for &byte in path {
        let class = CLASSES[usize::from(byte)];
        match class {
            Class::Slash | Class::Dot if previous == Class::Slash => return false,
            Class::Plain | Class::Slash | Class::Dot => {}
            Class::Percent | Class::Escape | Class::Refuse => return false,
        }
        previous = class;
    }
    true
}

/// Appends one segment; returns whether it holds an escaped slash.
fn append_segment(segment: &str, out: &mut String) -> Result<bool, AmbiguousPath> {
    let bytes = segment.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        match CLASSES[usize::from(byte)] {
            Class::Plain | Class::Dot => {
                out.push(char::from(byte));
                decoded.push(byte);
            }
            Class::Escape => {
                push_escaped(byte, out);
                decoded.push(byte);
            }
            Class::Percent => {
                let value = escape_at(bytes, at).ok_or(AmbiguousPath)?;
                if changes_structure(value) {
                    return Err(AmbiguousPath);
                }
                if is_unreserved(value) {
                    out.push(char::from(value));
                } else {
                    push_escaped(value, out);
                }
                decoded.push(value);
                at += 2;
            }
            Class::Slash | Class::Refuse => return Err(AmbiguousPath),
        }
        at += 1;
    }
    check_decoded(&decoded)?;
    Ok(decoded.contains(&b'/'))
}

/// Refuses a segment that is a dot segment to somebody: between escaped slashes, with parameters, with space around it;
/// one that isn't UTF-8 (overlong dots and slashes among others); and one that becomes any of these when decoded again.
fn check_decoded(decoded: &[u8]) -> Result<(), AmbiguousPath> {
    std::str::from_utf8(decoded).map_err(|_| AmbiguousPath)?;
    if decoded.split(|&byte| byte == b'/').any(reads_as_dots) {
        return Err(AmbiguousPath);
    }
    if !decoded.contains(&b'%') {
        return Ok(());
    }
    let mut text = decoded.to_vec();
    for _ in 0..NESTING {
        let Some(inner) = decode_nested(&text)? else { return Ok(()) };
        std::str::from_utf8(&inner).map_err(|_| AmbiguousPath)?;
        if inner.split(|&byte| byte == b'/').any(reads_as_dots) {
            return Err(AmbiguousPath);
        }
        text = inner;
    }
    Err(AmbiguousPath)
}

/// Returns what a second decoding would make of `text`, `None` when it would change nothing.
fn decode_nested(text: &[u8]) -> Result<Option<Vec<u8>>, AmbiguousPath> {
    let mut inner = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        if is_unicode_escape(&text[at..]) {
            return Err(AmbiguousPath);
        }
        match escape_at(text, at) {
            Some(value) if changes_structure(value) || matches!(value, b'.' | b'/' | b';' | b'?') => {
                return Err(AmbiguousPath);
            }
            Some(value) => {
                inner.push(value);
                at += 3;
            }
            None => {
                inner.push(text[at]);
                at += 1;
            }
        }
    }
    Ok((inner.len() < text.len()).then_some(inner))
}

/// `%u002e` is an escape to some (IIS, old JavaScript), so it may not come out of another.
fn is_unicode_escape(text: &[u8]) -> bool {
    matches!(text, [b'%', b'u' | b'U', digits @ ..] if digits.len() >= 4 && digits[..4].iter().all(u8::is_ascii_hexdigit))
}

fn reads_as_dots(piece: &[u8]) -> bool {
    let name = piece.split(|byte| matches!(byte, b';' | b'?')).next().unwrap_or_default();
    matches!(name.trim_ascii(), b"." | b"..")
}

/// Characters that end, cut or re-divide a path in some parser even when they come escaped. A `#` is among them because
/// proxies have decoded `%23` and then dropped what follows (oauth2-proxy CVE-2026-41059).
fn changes_structure(value: u8) -> bool {
    value.is_ascii_control() || matches!(value, b'\\' | b'#')
}

pub fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// Returns the value of the escape that begins at `at`, if one does.
pub fn escape_at(bytes: &[u8], at: usize) -> Option<u8> {
    let &[b'%', high, low] = bytes.get(at..at + 3)? else { return None };
    Some(hex_value(high)? << 4 | hex_value(low)?)
}

fn hex_value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

fn push_escaped(byte: u8, out: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    out.push('%');
    out.push(char::from(DIGITS[usize::from(byte >> 4)]));
    out.push(char::from(DIGITS[usize::from(byte & 15)]));
}

#[cfg(test)]
pub(crate) mod tests;
