#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};

#[path = "../rules/http2_frames.rs"]
mod http2_frames;

fuzz_target!(|data: &[u8]| -> Corpus { http2_frames::check(data).map_or(Corpus::Reject, |()| Corpus::Keep) });
