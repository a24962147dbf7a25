//! Rates: how often something may happen per key, in tables that can't grow without bound. Pure: `now` comes in.

pub mod bucket;
mod rate;
