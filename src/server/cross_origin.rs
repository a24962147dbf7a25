//! Scripts of other origins: their preflights are answered here, and every answer to them, refusals too, says whether they may
//! read it. Called by `dispatch`, for our own endpoints and for routes that share theirs.

use http::{HeaderValue, StatusCode, header};

use super::dispatch::{Answer, Edge};
use crate::gateway::Trace;
use crate::http::body::Body;
use crate::http::cors;
use crate::http::fields::Fields;
use crate::http::request::ClientRequest;
use crate::http::response::ClientResponse;
use crate::http::target::Target;
use crate::telemetry::metrics::AccessKind;

/// Returns the answer to a preflight about something that is shared. Nobody is asked who they are: browsers show no credential
/// here (Fetch standard, "CORS-preflight fetch").
pub fn preflight<B>(edge: &Edge, target: &Target, request: &ClientRequest<B>, trace: &mut Trace) -> Option<Answer> {
    let origins = edge.rules.cors.as_ref()?;
    let method = cors::preflight_method(&request.method, &request.fields)?;
    if !edge.api.owns(target.path()) {
        let route = edge.rules.routes.find(target.host(), target.path(), &method)?;
        if !route.then.is_shared || target.has_encoded_slash() && !route.keep_encoded_slash {
            return None;
        }
        trace.route = Some(route.then.name.clone());
    }
    trace.access = Some(AccessKind::Own);
    trace.is_shared = true;
    let mut answer = ClientResponse::new(StatusCode::NO_CONTENT, Body::empty());
    answer.fields = origins.preflight_fields(&request.fields);
    answer.fields.append(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Some(answer)
}

/// Returns the origin of the request's script, if there is a rule for it.
pub fn origin<B>(edge: &Edge, request: &ClientRequest<B>) -> Option<HeaderValue> {
    edge.rules.cors.as_ref()?;
    cors::origin(&request.fields)
}

/// Says on the answer whether a script of `origin` may read it, if it is to something that is shared.
pub fn mark(edge: &Edge, trace: &Trace, origin: Option<&HeaderValue>, fields: &mut Fields) {
    if let Some(origins) = edge.rules.cors.as_ref().filter(|_| trace.is_shared) {
        origins.mark(origin, fields);
    }
}
