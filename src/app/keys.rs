//! The keys that sign and verify: made at first start, opened from the store, given as shared secrets, or others' own.

use std::sync::Arc;
use std::time::Duration;

use crate::account::keys::new_key;
use crate::auth::key_set::{Fetcher, RemoteKeys};
use crate::auth::{Issuers, Trust, TrustedIssuer};
use crate::clock::{Clock, Timestamp};
use crate::config::Settings;
use crate::config::settings::{self as config, IssuerKeySource};
use crate::secret::Secret;
use crate::store::{SharedStore, StoreError};
use crate::tls::{self, TlsError};
use crate::token::claims::Expected;
use crate::token::foreign::{IssuerKeys, PublicKey, PublicKeyError};
use crate::token::key::{Algorithm, Key, KeyError, KeyRecord, KeySet};
use crate::token::rotation;

#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("key {kid} of the store: {error}")]
    Stored { kid: String, error: KeyError },
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error("the store holds no key for {0}")]
    Missing(&'static str),
    #[error("the key of issuer {issuer}: {error}")]
    Issuer { issuer: String, error: PublicKeyError },
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// How long a key is published before it signs where somebody asked for it and waits: until every gateway on the store knows it.
pub const HEARD_EVERYWHERE: Duration = Duration::from_secs(1);

/// What tokens are signed with and held against now, and until when.
pub struct Loaded {
    pub trust: Trust,
    /// When a key takes its turn, or the next has to be published; `None`: nothing is foreseen.
    pub next: Option<Timestamp>,
}

/// Returns what tokens are signed with and held against; an asymmetric key that the store lacks is made and kept there first,
/// and plain keys are sealed when there is a secret for it.
pub async fn load_trust(settings: &Settings, store: &SharedStore, now: Timestamp) -> Result<Trust, KeysError> {
    Ok(load(settings, store, now).await?.trust)
}

/// Fails as [`load_trust`] would; makes and changes nothing.
pub(super) async fn check(settings: &Settings, store: &SharedStore, now: Timestamp) -> Result<(), KeysError> {
    let secrets = &settings.auth.secrets;
    if secrets.access.is_some() {
        return load(settings, store, now).await.map(drop);
    }
    let records = store.list_keys().await?;
    if let Some(signing) = rotation::signing(&records, settings.auth.algorithm, now) {
        stored(signing, &records, secrets.key_encryption.as_ref())?;
    }
    Ok(())
}

pub(super) async fn load(settings: &Settings, store: &SharedStore, now: Timestamp) -> Result<Loaded, KeysError> {
    let auth = &settings.auth;
    let expected = Expected { issuer: auth.issuer.clone(), audience: auth.audience.clone(), leeway: auth.leeway };
    if let Some(secret) = &auth.secrets.access {
        let refresh = auth.secrets.refresh.as_ref().unwrap_or(secret);
        let (access, refresh) = (shared(auth.algorithm, secret)?, shared(auth.algorithm, refresh)?);
        return Ok(Loaded { trust: Trust { access, refresh, expected }, next: None });
    }
    let sealing = auth.secrets.key_encryption.as_ref();
    let records = records(auth.algorithm, store, sealing, now).await?;
    let signing = rotation::signing(&records, auth.algorithm, now).ok_or(KeysError::Missing(auth.algorithm.name()))?;
    let trust =
        Trust { access: stored(signing, &records, sealing)?, refresh: stored(signing, &records, sealing)?, expected };
    // Only now: with a wrong secret nothing gets here, so no key is sealed with it.
    if let Some(secret) = sealing {
        seal(&records, store, secret).await?;
    }
    let due = auth.rotation.and_then(|schedule| rotation::successor_due(&records, auth.algorithm, schedule));
    let next = rotation::next_turn(&records, now).into_iter().chain(due.map(|(_, due)| due)).min();
    Ok(Loaded { trust, next })
}

/// Returns the keys of the store. The first one signs at once; one of an algorithm that is new here waits until others know it.
async fn records(
    algorithm: Algorithm,
    store: &SharedStore,
    sealing: Option<&Secret<Vec<u8>>>,
    now: Timestamp,
) -> Result<Vec<KeyRecord>, KeysError> {
    let records = store.list_keys().await?;
    if records.iter().any(|record| record.algorithm == algorithm && record.retired_at.is_none()) {
        return Ok(records);
    }
    let ahead = if records.is_empty() { Duration::ZERO } else { HEARD_EVERYWHERE };
    Ok(store.ensure_key(new_key(algorithm, sealing, ahead, now).await?).await?)
}

/// Seals what lies plain in the store: the secret was set after the keys were made.
async fn seal(records: &[KeyRecord], store: &SharedStore, secret: &Secret<Vec<u8>>) -> Result<(), StoreError> {
    let sealed: Vec<KeyRecord> = records.iter().filter_map(|record| Key::seal(record, secret)).collect();
    if sealed.is_empty() {
        return Ok(());
    }
    let count = sealed.len();
    store.seal_keys(sealed).await?;
    tracing::info!(keys = count, "signing keys that lay plain in the store are encrypted now");
    Ok(())
}

/// Returns what is known of the keys without the store: nothing.
pub(super) fn unknown_trust(settings: &Settings) -> Trust {
    let auth = &settings.auth;
    let expected = Expected { issuer: auth.issuer.clone(), audience: auth.audience.clone(), leeway: auth.leeway };
    Trust { access: KeySet::unknown(), refresh: KeySet::unknown(), expected }
}

/// Returns the issuers trusted beside us, whose published keys are kept fresh for as long as they are held. One that `old`
/// has, too, begins with the keys it had there. Must be called on the office.
pub(super) fn trusted_issuers(settings: &Settings, old: &Issuers, clock: &Clock) -> Result<Issuers, KeysError> {
    let given = &settings.auth.trusted_issuers;
    let is_published = |issuer: &config::TrustedIssuer| matches!(issuer.keys, IssuerKeySource::Published { .. });
    let fetcher = if given.iter().any(is_published) { Some(fetcher()?) } else { None };
    let issuers = given.iter().map(|given| trusted_issuer(given, old));
    let issuers: Vec<TrustedIssuer> = issuers.collect::<Result<_, _>>()?;
    for (remote, fetcher) in issuers.iter().filter_map(TrustedIssuer::remote_keys).zip(fetcher.iter().cycle()) {
        tokio::spawn(RemoteKeys::follow(Arc::downgrade(remote), Arc::clone(fetcher), clock.clone()));
    }
    Ok(Issuers::new(issuers))
}

/// Returns what fetches published keys: it trusts whom `https` upstreams are trusted by.
pub(super) fn fetcher() -> Result<Arc<Fetcher>, TlsError> {
    Ok(Arc::new(Fetcher::new(tls::client_config()?)))
}

fn trusted_issuer(given: &config::TrustedIssuer, old: &Issuers) -> Result<TrustedIssuer, KeysError> {
    let rules = given.rules.clone();
    let keys = match &given.keys {
        IssuerKeySource::Published { url, algorithms } => {
            let same = old.iter().filter_map(TrustedIssuer::remote_keys).find(|keys| keys.is_of(url, algorithms));
            let remote = same.map_or_else(|| RemoteKeys::new(url.clone(), algorithms.clone()), |keys| keys.renewed());
            return Ok(TrustedIssuer::with_remote_keys(rules, Arc::new(remote)));
        }
        IssuerKeySource::Secret { secret, algorithms } => {
            algorithms.iter().map(|algorithm| PublicKey::from_secret(*algorithm, secret)).collect()
        }
        IssuerKeySource::PublicKey(text) => PublicKey::from_text(text).map(|key| vec![key]),
    };
    let keys = keys.map_err(|error| KeysError::Issuer { issuer: rules.issuer.clone(), error })?;
    Ok(TrustedIssuer::with_keys(rules, IssuerKeys::new(keys)))
}

fn shared(algorithm: Algorithm, secret: &Secret<Vec<u8>>) -> Result<KeySet, KeysError> {
    let key = Key::from_secret(algorithm, secret)?;
    KeySet::new(vec![key]).ok_or(KeysError::Missing(algorithm.name()))
}

/// Returns the set of all stored keys, `signing` first; the others verify what they signed, or will sign.
fn stored(signing: &KeyRecord, records: &[KeyRecord], sealing: Option<&Secret<Vec<u8>>>) -> Result<KeySet, KeysError> {
    let others = records.iter().filter(|record| record.kid != signing.kid);
    let open = |record: &KeyRecord| {
        Key::open(record, sealing).map_err(|error| KeysError::Stored { kid: record.kid.clone(), error })
    };
    let keys: Result<Vec<Key>, KeysError> = std::iter::once(signing).chain(others).map(open).collect();
    KeySet::new(keys?).ok_or(KeysError::Missing(signing.algorithm.name()))
}
