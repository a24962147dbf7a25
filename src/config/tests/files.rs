//! The files we ship say what the program does.

use std::collections::BTreeSet;
use std::path::Path;

use super::super::document::{Document, join};
use super::super::{Settings, load, read_document};
use super::{Environment, ROUTE, environment};
use crate::config::settings::{Upstream, UpstreamId};

const DEFAULTS: &str = include_str!("../../../config/vestibule.toml");
const GUIDE: &str = include_str!("../../../config/README.md");

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config")
}

#[test]
fn the_file_of_defaults_says_what_the_defaults_are() {
    let settings =
        load(&folder().join("vestibule.toml"), &Environment::default()).unwrap_or_else(|problems| panic!("{problems}"));
    let of_route = super::parse(
        "a.toml",
        &ROUTE
            .replace("http://127.0.0.1:3000", "app")
            .replace("[[route]]", "[upstream.app]\nservers = [\"http://127.0.0.1:3000\"]\n[[route]]"),
        &Environment::default(),
    );
    let bare = of_route.unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(settings.routes, bare.routes);
    assert_eq!(settings.routes[0].upstream, UpstreamId(0));
    let servers = settings.upstreams[0].servers.clone();
    assert_eq!(settings.upstreams, [Upstream { servers, ..Upstream::named("app") }]);
    assert_eq!(Settings { routes: Vec::new(), upstreams: Vec::new(), ..settings }, Settings::default());
}

/// Returns the file of defaults with its examples switched on: `# key = value` and `# [section]` without the `#`.
fn with_examples() -> String {
    let is_example = |line: &str| {
        line.starts_with("# [")
            || line.strip_prefix("# ").is_some_and(|rest| {
                rest.split_once(" = ")
                    .is_some_and(|(key, _)| key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'))
            })
    };
    DEFAULTS
        .lines()
        .map(|line| if is_example(line) { format!("{}\n", &line[2..]) } else { format!("{line}\n") })
        .collect()
}

/// Returns every key that the reader asks of the file of defaults, and what it calls unknown there.
fn asked_and_unknown(text: &str) -> (BTreeSet<String>, Vec<String>) {
    let none = Environment::default();
    let document = Document::new("vestibule.toml", text, &none);
    read_document(&document);
    let asked = document.asked();
    assert!(asked.len() > 100, "the reader asks for {} keys", asked.len());
    let problems = document.into_problems().into_iter();
    (asked, problems.filter(|problem| problem.found.contains("unknown")).map(|problem| problem.to_string()).collect())
}

fn collect_paths(value: &toml::Value, path: &str, into: &mut BTreeSet<String>) {
    into.insert(path.to_owned());
    if let Some(table) = value.as_table() {
        table.iter().for_each(|(key, value)| collect_paths(value, &join(path, key), into));
    }
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        collect_paths(item, &format!("{path}[{}]", index + 1), into);
    }
}

#[test]
fn the_file_of_defaults_names_every_key_and_none_that_does_not_exist() {
    let text = with_examples();
    let (asked, unknown) = asked_and_unknown(&text);
    let mut named = BTreeSet::new();
    collect_paths(&text.parse::<toml::Table>().expect("TOML").into(), "", &mut named);
    assert_eq!(asked.difference(&named).collect::<Vec<_>>(), Vec::<&String>::new());
    assert_eq!(unknown, Vec::<String>::new());
}

#[test]
fn the_guide_explains_every_key() {
    let (asked, _) = asked_and_unknown(&with_examples());
    for path in &asked {
        let is_table = asked
            .iter()
            .any(|other| other.strip_prefix(path.as_str()).is_some_and(|rest| rest.starts_with(['.', '['])));
        let is_name = path.starts_with("auth.role_scopes.")
            || path.strip_prefix("auth.user_fields.").is_some_and(|name| !name.contains('.'));
        let key = path.rsplit('.').next().expect("a path has a last part");
        assert!(is_table || is_name || GUIDE.contains(&format!("`{key}`")), "{path}");
    }
}

#[test]
fn every_example_is_a_right_configuration_without_a_warning() {
    let secret = "0123456789abcdef0123456789abcdef";
    let names = [
        "AUTH_SECRET",
        "VESTIBULE_KEY_SECRET",
        "SECRET_KEY",
        "JWT_SECRET_KEY",
        "AUTH__SECRET_ACCESS_KEY",
        "AUTH__SECRET_REFRESH_KEY",
    ];
    let variables = environment(&names.map(|name| (name, secret)));
    let mut count = 0;
    for entry in std::fs::read_dir(folder().join("examples")).unwrap() {
        let path = entry.unwrap().path();
        let settings = load(&path, &variables).unwrap_or_else(|problems| panic!("{problems}"));
        assert_eq!(settings.warnings, Vec::<String>::new(), "{}", path.display());
        count += 1;
    }
    assert!(count >= 9, "only {count} examples");
}

#[test]
fn hello_fits_ten_lines() {
    let text = std::fs::read_to_string(folder().join("examples/hello.toml")).unwrap();
    assert!(text.lines().count() <= 10);
}
