//! Every command and option there is, once: `--help`, completions and the manual are generated from these definitions.
//! Holds no behaviour; each command's file takes its arguments from here.

// Doc comments are help texts here, read on a terminal and not as Markdown.
#![allow(clippy::doc_markdown)]

mod accounts;
mod api_keys;
mod moving;
mod selftest;
mod store;

use std::net::SocketAddr;
use std::path::PathBuf;

use anstyle::{AnsiColor, Effects};
use clap::builder::Styles;
use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

pub use accounts::{
    AddUser, DeleteUser, ImportKey, InspectToken, IssueToken, KeyCommand, ListSessions, Listing, NewPassword,
    PasswordArgs, PersonArgs, RevokeSessions, RotateKey, SessionCommand, SetUser, ShowUser, TokenCommand, UserCommand,
    Who,
};

pub use api_keys::{ApiKeyCommand, CreateApiKey, RevokeApiKey};
pub use moving::{ExportUsers, Format, ImportUsers, Origin};
pub use selftest::Selftest;
pub use store::{Backup, Migrate, StoreCommand};

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().effects(Effects::BOLD))
    .usage(AnsiColor::Green.on_default().effects(Effects::BOLD))
    .literal(AnsiColor::Cyan.on_default().effects(Effects::BOLD))
    .placeholder(AnsiColor::Cyan.on_default());

const EXIT_CODES: &str = "\
Exit codes:
  0   done
  1   it did not work; the reason is on stderr
  64  the command line is wrong
  69  the store or another needed service can't be reached
  71  a port can't be bound
  78  the configuration is wrong

New here? `vestibule demo` shows the whole product in one minute.";

/// The room in front of your apps: TLS, sign-in, path rules, identity headers
///
/// Vestibule terminates TLS, signs people in, checks every request, and hands it to the app behind with the caller's
/// identity in headers. One binary; no other service is needed.
#[derive(Debug, Parser)]
#[command(name = "vestibule", version, styles = STYLES, max_term_width = 100, after_long_help = EXIT_CODES)]
#[command(subcommand_required = true, arg_required_else_help = true, disable_help_subcommand = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Try everything in one minute: a gateway, an app behind it, an admin, and curl lines to paste
    Demo(Demo),
    /// Run the gateway
    Serve(ConfigFile),
    /// Run the gateway in front of one app, without a configuration file
    Front(Front),
    /// Judge a configuration file and show every mistake in it
    Check(Check),
    /// Say what would become of a request, and why
    Explain(Explain),
    /// Attack a running deployment with what gateways were broken by, and say what got through
    #[command(after_help = selftest::SELFTEST_HELP)]
    Selftest(Selftest),
    /// Manage accounts
    #[command(subcommand, after_help = accounts::WHO_HELP)]
    User(UserCommand),
    /// See and end sessions
    #[command(subcommand)]
    Session(SessionCommand),
    /// Keys that stand for a user, for scripts
    #[command(subcommand, name = "api-key")]
    ApiKey(ApiKeyCommand),
    /// See and rotate signing keys
    #[command(subcommand)]
    Key(KeyCommand),
    /// Save the store, or move it to another place
    #[command(subcommand)]
    Store(StoreCommand),
    /// Judge and issue tokens
    #[command(subcommand)]
    Token(TokenCommand),
    /// Ask a running gateway whether it is well
    Healthcheck(Healthcheck),
    /// Print completions for a shell
    #[command(after_help = COMPLETIONS_HELP)]
    Completions(Completions),
    /// Print the manual
    #[command(after_help = "Read it with `vestibule man | man -l -`.")]
    Man,
}

const COMPLETIONS_HELP: &str = "\
Examples:
  bash  vestibule completions bash > ~/.local/share/bash-completion/completions/vestibule
  zsh   vestibule completions zsh > ~/.zfunc/_vestibule
  fish  vestibule completions fish > ~/.config/fish/completions/vestibule.fish";

/// Which configuration a command works on.
#[derive(Clone, Debug, Default, Args)]
pub struct ConfigFile {
    /// Configuration file [default: vestibule.toml, then config/vestibule.toml]
    #[arg(short, long = "config", value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// Starts a gateway with a store in a temporary folder, a self-signed certificate and a built-in app that shows the
/// request it received. `/` is public, `/private` asks who you are. Everything is gone when you press Ctrl-C.
#[derive(Debug, Args)]
pub struct Demo {
    /// Where to listen [default: 127.0.0.1:8443, else a free port]
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
}

/// `/` is protected, which means only people who are signed in get through, unless you say `--public /`. Accounts live in
/// ./vestibule.db; the certificate is self-signed.
#[derive(Debug, Args)]
#[command(after_help = FRONT_HELP)]
pub struct Front {
    /// The app behind, such as http://127.0.0.1:3000
    pub url: String,
    /// A path that everybody may see; repeatable
    #[arg(long, value_name = "PATH")]
    pub public: Vec<String>,
    /// A path that only signed-in people may see; repeatable
    #[arg(long, value_name = "PATH")]
    pub protect: Vec<String>,
    /// Where to listen [default: 0.0.0.0:8443]
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
    /// Print the configuration file that says the same, and exit
    #[arg(long)]
    pub print_config: bool,
}

const FRONT_HELP: &str = "\
Examples:
  vestibule front http://127.0.0.1:3000
  vestibule front http://127.0.0.1:3000 --public / --protect /admin
  vestibule front http://127.0.0.1:3000 --print-config > vestibule.toml";

/// Prints every mistake with its place, what was found, what was expected, and a hint.
#[derive(Debug, Args)]
pub struct Check {
    #[command(flatten)]
    pub file: ConfigFile,
    /// Also open the certificates, the store and the upstreams
    #[arg(long)]
    pub deep: bool,
}

/// Says which route matches and why the others don't, what it demands, the answer this caller would get, the upstream
/// and path the request goes to, and the headers added. The gateway itself decides by the same code.
#[derive(Debug, Args)]
#[command(after_help = EXPLAIN_HELP)]
pub struct Explain {
    #[command(flatten)]
    pub file: ConfigFile,
    /// The caller: an e-mail address, a user name or an id [default: nobody]
    #[arg(long = "as", value_name = "USER")]
    pub as_user: Option<String>,
    /// GET, POST, …
    pub method: String,
    /// The whole URL, or a path
    pub url: String,
}

const EXPLAIN_HELP: &str = "\
Examples:
  vestibule explain GET https://example.com/admin
  vestibule explain --as ada@example.com POST /api/orders";

/// Asks the gateway's ops listener (`server.ops_listen`) and exits 0 if it is well, 1 if not. Made for a container's
/// HEALTHCHECK.
#[derive(Debug, Args)]
pub struct Healthcheck {
    #[command(flatten)]
    pub file: ConfigFile,
    /// Ask this URL (http only) instead of the one that the configuration names
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// Ask for readiness (store, keys, certificates) instead of life
    #[arg(long, conflicts_with = "url")]
    pub ready: bool,
}

#[derive(Debug, Args)]
pub struct Completions {
    /// The shell
    pub shell: Shell,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn definitions_do_not_contradict_each_other() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_and_option_says_what_it_does() {
        fn check(command: &clap::Command) -> usize {
            assert!(command.get_about().is_some(), "`{}` has no text", command.get_name());
            for argument in command.get_arguments() {
                assert!(argument.get_help().is_some(), "`{} {}` has no text", command.get_name(), argument.get_id());
            }
            1 + command.get_subcommands().map(check).sum::<usize>()
        }
        assert!(check(&Cli::command()) > 25);
    }

    #[test]
    fn no_password_fits_on_a_command_line() {
        for arguments in [&["user", "add", "a@b.example", "--password", "x"][..], &["user", "passwd", "ada", "x"]] {
            assert!(Cli::try_parse_from([&["vestibule"], arguments].concat()).is_err(), "{arguments:?}");
        }
    }

    #[test]
    fn repeated_roles_and_paths_are_gathered() {
        let parsed = Cli::try_parse_from(["vestibule", "user", "set", "ada", "--role", "a", "--role", "b"]).unwrap();
        let Command::User(UserCommand::Set(set)) = parsed.command else { panic!("another command") };
        assert_eq!(set.person.role, ["a", "b"]);
        let front = ["vestibule", "front", "http://h", "--public", "/", "--protect", "/a", "--protect", "/b"];
        let Command::Front(front) = Cli::try_parse_from(front).unwrap().command else { panic!("another command") };
        assert_eq!((front.public.len(), front.protect.len()), (1, 2));
    }
}
