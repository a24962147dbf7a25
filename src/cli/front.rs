//! `vestibule front`: the gateway in front of one app, from the command line alone. What it runs is a configuration file
//! that is never written; `--print-config` shows it.

use std::io::Write as _;

use super::command::Front;
use super::context::stdout;
use super::failure::Result;
use super::healthcheck::reachable;
use super::serve::run_gateway;
use crate::config::{self, Environment, FrontOptions};

pub fn run(arguments: &Front) -> Result<()> {
    let text = config::front(&options(arguments));
    let settings = config::parse("front", &text, &Environment::capture())?;
    if arguments.print_config {
        return Ok(stdout().write_all(text.as_bytes())?);
    }
    run_gateway(settings, None, |running| {
        let scheme = if running.is_tls { "https" } else { "http" };
        for address in &running.listen {
            anstream::eprintln!("{scheme}://{}/ is in front of {}", reachable(*address), arguments.url);
        }
    })
}

fn options(arguments: &Front) -> FrontOptions {
    FrontOptions {
        url: arguments.url.clone(),
        public: arguments.public.clone(),
        protect: arguments.protect.clone(),
        listen: arguments.listen.map(|address| address.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::command::{Cli, Command};
    use crate::policy::Access;

    #[test]
    fn what_is_said_is_what_runs() {
        let line = "vestibule front http://127.0.0.1:3000 --public / --protect /admin --listen 127.0.0.1:1";
        let Command::Front(front) = Cli::try_parse_from(line.split(' ')).unwrap().command else { panic!("not front") };
        let settings = config::parse("front", &config::front(&options(&front)), &Environment::default()).unwrap();
        assert_eq!(settings.server.listen, ["127.0.0.1:1".parse().unwrap()]);
        let is_public = |path: &str| {
            let route = settings.routes.iter().find(|route| route.path.as_str() == path).unwrap();
            route.access == Access::Public
        };
        assert!(is_public("/"));
        assert!(!is_public("/admin"));
    }
}
