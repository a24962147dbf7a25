//! Finds rules that are allowed together but hardly meant so: a request that the upstream takes for one that another rule
//! protects, and passes under a weaker one. Each is shown with a request that proves it, found by the table itself.
//! Pure; the configuration calls it and says where in the file the rules stand.

use std::collections::{BTreeMap, BTreeSet};

use http::Method;

use super::pattern::HostPattern;
use super::table::{Route, Table, is_below};
use crate::policy::{Access, Demands};

/// A request as a person would write it; the host is empty when any will do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub method: Method,
    pub host: String,
    pub path: String,
}

/// Rules at odds, as their places in the list that the table was built from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lint {
    /// `request` falls under the rule at `weaker` and reaches the upstream as `seen_as`, which is how requests under the rule at
    /// `guarded` reach it (Traefik CVE-2026-48020 and kin).
    Rewritten { guarded: usize, weaker: usize, request: Request, seen_as: String },
    /// The rule at `weaker` names a host and so wins over the one at `guarded`, although that one has the longer path.
    HostWins { guarded: usize, weaker: usize, request: Request },
    /// The rule at `guarded` is for reading only; who writes to the same path falls under the wider one at `weaker`.
    WritesPass { guarded: usize, weaker: usize, request: Request },
    /// No request falls under the rule: each could be read as one that another rule protects.
    NeverMatches { route: usize },
}

/// Returns what is doubtful, at most once for each rule to change. `then` of each route stands for what it leads to: two that
/// share an upstream share the value.
pub fn find_doubts<U: Copy + Ord>(table: &Table<U>) -> Vec<Lint> {
    let mut doubts = never_matching(table);
    // Only what leads to the same place can give away what is there.
    let mut groups: BTreeMap<U, Vec<usize>> = BTreeMap::new();
    for (place, route) in table.routes().iter().enumerate() {
        groups.entry(route.then).or_default().push(place);
    }
    let mut told = BTreeSet::new();
    for group in groups.values() {
        let guards = group.iter().filter(|place| matches!(table.routes()[**place].access, Access::Protected(_)));
        for pair in guards.flat_map(|&guarded| group.iter().map(move |&weaker| Pair { guarded, weaker })) {
            // Several rules that one other undermines are one mistake.
            if let Some(doubt) = pair.judge(table)
                && told.insert(doubt.place_to_change())
            {
                doubts.push(doubt);
            }
        }
    }
    doubts.sort_by_key(Lint::place_to_change);
    doubts
}

impl Lint {
    fn place_to_change(&self) -> usize {
        match self {
            Self::Rewritten { weaker, .. } | Self::HostWins { weaker, .. } => *weaker,
            Self::WritesPass { guarded, .. } => *guarded,
            Self::NeverMatches { route } => *route,
        }
    }
}

fn never_matching<U>(table: &Table<U>) -> Vec<Lint> {
    let is_lost = |route: &Route<U>| {
        let method = route.methods.first().unwrap_or(&Method::GET);
        table.find(&sample_host(&route.host), route.path.as_str(), method).is_none()
    };
    let lost = table.routes().iter().enumerate().filter(|(_, route)| is_lost(route));
    lost.map(|(route, _)| Lint::NeverMatches { route }).collect()
}

#[derive(Clone, Copy)]
struct Pair {
    guarded: usize,
    weaker: usize,
}

impl Pair {
    /// Returns how a request passes the weaker rule and reaches what the other guards, if one does.
    fn judge<U>(self, table: &Table<U>) -> Option<Lint> {
        let (guard, weak) = (&table.routes()[self.guarded], &table.routes()[self.weaker]);
        if !lets_more_pass(&weak.access, &guard.access) {
            return None;
        }
        // The same requests in the same spelling: whoever wrote both rules knew of both.
        if weak.path == guard.path && weak.strip_prefix == guard.strip_prefix {
            return None;
        }
        let host = sample_host(narrower(&guard.host, &weak.host)?);
        let seen_as = seen_by_upstream(guard);
        let path = spelt_for(weak, &seen_as);
        if !is_below(&path_key(&path), &weak.path.key()) {
            return None;
        }
        let passes = |method: &Method| {
            let found = table.find(&host, &path, method);
            found.is_some_and(|found| std::ptr::eq(found, weak))
        };
        let request = |method: Method| Request { method, host: host.clone(), path: path.clone() };
        let Self { guarded, weaker } = self;
        let is_rewritten = is_stripping(weak) || is_stripping(guard);
        match shared_method(guard, weak).filter(passes).map(request) {
            Some(request) if is_rewritten => return Some(Lint::Rewritten { guarded, weaker, request, seen_as }),
            Some(request) => return Some(Lint::HostWins { guarded, weaker, request }),
            None => {}
        }
        let method = unguarded_writes(guard, weak).into_iter().find(|method| !is_rewritten && passes(method))?;
        Some(Lint::WritesPass { guarded, weaker, request: request(method) })
    }
}

/// Returns the methods that change things, which `weak` serves and `guard` leaves out although it serves reading. A rule for
/// writing alone leaves reading to others on purpose.
fn unguarded_writes<U>(guard: &Route<U>, weak: &Route<U>) -> Vec<Method> {
    if !guard.serves(&Method::GET) {
        return Vec::new();
    }
    let writing = [Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
    writing.into_iter().filter(|method| !guard.serves(method) && weak.serves(method)).collect()
}

/// Whether somebody passes `weak` who doesn't pass `guard`.
fn lets_more_pass(weak: &Access, guard: &Access) -> bool {
    let Access::Protected(guard) = guard else { return false };
    let Access::Protected(weak) = weak else { return true };
    let Demands { roles, scopes } = weak;
    let is_role_enough =
        guard.roles.is_empty() || (!roles.is_empty() && roles.iter().all(|role| guard.roles.contains(role)));
    let are_scopes_enough = guard.scopes.iter().all(|scope| scopes.contains(scope));
    !(is_role_enough && are_scopes_enough)
}

/// Returns the pattern whose hosts fall under both; `None` if there are none.
fn narrower<'p>(one: &'p HostPattern, other: &'p HostPattern) -> Option<&'p HostPattern> {
    match (one.covers(other), other.covers(one)) {
        (true, _) => Some(other),
        (false, true) => Some(one),
        (false, false) => None,
    }
}

/// Returns a host under the pattern and under no narrower one.
fn sample_host(pattern: &HostPattern) -> String {
    match pattern {
        HostPattern::Any => String::new(),
        HostPattern::Exact(name) => name.clone(),
        HostPattern::Suffix(suffix) => format!("*{suffix}"),
    }
}

fn is_stripping<U>(route: &Route<U>) -> bool {
    route.strip_prefix && route.path.as_str() != "/"
}

/// Returns how the upstream sees the path of the route itself.
fn seen_by_upstream<U>(route: &Route<U>) -> String {
    if is_stripping(route) { "/".to_owned() } else { route.path.as_str().to_owned() }
}

/// Returns what a client asks for so that the upstream sees `path` by way of `route`.
fn spelt_for<U>(route: &Route<U>, path: &str) -> String {
    if is_stripping(route) { format!("{}{path}", route.path.as_str()) } else { path.to_owned() }
}

fn path_key(path: &str) -> String {
    let key = crate::http::path::comparable(path);
    key.strip_suffix('/').unwrap_or(&key).to_owned()
}

/// Returns a method that both serve.
fn shared_method<U>(one: &Route<U>, other: &Route<U>) -> Option<Method> {
    if one.methods.is_empty() && other.methods.is_empty() {
        return Some(Method::GET);
    }
    let named = one.methods.iter().chain(&other.methods);
    named.into_iter().find(|method| one.serves(method) && other.serves(method)).cloned()
}

#[cfg(test)]
mod tests;
