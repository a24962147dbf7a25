//! `vestibule serve`: run what the configuration says, until a signal.

use super::command::ConfigFile;
use super::context::load;
use super::failure::{Failure, Result};
use crate::app;
use crate::config::Settings;
use crate::config::settings::{Log, LogFormat};
use crate::telemetry::access::Format;
use crate::telemetry::log;

pub fn run(file: &ConfigFile) -> Result<()> {
    let (path, settings) = load(file)?;
    start_log(&settings.log)?;
    report_warnings(&settings);
    app::serve(settings, Some(path), |running| {
        for address in &running.listen {
            tracing::info!(%address, version = env!("CARGO_PKG_VERSION"), "listening");
        }
    })?;
    Ok(())
}

pub fn start_log(log: &Log) -> Result<()> {
    let format = match log.format {
        LogFormat::Json => Format::Json,
        LogFormat::Text => Format::Text,
    };
    log::start(format, &log.level.to_string()).map_err(Failure::other)
}

pub fn report_warnings(settings: &Settings) {
    for warning in &settings.warnings {
        tracing::warn!(warning, "configuration");
    }
}
