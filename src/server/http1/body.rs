//! What a request gives its handler beside its head: its body, and the connection itself where the protocol is switched.

use std::error::Error;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::oneshot;

use super::wire::{Wire, Writer};
use crate::http::body::{Duplex, Upgrade};
use crate::http::wire::Violation;

/// Why a body ended before its end; the connection ends with it.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    #[error("the connection was closed")]
    Closed,
    #[error(transparent)]
    Malformed(#[from] Violation),
    #[error(transparent)]
    Failed(#[from] io::Error),
}

/// The body of one request, read from the connection as it is asked for.
pub(super) struct Incoming {
    wire: Rc<Wire>,
    request: u64,
}

impl Incoming {
    /// Returns the body of the request whose head was read last, if it has one.
    pub(super) fn begin(wire: &Rc<Wire>) -> Option<Self> {
        (!wire.has_read_request()).then(|| Self { wire: Rc::clone(wire), request: wire.request() })
    }
}

impl Body for Incoming {
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Box<dyn Error + Send + Sync>>>> {
        Poll::Ready(ready!(self.wire.poll_body(self.request, context)).map_err(Into::into).transpose())
    }

    fn is_end_stream(&self) -> bool {
        self.wire.request() != self.request || self.wire.has_read_request()
    }

    fn size_hint(&self) -> SizeHint {
        self.wire.body_left().map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        self.wire.forget_body(self.request);
    }
}

/// A connection that no longer speaks HTTP.
pub(super) struct Switched(Rc<Wire>);

impl Switched {
    pub(super) fn new(wire: Rc<Wire>) -> Self {
        Self(wire)
    }
}

/// Returns the client's end as a handler waits for it.
pub(super) fn upgrade(switched: oneshot::Receiver<Switched>) -> Upgrade {
    Box::pin(async {
        let switched = switched.await.map_err(|_| io::Error::from(io::ErrorKind::ConnectionAborted))?;
        Ok(Box::new(switched) as Box<dyn Duplex>)
    })
}

impl AsyncRead for Switched {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.0.poll_read_other(context, buffer)
    }
}

impl AsyncWrite for Switched {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut Writer(&self.0)).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut Writer(&self.0)).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut Writer(&self.0)).poll_shutdown(context)
    }
}
