//! The house rules that a machine can check: who may import whom, what a room may not touch, how long things may be, and that
//! the documents name what there is. `src/lib.rs` says why; a table here that differs from it is a mistake in one of them.

#[path = "tidy/documents.rs"]
mod documents;
#[path = "tidy/source.rs"]
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use source::{Source, Token, sources};

/// Each storey may import from itself, without circles, and from those before it.
const STOREYS: [&[&str]; 10] = [
    &["clock", "secret", "identity", "live", "http"],
    &["policy", "route", "token", "password", "limit"],
    &["telemetry", "tls", "mail", "store", "upstream"],
    &["auth"],
    &["account"],
    &["gateway", "api"],
    &["server"],
    &["config"],
    &["app"],
    &["cli"],
];

/// What the order alone would allow and the house does not.
const NEVER: [(&str, &[&str], &str); 6] = [
    ("gateway", &["account", "store", "api"], "serving traffic can't change users"),
    ("api", &["store", "upstream", "gateway"], "no rule hides in a handler"),
    ("http", &["identity"], "HTTP knows no user"),
    ("store", &["policy", "route", "password", "limit", "upstream", "tls"], "the store holds no rule"),
    ("server", &["account", "store"], "what a request gets is its handler's to say"),
    ("config", &["account", "gateway", "api", "server", "store", "upstream"], "settings are values"),
];

/// Rooms that decide: no socket, no thread, no clock, nothing awaited.
const PURE: [&str; 5] = ["policy", "route", "token", "password", "limit"];
const IMPURE: [&str; 8] = ["async", "await", "tokio", "Clock", "SystemTime", "Instant", "thread", "fs"];

const FILE_LINES: usize = 400;
const FUNCTION_LINES: usize = 60;

/// Fails with every finding, one a line.
fn assert_none(found: &[String], rule: &str) {
    let mut list = String::new();
    for finding in found {
        writeln!(list, "  {finding}").expect("a String takes every write");
    }
    assert!(found.is_empty(), "{rule}:\n{list}");
}

/// Returns each place where `pattern` stands, one token after the other.
fn places(tokens: &[Token], pattern: &[&str]) -> Vec<usize> {
    let is_there = |window: &[Token]| window.iter().zip(pattern).all(|(token, wanted)| token.text == *wanted);
    let windows = tokens.windows(pattern.len()).enumerate();
    windows.filter(|(_, window)| is_there(window)).map(|(place, _)| place).collect()
}

fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_lowercase() || first == '_')
}

/// Returns the rooms that `crate::` paths name, plain ones and those in braces, with the lines.
fn imported(tokens: &[Token]) -> Vec<(&str, usize)> {
    let mut found = Vec::new();
    for place in places(tokens, &["crate", ":", ":"]) {
        let Some(first) = tokens.get(place + 3) else { continue };
        if first.text != "{" {
            found.push((first.text.as_str(), first.line));
            continue;
        }
        let (mut depth, mut begins) = (0, false);
        for token in &tokens[place + 3..] {
            match token.text.as_str() {
                "{" => (depth, begins) = (depth + 1, depth == 0),
                "}" if depth == 1 => break,
                "}" => depth -= 1,
                "," => begins = depth == 1,
                name => {
                    if begins {
                        found.push((name, token.line));
                    }
                    begins = false;
                }
            }
        }
    }
    found
}

fn storey(room: &str) -> Option<usize> {
    STOREYS.iter().position(|rooms| rooms.contains(&room))
}

/// Returns every import of one room by another, tests left out: they may put real parts around what they test.
fn imports(sources: &[Source]) -> Vec<(&str, &str, String)> {
    let mut found = Vec::new();
    for source in sources {
        let Some(room) = source.room() else { continue };
        for (target, line) in imported(&source.shipped) {
            if target != room {
                found.push((room, target, format!("{}:{line}: `{room}` imports `{target}`", source.path)));
            }
        }
    }
    assert!(found.len() > 100, "only {} imports found", found.len());
    found
}

#[test]
fn every_room_has_its_place_in_the_table() {
    let sources = sources();
    let rooms: BTreeSet<&str> = sources.iter().filter_map(Source::room).collect();
    let listed: BTreeSet<&str> = STOREYS.iter().flat_map(|storey| storey.iter().copied()).collect();
    assert_eq!(rooms, listed);
}

#[test]
fn no_room_imports_upward_or_what_it_must_not_know() {
    let sources = sources();
    let mut wrong = Vec::new();
    for (room, target, place) in imports(sources) {
        if storey(target) > storey(room) {
            wrong.push(format!("{place}, which stands above it"));
        }
        for (_, _, why) in NEVER.iter().filter(|(from, to, _)| *from == room && to.contains(&target)) {
            wrong.push(format!("{place}: {why}"));
        }
    }
    assert_none(&wrong, "imports that break the table");
}

#[test]
fn rooms_do_not_import_in_circles() {
    let sources = sources();
    let mut needs: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (room, target, _) in imports(sources) {
        needs.entry(room).or_default().insert(target);
        needs.entry(target).or_default();
    }
    // Whoever needs nobody that is left goes; those in a circle remain.
    while let Some(free) = needs.iter().find(|(_, targets)| targets.is_empty()).map(|(room, _)| *room) {
        needs.remove(free);
        for targets in needs.values_mut() {
            targets.remove(free);
        }
    }
    assert!(needs.is_empty(), "these import each other: {needs:?}");
}

#[test]
fn no_path_leaves_its_room_but_by_crate() {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| source.room().is_some()) {
        for place in places(&source.shipped, &["super", ":", ":"]) {
            let steps = source.shipped[place..].chunks(3).take_while(|step| step[0].text == "super").count();
            if steps >= source.depth() {
                wrong.push(format!("{}:{}", source.path, source.shipped[place].line));
            }
        }
    }
    assert_none(&wrong, "`super` that climbs out of its room; write `crate::` so that the table can be checked");
}

#[test]
fn rooms_that_decide_touch_nothing() {
    let mut wrong = Vec::new();
    let mut looked = 0;
    for source in sources().iter().filter(|source| source.room().is_some_and(|room| PURE.contains(&room))) {
        looked += 1;
        for token in source.shipped.iter().filter(|token| IMPURE.contains(&token.text.as_str())) {
            wrong.push(format!("{}:{}: `{}`", source.path, token.line, token.text));
        }
    }
    assert!(looked > PURE.len(), "only {looked} files of the pure rooms found");
    assert_none(&wrong, "a pure room awaits, reads the clock or touches the machine");
}

#[test]
fn accounts_and_store_know_no_http() {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| matches!(source.room(), Some("account" | "store"))) {
        for library in ["http", "hyper", "axum"] {
            for place in places(&source.shipped, &[library, ":", ":"]) {
                wrong.push(format!("{}:{}: `{library}::`", source.path, source.shipped[place].line));
            }
        }
    }
    assert_none(&wrong, "use cases and their store hold no HTTP type");
}

#[test]
fn only_the_clock_reads_time() {
    let mut wrong = Vec::new();
    let mut in_clock = 0;
    for source in sources().iter().filter(|source| source.path.starts_with("src/")) {
        for reading in [["SystemTime", ":", ":", "now"], ["Instant", ":", ":", "now"]] {
            for place in places(&source.shipped, &reading) {
                if source.room() == Some("clock") {
                    in_clock += 1;
                } else {
                    wrong.push(format!("{}:{}", source.path, source.shipped[place].line));
                }
            }
        }
    }
    assert!(in_clock > 0, "the clock itself reads no time: is this looking in the right place?");
    assert_none(&wrong, "time is read outside `clock`");
}

#[test]
fn permits_and_claims_have_one_maker_each() {
    let mut wrong = Vec::new();
    for (name, home) in [("Permit", "src/policy/"), ("Claims", "src/token/")] {
        for source in sources().iter().filter(|source| !source.path.starts_with(home)) {
            let made = places(&source.shipped, &[name, "{"]).into_iter().filter(|place| {
                // A result type before a function's body, or an `impl`, makes nothing.
                let before = place.checked_sub(1).map_or("", |before| source.shipped[before].text.as_str());
                !matches!(before, ">" | "impl" | "for" | "&" | "struct")
            });
            wrong.extend(made.map(|place| format!("{}:{}: `{name}`", source.path, source.shipped[place].line)));
        }
    }
    assert_none(&wrong, "made where it must not be");
}

#[test]
fn files_are_short_enough_to_be_read() {
    let long = |source: &&Source| source.text.lines().count() > FILE_LINES;
    let found: Vec<String> = sources()
        .iter()
        .filter(long)
        .map(|source| format!("{}: {} lines", source.path, source.text.lines().count()))
        .collect();
    assert_none(&found, "files over 400 lines");
}

#[test]
fn functions_fit_on_a_screen() {
    let mut wrong = Vec::new();
    let mut looked = 0;
    for source in sources() {
        let tokens = &source.all;
        let functions = (0..tokens.len().saturating_sub(1))
            .filter(|&place| tokens[place].text == "fn" && is_name(&tokens[place + 1].text));
        for place in functions {
            looked += 1;
            let lines = last_line(&tokens[place..]) + 1 - tokens[place].line;
            if lines > FUNCTION_LINES {
                wrong.push(format!(
                    "{}:{}: `{}` has {lines} lines",
                    source.path,
                    tokens[place].line,
                    tokens[place + 1].text
                ));
            }
        }
    }
    assert!(looked > 1000, "only {looked} functions found");
    assert_none(&wrong, "functions over 60 lines");
}

/// Returns the line on which the function that begins here ends.
fn last_line(tokens: &[Token]) -> usize {
    let mut depth = 0;
    let mut is_in_body = false;
    for token in tokens {
        match token.text.as_str() {
            "(" | "[" => depth += 1,
            ")" | "]" => depth -= 1,
            "{" => (depth, is_in_body) = (depth + 1, is_in_body || depth == 0),
            "}" => {
                depth -= 1;
                if depth == 0 && is_in_body {
                    return token.line;
                }
            }
            ";" if depth == 0 => return token.line,
            _ => {}
        }
    }
    panic!("a function without an end on line {}", tokens[0].line)
}

#[test]
fn nothing_is_unfinished_or_hopes_for_the_best() {
    let mut wrong = Vec::new();
    let mut tell = |source: &Source, tokens: &[Token], pattern: &[&str]| {
        wrong.extend(
            places(tokens, pattern)
                .into_iter()
                .map(|place| format!("{}:{}: {}", source.path, tokens[place].line, pattern.join(""))),
        );
    };
    for source in sources() {
        for pattern in [["todo", "!"], ["unimplemented", "!"], ["dbg", "!"]] {
            tell(source, &source.all, &pattern);
        }
        tell(source, &source.shipped, &[".", "unwrap", "("]);
    }
    assert_none(&wrong, "unfinished, or unwrapped outside tests");
}

#[test]
fn no_test_hopes_that_a_while_is_long_enough() {
    let mut wrong = Vec::new();
    for source in sources() {
        // What is shipped waits for reasons of its own; where there is more than that, tests do.
        let mut left = places(&source.shipped, &["sleep", "("]).len();
        for place in places(&source.all, &["sleep", "("]) {
            let is_shipped = left > 0;
            left = left.saturating_sub(1);
            if !is_shipped && !paces_a_loop(&source.all[..place]) {
                wrong.push(format!("{}:{}", source.path, source.all[place].line));
            }
        }
    }
    assert_none(&wrong, "a sleep that no loop asks for again; wait for what the test waits for");
}

/// Returns whether the block that is open at the end of `before` is that of a `while` or a `loop`.
fn paces_a_loop(before: &[Token]) -> bool {
    let mut closed = 0;
    let opening = before.iter().rposition(|token| match token.text.as_str() {
        "}" => {
            closed += 1;
            false
        }
        "{" if closed > 0 => {
            closed -= 1;
            false
        }
        text => text == "{",
    });
    let head = &before[..opening.unwrap_or(0)];
    let head = head.rsplit(|token| matches!(token.text.as_str(), ";" | "{" | "}")).next().unwrap_or_default();
    head.iter().any(|token| matches!(token.text.as_str(), "while" | "loop"))
}

#[test]
fn no_test_is_left_out() {
    let mut wrong = Vec::new();
    for source in sources() {
        for place in places(&source.all, &["#", "[", "ignore"]) {
            wrong.push(format!("{}:{}", source.path, source.all[place].line));
        }
    }
    assert_none(&wrong, "ignored tests: nobody runs them");
}
