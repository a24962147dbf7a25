//! Takes out of a request every header by which a client could speak in our name.

use http::{HeaderMap, HeaderName};

use super::names::{IDENTITY, IDENTITY_PREFIXES, OVERRIDE_PREFIXES, OVERRIDES, REBUILT};
use super::{fold, folded, folded_starts_with, remove_forbidden_trailers};

/// What to do with names of one kind. The order is that of precedence: a name of several kinds is the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Identity,
    Rebuilt,
    Override,
}

/// The header names that no client may send, of one configuration.
#[derive(Debug)]
pub struct IdentityFilter {
    /// Folded names, sorted, and folded beginnings; first come identity headers.
    names: Vec<(Box<[u8]>, Kind)>,
    prefixes: Vec<(Box<str>, Kind)>,
    allowed: Vec<HeaderName>,
    /// For each first character, the lengths that a listed name has (bit 63: that long or longer): one look tells that an
    /// ordinary header is in no list.
    lengths: [u64; 256],
}

impl IdentityFilter {
    /// Returns the filter for the `configured` identity headers beside the known ones, which lets `allowed` pass where
    /// only spelling or kin speaks against a name. Identity headers never pass.
    pub fn new(configured: &[HeaderName], allowed: &[HeaderName]) -> Self {
        let known = IDENTITY
            .iter()
            .copied()
            .chain(configured.iter().map(HeaderName::as_str))
            .map(|name| (name, Kind::Identity));
        let rebuilt = REBUILT.iter().map(|&name| (name, Kind::Rebuilt));
        let overrides = OVERRIDES.iter().map(|&name| (name, Kind::Override));
        let mut names: Vec<(Box<[u8]>, Kind)> =
            known.chain(rebuilt).chain(overrides).map(|(name, kind)| (folded(name).collect(), kind)).collect();
        names.sort();
        names.dedup_by(|later, earlier| later.0 == earlier.0);
        let identity = IDENTITY_PREFIXES.iter().map(|&prefix| (prefix.into(), Kind::Identity));
        let prefixes: Vec<(Box<str>, Kind)> =
            identity.chain(OVERRIDE_PREFIXES.iter().map(|&prefix| (prefix.into(), Kind::Override))).collect();
        let lengths = listed_lengths(&names, &prefixes);
        Self { names, prefixes, allowed: allowed.to_vec(), lengths }
    }

    /// Removes every header that a client may not send. Costs one walk, and no allocation while there is nothing to remove.
    pub fn strip(&self, headers: &mut HeaderMap) {
        let mut forbidden = Vec::new();
        for name in headers.keys() {
            if self.is_forbidden(name, headers) {
                forbidden.push(name.clone());
            }
        }
        for name in forbidden {
            headers.remove(name);
        }
    }

    /// Removes from a request's trailers what its head may not hold, and what no trailer section may.
    pub fn strip_trailers(&self, trailers: &mut HeaderMap) {
        self.strip(trailers);
        remove_forbidden_trailers(trailers);
    }

    /// Whether the name, in any spelling, is an identity header: ours, a known one's or a configured one's.
    pub fn is_identity(&self, name: &HeaderName) -> bool {
        self.kind(name.as_str()) == Some(Kind::Identity)
    }

    fn is_forbidden(&self, name: &HeaderName, headers: &HeaderMap) -> bool {
        let text = name.as_str();
        let is_loose = memchr::memchr2(b'_', b'.', text.as_bytes()).is_some();
        let is_allowed = || self.allowed.contains(name) && headers.get_all(name).iter().nth(1).is_none();
        match self.kind(text) {
            Some(Kind::Identity) => true,
            Some(Kind::Rebuilt) => !REBUILT.contains(&text),
            Some(Kind::Override) => !is_allowed(),
            None => is_loose && !is_allowed(),
        }
    }

    fn kind(&self, name: &str) -> Option<Kind> {
        let first = fold(*name.as_bytes().first()?);
        if self.lengths[usize::from(first)] & length_bit(name.len()) == 0 {
            return None;
        }
        let by_name = self.names.binary_search_by(|(known, _)| known.iter().copied().cmp(folded(name)));
        if let Ok(at) = by_name {
            return Some(self.names[at].1);
        }
        self.prefixes.iter().find(|(prefix, _)| folded_starts_with(name, prefix)).map(|&(_, kind)| kind)
    }
}

fn listed_lengths(names: &[(Box<[u8]>, Kind)], prefixes: &[(Box<str>, Kind)]) -> [u64; 256] {
    let mut lengths = [0; 256];
    for (name, _) in names {
        lengths[usize::from(name[0])] |= length_bit(name.len());
    }
    for (prefix, _) in prefixes {
        let and_longer = u64::MAX << prefix.len().min(63);
        lengths[usize::from(prefix.as_bytes()[0])] |= and_longer;
    }
    lengths
}

fn length_bit(length: usize) -> u64 {
    1 << length.min(63)
}
