//! What a worker does with a request: read its target, answer our own endpoints through the office, hand all else to the gateway;
//! and leave one access line for each, whatever became of it.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Method, Response, StatusCode, header};
use http_body_util::BodyExt;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use super::visit::{Observed, RequestIds, Unanswered, Visit};
use super::{ConnectionInfo, Handler, Unreadable, cross_origin};
use crate::api::Api;
use crate::clock::Clock;
use crate::gateway::upgrade::is_extended_connect;
use crate::gateway::{Gateway, Ingress, Refusal, Rules, forward_auth};
use crate::http::body::{Body, ClientBody};
use crate::http::client::ClientAddr;
use crate::http::problem::RefusalCode;
use crate::http::request::ClientRequest;
use crate::http::response::{ClientResponse, left_out};
use crate::http::target::Target;
use crate::live::Reader;
use crate::telemetry::access::Format;
use crate::telemetry::metrics::{AccessKind, Metrics, Traffic};
use crate::telemetry::sink::LineBuffer;
use crate::upstream::{ResponseBody, UpstreamError};

/// How long whoever asks one of our own endpoints waits for the answer, however many steps at the store it takes: five seconds
/// with all that comes before and after.
const OFFICE_PATIENCE: Duration = Duration::from_secs(4);

/// The longest body that one of our own endpoints reads.
const OWN_BODY_MAX: usize = 64 * 1024;

/// What a configuration says about answering requests: one snapshot for a whole request, swapped whole at reload.
pub struct Edge {
    pub rules: Rules,
    pub api: Api,
    /// For the whole body of a request to one of our own endpoints.
    pub body_timeout: Duration,
    /// `None`: no access lines.
    pub access_log: Option<Format>,
}

/// One worker's way from request to answer.
pub struct Dispatch {
    pub edge: RefCell<Reader<Edge>>,
    pub gateway: Gateway,
    pub office: Handle,
    /// Requests for accounts that the office may have under way; one more is refused rather than queued.
    pub desk: Arc<Semaphore>,
    pub clock: Clock,
    pub lines: LineBuffer,
    pub traffic: Arc<Traffic>,
    pub metrics: Arc<Metrics>,
    pub ids: RequestIds,
}

pub type Answer = ClientResponse<Body<ResponseBody>>;

impl Handler for Dispatch {
    type Stream = Observed;

    async fn handle(
        self: Rc<Self>,
        connection: Rc<ConnectionInfo>,
        request: Box<ClientRequest<ClientBody>>,
    ) -> ClientResponse<Body<Observed>> {
        let edge = Arc::clone(self.edge.borrow_mut().current());
        let client = ClientAddr::read(connection.peer, &request.fields, &edge.rules.trusted_proxies);
        let mut unanswered = Unanswered::new(&self, Visit::begin(&self, &edge, client, &request));
        let origin = cross_origin::origin(&edge, &request);
        let answered = self.answer(&edge, &connection, request, unanswered.visit()).await;
        let mut visit = unanswered.into_visit();
        match answered {
            Ok(mut response) => {
                cross_origin::mark(&edge, &visit.trace, origin.as_ref(), &mut response.fields);
                self.conclude(response, visit)
            }
            Err(refusal) => {
                let mut response = self.refused(refusal, &mut visit);
                cross_origin::mark(&edge, &visit.trace, origin.as_ref(), &mut response.fields);
                self.conclude_whole(&response, &mut visit);
                response.map(Body::from)
            }
        }
    }

    fn refuse(&self, connection: &ConnectionInfo, reason: &Unreadable) -> ClientResponse<Body<Observed>> {
        let edge = Arc::clone(self.edge.borrow_mut().current());
        let mut visit = Visit::unreadable(self, &edge, connection.peer, *reason);
        let response = self.refused(Refusal::Unreadable(reason.problem()), &mut visit);
        self.conclude_whole(&response, &mut visit);
        response.map(Body::from)
    }
}

impl Dispatch {
    async fn answer(
        &self,
        edge: &Arc<Edge>,
        connection: &ConnectionInfo,
        request: Box<ClientRequest<ClientBody>>,
        visit: &mut Visit,
    ) -> Result<Answer, Refusal> {
        let is_tunnel = request.method == Method::CONNECT;
        let target = match read_target(&request) {
            Ok(Some(target)) => visit.target.insert(target),
            Ok(None) => {
                visit.keep_raw(&request);
                visit.trace.access = Some(AccessKind::Own);
                return Ok(describe_server());
            }
            Err(refusal) => {
                visit.keep_raw(&request);
                return Err(refusal);
            }
        };
        let ingress = Ingress {
            target,
            client: visit.client,
            is_tls: connection.is_tls,
            version: request.version,
            request_id: &visit.request_id,
            now: visit.now,
        };
        if edge.rules.after_forward_auth(target.path()).is_some() && !is_tunnel {
            visit.trace.access = Some(AccessKind::Own);
            let (authenticator, fields) = (&self.gateway.authenticator, &request.fields);
            let answer = forward_auth::answer(&edge.rules, authenticator, &ingress, &request.method, fields);
            let answer = Box::pin(answer).await?;
            return Ok(answer.map(Body::from).into());
        }
        if let Some(answer) = cross_origin::preflight(edge, target, &request, &mut visit.trace) {
            return Ok(answer);
        }
        if edge.api.owns(target.path()) {
            visit.trace.access = Some(AccessKind::Own);
            visit.trace.is_shared = true;
            visit.shown_path = edge.api.path_without_secrets(target.path());
            // Boxed: a proxied request should not carry the room for this.
            let mut answer = Box::pin(self.ask_office(edge, &ingress, request, &mut visit.bytes_in)).await?;
            visit.trace.caller = answer.extensions_mut().remove();
            visit.refused = answer.extensions_mut().remove().map(|RefusalCode(code)| code);
            return Ok(answer.map(Body::from).into());
        }
        self.gateway.serve(&edge.rules, ingress, request, &mut visit.trace).await
    }

    /// Returns the office's answer to a request for one of our own endpoints, whose body is read here.
    async fn ask_office(
        &self,
        edge: &Arc<Edge>,
        ingress: &Ingress<'_>,
        request: Box<ClientRequest<ClientBody>>,
        bytes_in: &mut u64,
    ) -> Result<Response<Bytes>, Refusal> {
        let mut request = *request;
        request.uri = ingress.target.path_and_query().parse().map_err(|_| Refusal::Internal)?;
        let body = read_whole(std::mem::take(&mut request.body), edge.body_timeout).await?;
        *bytes_in = body.len() as u64;
        let request = request.map(|_| body).into_http();
        let place = Arc::clone(&self.desk).try_acquire_owned().map_err(|_| Refusal::Overloaded)?;
        let (edge, client) = (Arc::clone(edge), ingress.client);
        let request_id = ingress.request_id.to_str().unwrap_or_default().to_owned();
        // Goes on without its client: what the store has acknowledged is told and audited, whoever still listens.
        let asked = self.office.spawn(async move {
            let _place = place;
            edge.api.answer(client, &request_id, request).await
        });
        let Ok(answered) = tokio::time::timeout(OFFICE_PATIENCE, asked).await else {
            return Err(Refusal::OfficeLate);
        };
        answered.map_err(|panicked| {
            let request_id = ingress.request_id.to_str().unwrap_or_default();
            tracing::error!(request.id = request_id, error = %panicked, "an endpoint of ours panicked");
            Refusal::Internal
        })
    }

    /// Returns the answer to a request that is refused.
    fn refused(&self, refusal: Refusal, visit: &mut Visit) -> ClientResponse<Bytes> {
        self.note(&refusal, visit);
        visit.refused = Some(refusal.code());
        let response = refusal.into_response();
        if visit.asks_head() { left_out(response) } else { response }.into()
    }

    /// Writes the access line of an answer that is all there.
    fn conclude_whole(&self, response: &ClientResponse<Bytes>, visit: &mut Visit) {
        visit.status = response.status;
        visit.bytes_out = response.body.len() as u64;
        visit.record(self);
    }

    /// Sees to the access line of an answer, now or when its body has ended.
    fn conclude(self: Rc<Self>, response: Answer, mut visit: Box<Visit>) -> ClientResponse<Body<Observed>> {
        visit.status = response.status;
        response.map(|body| match body {
            Body::Whole(bytes) => {
                visit.bytes_out = bytes.as_ref().map_or(0, |bytes| bytes.len() as u64);
                visit.record(&self);
                Body::Whole(bytes)
            }
            Body::Stream(stream) => Body::Stream(Observed::new(stream, visit, self)),
        })
    }

    fn note(&self, refusal: &Refusal, visit: &Visit) {
        // A body that breaks off is its client's doing.
        if let Refusal::Upstream(error) = refusal
            && !matches!(error, UpstreamError::ClientBody(_))
        {
            self.metrics.upstream_failed(refusal.code());
            let upstream = visit.trace.upstream.as_ref().map_or("", |upstream| &upstream.name);
            let request_id = visit.request_id.to_str().unwrap_or_default();
            tracing::warn!(request.id = request_id, upstream.name = upstream, %error, "no answer from an upstream");
        } else {
            self.metrics.refused(refusal.code());
        }
    }
}

/// Returns what a request wants; `None` if it is about the server itself.
fn read_target<B>(request: &ClientRequest<B>) -> Result<Option<Target>, Refusal> {
    if request.method == Method::CONNECT && !is_extended_connect(request) {
        return Err(Refusal::MethodNotServed);
    }
    if Target::is_the_server(request)? {
        return Ok(None);
    }
    Ok(Some(Target::read(request)?))
}

/// Returns the answer to `OPTIONS *`: that we are here. What a resource allows, only its app could say.
fn describe_server() -> Answer {
    let mut answer = ClientResponse::new(StatusCode::NO_CONTENT, Body::empty());
    answer.fields.append(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

async fn read_whole(body: ClientBody, patience: Duration) -> Result<Bytes, Refusal> {
    tokio::time::timeout(patience, gather(body)).await.unwrap_or(Err(Refusal::BodyLate(patience)))
}

/// Returns a body in one piece: who sends it byte by byte makes us hold no more than its bytes.
async fn gather(mut body: ClientBody) -> Result<Bytes, Refusal> {
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Refusal::BodyBroken)?;
        let Some(data) = frame.data_ref() else { continue };
        if whole.len() + data.len() > OWN_BODY_MAX {
            return Err(Refusal::BodyTooLong(OWN_BODY_MAX));
        }
        whole.extend_from_slice(data);
    }
    Ok(whole.freeze())
}
