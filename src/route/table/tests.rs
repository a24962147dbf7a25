use proptest::prelude::*;

use super::*;
use crate::http::path::tests::hostile_path;
use crate::http::target::Target;
use crate::policy::Demands;

fn route(host: &str, path: &str, methods: &[Method]) -> Route<()> {
    Route {
        host: HostPattern::parse(host).unwrap(),
        path: PathPrefix::parse(path).unwrap(),
        methods: methods.to_vec(),
        access: Access::Protected(Demands::default()),
        strip_prefix: false,
        keep_encoded_slash: false,
        then: (),
    }
}

fn public(path: &str) -> Route<()> {
    Route { access: Access::Public, ..route("", path, &[]) }
}

fn table(routes: Vec<Route<()>>) -> Table<()> {
    Table::build(routes).unwrap()
}

fn place(table: &Table<()>, host: &str, path: &str, method: &Method) -> Option<usize> {
    let found = table.find(host, path, method)?;
    table.routes().iter().position(|route| std::ptr::eq(route, found))
}

/// What `find` promises, said as plainly as possible.
fn naive(table: &Table<()>, host: &str, path: &str, method: &Method) -> Option<usize> {
    let host_rank = |pattern: &HostPattern| match pattern {
        HostPattern::Any => 0,
        HostPattern::Suffix(suffix) => suffix.len(),
        HostPattern::Exact(_) => usize::MAX,
    };
    let is_match = |route: &Route<()>| {
        let path = format!("{path}/");
        let prefix = format!("{}/", route.path.as_str().trim_end_matches('/'));
        route.host.matches(host) && path.starts_with(&prefix) && route.serves(method)
    };
    let matching = table.routes().iter().enumerate().filter(|(_, route)| is_match(route));
    let rank = |route: &Route<()>| (host_rank(&route.host), route.path.as_str().len(), !route.methods.is_empty());
    matching.max_by_key(|(_, route)| rank(route)).map(|(place, _)| place)
}

#[test]
fn a_prefix_ends_where_a_segment_ends() {
    let table = table(vec![route("", "/api", &[])]);
    for (path, is_found) in [
        ("/api", true),
        ("/api/", true),
        ("/api/x", true),
        ("/apix", false),
        ("/ap", false),
        ("/", false),
        ("/api;x", false),
        ("/api%2Fx", false),
        ("/api.", false),
        ("/x/api", false),
        ("/API", false),
        ("/api%20", false),
    ] {
        assert_eq!(table.find("a", path, &Method::GET).is_some(), is_found, "{path}");
    }
}

#[test]
fn the_longest_host_wins_over_the_longest_path() {
    let table = table(vec![
        route("", "/x/y/z", &[]),
        route("*.example.com", "/x/y", &[]),
        route("*.eu.example.com", "/x", &[]),
        route("a.eu.example.com", "/", &[]),
    ]);
    assert_eq!(place(&table, "a.eu.example.com", "/x/y/z", &Method::GET), Some(3));
    assert_eq!(place(&table, "b.eu.example.com", "/x/y/z", &Method::GET), Some(2));
    assert_eq!(place(&table, "b.example.com", "/x/y/z", &Method::GET), Some(1));
    assert_eq!(place(&table, "example.com", "/x/y/z", &Method::GET), Some(0));
    assert_eq!(place(&table, "b.eu.example.com", "/", &Method::GET), None);
}

#[test]
fn a_route_that_lacks_the_method_lets_a_wider_one_answer() {
    let table = table(vec![
        route("", "/", &[]),
        route("", "/api", &[Method::GET]),
        route("", "/api", &[Method::POST]),
        route("", "/api/x", &[Method::PUT]),
        route("", "/api/x", &[]),
    ]);
    assert_eq!(place(&table, "a", "/api/x", &Method::PUT), Some(3));
    assert_eq!(place(&table, "a", "/api/x", &Method::GET), Some(4));
    assert_eq!(place(&table, "a", "/api/y", &Method::POST), Some(2));
    assert_eq!(place(&table, "a", "/api/y", &Method::HEAD), Some(1));
    assert_eq!(place(&table, "a", "/api/y", &Method::DELETE), Some(0));
}

#[test]
fn routes_that_cannot_be_told_apart_are_named_in_pairs() {
    let duplicates = Table::build(vec![
        route("a.example", "/x", &[]),
        route("", "/x", &[Method::GET, Method::POST]),
        route("A.example.", "/x/", &[]),
        route("", "/x", &[Method::POST]),
        route("", "/x", &[Method::HEAD]),
        route("", "/x", &[]),
        route("", "/@a", &[]),
        route("", "/%40a", &[]),
    ]);
    let pair = |first, second| Duplicate { first, second };
    assert_eq!(duplicates.unwrap_err(), [pair(0, 2), pair(1, 3), pair(1, 4), pair(6, 7)]);
}

#[test]
fn every_spelling_of_a_segment_falls_under_its_rule() {
    let table = table(vec![public("/"), route("", "/@me", &[]), route("", "/caf%C3%A9", &[])]);
    for (path, expected) in [("/@me/x", 1), ("/%40me/x", 1), ("/%40you", 0), ("/caf%C3%A9/x", 2), ("/cafe", 0)] {
        assert_eq!(place(&table, "a", path, &Method::GET), Some(expected), "{path}");
    }
}

#[test]
fn a_path_that_an_upstream_may_take_for_a_protected_one_has_no_route() {
    let table = table(vec![public("/"), route("", "/admin", &[]), public("/admin/help")]);
    for path in ["/admin;x", "/admin;x/y", "/;x/admin", "/admin.", "/admin%20", "/%20admin", "/%2561dmin", "/admin%3Fx"]
    {
        assert!(table.find("a", path, &Method::GET).is_none(), "{path}");
        assert!(table.is_ambiguous("a", path, &Method::GET), "{path}");
        assert_eq!(table.explain("a", path, &Method::GET)[0], Err(Mismatch::Ambiguous), "{path}");
    }
    for path in ["/a;v=1/b", "/b./c", "/100%25", "/a%20b", "/what%3F", "/...", "/..%2561"] {
        assert_eq!(place(&table, "a", path, &Method::GET), Some(0), "{path}");
    }
    // Taken for something public, a protected path is still protected.
    assert_eq!(place(&table, "a", "/admin/help;x", &Method::GET), Some(1));
}

#[test]
fn a_protected_path_in_other_case_is_nobody_elses() {
    let lower = table(vec![public("/"), route("", "/admin", &[])]);
    let upper = table(vec![public("/"), route("", "/Admin/Panel", &[])]);
    for (table, path, is_ambiguous) in [
        (&lower, "/ADMIN", true),
        (&lower, "/Admin/x", true),
        (&lower, "/%41dmin", true),
        (&lower, "/ADMIN;x", true),
        (&lower, "/About", false),
        (&lower, "/ADMINs", false),
        (&upper, "/admin/panel", true),
        (&upper, "/admin/x", false),
    ] {
        let target = Target::parse("a", path).unwrap();
        assert_eq!(table.is_ambiguous("a", target.path(), &Method::GET), is_ambiguous, "{path}");
    }
    assert_eq!(place(&lower, "a", "/admin", &Method::GET), Some(1));
    assert_eq!(place(&lower, "a", "/About", &Method::GET), Some(0));
    assert_eq!(place(&upper, "a", "/Admin/Panel/x", &Method::GET), Some(1));
}

#[test]
fn paths_that_differ_in_case_alone_are_told_apart_on_purpose() {
    let table = table(vec![public("/Docs"), route("", "/docs", &[])]);
    assert_eq!(place(&table, "a", "/Docs/x", &Method::GET), Some(0));
    assert_eq!(place(&table, "a", "/docs/x", &Method::GET), Some(1));
}

#[test]
fn a_kept_slash_cannot_lead_below_another_rule() {
    let keep = Route { keep_encoded_slash: true, ..public("/") };
    let table = table(vec![keep, route("", "/a/b", &[])]);
    assert!(table.is_ambiguous("h", "/a%2Fb", &Method::GET));
    assert!(table.is_ambiguous("h", "/%2Fa%2Fb", &Method::GET));
    assert_eq!(place(&table, "h", "/a%2Fc", &Method::GET), Some(0));
}

#[test]
fn a_kept_slash_above_a_rule_with_other_access_is_named() {
    let keep = |route: Route<()>| Route { keep_encoded_slash: true, ..route };
    let conflicts = |routes| table(routes).slash_conflicts();
    let pair = |kept, narrower| SlashConflict { kept, narrower };
    assert_eq!(conflicts(vec![keep(public("/")), route("", "/admin", &[])]), [pair(0, 1)]);
    assert_eq!(conflicts(vec![route("*.a.example", "/x/y", &[]), keep(public("/x")), public("/x/z")]), [pair(1, 0)]);
    assert_eq!(conflicts(vec![keep(public("/x")), route("", "/xy", &[]), route("", "/", &[])]), []);
    let on_host = Route { access: Access::Public, ..keep(route("*.example", "/", &[])) };
    let elsewhere = vec![on_host.clone(), route("", "/admin", &[]), route("b.test", "/admin", &[])];
    assert_eq!(conflicts(elsewhere), []);
    assert_eq!(conflicts(vec![on_host.clone(), route("b.example", "/admin", &[])]), [pair(0, 1)]);
    assert_eq!(conflicts(vec![on_host, route("*.b.example", "/admin", &[])]), [pair(0, 1)]);
}

#[test]
fn ten_thousand_routes_are_found_each() {
    let routes = (0..10_000).map(|n| route(&format!("h{}.example", n % 100), &format!("/app{n}/v1"), &[])).collect();
    let table = table(routes);
    for n in 0..10_000 {
        let path = format!("/app{n}/v1/x/y");
        assert_eq!(place(&table, &format!("h{}.example", n % 100), &path, &Method::GET), Some(n));
    }
    let deep = "/x".repeat(10_000);
    assert_eq!(place(&table, "h1.example", &deep, &Method::GET), None);
}

const HOSTS: &[&str] = &["", "a.x.example", "x.example", "*.x.example", "*.example", "*.a.x.example"];
const PATHS: &[&str] = &["/", "/a", "/a/b", "/a/b/c", "/b", "/ab", "/admin", "/public"];
const METHODS: &[&[Method]] = &[&[], &[Method::GET], &[Method::POST, Method::PUT], &[Method::HEAD]];

fn any_table() -> impl Strategy<Value = Table<()>> {
    let shape = (prop::sample::select(HOSTS), prop::sample::select(PATHS), prop::sample::select(METHODS));
    prop::collection::vec(shape, 0..14).prop_map(|shapes| {
        let mut kept: Vec<Route<()>> = Vec::new();
        for (host, path, methods) in shapes {
            let new = route(host, path, methods);
            if !kept.iter().any(|old| old.host == new.host && old.path == new.path && old.rivals(&new)) {
                kept.push(new);
            }
        }
        table(kept)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn find_agrees_with_the_plain_definition_and_explain_with_find(
        table in any_table(),
        host in prop::sample::select(&["a.x.example", "b.a.x.example", "x.example", "example", "other"][..]),
        path in "(/(a|b|ab|c|admin|public)){0,4}/?",
        method in prop::sample::select(&[Method::GET, Method::HEAD, Method::POST, Method::DELETE][..]),
    ) {
        let path = if path.is_empty() { "/" } else { &path };
        let found = place(&table, host, path, &method);
        prop_assert_eq!(found, naive(&table, host, path, &method));
        let explained = table.explain(host, path, &method);
        prop_assert_eq!(explained.iter().position(Result::is_ok), found);
        prop_assert_eq!(explained.iter().filter(|verdict| verdict.is_ok()).count(), usize::from(found.is_some()));
        let outranked = explained.iter().filter_map(|verdict| match verdict { Err(Mismatch::Outranked { by }) => Some(*by), _ => None });
        prop_assert!(outranked.into_iter().all(|by| Some(by) == found));
    }

    /// Whatever an upstream makes of what is forwarded, nobody reaches `/admin` by a decision made for the public rest.
    #[test]
    fn no_reading_of_what_is_forwarded_escapes_its_rule(given in hostile_path()) {
        let keep = Route { keep_encoded_slash: true, ..public("/") };
        let table = table(vec![keep, route("", "/admin", &[])]);
        let Ok(target) = Target::parse("a", &given) else { return Ok(()) };
        let Some(found) = table.find("a", target.path(), &Method::GET) else { return Ok(()) };
        if found.access == Access::Public {
            for upstream in UPSTREAMS {
                let reading = upstream(target.path());
                let landed = reading.split('/').find(|segment| !segment.is_empty()).map(str::to_lowercase);
                prop_assert_ne!(landed.as_deref(), Some("admin"), "{} → {}", given, reading);
            }
        }
    }
}

/// Upstream routers, as careless as they come.
const UPSTREAMS: &[fn(&str) -> String] = &[
    |path| resolve(path),
    |path| resolve(&decode(path)),
    |path| resolve(&decode(&decode(path))),
    |path| resolve(&decode(&decode(&decode(path)))),
    |path| decode(&resolve(path)),
    |path| resolve(&without_parameters(path)),
    |path| resolve(&without_parameters(&decode(path))),
    |path| resolve(&decode(&without_parameters(path))),
    |path| resolve(&decode(path).replace('\\', "/")),
    |path| resolve(decode(path).split(['?', '#', '\0']).next().unwrap_or_default()),
    |path| resolve(&trimmed(&decode(path))),
    |path| resolve(&trimmed(&without_parameters(&decode(&decode(path))))),
];

fn decode(path: &str) -> String {
    let path = path.replace("%u00", "%");
    String::from_utf8_lossy(&percent_encoding::percent_decode_str(&path).collect::<Vec<u8>>()).into_owned()
}

fn without_parameters(path: &str) -> String {
    path.split('/').map(|segment| segment.split(';').next().unwrap_or_default()).collect::<Vec<_>>().join("/")
}

fn trimmed(path: &str) -> String {
    let trim = |segment: &str| match segment.trim() {
        dots @ ("." | "..") => dots.to_owned(),
        other => other.trim_end_matches(['.', ' ']).to_owned(),
    };
    path.split('/').map(trim).collect::<Vec<_>>().join("/")
}

fn resolve(path: &str) -> String {
    let mut kept = Vec::new();
    for segment in path.split('/').filter(|segment| !segment.is_empty() && *segment != ".") {
        if segment == ".." {
            kept.pop();
        } else {
            kept.push(segment);
        }
    }
    kept.join("/")
}
