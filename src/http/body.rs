//! The bodies of the serving path: a request's as its connection delivers it, and an answer's, whole when it is ours, a stream when
//! an upstream sends it.

use std::error::Error;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite};

/// Why a client's body broke off.
pub type ClientError = Box<dyn Error + Send + Sync>;

/// A request's body on either protocol, and the way to the connection beneath it where the request asks for another protocol.
#[derive(Default)]
pub struct ClientBody {
    incoming: Option<Box<dyn HttpBody<Data = Bytes, Error = ClientError> + Unpin>>,
    upgrade: Option<Upgrade>,
}

/// Resolves to the client's end once it has been told that the protocol is switched.
pub type Upgrade = Pin<Box<dyn Future<Output = io::Result<Box<dyn Duplex>>>>>;

/// Bytes both ways.
pub trait Duplex: AsyncRead + AsyncWrite + Unpin {}

impl<S: AsyncRead + AsyncWrite + Unpin> Duplex for S {}

impl ClientBody {
    /// Returns the body that `incoming` delivers; none if that has ended already.
    pub fn new(incoming: impl HttpBody<Data = Bytes, Error = ClientError> + Unpin + 'static) -> Self {
        let is_empty = incoming.is_end_stream();
        Self { incoming: (!is_empty).then(|| Box::new(incoming) as _), upgrade: None }
    }

    pub fn offer_upgrade(&mut self, upgrade: Upgrade) {
        self.upgrade = Some(upgrade);
    }

    /// Returns the offer to switch protocols, once. Whoever takes it answers 101, or drops it.
    pub fn take_upgrade(&mut self) -> Option<Upgrade> {
        self.upgrade.take()
    }
}

impl HttpBody for ClientBody {
    type Data = Bytes;
    type Error = ClientError;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, ClientError>>> {
        match &mut self.get_mut().incoming {
            Some(incoming) => Pin::new(incoming).poll_frame(context),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.as_ref().map_or_else(|| SizeHint::with_exact(0), HttpBody::size_hint)
    }
}

/// A body that is here already, or one that comes from `S`.
#[derive(Debug)]
pub enum Body<S> {
    Whole(Option<Bytes>),
    Stream(S),
}

impl<S> Body<S> {
    pub fn empty() -> Self {
        Self::Whole(None)
    }
}

impl<S> From<Bytes> for Body<S> {
    fn from(bytes: Bytes) -> Self {
        Self::Whole((!bytes.is_empty()).then_some(bytes))
    }
}

impl<S: HttpBody<Data = Bytes> + Unpin> HttpBody for Body<S> {
    type Data = Bytes;
    type Error = S::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, S::Error>>> {
        match self.get_mut() {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Stream(stream) => Pin::new(stream).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_none(),
            Self::Stream(stream) => stream.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Stream(stream) => stream.size_hint(),
        }
    }
}
