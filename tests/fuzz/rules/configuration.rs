//! The text of a configuration. Lines that begin with `#env ` set a variable. Whatever it holds, the answer is settings or
//! problems that can be shown, with places inside the text; asked twice, it is the same.

use vestibule::config::{Environment, Problem, parse};

/// Panics if a rule is broken; returns nothing for an input that says nothing.
pub fn check(data: &[u8]) -> Option<()> {
    let text = std::str::from_utf8(data).ok()?;
    // What files hold is not part of the input.
    if text.contains("file:") || text.contains("file\\") {
        return None;
    }
    let variables = text.lines().filter_map(|line| line.strip_prefix("#env ")?.split_once('='));
    let environment: Environment = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let Err(problems) = parse("a.toml", text, &environment) else { return Some(()) };
    assert!(!problems.0.is_empty());
    assert!(problems.to_string().ends_with(" found"));
    for problem in &problems.0 {
        check_place(problem, text);
        assert!(!problem.found.is_empty() && !problem.expected.is_empty(), "{problem}");
        assert!(!problem.to_string().contains(|letter: char| letter.is_control() && letter != '\n'), "{problem:?}");
    }
    assert_eq!(parse("a.toml", text, &environment).err().as_ref(), Some(&problems));
    Some(())
}

fn check_place(problem: &Problem, text: &str) {
    if problem.line == 0 {
        assert_eq!(problem.column, 0);
        return;
    }
    // The place after the last line end is a line too: what is missing at the end is missing there.
    let line = text.split('\n').nth(problem.line - 1).expect("the line is in the text");
    assert!((1..=line.chars().count() + 1).contains(&problem.column), "{problem}");
}
