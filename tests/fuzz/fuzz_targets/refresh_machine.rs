#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};

#[path = "../rules/refresh_machine.rs"]
mod refresh_machine;

fuzz_target!(|data: &[u8]| -> Corpus { refresh_machine::check(data).map_or(Corpus::Reject, |()| Corpus::Keep) });
