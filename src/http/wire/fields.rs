//! Fields as lines of a message (RFC 9112 section 5): read from a head or a trailer section, and written.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::{is_token, is_value};

/// The longest name that a map of fields can hold.
const NAME_LENGTH: usize = u16::MAX as usize;

/// Returns the name and the value of a field, without the white space around it; `None` if the line is no field. A line that begins
/// with white space folds the one before (obs-fold): no name, hence no field.
pub fn read_field(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = memchr::memchr(b':', line)?;
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    (name.len() <= NAME_LENGTH && is_token(name) && is_value(value)).then(|| (name, value.trim_ascii()))
}

/// Returns the fields of a section with the empty line that ends it, at most `most`; `None` if it holds a line that is none. Values
/// share the section's memory. A line may end in a bare LF (RFC 9112 section 2.2).
pub fn read_fields(section: &Bytes, most: usize) -> Option<HeaderMap> {
    let mut headers = HeaderMap::with_capacity(most.min(FEW));
    let mut rest = &section[..];
    loop {
        let end = memchr::memchr(b'\n', rest)?;
        let line = rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]);
        if line.is_empty() {
            return Some(headers);
        }
        if headers.len() == most {
            return None;
        }
        let (name, value) = read_field(line)?;
        append_field(&mut headers, name, section.slice_ref(value))?;
        rest = &rest[end + 1..];
    }
}

/// How many fields most messages have at most.
pub(super) const FEW: usize = 16;

/// Adds a field; `None` if the name is too long, or one of the two isn't what it should be.
pub fn append_field(headers: &mut HeaderMap, name: &[u8], value: Bytes) -> Option<()> {
    let value = HeaderValue::from_maybe_shared(value).ok()?;
    headers.append(HeaderName::from_bytes(name).ok()?, value);
    Some(())
}

/// Appends one line for each field.
pub fn append_fields<'a>(fields: impl Iterator<Item = (&'a HeaderName, &'a HeaderValue)>, out: &mut Vec<u8>) {
    for (name, value) in fields {
        append_line(name.as_str().as_bytes(), value.as_bytes(), out);
    }
}

/// Appends the line of one field.
pub fn append_line(name: &[u8], value: &[u8], out: &mut Vec<u8>) {
    // Once for all four, which are then copied without another look.
    out.reserve(name.len() + value.len() + 4);
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Appends the line that says how long a body is.
pub fn append_length(length: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(b"content-length: ");
    out.extend_from_slice(itoa::Buffer::new().format(length).as_bytes());
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_is_read_whole_or_not_at_all() {
        let read = |section: &'static str| read_fields(&Bytes::from_static(section.as_bytes()), 3);
        let headers = read("A: 1\r\nb:\t2 \nA: 3\r\n\r\n").unwrap();
        assert_eq!(headers.get_all("a").iter().collect::<Vec<_>>(), ["1", "3"]);
        assert_eq!((&headers["b"], headers.len()), (&HeaderValue::from_static("2"), 3));
        for section in
            ["A 1\r\n\r\n", "A : 1\r\n\r\n", "A: 1\r\n b\r\n\r\n", "A: \r1\r\n\r\n", "A: 1\r\n", "A:\nA:\nA:\nA:\n\n"]
        {
            assert!(read(section).is_none(), "{section:?}");
        }
    }
}
