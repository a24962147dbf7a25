//! Taking a changed configuration into use without dropping a connection; listeners and store stay as they started.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::keys::{self, KeysError};
use super::listeners::Certificates;
use super::parts;
use crate::account::{AccountSettings, Accounts, Hashers};
use crate::auth::{Authenticator, Trust};
use crate::clock::Clock;
use crate::config::{self, Environment, Settings};
use crate::live::Live;
use crate::password::hash::Hasher;
use crate::server::dispatch::Edge;
use crate::store::SharedStore;
use crate::tls::Reload;

/// Everything that a reload touches.
pub(super) struct Shared {
    /// Held while the configuration or the keys are replaced, so that neither undoes the other.
    pub turn: tokio::sync::Mutex<()>,
    pub settings: Mutex<Arc<Settings>>,
    pub edge: Live<Edge>,
    pub trust: Live<Trust>,
    pub account_settings: Live<AccountSettings>,
    pub accounts: Arc<Accounts>,
    pub authenticator: Arc<Authenticator>,
    pub hashers: Arc<Hashers>,
    pub store: SharedStore,
    pub clock: Clock,
    pub certificates: Option<Certificates>,
}

impl Shared {
    /// Returns the configuration in force.
    pub fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.settings.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn watches(&self) -> bool {
        self.settings().server.watch
    }

    /// Takes the file's new content into use, or says what is wrong with it and stays with the old one.
    pub async fn reload(&self, source: &Path) {
        let new = match config::load(source, &Environment::capture()) {
            Ok(new) => new,
            Err(problems) => {
                tracing::error!(%problems, "the new configuration is refused; the old one stays in force");
                return;
            }
        };
        match self.apply(new).await {
            Ok(()) => tracing::info!(file = %source.display(), "configuration reloaded"),
            Err(error) => tracing::error!(%error, "the new configuration is refused; the old one stays in force"),
        }
    }

    async fn apply(&self, new: Settings) -> Result<(), KeysError> {
        let _turn = self.turn.lock().await;
        let old = self.settings();
        if needs_restart(&old, &new) {
            tracing::warn!(
                "changes of listeners, workers, connection limits, TLS mode, store or log wait for a restart"
            );
        }
        // What can fail comes first, so that a refused file has changed nothing.
        let trust = keys::load_trust(&new, &self.store, self.clock.now()).await?;
        if old.auth.trusted_issuers != new.auth.trusted_issuers {
            let issuers = keys::trusted_issuers(&new, &self.authenticator.issuers(), &self.clock)?;
            self.authenticator.trust_issuers(issuers);
        }
        self.trust.replace(trust);
        self.account_settings.replace(parts::account_settings(&new));
        if old.password.cost != new.password.cost {
            self.hashers.replace_hasher(Hasher::new(new.password.cost));
        }
        self.edge.replace(parts::edge(&new, &self.accounts, &self.authenticator, &self.trust));
        *self.settings.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(new);
        if let Err(error) = self.accounts.feed().tell_again().await {
            tracing::warn!(%error, "roles may grant their old scopes until the store can be read");
        }
        Ok(())
    }

    /// Serves everybody, if the keys and what was revoked can be read now.
    pub async fn open(&self) -> Result<(), KeysError> {
        self.reload_keys().await?;
        self.accounts.feed().catch_up().await?;
        self.authenticator.open();
        Ok(())
    }

    pub async fn reload_keys(&self) -> Result<(), KeysError> {
        let _turn = self.turn.lock().await;
        let trust = keys::load_trust(&self.settings(), &self.store, self.clock.now()).await?;
        self.trust.replace(trust);
        Ok(())
    }

    /// Returns what clients will object to in the certificates of this moment.
    pub fn objections(&self) -> Vec<String> {
        self.certificates.as_ref().map_or_else(Vec::new, |certificates| certificates.objections(self.clock.now()))
    }

    pub fn warn_of_objections(&self) {
        for objection in self.objections() {
            tracing::warn!("{objection}; clients will refuse it");
        }
    }

    pub fn renew_certificates(&self) {
        let Some(certificates) = &self.certificates else { return };
        match certificates.renew() {
            Ok(Reload::Unchanged) => {}
            Ok(Reload::Replaced) => {
                tracing::info!("new certificates are in use");
                self.warn_of_objections();
            }
            Err(error) => tracing::error!(%error, "changed certificates are refused; the old ones stay in use"),
        }
    }
}

fn needs_restart(old: &Settings, new: &Settings) -> bool {
    let server = |settings: &Settings| {
        let server = &settings.server;
        (server.listen.clone(), server.redirect_http, server.ops_listen, server.workers)
    };
    let limits = |settings: &Settings| {
        let limits = &settings.limits;
        (
            limits.header_size,
            limits.header_timeout,
            limits.connections,
            limits.h2_stream_window,
            limits.h2_connection_window,
        )
    };
    server(old) != server(new)
        || limits(old) != limits(new)
        || old.tls != new.tls
        || old.store != new.store
        || old.log.format != new.log.format
        || old.log.level != new.log.level
        || old.password.hash_concurrency != new.password.hash_concurrency
}
