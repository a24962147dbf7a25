//! One request to an upstream and its response: connect or reuse, send, wait, try again where that is safe.

use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use http::Method;
use http_body::Body as _;

use super::connect::connect;
use super::conversation::{Conversation, Failure};
use super::head::ResponseHead;
use super::{BodyError, InFlight, Patience, Pools, RequestBody, ResponseBody, Server, Upstream, UpstreamError};
use crate::clock::Clock;
use crate::http::body::ClientBody;
use crate::http::outgoing::Outgoing;
use crate::http::request::ClientRequest;
use crate::http::response::ClientResponse;
use crate::policy::Permit;

/// A request on its way, and what it needs to get there.
pub struct Exchange<'a> {
    pub pools: &'a Pools,
    pub upstream: &'a Upstream,
    pub client: IpAddr,
}

/// What came of one try.
enum Tried {
    Answered(ClientResponse<ResponseBody>),
    /// Nothing of the request can have been acted on; this is its body.
    Unsent(RequestBody, UpstreamError),
    Failed(UpstreamError),
}

/// Returns the upstream's response to a request in origin form. The permit is the caller's leave to get here.
pub async fn forward(
    exchange: Exchange<'_>,
    _permit: &Permit,
    request: &ClientRequest<ClientBody>,
    mut body: RequestBody,
) -> Result<ClientResponse<ResponseBody>, UpstreamError> {
    let retries = exchange.upstream.patience.retries as usize;
    let is_repeatable = is_repeatable(request, &body);
    let mut server = exchange.upstream.pick(exchange.client);
    let mut attempt = 0;
    loop {
        match exchange.try_once(server, request, body, attempt == 0).await {
            Tried::Answered(response) => return Ok(response),
            Tried::Unsent(whole, _) if attempt < retries => body = whole,
            Tried::Failed(UpstreamError::Broken { .. }) if attempt < retries && is_repeatable => {
                body = RequestBody::default();
            }
            Tried::Unsent(_, error) | Tried::Failed(error) => return Err(error),
        }
        attempt += 1;
        // Not picked anew: another request may have moved the turn on, back to the server that has just failed.
        server = exchange.upstream.next_after(server);
    }
}

/// Whether a request may be sent twice: idempotent (RFC 9110 section 9.2.2), without body or upgrade.
fn is_repeatable(request: &ClientRequest<ClientBody>, body: &RequestBody) -> bool {
    let is_idempotent =
        matches!(request.method, Method::GET | Method::HEAD | Method::OPTIONS | Method::PUT | Method::DELETE);
    is_idempotent && body.is_end_stream() && !request.fields.contains(&http::header::UPGRADE)
}

impl Exchange<'_> {
    /// Sends the request once, over a connection that was used before where `may_reuse`: whoever tries again wants one that
    /// can't have died unseen.
    async fn try_once(
        &self,
        server: &Arc<Server>,
        request: &ClientRequest<ClientBody>,
        mut body: RequestBody,
        may_reuse: bool,
    ) -> Tried {
        let in_flight = InFlight::begin(server);
        let pool = self.pools.of(&server.address);
        loop {
            let pooled = if may_reuse { pool.take() } else { None };
            let is_pooled = pooled.is_some();
            let stream = match pooled {
                Some(stream) => stream,
                // Boxed: most requests need no new connection, and should not carry the room for making one.
                None => match Box::pin(connect(&server.address, &self.pools.tls, self.upstream.patience.connect)).await
                {
                    Ok(stream) => stream,
                    Err(error) => {
                        let (address, reason) = (server.address.to_string(), error.to_string());
                        return Tried::Unsent(body, UpstreamError::Unreachable { address, reason });
                    }
                },
            };
            let mut conversation = Box::new(Conversation::new(stream, request, body));
            let failure = match self.converse(&mut conversation).await {
                Ok(head) => {
                    let body = ResponseBody::new(conversation, &head, &pool, self.upstream.patience.idle, in_flight);
                    return Tried::Answered(ClientResponse { status: head.status, fields: head.fields, body });
                }
                Err(failure) => failure,
            };
            match (&failure, conversation.into_unsent_body()) {
                // A connection from the pool had died unseen; that is no failure of the server.
                (Failure::Server(_), Some(whole)) if is_pooled => body = whole,
                (Failure::Server(_), Some(whole)) => return Tried::Unsent(whole, blame(failure, server)),
                _ => return Tried::Failed(blame(failure, server)),
            }
        }
    }

    /// Returns the head of the response, or who is to blame that there is none.
    async fn converse(&self, conversation: &mut Conversation) -> Result<ResponseHead, Failure> {
        let patience = &self.upstream.patience;
        let mut now = Clock::monotonic();
        let started = now;
        // Who has to do something changes without a word, so that it is looked at again when either could be overdue.
        let shorter = patience.idle.min(patience.response);
        loop {
            let look_again = due(started, &conversation.outgoing, patience).0.min(now + shorter);
            let head = pin!(poll_fn(|context| conversation.poll_head(context)));
            if let Some(head) = self.pools.deadlines.before(look_again, head).await {
                return head;
            }
            now = Clock::monotonic();
            let (deadline, overdue) = due(started, &conversation.outgoing, patience);
            if deadline <= now {
                return Err(overdue);
            }
        }
    }
}

/// Returns who must do something by when: the client, while the upstream waits for bytes that it owes; else the upstream,
/// whose time runs from the last byte it got.
fn due(started: Instant, outgoing: &Outgoing<RequestBody>, patience: &Patience) -> (Instant, Failure) {
    let last = outgoing.body().last().map_or(started, |last| last.max(started));
    if outgoing.waits_for_body() {
        (last + patience.idle, Failure::Client(BodyError::Idle(patience.idle)))
    } else {
        (last + patience.response, Failure::Late(patience.response))
    }
}

fn blame(failure: Failure, server: &Server) -> UpstreamError {
    let address = || server.address.to_string();
    match failure {
        Failure::Client(error) => UpstreamError::ClientBody(error),
        Failure::Server(reason) => UpstreamError::Broken { address: address(), reason },
        Failure::Late(waited) => UpstreamError::Late { address: address(), waited },
    }
}
