//! `api-key …`.

use std::time::Duration;

use clap::{Args, Subcommand};

use super::ConfigFile;
use super::accounts::{ListSessions, parse_span};
use crate::identity::SessionId;

#[derive(Debug, Subcommand)]
pub enum ApiKeyCommand {
    /// List keys, newest first
    List(ListSessions),
    /// Make a key for a user and print it, this once
    Create(CreateApiKey),
    /// Take a key back, everywhere, at once
    Revoke(RevokeApiKey),
}

/// A key can do what its user can on routes; of scopes it has those that are given here.
#[derive(Debug, Args)]
#[command(after_help = CREATE_HELP)]
pub struct CreateApiKey {
    #[command(flatten)]
    pub file: ConfigFile,
    /// An e-mail address, a user name or an id
    pub who: String,
    /// What the key is for
    #[arg(long, value_name = "TEXT")]
    pub name: String,
    /// A scope that the user's roles grant; repeat it for several
    #[arg(long, value_name = "SCOPE")]
    pub scope: Vec<String>,
    /// How long it lives, such as 12h or 90d; without this it doesn't expire
    #[arg(long, value_name = "SPAN", value_parser = parse_span)]
    pub expires_in: Option<Duration>,
    /// Print the key and what is known of it as JSON
    #[arg(long)]
    pub json: bool,
}

const CREATE_HELP: &str = "\
Example:
  vestibule api-key create ada@example.com --name backup --scope docs:read --expires-in 90d";

#[derive(Debug, Args)]
pub struct RevokeApiKey {
    #[command(flatten)]
    pub file: ConfigFile,
    /// The key's id, as the list shows it
    pub id: SessionId,
}
