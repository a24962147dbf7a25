#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};

#[path = "../rules/target.rs"]
mod target;

fuzz_target!(|data: &[u8]| -> Corpus { target::check(data).map_or(Corpus::Reject, |()| Corpus::Keep) });
