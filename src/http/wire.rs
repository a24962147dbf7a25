//! Grammar of an HTTP/1.1 request head and of chunked framing (RFC 9112), and what a request is made of.
//! Of clients it takes the hardest
//! reading: whatever some parser could frame another way is refused, and the connection with it. Decides framing only; where a
//! request goes is `target`'s, who may pass the policy's.

mod chunk;
mod fields;
mod head;
mod pieces;

use bytes::{Buf, Bytes, BytesMut};
use http::StatusCode;

pub use chunk::{ChunkScanner, Progress};
use fields::read_fields;
pub use fields::{append_field, append_fields, append_length, append_line};
pub use head::{Framing, Head, blame_oversize, check_head, check_target, find_head_end, parse_length, read_head};
pub use pieces::{BadChunk, Chunks, Piece};

/// What is wrong with the bytes of a request. The connection can't be used after any of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    #[error("the request line is not a method, a target and a version with one space between them")]
    MalformedRequestLine,
    #[error("the request line names no version of HTTP")]
    NotHttp,
    #[error("the target holds a byte that no URL has")]
    MalformedTarget,
    #[error("the target is too long")]
    TargetTooLong,
    #[error("the method is none that this gateway passes on")]
    UnsupportedMethod,
    #[error("the version is not HTTP/1.1 or HTTP/1.0")]
    UnsupportedVersion,
    #[error("a line does not end in CR LF, or holds a CR or LF elsewhere")]
    MalformedLine,
    #[error("a field is not a name, a colon and a value without control characters")]
    MalformedField,
    #[error("the pseudo-header fields are not those of a request")]
    MalformedPseudoHeader,
    #[error("there are too many fields")]
    TooManyFields,
    #[error("the head is too large")]
    HeadTooLarge,
    #[error("HTTP/1.1 wants exactly one Host field with a host in it")]
    InvalidHost,
    #[error("Content-Length is not one plain decimal number")]
    InvalidContentLength,
    #[error("there is more than one Content-Type")]
    RepeatedContentType,
    #[error("Transfer-Encoding is not `chunked`, once, alone, on HTTP/1.1")]
    InvalidTransferEncoding,
    #[error("Transfer-Encoding names a coding other than `chunked`")]
    UnknownTransferCoding,
    #[error("Expect is not `100-continue`")]
    UnknownExpectation,
    #[error("a chunk does not follow the grammar")]
    MalformedChunk,
    #[error("the trailer section is too large")]
    TrailersTooLarge,
}

impl Violation {
    pub fn status(self) -> StatusCode {
        match self {
            Self::MalformedRequestLine
            | Self::NotHttp
            | Self::MalformedTarget
            | Self::MalformedLine
            | Self::MalformedField
            | Self::MalformedPseudoHeader
            | Self::InvalidHost
            | Self::InvalidContentLength
            | Self::RepeatedContentType
            | Self::InvalidTransferEncoding
            | Self::MalformedChunk => StatusCode::BAD_REQUEST,
            Self::TargetTooLong => StatusCode::URI_TOO_LONG,
            Self::UnknownExpectation => StatusCode::EXPECTATION_FAILED,
            Self::TooManyFields | Self::HeadTooLarge | Self::TrailersTooLarge => {
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
            }
            // No resource of ours or behind us can have these: 501 and not 405 (RFC 9110 9.1).
            Self::UnsupportedMethod | Self::UnknownTransferCoding => StatusCode::NOT_IMPLEMENTED,
            Self::UnsupportedVersion => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
        }
    }

    /// Returns the stable name for answers and logs.
    pub fn code(self) -> &'static str {
        match self {
            Self::MalformedRequestLine => "malformed_request_line",
            Self::NotHttp => "not_http",
            Self::MalformedTarget => "malformed_target",
            Self::TargetTooLong => "target_too_long",
            Self::UnsupportedMethod => "unsupported_method",
            Self::UnsupportedVersion => "unsupported_version",
            Self::MalformedLine => "malformed_line",
            Self::MalformedField => "malformed_field",
            Self::MalformedPseudoHeader => "malformed_pseudo_header",
            Self::TooManyFields => "too_many_fields",
            Self::HeadTooLarge => "head_too_large",
            Self::InvalidHost => "invalid_host",
            Self::InvalidContentLength => "invalid_content_length",
            Self::RepeatedContentType => "repeated_content_type",
            Self::InvalidTransferEncoding => "invalid_transfer_encoding",
            Self::UnknownTransferCoding => "unknown_transfer_coding",
            Self::UnknownExpectation => "unknown_expectation",
            Self::MalformedChunk => "malformed_chunk",
            Self::TrailersTooLarge => "trailers_too_large",
        }
    }
}

const TOKEN: u8 = 1;
const PATH: u8 = 2;
const QUERY: u8 = 4;

/// What a byte may be part of: a token (RFC 9110 5.6.2), the path or the query of a target. Of a target's
/// bytes those are left out that a URI has not: `#`, at which some cut off the rest, and quotes.
const GRAMMAR: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0_u8;
    loop {
        let is_token = matches!(
            byte,
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*'
                | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
        );
        let is_target = byte.is_ascii_graphic() && !matches!(byte, b'#' | b'<' | b'>');
        table[byte as usize] = (if is_token { TOKEN } else { 0 })
            | (if is_target && byte != b'`' { PATH } else { 0 })
            | (if is_target && byte != b'"' { QUERY } else { 0 });
        if byte == u8::MAX {
            break table;
        }
        byte += 1;
    }
};

/// Whether every byte may be part of what `kind` says. Looks at all of them, whatever it finds: without a way out in the
/// middle the loop is half as long.
fn are_all(kind: u8, bytes: &[u8]) -> bool {
    bytes.iter().fold(kind, |kinds, &byte| kinds & GRAMMAR[usize::from(byte)]) != 0
}

fn is_token_byte(byte: u8) -> bool {
    GRAMMAR[usize::from(byte)] & TOKEN != 0
}

/// Whether the byte may be part of a field value (RFC 9110 5.5).
fn is_value_byte(byte: u8) -> bool {
    byte >= b' ' && byte != 0x7F || byte == b'\t'
}

/// Whether the bytes may be a field's value. Asked of every byte of every head: without a way out the compiler looks at sixteen at once.
pub fn is_value(bytes: &[u8]) -> bool {
    bytes.iter().fold(true, |good, &byte| good & is_value_byte(byte))
}

/// Takes bytes from the start of a buffer. What fills little of the buffer is copied, and doesn't keep the rest of it: a peer that
/// sends byte by byte would have each byte hold all that was made room for.
pub fn take_bytes(buffer: &mut BytesMut, length: usize) -> Bytes {
    if length < buffer.capacity() / 8 {
        let copied = Bytes::copy_from_slice(&buffer[..length]);
        buffer.advance(length);
        return copied;
    }
    buffer.split_to(length).freeze()
}

/// Whether the bytes are a token (RFC 9110 5.6.2): a method, the name of a field.
pub fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && are_all(TOKEN, bytes)
}

#[cfg(test)]
mod tests;
