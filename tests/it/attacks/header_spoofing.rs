//! Nobody but the gateway says who is asking, whence and for what.

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use super::{World, get};
use crate::harness::clients::{BOTH, Protocol, h1};
use crate::harness::{Person, Raw, Seen};

/// What apps take for the caller: the gateway's own headers, those of its presets, and those of other gateways.
const IDENTITY: [&str; 30] = [
    "X-User-Id",
    "X-User-Email",
    "X-User-Name",
    "X-User-Roles",
    "Remote-User",
    "Remote-Email",
    "Remote-Groups",
    "Remote-Name",
    "Remote-Roles",
    "X-Remote-User",
    "X-Remote-Groups",
    "X-Forwarded-User",
    "X-Forwarded-Email",
    "X-Forwarded-Groups",
    "X-Forwarded-Preferred-Username",
    "X-Forwarded-Access-Token",
    "X-Auth-Request-User",
    "X-Auth-Request-Email",
    "X-Auth-Request-Groups",
    "X-Auth-Request-Access-Token",
    "X-WEBAUTH-USER",
    "X-WEBAUTH-EMAIL",
    "X-WEBAUTH-ROLE",
    "X-Authentik-Username",
    "X-Authentik-Groups",
    "X-OpenWebUI-User-Email",
    "X-Trusted-User-Email",
    "X-Authenticated-User",
    "X-Authenticated-Groups",
    "X-Vestibule-Assertion",
];

/// Characters of an RFC 9110 token that apps may fold into `-` or `_`.
const SEPARATORS: &str = "-_.!#$%&'*+^`|~";

/// Fields per request: the gateway takes 100.
const BATCH: usize = 80;

/// Returns the name with each separator in place of every `-`, and of the last one only, in several cases.
fn aliases(name: &str) -> Vec<String> {
    let mut aliases = vec![name.to_owned(), name.to_lowercase(), name.to_uppercase(), alternating_case(name)];
    for separator in SEPARATORS.chars().skip(1) {
        let separator = separator.to_string();
        aliases.push(name.replace('-', &separator));
        aliases.push(name.to_uppercase().replace('-', &separator));
        let (head, tail) = name.rsplit_once('-').unwrap();
        aliases.push(format!("{head}{separator}{tail}"));
    }
    aliases
}

fn alternating_case(name: &str) -> String {
    let flip = |(at, letter): (usize, char)| {
        if at % 2 == 0 { letter.to_ascii_lowercase() } else { letter.to_ascii_uppercase() }
    };
    name.chars().enumerate().map(flip).collect()
}

/// Sends `fields` to `path` and returns what the app received; over HTTP/1 each name is spelt as given.
async fn seen_with(
    world: &World,
    protocol: Protocol,
    path: &str,
    bearer: Option<&Person>,
    fields: &[(String, &str)],
) -> Seen {
    let before = world.upstream.requests().len();
    let status = match protocol {
        Protocol::H1 => {
            let mut lines: Vec<String> = fields.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
            lines.extend(bearer.map(|person| format!("authorization: Bearer {}\n", person.access)));
            Raw::tls(&world.gateway).await.ask(&get(path, &lines.concat())).await.status
        }
        Protocol::H2 => {
            let mut headers = HeaderMap::new();
            for (name, value) in fields {
                let name = HeaderName::from_bytes(name.to_lowercase().as_bytes()).unwrap();
                headers.append(name, HeaderValue::from_str(value).unwrap());
            }
            let mut request = protocol.client().get(world.gateway.url(path)).headers(headers);
            if let Some(person) = bearer {
                request = request.bearer_auth(&person.access);
            }
            request.send().await.unwrap().status().as_u16()
        }
    };
    assert_eq!(status, 200, "{path} with {fields:?}");
    let requests = world.upstream.requests();
    assert_eq!(requests.len(), before + 1);
    requests.last().unwrap().clone()
}

fn forged(names: impl IntoIterator<Item = String>) -> Vec<(String, &'static str)> {
    names.into_iter().map(|name| (name, "forged")).collect()
}

fn assert_nothing_forged(seen: &Seen, sent: &[(String, &str)]) {
    let forged: Vec<_> = seen.headers.iter().filter(|(_, value)| value.contains("forged")).collect();
    assert!(forged.is_empty(), "{forged:?} of {sent:?}");
}

#[tokio::test]
async fn no_spelling_of_an_identity_header_reaches_the_app_on_any_kind_of_route() {
    let world = World::start().await;
    let person = world.person("ada@example.com").await;
    let all: Vec<String> = IDENTITY.iter().flat_map(|name| aliases(name)).collect();
    assert!(all.len() > 1000, "{}", all.len());
    let routes = [("/", None), ("/maybe", None), ("/maybe", Some(&person)), ("/private", Some(&person))];
    for protocol in BOTH {
        for (path, bearer) in routes {
            for names in all.chunks(BATCH) {
                let mut sent = forged(names.iter().cloned());
                sent.push(("X-Ordinary".to_owned(), "kept"));
                let seen = seen_with(&world, protocol, path, bearer, &sent).await;
                assert_nothing_forged(&seen, &sent);
                assert_eq!(seen.header("x-ordinary"), Some("kept"));
                assert_eq!(seen.header("x-user-id"), bearer.map(|person| person.id.as_str()));
            }
        }
    }
}

#[tokio::test]
async fn a_configured_identity_header_is_as_safe_in_whatever_case_it_is_written() {
    for spelling in ["X-Employee-Number", "x-employee-number", "X-EMPLOYEE-NUMBER", "x-eMPloyee-nUMber"] {
        let config = format!("[identity.headers]\nuser_id = \"{spelling}\"\n");
        let world = World::with(&config).await;
        let person = world.person("ada@example.com").await;
        let names = aliases("X-Employee-Number");
        for (path, bearer) in [("/", None), ("/private", Some(&person))] {
            for protocol in BOTH {
                let sent = forged(names.iter().cloned());
                let seen = seen_with(&world, protocol, path, bearer, &sent).await;
                assert_nothing_forged(&seen, &sent);
                assert_eq!(seen.header("x-employee-number"), bearer.map(|person| person.id.as_str()));
            }
        }
    }
}

#[tokio::test]
async fn names_that_cgi_folds_together_go_unless_listed_and_then_come_once_at_most() {
    let world =
        World::with("[identity]\nallow_headers = [\"x_tenant\", \"api.version\", \"X-HTTP-Method-Override\"]").await;
    for protocol in BOTH {
        let sent = forged(["a_b", "a.b", "x_ten_ant", "x.tenant", "api_version", "_", "."].map(str::to_owned));
        assert_nothing_forged(&seen_with(&world, protocol, "/", None, &sent).await, &sent);
        let listed = [("x_tenant", "1"), ("api.version", "2"), ("x-http-method-override", "PUT")];
        let sent: Vec<_> = listed.iter().map(|&(name, value)| (name.to_owned(), value)).collect();
        let seen = seen_with(&world, protocol, "/", None, &sent).await;
        for (name, value) in listed {
            assert_eq!(seen.header(name), Some(value), "{name}");
        }
        let twice: Vec<_> = sent.iter().chain(&sent).cloned().collect();
        let seen = seen_with(&world, protocol, "/", None, &twice).await;
        for (name, _) in listed {
            assert_eq!(seen.header(name), None, "{name} came twice");
        }
    }
}

#[tokio::test]
async fn what_the_gateway_does_not_know_of_somebody_is_absent_and_never_what_they_claim() {
    let world = World::start().await;
    // Somebody without a role: `X-User-Roles` has no value that could overwrite a forged one.
    let person = world.person("ada@example.com").await;
    let sent = forged(["X-User-Roles", "X-User-Name", "Remote-Email", "Remote-Groups"].map(str::to_owned));
    for protocol in BOTH {
        let seen = seen_with(&world, protocol, "/private", Some(&person), &sent).await;
        assert_nothing_forged(&seen, &sent);
        assert_eq!(seen.header("x-user-roles"), None);
        assert_eq!(seen.header("x-user-email"), Some("ada@example.com"));
    }
}

#[tokio::test]
async fn another_proxy_is_told_every_identity_header_and_none_that_the_client_sent() {
    let world = World::with("[server]\ntrusted_proxies = [\"127.0.0.1\"]").await;
    let person = world.person("ada@example.com").await;
    for (bearer, path) in [(None, "/"), (None, "/maybe"), (Some(&person), "/private")] {
        let mut request = h1().get(world.gateway.url("/auth/forward")).header("x-forwarded-uri", path);
        for name in IDENTITY {
            request = request.header(name, "forged");
        }
        if let Some(person) = bearer {
            request = request.bearer_auth(&person.access);
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        let id = bearer.map_or("", |person| person.id.as_str());
        for (name, value) in [("x-user-id", Some(id)), ("x-user-roles", Some("")), ("x-user-name", None)] {
            let values: Vec<_> = answer.headers().get_all(name).iter().collect();
            assert_eq!(values.len(), 1, "{name} for {path}");
            assert!(value.is_none_or(|value| values[0] == value), "{name} for {path}: {values:?}");
        }
        assert!(answer.headers().values().all(|value| value != "forged"), "{:?}", answer.headers());
    }
}

#[tokio::test]
async fn no_header_opens_forward_auth_to_a_stranger() {
    let world = World::start().await;
    let openings =
        ["x-forwarded-uri", "x-original-uri", "x-original-url", "user-agent", "x-forwarded-for", "x-forwarded-method"];
    for name in openings {
        for value in ["/", "/maybe", "https://gateway.test/", "GoogleHC/1.0", "127.0.0.1", "OPTIONS"] {
            for method in [reqwest::Method::GET, reqwest::Method::HEAD, reqwest::Method::OPTIONS] {
                let answer =
                    h1().request(method, world.gateway.url("/auth/forward")).header(name, value).send().await.unwrap();
                assert!(matches!(answer.status().as_u16(), 401 | 403), "{name}: {value}: {}", answer.status());
            }
        }
    }
}

#[tokio::test]
async fn a_connection_header_takes_away_nothing_that_says_who_asks_whence_and_for_what() {
    let world = World::start().await;
    let person = world.person_with("ada@example.com", "editor").await;
    let names = [
        "x-user-id",
        "x-user-email",
        "x-user-name",
        "x-user-roles",
        "x-forwarded-for",
        "x-forwarded-proto",
        "x-forwarded-host",
        "forwarded",
        "x-request-id",
        "host",
        "via",
        "cookie",
        "authorization",
    ];
    let together = format!("connection: close, {}\n", names.join(", "));
    let shouted = format!("CONNECTION: {}\n", names.join(",").to_uppercase());
    let apart: String = names.iter().map(|name| format!("Connection: {name}\n")).collect();
    for fields in [together, shouted, apart] {
        let fields = format!("{fields}authorization: Bearer {}\ncookie: theme=dark\n", person.access);
        let answer = Raw::tls(&world.gateway).await.ask(&get("/private", &fields)).await;
        assert_eq!(answer.status, 200, "{fields}");
        let seen = world.upstream.last_request();
        for name in names.iter().filter(|name| **name != "authorization") {
            assert!(seen.header(name).is_some(), "{name} is gone after {fields}");
        }
        assert_eq!(seen.header("x-user-id"), Some(person.id.as_str()));
        assert_eq!(seen.header("x-user-roles"), Some("editor"));
        assert_eq!(seen.header("cookie"), Some("theme=dark"));
    }
}
