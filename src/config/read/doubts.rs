//! Routes that are allowed together but hardly meant so, as warnings: what `route::lint` finds, with its place and the way out.
//! Called when the routes have been read and are right.

use super::routes::Placed;
use super::upstreams::Upstreams;
use crate::policy::Access;
use crate::route::lint::{Lint, Request, find_doubts};
use crate::route::table::Table;

pub(super) fn warn_of_doubts(routes: &[Placed<'_>], upstreams: &Upstreams<'_>) {
    let entry = |placed: &Placed<'_>| {
        let lead = upstreams.same_servers(placed.route.upstream)?;
        Some(placed.route.entry(lead))
    };
    let Some(entries) = routes.iter().map(entry).collect::<Option<Vec<_>>>() else { return };
    let Ok(table) = Table::build(entries) else { return };
    for doubt in find_doubts(&table) {
        let (placed, key, text) = worded(&doubt, routes);
        let Placed { section, .. } = placed;
        section.document.warn(&section.at(key), &format!("{}.{key}: {text}", section.path));
    }
}

/// Returns the route to change, the key of it that is meant, and what to say.
fn worded<'r, 's>(doubt: &Lint, routes: &'r [Placed<'s>]) -> (&'r Placed<'s>, &'static str, String) {
    match doubt {
        Lint::Rewritten { guarded, weaker, request, seen_as } => {
            let (guard, weak) = (&routes[*guarded], &routes[*weaker]);
            let text = format!(
                "{} reaches the upstream as `{seen_as}`, which the {} guards, {}; give one of the two another upstream, \
                 or leave strip_prefix out",
                shown(request),
                described(guard),
                passed_by(weak)
            );
            (if weak.route.strip_prefix { weak } else { guard }, "strip_prefix", text)
        }
        Lint::HostWins { guarded, weaker, request } => {
            let text = format!(
                "{} falls under this route, {}, and not under the {}: the longer host wins over the longer path; add a route \
                 for this host and `{}`",
                shown(request),
                passed_by(&routes[*weaker]),
                described(&routes[*guarded]),
                request.path
            );
            (&routes[*weaker], "host", text)
        }
        Lint::WritesPass { guarded, weaker, request } => {
            let text = format!(
                "{} falls under the {}, {}, while reading is guarded; add the method, or a route that says who may write",
                shown(request),
                described(&routes[*weaker]),
                passed_by(&routes[*weaker])
            );
            (&routes[*guarded], "methods", text)
        }
        Lint::NeverMatches { route } => {
            let text =
                "no request falls under this route: an upstream could read each as one for a route with other access";
            (&routes[*route], "path", format!("{text}; give both the same access"))
        }
    }
}

fn shown(request: &Request) -> String {
    format!("`{} {}{}`", request.method, request.host, request.path)
}

fn described(placed: &Placed<'_>) -> String {
    let Placed { section, route } = placed;
    format!("route for `{}` at {}", route.path.as_str(), section.document.describe(&section.at("path")))
}

fn passed_by(weak: &Placed<'_>) -> &'static str {
    match weak.route.access {
        Access::Public => "and everybody passes",
        Access::Optional => "and callers without a credential pass",
        Access::Protected(_) => "and callers pass who lack what that one demands",
    }
}
