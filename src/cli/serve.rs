//! `vestibule serve`: run what the configuration says, until a signal.

use super::command::ConfigFile;
use super::context::load;
use super::failure::Result;
use crate::app;
use crate::config::Settings;

pub fn run(file: &ConfigFile) -> Result<()> {
    let (path, settings) = load(file)?;
    report_warnings(&settings);
    // What listens where is in the log.
    app::serve(settings, Some(path), |_| {})?;
    Ok(())
}

pub fn report_warnings(settings: &Settings) {
    for warning in &settings.warnings {
        anstream::eprintln!("warning: {warning}");
    }
}
