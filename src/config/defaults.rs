//! What every key is when nobody sets it. `config/vestibule.toml` says the same, and a test holds them together.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use http::HeaderName;
use http::header::AUTHORIZATION;

use super::settings::{
    Auth, Balance, IdentityHeaders, Limits, Log, LogFormat, Password, RefreshPlace, Registration, Secrets, Server,
    Store, Tls, TlsMode, TlsVersion, Upstream, UserField,
};
use crate::http::answers::Answers;
use crate::limit::bucket::Rate;
use crate::password::hash::Cost;
use crate::password::rules::Rules;
use crate::route::pattern::PathPrefix;
use crate::token::key::Algorithm;

/// How long a new key is published before it signs. Key sets may be cached for five minutes, and by careless clients for longer.
pub(super) const ROTATE_AHEAD: Duration = Duration::from_hours(1);

/// The issuer of a gateway that was given neither an issuer nor a public URL.
pub(super) const ISSUER: &str = "vestibule";

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: vec![SocketAddr::from((Ipv4Addr::UNSPECIFIED, 8443))],
            redirect_http: None,
            ops_listen: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 9901))),
            public_url: None,
            trusted_proxies: Vec::new(),
            workers: None,
            via: Some("vestibule".to_owned()),
            drain: Duration::from_secs(30),
            watch: false,
        }
    }
}

impl Default for Tls {
    fn default() -> Self {
        Self { mode: TlsMode::SelfSigned, min_version: TlsVersion::Tls12 }
    }
}

impl Default for Store {
    fn default() -> Self {
        Self::Sqlite { path: PathBuf::from("vestibule.db") }
    }
}

impl Default for Auth {
    fn default() -> Self {
        Self {
            prefix: PathPrefix::parse("/auth").expect("a canonical path"),
            registration: Registration::Open,
            required_fields: vec![UserField::Email],
            ignored_fields: Vec::new(),
            user_fields: BTreeMap::new(),
            answers: Answers::default(),
            refresh_from: vec![RefreshPlace::Json],
            default_grant: None,
            issuer: ISSUER.to_owned(),
            audience: Vec::new(),
            algorithm: Algorithm::EdDsa,
            secrets: Secrets::default(),
            rotation: None,
            access_ttl: 15 * MINUTE,
            refresh_ttl: 7 * DAY,
            session_max: 30 * DAY,
            rotate_refresh: true,
            refresh_grace: Duration::from_secs(10),
            leeway: Duration::ZERO,
            header: AUTHORIZATION,
            schemes: vec!["Bearer".to_owned()],
            access_token_name: "access_token".to_owned(),
            paths: BTreeMap::new(),
            role_scopes: BTreeMap::new(),
            trusted_issuers: Vec::new(),
        }
    }
}

impl Default for Password {
    fn default() -> Self {
        Self {
            rules: Rules { min_length: 8, max_length: 256, deny_common: true },
            cost: Cost { memory_kib: 19 * 1024, iterations: 2, parallelism: 1 },
            hash_concurrency: None,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            login: Some(Rate { count: 10, per: MINUTE }),
            login_account: Some(Rate { count: 100, per: HOUR }),
            login_network: Some(Rate { count: 100, per: MINUTE }),
            register: Some(Rate { count: 20, per: HOUR }),
            mail: Some(Rate { count: 5, per: HOUR }),
            mail_account: Some(Rate { count: 10, per: HOUR }),
            mail_network: Some(Rate { count: 50, per: HOUR }),
            requests: None,
            header_size: 32 << 10,
            header_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
            connections: 10_000,
            body_timeout: Duration::from_secs(15),
            h2_stream_window: 256 << 10,
            h2_connection_window: 1 << 20,
        }
    }
}

impl Default for IdentityHeaders {
    fn default() -> Self {
        Self {
            user_id: Some(HeaderName::from_static("x-user-id")),
            email: Some(HeaderName::from_static("x-user-email")),
            name: Some(HeaderName::from_static("x-user-name")),
            roles: Some(HeaderName::from_static("x-user-roles")),
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Json, level: tracing::Level::INFO, access: true }
    }
}

impl Upstream {
    /// Returns an upstream without servers yet.
    pub(super) fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            servers: Vec::new(),
            balance: Balance::LeastRequests,
            connect_timeout: Duration::from_secs(2),
            response_timeout: MINUTE,
            retries: 1,
        }
    }
}
