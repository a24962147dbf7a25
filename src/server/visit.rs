//! One request's visit: what its access line will say, kept until its answer has gone out to the last byte.

use std::borrow::Cow;
use std::cell::Cell;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode, Version, header};
use http_body::{Body, Frame, SizeHint};

use super::Unreadable;
use super::dispatch::{Dispatch, Edge};
use crate::clock::{Clock, Timestamp};
use crate::gateway::Trace;
use crate::gateway::forwarded::REQUEST_ID;
use crate::http::client::ClientAddr;
use crate::http::fields::{Fields, Lookup};
use crate::http::request::ClientRequest;
use crate::http::target::Target;
use crate::secret::random_bytes;
use crate::telemetry::access::{AccessLine, Format, Protocol};
use crate::telemetry::metrics::AccessKind;
use crate::token::api_key;
use crate::upstream::{BodyError, BytesIn, ResponseBody};

/// What is known of a request so far.
pub struct Visit {
    pub client: ClientAddr,
    pub request_id: HeaderValue,
    pub now: Timestamp,
    pub target: Option<Target>,
    pub trace: Trace,
    pub status: StatusCode,
    pub refused: Option<&'static str>,
    /// Of a body that was read here; what went to an upstream is counted there.
    pub bytes_in: u64,
    pub bytes_out: u64,
    /// What the line shows in place of a path that holds a secret.
    pub shown_path: Option<String>,
    started: Instant,
    method: Option<Method>,
    protocol: Protocol,
    format: Option<Format>,
    /// Host and path as they came, where they are no target.
    raw: Option<(Vec<u8>, String)>,
}

impl Visit {
    /// Returns a new visit; boxed, because it goes with its request through every hand, and with the answer back.
    pub fn begin<B>(dispatch: &Dispatch, edge: &Edge, client: ClientAddr, request: &ClientRequest<B>) -> Box<Self> {
        let protocol = if request.version == Version::HTTP_2 { Protocol::H2 } else { Protocol::H1 };
        let mut visit = Box::new(Self::blank(dispatch, edge, client, protocol));
        let vouched = client.behind_proxy.then(|| vouched_id(&request.fields)).flatten();
        visit.request_id = vouched.unwrap_or_else(|| dispatch.ids.next());
        visit.method = Some(request.method.clone());
        visit
    }

    /// Has the access line show host and path as they came: there is no target.
    pub fn keep_raw<B>(&mut self, request: &ClientRequest<B>) {
        let host = request.fields.first(&header::HOST).unwrap_or_default();
        self.raw = self.format.map(|_| (host.to_vec(), request.uri.path().to_owned()));
    }

    /// Returns the visit of a request that could not even be parsed.
    pub fn unreadable(dispatch: &Dispatch, edge: &Edge, peer: SocketAddr, reason: Unreadable) -> Self {
        let client = ClientAddr::read(peer, &Fields::default(), &[]);
        let protocol = match reason {
            Unreadable::Malformed(_) | Unreadable::HeadTooSlow => Protocol::H1,
            Unreadable::MalformedStream(_) => Protocol::H2,
        };
        Self { request_id: dispatch.ids.next(), ..Self::blank(dispatch, edge, client, protocol) }
    }

    fn blank(dispatch: &Dispatch, edge: &Edge, client: ClientAddr, protocol: Protocol) -> Self {
        Self {
            client,
            request_id: HeaderValue::from_static(""),
            now: dispatch.clock.now(),
            target: None,
            trace: Trace::default(),
            status: StatusCode::OK,
            refused: None,
            bytes_in: 0,
            bytes_out: 0,
            shown_path: None,
            started: Clock::monotonic(),
            method: None,
            protocol,
            format: edge.access_log,
            raw: None,
        }
    }

    /// Whether the answer is to have no body.
    pub fn asks_head(&self) -> bool {
        self.method.as_ref() == Some(&Method::HEAD)
    }

    /// Counts the visit and writes its access line.
    pub fn record(&self, dispatch: &Dispatch) {
        let duration = self.started.elapsed();
        let access = self.trace.access.unwrap_or(AccessKind::Unrouted);
        dispatch.traffic.record(access, self.status.as_u16(), duration);
        let Some(format) = self.format else { return };
        let (host, path) = match (&self.target, &self.raw) {
            (Some(target), _) => (target.host().as_bytes(), self.shown_path.as_deref().unwrap_or(target.path())),
            (None, Some((host, path))) => (&host[..], path.as_str()),
            (None, None) => (&b""[..], ""),
        };
        let path = without_credentials(path);
        let line = AccessLine {
            time: self.now,
            request_id: self.request_id.as_bytes(),
            client: self.client.ip,
            protocol: self.protocol,
            method: self.method.as_ref().map_or("", Method::as_str),
            host,
            path: path.as_bytes(),
            status: self.status.as_u16(),
            route: self.trace.route.as_deref(),
            user_id: self.trace.caller.as_ref().map(|caller| caller.principal.user_id.as_str()),
            upstream: self.trace.upstream.as_ref().map(|upstream| upstream.name.as_str()),
            duration,
            upstream_duration: self.trace.upstream_time,
            bytes_in: self.trace.bytes_in.as_ref().map_or(self.bytes_in, BytesIn::count),
            bytes_out: self.bytes_out,
            refused: self.refused,
        };
        dispatch.lines.write(|out| line.write(format, out));
    }
}

/// A visit whose client may leave before there is an answer: what was asked may have been done all the same, and has its access line.
pub struct Unanswered<'a> {
    dispatch: &'a Dispatch,
    visit: Option<Box<Visit>>,
}

impl<'a> Unanswered<'a> {
    pub fn new(dispatch: &'a Dispatch, visit: Box<Visit>) -> Self {
        Self { dispatch, visit: Some(visit) }
    }

    pub fn visit(&mut self) -> &mut Visit {
        self.visit.as_mut().expect("it is taken at the end")
    }

    pub fn into_visit(mut self) -> Box<Visit> {
        self.visit.take().expect("it is taken once")
    }
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        let Some(visit) = &mut self.visit else { return };
        // Nobody was there to read a status: 499 is what nginx writes then.
        let (status, reason) = if std::thread::panicking() { (500, "internal_error") } else { (499, "client_gone") };
        visit.status = StatusCode::from_u16(status).expect("three digits are a status");
        visit.refused = Some(reason);
        visit.record(self.dispatch);
    }
}

/// Returns the request id of a trusted proxy: 1 to 128 visible ASCII characters, once.
fn vouched_id(fields: &Fields) -> Option<HeaderValue> {
    let only = fields.only(&REQUEST_ID)?;
    let is_one = (1..=128).contains(&only.len()) && only.iter().all(u8::is_ascii_graphic);
    is_one.then(|| HeaderValue::from_bytes(only).ok()).flatten()
}

/// Every compact JWS begins with it: `{"` in base64.
const JWS: &str = "eyJ";

/// Returns a path with an ellipsis in place of each token and each key of a user: a client may have meant an endpoint that takes
/// one in its path, and spelt it wrongly, or have its app take credentials there.
fn without_credentials(path: &str) -> Cow<'_, str> {
    let begins_one = |three: &[u8]| three == JWS.as_bytes() || three == api_key::PREFIX.as_bytes();
    if !path.as_bytes().windows(3).any(begins_one) {
        return Cow::Borrowed(path);
    }
    let mut shown = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(letter) = rest.chars().next() {
        if rest.starts_with(JWS) || api_key::is_before(rest) {
            shown.push('…');
            let is_part = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
            rest = rest.trim_start_matches(is_part);
        } else {
            shown.push(letter);
            rest = &rest[letter.len_utf8()..];
        }
    }
    Cow::Owned(shown)
}

/// Makes request ids: 64 random bits that a worker has drawn, and a count. Unique, and no secret.
pub struct RequestIds {
    prefix: [u8; 16],
    count: Cell<u64>,
}

impl RequestIds {
    pub fn new() -> Self {
        Self { prefix: hexadecimal(random_bytes()), count: Cell::new(0) }
    }

    /// Returns 32 hexadecimal digits.
    pub fn next(&self) -> HeaderValue {
        let count = self.count.get();
        self.count.set(count.wrapping_add(1));
        let mut digits = [0; 32];
        digits[..16].copy_from_slice(&self.prefix);
        digits[16..].copy_from_slice(&hexadecimal(count.to_be_bytes()));
        HeaderValue::from_bytes(&digits).expect("hexadecimal digits are a field value")
    }
}

fn hexadecimal(bytes: [u8; 8]) -> [u8; 16] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut digits = [0; 16];
    for (pair, byte) in digits.chunks_exact_mut(2).zip(bytes) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 0xf)];
    }
    digits
}

impl Default for RequestIds {
    fn default() -> Self {
        Self::new()
    }
}

/// An upstream's body on its way out, with the visit that ends when it does: read to its end, cut, or dropped.
pub struct Observed {
    stream: ResponseBody,
    visit: Box<Visit>,
    dispatch: Rc<Dispatch>,
}

impl Observed {
    pub fn new(stream: ResponseBody, visit: Box<Visit>, dispatch: Rc<Dispatch>) -> Self {
        Self { stream, visit, dispatch }
    }
}

impl Body for Observed {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        Pin::new(&mut this.stream).poll_frame(context).map_err(|error| {
            this.visit.refused = Some("response_cut");
            error
        })
    }

    fn is_end_stream(&self) -> bool {
        self.stream.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.stream.size_hint()
    }
}

impl Drop for Observed {
    fn drop(&mut self) {
        self.visit.bytes_out = self.stream.bytes();
        self.visit.record(&self.dispatch);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_path_shows_a_token_or_a_key() {
        let key = format!("vk_{}", "k".repeat(38));
        for (path, shown) in [
            ("/auth/token/verify/eyJh.eyJp.s_-1%00", "/auth/token/verify/…%00"),
            ("/x%2feyJh.eyJp.s/eyJ%0a", "/x%2f…/…%0a"),
            (&format!("/auth/keys/{key}"), "/auth/keys/…"),
            (&format!("/x/a{key}%00/{key}.json"), "/x/a…%00/…"),
            ("/..%2fadmin", "/..%2fadmin"),
            ("/vk_callback/é", "/vk_callback/é"),
        ] {
            assert_eq!(without_credentials(path), shown);
        }
    }
}
