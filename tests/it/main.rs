//! What the contract promises, asked of the real binary over real sockets. Nothing here looks inside; see `harness`.
#![allow(clippy::unwrap_used)]

mod accounts;
mod harness;
mod harness_works;
mod selftest;
mod serving;
