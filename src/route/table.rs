//! The table of routes: built once per configuration, read by every request.
//! A request that falls under two rules, depending on how freely its path is read, falls under none.

use http::Method;

use super::index::HostIndex;
use super::pattern::{HostPattern, PathPrefix};
use super::reading::{free_readings, is_plain, with_slashes_read};
use crate::http::path::comparable;
use crate::policy::Access;

/// One rule. `T` is what the gateway does with a match: its upstream and the like.
#[derive(Clone, Debug)]
pub struct Route<T> {
    pub host: HostPattern,
    pub path: PathPrefix,
    /// Empty: every method. Otherwise HEAD is matched where GET is.
    pub methods: Vec<Method>,
    pub access: Access,
    pub strip_prefix: bool,
    pub keep_encoded_slash: bool,
    pub then: T,
}

/// Every route of a configuration.
#[derive(Debug)]
pub struct Table<T> {
    routes: Vec<Route<T>>,
    by_path: HostIndex,
    /// By paths in lower case: what an upstream that minds no case may take a path for.
    by_folded_path: HostIndex,
    /// Whether some route's path has capitals, so that a path without any may be another one in other case.
    has_capitals: bool,
}

/// Two routes ask for the same requests: their places in the list that the table was built from.
#[derive(Debug, PartialEq, Eq)]
pub struct Duplicate {
    pub first: usize,
    pub second: usize,
}

/// `keep_encoded_slash` at one place, and a narrower route below it with other access, that an escaped slash could lead to.
#[derive(Debug, PartialEq, Eq)]
pub struct SlashConflict {
    pub kept: usize,
    pub narrower: usize,
}

/// Why a route does not serve a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mismatch {
    OtherHost,
    OtherPath,
    OtherMethod,
    /// It matches, but the route at this place is more specific.
    Outranked {
        by: usize,
    },
    /// It would match, but an upstream may read the path as one that another rule protects: no route serves it.
    Ambiguous,
}

/// An upstream may read the path as one that another rule protects.
struct Ambiguous;

impl<T> Table<T> {
    /// Returns the table, or every pair that can't be told apart: same host, same path, and a method in common at equal rank.
    pub fn build(routes: Vec<Route<T>>) -> Result<Self, Vec<Duplicate>> {
        let (by_path, by_folded_path) = (HostIndex::default(), HostIndex::default());
        let mut table = Self { routes, by_path, by_folded_path, has_capitals: false };
        let mut order: Vec<usize> = (0..table.routes.len()).collect();
        order.sort_by_key(|&place| table.routes[place].methods.is_empty());
        for place in order {
            let route = &table.routes[place];
            let (key, folded) = (route.path.key(), route.path.key().to_lowercase());
            table.has_capitals |= key != folded;
            table.by_path.insert(&route.host, key, place);
            table.by_folded_path.insert(&route.host, folded, place);
        }
        let duplicates = table.duplicates();
        if duplicates.is_empty() { Ok(table) } else { Err(duplicates) }
    }

    /// Returns the route with the longest host, then longest path, then a list of methods, that matches; `host` and `path` canonical.
    /// Costs one look-up per path segment, however many routes there are. None also when [`Table::is_ambiguous`].
    pub fn find(&self, host: &str, path: &str, method: &Method) -> Option<&Route<T>> {
        self.locate(host, path, method).ok().flatten().map(|place| &self.routes[place])
    }

    /// Whether the request has no route because an upstream could take its path for one that another rule protects:
    /// `/admin;x` under a public `/` beside a protected `/admin`, say. Such a target is 400, not 404.
    pub fn is_ambiguous(&self, host: &str, path: &str, method: &Method) -> bool {
        self.locate(host, path, method).is_err()
    }

    /// Returns, for each route in configuration order, `Ok` for the one that [`Table::find`] returns and why not for the others.
    pub fn explain(&self, host: &str, path: &str, method: &Method) -> Vec<Result<(), Mismatch>> {
        let located = self.locate(host, path, method);
        let key = comparable(path);
        let judge = |(place, route): (usize, &Route<T>)| {
            if !route.host.matches(host) {
                return Err(Mismatch::OtherHost);
            }
            if !is_below(&key, &route.path.key()) {
                return Err(Mismatch::OtherPath);
            }
            if !route.serves(method) {
                return Err(Mismatch::OtherMethod);
            }
            match located {
                Ok(Some(found)) if found == place => Ok(()),
                Ok(Some(by)) => Err(Mismatch::Outranked { by }),
                Ok(None) | Err(Ambiguous) => Err(Mismatch::Ambiguous),
            }
        };
        self.routes.iter().enumerate().map(judge).collect()
    }

    /// Returns every pair that `encoded_slash = "keep"` sets at odds; a configuration must have none.
    pub fn slash_conflicts(&self) -> Vec<SlashConflict> {
        let mut found = Vec::new();
        for (kept, wide) in self.routes.iter().enumerate().filter(|(_, route)| route.keep_encoded_slash) {
            let prefix = wide.path.key();
            let is_at_odds = |other: &Route<T>| {
                let key = other.path.key();
                key != prefix && is_below(&key, &prefix) && wide.host.covers(&other.host) && other.access != wide.access
            };
            let narrower = self.routes.iter().enumerate().filter(|(_, other)| is_at_odds(other));
            found.extend(narrower.map(|(narrower, _)| SlashConflict { kept, narrower }));
        }
        found
    }

    pub fn routes(&self) -> &[Route<T>] {
        &self.routes
    }

    fn locate(&self, host: &str, path: &str, method: &Method) -> Result<Option<usize>, Ambiguous> {
        if is_plain(path) {
            let found = self.look_up(host, path, method);
            return match found {
                Some(place) if self.is_another_in_lower_case(place, host, path, method) => Err(Ambiguous),
                Some(_) | None => Ok(found),
            };
        }
        let mut key = comparable(path).into_owned();
        let Some(place) = self.look_up(host, &key, method) else { return Ok(None) };
        let holds = |reading: &String| {
            let same = self.look_up(host, reading, method).is_some_and(|other| self.gains_nothing(place, other));
            same && !self.is_another_in_lower_case(place, host, reading, method)
        };
        if self.routes[place].keep_encoded_slash {
            key = with_slashes_read(&key);
            if !holds(&key) {
                return Err(Ambiguous);
            }
        }
        if free_readings(&key).iter().all(holds) { Ok(Some(place)) } else { Err(Ambiguous) }
    }

    /// Returns the most specific route for a comparable path.
    fn look_up(&self, host: &str, key: &str, method: &Method) -> Option<usize> {
        self.by_path.find(host, key, |place| self.routes[place].serves(method))
    }

    /// Whether nobody who was let through by the rule at `found` is the better off where the one at `other` rules:
    /// where everybody may go, or under the same demands.
    fn gains_nothing(&self, found: usize, other: usize) -> bool {
        let other = &self.routes[other].access;
        matches!(other, Access::Public | Access::Optional) || *other == self.routes[found].access
    }

    /// Whether an upstream that minds no case may take the path for one under another rule than that at `found`.
    /// Rules whose paths differ in case alone tell the two apart on purpose.
    fn is_another_in_lower_case(&self, found: usize, host: &str, key: &str, method: &Method) -> bool {
        if !self.has_capitals && !key.bytes().any(|byte| byte.is_ascii_uppercase() || !byte.is_ascii()) {
            return false;
        }
        let folded = |place: usize| self.routes[place].path.key().to_lowercase();
        let serves = |place: usize| self.routes[place].serves(method);
        let other = self.by_folded_path.find(host, &key.to_lowercase(), serves);
        other.is_some_and(|other| !self.gains_nothing(found, other) && folded(found) != folded(other))
    }

    fn duplicates(&self) -> Vec<Duplicate> {
        let mut found = Vec::new();
        for places in self.by_path.shared() {
            for (at, &one) in places.iter().enumerate() {
                for &other in &places[at + 1..] {
                    if self.routes[one].rivals(&self.routes[other]) {
                        found.push(Duplicate { first: one.min(other), second: one.max(other) });
                    }
                }
            }
        }
        found.sort_by_key(|pair| (pair.first, pair.second));
        found
    }
}

impl<T> Route<T> {
    pub(super) fn serves(&self, method: &Method) -> bool {
        self.methods.is_empty()
            || self.methods.contains(method)
            || (method == Method::HEAD && self.methods.contains(&Method::GET))
    }

    /// Whether two routes of one host and path want the same requests at the same rank.
    fn rivals(&self, other: &Self) -> bool {
        if self.methods.is_empty() || other.methods.is_empty() {
            return self.methods.is_empty() && other.methods.is_empty();
        }
        self.methods.iter().any(|method| other.serves(method)) || other.methods.iter().any(|method| self.serves(method))
    }
}

/// Whether `path` is `prefix` (the key of a pattern) or below it by whole segments.
pub(super) fn is_below(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests;
