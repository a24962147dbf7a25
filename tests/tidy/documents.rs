//! The documents name what there is: their links lead somewhere, and what is printed in them is what is in the files.

use std::path::Path;

use crate::assert_none;
use crate::source::{at, files_below, read, sources};

const DOCUMENTS: [&str; 4] = ["README.md", "config/README.md", "deploy/README.md", "tests/README.md"];

/// Returns the targets of `[text](target)` links.
fn links(text: &str) -> Vec<&str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    targets.map(|(target, _)| target).collect()
}

/// Returns the anchor that a heading gets.
fn anchor(heading: &str) -> String {
    let kept = heading.trim_start_matches('#').trim().to_lowercase();
    kept.chars()
        .filter(|sign| sign.is_alphanumeric() || " -_".contains(*sign))
        .map(|sign| if sign == ' ' { '-' } else { sign })
        .collect()
}

fn has_anchor(document: &str, wanted: &str) -> bool {
    document.lines().any(|line| line.starts_with('#') && anchor(line) == wanted)
}

/// Returns the first fenced block after `before`.
fn block_after<'t>(text: &'t str, before: &str) -> &'t str {
    let rest = text.split_once(before).unwrap_or_else(|| panic!("no `{before}`")).1;
    let block = rest.split("```").nth(1).expect("a fenced block follows");
    block.split_once('\n').expect("a fence has a line of its own").1
}

#[test]
fn every_link_leads_somewhere() {
    let mut wrong = Vec::new();
    let mut followed = 0;
    for document in DOCUMENTS {
        let text = read(document);
        for link in links(&text).into_iter().filter(|link| !link.contains("://")) {
            followed += 1;
            let (file, wanted) = link.split_once('#').map_or((link, None), |(file, wanted)| (file, Some(wanted)));
            let target = Path::new(document).parent().expect("a file has a folder").join(file);
            let target = if file.is_empty() { Path::new(document).to_path_buf() } else { target };
            let target = target.to_string_lossy();
            if !at(&target).exists() {
                wrong.push(format!("{document}: {link}"));
            } else if let Some(wanted) = wanted.filter(|wanted| !has_anchor(&read(&target), wanted)) {
                wrong.push(format!("{document}: {link}: no heading `{wanted}`"));
            }
        }
    }
    assert!(followed > 15, "only {followed} links found");
    assert_none(&wrong, "links that lead nowhere");
}

#[test]
fn the_shortest_configuration_in_the_readme_is_the_example_file() {
    let hello = read("config/examples/hello.toml");
    assert!(hello.lines().count() <= 10, "hello.toml has grown");
    assert_eq!(block_after(&read("README.md"), "](config/examples/hello.toml)"), hello);
}

#[test]
fn every_example_and_every_deployment_file_is_mentioned_where_people_look() {
    let mut wrong = Vec::new();
    let examples = files_below("config/examples", ".toml");
    assert!(examples.len() > 3, "only {} examples found", examples.len());
    let front = read("README.md");
    for example in examples.iter().filter(|example| !front.contains(&format!("]({example})"))) {
        wrong.push(format!("README.md does not link {example}"));
    }
    let text = read("deploy/README.md");
    let files: Vec<String> =
        files_below("deploy", "").into_iter().filter(|file| !file.ends_with("README.md")).collect();
    assert!(files.len() > 4, "only {} deployment files found", files.len());
    for file in &files {
        let inside = file.trim_start_matches("deploy/");
        if !text.contains(&format!("]({inside})")) {
            wrong.push(format!("deploy/README.md does not link {inside}"));
        }
    }
    assert_none(&wrong, "files that nobody will find");
}

#[test]
fn every_endpoint_is_in_the_readme() {
    let readme = read("README.md");
    let sources = sources();
    let routes = sources.iter().find(|source| source.path == "src/api/routes.rs").expect("the table of endpoints");
    // resource("name", "/path", …
    let literal = |place: usize| routes.shipped[place].text.trim_matches('"');
    let paths: Vec<&str> = crate::places(&routes.shipped, &["resource", "("])
        .into_iter()
        .filter(|place| routes.shipped[place + 2].text.starts_with('"'))
        .map(|place| literal(place + 4))
        .collect();
    assert!(paths.len() > 10, "only {} endpoints found", paths.len());
    let missing: Vec<String> =
        paths.iter().filter(|path| !readme.contains(&format!("{path}`"))).map(|path| (*path).to_owned()).collect();
    assert_none(&missing, "endpoints that README.md does not name");
}

#[test]
fn every_metric_is_in_the_operators_guide() {
    let guide = read("deploy/README.md");
    let names = vestibule::telemetry::metrics::ALL.map(|(name, _)| name);
    let missing: Vec<String> =
        names.iter().filter(|name| !guide.contains(&format!("`{name}`"))).map(|name| (*name).to_owned()).collect();
    assert_none(&missing, "metrics that deploy/README.md does not name");
}

#[test]
fn the_command_that_the_readme_gives_for_the_tests_is_the_one_that_is_run() {
    assert_eq!(block_after(&read("README.md"), "## Two commands").lines().last(), Some("cargo test --locked"));
    assert!(read(".ci/run").contains("cargo test --locked"));
}

#[test]
fn nobody_is_told_of_things_to_be_done_some_day() {
    let words = ["TO", "FIX", "XX"].iter().zip(["DO", "ME", "X"]).map(|(head, tail)| format!("{head}{tail}"));
    let words: Vec<String> = words.collect();
    let mut files: Vec<(String, String)> =
        sources().iter().map(|source| (source.path.clone(), source.text.clone())).collect();
    files.extend(DOCUMENTS.map(|path| (path.to_owned(), read(path))));
    for path in files_below("config", ".toml").into_iter().chain(files_below("deploy", "")) {
        files.push((path.clone(), read(&path)));
    }
    let mut wrong = Vec::new();
    for (path, text) in &files {
        for (number, line) in text.lines().enumerate() {
            let is_word = |word: &String| {
                line.split(|sign: char| !sign.is_ascii_alphanumeric()).any(|part| part == word.as_str())
            };
            if words.iter().any(is_word) {
                wrong.push(format!("{path}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    assert_none(&wrong, "work that is put off");
}

#[test]
fn every_dependency_comes_from_the_public_registry() {
    let lock = read("Cargo.lock");
    let packages: Vec<&str> = lock.split("[[package]]").skip(1).collect();
    assert!(packages.len() > 100, "only {} packages found", packages.len());
    let registry = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";
    let is_elsewhere =
        |package: &&&str| !package.contains("name = \"vestibule\"") && !package.lines().any(|line| line == registry);
    let wrong: Vec<String> = packages.iter().filter(is_elsewhere).map(|package| package.trim().to_owned()).collect();
    assert_none(&wrong, "dependencies from elsewhere");
}
