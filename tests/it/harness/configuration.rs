//! Configurations: what a test says, laid over what every test needs.

use std::path::Path;

use toml::{Table, Value};

use super::authority::Files;
use super::upstream::Upstream;

/// Returns routes to `upstream` that show every kind of access: `/` is public, `/private` protected, `/maybe` optional,
/// `/admin` for the role `admin`, `/docs` for the scope `docs:read`, which the role `editor` grants.
pub fn usual(upstream: &Upstream) -> String {
    format!(
        r#"
[auth.role_scopes]
editor = ["docs:read"]

[upstream.app]
servers = ["{}"]

[[route]]
path = "/"
access = "public"
upstream = "app"
[[route]]
path = "/private"
upstream = "app"
[[route]]
path = "/maybe"
access = "optional"
upstream = "app"
[[route]]
path = "/admin"
roles = ["admin"]
upstream = "app"
[[route]]
path = "/docs"
scopes = ["docs:read"]
upstream = "app"
"#,
        upstream.url()
    )
}

/// Returns the file's text: `given` over the test's own folder, ports of the system's choice and cheap hashes.
/// Limits on sign-in are off unless asked for: all tests come from one address.
pub fn complete(given: &str, folder: &Path, certificate: &Files) -> String {
    let mut whole: Table = toml::from_str(&format!(
        r#"
[server]
listen = ["127.0.0.1:0"]
ops_listen = "127.0.0.1:0"
workers = 2
[store]
url = "sqlite:{}"
[password]
memory = "64KiB"
iterations = 1
[limits]
login = ""
login_account = ""
login_network = ""
register = ""
"#,
        folder.join("vestibule.db").display()
    ))
    .unwrap();
    let given: Table = toml::from_str(given).unwrap();
    let has_own_tls = given.get("tls").is_some_and(|tls| tls.get("mode").is_some());
    lay_over(&mut whole, given);
    if !has_own_tls {
        let tls = format!(
            "[tls]\nmode = \"files\"\n[[tls.certificate]]\ncert = \"{}\"\nkey = \"{}\"\n",
            certificate.cert.display(),
            certificate.key.display()
        );
        lay_over(&mut whole, toml::from_str(&tls).unwrap());
    }
    toml::to_string(&whole).unwrap()
}

/// Puts what `over` says in place of what `under` says, table by table.
fn lay_over(under: &mut Table, over: Table) {
    for (key, value) in over {
        match (under.get_mut(&key), value) {
            (Some(Value::Table(under)), Value::Table(over)) => lay_over(under, over),
            (_, value) => {
                under.insert(key, value);
            }
        }
    }
}
