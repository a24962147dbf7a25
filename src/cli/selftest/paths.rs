//! Paths that lead to what is protected in one parser's eyes and not in another's: below the public prefix and up again, and the
//! protected path itself in other spellings (the corpus of Traefik's, Caddy's, Oathkeeper's and oauth2-proxy's advisories).

use percent_encoding::percent_decode_str;

use super::probe::{Expect, Family, Probe};
use super::site::Site;

/// Ways to write `..`, from plain to overlong.
const UP: &[&str] = &[
    "..",
    "%2e%2e",
    "%2E%2E",
    ".%2e",
    "%2e.",
    "%252e%252e",
    "..;",
    "..;x=1",
    "%2e%2e;",
    "..%00",
    "..%09",
    "..%20",
    "%c0%ae%c0%ae",
    "%e0%80%ae%e0%80%ae",
    "%u002e%u002e",
    "%25252e%25252e",
];

/// What may stand where a slash belongs.
const SLASH: &[&str] =
    &["%2f", "%2F", "%5c", "\\", "%252f", "%255c", "%c0%af", "/%2f/", "//", "/./", "/%2e/", "/;/", "/;x=1/"];

/// The protected path (`{}`) with something before or after it that somebody ignores.
const AROUND: &[&str] = &[
    "/{}/",
    "//{}",
    "///{}",
    "/./{}",
    "/%2e/{}",
    "/{}/.",
    "/{}//",
    "/;/{}",
    "/;x/{}",
    "/.;/{}",
    "/%20/{}",
    "/{};",
    "/{};x=1",
    "/{};/x",
    "/{}%3bx",
    "/{}.",
    "/{}%2e",
    "/{}..",
    "/{}%20",
    "/{}%09",
    "/{}%0a",
    "/{}%0d%0a",
    "/{}%00",
    "/{}%00.css",
    "/{}%2f",
    "/{}%5c",
    "/{}\\",
    "/{}%3f",
    "/{}%23",
    "/{}#x",
    "/{}?x=/",
    "/%2f{}",
    "/%5c{}",
    "/\\{}",
    "/{}%c0%80",
    "/{}%ff",
    "/{}/..;/{}",
    "/{}/%2e%2e/{}",
    "/{}%",
    "/{}%2",
];

pub fn probes(site: &Site) -> Vec<Probe> {
    let Some(protected) = &site.protected else { return Vec::new() };
    // An app may serve `/private/` alone, and redirect to it.
    let end = if protected.ends_with('/') { "/" } else { "" };
    let protected = protected.trim_matches('/');
    let ended = |target: String| if target.ends_with(protected) { target + end } else { target };
    let probe = |target: String| Probe::new(Family::Paths, target.as_str(), &site.get(&target), Expect::NotReached);
    let mut targets = climbing(&site.public, protected);
    targets.extend(AROUND.iter().map(|around| around.replace("{}", protected)));
    targets.extend(respelt(protected));
    let mut targets: Vec<String> = targets.into_iter().map(ended).collect();
    targets.sort();
    targets.dedup();
    let capitals = format!("/{}{end}", protected.to_ascii_uppercase());
    let in_capitals = Probe::new(Family::Paths, capitals.as_str(), &site.get(&capitals), Expect::OtherContent);
    targets.into_iter().map(probe).chain((capitals != format!("/{protected}{end}")).then_some(in_capitals)).collect()
}

/// Returns paths that begin below the public prefix and climb out of it.
fn climbing(public: &str, protected: &str) -> Vec<String> {
    let public = public.trim_end_matches('/');
    // Below the root there is nothing to climb out of, so one step down is made first.
    let base = if public.is_empty() { "/selftest" } else { public };
    let depth = base.matches('/').count();
    let up = |step: &str, slash: &str| format!("{base}{slash}{}{protected}", format!("{step}{slash}").repeat(depth));
    let mut targets: Vec<String> = UP.iter().map(|step| up(step, "/")).collect();
    targets.extend(SLASH.iter().map(|slash| up("..", slash)));
    targets.push(up("%2e%2e", "%2f"));
    targets
}

/// Returns the protected path with letters written otherwise.
fn respelt(protected: &str) -> Vec<String> {
    let Some(first) = protected.bytes().next() else { return Vec::new() };
    let rest = &protected[1..];
    let mut targets = vec![
        format!("/%{first:02x}{rest}"),
        format!("/%25{first:02x}{rest}"),
        format!("/%2525{first:02x}{rest}"),
        format!("/%u00{first:02x}{rest}"),
    ];
    if protected.contains('/') {
        targets.extend(SLASH.iter().map(|slash| format!("/{}", protected.replace('/', slash))));
    }
    targets
}

/// Whether the most careless reader takes `path` for `protected` or something below it.
pub fn may_be_read_as(path: &str, protected: &str) -> bool {
    let mut path = path.split(['?', '#']).next().unwrap_or_default().to_owned();
    for _ in 0..4 {
        path = percent_decode_str(&path.replace("%u00", "%")).decode_utf8_lossy().into_owned();
    }
    let path = path.replace('\\', "/");
    let before_end = path.split(['\0', '?', '#']).next().unwrap_or_default();
    let mut kept: Vec<&str> = Vec::new();
    for segment in before_end.split('/') {
        let segment = segment.split(';').next().unwrap_or_default().trim();
        match segment {
            "" | "." => {}
            ".." => drop(kept.pop()),
            _ => kept.push(segment.trim_end_matches(|last: char| last == '.' || last.is_whitespace())),
        }
    }
    let protected: Vec<&str> = protected.split('/').filter(|segment| !segment.is_empty()).collect();
    kept.starts_with(&protected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_is_one_that_some_reader_takes_for_the_protected_one_or_that_nobody_may_read() {
        let site = super::super::tests::site();
        let count = probes(&site).len();
        assert!((60..100).contains(&count), "{count}");
        assert!(may_be_read_as("/selftest/..;x=1/private", "/private"));
        for path in ["/private", "/%2570rivate/x", "/a/%2e%2e\\private", "/;x/private%20;y", "/private%00.css"] {
            assert!(may_be_read_as(path, "/private"), "{path}");
        }
        for path in ["/", "/privately", "/x/private", "/?/private", "/PRIVATE"] {
            assert!(!may_be_read_as(path, "/private"), "{path}");
        }
    }

    #[test]
    fn a_public_prefix_is_climbed_out_of_by_as_many_steps_as_it_is_deep() {
        assert!(climbing("/a/b", "p").contains(&"/a/b/%2e%2e/%2e%2e/p".to_owned()));
        assert!(climbing("/", "p").contains(&"/selftest/../p".to_owned()));
        assert!(climbing("/a/b/", "p/q").contains(&"/a/b%2f..%2f..%2fp/q".to_owned()));
    }
}
