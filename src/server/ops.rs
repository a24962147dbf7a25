//! The ops listener: is the process alive, is it ready, what has it counted. It answers nobody but operators, so it never
//! shares a listener with users. Questions are put to closures that `app` gives; those run on the office, not here.

use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{Method, StatusCode};
use http_body_util::Empty;
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::{ConnectionInfo, Handler, Server, Settings, StartError, Unreadable, side_settings};
use crate::http::body::{Body, ClientBody};
use crate::http::problem::Problem;
use crate::http::request::ClientRequest;
use crate::http::response::ClientResponse;

/// What is asked for the state of each part: nothing is missing, or the parts that are not ready.
type Ready = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Result<(), Vec<String>>> + Send>> + Send + Sync>;
type Metrics = Arc<dyn Fn() -> String + Send + Sync>;

const METRICS_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// How long a probe waits for the state of the parts, each of which has its own limit: whatever hangs, it has an answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where the answers come from.
#[derive(Clone)]
pub struct Sources {
    ready: Ready,
    metrics: Metrics,
    patience: Duration,
}

impl Sources {
    /// `ready` names what is not ready; `metrics` writes the exposition.
    pub fn new<F>(
        ready: impl Fn() -> F + Send + Sync + 'static,
        metrics: impl Fn() -> String + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<(), Vec<String>>> + Send + 'static,
    {
        Self { ready: Arc::new(move || Box::pin(ready())), metrics: Arc::new(metrics), patience: PATIENCE }
    }

    /// The same with another limit on how long a probe for readiness waits.
    #[cfg(test)]
    pub(super) fn answering_within(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }
}

/// Returns the running ops listener. It has a thread of its own, so that it answers while all else is busy. Must be called on the office.
pub fn start(address: SocketAddr, sources: Sources) -> Result<Server, StartError> {
    let office = Handle::current();
    let settings = Settings { name: "ops", ..side_settings(address) };
    Server::start(settings, move || Ops { sources: sources.clone(), office: office.clone() })
}

struct Ops {
    sources: Sources,
    office: Handle,
}

type Answer = ClientResponse<Body<Empty<Bytes>>>;

impl Handler for Ops {
    type Stream = Empty<Bytes>;

    async fn handle(
        self: Rc<Self>,
        _connection: Rc<ConnectionInfo>,
        request: Box<ClientRequest<ClientBody>>,
    ) -> Answer {
        let is_head = request.method == Method::HEAD;
        if !is_head && request.method != Method::GET {
            let mut answer = refusal(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "only GET and HEAD");
            answer.fields.append(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return answer;
        }
        match request.uri.path() {
            "/healthz" => plain(StatusCode::OK, "text/plain; charset=utf-8", "ok\n"),
            "/readyz" => self.readiness().await,
            "/metrics" => {
                let metrics = Arc::clone(&self.sources.metrics);
                match self.office.spawn_blocking(move || metrics()).await {
                    Ok(text) => plain(StatusCode::OK, METRICS_TYPE, text),
                    Err(_) => refusal(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", "the metrics can't be read"),
                }
            }
            _ => refusal(StatusCode::NOT_FOUND, "not_found", "here are /healthz, /readyz and /metrics"),
        }
    }

    fn refuse(&self, _connection: &ConnectionInfo, reason: &Unreadable) -> Answer {
        reason.problem().into_response().map(Body::from).into()
    }
}

impl Ops {
    async fn readiness(&self) -> Answer {
        let asked = self.office.spawn((self.sources.ready)());
        let asking = asked.abort_handle();
        let missing = match timeout(self.sources.patience, asked).await {
            Ok(Ok(Ok(()))) => return plain(StatusCode::OK, "text/plain; charset=utf-8", "ready\n"),
            Ok(Ok(Err(missing))) => missing,
            Ok(Err(_panic)) => vec!["readiness".to_owned()],
            Err(_late) => {
                // Else each probe would leave one more question behind.
                asking.abort();
                vec![format!("readiness: no answer within {:?}", self.sources.patience)]
            }
        };
        let document = serde_json::json!({ "ready": false, "missing": missing });
        plain(StatusCode::SERVICE_UNAVAILABLE, "application/json", document.to_string())
    }
}

fn plain(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = ClientResponse::new(status, Body::from(body.into()));
    answer.fields.append(CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer.fields.append(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

fn refusal(status: StatusCode, code: &'static str, detail: &str) -> Answer {
    Problem::new(status, code, detail).into_response().map(Body::from).into()
}
