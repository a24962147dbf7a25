//! What a request gives its handler beside its head: its body, and the stream itself where it becomes a tunnel (RFC 8441).

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::oneshot;

use super::frame::{Code, LONGEST};
use super::stream::Ending;
use super::wire::{Closed, Held, Wire};
use crate::http::body::{ClientError, Duplex, Upgrade};

/// The body of one request, as it comes on its stream.
pub struct Incoming {
    pub wire: Rc<Wire>,
    pub stream: u32,
}

impl Body for Incoming {
    type Data = Bytes;
    type Error = ClientError;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, ClientError>>> {
        self.wire.poll_body(self.stream, context)
    }

    fn is_end_stream(&self) -> bool {
        self.wire.is_read(self.stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.wire.body_left(self.stream).map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        self.wire.forget_body(self.stream);
    }
}

/// A stream that no longer carries a request.
pub struct Tunnel(Held);

impl Tunnel {
    pub fn new(mut held: Held) -> Self {
        held.code = Code::Cancel;
        Self(held)
    }
}

/// Returns the client's end as a handler waits for it.
pub fn upgrade(switched: oneshot::Receiver<Tunnel>) -> Upgrade {
    Box::pin(async {
        let switched = switched.await.map_err(|_| io::Error::from(io::ErrorKind::ConnectionAborted))?;
        Ok(Box::new(switched) as Box<dyn Duplex>)
    })
}

impl AsyncRead for Tunnel {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let data = ready!(self.0.wire.poll_data(self.0.stream, buffer.remaining(), context)).map_err(broken)?;
        buffer.put_slice(&data);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Tunnel {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.0.wire.poll_room(self.0.stream, context)).map_err(broken)?;
        let piece = Bytes::copy_from_slice(&bytes[..bytes.len().min(LONGEST)]);
        let length = piece.len();
        self.0.wire.with(|mux| mux.send(self.0.stream, piece, Ending::Open));
        Poll::Ready(Ok(length))
    }

    /// What was written goes out as the client takes it: this says only whether the stream is still there, and later that it has gone.
    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let is_gone = self.0.wire.poll_gone(self.0.stream, context).is_ready();
        Poll::Ready(if is_gone { Err(broken(Closed)) } else { Ok(()) })
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.0.wire.poll_room(self.0.stream, context)).map_err(broken)?;
        self.0.wire.with(|mux| mux.send(self.0.stream, Bytes::new(), Ending::EndStream));
        Poll::Ready(Ok(()))
    }
}

fn broken(closed: Closed) -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, closed)
}
