//! The commands. Each file turns the arguments of one command into calls of `app` or `account::admin` and what comes back
//! into text, JSON and an exit code; no rule is here. Results go to stdout, everything else to stderr.

mod api_key;
mod check;
mod command;
mod context;
mod demo;
mod explain;
mod failure;
mod front;
mod generate;
mod healthcheck;
mod key;
mod password;
mod progress;
mod selftest;
mod serve;
mod session;
mod store;
mod table;
mod token;
mod user;
mod view;

use std::ffi::OsString;
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use clap::Parser as _;

use command::{Cli, Command};
use failure::{Failure, Result, USAGE};

/// Runs the command that `args` (the program's name first) spell, to its end; returns the code to exit with.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let command = match Cli::try_parse_from(args) {
        Ok(cli) => cli.command,
        Err(error) => {
            // Help and version are errors to clap; a failed print leaves nobody to tell.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { USAGE } else { 0 });
        }
    };
    match run_command(command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            report(&failure);
            ExitCode::from(failure.code)
        }
    }
}

fn run_command(command: Command) -> Result<()> {
    match command {
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Serve(file) => serve::run(&file),
        Command::Front(arguments) => front::run(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Selftest(arguments) => selftest::run(&arguments),
        Command::User(command) => user::run(command),
        Command::Session(command) => session::run(command),
        Command::ApiKey(command) => api_key::run(command),
        Command::Key(command) => key::run(command),
        Command::Store(command) => store::run(command),
        Command::Token(command) => token::run(command),
        Command::Healthcheck(arguments) => healthcheck::run(&arguments),
        Command::Completions(arguments) => generate::completions(&arguments),
        Command::Man => generate::manual(),
    }
}

const ERROR: Style = AnsiColor::Red.on_default().bold();

fn report(failure: &Failure) {
    if !failure.message.is_empty() {
        anstream::eprintln!("{ERROR}error:{ERROR:#} {}", failure.message.trim_end());
    }
}
