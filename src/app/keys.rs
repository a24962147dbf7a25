//! The keys that sign and verify: made at first start, opened from the store, given as shared secrets, or others' own.

use std::sync::Arc;

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

/// Returns what tokens are signed with and held against; an asymmetric key that the store lacks is made and kept there first.
pub async fn load_trust(settings: &Settings, store: &SharedStore, now: Timestamp) -> Result<Trust, KeysError> {
    let auth = &settings.auth;
    let expected = Expected { issuer: auth.issuer.clone(), audience: auth.audience.clone(), leeway: auth.leeway };
    if let Some(secret) = &auth.secrets.access {
        let refresh = auth.secrets.refresh.as_ref().unwrap_or(secret);
        return Ok(Trust {
            access: shared(auth.algorithm, secret)?,
            refresh: shared(auth.algorithm, refresh)?,
            expected,
        });
    }
    let sealing = auth.secrets.key_encryption.as_ref();
    let records = store.ensure_key(Key::generate(auth.algorithm, sealing, now)?).await?;
    Ok(Trust {
        access: stored(auth.algorithm, &records, sealing)?,
        refresh: stored(auth.algorithm, &records, sealing)?,
        expected,
    })
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

/// Returns the set of all stored keys. The newest live one of `algorithm` signs; those of other algorithms verify what they signed.
fn stored(algorithm: Algorithm, records: &[KeyRecord], sealing: Option<&Secret<Vec<u8>>>) -> Result<KeySet, KeysError> {
    let signs = |record: &&KeyRecord| record.algorithm == algorithm && record.retired_at.is_none();
    let signing = records.iter().find(signs).ok_or(KeysError::Missing(algorithm.name()))?;
    let others = records.iter().filter(|record| record.kid != signing.kid);
    let open = |record: &KeyRecord| {
        Key::open(record, sealing).map_err(|error| KeysError::Stored { kid: record.kid.clone(), error })
    };
    let keys: Result<Vec<Key>, KeysError> = std::iter::once(signing).chain(others).map(open).collect();
    KeySet::new(keys?).ok_or(KeysError::Missing(algorithm.name()))
}
