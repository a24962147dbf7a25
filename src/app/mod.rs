//! The composition root: a checked configuration becomes running parts, waits for signals, applies reloads, and drains.
//! The only room that knows all others; it decides nothing that one of them could.

mod aside;
mod deep;
mod edge;
mod explain;
mod keys;
mod listeners;
mod mail;
mod parts;
mod reload;
mod start_error;
mod stores;
mod upkeep;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;

use crate::config::settings::Settings;
use crate::server::Server;
use crate::telemetry::sink::Sink;

pub use deep::check_deep;
pub use explain::{ExplainError, Explanation, explain};
pub use keys::{HEARD_EVERYWHERE, KeysError, load_trust};
pub use start_error::StartError;
pub use stores::{back_up, open_store, open_store_beside, refuse_to_migrate};

use parts::Parts;
use upkeep::Upkeep;

/// How long the store may take to close: a little longer than a file that hangs is waited for.
const CLOSING: Duration = Duration::from_secs(5);

/// What is up, for whoever announces it.
#[derive(Clone, Debug)]
pub struct Running {
    /// In the order of `server.listen`, with the ports that were given for port 0.
    pub listen: Vec<SocketAddr>,
    pub is_tls: bool,
    pub ops: Option<SocketAddr>,
    pub redirect: Option<SocketAddr>,
}

/// Runs until SIGTERM or SIGINT and a drain; a second signal cuts short whatever is left to do. `source` is the file to reload
/// from; `announce` is called once everything listens. The caller has started the log; `dropped` counts the lines that can't be
/// written.
pub fn serve(
    settings: Settings,
    source: Option<PathBuf>,
    dropped: Counter,
    announce: impl FnOnce(&Running),
) -> Result<(), StartError> {
    let office = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("office")
        .enable_all()
        .build()
        .map_err(StartError::internal)?;
    let metrics = parts::metrics(&settings, dropped);
    let (sink, lines) = Sink::start(std::io::stdout(), metrics.log_dropped.clone()).map_err(StartError::internal)?;
    let served = office.block_on(async {
        let parts = Parts::assemble(settings, metrics, lines).await?;
        run(parts, source, announce).await
    });
    office.shutdown_timeout(Duration::from_secs(2));
    sink.close(Duration::from_secs(2));
    served
}

async fn run(parts: Parts, source: Option<PathBuf>, announce: impl FnOnce(&Running)) -> Result<(), StartError> {
    // Asked for before anything listens, so that no signal finds the default action.
    let mut ends = Ends::new().map_err(StartError::internal)?;
    let hangups = signal(SignalKind::hangup()).map_err(StartError::internal)?;
    // A store that meets a limit on the size of files is an error of that write, not the end of the process.
    let _too_large = signal(SignalKind::from_raw(libc::SIGXFSZ)).map_err(StartError::internal)?;
    let servers = parts.listen()?;
    let upkeep = upkeep::start(&parts, source, hangups);
    announce(&servers.running(&parts));
    ends.next().await;
    tracing::info!(limit_ms = parts.drain_limit().as_millis(), "draining; a second signal ends at once");
    tokio::select! {
        () = end(servers, upkeep, &parts) => {}
        // Without closing, as if it were killed: what was acknowledged is on disk.
        () = ends.next() => tracing::warn!("ended at once by a second signal"),
    }
    Ok(())
}

async fn end(servers: Servers, upkeep: Upkeep, parts: &Parts) {
    let cut_off = servers.drain(parts.drain_limit()).await;
    tracing::info!(cut_off, "drained");
    upkeep.end().await;
    if timeout(CLOSING, parts.store.close()).await.is_err() {
        tracing::warn!(limit_ms = CLOSING.as_millis(), "the store did not close in time");
    }
}

/// Everything that listens.
struct Servers {
    main: Server,
    ops: Option<Server>,
    redirect: Option<Server>,
}

impl Servers {
    fn running(&self, parts: &Parts) -> Running {
        let first = |server: &Option<Server>| server.as_ref().and_then(|server| server.local_addrs().first().copied());
        Running {
            listen: self.main.local_addrs().to_vec(),
            is_tls: parts.is_tls(),
            ops: first(&self.ops),
            redirect: first(&self.redirect),
        }
    }

    /// Returns how many connections were cut off. The ops listener answers until the last of them is gone.
    async fn drain(self, limit: Duration) -> usize {
        drop(self.redirect);
        let cut_off = self.main.drain(limit).await;
        drop(self.ops);
        cut_off
    }
}

/// The signals that ask for an end.
struct Ends {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Ends {
    fn new() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
