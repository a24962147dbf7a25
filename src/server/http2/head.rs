//! What a field block asks for (RFC 9113 section 8): a request, or the reason why it is malformed. It says nothing about what a
//! request may do. Pure; called by `mux`.

use std::ops::Range;

use bytes::Bytes;
use http::header::HOST;
use http::uri::{Authority, Parts, PathAndQuery, Scheme};
use http::{HeaderMap, Method, Uri, Version};

use super::frame::Code;
use crate::http::fields::{self, Fields, Line};
use crate::http::hpack::{Decoder, Undecodable};
use crate::http::request::ClientRequest;
use crate::http::target::{Target, TargetError};
use crate::http::wire::{Violation, check_target, is_token, is_value, parse_length};

/// How many fields a request may have, as on HTTP/1.1; the pieces of a cookie count as one (section 8.2.3).
const FIELDS: usize = 100;

/// A request whose body is to come.
#[derive(Debug)]
pub struct Asked {
    pub request: ClientRequest<()>,
    /// What `Content-Length` says.
    pub length: Option<u64>,
    /// The client waits for a 100 before it sends the body.
    pub expects_continue: bool,
}

/// By how much a block's fields may be larger than they may be, and still only their request is refused: a few octets that name a
/// field of the table again and again make many (CVE-2016-6581).
const EXCESS: usize = 16;

/// Returns what a whole block asks for; its fields may count for `most` octets (RFC 9113 section 10.5.1).
pub fn read_request(decoder: &mut Decoder, block: &[u8], most: usize) -> Result<Result<Asked, Violation>, Code> {
    Ok(read(decoder, block, most)?.into_request())
}

/// Returns the trailers that a whole block is.
pub fn read_trailers(decoder: &mut Decoder, block: &[u8], most: usize) -> Result<Result<HeaderMap, Violation>, Code> {
    Ok(read(decoder, block, most)?.into_trailers())
}

fn read(decoder: &mut Decoder, block: &[u8], most: usize) -> Result<Reader, Code> {
    let mut reader = Reader::new(most);
    decoder.decode(block, |name, value| reader.take(name, value)).map_err(|Undecodable| Code::Compression)?;
    if reader.size > most.saturating_mul(EXCESS) { Err(Code::EnhanceYourCalm) } else { Ok(reader) }
}

/// What has been read of a block. After the first fault nothing counts but the size.
struct Reader {
    most: usize,
    size: usize,
    /// The values of pseudo-header fields, then the others as lines.
    section: Vec<u8>,
    lines: Vec<Line>,
    pseudo: Pseudo,
    count: usize,
    length: Option<u64>,
    has_type: bool,
    expects_continue: bool,
    fault: Option<Violation>,
}

/// Where the pseudo-header fields' values stand (section 8.3.1).
#[derive(Default)]
struct Pseudo {
    method: Option<Range<usize>>,
    scheme: Option<Range<usize>>,
    authority: Option<Range<usize>>,
    path: Option<Range<usize>>,
    protocol: Option<Range<usize>>,
}

impl Reader {
    fn new(most: usize) -> Self {
        Self {
            most,
            size: 0,
            section: Vec::with_capacity(512),
            lines: Vec::with_capacity(16),
            pseudo: Pseudo::default(),
            count: 0,
            length: None,
            has_type: false,
            expects_continue: false,
            fault: None,
        }
    }

    fn take(&mut self, name: &[u8], value: &[u8]) {
        self.size += name.len() + value.len() + 32;
        if self.fault.is_none() {
            self.fault = self.read(name, value).err();
        }
    }

    fn read(&mut self, name: &[u8], value: &[u8]) -> Result<(), Violation> {
        if self.size > self.most {
            return Err(Violation::HeadTooLarge);
        }
        if let [b':', pseudo @ ..] = name {
            return self.read_pseudo(pseudo, value);
        }
        let is_name = is_token(name) && !name.iter().any(u8::is_ascii_uppercase);
        if !is_name || !is_value(value) || is_padded(value) {
            return Err(Violation::MalformedField);
        }
        self.read_known(name, value)?;
        self.count += usize::from(name != b"cookie");
        if self.count > FIELDS {
            return Err(Violation::TooManyFields);
        }
        self.lines.push(fields::append(&mut self.section, name, value));
        Ok(())
    }

    fn read_pseudo(&mut self, name: &[u8], value: &[u8]) -> Result<(), Violation> {
        let place = match name {
            b"method" => &mut self.pseudo.method,
            b"scheme" => &mut self.pseudo.scheme,
            b"authority" => &mut self.pseudo.authority,
            b"path" => &mut self.pseudo.path,
            b"protocol" => &mut self.pseudo.protocol,
            _ => return Err(Violation::MalformedPseudoHeader),
        };
        if place.is_some() || !self.lines.is_empty() {
            return Err(Violation::MalformedPseudoHeader);
        }
        let start = self.section.len();
        self.section.extend_from_slice(value);
        *place = Some(start..self.section.len());
        Ok(())
    }

    /// Fields that frame a message, and those that HTTP/2 doesn't have (section 8.2.2).
    fn read_known(&mut self, name: &[u8], value: &[u8]) -> Result<(), Violation> {
        match name {
            b"content-length" => {
                let length = parse_length(value)?;
                if self.length.replace(length).is_some() {
                    return Err(Violation::InvalidContentLength);
                }
            }
            b"content-type" if std::mem::replace(&mut self.has_type, true) => {
                return Err(Violation::RepeatedContentType);
            }
            b"expect" if self.expects_continue || !value.eq_ignore_ascii_case(b"100-continue") => {
                return Err(Violation::UnknownExpectation);
            }
            b"expect" => self.expects_continue = true,
            b"te" if value.eq_ignore_ascii_case(b"trailers") => {}
            b"te" | b"connection" | b"proxy-connection" | b"keep-alive" | b"transfer-encoding" | b"upgrade" => {
                return Err(Violation::MalformedField);
            }
            _ => {}
        }
        Ok(())
    }

    fn into_request(self) -> Result<Asked, Violation> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let section = Bytes::from(self.section);
        let method = self.pseudo.method.clone().ok_or(Violation::MalformedPseudoHeader)?;
        let method = Method::from_bytes(&section[method]).map_err(|_| Violation::MalformedPseudoHeader)?;
        let uri = self.pseudo.uri(&section, &method)?;
        let protocol = self.pseudo.protocol.map(|protocol| section.slice(protocol));
        let fields = Fields::given(section, self.lines);
        let request = ClientRequest { method, uri, version: Version::HTTP_2, fields, protocol, body: () };
        // A Host that names another host than `:authority` is malformed (section 8.3.1); few clients send one at all.
        if request.fields.contains(&HOST) && Target::read(&request).is_err_and(concerns_host) {
            return Err(Violation::InvalidHost);
        }
        Ok(Asked { request, length: self.length, expects_continue: self.expects_continue })
    }

    fn into_trailers(self) -> Result<HeaderMap, Violation> {
        match self.fault {
            Some(fault) => Err(fault),
            // Section 8.1: trailers have none.
            None if self.pseudo.is_there() => Err(Violation::MalformedPseudoHeader),
            None => Ok(Fields::given(self.section.into(), self.lines).into_map()),
        }
    }
}

impl Pseudo {
    fn is_there(&self) -> bool {
        let all = [&self.method, &self.scheme, &self.authority, &self.path, &self.protocol];
        all.iter().any(|value| value.is_some())
    }

    /// Returns scheme, authority and path; CONNECT has an authority alone, unless it names a protocol (RFC 8441 section 4).
    fn uri(&self, section: &Bytes, method: &Method) -> Result<Uri, Violation> {
        let mut parts = Parts::default();
        if let Some(authority) = &self.authority {
            let authority = Authority::from_maybe_shared(section.slice(authority.clone()));
            parts.authority = Some(authority.map_err(|_| Violation::InvalidHost)?);
        }
        let is_connect = *method == Method::CONNECT;
        if is_connect && self.protocol.is_none() {
            let is_right = parts.authority.is_some() && self.scheme.is_none() && self.path.is_none();
            return if is_right { from_parts(parts) } else { Err(Violation::MalformedPseudoHeader) };
        }
        let (Some(scheme), Some(path)) = (&self.scheme, &self.path) else {
            return Err(Violation::MalformedPseudoHeader);
        };
        if self.protocol.is_some() && !(is_connect && parts.authority.is_some()) {
            return Err(Violation::MalformedPseudoHeader);
        }
        let path = section.slice(path.clone());
        check_target(&path)?;
        let begins = path.starts_with(b"/") || (&path[..] == b"*" && *method == Method::OPTIONS);
        if !begins {
            return Err(Violation::MalformedPseudoHeader);
        }
        let path = PathAndQuery::from_maybe_shared(path).map_err(|_| Violation::MalformedTarget)?;
        let scheme = scheme_of(&section[scheme.clone()])?;
        parts.path_and_query = Some(path);
        // Without an authority of its own a target has no scheme either; its host is in Host.
        parts.scheme = parts.authority.is_some().then_some(scheme);
        from_parts(parts)
    }
}

fn from_parts(parts: Parts) -> Result<Uri, Violation> {
    Uri::from_parts(parts).map_err(|_| Violation::MalformedTarget)
}

fn scheme_of(scheme: &[u8]) -> Result<Scheme, Violation> {
    match scheme {
        _ if scheme.eq_ignore_ascii_case(b"https") => Ok(Scheme::HTTPS),
        _ if scheme.eq_ignore_ascii_case(b"http") => Ok(Scheme::HTTP),
        _ => Err(Violation::MalformedTarget),
    }
}

/// Section 8.2.1: white space around a value is not part of the value, and some parsers would take it off.
fn is_padded(value: &[u8]) -> bool {
    matches!(value, [b' ' | b'\t', ..] | [.., b' ' | b'\t'])
}

fn concerns_host(error: TargetError) -> bool {
    match error {
        TargetError::MissingHost | TargetError::SeveralHosts | TargetError::InvalidHost | TargetError::HostMismatch => {
            true
        }
        TargetError::InvalidForm | TargetError::AmbiguousPath => false,
    }
}

#[cfg(test)]
mod tests;
