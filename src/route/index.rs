//! Routes by host and path: one look-up per segment, from the longest prefix that any route has down to the root.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::pattern::HostPattern;

/// The places of routes, by the host patterns and the path keys they were given under.
#[derive(Debug, Default)]
pub(super) struct HostIndex {
    exact: HashMap<String, PathIndex, RandomState>,
    suffixes: HashMap<String, PathIndex, RandomState>,
    any: PathIndex,
}

impl HostIndex {
    /// Adds a route below those already there.
    pub(super) fn insert(&mut self, host: &HostPattern, key: String, place: usize) {
        let index = match host {
            HostPattern::Any => &mut self.any,
            HostPattern::Exact(name) => self.exact.entry(name.clone()).or_default(),
            HostPattern::Suffix(name) => self.suffixes.entry(name.clone()).or_default(),
        };
        index.insert(key, place);
    }

    /// Returns the places that share host pattern and prefix, one list for each.
    pub(super) fn shared(&self) -> impl Iterator<Item = &[usize]> {
        let indexes = self.exact.values().chain(self.suffixes.values()).chain([&self.any]);
        indexes.flat_map(PathIndex::shared)
    }

    /// Returns the first place that `serves`, at the longest host that has one, then at the longest prefix.
    pub(super) fn find(&self, host: &str, key: &str, serves: impl Fn(usize) -> bool) -> Option<usize> {
        let within = |index: &PathIndex| index.find(key, &serves);
        if let Some(place) = self.exact.get(host).and_then(within) {
            return Some(place);
        }
        if !self.suffixes.is_empty() {
            // The first dot begins the longest suffix; a dot at the very start has no label in front.
            for (at, _) in host.match_indices('.').filter(|&(at, _)| at > 0) {
                if let Some(place) = self.suffixes.get(&host[at..]).and_then(within) {
                    return Some(place);
                }
            }
        }
        within(&self.any)
    }
}

/// Routes of one host pattern by path.
#[derive(Debug, Default)]
struct PathIndex {
    /// From a prefix (its key: the root is the empty text) to the places of its routes, those with a list of methods first.
    places: HashMap<String, Vec<usize>, RandomState>,
    longest: usize,
}

impl PathIndex {
    /// Adds a route below those already there.
    fn insert(&mut self, key: String, place: usize) {
        self.longest = self.longest.max(key.len());
        self.places.entry(key).or_default().push(place);
    }

    /// Returns the places that share a prefix, one list per prefix.
    fn shared(&self) -> impl Iterator<Item = &[usize]> {
        self.places.values().map(Vec::as_slice)
    }

    /// Returns the first place that `serves`, at the longest prefix that has one. No allocation, and no hashing of
    /// more than the longest prefix, so that a path of a thousand segments costs no more than a short one.
    fn find(&self, path: &str, serves: impl Fn(usize) -> bool) -> Option<usize> {
        let mut prefix = if path.len() > self.longest {
            let end = memchr::memrchr(b'/', &path.as_bytes()[..=self.longest])?;
            &path[..end]
        } else {
            path.strip_suffix('/').unwrap_or(path)
        };
        loop {
            let routes = self.places.get(prefix).map_or(&[][..], Vec::as_slice);
            if let Some(place) = routes.iter().copied().find(|&place| serves(place)) {
                return Some(place);
            }
            prefix = &prefix[..prefix.rfind('/')?];
        }
    }
}
