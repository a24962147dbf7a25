#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};

#[path = "../rules/token.rs"]
mod token;

fuzz_target!(|data: &[u8]| -> Corpus { token::check(data).map_or(Corpus::Reject, |()| Corpus::Keep) });
