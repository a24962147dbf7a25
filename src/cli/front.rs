//! `vestibule front`: the gateway in front of one app, from the command line alone. What it runs is a configuration file
//! that is never written; `--print-config` shows it.

use std::fmt::Write as _;
use std::io::Write as _;

use super::command::Front;
use super::context::stdout;
use super::failure::{Failure, Result};
use super::healthcheck::reachable;
use super::serve::{report_warnings, start_log};
use crate::app;
use crate::config::{self, Environment};

pub fn run(arguments: &Front) -> Result<()> {
    let text = configuration(arguments)?;
    let settings = config::parse("front", &text, &Environment::capture())?;
    if arguments.print_config {
        return Ok(stdout().write_all(text.as_bytes())?);
    }
    start_log(&settings.log)?;
    report_warnings(&settings);
    app::serve(settings, None, |running| {
        for address in &running.listen {
            anstream::eprintln!("In front of {}: https://{}/", arguments.url, reachable(*address));
        }
    })?;
    Ok(())
}

/// Returns the configuration that says what the arguments say, as a person would write it.
fn configuration(arguments: &Front) -> Result<String> {
    let routes = routes(arguments)?;
    let mut text = format!(
        "# Every key that is not here has its default.\n\
         [server]\nlisten = [{}]\n\n[tls]\nmode = \"self-signed\"\n\n[store]\nurl = \"sqlite:vestibule.db\"\n\n\
         [upstream.app]\nservers = [{}]\n",
        quoted(&arguments.listen.to_string()),
        quoted(&arguments.url)
    );
    for (path, access) in routes {
        write!(text, "\n[[route]]\npath = {}\naccess = \"{access}\"\nupstream = \"app\"\n", quoted(path))
            .expect("a String takes every write");
    }
    Ok(text)
}

/// Returns each path with its access, `/` first; it is protected unless said otherwise.
fn routes(arguments: &Front) -> Result<Vec<(&str, &'static str)>> {
    let public = arguments.public.iter().map(|path| (path.as_str(), "public"));
    let protected = arguments.protect.iter().map(|path| (path.as_str(), "protected"));
    let mut routes: Vec<(&str, &'static str)> = Vec::new();
    for (path, access) in public.chain(protected) {
        match routes.iter().find(|(known, _)| *known == path) {
            Some((_, known)) if *known != access => {
                let path = path.escape_debug();
                return Err(Failure::usage(format!("`{path}` is both --public and --protect; choose one")));
            }
            Some(_) => {}
            None => routes.push((path, access)),
        }
    }
    if !routes.iter().any(|(path, _)| *path == "/") {
        routes.push(("/", "protected"));
    }
    routes.sort_by_key(|(path, _)| *path != "/");
    Ok(routes)
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn front(public: &[&str], protect: &[&str]) -> Front {
        Front {
            url: "http://127.0.0.1:3000".to_owned(),
            public: public.iter().map(|&path| path.to_owned()).collect(),
            protect: protect.iter().map(|&path| path.to_owned()).collect(),
            listen: "127.0.0.1:8443".parse().unwrap(),
            print_config: false,
        }
    }

    #[test]
    fn the_root_is_protected_unless_it_is_said_to_be_public() {
        assert_eq!(routes(&front(&["/docs"], &[])).unwrap(), [("/", "protected"), ("/docs", "public")]);
        assert_eq!(routes(&front(&["/"], &["/admin"])).unwrap(), [("/", "public"), ("/admin", "protected")]);
    }

    #[test]
    fn a_path_can_not_be_both() {
        assert_eq!(routes(&front(&["/a"], &["/a"])).unwrap_err().code, 64);
        assert_eq!(routes(&front(&["/a", "/a"], &[])).unwrap().len(), 2);
    }

    #[test]
    fn what_is_printed_is_a_configuration_that_says_the_same() {
        let text = configuration(&front(&["/"], &["/admin"])).unwrap();
        let settings = config::parse("front", &text, &Environment::default()).unwrap();
        assert_eq!(settings.routes.len(), 2);
        assert_eq!(settings.server.listen, ["127.0.0.1:8443".parse().unwrap()]);
    }

    #[test]
    fn no_argument_breaks_out_of_its_text() {
        let mut arguments = front(&["/a\"\naccess = \"public"], &[]);
        arguments.url = "http://h\"]\n[x]".to_owned();
        let table: toml::Table = configuration(&arguments).unwrap().parse().unwrap();
        assert_eq!(table["upstream"]["app"]["servers"][0].as_str(), Some(arguments.url.as_str()));
        assert_eq!(table["route"].as_array().unwrap().len(), 2);
    }
}
