#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};

#[path = "../rules/request_head.rs"]
mod request_head;

fuzz_target!(|data: &[u8]| -> Corpus { request_head::check(data).map_or(Corpus::Reject, |()| Corpus::Keep) });
