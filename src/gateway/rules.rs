//! What a configuration says about serving, ready to use; swapped whole at reload.

use std::sync::Arc;

use http::{HeaderName, HeaderValue, header};
use ipnet::IpNet;

use super::limits::{RequestLimits, RouteLimit};
use crate::auth::bearer::BearerSettings;
use crate::http::header::IdentityFilter;
use crate::route::table::Table;
use crate::upstream::Upstream;

/// One snapshot of everything that serving looks at.
#[derive(Debug)]
pub struct Rules {
    pub routes: Table<Forwarding>,
    pub bearer: BearerSettings,
    pub identity: IdentityHeaders,
    pub filter: IdentityFilter,
    pub pass_authorization: bool,
    pub trusted_proxies: Vec<IpNet>,
    /// What `Via` says of us behind the protocol version; `None` leaves it out.
    pub via: Option<ViaValues>,
    pub limits: RequestLimits,
    /// The canonical path of the forward-auth endpoint.
    pub forward_auth_path: String,
}

/// Where a route leads.
#[derive(Clone, Debug)]
pub struct Forwarding {
    /// How logs call the route.
    pub name: Arc<str>,
    pub upstream: Arc<Upstream>,
    pub limit: Option<Arc<RouteLimit>>,
}

/// The names under which an upstream is told who is asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityHeaders {
    pub user_id: HeaderName,
    pub email: HeaderName,
    pub name: HeaderName,
    pub roles: HeaderName,
}

/// `Via` for each protocol version a client may have used (RFC 9110 section 7.6.3).
#[derive(Clone, Debug)]
pub struct ViaValues {
    pub http_10: HeaderValue,
    pub http_11: HeaderValue,
    pub http_2: HeaderValue,
}

impl IdentityHeaders {
    pub fn names(&self) -> [&HeaderName; 4] {
        [&self.user_id, &self.email, &self.name, &self.roles]
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
    /// Returns whether a `Connection` field has no say over a header: those that say who is asking and how they got here.
    pub fn is_kept_from_connection(&self, name: &HeaderName) -> bool {
        [header::AUTHORIZATION, header::COOKIE, header::HOST, header::FORWARDED].contains(name)
            || name.as_str().starts_with("x-forwarded-")
            || self.identity.names().contains(&name)
    }
}
