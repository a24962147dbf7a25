//! What the contract promises, asked of the real binary over real sockets. Nothing here looks inside; see `harness`.
#![allow(clippy::unwrap_used)]

mod accounts;
mod attacks;
mod cli;
mod harness;
mod harness_works;
mod lifecycle;
mod logs;
mod selftest;
mod serving;
mod streaming;
