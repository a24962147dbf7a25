//! What the outside can watch: log lines, access lines, audit lines, metrics. Never a token, password or cookie.
//! Access and audit lines go to stdout, the log to stderr, both through a [`sink`]; nothing here makes a worker wait.

pub mod access;
pub mod audit;
pub mod json;
pub mod log;
pub mod metrics;
pub mod sink;
