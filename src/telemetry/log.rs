//! The log: what the process has to say of itself, on stderr, as text for people or JSON for machines.
//! Values are fields of a fixed message; none is ever a secret. Set up once, by `cli`.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::filter::{ParseError, Targets};
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};

use super::access::Format;

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    #[error(
        "`{filter}` is no log level: expected `info`, or levels by target as in `info,vestibule::upstream=debug`: {source}"
    )]
    Filter { filter: String, source: ParseError },
    #[error("the log has been set up already: {0}")]
    Second(#[from] TryInitError),
}

/// Sends events to stderr from now on: those that `filter` lets through, `error` to `trace`, by target if wanted.
pub fn start(format: Format, filter: &str) -> Result<(), LogError> {
    let targets = parse_filter(filter)?;
    let registry = tracing_subscriber::registry();
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    match format {
        Format::Json => registry.with(lines.json().flatten_event(true).with_filter(targets)).try_init()?,
        Format::Text => {
            let is_coloured =
                io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty());
            registry.with(lines.with_ansi(is_coloured).with_filter(targets)).try_init()?;
        }
    }
    Ok(())
}

fn parse_filter(filter: &str) -> Result<Targets, LogError> {
    filter.parse().map_err(|source| LogError::Filter { filter: filter.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn a_filter_can_be_one_level_or_levels_by_target() {
        let targets = parse_filter("info,vestibule::upstream=debug").unwrap();
        assert!(targets.would_enable("vestibule::upstream", &Level::DEBUG));
        assert!(!targets.would_enable("vestibule::store", &Level::DEBUG));
    }

    #[test]
    fn a_filter_that_is_none_says_what_would_be_one() {
        let error = parse_filter("vestibule=loud").unwrap_err().to_string();
        assert!(error.starts_with("`vestibule=loud` is no log level: expected `info`"), "{error}");
    }
}
