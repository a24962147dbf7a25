//! `vestibule demo`: the whole product on one command, for somebody who has never seen it. Everything lives in a temporary
//! folder and in this process, and is gone at the end.

mod upstream;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;

use anstyle::{AnsiColor, Style};

use super::command::Demo;
use super::context::{block_on, now, passwords, stdout};
use super::failure::{Failure, Result};
use super::healthcheck::reachable;
use super::serve::run_gateway;
use crate::account::admin::{Admin, Profile};
use crate::app;
use crate::config::{self, Environment, Settings};
use crate::secret::{Secret, random_bytes};
use crate::telemetry::audit::Audit;

const ADMIN: &str = "admin@example.com";
const PORT: u16 = 8443;

pub fn run(arguments: &Demo) -> Result<()> {
    let listen = free_address(arguments.listen)?;
    let folder = tempfile::Builder::new().prefix("vestibule-demo-").tempdir()?;
    let app = upstream::start()?;
    let url = format!("https://{}", reachable(listen));
    // The environment of whoever tries this is not asked: the demo is the same everywhere.
    let settings = config::parse("demo", &configuration(listen, &url, app, folder.path()), &Environment::default())?;
    let password = one_time_password();
    add_admin(&settings, &password)?;
    let mut shown = Ok(());
    run_gateway(settings, None, |_| shown = welcome(&mut stdout(), &url, password.expose()))?;
    shown?;
    folder.close()?;
    anstream::eprintln!("The demo is gone, with everything in it.");
    Ok(())
}

/// Returns an address that is free now: the wanted one, else the usual one, else any.
fn free_address(wanted: Option<SocketAddr>) -> Result<SocketAddr> {
    let bind = |address: SocketAddr| TcpListener::bind(address).and_then(|listener| listener.local_addr());
    if let Some(wanted) = wanted {
        return bind(wanted).map_err(|error| Failure::new(PORT_TAKEN, format!("{wanted} can't be bound: {error}")));
    }
    let usual = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT));
    Ok(bind(usual).or_else(|_| bind((Ipv4Addr::LOCALHOST, 0).into()))?)
}

const PORT_TAKEN: u8 = 71;

fn configuration(listen: SocketAddr, url: &str, app: SocketAddr, folder: &Path) -> String {
    let store = toml::Value::from(format!("sqlite:{}", folder.join("vestibule.db").display()));
    format!(
        r#"
[server]
listen = ["{listen}"]
ops_listen = ""
public_url = "{url}"

[store]
url = {store}

[log]
format = "text"
level = "warn"

[upstream.app]
servers = ["http://{app}"]

[[route]]
path = "/"
access = "public"
upstream = "app"

[[route]]
path = "/private"
access = "protected"
upstream = "app"
"#
    )
}

/// Makes the admin, past the audit trail: nobody will ever look for it.
fn add_admin(settings: &Settings, password: &Secret<String>) -> Result<()> {
    let profile =
        Profile { email: Some(ADMIN.to_owned()), roles: Some(vec!["admin".to_owned()]), ..Profile::default() };
    block_on(async {
        let store = app::open_store(&settings.store)?;
        let admin = Admin::new(Arc::clone(&store), Audit::default());
        let added = admin.add_user(&profile, Some(password), &passwords(settings), now()).await;
        store.close().await;
        Ok(added.map(drop)?)
    })?
}

/// Returns 80 random bits in letters and digits that nobody mistakes for another, such as `k7mq-x2fp-9wtz-hd4c`.
fn one_time_password() -> Secret<String> {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let letters: Vec<char> =
        random_bytes::<16>().iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect();
    Secret::new(letters.chunks(4).map(String::from_iter).collect::<Vec<_>>().join("-"))
}

const BOLD: Style = Style::new().bold();
const CODE: Style = AnsiColor::Cyan.on_default();
const FAINT: Style = Style::new().dimmed();

/// Writes what there is and three lines that work as they stand, in any shell that POSIX describes.
fn welcome(out: &mut impl io::Write, url: &str, password: &str) -> io::Result<()> {
    let sign_in = format!(
        r#"curl -sk {url}/auth/login -H 'Content-Type: application/json' -d '{{"email":"{ADMIN}","password":"{password}"}}' | sed 's/.*"access_token":"\([^"]*\)".*/\1/'"#
    );
    write!(
        out,
        "
{BOLD}Vestibule is running, with an app behind it.{BOLD:#} Nothing of this outlives Ctrl-C.

  For everybody         {url}/
  Only when signed in   {url}/private
  The admin             {ADMIN}
  One-time password     {password}

Paste these into another terminal (-k, because the certificate is signed by itself).

{BOLD}1.{BOLD:#} Everybody gets through to the public page: 200, and the app shows the request it received.

  {CODE}curl -ki {url}/{CODE:#}

{BOLD}2.{BOLD:#} Nobody gets through to the private one without saying who they are: 401.

  {CODE}curl -ki {url}/private{CODE:#}

{BOLD}3.{BOLD:#} Sign in, show the token, and claim to be root: 200. The app is told who you are in x-user headers, and that
   your role is admin. The claim never arrives.

  {CODE}curl -ki {url}/private -H 'X-User-Roles: root' -H \"Authorization: Bearer $({sign_in})\"{CODE:#}

Next: `vestibule front http://127.0.0.1:3000` puts it in front of an app of yours. {FAINT}Requests show up below.{FAINT:#}

"
    )?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn welcomed() -> String {
        let mut out = anstream::StripStream::new(Vec::new());
        welcome(&mut out, "https://127.0.0.1:8443", "k7mq-x2fp-9wtz-hd4c").unwrap();
        String::from_utf8(out.into_inner()).unwrap()
    }

    #[test]
    fn three_lines_to_paste_stand_on_lines_of_their_own() {
        let text = welcomed();
        let lines: Vec<_> = text.lines().map(str::trim).filter(|line| line.starts_with("curl ")).collect();
        assert_eq!(lines.len(), 3);
        assert!(
            lines[2].contains(r#"-d '{"email":"admin@example.com","password":"k7mq-x2fp-9wtz-hd4c"}'"#),
            "{}",
            lines[2]
        );
        assert!(lines[2].contains("-H 'X-User-Roles: root'"));
    }

    #[test]
    fn the_demo_is_a_configuration_without_problems() {
        let (listen, app) = ("127.0.0.1:8443".parse().unwrap(), "127.0.0.1:3000".parse().unwrap());
        let text = configuration(listen, "https://127.0.0.1:8443", app, Path::new("/tmp/a \"b\""));
        let settings = config::parse("demo", &text, &Environment::default()).unwrap();
        assert_eq!(settings.routes.len(), 2);
        assert_eq!(settings.warnings, Vec::<String>::new());
    }

    #[test]
    fn one_time_passwords_differ_and_need_no_quoting() {
        let (one, other) = (one_time_password(), one_time_password());
        assert_ne!(one.expose(), other.expose());
        assert_eq!(one.expose().len(), 19);
        assert!(one.expose().bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'));
    }

    #[test]
    fn a_wanted_address_that_is_taken_is_a_failure_and_not_another_address() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        assert_eq!(free_address(taken.local_addr().ok()).unwrap_err().code, 71);
    }
}
