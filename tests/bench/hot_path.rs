//! The steps of a proxied request, each by itself and all together, as often as asked: `hot_path CASE COUNT`.
//! It measures nothing: instructions.py has callgrind count what happens in [`counted`], which a busy machine doesn't change.
//! Without a count every case runs a few times, so that `cargo test` notices one that no longer works.

use std::hint::black_box;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Method};
use vestibule::auth::bearer::{Accepted, BearerSettings};
use vestibule::auth::{Authenticator, Trust};
use vestibule::clock::Timestamp;
use vestibule::gateway::identity_headers;
use vestibule::gateway::limits::RequestLimits;
use vestibule::gateway::rules::{Forwarding, IdentityHeaders, Rules, ViaValues};
use vestibule::http::fields::Fields;
use vestibule::http::header::IdentityFilter;
use vestibule::http::hpack::encode_field;
use vestibule::http::target::Target;
use vestibule::http::wire::{check_head, find_head_end};
use vestibule::identity::{Caller, Principal, Role, SessionId, UserId};
use vestibule::live::Live;
use vestibule::password::hash::{Check, Cost, Hasher};
use vestibule::policy::{self, Access, Demands};
use vestibule::route::pattern::{HostPattern, PathPrefix};
use vestibule::route::table::{Route, Table};
use vestibule::secret::Secret;
use vestibule::server::http2::PREFACE;
use vestibule::token::claims::{Expected, sign_access};
use vestibule::token::key::{Algorithm, Key, KeySet};
use vestibule::upstream::{Address, Balance, Patience, Scheme, Upstream};

#[path = "passage.rs"]
mod passage;

use passage::{Protocol, start_app};

const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);
const HOST: &str = "app.example.com";
/// What a browser sends.
const FIELDS: [(&str, &str); 9] = [
    (
        "user-agent",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
    ),
    ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"),
    ("accept-language", "en-GB,en;q=0.9,de;q=0.8"),
    ("accept-encoding", "gzip, deflate, br, zstd"),
    ("cache-control", "no-cache"),
    ("sec-fetch-dest", "document"),
    ("sec-fetch-mode", "navigate"),
    ("sec-fetch-site", "none"),
    ("cookie", "theme=dark; session=0123456789abcdef0123456789abcdef; consent=yes"),
];

/// Does the step once.
type Step = Box<dyn FnMut()>;
/// A name, and what makes everything ready for the step.
type Case = (&'static str, fn() -> Step);

const CASES: [Case; 16] = [
    ("route-of-10", || find_route(10)),
    ("route-of-10000", || find_route(10_000)),
    ("canonical-target", canonical_target),
    ("canonical-target-escaped", escaped_target),
    ("head-check", head_check),
    ("token-hit", token_hit),
    ("token-miss-hs256", || token_miss(Algorithm::Hs256)),
    ("token-miss-rs256", || token_miss(Algorithm::Rs256)),
    ("token-miss-es256", || token_miss(Algorithm::Es256)),
    ("token-miss-eddsa", || token_miss(Algorithm::EdDsa)),
    ("identity-headers", replace_identity),
    ("password-check", password_check),
    ("whole-public", || whole_request(Access::Public, Protocol::Http1)),
    ("whole-protected", || whole_request(Access::Protected(Demands::default()), Protocol::Http1)),
    ("whole-public-h2", || whole_request(Access::Public, Protocol::Http2)),
    ("whole-protected-h2", || whole_request(Access::Protected(Demands::default()), Protocol::Http2)),
];

fn main() {
    // cargo adds flags of its own for test harnesses, which this isn't.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let wanted = arguments.first().map_or("", String::as_str);
    let given = arguments.get(1).map(|count| count.parse::<u32>().expect("COUNT is a number"));
    for (name, prepare) in CASES {
        // Alone where it is counted; otherwise what is asked for is a part of a name, as of a test's.
        if given.is_none() && name.contains(wanted) || name == wanted {
            let mut step = prepare();
            // Fills the cache and opens the connections.
            repeat(&mut step, 2);
            counted(&mut step, given.unwrap_or(2));
            println!("{name}");
        }
    }
}

/// Runs `step` as often as asked; by this name callgrind knows what to count.
#[inline(never)]
fn counted(step: &mut Step, count: u32) {
    repeat(step, count);
    // Not a call that the compiler could turn into a jump.
    black_box(());
}

fn repeat(step: &mut Step, count: u32) {
    for _ in 0..count {
        step();
    }
}

fn find_route(count: usize) -> Step {
    let routes = (0..count).map(|number| route(&format!("/service-{number}/api"), Access::Public, ()));
    let table = Table::build(routes.collect()).expect("no two are alike");
    let path = format!("/service-{}/api/orders/17", count / 2);
    Box::new(move || assert!(black_box(&table).find(HOST, black_box(&path), &Method::GET).is_some()))
}

fn route<T>(path: &str, access: Access, then: T) -> Route<T> {
    Route {
        host: HostPattern::parse("").expect("every host"),
        path: PathPrefix::parse(path).expect("a plain path"),
        methods: Vec::new(),
        access,
        strip_prefix: false,
        keep_encoded_slash: false,
        then,
    }
}

fn canonical_target() -> Step {
    read_target("/service-5/api/orders/17?sort=date&page=2")
}

fn escaped_target() -> Step {
    read_target("/service-5/%61pi/caf%c3%a9/./17?sort=date&page=2")
}

fn read_target(path: &'static str) -> Step {
    Box::new(move || assert!(Target::parse(black_box(HOST), black_box(path)).is_ok()))
}

fn head_check() -> Step {
    let head = request_bytes("/page?a=b", None);
    Box::new(move || {
        let end = find_head_end(black_box(&head)).expect("a whole head");
        assert!(check_head(&head[..end]).is_ok());
    })
}

fn request_bytes(path: &str, token: Option<&str>) -> Vec<u8> {
    let fields = FIELDS.map(|(name, value)| format!("{name}: {value}\r\n")).concat();
    let bearer = token.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
    format!("GET {path} HTTP/1.1\r\nhost: {HOST}\r\n{fields}{bearer}\r\n").into_bytes()
}

fn principal() -> Principal {
    Principal {
        user_id: UserId::random(),
        session: SessionId::random(),
        email: Some("ada@example.com".to_owned()),
        username: None,
        roles: vec![Role::parse("editor").expect("a role")],
        scopes: Vec::new(),
    }
}

fn key(algorithm: Algorithm) -> Key {
    if algorithm.is_symmetric() {
        return Key::from_secret(algorithm, &Secret::new(vec![7; 48])).expect("long enough");
    }
    let record = Key::generate(algorithm, None, NOW).expect("not symmetric");
    Key::open(&record, None).expect("just made, and not sealed")
}

/// Returns who verifies, remembering `entries` tokens, and a token that is good.
fn authenticator(algorithm: Algorithm, entries: u64) -> (Authenticator, String) {
    let keys = || KeySet::new(vec![key(Algorithm::Hs256)]).expect("one signs");
    let access = KeySet::new(vec![key(algorithm)]).expect("one signs");
    let expected = Expected { issuer: "https://id.example".into(), audience: Vec::new(), leeway: Duration::ZERO };
    let token = sign_access(&access, &expected, &principal(), NOW, Duration::from_mins(15));
    let trust = Live::new(Trust { access, refresh: keys(), expected });
    (Authenticator::new(trust, Arc::default(), entries), token)
}

fn token_hit() -> Step {
    verify(Algorithm::EdDsa, 1000)
}

fn token_miss(algorithm: Algorithm) -> Step {
    verify(algorithm, 0)
}

fn verify(algorithm: Algorithm, entries: u64) -> Step {
    let (authenticator, token) = authenticator(algorithm, entries);
    Box::new(move || assert!(authenticator.verify_bearer(black_box(&token), NOW).is_ok()))
}

/// What a sign-in costs at least, at the cost that is the default; logins.py times it.
fn password_check() -> Step {
    let hasher = Hasher::new(Cost { memory_kib: 19 * 1024, iterations: 2, parallelism: 1 });
    let password = Secret::new("correct horse battery staple".to_owned());
    let hash = hasher.hash(&password);
    Box::new(move || assert_eq!(hasher.check(&password, Some(&hash)), Check::Right { upgrade: false }))
}

fn rules(routes: Vec<Route<Forwarding>>) -> Rules {
    let name = |name| Some(HeaderName::from_static(name));
    let identity = IdentityHeaders {
        user_id: name("x-user-id"),
        email: name("x-user-email"),
        name: name("x-user-name"),
        roles: name("x-user-roles"),
    };
    let names: Vec<HeaderName> = identity.names().cloned().collect();
    Rules {
        routes: Table::build(routes).expect("no two are alike"),
        bearer: BearerSettings { header: http::header::AUTHORIZATION, schemes: vec!["Bearer".to_owned()] },
        filter: Arc::new(IdentityFilter::new(&names, &[])),
        identity,
        pass_authorization: false,
        trusted_proxies: Vec::new(),
        via: ViaValues::new("vestibule"),
        limits: RequestLimits::default(),
        cors: None,
        forward_auth_paths: vec!["/auth/forward".to_owned()],
    }
}

fn replace_identity() -> Step {
    let rules = rules(Vec::new());
    let caller = Arc::new(Caller::new(principal(), Timestamp::NEVER));
    let permit =
        policy::decide(&Access::Protected(Demands::default()), Some(caller)).expect("known, and no more is asked");
    let mut fields = Fields::default();
    for (name, value) in FIELDS {
        fields.append(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    // After the first time ours are there, and go as if the client had sent them.
    Box::new(move || identity_headers::replace(black_box(&mut fields), &permit, &rules))
}

fn whole_request(access: Access, protocol: Protocol) -> Step {
    let (authenticator, token) = authenticator(Algorithm::EdDsa, 1000);
    let token = (access != Access::Public).then_some(token);
    let rules = rules(vec![route("/", access, forwarding(start_app()))]);
    let path = "/service-5/api/orders/17?sort=date";
    let parts = (authenticator, rules);
    match protocol {
        Protocol::Http1 => {
            let request = request_bytes(path, token.as_deref());
            Box::new(passage::send_one(protocol, parts, move |_| request.clone()))
        }
        Protocol::Http2 => {
            let block = block(path, token.as_deref());
            Box::new(passage::send_one(protocol, parts, move |number| frames(number, &block)))
        }
    }
}

/// Returns the fields of a request to `path`, none of them in a table.
fn block(path: &str, token: Option<&str>) -> Vec<u8> {
    let bearer = token.map(|token| format!("Bearer {token}"));
    let pseudo = [(":method", "GET"), (":scheme", "https"), (":authority", HOST), (":path", path)];
    let mut block = Vec::new();
    for (name, value) in pseudo.into_iter().chain(FIELDS).chain(bearer.as_deref().map(|it| ("authorization", it))) {
        encode_field(name.as_bytes(), value.as_bytes(), &mut block);
    }
    block
}

/// Returns the frames of the request of that number, before the first of them what a client begins with.
fn frames(number: u32, block: &[u8]) -> Vec<u8> {
    const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
    let mut frames = if number == 0 { [PREFACE, SETTINGS].concat() } else { Vec::new() };
    let length = u32::try_from(block.len()).expect("a short block").to_be_bytes();
    frames.extend([length[1], length[2], length[3], 1, 5]);
    frames.extend((number * 2 + 1).to_be_bytes());
    frames.extend(block);
    frames
}

fn forwarding(app: SocketAddr) -> Forwarding {
    let address = Address { scheme: Scheme::Http, host: app.ip().to_string(), port: app.port() };
    let long = Duration::from_hours(1);
    let patience = Patience { connect: long, response: long, idle: long, retries: 0 };
    let upstream = Upstream::new("app".to_owned(), vec![address], Balance::LeastRequests, patience);
    Forwarding {
        name: "/".into(),
        upstream: Arc::new(upstream),
        limit: None,
        credentials: Accepted::ALL,
        is_shared: false,
    }
}
