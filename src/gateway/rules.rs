//! What a configuration says about serving, ready to use; swapped whole at reload.

use std::sync::Arc;

use http::{HeaderName, HeaderValue};
use ipnet::IpNet;

use super::limits::{RequestLimits, RouteLimit};
use crate::auth::bearer::{Accepted, BearerSettings};
use crate::http::cors::Origins;
use crate::http::header::IdentityFilter;
use crate::identity::IdentityValues;
use crate::route::table::Table;
use crate::upstream::Upstream;

/// One snapshot of everything that serving looks at.
#[derive(Debug)]
pub struct Rules {
    pub routes: Table<Forwarding>,
    pub bearer: BearerSettings,
    pub identity: IdentityHeaders,
    pub filter: Arc<IdentityFilter>,
    pub pass_authorization: bool,
    pub trusted_proxies: Vec<IpNet>,
    /// What `Via` says of us behind the protocol version; `None` leaves it out.
    pub via: Option<ViaValues>,
    pub limits: RequestLimits,
    /// Who may read our own endpoints' answers, and those of routes that share theirs, from another origin; `None`: nobody.
    pub cors: Option<Origins>,
    /// The canonical paths of the forward-auth endpoint.
    pub forward_auth_paths: Vec<String>,
}

/// Where a route leads.
#[derive(Clone, Debug)]
pub struct Forwarding {
    /// How logs call the route.
    pub name: Arc<str>,
    pub upstream: Arc<Upstream>,
    pub limit: Option<Arc<RouteLimit>>,
    /// Where its callers' credentials may stand.
    pub credentials: Accepted,
    /// Whether scripts of other origins may read its answers.
    pub is_shared: bool,
}

/// The names under which an upstream is told who is asking; what has no name is not told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdentityHeaders {
    pub user_id: Option<HeaderName>,
    pub email: Option<HeaderName>,
    pub name: Option<HeaderName>,
    pub roles: Option<HeaderName>,
}

/// `Via` for each protocol version a client may have used (RFC 9110 section 7.6.3).
#[derive(Clone, Debug)]
pub struct ViaValues {
    pub http_10: HeaderValue,
    pub http_11: HeaderValue,
    pub http_2: HeaderValue,
}

impl IdentityHeaders {
    pub fn names(&self) -> impl Iterator<Item = &HeaderName> {
        [&self.user_id, &self.email, &self.name, &self.roles].into_iter().flatten()
    }

    /// Returns each name with the value that it has for a caller.
    pub fn pairs<'a>(
        &'a self,
        values: &'a IdentityValues,
    ) -> impl Iterator<Item = (&'a HeaderName, Option<&'a HeaderValue>)> {
        let pairs = [
            (&self.user_id, &values.user_id),
            (&self.email, &values.email),
            (&self.name, &values.name),
            (&self.roles, &values.roles),
        ];
        pairs.into_iter().filter_map(|(name, value)| Some((name.as_ref()?, value.as_ref())))
    }
}

impl ViaValues {
    /// Returns the values for a pseudonym; `None` if it is empty or no token.
    pub fn new(pseudonym: &str) -> Option<Self> {
        let value = |version: &str| HeaderValue::from_str(&format!("{version} {pseudonym}")).ok();
        if pseudonym.is_empty() {
            return None;
        }
        Some(Self { http_10: value("1.0")?, http_11: value("1.1")?, http_2: value("2")? })
    }
}

impl Rules {
    /// Returns what follows the forward-auth endpoint's path in `path`, if that is where it leads: nothing, or `/` and more.
    pub fn after_forward_auth<'p>(&self, path: &'p str) -> Option<&'p str> {
        let rest = self.forward_auth_paths.iter().filter_map(|own| path.strip_prefix(own.as_str()));
        rest.into_iter().find(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
    }
}
