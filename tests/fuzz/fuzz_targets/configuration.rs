#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};

#[path = "../rules/configuration.rs"]
mod configuration;

fuzz_target!(|data: &[u8]| -> Corpus { configuration::check(data).map_or(Corpus::Reject, |()| Corpus::Keep) });
