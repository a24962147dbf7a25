#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};

#[path = "../rules/cookie.rs"]
mod cookie;

fuzz_target!(|data: &[u8]| -> Corpus { cookie::check(data).map_or(Corpus::Reject, |()| Corpus::Keep) });
