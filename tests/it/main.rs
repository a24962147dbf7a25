//! What the contract promises, asked of the real binary over real sockets. Nothing here looks inside; see `harness`.
// Requests are written as text here, plainly rather than cheaply.
#![allow(clippy::unwrap_used, clippy::format_push_string, clippy::format_collect)]

mod accounts;
mod attacks;
mod cli;
mod harness;
mod harness_works;
mod lifecycle;
mod logs;
mod mail;
mod mongodb;
mod selftest;
mod serving;
mod store;
mod streaming;
