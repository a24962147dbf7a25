//! Commands on accounts, sessions, keys and tokens: all work on the store that the configuration names.

use std::time::Duration;

use clap::{Args, Subcommand};

use super::ConfigFile;
use super::moving::{ExportUsers, ImportUsers};
use crate::identity::SessionId;

pub const WHO_HELP: &str = "\
WHO is an e-mail address, a user name or an id. Changes reach a running gateway within a second.

What these commands do is audited as a JSON line on stderr, unless stderr is a terminal.";

#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// Add an account; asks for its password
    Add(AddUser),
    /// List all accounts
    List(Listing),
    /// Show one account
    Show(ShowUser),
    /// Change names, address or roles
    Set(SetUser),
    /// Refuse someone: no sign-in any more, and every session ends at once
    Disable(Who),
    /// Let someone in again
    Enable(Who),
    /// Delete an account with its sessions, for good
    Delete(DeleteUser),
    /// Give someone a new password, which ends their sessions
    Passwd(NewPassword),
    /// Bring users over from another system, with their password hashes
    Import(ImportUsers),
    /// Write all accounts as JSON lines, which import reads back
    Export(ExportUsers),
}

#[derive(Debug, Args)]
pub struct Who {
    #[command(flatten)]
    pub file: ConfigFile,
    /// An e-mail address, a user name or an id
    pub who: String,
}

#[derive(Debug, Args)]
pub struct Listing {
    #[command(flatten)]
    pub file: ConfigFile,
    /// JSON lines instead of a table
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct ShowUser {
    #[command(flatten)]
    pub file: ConfigFile,
    /// An e-mail address, a user name or an id
    pub who: String,
    /// A JSON object instead of text
    #[arg(long)]
    pub json: bool,
}

/// What can be said of a person.
#[derive(Clone, Debug, Default, Args)]
pub struct PersonArgs {
    /// E-mail address
    #[arg(long)]
    pub email: Option<String>,
    /// User name: letters, digits, `-`, `_`, `.`
    #[arg(long, value_name = "NAME")]
    pub username: Option<String>,
    #[arg(long, value_name = "NAME")]
    /// First name
    pub first_name: Option<String>,
    /// Last name
    #[arg(long, value_name = "NAME")]
    pub last_name: Option<String>,
    /// Full name
    #[arg(long, value_name = "NAME")]
    pub full_name: Option<String>,
    /// Phone number
    #[arg(long, value_name = "NUMBER")]
    pub phone: Option<String>,
    /// A field that `[auth.user_fields]` declares; repeat it for several
    #[arg(long, value_name = "NAME=VALUE")]
    pub field: Vec<String>,
    /// The id that another system knows them by: its tokens find the account by it
    #[arg(long, value_name = "ID")]
    pub external_id: Option<String>,
    /// A role; repeat it for several
    #[arg(long, value_name = "ROLE")]
    pub role: Vec<String>,
}

/// How a password comes.
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct PasswordArgs {
    /// Read the password from the first line of stdin instead of asking twice
    #[arg(long)]
    pub password_stdin: bool,
}

#[derive(Debug, Args)]
#[command(after_help = ADD_HELP)]
pub struct AddUser {
    #[command(flatten)]
    pub file: ConfigFile,
    /// E-mail address, or a user name
    #[arg(value_name = "EMAIL", required_unless_present_any = ["email", "username"])]
    pub name: Option<String>,
    #[command(flatten)]
    pub person: PersonArgs,
    #[command(flatten)]
    pub password: PasswordArgs,
    /// No password: nobody can sign in until `vestibule user passwd` gives one
    #[arg(long, conflicts_with = "password_stdin")]
    pub no_password: bool,
    /// Print the account as JSON
    #[arg(long)]
    pub json: bool,
}

const ADD_HELP: &str = "\
Examples:
  vestibule user add ada@example.com --role admin
  pass show ada | vestibule user add ada@example.com --username ada --password-stdin";

/// `--role` replaces all roles; an empty text clears a field.
#[derive(Debug, Args)]
#[command(after_help = SET_HELP)]
pub struct SetUser {
    #[command(flatten)]
    pub file: ConfigFile,
    /// An e-mail address, a user name or an id
    pub who: String,
    #[command(flatten)]
    pub person: PersonArgs,
    /// Take all roles away
    #[arg(long, conflicts_with = "role")]
    pub no_roles: bool,
}

const SET_HELP: &str = "\
Examples:
  vestibule user set ada --role editor --role admin
  vestibule user set ada --phone \"\" --field date_of_birth=1815-12-10";

#[derive(Debug, Args)]
pub struct DeleteUser {
    #[command(flatten)]
    pub file: ConfigFile,
    /// An e-mail address, a user name or an id
    pub who: String,
    /// Don't ask; without a terminal nobody is asked anyway
    #[arg(short, long)]
    pub yes: bool,
}

#[derive(Debug, Args)]
pub struct NewPassword {
    #[command(flatten)]
    pub file: ConfigFile,
    /// An e-mail address, a user name or an id
    pub who: String,
    #[command(flatten)]
    pub password: PasswordArgs,
}

#[derive(Debug, Subcommand)]
pub enum SessionCommand {
    /// List live sessions, newest first
    List(ListSessions),
    /// End sessions, everywhere, at once
    Revoke(RevokeSessions),
}

#[derive(Debug, Args)]
pub struct ListSessions {
    #[command(flatten)]
    pub file: ConfigFile,
    /// Only this user's: an e-mail address, a user name or an id
    pub who: Option<String>,
    /// JSON lines instead of a table
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct RevokeSessions {
    #[command(flatten)]
    pub file: ConfigFile,
    /// A session's id, or a user (e-mail address, user name or id) whose sessions all end
    #[arg(required_unless_present = "user")]
    pub what: Option<String>,
    /// End all sessions of this user
    #[arg(long, value_name = "WHO", conflicts_with = "what")]
    pub user: Option<String>,
}

impl RevokeSessions {
    /// Returns the session that is meant, if it is spelt like one.
    pub fn session(&self) -> Option<SessionId> {
        self.what.as_deref()?.trim().parse().ok()
    }
}

#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// List signing keys, newest first
    List(Listing),
    /// Make a new signing key; the old one verifies until the last token it signed has expired
    Rotate(RotateKey),
    /// Let a key that was made elsewhere sign from now on, as if it were a new one
    Import(ImportKey),
}

/// The new key is published at once, in the key set and to every gateway on the store, and signs a little later.
#[derive(Debug, Args)]
pub struct RotateKey {
    #[command(flatten)]
    pub file: ConfigFile,
    /// How long it is published before it signs [default: 1s]; 1h, for example, where apps verify tokens by a key set that they
    /// keep for that long
    #[arg(long, value_name = "SPAN", value_parser = parse_span)]
    pub ahead: Option<Duration>,
}

/// For a key that others know already, or that has to be made by a device. It must be of `auth.algorithm`.
#[derive(Debug, Args)]
pub struct ImportKey {
    #[command(flatten)]
    pub rotation: RotateKey,
    /// The private key as PKCS#8 in PEM, `-----BEGIN PRIVATE KEY-----`; `-` reads it from stdin
    #[arg(value_name = "FILE")]
    pub key: String,
}

#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Decode a token and say whether it would be accepted, and why not
    Inspect(InspectToken),
    /// Issue tokens for a user, for scripts and tests
    Issue(IssueToken),
}

/// Exits 0 if the token is good, 1 if it would be refused.
#[derive(Debug, Args)]
pub struct InspectToken {
    #[command(flatten)]
    pub file: ConfigFile,
    /// The token; `-` reads it from stdin, where no list of processes shows it
    pub token: String,
    /// A JSON object instead of text
    #[arg(long)]
    pub json: bool,
}

/// Begins a session for the user, as signing in would, and prints its access token.
#[derive(Debug, Args)]
pub struct IssueToken {
    #[command(flatten)]
    pub file: ConfigFile,
    /// An e-mail address, a user name or an id
    pub who: String,
    /// How long the access token lives, such as 90s or 15m, at most auth.access_ttl, which is the default
    #[arg(long, value_name = "SPAN", value_parser = parse_span)]
    pub ttl: Option<Duration>,
    /// Print the refresh token as well, on a second line
    #[arg(long)]
    pub refresh: bool,
    /// Print what a sign-in answers, as JSON
    #[arg(long)]
    pub json: bool,
}

/// Returns the span that `text` spells, at least a second.
pub(super) fn parse_span(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        _ => 0,
    };
    let seconds =
        digits.parse::<u64>().unwrap_or(0).checked_mul(unit).filter(|&seconds| (1..=LONGEST_SPAN).contains(&seconds));
    seconds
        .map(Duration::from_secs)
        .ok_or_else(|| "expected a number and s, m, h or d, such as 15m, up to 3650d".to_owned())
}

const LONGEST_SPAN: u64 = 3650 * 24 * 60 * 60;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_a_number_and_a_unit() {
        assert_eq!(parse_span("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_span("7d"), Ok(Duration::from_hours(7 * 24)));
        for wrong in ["", "15", "m", "0s", "-1m", "1.5h", "15 m", "15mm", "99999999999999d", "ä"] {
            assert!(parse_span(wrong).is_err(), "{wrong}");
        }
    }
}
