//! A message on its way: its head, then its body framed as the head says, as fast as the body comes and the other side takes it.

use std::io::{self, IoSlice, Write as _};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame};
use tokio::io::AsyncWrite;

use super::wire::append_fields;

/// Why a message could not be sent to its end.
#[derive(Debug)]
pub enum Unsent<E> {
    /// The body ended before its end.
    Body(E),
    /// The body is not as long as the head says: it would be read as the next message, or that as the body.
    Length,
    /// The other side takes no more.
    Stream(io::Error),
}

/// What of a body is still to be framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    Nothing,
    /// So many bytes.
    Length(u64),
    /// Chunks (RFC 9112 section 7.1).
    Chunks,
    /// All that comes until the connection ends.
    UntilClose,
}

impl Left {
    /// Returns how much of the body may be written behind the head.
    pub fn to_be_copied(self) -> usize {
        match self {
            Self::Length(length) => usize::try_from(length).ok().filter(|length| *length <= COPIED).unwrap_or_default(),
            Self::Nothing | Self::Chunks | Self::UntilClose => 0,
        }
    }
}

/// A piece of the body that is no longer than this is copied behind the head: the system takes one slice for less than several.
const COPIED: usize = 2 * 1024;

/// What of a message the other side has not taken yet.
pub struct Outgoing<B> {
    /// Written in this order: head, size of a chunk or trailers; a piece of the body; what ends the piece.
    frame: Vec<u8>,
    data: Bytes,
    end: &'static [u8],
    /// How much of `frame` has been written.
    sent: usize,
    left: Left,
    body: B,
    has_begun: bool,
    waits_for_body: bool,
}

impl<B: Body<Data = Bytes> + Unpin> Outgoing<B> {
    /// Returns a message; `left` is what its head says of its body.
    pub fn new(head: Vec<u8>, left: Left, body: B) -> Self {
        Self { frame: head, data: Bytes::new(), end: b"", sent: 0, left, body, has_begun: false, waits_for_body: false }
    }

    /// Whether the other side can have seen anything of it.
    pub fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// Whether the other side would take more, and it has not come.
    pub fn waits_for_body(&self) -> bool {
        self.waits_for_body
    }

    pub fn body(&self) -> &B {
        &self.body
    }

    /// Returns the body, whole if nothing has begun.
    pub fn into_body(self) -> B {
        self.body
    }

    /// Takes the first piece of the body if it is here, so that it goes out together with the head.
    pub fn gather(&mut self, context: &mut Context<'_>) -> Result<(), Unsent<B::Error>> {
        if self.left == Left::Nothing {
            return Ok(());
        }
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Ready(frame) => self.take_frame(frame.transpose().map_err(Unsent::Body)?),
            Poll::Pending => Ok(()),
        }
    }

    /// Returns ready when everything has been sent.
    pub fn poll_send<S>(&mut self, stream: &mut S, context: &mut Context<'_>) -> Poll<Result<(), Unsent<B::Error>>>
    where
        S: AsyncWrite + Unpin,
    {
        loop {
            // With the head the message would be whole: a body that comes nevertheless must show itself before.
            if self.left != Left::Length(0) {
                ready!(self.poll_write(stream, context)).map_err(Unsent::Stream)?;
            }
            self.waits_for_body = false;
            if self.left == Left::Nothing {
                return Pin::new(stream).poll_flush(context).map_err(Unsent::Stream);
            }
            let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) else {
                self.waits_for_body = true;
                // What there is goes on its way; whether all of it went is seen at the next turn.
                let _ = Pin::new(stream).poll_flush(context).map_err(Unsent::Stream)?;
                return Poll::Pending;
            };
            self.take_frame(frame.transpose().map_err(Unsent::Body)?)?;
        }
    }

    /// Writes what is framed already.
    fn poll_write<S: AsyncWrite + Unpin>(&mut self, stream: &mut S, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let slices = [&self.frame[self.sent..], &self.data[..], self.end];
            let written = match slices {
                [[], [], []] => return Poll::Ready(Ok(())),
                [only, [], []] | [[], only, []] => ready!(Pin::new(&mut *stream).poll_write(context, only))?,
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
        let of_frame = written.min(self.frame.len() - self.sent);
        self.sent += of_frame;
        if self.sent == self.frame.len() {
            self.frame.clear();
            self.sent = 0;
        }
        written -= of_frame;
        for part in [&mut self.data as &mut dyn Buf, &mut self.end] {
            let here = written.min(part.remaining());
            part.advance(here);
            written -= here;
        }
        if self.data.is_empty() {
            // It would keep all of the buffer that it was read into.
            self.data = Bytes::new();
        }
    }

    /// Frames what came of the body; `None` is its end.
    fn take_frame(&mut self, frame: Option<Frame<Bytes>>) -> Result<(), Unsent<B::Error>> {
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
                    self.frame.extend_from_slice(b"0\r\n");
                    append_fields(trailers.iter(), &mut self.frame);
                    self.frame.extend_from_slice(b"\r\n");
                }
                self.finish()
            }
        }
    }

    fn take_data(&mut self, data: Bytes) -> Result<(), Unsent<B::Error>> {
        let length = data.len() as u64;
        match &mut self.left {
            Left::UntilClose => {}
            Left::Length(left) if *left >= length => {
                *left -= length;
                if *left == 0 {
                    self.left = Left::Nothing;
                }
            }
            Left::Length(_) | Left::Nothing => return Err(Unsent::Length),
            Left::Chunks => {
                write!(self.frame, "{length:x}\r\n").expect("a vector takes all that is written");
                self.end = b"\r\n";
                if self.body.is_end_stream() {
                    self.end = b"\r\n0\r\n\r\n";
                    self.left = Left::Nothing;
                }
            }
        }
        if data.len() <= COPIED {
            self.frame.extend_from_slice(&data);
            self.frame.extend_from_slice(std::mem::take(&mut self.end));
        } else {
            self.data = data;
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Unsent<B::Error>> {
        let is_short = matches!(self.left, Left::Length(1..));
        self.left = Left::Nothing;
        if is_short { Err(Unsent::Length) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::task::Waker;

    use http_body_util::{Empty, Full};

    use super::*;

    fn sent<B: Body<Data = Bytes, Error = Infallible> + Unpin>(left: Left, body: B) -> Result<String, &'static str> {
        let mut out = Vec::new();
        let mut context = Context::from_waker(Waker::noop());
        match Outgoing::new(b"head|".to_vec(), left, body).poll_send(&mut out, &mut context) {
            Poll::Ready(Ok(())) => Ok(String::from_utf8(out).unwrap()),
            Poll::Ready(Err(Unsent::Length)) => Err("length"),
            other => panic!("{other:?}"),
        }
    }

    fn text(text: &str) -> Full<Bytes> {
        Full::new(Bytes::copy_from_slice(text.as_bytes()))
    }

    #[test]
    fn a_body_goes_out_as_its_head_says_or_not_to_the_end() {
        assert_eq!(sent(Left::Nothing, text("abc")), Ok("head|".into()));
        assert_eq!(sent(Left::Length(3), text("abc")), Ok("head|abc".into()));
        assert_eq!(sent(Left::UntilClose, text("abc")), Ok("head|abc".into()));
        assert_eq!(sent(Left::Chunks, text("abc")), Ok("head|3\r\nabc\r\n0\r\n\r\n".into()));
        assert_eq!(sent(Left::Chunks, Empty::new()), Ok("head|0\r\n\r\n".into()));
        assert_eq!(sent(Left::Length(0), Empty::new()), Ok("head|".into()));
        assert_eq!(sent(Left::Length(0), text("a")), Err("length"), "and nothing was sent");
        for (length, body) in [(4, "abc"), (2, "abc"), (1, "")] {
            assert_eq!(sent(Left::Length(length), text(body)), Err("length"), "{length} {body}");
        }
    }

    #[test]
    fn a_long_piece_is_framed_like_a_short_one() {
        let long = "x".repeat(COPIED + 1);
        assert_eq!(sent(Left::Chunks, text(&long)), Ok(format!("head|{:x}\r\n{long}\r\n0\r\n\r\n", long.len())));
    }
}
