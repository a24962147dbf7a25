//! A configuration that has passed every check, as the composition root hands it out, with the defaults of each section.
//! No value here needs to be looked at twice: names are resolved, texts parsed, contradictions gone.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use http::{HeaderName, Method};
use ipnet::IpNet;

mod endpoint;
mod mail;

pub use super::text::{Origin, Scheme};
use crate::http::answers::Answers;
use crate::http::cors::Origins;
use crate::identity::profile::UserFields;
use crate::limit::bucket::Rate;
use crate::password::hash::Cost;
use crate::password::rules::Rules;
use crate::policy::{Access, RoleScopes};
use crate::route::pattern::{HostPattern, PathPrefix};
use crate::route::table;
use crate::secret::{self, Secret};
use crate::token::foreign::IssuerRules;
use crate::token::key::Algorithm;
use crate::token::key_set_url::KeySetUrl;
use crate::token::rotation::Schedule;
pub use endpoint::Endpoint;
pub use mail::Mail;

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    pub server: Server,
    pub tls: Tls,
    pub store: Store,
    pub auth: Auth,
    pub password: Password,
    pub mail: Mail,
    pub limits: Limits,
    pub identity: Identity,
    /// Whose scripts may read our own endpoints' answers, and those of routes that say so; `None`: nobody's.
    pub cors: Option<Origins>,
    pub log: Log,
    /// Named ones in the order of the alphabet, then those that routes give as a URL.
    pub upstreams: Vec<Upstream>,
    /// In the order of the file.
    pub routes: Vec<Route>,
    /// What is allowed but probably not meant, each with its place; for `check` and the log.
    pub warnings: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Server {
    pub listen: Vec<SocketAddr>,
    pub redirect_http: Option<SocketAddr>,
    pub ops_listen: Option<SocketAddr>,
    pub public_url: Option<Origin>,
    pub trusted_proxies: Vec<IpNet>,
    /// `None`: one per core.
    pub workers: Option<NonZeroUsize>,
    /// `None`: no `Via` is added.
    pub via: Option<String>,
    pub drain: Duration,
    pub watch: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Tls {
    pub mode: TlsMode,
    pub min_version: TlsVersion,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsMode {
    /// At least one.
    Files(Vec<CertificateFiles>),
    SelfSigned,
    Off,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificateFiles {
    pub cert: PathBuf,
    pub key: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    Tls12,
    Tls13,
}

#[derive(Clone, Debug)]
pub enum Store {
    /// Of the gateway that serves it, and gone with it.
    Memory,
    Sqlite {
        path: PathBuf,
    },
    /// The URL may hold a password; `prefix` is that of collections.
    MongoDb {
        url: Secret<String>,
        prefix: String,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub struct Auth {
    pub prefix: PathPrefix,
    pub registration: Registration,
    pub required_fields: Vec<UserField>,
    pub ignored_fields: Vec<String>,
    pub user_fields: UserFields,
    pub answers: Answers,
    pub refresh_from: Vec<RefreshPlace>,
    /// What a token request means that names no `grant_type`.
    pub default_grant: Option<DefaultGrant>,
    /// `auth.issuer`, else `server.public_url`, else `vestibule`.
    pub issuer: String,
    pub audience: Vec<String>,
    pub algorithm: Algorithm,
    pub secrets: Secrets,
    /// `None`: keys change only by command. Never with a symmetric algorithm.
    pub rotation: Option<Schedule>,
    pub access_ttl: Duration,
    pub refresh_ttl: Duration,
    pub session_max: Duration,
    pub rotate_refresh: bool,
    pub refresh_grace: Duration,
    pub leeway: Duration,
    pub header: HeaderName,
    /// Empty only with another header than `Authorization`: the whole value is the token.
    pub schemes: Vec<String>,
    pub access_token_name: String,
    /// Where endpoints answer as well, besides their place below `prefix`.
    pub paths: BTreeMap<Endpoint, PathPrefix>,
    pub role_scopes: RoleScopes,
    /// In the order of the file; no two have one name, and none has ours.
    pub trusted_issuers: Vec<TrustedIssuer>,
}

/// Somebody else whose tokens are taken on routes.
#[derive(Clone, Debug, PartialEq)]
pub struct TrustedIssuer {
    pub rules: IssuerRules,
    pub keys: IssuerKeySource,
}

/// Where an issuer's keys are; the algorithms are those they may be used with, at least one.
#[derive(Clone, Debug)]
pub enum IssuerKeySource {
    Published {
        url: KeySetUrl,
        algorithms: Vec<Algorithm>,
    },
    Secret {
        secret: Secret<Vec<u8>>,
        algorithms: Vec<Algorithm>,
    },
    /// PEM or a JWK, tried already.
    PublicKey(String),
}

/// What signs and seals; each is at least 32 bytes.
#[derive(Clone, Debug, Default)]
pub struct Secrets {
    /// Set exactly when the algorithm is symmetric.
    pub access: Option<Secret<Vec<u8>>>,
    /// `None`: refresh tokens are signed with `access`.
    pub refresh: Option<Secret<Vec<u8>>>,
    pub key_encryption: Option<Secret<Vec<u8>>>,
}

/// Where a refresh token may stand in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefreshPlace {
    Json,
    Form,
    Query,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultGrant {
    Password,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registration {
    Open,
    Closed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserField {
    Email,
    Username,
    FirstName,
    LastName,
    FullName,
    Phone,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Password {
    pub rules: Rules,
    pub cost: Cost,
    /// `None`: one per core.
    pub hash_concurrency: Option<NonZeroUsize>,
}

/// A rate that is `None` is off.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    pub login: Option<Rate>,
    pub login_account: Option<Rate>,
    pub login_network: Option<Rate>,
    pub register: Option<Rate>,
    pub mail: Option<Rate>,
    pub mail_account: Option<Rate>,
    pub mail_network: Option<Rate>,
    pub requests: Option<Rate>,
    pub header_size: usize,
    pub header_timeout: Duration,
    pub idle_timeout: Duration,
    pub connections: usize,
    pub body_timeout: Duration,
    pub h2_stream_window: usize,
    pub h2_connection_window: usize,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Identity {
    pub headers: IdentityHeaders,
    pub allow_headers: Vec<HeaderName>,
    pub pass_authorization: bool,
}

/// The names of the identity headers; `None` is not sent.
#[derive(Clone, Debug, PartialEq)]
pub struct IdentityHeaders {
    pub user_id: Option<HeaderName>,
    pub email: Option<HeaderName>,
    pub name: Option<HeaderName>,
    pub roles: Option<HeaderName>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Log {
    pub format: LogFormat,
    pub level: tracing::Level,
    /// Whether each request leaves an access line.
    pub access: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Json,
    Text,
}

/// The place of an upstream in [`Settings::upstreams`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UpstreamId(pub(super) usize);

impl UpstreamId {
    pub fn index(self) -> usize {
        self.0
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Upstream {
    /// The name of its section, or the URL for one that a route gives.
    pub name: String,
    /// At least one.
    pub servers: Vec<Origin>,
    pub balance: Balance,
    pub connect_timeout: Duration,
    pub response_timeout: Duration,
    pub retries: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Balance {
    LeastRequests,
    RoundRobin,
    ClientHash,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    pub path: PathPrefix,
    pub host: HostPattern,
    pub methods: Vec<Method>,
    pub access: Access,
    pub upstream: UpstreamId,
    pub strip_prefix: bool,
    pub keep_encoded_slash: bool,
    pub rate_limit: Option<Rate>,
    /// At least one.
    pub credentials: Vec<CredentialPlace>,
    /// Only where `[cors]` names origins.
    pub cors: bool,
}

/// Where a caller's credential may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialPlace {
    Bearer,
    ApiKeyHeader,
    Basic,
}

impl CredentialPlace {
    pub const ALL: [(&str, Self); 3] =
        [("bearer", Self::Bearer), ("api-key-header", Self::ApiKeyHeader), ("basic", Self::Basic)];
}

impl Route {
    /// Returns the route as the table takes it, leading to `then`.
    pub fn entry<T>(&self, then: T) -> table::Route<T> {
        table::Route {
            host: self.host.clone(),
            path: self.path.clone(),
            methods: self.methods.clone(),
            access: self.access.clone(),
            strip_prefix: self.strip_prefix,
            keep_encoded_slash: self.keep_encoded_slash,
            then,
        }
    }
}

impl PartialEq for Store {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Memory, Self::Memory) => true,
            (Self::Sqlite { path }, Self::Sqlite { path: other }) => path == other,
            (Self::MongoDb { url, prefix }, Self::MongoDb { url: other_url, prefix: other }) => {
                url.expose() == other_url.expose() && prefix == other
            }
            (Self::Memory | Self::Sqlite { .. } | Self::MongoDb { .. }, _) => false,
        }
    }
}

impl PartialEq for IssuerKeySource {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Published { url, algorithms }, Self::Published { url: other_url, algorithms: others }) => {
                url == other_url && algorithms == others
            }
            (Self::Secret { secret, algorithms }, Self::Secret { secret: other_secret, algorithms: others }) => {
                secret::equal(secret.expose(), other_secret.expose()) && algorithms == others
            }
            (Self::PublicKey(text), Self::PublicKey(other)) => text == other,
            (Self::Published { .. } | Self::Secret { .. } | Self::PublicKey(_), _) => false,
        }
    }
}

impl PartialEq for Secrets {
    fn eq(&self, other: &Self) -> bool {
        let same = |left: &Option<Secret<Vec<u8>>>, right: &Option<Secret<Vec<u8>>>| match (left, right) {
            (Some(left), Some(right)) => secret::equal(left.expose(), right.expose()),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        same(&self.access, &other.access)
            && same(&self.refresh, &other.refresh)
            && same(&self.key_encryption, &other.key_encryption)
    }
}
