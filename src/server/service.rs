//! Calls the handler, whatever the protocol: a panic in it ends one request.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use http::StatusCode;

use super::{ConnectionInfo, Handler};
use crate::http::body::{Body, ClientBody};
use crate::http::problem::Problem;
use crate::http::request::ClientRequest;
use crate::http::response::ClientResponse;

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
