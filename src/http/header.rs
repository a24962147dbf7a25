//! Families of header names: hop-by-hop, identity aliases, and those by which an app would replace path or method.
//! Says what must not pass from a client to an upstream; what is set instead is the gateway's.
//! The lists stand in [`names`], once, for code and tests alike.

mod filter;
mod hop;
pub mod names;

pub use filter::IdentityFilter;
pub use hop::{lists, remove_forbidden_trailers, remove_hop_by_hop};

/// A header name as CGI, WSGI and PHP merge names: lower case, every character but letters and digits read as `-`.
pub fn folded(name: &[u8]) -> impl Iterator<Item = u8> + Clone {
    name.iter().copied().map(fold)
}

/// Whether two names are one to an app that merges names.
pub fn folded_eq(one: impl AsRef<[u8]>, other: impl AsRef<[u8]>) -> bool {
    let (one, other) = (one.as_ref(), other.as_ref());
    one.len() == other.len() && folded(one).eq(folded(other))
}

/// Whether `name` begins with `prefix` to an app that merges names.
fn folded_starts_with(name: &[u8], prefix: &[u8]) -> bool {
    name.len() >= prefix.len() && folded(prefix).eq(folded(name).take(prefix.len()))
}

fn fold(byte: u8) -> u8 {
    if byte.is_ascii_alphanumeric() { byte.to_ascii_lowercase() } else { b'-' }
}

#[cfg(test)]
mod tests;
