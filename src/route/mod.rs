//! Which rule a request falls under: whole-segment prefixes, hosts, methods; the most specific wins.
//! Pure: patterns are checked when the table is built, so that finding can't fail half-way.

mod index;
pub mod lint;
pub mod pattern;
mod reading;
pub mod table;
