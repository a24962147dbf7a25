//! From checked settings to the rules that workers serve by.

use std::sync::Arc;

use http::HeaderName;

use crate::auth::bearer::{Accepted, BearerSettings};
use crate::config::settings::{self as config, Settings};
use crate::gateway::Rules;
use crate::gateway::limits::{RequestLimits, RouteLimit};
use crate::gateway::rules::{Forwarding, IdentityHeaders, ViaValues};
use crate::http::header::IdentityFilter;
use crate::route::table::Table;
use crate::upstream::{Address, Balance, Patience, Scheme, Upstream};

/// Returns the rules that `settings` describe.
pub fn rules(settings: &Settings) -> Rules {
    let upstreams: Vec<Arc<Upstream>> =
        settings.upstreams.iter().map(|given| Arc::new(upstream(given, settings))).collect();
    let routes = settings.routes.iter().map(|route| {
        let upstream = Arc::clone(&upstreams[route.upstream.index()]);
        let limit = route.rate_limit.map(|rate| Arc::new(RouteLimit::new(rate)));
        let (name, credentials) = (route_name(route).into(), accepted(route));
        route.entry(Forwarding { name, upstream, limit, credentials, is_shared: route.cors })
    });
    let identity = identity_headers(settings);
    let names: Vec<HeaderName> = identity.names().cloned().collect();
    Rules {
        routes: Table::build(routes.collect()).expect("the configuration was checked for duplicates"),
        bearer: bearer(settings),
        filter: Arc::new(IdentityFilter::new(&names, &settings.identity.allow_headers)),
        identity,
        pass_authorization: settings.identity.pass_authorization,
        trusted_proxies: settings.server.trusted_proxies.clone(),
        via: settings.server.via.as_deref().and_then(ViaValues::new),
        limits: RequestLimits::new(settings.limits.requests),
        cors: settings.cors.clone(),
        forward_auth_paths: forward_auth_paths(settings),
    }
}

fn accepted(route: &config::Route) -> Accepted {
    let has = |place| route.credentials.contains(&place);
    Accepted {
        bearer: has(config::CredentialPlace::Bearer),
        api_key_header: has(config::CredentialPlace::ApiKeyHeader),
        basic: has(config::CredentialPlace::Basic),
    }
}

pub fn bearer(settings: &Settings) -> BearerSettings {
    BearerSettings { header: settings.auth.header.clone(), schemes: settings.auth.schemes.clone() }
}

fn identity_headers(settings: &Settings) -> IdentityHeaders {
    let names = &settings.identity.headers;
    IdentityHeaders {
        user_id: names.user_id.clone(),
        email: names.email.clone(),
        name: names.name.clone(),
        roles: names.roles.clone(),
    }
}

fn forward_auth_paths(settings: &Settings) -> Vec<String> {
    let own = format!("{}/forward", settings.auth.prefix.as_str());
    let other = settings.auth.paths.get(&config::Endpoint::Forward).map(|path| path.as_str().to_owned());
    std::iter::once(own).chain(other).collect()
}

/// Returns how logs and `explain` call a route: what it matches.
pub fn route_name(route: &config::Route) -> String {
    use crate::route::pattern::HostPattern;
    let host = match &route.host {
        HostPattern::Any => String::new(),
        HostPattern::Exact(host) => host.clone(),
        HostPattern::Suffix(suffix) => format!("*{suffix}"),
    };
    let methods: Vec<&str> = route.methods.iter().map(http::Method::as_str).collect();
    let methods = if methods.is_empty() { String::new() } else { format!("{} ", methods.join(",")) };
    format!("{methods}{host}{}", route.path.as_str())
}

fn upstream(given: &config::Upstream, settings: &Settings) -> Upstream {
    let balance = match given.balance {
        config::Balance::LeastRequests => Balance::LeastRequests,
        config::Balance::RoundRobin => Balance::RoundRobin,
        config::Balance::ClientHash => Balance::ClientHash,
    };
    let patience = Patience {
        connect: given.connect_timeout,
        response: given.response_timeout,
        idle: settings.limits.idle_timeout,
        retries: u32::try_from(given.retries).unwrap_or(u32::MAX),
    };
    Upstream::new(given.name.clone(), given.servers.iter().map(address).collect(), balance, patience)
}

pub(super) fn address(origin: &config::Origin) -> Address {
    Address {
        scheme: match origin.scheme {
            config::Scheme::Http => Scheme::Http,
            config::Scheme::Https => Scheme::Https,
        },
        host: origin.host().trim_start_matches('[').trim_end_matches(']').to_owned(),
        port: origin.port(),
    }
}
