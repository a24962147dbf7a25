//! account

pub mod admin;
