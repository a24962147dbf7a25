use http::HeaderName;
use proptest::prelude::*;

use super::names::*;
use super::*;
use crate::http::fields::{Fields, Line, Lookup};

fn name(text: &str) -> HeaderName {
    HeaderName::from_bytes(text.as_bytes()).unwrap()
}

/// Returns the fields as a parser finds them, in their own spelling.
fn given(fields: &[(&str, &str)]) -> Fields {
    let section = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect::<Vec<_>>().concat();
    let lines = section.lines().map(|line| {
        let (name, value) = line.split_once(": ").unwrap();
        Line::of(section.as_ptr().addr(), name.as_bytes(), value.as_bytes())
    });
    let lines = lines.collect();
    Fields::given(section.into(), lines)
}

fn left(mut fields: Fields, change: impl FnOnce(&mut Fields)) -> Vec<String> {
    change(&mut fields);
    let mut names: Vec<String> = fields.names().map(|name| String::from_utf8_lossy(name).to_lowercase()).collect();
    names.sort();
    names.dedup();
    names
}

fn filter() -> IdentityFilter {
    IdentityFilter::new(&[name("X-My_Caller"), name("Sub")], &[])
}

/// Every name that says who the caller is, with a member of each family.
fn identity_names() -> Vec<String> {
    let members = IDENTITY_PREFIXES.iter().map(|prefix| format!("{prefix}user"));
    let configured = ["x-my-caller", "sub"].map(str::to_owned);
    IDENTITY.iter().map(|&name| name.to_owned()).chain(members).chain(configured).collect()
}

#[test]
fn ordinary_headers_pass_untouched() {
    let ordinary = [
        "accept",
        "accept-encoding",
        "accept-language",
        "authorization",
        "cache-control",
        "content-length",
        "content-type",
        "cookie",
        "date",
        "forwarded",
        "host",
        "if-none-match",
        "origin",
        "range",
        "referer",
        "sec-ch-ua",
        "sec-fetch-mode",
        "sec-websocket-key",
        "te",
        "traceparent",
        "upgrade-insecure-requests",
        "user-agent",
        "via",
        "x-api-key",
        "x-csrf-token",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-request-id",
        "x-requested-with",
        "x-userid",
        "xremote-user",
        "x-auth-token",
        "grpc-timeout",
    ];
    let headers = given(&ordinary.map(|name| (name, "x")));
    let mut expected = ordinary.to_vec();
    expected.sort_unstable();
    assert_eq!(left(headers, |headers| filter().strip(headers)), expected);
}

#[test]
fn every_listed_name_goes() {
    let members = OVERRIDE_PREFIXES.iter().map(|prefix| format!("{prefix}x"));
    let overrides = OVERRIDES.iter().map(|&name| name.to_owned()).chain(members);
    for listed in identity_names().into_iter().chain(overrides) {
        let headers = given(&[(&listed, "admin"), ("accept", "x")]);
        assert_eq!(left(headers, |headers| filter().strip(headers)), ["accept"], "{listed}");
    }
}

#[test]
fn a_list_holds_folded_names_only() {
    for list in [
        IDENTITY,
        IDENTITY_PREFIXES,
        OVERRIDES,
        OVERRIDE_PREFIXES,
        REBUILT,
        HOP_BY_HOP,
        NEVER_NOMINATED,
        NEVER_IN_TRAILERS,
    ] {
        assert!(!list.is_empty());
        for name in list {
            assert!(folded(name.as_bytes()).eq(name.bytes()), "{name}");
        }
    }
}

#[test]
fn names_with_underscores_or_dots_pass_only_when_listed_and_only_once() {
    let filter = IdentityFilter::new(&[], &[name("app_key"), name("app.id"), name("x-http-method-override")]);
    let strip = |headers: &mut Fields| filter.strip(headers);
    let sent = given(&[
        ("app_key", "1"),
        ("app.id", "2"),
        ("other_key", "3"),
        ("other.id", "4"),
        ("X-HTTP-Method-Override", "PUT"),
    ]);
    assert_eq!(left(sent, strip), ["app.id", "app_key", "x-http-method-override"]);
    let twice = given(&[
        ("app_key", "1"),
        ("app_key", "2"),
        ("X-HTTP-Method-Override", "PUT"),
        ("X-HTTP-Method-Override", "GET"),
    ]);
    assert_eq!(left(twice, strip), [""; 0]);
}

#[test]
fn an_identity_header_cannot_be_let_pass() {
    let filter = IdentityFilter::new(
        &[name("x-caller")],
        &[name("remote_user"), name("x-caller"), name("x_caller"), name("x-webauth-user")],
    );
    let sent =
        given(&[("remote_user", "admin"), ("x-caller", "admin"), ("x_caller", "admin"), ("x-webauth-user", "admin")]);
    assert_eq!(left(sent, |headers| filter.strip(headers)), [""; 0]);
}

#[test]
fn what_the_gateway_rebuilds_goes_in_any_other_spelling() {
    let sent =
        given(&[("x-forwarded-for", "1"), ("x_forwarded-for", "2"), ("x-forwarded~proto", "3"), ("x!request-id", "4")]);
    assert_eq!(left(sent, |headers| filter().strip(headers)), ["x-forwarded-for"]);
}

#[test]
fn connection_fields_end_here() {
    let sent = given(&[
        ("connection", "close, X-Private , x-absent"),
        ("connection", "keep-alive,,"),
        ("x-private", "1"),
        ("keep-alive", "timeout=5"),
        ("proxy-connection", "close"),
        ("proxy-authorization", "Basic x"),
        ("te", "gzip, Trailers"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "h2c"),
        ("http2-settings", "x"),
        ("trailer", "x-sum"),
        ("accept", "x"),
    ]);
    let mut fields = sent;
    remove_hop_by_hop(&mut fields, &|_| false);
    assert_eq!(fields.only(&http::header::TE), Some(&b"trailers"[..]));
    assert_eq!(left(fields, |_| {}), ["accept", "te", "trailer"]);
    assert_eq!(left(given(&[("te", "gzip")]), |headers| remove_hop_by_hop(headers, &|_| false)), [""; 0]);
    let listed = given(&[("connection", "te"), ("te", "trailers")]);
    assert_eq!(left(listed, |headers| remove_hop_by_hop(headers, &|_| false)), ["te"]);
}

#[test]
fn a_connection_field_cannot_take_away_who_asks_and_for_what() {
    let filter = filter();
    let mut kept = vec![
        "x-forwarded-for",
        "X-Forwarded-Proto",
        "X-Forwarded-Host",
        "Forwarded",
        "Authorization",
        "Cookie",
        "Host",
        "Content-Length",
    ];
    let identity = identity_names();
    kept.extend(identity.iter().map(String::as_str));
    for protected in kept {
        let sent = given(&[("connection", "close"), ("connection", protected), (protected, "x")]);
        let remains = left(sent, |headers| remove_hop_by_hop(headers, &|name| filter.is_identity(name)));
        assert_eq!(remains, [protected.to_ascii_lowercase()]);
    }
}

#[test]
fn trailers_carry_no_framing_routing_authentication_or_identity() {
    let sent = [
        "content-length",
        "transfer-encoding",
        "host",
        "authorization",
        "cookie",
        "set-cookie",
        "x-forwarded-for",
        "forwarded",
        "te",
        "trailer",
        "x-user-id",
        "remote_user",
        "content-type",
        "x-original-url",
        "grpc-status",
        "grpc-message",
        "x-checksum",
        "server-timing",
    ];
    let mut trailers = given(&sent.map(|name| (name, "x"))).into_map();
    filter().strip_trailers(&mut trailers);
    assert_eq!(left(trailers.into(), |_| {}), ["grpc-message", "grpc-status", "server-timing", "x-checksum"]);
}

/// Other ways to write a name that some app takes for it.
fn alias() -> impl Strategy<Value = (String, String)> {
    let separators = prop::sample::select(&b"-_.!#$%&'*+^`|~"[..]);
    (prop::sample::select(identity_names()), prop::collection::vec((any::<bool>(), separators), 1..40)).prop_map(
        |(name, changes)| {
            let change = |(byte, (is_upper, separator)): (u8, &(bool, u8))| match byte {
                b'-' => char::from(*separator),
                letter if *is_upper => char::from(letter.to_ascii_uppercase()),
                letter => char::from(letter),
            };
            let alias = name.bytes().zip(changes.iter().cycle()).map(change).collect();
            (name, alias)
        },
    )
}

/// Names of every list, whole or a little too long or short.
fn near_a_listed_name() -> impl Strategy<Value = String> {
    let lists = [IDENTITY, IDENTITY_PREFIXES, OVERRIDES, OVERRIDE_PREFIXES, REBUILT].concat();
    (prop::sample::select(lists), "[a-z~-]{0,3}", 0_usize..3).prop_map(|(name, more, less)| {
        let kept = name.len() - less.min(name.len() - 1);
        format!("{}{more}", &name[..kept])
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn no_alias_of_an_identity_header_passes((original, alias) in alias()) {
        prop_assert!(folded_eq(&original, &alias));
        let headers = given(&[(&alias, "admin"), ("accept", "x")]);
        prop_assert_eq!(left(headers, |headers| filter().strip(headers)), ["accept"]);
    }

    #[test]
    fn the_quick_look_changes_no_verdict(text in prop_oneof![near_a_listed_name(), "[a-z0-9!_.~-]{1,70}"]) {
        let filter = filter();
        let thorough = is_forbidden_thoroughly(&text);
        prop_assert_eq!(left(given(&[(&text, "x")]), |headers| filter.strip(headers)).is_empty(), thorough);
    }
}

/// The rule as one would say it, for [`filter`], without lists of lengths.
fn is_forbidden_thoroughly(text: &str) -> bool {
    let is_in = |list: &[&str]| list.iter().any(|known| folded_eq(known, text));
    let is_below = |list: &[&str]| list.iter().any(|prefix| folded_starts_with(text.as_bytes(), prefix.as_bytes()));
    if REBUILT.contains(&text) {
        return false;
    }
    let is_listed = is_in(IDENTITY) || is_in(&["x-my-caller", "sub"]) || is_in(OVERRIDES) || is_in(REBUILT);
    is_listed || is_below(IDENTITY_PREFIXES) || is_below(OVERRIDE_PREFIXES) || text.contains(['_', '.'])
}
