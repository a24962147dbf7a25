//! Every fuzz target on its seeds and on what small changes make of them: in seconds, with the compiler and the profile of all other
//! tests, and the same inputs each time, so that a failure is the change's own. `run.sh` beside this searches on.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

#[path = "rules/configuration.rs"]
mod configuration;
#[path = "rules/cookie.rs"]
mod cookie;
#[path = "rules/email.rs"]
mod email;
#[path = "rules/header_filter.rs"]
mod header_filter;
#[path = "rules/http2_frames.rs"]
mod http2_frames;
#[path = "rules/refresh_machine.rs"]
mod refresh_machine;
#[path = "rules/request_head.rs"]
mod request_head;
#[path = "rules/target.rs"]
mod target;
#[path = "rules/token.rs"]
mod token;

/// How many inputs are made for each target.
const ROUNDS: usize = 8000;

/// How long an input may become.
const LONGEST: usize = 4096;

type Check = fn(&[u8]) -> Option<()>;

#[test]
fn whatever_a_configuration_holds_is_settings_or_problems_that_can_be_shown() {
    smoke("configuration", configuration::check);
}

#[test]
fn a_cookie_is_found_and_removed_as_a_plain_reading_says() {
    smoke("cookie", cookie::check);
}

#[test]
fn an_address_that_is_taken_is_stable_and_has_one_key() {
    smoke("email", email::check);
}

#[test]
fn no_identity_header_passes_the_filter() {
    smoke("header_filter", header_filter::check);
}

#[test]
fn no_frames_of_http_2_are_read_two_ways() {
    smoke("http2_frames", http2_frames::check);
}

#[test]
fn no_order_of_refresh_tokens_makes_a_second_live_successor() {
    smoke("refresh_machine", refresh_machine::check);
}

#[test]
fn no_request_head_or_body_is_read_two_ways() {
    smoke("request_head", request_head::check);
}

#[test]
fn a_target_that_is_taken_is_canonical() {
    smoke("target", target::check);
}

#[test]
fn only_tokens_that_were_issued_are_taken() {
    smoke("token", token::check);
}

#[test]
fn every_target_is_tried() {
    let names = |folder: &str| {
        let mut names: Vec<_> =
            files(&here().join(folder)).iter().map(|file| file.file_stem().unwrap().to_owned()).collect();
        names.sort();
        names
    };
    let tried = include_str!("smoke.rs").matches("\n    smoke(").count();
    assert_eq!((names("rules"), names("rules").len()), (names("fuzz_targets"), tried));
}

fn smoke(name: &str, check: Check) {
    let seeds: Vec<Vec<u8>> =
        files(&here().join("seeds").join(name)).iter().map(|file| fs::read(file).unwrap()).collect();
    assert!(seeds.len() >= 4, "{name} has {} seeds", seeds.len());
    let words = dictionary(name);
    for seed in &seeds {
        assert!(holds(name, check, seed), "a seed says nothing: {}", seed.escape_ascii());
    }
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let said = (0..ROUNDS).filter(|_| holds(name, check, &changed(&mut random, &seeds, &words))).count();
    assert!(said > ROUNDS / 4, "only {said} of {ROUNDS} inputs said anything");
}

/// Returns whether an input says anything; fails with the input if it breaks a rule.
fn holds(name: &str, check: Check, input: &[u8]) -> bool {
    catch_unwind(|| check(input).is_some()).unwrap_or_else(|_| panic!("{name} fails on \"{}\"", input.escape_ascii()))
}

fn changed(random: &mut Random, seeds: &[Vec<u8>], words: &[Vec<u8>]) -> Vec<u8> {
    let mut input = seeds[random.below(seeds.len())].clone();
    for _ in 0..=random.below(4) {
        let at = random.below(input.len() + 1);
        let end = (at + random.below(16)).min(input.len());
        match random.below(6) {
            0 if at < input.len() => input[at] ^= 1 << random.below(8),
            1 => input.insert(at, random.byte()),
            2 => drop(input.drain(at..end)),
            3 => input.extend_from_within(at..end),
            4 if !words.is_empty() => drop(input.splice(at..at, words[random.below(words.len())].iter().copied())),
            _ => {
                let other = &seeds[random.below(seeds.len())];
                input.truncate(at);
                input.extend(&other[random.below(other.len() + 1)..]);
            }
        }
    }
    input.truncate(LONGEST);
    input
}

/// Marsaglia's xorshift: good enough to choose with.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).unwrap() % bound
    }

    fn byte(&mut self) -> u8 {
        u8::try_from(self.below(256)).unwrap()
    }
}

fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// Returns the words that a target's inputs are made of, as libFuzzer's dictionaries write them: one a line, quoted.
fn dictionary(name: &str) -> Vec<Vec<u8>> {
    let text = fs::read_to_string(here().join("seeds").join(format!("{name}.dict"))).unwrap_or_default();
    let quoted = text.lines().filter_map(|line| line.strip_prefix('"')?.strip_suffix('"'));
    quoted.map(|word| unescape(word.as_bytes())).collect()
}

fn unescape(word: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = word;
    while let Some((first, after)) = rest.split_first() {
        rest = match (first, after) {
            (b'\\', [b'x', high, low, after @ ..]) => {
                let digits = [*high, *low];
                bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap());
                after
            }
            (b'\\', [escaped, after @ ..]) => {
                bytes.push(*escaped);
                after
            }
            _ => {
                bytes.push(*first);
                after
            }
        };
    }
    bytes
}
