use super::*;
use crate::identity::{Role, Scope};
use crate::route::pattern::PathPrefix;

/// Returns a route of one upstream from `[host]/path`, with ` strip` behind it if the path is taken off.
fn route(text: &str, access: Access) -> Route<u8> {
    let (place, strip_prefix) = text.strip_suffix(" strip").map_or((text, false), |place| (place, true));
    let (host, path) = place.split_at(place.find('/').unwrap());
    Route {
        host: HostPattern::parse(host).unwrap(),
        path: PathPrefix::parse(path).unwrap(),
        methods: Vec::new(),
        access,
        strip_prefix,
        keep_encoded_slash: false,
        then: 0,
    }
}

fn public(text: &str) -> Route<u8> {
    route(text, Access::Public)
}

fn protected(text: &str) -> Route<u8> {
    route(text, Access::Protected(Demands::default()))
}

fn only(methods: &[Method], route: Route<u8>) -> Route<u8> {
    Route { methods: methods.to_vec(), ..route }
}

fn role(role: &str, text: &str) -> Route<u8> {
    let roles = Role::parse(role).into_iter().collect();
    route(text, Access::Protected(Demands { roles, scopes: Vec::new() }))
}

fn doubts(routes: Vec<Route<u8>>) -> Vec<Lint> {
    find_doubts(&Table::build(routes).unwrap())
}

/// Returns the requests that prove the doubts, as text.
fn proofs(routes: Vec<Route<u8>>) -> Vec<String> {
    let text = |kind: &str, Request { method, host, path }: Request| format!("{kind}: {method} {host}{path}");
    let proof = |doubt| match doubt {
        Lint::Rewritten { request, seen_as, .. } => text("rewritten", request) + " as " + &seen_as,
        Lint::HostWins { request, .. } => text("host", request),
        Lint::WritesPass { request, .. } => text("writes", request),
        Lint::NeverMatches { route } => format!("never: {route}"),
    };
    doubts(routes).into_iter().map(proof).collect()
}

const NONE: [&str; 0] = [];

#[test]
fn a_public_path_that_is_taken_off_opens_every_protected_one_of_its_upstream() {
    assert_eq!(proofs(vec![public("/static strip"), protected("/admin")]), ["rewritten: GET /static/admin as /admin"]);
    assert_eq!(proofs(vec![protected("/"), public("/assets strip")]), ["rewritten: GET /assets/ as /"]);
    let on_hosts = vec![public("*.a.test/s strip"), protected("b.a.test/x"), protected("c.test/x")];
    assert_eq!(proofs(on_hosts), ["rewritten: GET b.a.test/s/x as /x"]);
}

#[test]
fn a_protected_path_that_is_taken_off_is_open_where_the_public_one_is_wider() {
    assert_eq!(proofs(vec![public("/"), protected("/api strip")]), ["rewritten: GET / as /"]);
    assert_eq!(proofs(vec![public("/shop strip"), protected("/shop/admin strip")]), ["rewritten: GET /shop/ as /"]);
    // A public part of a protected whole is what people mean.
    assert_eq!(proofs(vec![public("/assets"), protected("/app strip")]), NONE);
}

#[test]
fn a_rewriting_rule_is_safe_beside_another_upstream_and_rules_as_strict() {
    let elsewhere = Route { then: 1, ..protected("/admin") };
    assert_eq!(proofs(vec![public("/static strip"), elsewhere]), NONE);
    assert_eq!(proofs(vec![protected("/static strip"), protected("/admin")]), NONE);
    let reads = only(&[Method::GET], public("/static strip"));
    assert_eq!(proofs(vec![reads, only(&[Method::POST], protected("/admin"))]), NONE);
    assert_eq!(proofs(vec![public("/ strip"), protected("/admin")]), NONE);
}

#[test]
fn a_host_that_wins_over_a_longer_path_is_told() {
    assert_eq!(proofs(vec![public("www.test/"), protected("/admin")]), ["host: GET www.test/admin"]);
    assert_eq!(proofs(vec![public("*.test/a"), protected("/a/b")]), ["host: GET *.test/a/b"]);
    for fine in [
        vec![public("www.test/"), protected("/")],
        vec![public("www.test/"), protected("/admin"), protected("www.test/admin")],
        vec![public("/"), protected("www.test/admin")],
        vec![public("/app/static"), protected("/app"), public("www.test/app/static/x")],
        vec![public("www.test/"), Route { then: 1, ..protected("/admin") }],
    ] {
        assert_eq!(proofs(fine), NONE);
    }
}

#[test]
fn a_rule_for_reading_that_leaves_writing_to_a_public_one_is_told() {
    let reads = || only(&[Method::GET, Method::HEAD], protected("/x"));
    assert_eq!(proofs(vec![public("/"), reads()]), ["writes: POST /x"]);
    assert_eq!(proofs(vec![public("/"), only(&[Method::GET, Method::POST], protected("/x"))]), ["writes: PUT /x"]);
    let posts = only(&[Method::POST], protected("/x"));
    assert_eq!(proofs(vec![public("/"), reads(), posts]), ["writes: PUT /x"]);
    for fine in [
        vec![only(&[Method::GET], public("/")), reads()],
        vec![public("/"), reads(), role("editor", "/x")],
        vec![public("/"), reads(), public("/x")],
        vec![public("/"), only(&[Method::POST], protected("/x"))],
        vec![Route { then: 1, ..public("/") }, reads()],
    ] {
        assert_eq!(proofs(fine), NONE);
    }
}

#[test]
fn weaker_is_who_lets_somebody_pass_that_the_other_stops() {
    assert_eq!(proofs(vec![protected("/s strip"), role("admin", "/admin")]), ["rewritten: GET /s/admin as /admin"]);
    assert_eq!(proofs(vec![role("admin", "/s strip"), protected("/x")]), NONE);
    assert_eq!(proofs(vec![role("admin", "/s strip"), role("editor", "/x")]).len(), 1);
    let scoped = |names: &[&str], text: &str| {
        let scopes = names.iter().filter_map(|name| Scope::parse(name)).collect();
        route(text, Access::Protected(Demands { roles: Vec::new(), scopes }))
    };
    assert_eq!(proofs(vec![scoped(&["a", "b"], "/s strip"), scoped(&["b"], "/x")]), NONE);
    assert_eq!(proofs(vec![scoped(&["a"], "/s strip"), scoped(&["a", "b"], "/x")]).len(), 1);
    assert_eq!(proofs(vec![route("/s strip", Access::Optional), protected("/x")]).len(), 1);
}

#[test]
fn many_rules_that_one_undermines_are_one_doubt() {
    let mut routes: Vec<_> = (0..50).map(|n| protected(&format!("/p{n}"))).collect();
    routes.push(public("/s strip"));
    let found = doubts(routes);
    assert!(matches!(found[..], [Lint::Rewritten { guarded: 0, weaker: 50, .. }]), "{found:?}");
}

#[test]
fn a_rule_whose_every_request_may_be_read_as_a_stricter_ones_never_matches() {
    assert_eq!(proofs(vec![public("/admin."), protected("/admin")]), ["never: 0"]);
    assert_eq!(proofs(vec![public("/admin;x"), public("/admin")]), NONE);
    assert_eq!(proofs(vec![public("*.a.test/"), public("b.a.test/"), only(&[Method::PUT], public("*.a.test/"))]), NONE);
}
