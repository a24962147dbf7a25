//! What listens, and how: the main listeners with their certificates, the redirect, and the operators' door.

use std::sync::{Arc, Mutex, PoisonError};

use super::parts::worker_count;
use super::reload::Shared;
use super::start_error::StartError;
use crate::clock::Timestamp;
use crate::config::settings::{self as config, Settings};
use crate::live::Live;
use crate::route::pattern::HostPattern;
use crate::server::redirect::Destination;
use crate::server::{self, Counters, Server, ops};
use crate::telemetry::metrics::Metrics;
use crate::tls::{
    self, Certificate, CertificateFiles, CertificateTable, CertificateWatch, MinVersion, Reload, Resolver, SelfSigned,
    TlsError, Validity,
};

/// The certificates in use and where they came from.
pub(super) struct Certificates {
    table: Live<CertificateTable>,
    min_version: MinVersion,
    /// `None` for one of our own making: there is nothing to renew.
    watch: Option<Mutex<CertificateWatch>>,
}

/// Returns the certificates that the configuration names or has us make; `None` when TLS is off.
pub(super) fn certificates(settings: &Settings, now: Timestamp) -> Result<Option<Certificates>, StartError> {
    let min_version = match settings.tls.min_version {
        config::TlsVersion::Tls12 => MinVersion::Tls12,
        config::TlsVersion::Tls13 => MinVersion::Tls13,
    };
    match &settings.tls.mode {
        config::TlsMode::Off => Ok(None),
        config::TlsMode::SelfSigned => {
            let names: Vec<String> = settings.server.public_url.iter().map(|origin| origin.host().to_owned()).collect();
            let made = SelfSigned::new(&names, now)?;
            let table = Live::new(CertificateTable::new(vec![made.certificate])?);
            Ok(Some(Certificates { table, min_version, watch: None }))
        }
        config::TlsMode::Files(given) => {
            let files = given.iter().map(|files| CertificateFiles { cert: files.cert.clone(), key: files.key.clone() });
            let watch = CertificateWatch::open(files.collect())?;
            Ok(Some(Certificates { table: watch.table().clone(), min_version, watch: Some(Mutex::new(watch)) }))
        }
    }
}

impl Certificates {
    /// Returns the configuration of the TLS listener; renewed certificates reach it through the table.
    pub fn server_config(&self) -> Result<Live<rustls::ServerConfig>, TlsError> {
        let resolver = Arc::new(Resolver::new(self.table.clone()));
        Ok(Live::new(tls::server_config(resolver, self.min_version)?))
    }

    /// Returns what clients will object to: certificates whose time has passed or not begun, one text each.
    pub fn objections(&self, now: Timestamp) -> Vec<String> {
        let table = self.table.current();
        let objection = |certificate: &Certificate| {
            let what = match certificate.validity(now) {
                Validity::Current => return None,
                Validity::NotYet => "is not valid yet",
                Validity::Expired => "has expired",
            };
            let source = certificate.source.as_ref().map_or_else(String::new, |file| format!(" in {}", file.display()));
            Some(format!("the certificate{source} {what}"))
        };
        table.certificates().iter().filter_map(objection).collect()
    }

    /// Takes changed files into use; files that can't be used leave the old certificates in place.
    pub fn renew(&self) -> Result<Reload, TlsError> {
        let Some(watch) = &self.watch else { return Ok(Reload::Unchanged) };
        watch.lock().unwrap_or_else(PoisonError::into_inner).poll()
    }
}

pub(super) fn main_settings(settings: &Settings, tls: Option<Live<rustls::ServerConfig>>) -> server::Settings {
    let limits = &settings.limits;
    let window = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
    server::Settings {
        name: "worker",
        listeners: settings.server.listen.clone(),
        workers: worker_count(settings),
        tls,
        header_size: limits.header_size,
        header_timeout: limits.header_timeout,
        idle_timeout: limits.idle_timeout,
        connections: limits.connections,
        h2_stream_window: window(limits.h2_stream_window),
        h2_connection_window: window(limits.h2_connection_window),
    }
}

/// Starts the listener that sends plain HTTP to https, if one is configured.
pub(super) fn redirect(shared: &Arc<Shared>, https_port: u16) -> Result<Option<Server>, StartError> {
    let settings = shared.settings();
    let Some(address) = settings.server.redirect_http else { return Ok(None) };
    let knower = Arc::clone(shared);
    let destination = Destination {
        public_authority: settings.server.public_url.as_ref().map(|origin| origin.authority.to_string()),
        https_port,
        knows_host: Arc::new(move |host| knows_host(&knower, host)),
    };
    Ok(Some(server::redirect::start(address, destination)?))
}

/// Returns whether a certificate or a route names the host.
fn knows_host(shared: &Shared, host: &str) -> bool {
    let by_route = shared.settings().routes.iter().any(|route| match &route.host {
        HostPattern::Any => false,
        HostPattern::Exact(exact) => exact == host,
        HostPattern::Suffix(suffix) => host.len() > suffix.len() && host.ends_with(suffix.as_str()),
    });
    by_route || shared.certificates.as_ref().is_some_and(|certificates| certificates.table.current().covers(host))
}

/// Starts the operators' listener, if one is configured.
pub(super) fn ops(
    shared: &Arc<Shared>,
    metrics: &Arc<Metrics>,
    counters: Arc<Counters>,
) -> Result<Option<Server>, StartError> {
    let Some(address) = shared.settings().server.ops_listen else { return Ok(None) };
    let (asked, counted, metrics) = (Arc::clone(shared), Arc::clone(shared), Arc::clone(metrics));
    let ready = move || {
        let store = Arc::clone(&asked.store);
        let mut lacking = asked.objections();
        lacking.extend(asked.authenticator.issuers().without_keys().map(|issuer| format!("keys of issuer {issuer}")));
        if !asked.authenticator.is_open() {
            lacking.push("signing keys and revocations".to_owned());
        }
        async move {
            lacking.extend(store.ping().await.err().map(|error| format!("store: {error}")));
            if lacking.is_empty() { Ok(()) } else { Err(lacking) }
        }
    };
    // One at a time: two that read the same count would both add what is missing.
    let turn = Mutex::new(());
    let exposition = move || {
        let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
        refresh(&metrics, &counted, &counters);
        metrics.encode()
    };
    Ok(Some(ops::start(address, ops::Sources::new(ready, exposition))?))
}

/// Brings up to date what is counted elsewhere.
fn refresh(metrics: &Metrics, shared: &Shared, counters: &Counters) {
    let cache = shared.authenticator.cache_counts();
    metrics.cache_hits.inc_by(cache.hits.saturating_sub(metrics.cache_hits.get()));
    metrics.cache_misses.inc_by(cache.misses.saturating_sub(metrics.cache_misses.get()));
    metrics.cache_entries.set(i64::try_from(cache.entries).unwrap_or(i64::MAX));
    metrics.connections.inc_by(counters.accepted().saturating_sub(metrics.connections.get()));
    metrics.connections_open.set(i64::try_from(counters.open()).unwrap_or(i64::MAX));
    metrics.hashes.inc_by(shared.hashers.done().saturating_sub(metrics.hashes.get()));
    metrics.hash_queue.set(i64::try_from(shared.hashers.waiting()).unwrap_or(i64::MAX));
}
