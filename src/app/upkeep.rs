//! What goes on beside serving: changes that others made to the store, forgetting, reloads, new certificates.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::signal::unix::Signal;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::aside::aside;
use super::parts::Parts;
use super::reload;
use crate::account::Postman;

/// How often what has expired is forgotten.
const FORGET_EVERY: Duration = Duration::from_mins(1);
/// How often a store that was away at start is tried.
const OPEN_EVERY: Duration = Duration::from_millis(250);
/// Between two looks at the keys, whatever is foreseen.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);
/// How often watched files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long letters that are on their way when all ends may take to arrive.
const LETTERS: Duration = Duration::from_secs(5);

/// What goes on.
pub(super) struct Upkeep {
    tasks: JoinSet<()>,
    postman: Arc<Postman>,
}

impl Upkeep {
    /// Ends it. Letters on their way are waited for: one that is cut off may have been taken, and would go out again.
    pub(super) async fn end(self) {
        drop(self.tasks);
        if timeout(LETTERS, self.postman.all_arrived()).await.is_err() {
            tracing::warn!(limit_ms = LETTERS.as_millis(), "letters on their way are cut off; they will be sent again");
        }
    }
}

/// Starts it all; dropping what comes back ends it but for letters on their way. Each of `hangups` asks for a reload of `source`.
pub(super) fn start(parts: &Parts, source: Option<PathBuf>, hangups: Signal) -> Upkeep {
    let mut tasks = JoinSet::new();
    let postman = parts.accounts.postman(Arc::clone(&parts.metrics));
    let accounts = Arc::clone(&parts.accounts);
    tasks.spawn(async move { accounts.feed().follow().await });
    let accounts = Arc::clone(&parts.accounts);
    tasks.spawn(async move {
        let mut ticks = ticks(FORGET_EVERY);
        loop {
            ticks.tick().await;
            if let Err(error) = accounts.feed().forget_expired().await {
                tracing::warn!(%error, "what has expired can't be pruned from the store");
            }
        }
    });
    tasks.spawn(open(parts.shared()));
    tasks.spawn(Arc::clone(&postman).run());
    tasks.spawn(follow_keys(parts.shared()));
    tasks.spawn(follow_signals(parts.shared(), source.clone(), hangups));
    if let Some(source) = source {
        // Taken here and not by the task, which may begin after a change that it then would take for the start.
        let seen = stamp(&source);
        tasks.spawn(follow_file(parts.shared(), source, seen));
    }
    tasks.spawn(follow_certificates(parts.shared()));
    Upkeep { tasks, postman }
}

fn ticks(period: Duration) -> tokio::time::Interval {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// Begins to know people as soon as the store can be read, if it could not at start.
async fn open(shared: Arc<reload::Shared>) {
    let mut ticks = ticks(OPEN_EVERY);
    while !shared.authenticator.is_open() {
        ticks.tick().await;
        match shared.open().await {
            Ok(()) => tracing::info!("the store has been read; everything is served"),
            Err(error) => tracing::debug!(%error, "the store can't be read yet"),
        }
    }
}

/// Takes changed keys into use, and those whose turn has come. A store that fails is asked again: without the newest keys the
/// tokens of other gateways would be refused.
async fn follow_keys(shared: Arc<reload::Shared>) {
    let mut failing = false;
    loop {
        let pause = match shared.follow_keys().await {
            Ok(next) => {
                if failing {
                    tracing::info!("signing keys can be loaded again");
                }
                failing = false;
                next.map_or(FORGET_EVERY, |next| next.min(FORGET_EVERY))
            }
            Err(error) => {
                if !failing {
                    tracing::error!(%error, "signing keys can't be loaded; the old ones stay, trying on");
                }
                failing = true;
                LOOK_EVERY
            }
        };
        // Whichever comes first; never at once again, so that a clock that stands still costs nothing.
        tokio::select! {
            () = shared.accounts.feed().keys_changed() => {}
            () = tokio::time::sleep(pause.max(SHORTEST_PAUSE)) => {}
        }
    }
}

async fn follow_signals(shared: Arc<reload::Shared>, source: Option<PathBuf>, mut hangups: Signal) {
    while hangups.recv().await.is_some() {
        if let Some(source) = &source {
            shared.reload(source).await;
        } else {
            tracing::info!("no configuration file to reload");
        }
    }
}

/// What tells one content of a file from the next.
type Stamp = Option<(Option<SystemTime>, u64)>;

fn stamp(file: &Path) -> Stamp {
    std::fs::metadata(file).ok().map(|data| (data.modified().ok(), data.len()))
}

/// Reloads when the file changes, while `server.watch` says so.
async fn follow_file(shared: Arc<reload::Shared>, source: PathBuf, mut seen: Stamp) {
    let mut ticks = ticks(LOOK_EVERY);
    loop {
        ticks.tick().await;
        let file = source.clone();
        let now = aside(move || stamp(&file)).await;
        if now == seen {
            continue;
        }
        seen = now;
        if now.is_some() && shared.watches() {
            shared.reload(&source).await;
        }
    }
}

async fn follow_certificates(shared: Arc<reload::Shared>) {
    let mut ticks = ticks(LOOK_EVERY);
    loop {
        ticks.tick().await;
        let renewing = Arc::clone(&shared);
        aside(move || renewing.renew_certificates()).await;
    }
}
