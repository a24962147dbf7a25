//! Fields as lines of a message (RFC 9112 section 5).

use bytes::{BufMut, BytesMut};
use http::{HeaderName, HeaderValue};

/// Appends one line for each field.
pub fn append_fields<'a>(fields: impl Iterator<Item = (&'a HeaderName, &'a HeaderValue)>, out: &mut BytesMut) {
    for (name, value) in fields {
        let (name, value) = (name.as_str().as_bytes(), value.as_bytes());
        out.reserve(name.len() + value.len() + 4);
        out.put_slice(name);
        out.put_slice(b": ");
        out.put_slice(value);
        out.put_slice(b"\r\n");
    }
}
