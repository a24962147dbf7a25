//! What a command on accounts needs: the configuration, its store, an operator at it, and the time.

use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anstream::AutoStream;
use prometheus_client::metrics::counter::Counter;
use serde_json::Value;

use super::command::ConfigFile;
use super::failure::Result;
use crate::account::admin::{Admin, Passwords};
use crate::app;
use crate::auth::Trust;
use crate::clock::{Clock, Timestamp};
use crate::config::{self, Environment, Settings};
use crate::identity::{Role, Scope};
use crate::password::hash::Hasher;
use crate::policy::granted_scopes;
use crate::store::SharedStore;
use crate::telemetry::audit::Audit;
use crate::telemetry::sink::{Lines, Sink};

/// Returns the file that is meant, and what it says.
pub fn load(file: &ConfigFile) -> Result<(PathBuf, Settings)> {
    let path = file.config.clone().unwrap_or_else(config::find_file);
    let settings = config::load(&path, &Environment::capture())?;
    Ok((path, settings))
}

/// An operator at the configured store.
pub struct Context {
    pub settings: Settings,
    pub store: SharedStore,
    pub admin: Admin,
}

impl Context {
    /// Returns how passwords are judged and hashed; the first hash is made here, so ask only when one is needed.
    pub fn passwords(&self) -> Passwords {
        passwords(&self.settings)
    }

    /// Returns the scopes that `roles` grant together, each once, in order.
    pub fn scopes_of(&self, roles: &[Role]) -> Vec<Scope> {
        granted_scopes(&self.settings.auth.role_scopes, roles)
    }

    /// Returns what the gateway signs tokens with and holds them against.
    pub async fn trust(&self) -> Result<Trust> {
        Ok(app::load_trust(&self.settings, &self.store, now()).await?)
    }
}

pub fn passwords(settings: &Settings) -> Passwords {
    Passwords { hasher: Hasher::new(settings.password.cost), rules: settings.password.rules }
}

pub fn now() -> Timestamp {
    Clock::system().now()
}

/// Runs `action` at the store of the configuration, and closes it.
pub fn with_store<T>(file: &ConfigFile, action: impl AsyncFnOnce(&Context) -> Result<T>) -> Result<T> {
    let (_, settings) = load(file)?;
    with_settings(settings, action)
}

/// Runs `action` at the store that `settings` name, and closes it.
pub fn with_settings<T>(settings: Settings, action: impl AsyncFnOnce(&Context) -> Result<T>) -> Result<T> {
    let trail = Trail::open()?;
    let result = block_on(async {
        let store = app::open_store_beside(&settings.store)?;
        let context = Context { settings, admin: Admin::new(Arc::clone(&store), trail.audit()), store };
        let result = action(&context).await;
        context.store.close().await;
        result
    })?;
    trail.close();
    result
}

pub fn block_on<F: Future>(future: F) -> Result<F::Output> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(future))
}

/// The audit trail of a command: stderr, unless a person watches it, who sees the command's own answer.
struct Trail(Option<(Sink, Lines)>);

impl Trail {
    fn open() -> Result<Self> {
        if io::stderr().is_terminal() {
            return Ok(Self(None));
        }
        Ok(Self(Some(Sink::start(io::stderr(), Counter::default())?)))
    }

    fn audit(&self) -> Audit {
        self.0.as_ref().map_or_else(Audit::default, |(_, lines)| Audit::new(lines.clone()))
    }

    fn close(self) {
        if let Some((sink, _)) = self.0 {
            sink.close(Duration::from_secs(5));
        }
    }
}

/// Returns stdout, which drops colours unless it is a terminal and `NO_COLOR` is not set.
pub fn stdout() -> AutoStream<io::StdoutLock<'static>> {
    anstream::stdout().lock()
}

/// Writes one JSON value on a line of its own.
pub fn write_json(out: &mut impl io::Write, value: &Value) -> io::Result<()> {
    writeln!(out, "{value}")
}

/// Returns how a file is shown in a message.
pub fn shown(path: &Path) -> String {
    super::table::printable(&path.display().to_string())
}
