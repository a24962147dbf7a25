#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};

#[path = "../rules/header_filter.rs"]
mod header_filter;

fuzz_target!(|data: &[u8]| -> Corpus { header_filter::check(data).map_or(Corpus::Reject, |()| Corpus::Keep) });
