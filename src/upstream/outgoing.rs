//! A request on its way to a server: its head, then its body framed as the head says, as fast as client and server go along.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::header::CONTENT_LENGTH;
use http::{Method, Request};
use http_body::{Body, Frame};
use tokio::io::AsyncWrite;

use super::body::{BodyError, RequestBody};
use super::head::{BodyLength, append_head, append_trailers};
use crate::clock::Clock;

/// Why a request could not be sent to its end.
#[derive(Debug)]
pub(super) enum Unsent {
    Client(BodyError),
    Server(io::Error),
}

/// What of a request the server has not taken yet.
pub(super) struct Outgoing {
    /// Written in this order: head, size of a chunk or trailers; a piece of the body; what ends the piece.
    frame: BytesMut,
    data: Bytes,
    end: &'static [u8],
    left: Left,
    body: RequestBody,
    has_begun: bool,
    /// Whether the server would take more and the client has not sent it.
    pub waits_for_client: bool,
    /// When the client last sent something of the body.
    pub last: Option<Instant>,
}

/// What of the body has not come yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    Nothing,
    Length(u64),
    Chunks,
}

impl Outgoing {
    /// Returns the head and what comes after it; `body` is the request's own.
    pub(super) fn new<B>(request: &Request<B>, body: RequestBody) -> Self {
        let given = request.headers().get(CONTENT_LENGTH);
        let left = if body.is_end_stream() {
            Left::Nothing
        } else {
            let length = given.and_then(|length| length.to_str().ok()).and_then(|length| length.parse().ok());
            length.map_or(Left::Chunks, Left::Length)
        };
        let length = match left {
            Left::Length(length) => BodyLength::Known(length),
            Left::Chunks => BodyLength::Unknown,
            Left::Nothing if given.is_some() || takes_content(request.method()) => BodyLength::Known(0),
            Left::Nothing => BodyLength::Unsaid,
        };
        let mut frame = BytesMut::with_capacity(1024);
        append_head(request, length, &mut frame);
        let (data, end) = (Bytes::new(), &b""[..]);
        Self { frame, data, end, left, body, has_begun: false, waits_for_client: false, last: None }
    }

    /// Whether the server can have seen anything of it.
    pub(super) fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// Returns the body, whole if nothing has begun.
    pub(super) fn into_body(self) -> RequestBody {
        self.body
    }

    /// Returns ready when everything has been sent.
    pub(super) fn poll_send<S>(&mut self, stream: &mut S, context: &mut Context<'_>) -> Poll<Result<(), Unsent>>
    where
        S: AsyncWrite + Unpin,
    {
        loop {
            ready!(self.poll_write(stream, context)).map_err(Unsent::Server)?;
            if self.left == Left::Nothing {
                return Pin::new(stream).poll_flush(context).map_err(Unsent::Server);
            }
            let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) else {
                self.waits_for_client = true;
                // What there is goes on its way; whether all of it went is seen at the next turn.
                let _ = Pin::new(stream).poll_flush(context).map_err(Unsent::Server)?;
                return Poll::Pending;
            };
            self.waits_for_client = false;
            self.last = Some(Clock::monotonic());
            self.take_frame(frame.transpose().map_err(Unsent::Client)?)?;
        }
    }

    /// Writes what is framed already.
    fn poll_write<S: AsyncWrite + Unpin>(&mut self, stream: &mut S, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let slices = [&self.frame[..], &self.data[..], self.end];
            let written = match slices {
                [[], [], []] => return Poll::Ready(Ok(())),
                [only, [], []] => ready!(Pin::new(&mut *stream).poll_write(context, only))?,
                _ => ready!(Pin::new(&mut *stream).poll_write_vectored(context, &slices.map(IoSlice::new)))?,
            };
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.has_begun = true;
            self.advance(written);
        }
    }

    fn advance(&mut self, mut written: usize) {
        for part in [&mut self.frame as &mut dyn Buf, &mut self.data, &mut self.end] {
            let here = written.min(part.remaining());
            part.advance(here);
            written -= here;
        }
    }

    /// Frames what came of the body; `None` is its end.
    fn take_frame(&mut self, frame: Option<Frame<Bytes>>) -> Result<(), Unsent> {
        let Some(frame) = frame else {
            if self.left == Left::Chunks {
                self.end = b"0\r\n\r\n";
            }
            return self.finish();
        };
        match frame.into_data() {
            Ok(data) if data.is_empty() => Ok(()),
            Ok(data) => self.take_data(data),
            Err(other) => {
                if let Ok(trailers) = other.into_trailers()
                    && self.left == Left::Chunks
                {
                    self.frame.put_slice(b"0\r\n");
                    append_trailers(&trailers, &mut self.frame);
                }
                self.finish()
            }
        }
    }

    fn take_data(&mut self, data: Bytes) -> Result<(), Unsent> {
        let length = data.len() as u64;
        match &mut self.left {
            Left::Length(left) if *left >= length => {
                *left -= length;
                if *left == 0 {
                    self.left = Left::Nothing;
                }
            }
            Left::Length(_) | Left::Nothing => return Err(other_length()),
            Left::Chunks => {
                self.frame.put_slice(format!("{length:x}\r\n").as_bytes());
                self.end = b"\r\n";
                if self.body.is_end_stream() {
                    self.end = b"\r\n0\r\n\r\n";
                    self.left = Left::Nothing;
                }
            }
        }
        self.data = data;
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Unsent> {
        let is_short = matches!(self.left, Left::Length(_));
        self.left = Left::Nothing;
        if is_short { Err(other_length()) } else { Ok(()) }
    }
}

/// Whether a request without a body should say so (RFC 9110 section 8.6).
fn takes_content(method: &Method) -> bool {
    matches!(*method, Method::POST | Method::PUT | Method::PATCH)
}

/// A body that isn't as long as its head said would be read as the next request, or that as the body.
fn other_length() -> Unsent {
    Unsent::Client(BodyError::Broken("it is not as long as Content-Length says".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head_of(method: &str, fields: &[(&str, &str)]) -> String {
        let mut request = Request::builder().method(method).uri("/a?b=c").header("host", "app");
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let outgoing = Outgoing::new(&request.body(()).unwrap(), RequestBody::default());
        String::from_utf8(outgoing.frame.to_vec()).unwrap()
    }

    #[test]
    fn a_request_is_framed_by_its_body_and_not_by_what_its_fields_say() {
        for (method, fields, expected) in [
            ("GET", &[][..], ""),
            ("GET", &[("content-length", "0")], "content-length: 0\r\n"),
            ("GET", &[("transfer-encoding", "chunked")], ""),
            ("POST", &[], "content-length: 0\r\n"),
            ("POST", &[("content-length", "5"), ("transfer-encoding", "chunked")], "content-length: 0\r\n"),
        ] {
            let head = format!("{method} /a?b=c HTTP/1.1\r\nhost: app\r\n{expected}\r\n");
            assert_eq!(head_of(method, fields), head, "{method} {fields:?}");
        }
    }
}
