//! `vestibule store …`: the store as a whole, saved into a file or moved to another place.

use std::fmt::Write as _;
use std::io::Write as _;

use super::command::{Backup, Migrate, StoreCommand};
use super::context::{block_on, load, now, shown, stdout};
use super::failure::{Failure, Result};
use super::progress::ProgressBar;
use crate::app;
use crate::config::settings::Store;
use crate::config::{self, Environment};
use crate::store::migrate::{MigrateError, Moved, Progress, Step, migrate};
use crate::store::sqlite::Existing;
use crate::store::{Kind, SharedStore};

pub fn run(command: StoreCommand) -> Result<()> {
    match command {
        StoreCommand::Backup(arguments) => backup(&arguments),
        StoreCommand::Migrate(arguments) => move_all(&arguments),
    }
}

fn backup(arguments: &Backup) -> Result<()> {
    let (_, settings) = load(&arguments.file)?;
    let mut bar = ProgressBar::new();
    let existing = if arguments.overwrite { Existing::Replace } else { Existing::Keep };
    let told = |done, total| bar.show("copying pages", done, total);
    let bytes = app::back_up(&settings.store, &arguments.target, existing, told)?;
    Ok(writeln!(stdout(), "{} holds the whole store ({bytes} bytes)", shown(&arguments.target))?)
}

fn move_all(arguments: &Migrate) -> Result<()> {
    let from = match &arguments.from {
        Some(url) => named("--from", url, arguments.from_prefix.as_deref())?,
        None => load(&arguments.file)?.1.store,
    };
    let to = named("--to", &arguments.to, arguments.to_prefix.as_deref())?;
    app::refuse_to_migrate(&from, &to)?;
    let moved = block_on(async {
        let source = app::open_store(&from)?;
        let target = app::open_store(&to)?;
        let moved = migrate_shown(&source, &target).await;
        target.close().await;
        source.close().await;
        moved
    })??;
    Ok(writeln!(stdout(), "{}", summary(&moved))?)
}

fn named(option: &str, url: &str, prefix: Option<&str>) -> Result<Store> {
    Ok(config::store_at(option, url, prefix, &Environment::capture())?)
}

async fn migrate_shown(source: &SharedStore, target: &SharedStore) -> Result<Moved> {
    let mut bar = ProgressBar::new();
    let mut show = |Progress { step, kind, done, total }| {
        let doing = match step {
            Step::Look => "looking at",
            Step::Copy => "copying",
            Step::Compare => "comparing",
        };
        bar.show(&format!("{doing} {}", kind.name()), done, total);
    };
    migrate(source, target, now(), &mut show).await.map_err(|error| failure(&error))
}

/// Returns what went wrong with the way out.
fn failure(error: &MigrateError) -> Failure {
    let way_out = match error {
        MigrateError::Source(inner) | MigrateError::Target(inner) => {
            let code = Failure::from(inner.clone()).code;
            return Failure::new(code, format!("{error}\nthe same command goes on from here"));
        }
        MigrateError::Empty => {
            "nothing was written; is this the store that is served from? Look at its URL, database and prefix"
        }
        MigrateError::Foreign { .. } | MigrateError::Used { .. } => {
            "nothing was written; name an empty store, or empty this one first"
        }
        MigrateError::Unequal { .. } => {
            "stop every gateway and command on either store, and run the same command again"
        }
    };
    Failure::other(format!("{error}\n{way_out}"))
}

fn summary(moved: &Moved) -> String {
    let mut text = String::new();
    for kind in Kind::ALL {
        let _ = writeln!(text, "{:<13} {}", kind.name(), kind.of(&moved.counts));
    }
    let digest: String = moved.digest.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    let _ = write!(text, "both stores hold the same (sha256 {digest}); {} records were copied", moved.copied);
    text
}
