//! The head of a server's response (RFC 9112), read strictly: whoever sees the end of a response elsewhere than the server put it
//! takes the next user's answer for it. Pure.

use std::mem::MaybeUninit;

use bytes::BytesMut;
use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{Method, StatusCode};

use crate::http::fields::{Fields, Line, Lookup};

/// The longest head of a response, and the most fields in it.
pub(super) const HEAD_LENGTH: usize = 32 * 1024;
const FIELDS: usize = 100;

/// Why what a server sent is no response.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadHead {
    #[error("the response head is malformed: {0}")]
    Malformed(httparse::Error),
    #[error("the response head is longer than {HEAD_LENGTH} bytes")]
    TooLong,
    #[error("the status is none")]
    InvalidStatus,
    #[error("Content-Length is not one number")]
    InvalidLength,
    #[error("Transfer-Encoding is not `chunked`, alone, on HTTP/1.1")]
    InvalidCoding,
}

/// How the body of a response is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    Length(u64),
    Chunked,
    UntilClose,
}

/// A response without its body.
#[derive(Debug)]
pub(super) struct ResponseHead {
    pub status: StatusCode,
    pub fields: Fields,
    pub framing: Framing,
    /// Whether the connection can carry another request after this response.
    pub keeps_alive: bool,
}

/// Takes the head of the response to a `method` request from the start of `bytes`; `None` while it isn't all there.
pub(super) fn take_head(bytes: &mut BytesMut, method: &Method) -> Result<Option<ResponseHead>, BadHead> {
    let mut fields = [const { MaybeUninit::uninit() }; FIELDS];
    let mut response = httparse::Response::new(&mut []);
    let parser = httparse::ParserConfig::default();
    let parsed = parser.parse_response_with_uninit_headers(&mut response, bytes, &mut fields);
    let length = match parsed.map_err(BadHead::Malformed)? {
        httparse::Status::Complete(length) if length <= HEAD_LENGTH => length,
        httparse::Status::Partial if bytes.len() <= HEAD_LENGTH => return Ok(None),
        httparse::Status::Complete(_) | httparse::Status::Partial => return Err(BadHead::TooLong),
    };
    let status = response.code.and_then(|code| StatusCode::from_u16(code).ok()).ok_or(BadHead::InvalidStatus)?;
    let is_http_11 = response.version == Some(1);
    let start = bytes.as_ptr().addr();
    let lines = response.headers.iter().map(|field| Line::of(start, field.name.as_bytes(), field.value)).collect();
    let mut fields = Fields::given(bytes.split_to(length).freeze(), lines);
    let framing = framing(method, status, is_http_11, &fields)?;
    let keeps_alive = framing != Framing::UntilClose && keeps_alive(&fields, is_http_11);
    if fields.contains(&TRANSFER_ENCODING) {
        // Of no meaning beside a coding, and no word of the length that GET would have.
        fields.remove(&CONTENT_LENGTH);
    }
    Ok(Some(ResponseHead { status, fields, framing, keeps_alive }))
}

/// Returns how the body is delimited (RFC 9112 section 6.3).
fn framing(method: &Method, status: StatusCode, is_http_11: bool, fields: &Fields) -> Result<Framing, BadHead> {
    if status.is_informational() {
        return Ok(Framing::Length(0));
    }
    // Said of a body that does not come, it must make sense all the same: clients of HEAD and of 304 read it.
    let said = said_framing(is_http_11, fields)?;
    let has_none = *method == Method::HEAD || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    Ok(if has_none { Framing::Length(0) } else { said })
}

fn said_framing(is_http_11: bool, fields: &Fields) -> Result<Framing, BadHead> {
    let mut codings = fields.values(&TRANSFER_ENCODING);
    if let Some(coding) = codings.next() {
        let is_chunked = coding.eq_ignore_ascii_case(b"chunked") && codings.next().is_none();
        return if is_chunked && is_http_11 { Ok(Framing::Chunked) } else { Err(BadHead::InvalidCoding) };
    }
    let mut lengths = fields.values(&CONTENT_LENGTH);
    let Some(first) = lengths.next() else { return Ok(Framing::UntilClose) };
    // The same number twice is allowed, and sent by apps behind careless frameworks.
    if lengths.any(|other| other != first) {
        return Err(BadHead::InvalidLength);
    }
    parse_length(first).map(Framing::Length).ok_or(BadHead::InvalidLength)
}

fn parse_length(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 18 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(digits.iter().fold(0, |length, digit| length * 10 + u64::from(digit - b'0')))
}

/// What says both is read as chunked, and trusted with nothing after it (RFC 9112 section 6.3, case 3).
fn keeps_alive(fields: &Fields, is_http_11: bool) -> bool {
    if fields.contains(&TRANSFER_ENCODING) && fields.contains(&CONTENT_LENGTH) {
        return false;
    }
    let says = |option| fields.list_holds(&CONNECTION, option);
    if is_http_11 { !says(b"close") } else { says(b"keep-alive") }
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;

    fn read(head: &str) -> Result<Option<ResponseHead>, BadHead> {
        take_head(&mut BytesMut::from(head.replace('\n', "\r\n").as_str()), &Method::GET)
    }

    fn framing_of(fields: &str) -> Result<(Framing, bool), BadHead> {
        read(&format!("HTTP/1.1 200 OK\n{fields}\n\n"))
            .map(|head| head.map(|head| (head.framing, head.keeps_alive)).unwrap())
    }

    #[test]
    fn a_head_is_taken_once_it_is_whole_and_what_follows_stays() {
        let whole = b"HTTP/1.1 201 Made\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 3\r\n\r\nabc";
        for cut in 0..whole.len() - 3 {
            assert!(take_head(&mut BytesMut::from(&whole[..cut]), &Method::GET).unwrap().is_none(), "{cut}");
        }
        let mut bytes = BytesMut::from(&whole[..]);
        let head = take_head(&mut bytes, &Method::GET).unwrap().unwrap();
        assert_eq!((head.status, head.framing, head.keeps_alive), (StatusCode::CREATED, Framing::Length(3), true));
        assert_eq!(head.fields.values(&HeaderName::from_static("x-a")).collect::<Vec<_>>(), [b"1", b"2"]);
        assert_eq!(&bytes[..], b"abc");
    }

    #[test]
    fn a_body_has_one_length_whatever_the_fields_say() {
        for (fields, expected) in [
            ("Content-Length: 5", Ok((Framing::Length(5), true))),
            ("Content-Length: 5\nContent-Length: 5", Ok((Framing::Length(5), true))),
            ("Content-Length: 5\nContent-Length: 6", Err(BadHead::InvalidLength)),
            ("Content-Length: +5", Err(BadHead::InvalidLength)),
            ("Content-Length: 5, 5", Err(BadHead::InvalidLength)),
            ("Content-Length: 9999999999999999999", Err(BadHead::InvalidLength)),
            ("Transfer-Encoding: Chunked", Ok((Framing::Chunked, true))),
            ("Transfer-Encoding: chunked\nContent-Length: 5", Ok((Framing::Chunked, false))),
            ("Transfer-Encoding: gzip, chunked", Err(BadHead::InvalidCoding)),
            ("Transfer-Encoding: chunked\nTransfer-Encoding: chunked", Err(BadHead::InvalidCoding)),
            ("Transfer-Encoding: identity", Err(BadHead::InvalidCoding)),
            ("X-A: 1", Ok((Framing::UntilClose, false))),
            ("Content-Length: 5\nConnection: x, Close", Ok((Framing::Length(5), false))),
        ] {
            assert_eq!(framing_of(fields), expected, "{fields}");
        }
    }

    #[test]
    fn some_responses_have_no_body_whatever_they_say() {
        for status in ["101 Switching", "103 Early", "204 No Content", "304 Not Modified"] {
            let head = read(&format!("HTTP/1.1 {status}\nContent-Length: 5\n\n")).unwrap().unwrap();
            assert_eq!(head.framing, Framing::Length(0), "{status}");
        }
        for wrong in ["Content-Length: 3\nContent-Length: 5", "Content-Length: abc", "Transfer-Encoding: xchunked"] {
            assert!(read(&format!("HTTP/1.1 304 Not Modified\n{wrong}\n\n")).is_err(), "{wrong}");
            let head = format!("HTTP/1.1 200 OK\n{wrong}\n\n").replace('\n', "\r\n");
            assert!(take_head(&mut BytesMut::from(head.as_str()), &Method::HEAD).is_err(), "{wrong}");
        }
        let both =
            read("HTTP/1.1 304 Not Modified\nTransfer-Encoding: chunked\nContent-Length: 30\n\n").unwrap().unwrap();
        assert!(!both.fields.contains(&CONTENT_LENGTH));
        let mut bytes = BytesMut::from("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        let head = take_head(&mut bytes, &Method::HEAD).unwrap().unwrap();
        assert_eq!((head.framing, head.keeps_alive), (Framing::Length(0), true));
    }

    #[test]
    fn an_old_server_keeps_a_connection_only_if_it_says_so() {
        let old = |field: &str| read(&format!("HTTP/1.0 200 OK\nContent-Length: 0\n{field}\n\n")).unwrap().unwrap();
        assert!(old("Connection: Keep-Alive").keeps_alive);
        assert!(!old("X-A: 1").keeps_alive);
        assert_eq!(read("HTTP/1.0 200 OK\nTransfer-Encoding: chunked\n\n").unwrap_err(), BadHead::InvalidCoding);
    }

    #[test]
    fn what_is_no_head_or_too_long_is_refused() {
        for head in
            ["HTTP/2 200 OK\n\n", "220 smtp ready\n", "HTTP/1.1 200 OK\nX A: 1\n\n", "HTTP/1.1 200 OK\nA: 1\n b\n\n"]
        {
            assert!(read(head).is_err(), "{head}");
        }
        let long = format!("HTTP/1.1 200 OK\nX-A: {}", "a".repeat(HEAD_LENGTH));
        assert_eq!(read(&long).unwrap_err(), BadHead::TooLong);
        assert!(read(&format!("HTTP/1.1 200 OK\n{}\n", "A: 1\n".repeat(FIELDS + 1))).is_err());
    }
}
