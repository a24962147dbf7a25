//! The request line and the fields of a request, up to the empty line.

use bytes::Bytes;
use http::{Method, Uri, Version};

use super::fields::{FEW, read_field};
use super::{PATH, QUERY, Violation, are_all, is_token};
use crate::http::fields::{Fields, Line};
use crate::http::method::METHOD_LENGTH;
use crate::http::request::ClientRequest;

/// How long a target may be: twice what RFC 9112 3 asks everybody to support.
const TARGET_LENGTH: usize = 16 * 1024;
const FIELDS: usize = 100;
/// More digits than this overflow somewhere.
const LENGTH_DIGITS: usize = 18;

/// What a head says of the message it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, and any of them may go with any other")]
pub struct Head {
    pub framing: Framing,
    /// `Upgrade`, listed in `Connection`: what follows the answer may no longer be HTTP.
    pub wants_upgrade: bool,
    /// The client waits for a 100 before it sends the body.
    pub expects_continue: bool,
    pub http_10: bool,
    /// The client means to send another request on the connection (RFC 9112 9.3).
    pub persists: bool,
}

/// How the body of a request is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    None,
    Length(u64),
    Chunked,
}

/// Returns where the body begins, once the empty line is there. Finds heads with bare LF too, so that
/// [`read_head`] can refuse them without waiting for more. Empty lines in front of the request line are part of the head.
pub fn find_head_end(bytes: &[u8]) -> Option<usize> {
    let start = bytes.iter().position(|byte| !matches!(byte, b'\r' | b'\n'))?;
    memchr::memchr_iter(b'\n', &bytes[start..]).find_map(|at| match bytes[start + at + 1..] {
        [b'\n', ..] => Some(start + at + 2),
        [b'\r', b'\n', ..] => Some(start + at + 3),
        _ => None,
    })
}

/// Returns what is wrong with a head that is longer than it may be: its method, its target, or all of it.
pub fn blame_oversize(head: &[u8], header_size: usize) -> Violation {
    let start = head.iter().position(|byte| !matches!(byte, b'\r' | b'\n')).unwrap_or(0);
    let begun = &head[start..header_size.min(head.len()).max(start)];
    let method_end = memchr::memchr2(b' ', b'\n', begun);
    match (method_end, memchr::memchr(b'\n', begun)) {
        (None, _) => Violation::MalformedRequestLine,
        (Some(_), None) => Violation::TargetTooLong,
        (Some(_), Some(_)) => Violation::HeadTooLarge,
    }
}

/// Returns what the head says; `head` is everything up to and including the empty line.
pub fn check_head(head: &[u8]) -> Result<Head, Violation> {
    scan(head, |_| Ok(()), |_, _| Ok(()))
}

/// Returns what the head says, and the request that it makes; its target and fields share the head's memory.
pub fn read_head(head: &Bytes) -> Result<(Head, ClientRequest<()>), Violation> {
    let (mut method, mut uri, mut version) = (Method::GET, Uri::default(), Version::HTTP_11);
    let mut lines = Vec::with_capacity(FEW);
    let start = |line: &RequestLine<'_>| {
        method = Method::from_bytes(line.method).map_err(|_| Violation::UnsupportedMethod)?;
        let target = Uri::from_maybe_shared(head.slice_ref(line.target));
        uri = target.map_err(|_| Violation::MalformedTarget)?;
        if line.http_10 {
            version = Version::HTTP_10;
        }
        Ok(())
    };
    let said = scan(head, start, |name, value| {
        lines.push(Line::of(head.as_ptr().addr(), name, value));
        Ok(())
    })?;
    let fields = Fields::given(head.clone(), lines);
    Ok((said, ClientRequest { method, uri, version, fields, protocol: None, body: () }))
}

/// Goes over a head once, and tells its parts as they are met: what has been told of a head that turns out bad counts for nothing.
fn scan<'a>(
    head: &'a [u8],
    mut start: impl FnMut(&RequestLine<'a>) -> Result<(), Violation>,
    mut field: impl FnMut(&'a [u8], &'a [u8]) -> Result<(), Violation>,
) -> Result<Head, Violation> {
    let mut lines = Lines { rest: head };
    let mut request_line = lines.next_line()?;
    // RFC 9112 2.2: empty lines before a request line are to be ignored; some clients end their bodies so.
    while request_line.is_empty() {
        request_line = lines.next_line()?;
    }
    let request_line = RequestLine::read(request_line)?;
    start(&request_line)?;
    let mut known = Known::default();
    loop {
        let line = lines.next_line()?;
        if line.is_empty() {
            break;
        }
        let (name, value) = known.take(line)?;
        field(name, value)?;
    }
    if !lines.rest.is_empty() {
        return Err(Violation::MalformedLine);
    }
    known.judge(request_line.http_10)
}

struct Lines<'a> {
    rest: &'a [u8],
}

impl<'a> Lines<'a> {
    /// Returns the next line without its CR LF. A bare LF ends no line here, although RFC 9112 2.2 lets it: other parsers
    /// go on reading. A stray CR fails in the grammar of what it stands in.
    fn next_line(&mut self) -> Result<&'a [u8], Violation> {
        let end = memchr::memchr(b'\n', self.rest).ok_or(Violation::MalformedLine)?;
        let line = self.rest[..end].strip_suffix(b"\r").ok_or(Violation::MalformedLine)?;
        self.rest = &self.rest[end + 1..];
        Ok(line)
    }
}

struct RequestLine<'a> {
    method: &'a [u8],
    target: &'a [u8],
    http_10: bool,
}

impl<'a> RequestLine<'a> {
    fn read(line: &'a [u8]) -> Result<Self, Violation> {
        let mut parts = line.split(|&byte| byte == b' ');
        let (Some(method), Some(target), Some(version), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(if names_http(line) { Violation::MalformedRequestLine } else { Violation::NotHttp });
        };
        if !is_token(method) || target.is_empty() {
            return Err(Violation::MalformedRequestLine);
        }
        check_target(target)?;
        let http_10 = match version {
            b"HTTP/1.1" => false,
            b"HTTP/1.0" => true,
            [b'H', b'T', b'T', b'P', b'/', major, b'.', minor] if major.is_ascii_digit() && minor.is_ascii_digit() => {
                return Err(Violation::UnsupportedVersion);
            }
            _ if names_http(line) => return Err(Violation::MalformedRequestLine),
            _ => return Err(Violation::NotHttp),
        };
        // Those that no resource has, whatever its rules.
        if matches!(method, b"CONNECT" | b"TRACE") || method.len() > METHOD_LENGTH {
            return Err(Violation::UnsupportedMethod);
        }
        Ok(Self { method, target, http_10 })
    }
}

fn names_http(line: &[u8]) -> bool {
    line.windows(5).any(|window| window.eq_ignore_ascii_case(b"http/"))
}

/// Returns what is wrong with a target, be it in origin or absolute form.
pub fn check_target(target: &[u8]) -> Result<(), Violation> {
    if target.len() > TARGET_LENGTH {
        return Err(Violation::TargetTooLong);
    }
    let path_end = memchr::memchr(b'?', target).unwrap_or(target.len());
    let (path, query) = target.split_at(path_end);
    if are_all(PATH, path) && are_all(QUERY, query) { Ok(()) } else { Err(Violation::MalformedTarget) }
}

/// The fields that frame a message, as they are met.
#[derive(Default)]
struct Known<'a> {
    count: usize,
    host: Seen<'a>,
    content_length: Seen<'a>,
    content_type: Seen<'a>,
    transfer_encoding: Seen<'a>,
    expect: Seen<'a>,
    has_upgrade: bool,
    options: Options,
}

/// What `Connection` lists.
#[derive(Clone, Copy, Default)]
struct Options {
    upgrade: bool,
    close: bool,
    keep_alive: bool,
}

impl Options {
    fn read(&mut self, value: &[u8]) {
        for option in value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii) {
            self.upgrade |= option.eq_ignore_ascii_case(b"upgrade");
            self.close |= option.eq_ignore_ascii_case(b"close");
            self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
        }
    }
}

/// A field that may come once.
#[derive(Clone, Copy, Default)]
enum Seen<'a> {
    #[default]
    Never,
    Once(&'a [u8]),
    Again,
}

impl<'a> Seen<'a> {
    fn add(&mut self, value: &'a [u8]) {
        *self = if matches!(self, Self::Never) { Self::Once(value) } else { Self::Again };
    }
}

impl<'a> Known<'a> {
    /// Returns the name and the value of the field, without the white space around it.
    fn take(&mut self, line: &'a [u8]) -> Result<(&'a [u8], &'a [u8]), Violation> {
        self.count += 1;
        if self.count > FIELDS {
            return Err(Violation::TooManyFields);
        }
        let (name, value) = read_field(line).ok_or(Violation::MalformedField)?;
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        match name.len() {
            4 if is("host") => self.host.add(value),
            6 if is("expect") => self.expect.add(value),
            7 if is("upgrade") => self.has_upgrade = true,
            10 if is("connection") => self.options.read(value),
            12 if is("content-type") => self.content_type.add(value),
            14 if is("content-length") => self.content_length.add(value),
            17 if is("transfer-encoding") => self.transfer_encoding.add(value),
            _ => {}
        }
        Ok((name, value))
    }

    fn judge(&self, http_10: bool) -> Result<Head, Violation> {
        match self.host {
            Seen::Never if http_10 => {}
            Seen::Once(host) if !host.is_empty() && host.iter().all(|&byte| is_host_byte(byte)) => {}
            Seen::Never | Seen::Once(_) | Seen::Again => return Err(Violation::InvalidHost),
        }
        if matches!(self.content_type, Seen::Again) {
            return Err(Violation::RepeatedContentType);
        }
        let expects_continue = match self.expect {
            Seen::Never => false,
            Seen::Once(value) if value.eq_ignore_ascii_case(b"100-continue") => !http_10,
            Seen::Once(_) | Seen::Again => return Err(Violation::UnknownExpectation),
        };
        let framing = self.framing(http_10)?;
        let wants_upgrade = self.has_upgrade && self.options.upgrade && !http_10;
        let persists = !self.options.close && (!http_10 || self.options.keep_alive);
        Ok(Head { framing, wants_upgrade, expects_continue, http_10, persists })
    }

    fn framing(&self, http_10: bool) -> Result<Framing, Violation> {
        let coding = match self.transfer_encoding {
            Seen::Never => None,
            Seen::Once(_) if http_10 => return Err(Violation::InvalidTransferEncoding),
            Seen::Once(coding) => Some(coding),
            Seen::Again => return Err(Violation::InvalidTransferEncoding),
        };
        match (coding, self.content_length) {
            (None, Seen::Never) => Ok(Framing::None),
            (None, Seen::Once(digits)) => parse_length(digits).map(Framing::Length),
            (None, Seen::Again) => Err(Violation::InvalidContentLength),
            (Some(coding), Seen::Never) if coding.eq_ignore_ascii_case(b"chunked") => Ok(Framing::Chunked),
            // RFC 9112 6.1: not understood is 501. Lists, where parsers differ on which coding counts, are malformed.
            (Some(coding), Seen::Never) if is_token(coding) => Err(Violation::UnknownTransferCoding),
            (Some(_), _) => Err(Violation::InvalidTransferEncoding),
        }
    }
}

/// Returns the length that `Content-Length` says.
pub fn parse_length(digits: &[u8]) -> Result<u64, Violation> {
    let is_plain = digits.iter().all(u8::is_ascii_digit) && (digits.len() == 1 || !digits.starts_with(b"0"));
    if digits.is_empty() || digits.len() > LENGTH_DIGITS || !is_plain {
        return Err(Violation::InvalidContentLength);
    }
    Ok(digits.iter().fold(0, |length, digit| length * 10 + u64::from(digit - b'0')))
}

/// The bytes that names, addresses and ports are made of; `target` holds Host to its whole grammar.
fn is_host_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b':' | b'[' | b']')
}
