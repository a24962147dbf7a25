//! What the outside can watch: log lines, access lines, audit lines, metrics. Never a token, password or cookie.

pub mod audit;
