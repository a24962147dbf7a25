//! One request to an upstream and its response: connect or reuse, send, wait, try again where that is safe.

use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{Method, Request, Response};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1::SendRequest;
use tokio::time::timeout_at;

use super::body::Progress;
use super::connect::connect;
use super::pool::{Lease, Pool};
use super::{BodyError, InFlight, Patience, Pools, RequestBody, ResponseBody, Server, Upstream, UpstreamError};
use crate::clock::Clock;
use crate::policy::Permit;

/// A request on its way, and what it needs to get there.
pub struct Exchange<'a> {
    pub pools: &'a Pools,
    pub upstream: &'a Upstream,
    pub client: IpAddr,
}

/// What came of one try.
enum Tried {
    Answered(Response<ResponseBody>),
    /// Nothing of it can have been acted on; the request is whole again.
    Unsent(Request<RequestBody>, UpstreamError),
    Failed(UpstreamError),
}

/// Returns the upstream's response to a request in origin form. The permit is the caller's leave to get here.
pub async fn forward(
    exchange: Exchange<'_>,
    _permit: &Permit,
    request: Request<RequestBody>,
) -> Result<Response<ResponseBody>, UpstreamError> {
    let retries = exchange.upstream.patience.retries as usize;
    let mut request = request;
    let mut attempt = 0;
    loop {
        let server = exchange.upstream.pick(exchange.client, attempt);
        let spare = if attempt < retries { copy_if_repeatable(&request) } else { None };
        match exchange.try_once(server, request).await {
            Tried::Answered(response) => return Ok(response),
            Tried::Unsent(whole, _) if attempt < retries => request = whole,
            Tried::Unsent(_, error) => return Err(error),
            Tried::Failed(error) => match spare {
                Some(copy) if matches!(error, UpstreamError::Broken { .. }) => request = copy,
                _ => return Err(error),
            },
        }
        attempt += 1;
    }
}

/// Returns a copy of a request that may be sent twice: idempotent (RFC 9110 section 9.2.2), without body or upgrade.
fn copy_if_repeatable(request: &Request<RequestBody>) -> Option<Request<RequestBody>> {
    let idempotent =
        matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS | Method::PUT | Method::DELETE);
    if !idempotent || !request.body().is_end_stream() || request.headers().contains_key(http::header::UPGRADE) {
        return None;
    }
    let mut copy = Request::new(RequestBody::empty_like(&request.body().progress()));
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    Some(copy)
}

impl Exchange<'_> {
    async fn try_once(&self, server: &Arc<Server>, request: Request<RequestBody>) -> Tried {
        let in_flight = InFlight::begin(server);
        let pool = self.pools.of(&server.address);
        let mut request = request;
        // A connection from the pool may have died unseen; that is no failure of the server.
        while let Some(sender) = pool.take().await {
            match self.send(server, &pool, sender, request).await {
                Sent::Answered(response, lease, progress) => {
                    return Tried::Answered(self.stream(response, lease, progress, in_flight));
                }
                Sent::Returned(whole, _) => request = *whole,
                Sent::Failed(error) => return Tried::Failed(error),
            }
        }
        let patience = &self.upstream.patience;
        // Boxed: its states are large and rarely entered, and every request in flight would keep room for them.
        let sender = match Box::pin(connect(&server.address, &self.pools.tls, patience.connect)).await {
            Ok(sender) => sender,
            Err(error) => {
                let unreachable =
                    UpstreamError::Unreachable { address: server.address.to_string(), reason: error.to_string() };
                return Tried::Unsent(request, unreachable);
            }
        };
        match self.send(server, &pool, sender, request).await {
            Sent::Answered(response, lease, progress) => {
                Tried::Answered(self.stream(response, lease, progress, in_flight))
            }
            Sent::Returned(whole, error) => Tried::Unsent(*whole, error),
            Sent::Failed(error) => Tried::Failed(error),
        }
    }

    fn stream(
        &self,
        response: Response<Incoming>,
        lease: Lease,
        progress: Rc<Progress>,
        in_flight: InFlight,
    ) -> Response<ResponseBody> {
        let idle = self.upstream.patience.idle;
        response.map(|incoming| ResponseBody::new(incoming, lease, progress, in_flight, idle))
    }

    async fn send(
        &self,
        server: &Server,
        pool: &Rc<Pool>,
        mut sender: SendRequest<RequestBody>,
        request: Request<RequestBody>,
    ) -> Sent {
        let progress = request.body().progress();
        let broken =
            |error: &hyper::Error| UpstreamError::Broken { address: server.address.to_string(), reason: chain(error) };
        let response = sender.try_send_request(request);
        match wait(response, &progress, &self.upstream.patience).await {
            Ok(Ok(response)) => Sent::Answered(response, Lease::new(sender, pool), progress),
            Ok(Err(mut error)) => match error.take_message() {
                Some(whole) => Sent::Returned(Box::new(whole), broken(error.error())),
                None if progress.failed.get() => {
                    Sent::Failed(UpstreamError::ClientBody(BodyError::from(error.into_error())))
                }
                None => Sent::Failed(broken(error.error())),
            },
            Err(Overdue::Upstream(waited)) => {
                Sent::Failed(UpstreamError::Late { address: server.address.to_string(), waited })
            }
            Err(Overdue::Client(waited)) => Sent::Failed(UpstreamError::ClientBody(BodyError::Idle(waited))),
        }
    }
}

enum Sent {
    Answered(Response<Incoming>, Lease, Rc<Progress>),
    Returned(Box<Request<RequestBody>>, UpstreamError),
    Failed(UpstreamError),
}

enum Overdue {
    Client(Duration),
    Upstream(Duration),
}

/// Returns what `response` comes to, or who is late.
async fn wait<T>(response: impl Future<Output = T>, progress: &Progress, patience: &Patience) -> Result<T, Overdue> {
    let mut response = std::pin::pin!(response);
    let started = Clock::monotonic();
    loop {
        let (deadline, overdue) = due(started, progress, patience);
        if let Ok(answered) = timeout_at(deadline.into(), response.as_mut()).await {
            return Ok(answered);
        }
        // Bytes that moved meanwhile have put the deadline off.
        if due(started, progress, patience).0 == deadline {
            return Err(overdue);
        }
    }
}

/// Returns who must do something by when: the client, while the upstream waits for bytes that it owes; else the upstream,
/// whose time runs from the last byte it got.
fn due(started: Instant, progress: &Progress, patience: &Patience) -> (Instant, Overdue) {
    let last = started.max(progress.last.get());
    if progress.waits_for_client.get() {
        (last + patience.idle, Overdue::Client(patience.idle))
    } else {
        (last + patience.response, Overdue::Upstream(patience.response))
    }
}

/// Returns an error with its causes: hyper's own text rarely says what the system said.
fn chain(error: &hyper::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}
