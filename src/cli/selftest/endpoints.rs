//! Our own endpoints: that they take no field they don't know, say which methods there are, are never cached, and give no key away.

use super::probe::{Expect, Family, Probe};
use super::site::{Draft, Site};

/// Bodies of a sign-in that must be refused before anything is looked up.
const BAD_SIGN_INS: &[(&str, &str)] = &[
    (
        "sign-in with an unknown field",
        r#"{"email":"selftest@selftest.invalid","password":"selftest","roles":["admin"]}"#,
    ),
    ("sign-in with a query for a password", r#"{"email":"selftest@selftest.invalid","password":{"$ne":""}}"#),
    ("sign-in with a query for an address", r#"{"email":{"$gt":""},"password":"selftest"}"#),
    ("sign-in with a field twice", r#"{"email":"selftest@selftest.invalid","password":"a","password":"b"}"#),
    ("sign-in with half a body", r#"{"email":"#),
    ("sign-in with a list", "[]"),
    ("sign-in with 10,000 brackets", ""),
];

pub fn probes(site: &Site) -> Vec<Probe> {
    let own = |path: &str| site.get(&format!("{}{path}", site.prefix));
    let mut probes: Vec<Probe> = BAD_SIGN_INS
        .iter()
        .map(|(name, body)| {
            let deep = "[".repeat(10_000);
            probe(name, &site.post("/login", if body.is_empty() { &deep } else { body }), &[400, 422])
        })
        .collect();
    let stranger = r#"{"email":"selftest@selftest.invalid","password":"selftest"}"#;
    let as_form = site.request("POST", &format!("{}/login", site.prefix));
    let as_form = as_form.field("Content-Type", "text/plain").with_body(stranger);
    probes.extend([
        probe("sign-in of a stranger", &site.post("/login", stranger), &[401]),
        probe("sign-in as text/plain", &as_form, &[415]),
        probe("GET of sign-in", &own("/login"), &[405]),
        probe("DELETE of refresh", &site.request("DELETE", &format!("{}/refresh", site.prefix)), &[405]),
        probe("refresh with garbage", &site.post("/refresh", r#"{"refresh_token":"garbage"}"#), &[400, 401]),
        probe("logout by nobody", &site.post("/logout", "{}"), &[400, 401]),
        probe("the account of nobody", &own("/me"), &[401]),
        probe("the sessions of nobody", &own("/sessions"), &[401]),
        probe("forward-auth for nobody", &own("/forward"), &[401]),
        probe("introspection by nobody", &site.post("/introspect", ""), &[400, 401, 415]),
        probe("an endpoint that does not exist", &own("/selftest"), &[404]),
    ]);
    for private in [r#""d":"#, r#""k":"#, r#""p":"#] {
        let name = format!("the key set holds no private member {}", private.trim_end_matches(':'));
        let request = own("/.well-known/jwks.json");
        probes.push(Probe::new(Family::Endpoints, name, &request, Expect::Lacks(private)));
    }
    probes
}

fn probe(name: &str, request: &Draft, statuses: &'static [u16]) -> Probe {
    Probe::new(Family::Endpoints, name, request, Expect::Own(statuses))
}
