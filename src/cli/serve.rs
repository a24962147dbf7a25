//! `vestibule serve`: run what the configuration says, until a signal. What `front` and `demo` run goes through here too,
//! so that none of them runs without a log.

use std::path::PathBuf;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;

use super::command::ConfigFile;
use super::context::load;
use super::failure::{Failure, Result};
use crate::app::{self, Running};
use crate::config::Settings;
use crate::config::settings::{Log, LogFormat};
use crate::telemetry::access::Format;
use crate::telemetry::log;
use crate::telemetry::sink::Sink;

/// How long the last lines of the log may take.
const PATIENCE: Duration = Duration::from_secs(2);

pub fn run(file: &ConfigFile) -> Result<()> {
    let (path, settings) = load(file)?;
    run_gateway(settings, Some(path), |_| {})
}

/// Starts the log, says what is doubtful in `settings`, and runs them until a signal and a drain.
pub fn run_gateway(settings: Settings, source: Option<PathBuf>, announce: impl FnOnce(&Running)) -> Result<()> {
    let dropped = Counter::default();
    let log = start_log(&settings.log, dropped.clone())?;
    for warning in &settings.warnings {
        tracing::warn!(warning, "doubtful configuration");
    }
    let served = app::serve(settings, source, dropped, |running| {
        // The main listener comes last: who waits for it can rely on the others.
        for (listener, address) in [("ops", running.ops), ("redirect", running.redirect)] {
            if let Some(address) = address {
                tracing::info!(listener, %address, "listening");
            }
        }
        for address in &running.listen {
            let version = env!("CARGO_PKG_VERSION");
            tracing::info!(listener = "main", %address, tls = running.is_tls, version, "listening");
        }
        announce(running);
    });
    log.close(PATIENCE);
    Ok(served?)
}

fn start_log(settings: &Log, dropped: Counter) -> Result<Sink> {
    let format = match settings.format {
        LogFormat::Json => Format::Json,
        LogFormat::Text => Format::Text,
    };
    log::start(format, settings.level.as_str(), dropped).map_err(Failure::other)
}
