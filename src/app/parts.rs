//! The parts of a running gateway, made from a configuration and joined.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::available_parallelism;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use super::reload::Shared;
use super::start_error::StartError;
use super::{Servers, edge, keys, listeners, mail, stores};
use crate::account::{
    self, AccountSettings, Accounts, Hashers, MailSettings, Rates, settings::Field, settings::Registration,
};
use crate::api::{self, Api, ApiSettings, RefreshPlaces};
use crate::auth::{Authenticator, Directory, Revocations, Trust};
use crate::clock::Clock;
use crate::config::settings::{self as config, Settings};
use crate::gateway::Gateway;
use crate::gateway::forwarded::Origins;
use crate::gateway::streams::Streams;
use crate::live::Live;
use crate::password::hash::Hasher;
use crate::server::Server;
use crate::server::dispatch::{Dispatch, Edge};
use crate::server::visit::RequestIds;
use crate::store::SharedStore;
use crate::telemetry::access::Format;
use crate::telemetry::audit::Audit;
use crate::telemetry::metrics::Metrics;
use crate::telemetry::sink::Lines;
use crate::tls;
use crate::token::refresh::RefreshPolicy;
use crate::upstream::Pools;

/// Verified tokens that are remembered; about 1.2 KiB each.
const CACHED_TOKENS: u64 = 1_000_000;
/// Requests for accounts that may be under way at once: more than hashers and their queue ever hold.
const DESK_PLACES: usize = 1024;

/// Everything that runs, but the listeners.
pub(super) struct Parts {
    shared: Arc<Shared>,
    pub accounts: Arc<Accounts>,
    pub store: SharedStore,
    pub metrics: Arc<Metrics>,
    lines: Lines,
}

impl Parts {
    /// Opens the store, finds or makes the keys, and tells the serving side what has been revoked before.
    pub async fn assemble(settings: Settings, metrics: Arc<Metrics>, lines: Lines) -> Result<Self, StartError> {
        let clock = Clock::system();
        let store = stores::open_store(&settings.store)?;
        let loaded = keys::load_trust(&settings, &store, clock.now()).await;
        let loaded = stores::unless_away(&settings.store, loaded)?;
        let knows_keys = loaded.is_some();
        let trust = Live::new(loaded.unwrap_or_else(|| keys::unknown_trust(&settings)));
        let certificates = listeners::certificates(&settings, clock.now())?;
        let revocations = Arc::new(Revocations::new());
        let role_scopes = Live::new(settings.auth.role_scopes.clone());
        let authenticator = Authenticator::new(trust.clone(), Arc::clone(&revocations), CACHED_TOKENS);
        let directory = Directory::new(Arc::clone(&store), role_scopes.clone());
        let authenticator = Arc::new(authenticator.with_directory(directory));
        authenticator.trust_issuers(keys::trusted_issuers(&settings, &authenticator.issuers(), &clock)?);
        let hashers = Hashers::start(Hasher::new(settings.password.cost), hash_threads(&settings));
        let hashers = Arc::new(hashers.map_err(StartError::internal)?);
        let account_settings = Live::new(account_settings(&settings, mail::settings(&settings)?));
        let accounts = Arc::new(Accounts::new(account::Parts {
            store: Arc::clone(&store),
            hashers: Arc::clone(&hashers),
            trust: trust.clone(),
            revocations,
            settings: account_settings.clone(),
            audit: Audit::new(lines.clone()).counting(Arc::clone(&metrics)),
            clock: clock.clone(),
        }));
        let caught_up = stores::unless_away(&settings.store, accounts.feed().catch_up().await)?;
        if !knows_keys || caught_up.is_none() {
            tracing::warn!("the store can't be reached; only what needs no store is served until it can");
            authenticator.shut();
        }
        let edge = Live::new(edge(&settings, &accounts, &authenticator, &trust));
        let shared = Shared {
            turn: tokio::sync::Mutex::default(),
            settings: std::sync::Mutex::new(Arc::new(settings)),
            edge,
            trust,
            account_settings,
            role_scopes,
            accounts: Arc::clone(&accounts),
            authenticator,
            hashers,
            store: Arc::clone(&store),
            clock,
            certificates,
        };
        Ok(Self { shared: Arc::new(shared), accounts, store, metrics, lines })
    }

    pub fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    pub fn is_tls(&self) -> bool {
        self.shared.certificates.is_some()
    }

    pub fn drain_limit(&self) -> Duration {
        self.shared.settings().server.drain
    }

    /// Starts everything that listens.
    pub fn listen(&self) -> Result<Servers, StartError> {
        let settings = self.shared.settings();
        self.shared.warn_of_objections();
        let tls = self.shared.certificates.as_ref().map(listeners::Certificates::server_config).transpose()?;
        let main = Server::start(listeners::main_settings(&settings, tls), self.make_dispatch()?)?;
        let https_port = main.local_addrs().first().map_or(443, std::net::SocketAddr::port);
        let redirect = listeners::redirect(&self.shared, https_port)?;
        let ops = listeners::ops(&self.shared, &self.metrics, Arc::clone(main.counters()))?;
        Ok(Servers { main, ops, redirect })
    }

    /// Returns what makes one worker's dispatch, on its thread.
    fn make_dispatch(&self) -> Result<impl Fn() -> Dispatch + Send + Sync + 'static, StartError> {
        let shared = Arc::clone(&self.shared);
        let (metrics, lines) = (Arc::clone(&self.metrics), self.lines.clone());
        let upstream_tls = tls::client_config()?;
        let (office, desk) = (Handle::current(), Arc::new(Semaphore::new(DESK_PLACES)));
        let made = AtomicUsize::new(0);
        Ok(move || {
            let lines = lines.buffer();
            let ticking = lines.clone();
            tokio::task::spawn_local(async move { ticking.run_ticks().await });
            Dispatch {
                edge: shared.edge.reader().into(),
                gateway: Gateway {
                    authenticator: Arc::clone(&shared.authenticator),
                    pools: Pools::new(Arc::clone(&upstream_tls)),
                    streams: Streams::new(Arc::clone(shared.authenticator.revocations())),
                    origins: Origins::default(),
                },
                office: office.clone(),
                desk: Arc::clone(&desk),
                clock: shared.clock.clone(),
                lines,
                traffic: metrics.worker(made.fetch_add(1, Ordering::Relaxed)),
                metrics: Arc::clone(&metrics),
                ids: RequestIds::new(),
            }
        })
    }
}

pub(super) fn worker_count(settings: &Settings) -> usize {
    settings.server.workers.map_or_else(cores, NonZeroUsize::get)
}

fn hash_threads(settings: &Settings) -> NonZeroUsize {
    settings.password.hash_concurrency.unwrap_or_else(|| NonZeroUsize::new(cores()).expect("a machine has a core"))
}

fn cores() -> usize {
    available_parallelism().map_or(1, NonZeroUsize::get)
}

pub(super) fn metrics(settings: &Settings, log_dropped: Counter) -> Arc<Metrics> {
    Arc::new(Metrics::new(worker_count(settings), log_dropped))
}

pub(super) fn log_format(settings: &Settings) -> Format {
    match settings.log.format {
        config::LogFormat::Json => Format::Json,
        config::LogFormat::Text => Format::Text,
    }
}

/// Returns what workers serve by; swapped whole when it changes.
pub(super) fn edge(
    settings: &Settings,
    accounts: &Arc<Accounts>,
    authenticator: &Arc<Authenticator>,
    trust: &Live<Trust>,
) -> Edge {
    let api = Api::new(Arc::clone(accounts), Arc::clone(authenticator), trust.clone(), api_settings(settings));
    Edge {
        rules: edge::rules(settings),
        api,
        body_timeout: settings.limits.body_timeout,
        access_log: settings.log.access.then(|| log_format(settings)),
    }
}

fn api_settings(settings: &Settings) -> ApiSettings {
    let auth = &settings.auth;
    let paths = auth.paths.iter().map(|(endpoint, path)| (endpoint.name().to_owned(), path.as_str().to_owned()));
    ApiSettings {
        prefix: auth.prefix.as_str().to_owned(),
        extra_paths: paths.collect(),
        bearer: edge::bearer(settings),
        access_token_name: auth.access_token_name.clone(),
        answers: auth.answers.clone(),
        refresh_from: RefreshPlaces {
            json: auth.refresh_from.contains(&config::RefreshPlace::Json),
            form: auth.refresh_from.contains(&config::RefreshPlace::Form),
            query: auth.refresh_from.contains(&config::RefreshPlace::Query),
        },
        default_grant: auth.default_grant.map(|config::DefaultGrant::Password| "password"),
        ignored_fields: auth.ignored_fields.iter().cloned().collect::<BTreeSet<String>>(),
        public_url: settings.server.public_url.as_ref().map_or_else(|| auth.issuer.clone(), ToString::to_string),
        mail: if settings.mail.smtp.is_some() { api::Mail::On } else { api::Mail::Off },
    }
}

pub(super) fn account_settings(settings: &Settings, mail: Option<MailSettings>) -> AccountSettings {
    let (auth, limits) = (&settings.auth, &settings.limits);
    AccountSettings {
        registration: match auth.registration {
            config::Registration::Open => Registration::Open,
            config::Registration::Closed => Registration::Closed,
        },
        required_fields: auth.required_fields.iter().map(|field| account_field(*field)).collect(),
        user_fields: auth.user_fields.clone(),
        access_ttl: auth.access_ttl,
        refresh: RefreshPolicy {
            ttl: auth.refresh_ttl,
            session_max: auth.session_max,
            rotate: auth.rotate_refresh,
            grace: auth.refresh_grace,
        },
        passwords: settings.password.rules,
        role_scopes: auth.role_scopes.clone(),
        rates: Rates {
            login: limits.login,
            login_account: limits.login_account,
            login_network: limits.login_network,
            register: limits.register,
            mail: limits.mail,
            mail_account: limits.mail_account,
            mail_network: limits.mail_network,
        },
        mail,
    }
}

fn account_field(field: config::UserField) -> Field {
    match field {
        config::UserField::Email => Field::Email,
        config::UserField::Username => Field::Username,
        config::UserField::FirstName => Field::FirstName,
        config::UserField::LastName => Field::LastName,
        config::UserField::FullName => Field::FullName,
        config::UserField::Phone => Field::Phone,
    }
}
