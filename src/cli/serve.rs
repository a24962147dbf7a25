//! `vestibule serve`: run what the configuration says, until a signal. What `front` and `demo` run goes through here too,
//! so that none of them runs without a log.

use std::path::PathBuf;

use super::command::ConfigFile;
use super::context::load;
use super::failure::{Failure, Result};
use crate::app::{self, Running};
use crate::config::Settings;
use crate::config::settings::{Log, LogFormat};
use crate::telemetry::access::Format;
use crate::telemetry::log;

pub fn run(file: &ConfigFile) -> Result<()> {
    let (path, settings) = load(file)?;
    run_gateway(settings, Some(path), |_| {})
}

/// Starts the log, says what is doubtful in `settings`, and runs them until a signal and a drain.
pub fn run_gateway(settings: Settings, source: Option<PathBuf>, announce: impl FnOnce(&Running)) -> Result<()> {
    start_log(&settings.log)?;
    for warning in &settings.warnings {
        tracing::warn!(warning, "doubtful configuration");
    }
    app::serve(settings, source, |running| {
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
    })?;
    Ok(())
}

fn start_log(settings: &Log) -> Result<()> {
    let format = match settings.format {
        LogFormat::Json => Format::Json,
        LogFormat::Text => Format::Text,
    };
    log::start(format, settings.level.as_str()).map_err(Failure::other)
}
