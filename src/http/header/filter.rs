//! Takes out of a request every header by which a client could speak in our name.

use http::{HeaderMap, HeaderName};

use super::names::{IDENTITY, IDENTITY_PREFIXES, OVERRIDE_PREFIXES, OVERRIDES, REBUILT};
use super::{fold, folded, folded_starts_with, remove_forbidden_trailers};
use crate::http::fields::{Fields, Lookup};

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
        let mut names: Vec<(Box<[u8]>, Kind)> = known
            .chain(rebuilt)
            .chain(overrides)
            .map(|(name, kind)| (folded(name.as_bytes()).collect(), kind))
            .collect();
        names.sort();
        names.dedup_by(|later, earlier| later.0 == earlier.0);
        let identity = IDENTITY_PREFIXES.iter().map(|&prefix| (prefix.into(), Kind::Identity));
        let prefixes: Vec<(Box<str>, Kind)> =
            identity.chain(OVERRIDE_PREFIXES.iter().map(|&prefix| (prefix.into(), Kind::Override))).collect();
        let lengths = listed_lengths(&names, &prefixes);
        Self { names, prefixes, allowed: allowed.to_vec(), lengths }
    }

    /// Removes every header that a client may not send, in one walk.
    pub fn strip(&self, fields: &mut Fields) {
        let passing: Vec<&HeaderName> = self.allowed.iter().filter(|name| fields.only(name).is_some()).collect();
        fields.remove_where(|name| self.is_forbidden(name, &passing));
    }

    /// Removes from a request's trailers what its head may not hold, and what no trailer section may.
    pub fn strip_trailers(&self, trailers: &mut HeaderMap) {
        let mut fields = Fields::from(std::mem::take(trailers));
        self.strip(&mut fields);
        *trailers = fields.into_map();
        remove_forbidden_trailers(trailers);
    }

    /// Whether the name, in any spelling, is an identity header: ours, a known one's or a configured one's.
    pub fn is_identity(&self, name: &[u8]) -> bool {
        self.kind(name) == Some(Kind::Identity)
    }

    /// `passing` are the names that are allowed and came once.
    fn is_forbidden(&self, name: &[u8], passing: &[&HeaderName]) -> bool {
        let is_loose = memchr::memchr2(b'_', b'.', name).is_some();
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        let is_allowed = || passing.iter().any(|allowed| is(allowed.as_str()));
        match self.kind(name) {
            Some(Kind::Identity) => true,
            Some(Kind::Rebuilt) => !REBUILT.iter().any(|known| is(known)),
            Some(Kind::Override) => !is_allowed(),
            None => is_loose && !is_allowed(),
        }
    }

    fn kind(&self, name: &[u8]) -> Option<Kind> {
        let first = fold(*name.first()?);
        if self.lengths[usize::from(first)] & length_bit(name.len()) == 0 {
            return None;
        }
        let by_name = self.names.binary_search_by(|(known, _)| known.iter().copied().cmp(folded(name)));
        if let Ok(at) = by_name {
            return Some(self.names[at].1);
        }
        self.prefixes.iter().find(|(prefix, _)| folded_starts_with(name, prefix.as_bytes())).map(|&(_, kind)| kind)
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
