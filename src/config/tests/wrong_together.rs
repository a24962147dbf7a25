//! Mistakes that only several keys or routes make together, and many mistakes at once.

use super::{Environment, parse, pointed_at, refuse, refuse_with};

/// Returns the only problem of `text`, which brings its own routes.
fn only_problem(text: &str) -> super::Problem {
    let problems = parse("a.toml", text, &Environment::default()).expect_err(text).0;
    assert_eq!(problems.len(), 1, "{text}\n{problems:#?}");
    problems[0].clone()
}

fn route(keys: &str) -> String {
    format!("[[route]]\nupstream = \"http://127.0.0.1:3000\"\n{keys}\n")
}

#[test]
fn no_route_at_all_is_told_the_four_lines_of_one() {
    let problem = only_problem("");
    assert_eq!((problem.file.as_str(), problem.line, problem.path.as_str()), ("a.toml", 0, "route"));
    assert!(problem.hint.as_ref().is_some_and(|hint| hint.contains("access = \"protected\"")), "{problem}");
}

#[test]
fn an_unknown_upstream_is_told_the_nearest_one() {
    let text = "[upstream.shop]\nservers = [\"http://a\"]\n[[route]]\nupstream = \"shopp\"";
    let problem = only_problem(text);
    assert_eq!(problem.path, "route[1].upstream");
    assert_eq!((problem.line, problem.column), (4, 12));
    assert_eq!(problem.hint.as_deref(), Some("did you mean \"shop\"?"));
}

#[test]
fn a_route_without_upstream_is_a_problem_at_its_header() {
    assert_eq!(only_problem("[[route]]\npath = \"/\"").line, 1);
}

#[test]
fn an_exact_duplicate_is_a_problem_at_the_second_that_names_the_first() {
    let text = route("path = \"/a\"") + &route("path = \"/b\"") + &route("path = \"/a/\"");
    let problem = only_problem(&text);
    assert_eq!((problem.line, problem.path.as_str()), (9, "route[3].path"));
    assert!(problem.hint.as_ref().is_some_and(|hint| hint.contains("a.toml:3:8")), "{problem}");
}

#[test]
fn each_route_too_many_is_one_problem() {
    let text = route("path = \"/a\"").repeat(3);
    let lines: Vec<usize> =
        parse("a.toml", &text, &Environment::default()).unwrap_err().0.iter().map(|found| found.line).collect();
    assert_eq!(lines, [6, 9]);
}

#[test]
fn the_same_path_with_other_methods_or_hosts_is_no_duplicate() {
    let text = route("path = \"/a\"\nmethods = [\"GET\"]")
        + &route("path = \"/a\"")
        + &route("path = \"/a\"\nhost = \"a.example\"");
    assert!(parse("a.toml", &text, &Environment::default()).is_ok());
}

#[test]
fn a_route_below_our_own_endpoints_can_never_match() {
    for path in ["/auth", "/auth/x"] {
        let problem = only_problem(&route(&format!("path = \"{path}\"")));
        assert!(problem.found.contains("can never match"), "{problem}");
    }
    assert!(parse("a.toml", &route("path = \"/authors\""), &Environment::default()).is_ok());
}

#[test]
fn roles_and_scopes_belong_to_protected_routes_alone() {
    for (access, key) in [("public", "roles"), ("optional", "roles"), ("public", "scopes"), ("optional", "scopes")] {
        let text = route(&format!("access = \"{access}\"\n{key} = [\"a\"]"));
        let problem = only_problem(&text);
        assert_eq!(problem.path, format!("route[1].{key}"));
        assert!(pointed_at(&problem, &text).starts_with("[\"a\"]"), "{problem}");
    }
}

#[test]
fn encoded_slashes_are_not_kept_above_a_route_with_other_access() {
    let wide = route("path = \"/files\"\nencoded_slash = \"keep\"");
    let narrow = |keys: &str| wide.clone() + &route(&format!("path = \"/files/private\"\n{keys}"));
    let problem = only_problem(&narrow("roles = [\"admin\"]"));
    assert_eq!((problem.line, problem.path.as_str()), (4, "route[1].encoded_slash"));
    assert!(problem.hint.as_ref().is_some_and(|hint| hint.contains("a.toml:7:8")), "{problem}");
    only_problem(&narrow("host = \"a.example\"\naccess = \"public\""));
    assert!(parse("a.toml", &narrow(""), &Environment::default()).is_ok(), "the same access is fine");
    let twice = narrow("access = \"public\"") + &route("path = \"/files\"\nencoded_slash = \"keep\"");
    let paths: Vec<String> =
        parse("a.toml", &twice, &Environment::default()).unwrap_err().0.into_iter().map(|found| found.path).collect();
    assert_eq!(paths, ["route[1].encoded_slash", "route[3].path"], "a duplicate hides nothing");
    let beside = wide.clone() + &route("path = \"/filesystem\"\naccess = \"public\"");
    assert!(parse("a.toml", &beside, &Environment::default()).is_ok(), "a path beside is fine");
}

#[test]
fn every_problem_is_reported_at_once_and_in_the_order_of_the_text() {
    let text = "[server]\nlisten = [\"x\", \"0.0.0.0:1\", \"y\"]\nlisen = 1\n[auth]\nalgorithm = \"HS256\"\naccess_ttl = \"soon\"\n\
                [password]\nmin_length = 0\n[[route]]\npath = \"/%2e\"\naccess = \"nobody\"\nupstream = \"app\"\n[zebra]\n";
    let lines: Vec<usize> = refuse(text).iter().map(|problem| problem.line).collect();
    assert_eq!(lines, [2, 2, 3, 5, 6, 8, 10, 11, 12, 13]);
}

#[test]
fn a_problem_says_place_found_expected_and_hint_and_the_last_line_counts() {
    let problems = parse("a.toml", &route("path = \"api\"\nmethods = [\"get\"]"), &Environment::default()).unwrap_err();
    let shown = problems.to_string();
    assert!(shown.contains("a.toml:3:8: route[1].path: found \"api\", expected a canonical path"), "{shown}");
    assert!(shown.contains("  3 | path = \"api\"\n    |        ^^^^^"), "{shown}");
    assert!(shown.contains("hint: write `GET`"), "{shown}");
    assert!(shown.ends_with("2 problems found"), "{shown}");
}

#[test]
fn a_missing_file_is_a_problem_that_says_how_to_get_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("none.toml");
    let problems = crate::config::load(&path, &Environment::default()).unwrap_err();
    assert_eq!(problems.0.len(), 1);
    assert!(problems.to_string().contains("no such file"), "{problems}");
    assert!(problems.to_string().contains("vestibule front"), "{problems}");
}

#[test]
fn bytes_that_are_no_text_are_a_problem_at_their_line() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), b"[log]\n\xff").unwrap();
    let problems = crate::config::load(file.path(), &Environment::default()).unwrap_err();
    assert_eq!((problems.0[0].line, problems.0[0].column), (2, 1));
}

#[test]
fn a_variables_name_reaches_no_terminal_as_it_is() {
    let problems = refuse_with("", &[("VESTIBULE_AUTH__\u{1b}[2J", "1")]);
    assert!(!problems[0].to_string().contains('\u{1b}'), "{}", problems[0]);
}
