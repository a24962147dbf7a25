#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};

#[path = "../rules/email.rs"]
mod email;

fuzz_target!(|data: &[u8]| -> Corpus { email::check(data).map_or(Corpus::Reject, |()| Corpus::Keep) });
