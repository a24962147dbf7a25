//! What a configuration means, and what a wrong one is told.

mod doubts;
mod files;
mod issuers;
mod mail;
mod profiles;
mod random;
mod reading;
mod secrets;
mod wrong;
mod wrong_together;

use super::{Environment, Problem, Settings, parse};

/// The least that a configuration needs.
const ROUTE: &str = "[[route]]\nupstream = \"http://127.0.0.1:3000\"\n";

fn environment(variables: &[(&str, &str)]) -> Environment {
    variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Returns the settings of `text` and one route.
fn accept(text: &str) -> Settings {
    let whole = format!("{text}\n{ROUTE}");
    parse("a.toml", &whole, &Environment::default()).unwrap_or_else(|problems| panic!("{problems}"))
}

/// Returns the problems of `text` and one route.
fn refuse(text: &str) -> Vec<Problem> {
    refuse_with(text, &[])
}

fn refuse_with(text: &str, variables: &[(&str, &str)]) -> Vec<Problem> {
    let whole = format!("{text}\n{ROUTE}");
    parse("a.toml", &whole, &environment(variables)).expect_err(text).0
}

/// Returns the part of `text` that the problem points at.
fn pointed_at<'t>(problem: &Problem, text: &'t str) -> &'t str {
    let line = text.lines().nth(problem.line - 1).unwrap_or_default();
    let start = line.char_indices().nth(problem.column - 1).map_or(line.len(), |(start, _)| start);
    &line[start..]
}
