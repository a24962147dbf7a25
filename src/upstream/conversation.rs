//! One request and its response on one connection. Reads only when somebody wants what comes, so that a slow client slows its server
//! down; goes on sending a request whose response has begun.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::BytesMut;
use http::{Method, StatusCode};
use tokio::io::AsyncReadExt;

use super::body::{BodyError, RequestBody};
use super::head::{ResponseHead, take_head};
use super::request::outgoing;
use super::upgraded::Upgraded;
use crate::http::outgoing::{Outgoing, Unsent};
use crate::http::request::ClientRequest;
use crate::http::stream::Stream;

/// How much is read at once: enough for a head and a small body.
const READ: usize = 8 * 1024;

pub(super) struct Conversation {
    stream: Stream,
    /// What was read of the connection and not taken yet.
    pub(super) inbound: BytesMut,
    pub(super) outgoing: Outgoing<RequestBody>,
    method: Method,
    sending: Sending,
}

enum Sending {
    Going,
    Done,
    /// The server took no more; its response may be here nevertheless.
    Failed(io::Error),
}

/// Why there is no response.
#[derive(Debug)]
pub(super) enum Failure {
    /// The client's body broke off or came too slowly.
    Client(BodyError),
    /// The connection failed, or what came is no response.
    Server(String),
    /// The server took longer than this.
    Late(Duration),
}

impl Conversation {
    pub(super) fn new<B>(stream: Stream, request: &ClientRequest<B>, body: RequestBody) -> Self {
        let outgoing = outgoing(request, body);
        let method = request.method.clone();
        Self { stream, inbound: BytesMut::new(), outgoing, method, sending: Sending::Going }
    }

    /// Sends what can be sent now; an error is the client's, the server's are found by reading.
    pub(super) fn send(&mut self, context: &mut Context<'_>) -> Result<(), BodyError> {
        if !matches!(self.sending, Sending::Going) {
            return Ok(());
        }
        match self.outgoing.poll_send(&mut self.stream, context) {
            Poll::Pending => return Ok(()),
            Poll::Ready(Ok(())) => self.sending = Sending::Done,
            Poll::Ready(Err(Unsent::Stream(error))) => self.sending = Sending::Failed(error),
            Poll::Ready(Err(Unsent::Body(error))) => return Err(error),
            Poll::Ready(Err(Unsent::Length)) => {
                return Err(BodyError::Broken("it is not as long as Content-Length says".to_owned()));
            }
        }
        Ok(())
    }

    /// Returns the head of the response, and passes over those that only say that one will come (RFC 9110 section 15.2).
    pub(super) fn poll_head(&mut self, context: &mut Context<'_>) -> Poll<Result<ResponseHead, Failure>> {
        self.send(context).map_err(Failure::Client)?;
        if let Sending::Failed(error) = &self.sending
            && !self.outgoing.has_begun()
        {
            return Poll::Ready(Err(Failure::Server(error.to_string())));
        }
        loop {
            if !self.inbound.is_empty() {
                let head = take_head(&mut self.inbound, &self.method);
                match head.map_err(|error| Failure::Server(error.to_string()))? {
                    Some(head) if head.status.is_informational() && head.status != StatusCode::SWITCHING_PROTOCOLS => {
                        continue;
                    }
                    Some(head) => return Poll::Ready(Ok(head)),
                    None => {}
                }
            }
            match ready!(self.poll_read(READ, context)) {
                Ok(0) => return Poll::Ready(Err(Failure::Server(self.end_of_stream()))),
                Ok(_) => {}
                Err(error) => return Poll::Ready(Err(Failure::Server(error.to_string()))),
            }
        }
    }

    /// Reads up to `length` bytes behind those that have not been taken; returns how many, 0 at the end.
    pub(super) fn poll_read(&mut self, length: usize, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.inbound.reserve(length);
        let read = pin!(self.stream.read_buf(&mut self.inbound)).poll(context);
        if read.is_pending() && self.inbound.is_empty() {
            // Whoever waits for a slow server holds no buffer.
            self.inbound = BytesMut::new();
        }
        read
    }

    fn end_of_stream(&self) -> String {
        match &self.sending {
            Sending::Failed(error) => error.to_string(),
            Sending::Going | Sending::Done => "closed before a response".to_owned(),
        }
    }

    /// Returns the connection if it can carry another request: all was sent, and nothing came that nobody asked for.
    pub(super) fn into_reusable(self) -> Option<Stream> {
        let is_clean = matches!(self.sending, Sending::Done) && self.inbound.is_empty();
        is_clean.then_some(self.stream)
    }

    pub(super) fn into_upgraded(self) -> Upgraded {
        // What is empty has room for a head all the same.
        let first = if self.inbound.is_empty() { BytesMut::new() } else { self.inbound };
        Upgraded { stream: self.stream, first }
    }

    /// Returns the request's body if nothing of the request can have reached the server.
    pub(super) fn into_unsent_body(self) -> Option<RequestBody> {
        (!self.outgoing.has_begun()).then(|| self.outgoing.into_body())
    }
}

/// Whether nothing has come on an idle connection, not even its end. Something that has answers nobody's request.
pub(super) fn is_quiet(stream: &mut Stream) -> bool {
    let mut byte = [0; 1];
    let mut buffer = tokio::io::ReadBuf::new(&mut byte);
    let look = poll_fn(|context| tokio::io::AsyncRead::poll_read(Pin::new(stream), context, &mut buffer));
    // A task that has had its turn is told "nothing" without a look.
    let look = pin!(tokio::task::unconstrained(look));
    look.poll(&mut Context::from_waker(std::task::Waker::noop())).is_pending()
}
