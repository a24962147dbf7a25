//! `check --deep`: what the file names, tried out: certificates, the store and its keys, every server of every upstream.

use std::path::Path;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;

use super::aside::aside;
use super::{edge, keys, listeners, stores};
use crate::auth::key_set::RemoteKeys;
use crate::clock::Clock;
use crate::config::settings::{self as config, Settings};

/// How long the store may take for all that it is asked.
const PATIENCE: Duration = Duration::from_secs(5);

/// Returns everything that is wrong outside the file, one text each; empty if nothing is. Makes no store that isn't there.
pub fn check_deep(settings: &Settings) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime {
        Ok(runtime) => {
            let wrong = runtime.block_on(look(settings));
            // Dropping it would wait for a thread that a disk never gives back.
            runtime.shutdown_background();
            wrong
        }
        Err(error) => vec![format!("nothing could be tried: {error}")],
    }
}

async fn look(settings: &Settings) -> Vec<String> {
    let mut wrong = Vec::new();
    let now = Clock::system().now();
    match listeners::certificates(settings, now) {
        Ok(certificates) => wrong.extend(certificates.iter().flat_map(|certificates| certificates.objections(now))),
        Err(error) => wrong.push(error.to_string()),
    }
    wrong.extend(look_at_store(settings).await.err());
    wrong.extend(look_at_issuers(settings).await);
    for upstream in &settings.upstreams {
        for origin in &upstream.servers {
            let address = edge::address(origin);
            let connected = TcpStream::connect((address.host.as_str(), address.port));
            let error = match timeout(upstream.connect_timeout, connected).await {
                Ok(Ok(_)) => continue,
                Ok(Err(error)) => error.to_string(),
                Err(_) => format!("no connection within {:?}", upstream.connect_timeout),
            };
            wrong.push(format!("upstream.{}: {address} can't be reached: {error}", upstream.name));
        }
    }
    wrong
}

/// Returns what is wrong with the key sets that trusted issuers publish.
async fn look_at_issuers(settings: &Settings) -> Vec<String> {
    let mut wrong = Vec::new();
    for issuer in &settings.auth.trusted_issuers {
        let config::IssuerKeySource::Published { url, algorithms } = &issuer.keys else { continue };
        let error = match keys::fetcher() {
            Ok(fetcher) => RemoteKeys::new(url.clone(), algorithms.clone()).fetch(&fetcher).await.err(),
            Err(error) => return vec![error.to_string()],
        };
        wrong.extend(error.map(|error| format!("issuer {}: {url}: {error}", issuer.rules.issuer)));
    }
    wrong
}

async fn look_at_store(settings: &Settings) -> Result<(), String> {
    let name = match &settings.store {
        config::Store::Memory => "the store in memory".to_owned(),
        config::Store::Sqlite { path } if !path.exists() => return look_at_folder(path),
        config::Store::Sqlite { path } => path.display().to_string(),
        config::Store::MongoDb { .. } => "store.url".to_owned(),
    };
    match timeout(PATIENCE, try_store(settings, &name)).await {
        Ok(tried) => tried,
        Err(_) => Err(format!("{name}: no answer within {PATIENCE:?}")),
    }
}

async fn try_store(settings: &Settings, name: &str) -> Result<(), String> {
    let given = settings.store.clone();
    let store = aside(move || stores::open_store(&given)).await.map_err(|error| error.to_string())?;
    let tried = match keys::check(settings, &store, Clock::system().now()).await {
        Ok(()) => store.ping().await.map_err(|error| format!("{name}: {error}")),
        Err(error) => Err(format!("{name}: {error}")),
    };
    store.close().await;
    tried
}

/// Returns what is wrong with the place for a database file that has yet to be made.
fn look_at_folder(path: &Path) -> Result<(), String> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    match folder.filter(|folder| !folder.is_dir()) {
        Some(folder) => Err(format!("store.url: the folder {} does not exist", folder.display())),
        None => Ok(()),
    }
}
