//! `[[route]]`: each route by itself, then all of them together: none twice, none that can't match,
//! and none that lets an encoded slash slip below a stricter one.

use std::cell::RefCell;

use http::Method;

use super::doubts::warn_of_doubts;
use super::upstreams::Upstreams;
use crate::config::document::{At, Fault};
use crate::config::section::{Section, choose, one_of};
use crate::config::settings::{Auth, CredentialPlace, Route, Settings, UpstreamId};
use crate::config::text::{self, Parsed};
use crate::identity::{Role, Scope};
use crate::policy::{Access, Demands};
use crate::route::pattern::{HostPattern, PathPrefix, PatternError};
use crate::route::table::Table;

const FIRST_ROUTE: &str =
    "add\n    [[route]]\n    path = \"/\"\n    access = \"protected\"\n    upstream = \"http://127.0.0.1:3000\"";

/// A route with its place in the file.
pub(super) struct Placed<'a> {
    pub section: Section<'a>,
    pub route: Route,
}

pub(super) fn routes(root: &Section<'_>, upstreams: &mut Upstreams<'_>, settings: &Settings) -> Vec<Route> {
    let mut sections = Vec::new();
    let is_clean = root.document.is_clean(|| sections = root.tables("route"));
    if is_clean && sections.is_empty() {
        let fault = Fault::new("no route", "at least one [[route]]").hint(Some(FIRST_ROUTE.to_owned()));
        root.document.refuse(&At::File, "route", fault);
    }
    let placed: Vec<Placed<'_>> = sections.into_iter().filter_map(|section| read(section, upstreams)).collect();
    for route in &placed {
        refuse_below_prefix(route, &settings.auth);
        if route.route.cors && settings.cors.is_none() {
            let hint = Some("add [cors] origins = [\"https://app.example.com\"]".to_owned());
            route.section.refuse("cors", Fault::new("true, and no origin in [cors]", "cors.origins").hint(hint));
        }
    }
    if root.document.is_clean(|| refuse_conflicts(placed.iter().collect())) {
        warn_of_doubts(&placed, upstreams);
    }
    placed.into_iter().map(|placed| placed.route).collect()
}

/// Returns the route, unless it is unclear which requests it is for.
fn read<'a>(section: Section<'a>, upstreams: &mut Upstreams<'_>) -> Option<Placed<'a>> {
    let mut path = PathPrefix::parse("/").expect("the root is canonical");
    let (mut host, mut methods) = (HostPattern::Any, Vec::new());
    let is_clear = section.document.is_clean(|| {
        section.parsed("path", &mut path, "a canonical path such as \"/api\"", canonical_path);
        let hosts = "\"app.example.com\", \"*.example.com\", or \"\" for every host";
        section.parsed("host", &mut host, hosts, |text| HostPattern::parse(text).map_err(|error| Some(way_out(error))));
        section.list("methods", &mut methods, "a method in capitals, such as \"GET\"", method);
    });
    let mut keep_encoded_slash = false;
    section.choice("encoded_slash", &mut keep_encoded_slash, &[("refuse", false), ("keep", true)]);
    let mut strip_prefix = false;
    section.bool("strip_prefix", &mut strip_prefix);
    let mut rate_limit = None;
    section.rate("rate_limit", &mut rate_limit);
    let mut cors = false;
    section.bool("cors", &mut cors);
    let (access, upstream, credentials) = (access(&section), upstream(&section, upstreams), credentials(&section));
    let route = Route {
        path,
        host,
        methods,
        access,
        upstream,
        strip_prefix,
        keep_encoded_slash,
        rate_limit,
        credentials,
        cors,
    };
    is_clear.then_some(Placed { section, route })
}

pub(super) fn canonical_path(text: &str) -> Parsed<PathPrefix> {
    PathPrefix::parse(text).map_err(|error| Some(way_out(error)))
}

fn way_out(error: PatternError) -> String {
    match error {
        PatternError::NotCanonical(canonical) => format!("write `{canonical}`"),
        PatternError::NotAbsolute | PatternError::Unreachable | PatternError::InvalidHost => error.to_string(),
    }
}

fn method(text: &str) -> Parsed<Method> {
    let upper = text.to_ascii_uppercase();
    if !text::is_token(text) {
        return Err(None);
    }
    if upper != text {
        return Err(Some(format!("write `{upper}`: methods are case-sensitive")));
    }
    Method::from_bytes(text.as_bytes()).map_err(|_| None)
}

#[derive(Clone, Copy)]
enum Kind {
    Public,
    Optional,
    Protected,
}

fn access(section: &Section<'_>) -> Access {
    let mut kind = Kind::Protected;
    let kinds = [("public", Kind::Public), ("optional", Kind::Optional), ("protected", Kind::Protected)];
    let kind_is_known = section.document.is_clean(|| section.choice("access", &mut kind, &kinds));
    let mut demands = Demands::default();
    section.list("roles", &mut demands.roles, ROLE, role);
    section.list("scopes", &mut demands.scopes, SCOPE, scope);
    let access = match kind {
        Kind::Public => Access::Public,
        Kind::Optional => Access::Optional,
        Kind::Protected => return Access::Protected(demands),
    };
    for (key, is_empty) in [("roles", demands.roles.is_empty()), ("scopes", demands.scopes.is_empty())] {
        if kind_is_known && !is_empty {
            let fault = Fault::new(format!("{key} on a route that lets others pass too"), "access = \"protected\"");
            section.refuse(key, fault.hint(Some(format!("set access = \"protected\", or leave `{key}` out"))));
        }
    }
    access
}

fn credentials(section: &Section<'_>) -> Vec<CredentialPlace> {
    let names = CredentialPlace::ALL.map(|(name, _)| name);
    let mut places = CredentialPlace::ALL.map(|(_, place)| place).to_vec();
    let parse = |text: &str| choose(text, &CredentialPlace::ALL);
    section.list("credentials", &mut places, &one_of(&names), parse);
    if places.is_empty() {
        section.refuse("credentials", Fault::new("no place for a credential", "at least one, or access = \"public\""));
    }
    places
}

pub(super) const ROLE: &str = "a role of 1 to 64 letters, digits, `-`, `_`, `.` or `:`";
pub(super) const SCOPE: &str = "a scope of 1 to 64 letters, digits, `-`, `_`, `.`, `:` or `/`";

pub(super) fn role(text: &str) -> Parsed<Role> {
    Role::parse(text).ok_or(None)
}

pub(super) fn scope(text: &str) -> Parsed<Scope> {
    Scope::parse(text).ok_or(None)
}

fn upstream(section: &Section<'_>, upstreams: &mut Upstreams<'_>) -> UpstreamId {
    let expected = "the name of an upstream, or a URL such as \"http://127.0.0.1:3000\" (http or https, without path)";
    // Stands for one that was refused; it stays inside, because then there are no settings either.
    let mut id = UpstreamId(usize::MAX);
    let upstreams = RefCell::new(upstreams);
    section.parsed("upstream", &mut id, expected, |text| upstreams.borrow_mut().find(text));
    if !section.is_set("upstream") {
        section.refuse("upstream", Fault::new("a route without `upstream`", expected));
    }
    id
}

fn refuse_below_prefix(placed: &Placed<'_>, auth: &Auth) {
    let (path, prefix) = (&placed.route.path, &auth.prefix);
    if path == prefix || is_below(path, prefix) {
        let fault = Fault::new(format!("`{}`, which can never match", path.as_str()), "a path outside auth.prefix");
        let hint = format!("our own endpoints live below `{}`; auth.prefix moves them", prefix.as_str());
        placed.section.refuse("path", fault.hint(Some(hint)));
    }
}

fn is_below(path: &PathPrefix, above: &PathPrefix) -> bool {
    let rest = path.as_str().strip_prefix(above.as_str().trim_end_matches('/'));
    path != above && rest.is_some_and(|rest| rest.starts_with('/'))
}

/// Refuses routes for the same requests, and `encoded_slash = "keep"` above a narrower route with other access: an upstream
/// that reads `%2F` as `/` would serve what the narrower one guards.
fn refuse_conflicts(mut placed: Vec<&Placed<'_>>) {
    let build = |placed: &[&Placed<'_>]| Table::build(placed.iter().map(|placed| placed.route.entry(())).collect());
    let mut table = build(&placed);
    if let Err(duplicates) = &mut table {
        // The third of three alike is one mistake and not two.
        duplicates.sort_by_key(|pair| (pair.second, pair.first));
        duplicates.dedup_by_key(|pair| pair.second);
        for duplicate in duplicates.iter().rev() {
            let second = placed.remove(duplicate.second);
            refuse_duplicate(placed[duplicate.first], second);
        }
        table = build(&placed);
    }
    let conflicts = table.map(|table| table.slash_conflicts()).unwrap_or_default();
    for pair in &conflicts {
        // Several narrower routes are one mistake of the wide one.
        if conflicts.iter().find(|other| other.kept == pair.kept) == Some(pair) {
            refuse_kept_slash(placed[pair.kept], placed[pair.narrower]);
        }
    }
}

fn refuse_duplicate(first: &Placed<'_>, second: &Placed<'_>) {
    let place = first.section.document.describe(&first.section.at("path"));
    let found = format!("a second route for the same requests to `{}`", second.route.path.as_str());
    let fault = Fault::new(found, "another host, path or methods").hint(Some(format!("the first is at {place}")));
    second.section.refuse("path", fault);
}

fn refuse_kept_slash(wide: &Placed<'_>, narrow: &Placed<'_>) {
    let place = narrow.section.document.describe(&narrow.section.at("path"));
    let found = format!("\"keep\" above `{}`, which has another access", narrow.route.path.as_str());
    let hint =
        format!("the narrower route is at {place}; give both the same access, or keep encoded slashes further down");
    wide.section.refuse("encoded_slash", Fault::new(found, "\"refuse\"").hint(Some(hint)));
}
