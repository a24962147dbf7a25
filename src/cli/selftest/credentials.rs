//! Credentials that are none: absent, garbage, forged, cut short, said twice, in the wrong place.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::probe::{Expect, Family, Probe};
use super::site::{Draft, Site};

/// Returns the attacks on the protected path; `token` is a good one, if there is one.
pub fn probes(site: &Site, token: Option<&str>) -> Vec<Probe> {
    let Some(path) = site.protected.as_deref() else { return Vec::new() };
    let get = || site.get(path);
    let with = |token: &str| get().bearer(site, token);
    let bad = Expect::Challenge;
    let mut probes = vec![
        probe("no token", &get(), bad(None)),
        probe("an empty token", &with(""), bad(Some("invalid_token"))),
        probe("garbage", &with("garbage"), bad(Some("invalid_token"))),
        probe("three dots", &with("..."), bad(Some("invalid_token"))),
        probe("8 KiB of garbage", &with(&"x".repeat(8 * 1024)), Expect::Refused(&[400, 401, 431])),
        probe("Basic instead", &get().field(&site.bearer_header, "Basic YWRtaW46YWRtaW4="), bad(None)),
        probe("a token in a cookie", &get().field("Cookie", "access_token=garbage; session=garbage"), bad(None)),
        probe("two credential fields, both garbage", &with("a").bearer(site, "b"), Expect::Refused(&[400])),
        probe("a health checker's User-Agent", &get().field("User-Agent", "GoogleHC/1.0"), bad(None)),
        probe("HEAD without a token", &site.request("HEAD", path), bad(None)),
    ];
    let sample = sample_claims();
    for algorithm in ["none", "None", "NONE", "HS256", "", "EdDSA"] {
        let name = format!("a forged token, alg {algorithm:?}, unsigned");
        probes.push(probe(name, &with(&unsigned(algorithm, &sample)), bad(Some("invalid_token"))));
    }
    if let Some(token) = token {
        probes.extend(with_token(site, path, token));
    }
    probes
}

fn with_token(site: &Site, path: &str, token: &str) -> Vec<Probe> {
    let get = || site.get(path);
    let with = |token: &str| get().bearer(site, token);
    let invalid = || Expect::Challenge(Some("invalid_token"));
    let claims = token.split('.').nth(1).unwrap_or_default();
    let mut probes = vec![
        probe("a good token", &with(token), Expect::Passes),
        probe("cut by one character", &with(&token[..token.len() - 1]), invalid()),
        probe("without its signature", &with(&format!("{}.", stem(token))), invalid()),
        probe("one character more", &with(&format!("{token}A")), invalid()),
        probe("padded with =", &with(&format!("{token}=")), invalid()),
        probe("one character of the claims changed", &with(&changed(token)), invalid()),
        probe("its claims under alg none", &with(&unsigned("none", claims)), invalid()),
        probe("good, then garbage, in two fields", &with(token).bearer(site, "garbage"), Expect::Refused(&[400])),
        probe("garbage, then good, in two fields", &with("garbage").bearer(site, token), Expect::Refused(&[400])),
        probe("good and garbage in one field", &with(&format!("{token}, Bearer garbage")), invalid()),
        probe("a good token in the query", &site.get(&format!("{path}?access_token={token}")), Expect::Challenge(None)),
        probe(
            "a good token in X-Authorization",
            &get().field("X-Authorization", &format!("Bearer {token}")),
            Expect::Challenge(None),
        ),
    ];
    if !site.scheme.is_empty() {
        for scheme in [site.scheme.to_ascii_lowercase(), site.scheme.to_ascii_uppercase()] {
            let request = get().field(&site.bearer_header, &format!("{scheme} {token}"));
            probes.push(probe(format!("scheme `{scheme}`"), &request, Expect::Passes));
        }
    }
    probes
}

fn probe(name: impl Into<String>, request: &Draft, expect: Expect) -> Probe {
    Probe::new(Family::Credentials, name, request, expect)
}

/// Returns claims that a token of ours would have.
fn sample_claims() -> String {
    let claims = json!({
        "sub": "00000000-0000-7000-8000-000000000000", "sid": "00000000-0000-7000-8000-000000000000", "jti": "x",
        "type": "access", "roles": ["admin"], "scope": "", "iat": 0, "exp": 32_503_680_000_u64, "iss": "vestibule",
    });
    URL_SAFE_NO_PAD.encode(claims.to_string())
}

fn unsigned(algorithm: &str, claims: &str) -> String {
    let header = URL_SAFE_NO_PAD.encode(json!({ "alg": algorithm, "typ": "at+jwt" }).to_string());
    format!("{header}.{claims}.")
}

fn stem(token: &str) -> &str {
    token.rsplit_once('.').map_or(token, |(stem, _)| stem)
}

/// Returns the token with another letter in the middle of its claims.
fn changed(token: &str) -> String {
    let middle = stem(token).len() / 2 + token.find('.').unwrap_or(0) / 2;
    let mut letters: Vec<char> = token.chars().collect();
    letters[middle] = if letters[middle] == 'A' { 'B' } else { 'A' };
    letters.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_token_differs_in_its_claims_alone() {
        let token = "aaaa.bbbbbbbb.cccc";
        let parts: Vec<String> = changed(token).split('.').map(str::to_owned).collect();
        assert_eq!((parts[0].as_str(), parts[2].as_str()), ("aaaa", "cccc"));
        assert_ne!(parts[1], "bbbbbbbb");
    }
}
