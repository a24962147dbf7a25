//! The bytes of one HTTP/1.1 connection, as far as they have been read: what waits to be taken, and how much of it is the body of the
//! request under way. Nothing of a chunked body is taken before its grammar was checked.

use std::io;
use std::mem::MaybeUninit;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};

use bytes::{Bytes, BytesMut};
use http_body::Frame;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

use super::body::Broken;
use crate::http::stream::Stream;
use crate::http::wire::{ChunkScanner, Chunks, Framing, Head, Piece, Violation, take_bytes};

/// How much is read at once where nothing is waited for; most heads are shorter. On the stack: an idle connection has no buffer.
pub(super) const HEAD_READ: usize = 8 * 1024;

/// How much of a body is read at once.
pub(super) const BODY_READ: usize = 32 * 1024;

/// How many pieces of a body that nobody reads are thrown away before it is given up, and its connection.
const FORGOTTEN_PIECES: usize = 16;

/// What a client that expects it waits for before it sends a body (RFC 9110 section 10.1.1).
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

pub(super) struct Io {
    pub(super) stream: Stream,
    /// What was read and not taken.
    pub(super) inbound: BytesMut,
    pub(super) rest: Rest,
    /// What the client waits for before it sends the body.
    owed: &'static [u8],
    /// It has been written, and may still stand in front of the socket.
    is_unflushed: bool,
    pub(super) is_shut: bool,
}

/// What of the request under way has not been taken.
pub(super) enum Rest {
    Nothing,
    Length(u64),
    Chunks(Box<Chunked>),
    /// Where it ends can't be told, or nobody will read that far.
    Broken,
}

/// What was there to be taken of a body.
pub(super) enum Taken {
    Frame(Frame<Bytes>),
    End,
    /// More is to come.
    Nothing,
}

#[derive(Default)]
pub(super) struct Chunked {
    scanner: ChunkScanner,
    /// How many of the bytes that wait were found to follow the grammar.
    checked: usize,
    pieces: Chunks,
}

impl Io {
    pub(super) fn new(stream: Stream, first: BytesMut) -> Self {
        Self { stream, inbound: first, rest: Rest::Nothing, owed: b"", is_unflushed: false, is_shut: false }
    }

    /// Takes bytes from the start of what came; what is empty afterwards keeps no memory.
    pub(super) fn take(&mut self, length: usize) -> Bytes {
        let taken = take_bytes(&mut self.inbound, length);
        self.let_go();
        taken
    }

    /// Lets go of a buffer in which nothing waits, unless a body is under way that needs it again.
    fn let_go(&mut self) {
        if self.inbound.is_empty() && matches!(self.rest, Rest::Nothing | Rest::Broken) {
            self.inbound = BytesMut::new();
        }
    }

    /// Takes back the word that the body may come, if none of it has gone out.
    pub(super) fn take_back_continue(&mut self) {
        if self.owed.len() == CONTINUE.len() {
            self.owed = b"";
        }
    }

    /// Reads up to `length` bytes behind those that wait; returns how many, 0 at the end.
    pub(super) fn poll_read(&mut self, length: usize, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if !self.inbound.is_empty() || length > HEAD_READ {
            self.inbound.reserve(length);
            let read = pin!(self.stream.read_buf(&mut self.inbound)).poll(context);
            if read.is_pending() && self.inbound.is_empty() {
                self.inbound = BytesMut::new();
            }
            return read;
        }
        let mut scratch = [MaybeUninit::uninit(); HEAD_READ];
        let mut buffer = ReadBuf::uninit(&mut scratch[..length]);
        ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer))?;
        self.inbound = BytesMut::from(buffer.filled());
        Poll::Ready(Ok(self.inbound.len()))
    }

    pub(super) fn begin_body(&mut self, said: &Head) -> Result<(), Violation> {
        self.rest = match said.framing {
            Framing::None | Framing::Length(0) => Rest::Nothing,
            Framing::Length(length) => Rest::Length(length),
            Framing::Chunked => Rest::Chunks(Box::default()),
        };
        let waits = said.expects_continue && self.inbound.is_empty() && !matches!(self.rest, Rest::Nothing);
        self.owed = if waits { CONTINUE } else { b"" };
        self.check_chunks()
    }

    /// Checks the bytes that have come of a chunked body: nothing is taken of it that another parser could frame otherwise.
    pub(super) fn check_chunks(&mut self) -> Result<(), Violation> {
        let Rest::Chunks(body) = &mut self.rest else { return Ok(()) };
        match body.scanner.advance(&self.inbound[body.checked..]) {
            Ok(progress) => body.checked += progress.consumed,
            Err(violation) => {
                self.rest = Rest::Broken;
                return Err(violation);
            }
        }
        Ok(())
    }

    /// Takes what has come of the body.
    pub(super) fn take_piece(&mut self) -> Result<Taken, Broken> {
        match &mut self.rest {
            Rest::Nothing => Ok(Taken::End),
            Rest::Broken => Err(Broken::Closed),
            Rest::Length(_) if self.inbound.is_empty() => Ok(Taken::Nothing),
            Rest::Length(left) => {
                let here = usize::try_from(*left).unwrap_or(usize::MAX).min(self.inbound.len());
                *left -= here as u64;
                if *left == 0 {
                    self.rest = Rest::Nothing;
                }
                Ok(Taken::Frame(Frame::data(self.take(here))))
            }
            Rest::Chunks(body) => {
                let before = self.inbound.len();
                let piece = body.pieces.take(&mut self.inbound);
                body.checked = body.checked.saturating_sub(before - self.inbound.len());
                let taken = match piece {
                    Ok(Piece::Incomplete) => return Ok(Taken::Nothing),
                    Ok(Piece::Data(data)) => return Ok(Taken::Frame(Frame::data(data))),
                    Ok(Piece::End(trailers)) if trailers.is_empty() => Ok(Taken::End),
                    Ok(Piece::End(trailers)) => Ok(Taken::Frame(Frame::trailers(trailers))),
                    Err(_) => Err(Broken::Malformed(Violation::MalformedChunk)),
                };
                self.rest = if taken.is_ok() { Rest::Nothing } else { Rest::Broken };
                self.let_go();
                taken
            }
        }
    }

    /// Nobody will read the body: throws away what has come of it, and gives the rest up if it doesn't end there.
    pub(super) fn forget_body(&mut self) {
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..FORGOTTEN_PIECES {
            match self.take_piece() {
                Ok(Taken::Frame(_)) => {}
                Ok(Taken::End) => return,
                // Whoever waits for our word before sending it will not send it.
                Ok(Taken::Nothing) if self.owed.is_empty() => {
                    let came = matches!(self.poll_read(BODY_READ, &mut context), Poll::Ready(Ok(1..)));
                    if !came || self.check_chunks().is_err() {
                        break;
                    }
                }
                Ok(Taken::Nothing) | Err(_) => break,
            }
        }
        self.rest = Rest::Broken;
    }

    /// Says that the body may come, to a client that waits for it.
    pub(super) fn poll_owed(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.owed.is_empty() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(context, self.owed))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.owed = &self.owed[written..];
            self.is_unflushed = true;
        }
        if self.is_unflushed {
            // TLS takes what the socket doesn't take yet.
            ready!(Pin::new(&mut self.stream).poll_flush(context))?;
            self.is_unflushed = false;
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::net::{TcpListener, TcpStream};
    use tokio_rustls::{TlsAcceptor, TlsStream};

    use super::*;
    use crate::server::tests::protocols::{tls_config, tls_over};

    /// Returns whether `poll` is ready when asked once.
    async fn is_ready<T>(mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> bool {
        poll_fn(|context| Poll::Ready(poll(context).is_ready())).await
    }

    #[tokio::test]
    async fn over_tls_the_word_that_a_body_may_come_is_said_only_when_the_socket_has_taken_it() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let there = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (here, _) = listener.accept().await.unwrap();
        let acceptor = TlsAcceptor::from(tls_config().current());
        let (server, _client) = tokio::join!(acceptor.accept(here), tls_over(there, &[]));
        let mut stream = Stream::Tls(Box::new(TlsStream::from(server.unwrap())));
        // An earlier answer fills the way to a client that doesn't read.
        while is_ready(|context| Pin::new(&mut stream).poll_flush(context)).await {
            assert!(is_ready(|context| Pin::new(&mut stream).poll_write(context, &[b'x'; 4096])).await);
        }
        let mut io = Io { owed: CONTINUE, ..Io::new(stream, BytesMut::new()) };
        for _ in 0..3 {
            assert!(!is_ready(|context| io.poll_owed(context)).await);
        }
    }
}
