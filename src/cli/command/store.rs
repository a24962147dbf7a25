//! Commands on the store as a whole.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::ConfigFile;

#[derive(Debug, Subcommand)]
pub enum StoreCommand {
    /// Copy the store into a file while the gateway runs
    Backup(Backup),
    /// Move everything to another store: SQLite to MongoDB, or back
    Migrate(Migrate),
}

/// Writes one whole and consistent file, or none. What was acknowledged before the command began is in it. To restore, stop
/// the gateway and put the file in the place of the one that store.url names, without its -wal and -shm.
#[derive(Debug, Args)]
pub struct Backup {
    #[command(flatten)]
    pub file: ConfigFile,
    /// The file to make; readable by its owner alone
    #[arg(value_name = "FILE")]
    pub target: PathBuf,
    /// Replace FILE if it exists
    #[arg(long)]
    pub overwrite: bool,
}

/// Copies users with their passwords, sessions, API keys, signing keys, mails that wait, links that were sent and what was
/// revoked, then reads both stores again and compares them. Stop every gateway first. A run that was cut off is continued by the same command. The target must be
/// empty, or hold nothing but what an earlier run has copied.
#[derive(Debug, Args)]
#[command(after_help = MIGRATE_HELP)]
pub struct Migrate {
    #[command(flatten)]
    pub file: ConfigFile,
    /// The store to read, as in store.url [default: the one that the configuration names]
    #[arg(long, value_name = "URL")]
    pub from: Option<String>,
    /// What its collections are named with, as in store.prefix
    #[arg(long, value_name = "PREFIX", requires = "from")]
    pub from_prefix: Option<String>,
    /// The store to fill, as in store.url; env:NAME and file:PATH keep a password out of the list of processes
    #[arg(long, value_name = "URL")]
    pub to: String,
    /// What its collections shall be named with, as in store.prefix
    #[arg(long, value_name = "PREFIX")]
    pub to_prefix: Option<String>,
}

const MIGRATE_HELP: &str = "\
Examples:
  vestibule store migrate --from sqlite:vestibule.db --to sqlite:/srv/vestibule.db
  vestibule store migrate --to env:MONGODB_URL
  vestibule store migrate --from env:MONGODB_URL --from-prefix front_ --to sqlite:vestibule.db";
