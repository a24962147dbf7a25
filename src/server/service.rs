//! Calls the handler, whatever the protocol: a panic in it ends one request. For each request of an HTTP/2 connection it keeps the
//! books: how many are in flight, and which are malformed.

use std::any::Any;
use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;

use super::pulse::{Flight, Pulse};
use super::{ConnectionInfo, Handler, Unreadable, http2};
use crate::http::body::{Body, ClientBody, Duplex};
use crate::http::problem::Problem;
use crate::http::request::ClientRequest;
use crate::http::response::ClientResponse;

/// What every answer of an HTTP/2 connection is made from.
pub struct Service<H> {
    pub handler: Rc<H>,
    pub connection: Rc<ConnectionInfo>,
    pub pulse: Rc<Pulse>,
}

impl<H: Handler> Service<H> {
    /// Returns the answer to one request.
    pub async fn call(
        self: Rc<Self>,
        mut request: Request<Incoming>,
    ) -> Result<Response<Tracked<Body<H::Stream>>>, Infallible> {
        let flight = self.pulse.begin_request();
        let upgrade = (*request.method() == Method::CONNECT).then(|| hyper::upgrade::on(&mut request));
        let request = ClientRequest::from(request);
        if let Err(violation) = http2::check(&request) {
            let refusal = self.handler.refuse(&self.connection, &Unreadable::MalformedStream(violation));
            let ending = Ending::Reset { is_due: false };
            return Ok(refusal.into_response().map(|body| Tracked { body, ending, _flight: flight }));
        }
        let request = Box::new(request.map(|incoming| {
            let mut body = ClientBody::new(incoming.map_err(Into::into));
            if let Some(upgrade) = upgrade {
                body.offer_upgrade(Box::pin(switched(upgrade)));
            }
            body
        }));
        let response = handle(Rc::clone(&self.handler), Rc::clone(&self.connection), request).await;
        Ok(response.into_response().map(|body| Tracked { body, ending: Ending::Plain, _flight: flight }))
    }
}

async fn switched(upgrade: OnUpgrade) -> io::Result<Box<dyn Duplex>> {
    let switched = upgrade.await.map_err(io::Error::other)?;
    Ok(Box::new(TokioIo::new(switched)) as Box<dyn Duplex>)
}

/// Returns the handler's answer, or that it panicked.
pub async fn handle<H: Handler>(
    handler: Rc<H>,
    connection: Rc<ConnectionInfo>,
    request: Box<ClientRequest<ClientBody>>,
) -> ClientResponse<Body<H::Stream>> {
    let answer = std::pin::pin!(handler.handle(connection, request));
    match CatchUnwind(answer).await {
        Ok(response) => response,
        Err(panic) => {
            tracing::error!(reason = panic_message(panic.as_ref()), "a request handler panicked");
            internal_error()
        }
    }
}

pub fn internal_error<S>() -> ClientResponse<Body<S>> {
    let detail = "the gateway failed while it answered this request";
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", detail).into_response().map(Body::from).into()
}

fn panic_message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("not a text")
}

/// A future whose panic is a value.
struct CatchUnwind<F>(F);

impl<F: Future + Unpin> Future for CatchUnwind<F> {
    type Output = Result<F::Output, Box<dyn Any + Send>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        // The future is dropped after a panic and what it shares is the handler's, which must hold its own across one.
        match catch_unwind(AssertUnwindSafe(|| Pin::new(&mut self.0).poll(context))) {
            Ok(poll) => poll.map(Ok),
            Err(panic) => Poll::Ready(Err(panic)),
        }
    }
}

/// A response body that keeps its request in flight.
pub struct Tracked<B> {
    body: B,
    ending: Ending,
    _flight: Flight,
}

/// What follows a body.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    Plain,
    /// The stream error of a malformed request (RFC 9113 section 8.1.1), which an answer may precede.
    Reset {
        is_due: bool,
    },
}

impl<B> HttpBody for Tracked<B>
where
    B: HttpBody<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Unpin,
{
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Box<dyn Error + Send + Sync>>>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.body).poll_frame(context).map_err(Into::into);
        match (&polled, this.ending) {
            (Poll::Ready(None), Ending::Reset { is_due: false }) => {
                // A reset takes back what has not been written: first the connection has its turn to write the answer.
                this.ending = Ending::Reset { is_due: true };
                context.waker().wake_by_ref();
                Poll::Pending
            }
            (Poll::Ready(None), Ending::Reset { is_due: true }) => {
                Poll::Ready(Some(Err(h2::Error::from(h2::Reason::PROTOCOL_ERROR).into())))
            }
            _ => polled,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ending == Ending::Plain && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
