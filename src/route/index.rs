//! Routes of one host pattern by path: one look-up per segment, from the longest prefix that any route has down to the root.

use std::collections::HashMap;

#[derive(Debug, Default)]
pub(super) struct PathIndex {
    /// From a prefix (its key: the root is the empty text) to the places of its routes, those with a list of methods first.
    places: HashMap<String, Vec<usize>>,
    longest: usize,
}

impl PathIndex {
    /// Adds a route below those already there.
    pub(super) fn insert(&mut self, key: String, place: usize) {
        self.longest = self.longest.max(key.len());
        self.places.entry(key).or_default().push(place);
    }

    /// Returns the places that share a prefix, one list per prefix.
    pub(super) fn shared(&self) -> impl Iterator<Item = &[usize]> {
        self.places.values().map(Vec::as_slice)
    }

    /// Returns the first place that `serves`, at the longest prefix that has one. No allocation, and no hashing of
    /// more than the longest prefix, so that a path of a thousand segments costs no more than a short one.
    pub(super) fn find(&self, path: &str, serves: impl Fn(usize) -> bool) -> Option<usize> {
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
