//! One request to an upstream and its response: connect or reuse, send, wait, try again where that is safe.

use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{Method, Request, Response, Version};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1::SendRequest;

use super::body::Progress;
use super::connect::connect;
use super::deadlines::Deadlines;
use super::pool::Lease;
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
    Unsent(Box<Request<RequestBody>>, UpstreamError),
    Failed(UpstreamError),
}

/// Returns the upstream's response to a request in origin form. The permit is the caller's leave to get here.
/// Boxed, because each step on the way would else have room for a request of its own, and be moved with it.
pub async fn forward(
    exchange: Exchange<'_>,
    _permit: &Permit,
    mut request: Box<Request<RequestBody>>,
) -> Result<Response<ResponseBody>, UpstreamError> {
    let retries = exchange.upstream.patience.retries as usize;
    // The version is one hop's: ours to this upstream, whatever the client's to us (RFC 9110 section 2.5). hyper frames by it,
    // and would leave the body out if it said HTTP/2 and had no length.
    *request.version_mut() = Version::HTTP_11;
    let mut attempt = 0;
    let mut server = exchange.upstream.pick(exchange.client);
    loop {
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
        // Not picked anew: another request may have moved the turn on, back to the server that has just failed.
        server = exchange.upstream.next_after(server);
    }
}

/// Returns a copy of a request that may be sent twice: idempotent (RFC 9110 section 9.2.2), without body or upgrade.
fn copy_if_repeatable(request: &Request<RequestBody>) -> Option<Box<Request<RequestBody>>> {
    let idempotent =
        matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS | Method::PUT | Method::DELETE);
    if !idempotent || !request.body().is_end_stream() || request.headers().contains_key(http::header::UPGRADE) {
        return None;
    }
    let mut copy = Request::new(RequestBody::empty_like(&request.body().progress()));
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    Some(Box::new(copy))
}

impl Exchange<'_> {
    async fn try_once(&self, server: &Arc<Server>, mut request: Box<Request<RequestBody>>) -> Tried {
        let in_flight = InFlight::begin(server);
        let pool = self.pools.of(&server.address);
        loop {
            let pooled = pool.take().await;
            let is_pooled = pooled.is_some();
            let sender = match pooled {
                Some(sender) => sender,
                // Boxed: most requests need no new connection, and should not carry the room for making one.
                None => match Box::pin(connect(&server.address, &self.pools.tls, self.upstream.patience.connect)).await
                {
                    Ok(sender) => sender,
                    Err(error) => {
                        let (address, reason) = (server.address.to_string(), error.to_string());
                        return Tried::Unsent(request, UpstreamError::Unreachable { address, reason });
                    }
                },
            };
            match self.send(server, sender, request).await {
                Sent::Answered(response, sender, progress) => {
                    let idle = self.upstream.patience.idle;
                    let lease = Lease::new(sender, &pool);
                    let stream = |incoming| ResponseBody::new(incoming, lease, progress, in_flight, idle);
                    return Tried::Answered(response.map(stream));
                }
                // A connection from the pool may have died unseen; that is no failure of the server.
                Sent::Returned(whole, _) if is_pooled => request = whole,
                Sent::Returned(whole, error) => return Tried::Unsent(whole, error),
                Sent::Failed(error) => return Tried::Failed(error),
            }
        }
    }

    async fn send(
        &self,
        server: &Server,
        mut sender: SendRequest<RequestBody>,
        request: Box<Request<RequestBody>>,
    ) -> Sent {
        let progress = request.body().progress();
        let broken =
            |error: &hyper::Error| UpstreamError::Broken { address: server.address.to_string(), reason: chain(error) };
        let response = sender.try_send_request(*request);
        match wait(response, &progress, &self.upstream.patience, &self.pools.deadlines).await {
            Ok(Ok(response)) => Sent::Answered(response, sender, progress),
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
    Answered(Response<Incoming>, SendRequest<RequestBody>, Rc<Progress>),
    Returned(Box<Request<RequestBody>>, UpstreamError),
    Failed(UpstreamError),
}

enum Overdue {
    Client(Duration),
    Upstream(Duration),
}

/// Returns what `response` comes to, or who is late.
async fn wait<T>(
    response: impl Future<Output = T>,
    progress: &Progress,
    patience: &Patience,
    deadlines: &Deadlines,
) -> Result<T, Overdue> {
    let mut response = std::pin::pin!(response);
    let mut now = Clock::monotonic();
    let started = now;
    // Who has to do something changes without a word, so that it is looked at again when either could be overdue.
    let shorter = patience.idle.min(patience.response);
    loop {
        let look_again = due(started, progress, patience).0.min(now + shorter);
        if let Some(answered) = deadlines.before(look_again, response.as_mut()).await {
            return Ok(answered);
        }
        now = Clock::monotonic();
        let (deadline, overdue) = due(started, progress, patience);
        if deadline <= now {
            return Err(overdue);
        }
    }
}

/// Returns who must do something by when: the client, while the upstream waits for bytes that it owes; else the upstream,
/// whose time runs from the last byte it got.
fn due(started: Instant, progress: &Progress, patience: &Patience) -> (Instant, Overdue) {
    let last = progress.last.get().map_or(started, |last| last.max(started));
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
