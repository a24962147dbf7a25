//! Calls the handler for each request of a connection, whatever the protocol, and keeps the connection's books: how many
//! requests are in flight, which of them the guard refused, which became an upgrade. A panic in the handler ends one request.

use std::any::Any;
use std::cell::Cell;
use std::convert::Infallible;
use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;

use super::gate::{Gate, Verdict};
use super::pulse::{Flight, Pulse};
use super::{ConnectionInfo, Handler, Unreadable, http2};
use crate::http::body::Body;
use crate::http::problem::Problem;

/// What every answer of a connection is made from.
pub struct Service<H> {
    pub handler: Rc<H>,
    pub connection: Rc<ConnectionInfo>,
    pub pulse: Arc<Pulse>,
    /// Only HTTP/1 has a guard in front.
    pub gate: Option<Arc<Gate>>,
    pub called: Cell<u64>,
}

impl<H: Handler> Service<H> {
    /// Returns the answer to one request. Calls must come in the order of the requests: the guard numbers them the same way.
    pub fn call(
        &self,
        request: Request<Incoming>,
    ) -> impl Future<Output = Result<Response<Tracked<Body<H::Stream>>>, Infallible>> + use<H> {
        let mut request = Box::new(request);
        let number = self.called.get() + 1;
        self.called.set(number);
        let flight = self.pulse.begin_request();
        let gate = self.gate.clone();
        let refused = match gate.as_deref() {
            Some(gate) => gate.refusal_of(number).copied(),
            None => http2::check(&request).err().map(Unreadable::MalformedStream),
        };
        let answered = refused.map(|reason| self.handler.refuse(&self.connection, &reason));
        let ending = match refused {
            Some(Unreadable::MalformedStream(_)) => Ending::Reset { is_due: false },
            Some(Unreadable::Malformed(_) | Unreadable::HeadTooSlow) | None => Ending::Plain,
        };
        if gate.as_deref().is_some_and(|gate| !gate.holds_after(number)) {
            // The library offers an upgrade to whoever sends an `Upgrade` field, and the stream at the connection's end to
            // whoever still waits for it.
            request.extensions_mut().remove::<hyper::upgrade::OnUpgrade>();
        }
        let (handler, connection) = (Rc::clone(&self.handler), Rc::clone(&self.connection));
        async move {
            let response = match answered {
                Some(refusal) => refusal,
                None => handle(handler, connection, request).await,
            };
            let response = settle_upgrade(response, number, gate.as_deref());
            Ok(response.map(|body| Tracked { body, ending, _flight: flight }))
        }
    }
}

async fn handle<H: Handler>(
    handler: Rc<H>,
    connection: Rc<ConnectionInfo>,
    request: Box<Request<Incoming>>,
) -> Response<Body<H::Stream>> {
    // The call itself is inside, so that a panic before the first await is caught as well.
    let answer = std::pin::pin!(async move { handler.handle(connection, request).await });
    match CatchUnwind(answer).await {
        Ok(response) => response,
        Err(panic) => {
            tracing::error!(reason = panic_message(panic.as_ref()), "a request handler panicked");
            internal_error()
        }
    }
}

/// Tells the guard what became of request `number`, before the HTTP library sees the answer: what follows an upgrade
/// request is either the other protocol or the next request, never both (Pingora's RUSTSEC-2026-0033).
fn settle_upgrade<S>(response: Response<Body<S>>, number: u64, gate: Option<&Gate>) -> Response<Body<S>> {
    let Some(gate) = gate else { return response };
    let is_upgrade = response.status() == StatusCode::SWITCHING_PROTOCOLS;
    let verdict = if is_upgrade { Verdict::Pass } else { Verdict::Resume };
    if gate.decide(number, verdict) || !is_upgrade {
        return response;
    }
    tracing::error!("an upgrade was answered that the request had not asked for");
    internal_error()
}

fn internal_error<S>() -> Response<Body<S>> {
    let detail = "the gateway failed while it answered this request";
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", detail).into_response().map(Body::from)
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
