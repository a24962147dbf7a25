//! The log: what the process has to say of itself, on stderr, as text for people or JSON for machines.
//! Values are fields of a fixed message; none is ever a secret. Set up once, by `cli`. Lines go the way of [`super::sink`]: a reader
//! of stderr that stands still costs lines, which are counted, and makes nobody wait.

use std::io::{self, IsTerminal as _};
use std::panic;

use prometheus_client::metrics::counter::Counter;
use tracing_subscriber::filter::{ParseError, Targets};
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};

use super::access::Format;
use super::sink::{Lines, Sink};

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    #[error(
        "`{filter}` is no log level: expected `info`, or levels by target as in `info,vestibule::upstream=debug`: {source}"
    )]
    Filter { filter: String, source: ParseError },
    #[error("the log has been set up already: {0}")]
    Second(#[from] TryInitError),
    #[error("the log's thread could not be started: {0}")]
    Thread(#[from] io::Error),
}

/// Sends events to stderr from now on, until the sink is closed: those that `filter` lets through, `error` to `trace`, by target if
/// wanted. `dropped` counts what could not be written.
pub fn start(format: Format, filter: &str, dropped: Counter) -> Result<Sink, LogError> {
    let targets = parse_filter(filter)?;
    let (sink, lines) = Sink::start(io::stderr(), dropped)?;
    let registry = tracing_subscriber::registry();
    let lines = tracing_subscriber::fmt::layer().with_writer(move || HandOver(lines.clone()));
    match format {
        Format::Json => registry.with(lines.json().flatten_event(true).with_filter(targets)).try_init()?,
        Format::Text => {
            let is_coloured =
                io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty());
            registry.with(lines.with_ansi(is_coloured).with_filter(targets)).try_init()?;
        }
    }
    // Of itself a panic writes to stderr, and waits for whoever reads it.
    panic::set_hook(Box::new(|panicked| tracing::error!(%panicked, "a thread panicked")));
    Ok(sink)
}

/// Takes events as the subscriber writes them, each whole.
struct HandOver(Lines);

impl io::Write for HandOver {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        self.0.hand_over(event.to_vec());
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
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
