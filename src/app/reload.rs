//! Taking a changed configuration into use without dropping a connection; listeners and store stay as they started.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::timeout;

use super::aside::aside;
use super::keys::{self, KeysError, Loaded};
use super::listeners::Certificates;
use super::start_error::StartError;
use super::{mail, parts};
use crate::account::keys::RotationError;
use crate::account::{AccountSettings, Accounts, Hashers};
use crate::auth::{Authenticator, Trust};
use crate::clock::Clock;
use crate::config::{self, Environment, Settings};
use crate::live::Live;
use crate::password::hash::Hasher;
use crate::policy::RoleScopes;
use crate::server::dispatch::Edge;
use crate::store::SharedStore;
use crate::tls::Reload;

/// How long the files of those whom the system trusts may take; keys wait for it.
const READING: Duration = Duration::from_secs(10);

/// Everything that a reload touches.
pub(super) struct Shared {
    /// Held while the configuration or the keys are replaced, so that neither undoes the other.
    pub turn: tokio::sync::Mutex<()>,
    pub settings: Mutex<Arc<Settings>>,
    pub edge: Live<Edge>,
    pub trust: Live<Trust>,
    pub account_settings: Live<AccountSettings>,
    pub role_scopes: Live<RoleScopes>,
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
        let file = source.to_owned();
        let new = match aside(move || config::load(&file, &Environment::capture())).await {
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

    async fn apply(&self, new: Settings) -> Result<(), StartError> {
        let _turn = self.turn.lock().await;
        let (old, new) = (self.settings(), Arc::new(new));
        if needs_restart(&old, &new) {
            tracing::warn!(
                "changes of listeners, workers, connection limits, TLS mode, store or log wait for a restart"
            );
        }
        // What can fail comes first, so that a refused file has changed nothing.
        let trust = keys::load_trust(&new, &self.store, self.clock.now()).await?;
        let has_other_issuers = old.auth.trusted_issuers != new.auth.trusted_issuers;
        let (settings, known, clock) = (Arc::clone(&new), self.authenticator.issuers(), self.clock.clone());
        // Both read whom this system trusts.
        let read = aside(move || {
            let issuers = has_other_issuers.then(|| keys::trusted_issuers(&settings, &known, &clock)).transpose()?;
            Ok::<_, StartError>((issuers, mail::settings(&settings)?))
        });
        let late = |_| StartError::internal(format!("whom the system trusts could not be read within {READING:?}"));
        let (issuers, mail) = timeout(READING, read).await.map_err(late)??;
        if let Some(issuers) = issuers {
            self.authenticator.trust_issuers(issuers);
        }
        self.trust.replace(trust);
        self.account_settings.replace(parts::account_settings(&new, mail));
        self.role_scopes.replace(new.auth.role_scopes.clone());
        if old.password.cost != new.password.cost {
            self.hashers.replace_hasher(Hasher::new(new.password.cost));
        }
        self.edge.replace(parts::edge(&new, &self.accounts, &self.authenticator, &self.trust));
        *self.settings.lock().unwrap_or_else(PoisonError::into_inner) = new;
        if let Err(error) = self.accounts.feed().tell_again().await {
            tracing::warn!(%error, "roles may grant their old scopes until the store can be read");
        }
        Ok(())
    }

    /// Serves everybody, if the keys and what was revoked can be read now.
    pub async fn open(&self) -> Result<(), FollowError> {
        self.follow_keys().await?;
        self.accounts.feed().catch_up().await.map_err(KeysError::from)?;
        self.authenticator.open();
        Ok(())
    }

    /// Publishes the next key if it is time, takes the keys of this moment into use, and returns how long they stay so.
    pub async fn follow_keys(&self) -> Result<Option<Duration>, FollowError> {
        let _turn = self.turn.lock().await;
        let settings = self.settings();
        let auth = &settings.auth;
        if let Some(schedule) = auth.rotation {
            let sealing = auth.secrets.key_encryption.as_ref();
            if let Some(key) = self.accounts.rotate_key_if_due(auth.algorithm, sealing, schedule).await? {
                tracing::info!(
                    kid = key.kid,
                    signs_from = key.signs_from.to_rfc3339(),
                    "the next signing key is published"
                );
            }
        }
        let now = self.clock.now();
        let Loaded { trust, next } = keys::load(&settings, &self.store, now).await?;
        // What was verified before is remembered by the set of keys, so one that is the same stays.
        if kids(&trust) != kids(&self.trust.current()) {
            tracing::info!(kid = trust.access.signing().kid, keys = trust.access.keys().len(), "signing keys changed");
            self.trust.replace(trust);
        }
        Ok(next.map(|next| next.since(now)))
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

/// Why the keys stay as they are.
#[derive(Debug, thiserror::Error)]
pub(super) enum FollowError {
    #[error(transparent)]
    Load(#[from] KeysError),
    #[error(transparent)]
    Rotate(#[from] RotationError),
}

/// Returns the ids of all keys, those that sign first.
fn kids(trust: &Trust) -> Vec<&str> {
    let keys = trust.access.keys().iter().chain(trust.refresh.keys());
    keys.map(|key| key.kid.as_str()).collect()
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
