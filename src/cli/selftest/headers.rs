//! Identity that a client claims: every identity header in every spelling that some app folds into it, and headers by which an
//! app would take another path, method or client for the real one. Only an app that shows what it received can tell.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::probe::{Expect, Family, Probe};
use super::site::{Draft, Site};
use crate::secret::random_bytes;

/// Identity headers of other gateways and presets: an app behind may believe them.
const ELSEWHERE: &[&str] = &[
    "Remote-User",
    "Remote-Email",
    "Remote-Groups",
    "X-Remote-User",
    "X-Forwarded-User",
    "X-Forwarded-Email",
    "X-Forwarded-Groups",
    "X-Forwarded-Preferred-Username",
    "X-Forwarded-Access-Token",
    "X-Auth-Request-User",
    "X-Auth-Request-Email",
    "X-WEBAUTH-USER",
    "X-Authentik-Username",
    "X-Vestibule-Assertion",
];

const OVERRIDES: &[&str] = &[
    "X-Original-URL",
    "X-Original-URI",
    "X-Rewrite-URL",
    "X-Forwarded-Uri",
    "X-Forwarded-Prefix",
    "X-Forwarded-Method",
    "X-HTTP-Method-Override",
    "X-HTTP-Method",
    "X-Method-Override",
    "X-Original-Host",
    "X-Host",
    "Proxy",
];

const CLIENT: &[&str] =
    &["X-Forwarded-For", "X-Real-IP", "Forwarded", "True-Client-IP", "X-Client-IP", "CF-Connecting-IP"];

/// Characters that a field name may hold in place of `-` (RFC 9110 section 5.6.2).
const SEPARATORS: &str = "_.!#$%&'*+^`|~";

/// Returns the attacks on `path`, which the caller's `token` opens if it is protected.
pub fn probes(site: &Site, path: &str, token: Option<&str>) -> Vec<Probe> {
    let attack = Attack { site, path, token };
    let mut probes = vec![attack.forge("as they are", &site.identity)];
    for (name, spell) in
        [("lower case", str::to_ascii_lowercase as fn(&str) -> String), ("upper case", str::to_ascii_uppercase)]
    {
        probes.push(attack.forge(name, &spelt(site, spell)));
    }
    for separator in SEPARATORS.chars() {
        let spell = |name: &str| name.replace('-', &separator.to_string());
        probes.push(attack.forge(&format!("`{separator}` for `-`"), &spelt(site, spell)));
    }
    probes.push(attack.forge("first `-` as `_`", &spelt(site, |name| name.replacen('-', "_", 1))));
    probes.push(attack.forge("twice each", &[&site.identity[..], &site.identity[..]].concat()));
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    probes.push(attack.forge("those of other gateways", &owned(ELSEWHERE)));
    probes.push(attack.forge(
        "those of other gateways, `_` for `-`",
        &owned(ELSEWHERE).iter().map(|name| name.replace('-', "_")).collect::<Vec<_>>(),
    ));
    probes.push(attack.forge("path and method overrides", &owned(OVERRIDES)));
    probes.push(attack.forge("the client's address (is this machine in trusted_proxies?)", &owned(CLIENT)));
    probes.extend(attack.named_by_connection());
    probes
}

fn spelt(site: &Site, spell: impl Fn(&str) -> String) -> Vec<String> {
    site.identity.iter().map(|name| spell(name)).collect()
}

/// Returns a probe that tells whether the app shows headers at all.
pub fn echo_probe(site: &Site, path: &str, token: Option<&str>) -> Probe {
    let value = marker();
    let request = Attack { site, path, token }.request().field("X-Selftest-Harmless", &value);
    Probe::new(Family::Basics, "the app behind shows the headers it received", &request, Expect::Seen(value))
}

struct Attack<'a> {
    site: &'a Site,
    path: &'a str,
    token: Option<&'a str>,
}

impl Attack<'_> {
    fn request(&self) -> Draft {
        let request = self.site.get(self.path);
        match self.token {
            Some(token) => request.bearer(self.site, token),
            None => request,
        }
    }

    fn name(&self, what: &str) -> String {
        format!("{} {}: {what}", if self.token.is_some() { "signed in at" } else { "nobody at" }, self.path)
    }

    fn forge(&self, what: &str, names: &[String]) -> Probe {
        let forged = marked(names);
        let request = forged.iter().fold(self.request(), |request, (name, value)| request.field(name, value));
        Probe::new(Family::Headers, self.name(what), &request, Expect::Unseen(forged))
    }

    /// `Connection: X-User-Roles` would make a careless proxy remove its own header, or take the client's for it.
    fn named_by_connection(&self) -> Vec<Probe> {
        let options = format!("close, {}", self.site.identity.join(", "));
        let request = self.request().field("Connection", &options);
        let forged = marked(&self.site.identity);
        let claiming = forged.iter().fold(request.clone(), |request, (name, value)| request.field(name, value));
        let name = self.name("named in Connection");
        let mut probes = vec![Probe::new(Family::Headers, name.clone(), &claiming, Expect::Unseen(forged))];
        if let Some(id) = self.token.and_then(subject).filter(|_| self.site.tells_user_id) {
            probes.push(Probe::new(Family::Headers, name + ", and yet ours arrive", &request, Expect::Seen(id)));
        }
        probes
    }
}

fn marked(names: &[String]) -> Vec<(String, String)> {
    names.iter().map(|name| (name.clone(), marker())).collect()
}

/// Returns whom a token is for.
fn subject(token: &str) -> Option<String> {
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let claims: serde_json::Value = serde_json::from_slice(&claims).ok()?;
    claims.get("sub")?.as_str().map(str::to_owned)
}

/// Returns a value that nobody else sends.
fn marker() -> String {
    random_bytes::<8>().iter().fold("forged-".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}
