//! The serving path: canonical target → route → who is asking → may they → identity headers → upstream → stream back.
//! Can never change users: it knows neither store nor accounts, only what [`Authenticator`] and [`Rules`] say.

pub mod credentials;
pub mod forward_auth;
pub mod forwarded;
pub mod identity_headers;
pub mod limits;
pub mod refuse;
pub mod rules;
pub mod streams;
pub mod upgrade;

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode, Uri, header};

use crate::auth::Authenticator;
use crate::clock::{Clock, Timestamp};
use crate::http::body::{Body, ClientBody};
use crate::http::client::ClientAddr;
use crate::http::cookie::join_cookies;
use crate::http::fields::Fields;
use crate::http::header::remove_hop_by_hop;
use crate::http::method;
use crate::http::request::ClientRequest;
use crate::http::response::ClientResponse;
use crate::http::target::Target;
use crate::identity::Caller;
use crate::policy::{self, Access, Permit};
use crate::route::table;
use crate::telemetry::metrics::AccessKind;
use crate::upstream::{self, BytesIn, Exchange, Pools, RequestBody, ResponseBody, Upstream};

pub use refuse::Refusal;
pub use rules::{Forwarding, Rules};

use credentials::Identified;
use forwarded::Origins;
use streams::Streams;
use upgrade::Asked;

/// How many fields are usually set for an upstream beside those that say where a request came from: its id, `Via`, and who asks.
const SET_FIELDS: usize = 5;

/// A request as the edge took it in: read once, before any rule.
#[derive(Debug)]
pub struct Ingress<'a> {
    pub target: &'a Target,
    pub client: ClientAddr,
    pub is_tls: bool,
    pub version: http::Version,
    pub request_id: &'a http::HeaderValue,
    pub now: Timestamp,
}

/// What the access line tells of a request's way; filled in as far as it came.
#[derive(Debug, Default)]
pub struct Trace {
    pub route: Option<Arc<str>>,
    pub access: Option<AccessKind>,
    pub caller: Option<Arc<Caller>>,
    pub upstream: Option<Arc<Upstream>>,
    /// From the decision to the upstream's response head.
    pub upstream_time: Option<Duration>,
    pub bytes_in: Option<BytesIn>,
    /// Whether scripts of other origins may read the answer.
    pub is_shared: bool,
}

/// One worker's gateway.
pub struct Gateway {
    pub authenticator: Arc<Authenticator>,
    pub pools: Rc<Pools>,
    pub streams: Rc<Streams>,
    pub origins: Origins,
}

impl Gateway {
    /// Returns the upstream's answer to a request that the rules let pass, or why they don't.
    pub async fn serve(
        &self,
        rules: &Rules,
        ingress: Ingress<'_>,
        mut request: Box<ClientRequest<ClientBody>>,
        trace: &mut Trace,
    ) -> Result<ClientResponse<Body<ResponseBody>>, Refusal> {
        upgrade::adopt(&mut request);
        if !method::is_served(&request.method) {
            return Err(Refusal::MethodNotServed);
        }
        let target = ingress.target;
        let route = rules
            .routes
            .find(target.host(), target.path(), &request.method)
            .ok_or_else(|| unserved(rules, target, &request.method))?;
        trace.route = Some(Arc::clone(&route.then.name));
        trace.access = Some(access_kind(&route.access));
        trace.is_shared = route.then.is_shared;
        if target.has_encoded_slash() && !route.keep_encoded_slash {
            return Err(Refusal::EncodedSlash);
        }
        rules.limits.admit(&route.then, ingress.client.network(), ingress.now)?;
        let known = self.identify(rules, route, &request.fields, ingress.now).await?;
        let (caller, used) = known.map(|known| (known.caller, known.place)).unzip();
        trace.caller.clone_from(&caller);
        let permit = policy::decide(&route.access, caller)?;

        let asked = upgrade::take(&mut request)?;
        direct(&mut request.uri, target, route);
        let fields = &mut request.fields;
        fields.reserve(SET_FIELDS);
        remove_hop_by_hop(fields, &|name| rules.filter.is_identity(name));
        join_cookies(fields);
        credentials::remove_ours(fields, used, rules, &self.authenticator);
        identity_headers::replace(fields, &permit, rules);
        forwarded::rewrite(fields, &ingress, rules, &self.origins);
        if let Some(asked) = &asked {
            asked.ask_app(fields);
        }
        let body = RequestBody::new(std::mem::take(&mut request.body), &rules.filter);
        trace.bytes_in = body.bytes_in();
        self.forward(&route.then.upstream, permit, (&request, body), asked, (ingress.client, trace)).await
    }

    /// Returns who is asking, if the route wants to know and they say. A credential that is shown and bad is never ignored.
    async fn identify(
        &self,
        rules: &Rules,
        route: &table::Route<Forwarding>,
        fields: &Fields,
        now: Timestamp,
    ) -> Result<Option<Identified>, Refusal> {
        match route.access {
            Access::Public => Ok(None),
            Access::Optional | Access::Protected(_) => {
                credentials::identify(fields, rules, route.then.credentials, &self.authenticator, now).await
            }
        }
    }

    async fn forward(
        &self,
        upstream: &Arc<Upstream>,
        permit: Permit,
        (request, body): (&ClientRequest<ClientBody>, RequestBody),
        asked: Option<Asked>,
        (client, trace): (ClientAddr, &mut Trace),
    ) -> Result<ClientResponse<Body<ResponseBody>>, Refusal> {
        trace.upstream = Some(Arc::clone(upstream));
        let started = Clock::monotonic();
        let is_head = request.method == Method::HEAD;
        let exchange = Exchange { pools: &self.pools, upstream, client: client.ip };
        let mut response = upstream::forward(exchange, &permit, request, body).await?;
        trace.upstream_time = Some(started.elapsed());
        if response.status == StatusCode::SWITCHING_PROTOCOLS {
            return self.switch(upstream, &permit, response, asked);
        }
        if response.status.is_success() && asked.as_ref().is_some_and(Asked::is_extended) {
            return Err(Refusal::DeclinedUpgrade);
        }
        clean_fields(&mut response.fields, response.status, is_head);
        if streams::is_long_lived(&response.fields)
            && let Some(caller) = permit.caller()
        {
            let cut = self.streams.watch(&caller.principal);
            response.body.cut_when(cut);
        }
        Ok(response.map(Body::Stream))
    }

    /// Returns the answer that joins both ends, if the client had asked for that.
    fn switch(
        &self,
        upstream: &Upstream,
        permit: &Permit,
        mut response: ClientResponse<ResponseBody>,
        asked: Option<Asked>,
    ) -> Result<ClientResponse<Body<ResponseBody>>, Refusal> {
        let (client, status) = asked.ok_or(Refusal::UnaskedUpgrade)?.settle(&mut response.fields)?;
        let server = response.body.take_upgraded().ok_or(Refusal::UnaskedUpgrade)?;
        let cut = permit.caller().map(|caller| self.streams.watch(&caller.principal));
        tokio::task::spawn_local(upstream::tunnel(upstream::Tunnel {
            client,
            server,
            idle: upstream.patience.idle,
            cut,
        }));
        response.status = status;
        Ok(response.map(|_| Body::empty()))
    }
}

/// Returns why no route was found: nothing is there, or an upstream could take the path for one that another rule protects.
fn unserved(rules: &Rules, target: &Target, method: &Method) -> Refusal {
    if rules.routes.is_ambiguous(target.host(), target.path(), method) {
        return Refusal::AmbiguousPath;
    }
    Refusal::NoRoute
}

/// Makes `uri` the target in origin form: the canonical path that the route was chosen by, less the route's prefix where it
/// says so. Most targets come in that form and stay as they are.
fn direct(uri: &mut Uri, target: &Target, route: &table::Route<Forwarding>) {
    let is_canonical = |uri: &Uri| {
        uri.authority().is_none() && uri.path_and_query().is_some_and(|given| given == target.path_and_query())
    };
    let path_and_query = if route.strip_prefix {
        target.path_and_query_without(route.path.as_str())
    } else if is_canonical(uri) {
        return;
    } else {
        target.path_and_query().to_owned()
    };
    *uri = Uri::try_from(path_and_query).expect("a canonical target is a valid URI");
}

/// Framing is made anew on each side; only where there is no body does the length say something of its own (RFC 9110 section 8.6).
fn clean_fields(fields: &mut Fields, status: StatusCode, is_head: bool) {
    remove_hop_by_hop(fields, &|_| false);
    fields.remove(&header::TE);
    let says_length = match status {
        StatusCode::NO_CONTENT => false,
        StatusCode::NOT_MODIFIED => true,
        _ => is_head,
    };
    if !says_length {
        fields.remove(&header::CONTENT_LENGTH);
    }
}

fn access_kind(access: &Access) -> AccessKind {
    match access {
        Access::Public => AccessKind::Public,
        Access::Optional => AccessKind::Optional,
        Access::Protected(_) => AccessKind::Protected,
    }
}
