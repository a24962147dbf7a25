//! What is allowed but hardly meant: each warning says where, shows a request, and names the way out.

use super::{Environment, parse};

/// Returns the warnings of a configuration of these routes, all to one app.
fn warnings(routes: &[&str]) -> Vec<String> {
    let route = |keys: &&str| format!("[[route]]\nupstream = \"http://127.0.0.1:3000\"\n{keys}\n");
    let text: String = routes.iter().map(route).collect();
    parse("a.toml", &text, &Environment::default()).unwrap_or_else(|problems| panic!("{problems}")).warnings
}

#[test]
fn a_prefix_that_is_taken_off_onto_a_protected_path() {
    let [warning] =
        &warnings(&["path = \"/static\"\naccess = \"public\"\nstrip_prefix = true", "path = \"/admin\""])[..]
    else {
        panic!("one warning")
    };
    assert_eq!(
        warning,
        "a.toml:5:16: route[1].strip_prefix: `GET /static/admin` reaches the upstream as `/admin`, which the route for `/admin` \
         at a.toml:8:8 guards, and everybody passes; give one of the two another upstream, or leave strip_prefix out"
    );
}

#[test]
fn the_protected_route_is_named_when_its_own_prefix_is_taken_off() {
    let found = warnings(&["path = \"/\"\naccess = \"optional\"", "path = \"/api\"\nstrip_prefix = true"]);
    assert_eq!(found.len(), 1);
    assert!(
        found[0].starts_with("a.toml:8:16: route[2].strip_prefix: `GET /` reaches the upstream as `/`"),
        "{found:?}"
    );
}

#[test]
fn a_host_that_wins_over_a_path_and_writes_that_fall_through() {
    let found = warnings(&["host = \"www.test\"\npath = \"/\"\naccess = \"public\"", "path = \"/admin\""]);
    assert!(
        found[0].starts_with("a.toml:3:8: route[1].host: `GET www.test/admin` falls under this route"),
        "{found:?}"
    );
    let found = warnings(&["path = \"/\"\naccess = \"public\"", "path = \"/x\"\nmethods = [\"GET\"]"]);
    assert!(
        found[0].starts_with("a.toml:8:11: route[2].methods: `POST /x` falls under the route for `/` at a.toml:3:8"),
        "{found:?}"
    );
}

#[test]
fn a_rule_that_never_matches() {
    let found = warnings(&["path = \"/admin.\"\naccess = \"public\"", "path = \"/admin\""]);
    assert!(found[0].starts_with("a.toml:3:8: route[1].path: no request falls under this route"), "{found:?}");
}

#[test]
fn two_names_of_one_server_are_one_upstream() {
    let text = "[upstream.a]\nservers = [\"http://h:1\", \"http://h:2\"]\n[upstream.b]\nservers = [\"http://h:2\"]\n\
         [[route]]\npath = \"/s\"\naccess = \"public\"\nstrip_prefix = true\nupstream = \"a\"\n[[route]]\npath = \"/x\"\nupstream = ";
    let count = |upstream: &str| {
        let text = format!("{text}{upstream:?}\n[[route]]\npath = \"/b\"\nupstream = \"b\"");
        parse("a.toml", &text, &Environment::default()).unwrap_or_else(|problems| panic!("{problems}")).warnings.len()
    };
    assert_eq!((count("b"), count("http://h:1"), count("http://h:3")), (1, 1, 1));
}

#[test]
fn what_people_mean_is_not_warned_of() {
    for fine in [
        &["path = \"/\"", "path = \"/assets\"\naccess = \"public\"\nmethods = [\"GET\"]"][..],
        &["path = \"/\"\naccess = \"public\"", "path = \"/api\"", "path = \"/api/status\"\naccess = \"public\""],
        &["path = \"/\"\naccess = \"public\"", "path = \"/posts\"\nmethods = [\"POST\", \"DELETE\"]"],
        &["path = \"/\"", "host = \"www.test\"\npath = \"/\"\naccess = \"public\""],
    ] {
        assert_eq!(warnings(fine), Vec::<String>::new(), "{fine:?}");
    }
}
