//! Hosts that disagree with each other, and methods that no gateway should hand on.

use super::probe::{Expect, Family, Probe};
use super::site::{Draft, Site};

/// What a name is called that nobody has (RFC 6761).
const FOREIGN: &str = "selftest.invalid";

const BAD_TARGET: Expect = Expect::Refused(&[400, 421]);

pub fn host_probes(site: &Site) -> Vec<Probe> {
    let path = site.public.as_str();
    let bare = || site.get(path).without_host();
    let mut probes = vec![
        host("two Host fields, the second foreign", &site.get(path).field("Host", FOREIGN), BAD_TARGET),
        host("two Host fields, alike", &site.get(path).field("Host", &site.authority), BAD_TARGET),
        host("no Host", &bare(), BAD_TARGET),
        host(
            "an absolute target that disagrees with Host",
            &site.get(&format!("{}{path}", foreign_url(site))),
            BAD_TARGET,
        ),
    ];
    probes.push(host("a target that is no path", &site.get("selftest"), Expect::Refused(&[400, 404])));
    for (name, value) in [
        ("a user in Host", format!("user@{}", site.authority)),
        ("a path in Host", format!("{}/x", site.authority)),
        ("a list in Host", format!("{}, {FOREIGN}", site.authority)),
        ("a port that is none", format!("{}:port", site.wire.host)),
        ("a space in Host", format!("a {FOREIGN}")),
    ] {
        probes.push(host(name, &bare().field("Host", &value), BAD_TARGET));
    }
    if let Some(protected) = &site.protected {
        let absolute = site.get(&format!("{}{protected}", site.url()));
        probes.push(host("an absolute target for the protected path", &absolute, Expect::NotReached));
        let elsewhere = site.get(protected).without_host().field("Host", FOREIGN);
        probes.push(host("the protected path on a foreign host", &elsewhere, Expect::NotReached));
        let claimed = site.get(protected).field("X-Forwarded-Host", FOREIGN).field("X-Forwarded-Uri", &site.public);
        probes.push(host("the protected path, claimed to be another", &claimed, Expect::NotReached));
    }
    probes
}

fn foreign_url(site: &Site) -> String {
    format!("{}://{FOREIGN}", if site.is_tls { "https" } else { "http" })
}

pub fn method_probes(site: &Site) -> Vec<Probe> {
    const UNSERVED: Expect = Expect::Refused(&[400, 401, 403, 404, 405, 501]);
    let authority = format!("{}:{}", site.wire.host, site.wire.port);
    let mut probes = vec![
        method("TRACE", &site.request("TRACE", &site.public), UNSERVED),
        method("CONNECT to the gateway itself", &site.request("CONNECT", &authority), UNSERVED),
        method("CONNECT to a foreign host", &site.request("CONNECT", "selftest.invalid:443"), UNSERVED),
        method("OPTIONS *", &site.request("OPTIONS", "*"), Expect::Refused(&[200, 204, 400, 404, 405, 501])),
    ];
    if let Some(protected) = &site.protected {
        for name in ["POST", "DELETE", "OPTIONS", "PROPFIND", "get", "SELFTEST"] {
            let draft = site.request(name, protected);
            probes.push(method(&format!("{name} without a token"), &draft, Expect::NotReached));
        }
        let upgrade = site.get(protected).field("Connection", "Upgrade").field("Upgrade", "websocket");
        let upgrade =
            upgrade.field("Sec-WebSocket-Version", "13").field("Sec-WebSocket-Key", "c2VsZnRlc3Qtc2VsZnRlcw==");
        probes.push(method("a WebSocket without a token", &upgrade, Expect::Refused(&[400, 401, 403])));
    }
    probes
}

fn host(name: &str, request: &Draft, expect: Expect) -> Probe {
    Probe::new(Family::Hosts, name, request, expect)
}

fn method(name: &str, request: &Draft, expect: Expect) -> Probe {
    Probe::new(Family::Methods, name, request, expect)
}
