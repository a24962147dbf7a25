//! The path that is decided on is the path that is forwarded, and no host or header makes another of it.

use std::sync::Arc;

use rustls::HandshakeKind;

use super::frames::{self, END_HEADERS, END_STREAM, Frames, HEADERS};
use super::path_corpus::{hostile_paths, may_be_below};
use super::{World, get};
use crate::harness::authority::Authority;
use crate::harness::raw::Stream;
use crate::harness::{Gateway, HOST, Raw, Upstream};

/// Sends the path over HTTP/1 and returns the status; 0 if the connection ended without an answer.
async fn status_over_h1(world: &World, path: &str) -> u16 {
    let request = get(path, "connection: close\n").replace('\n', "\r\n");
    world.answer_to(request).await.0
}

/// Sends the path over HTTP/2, byte for byte, and returns once the gateway has judged it.
async fn ask_over_h2(world: &World, path: &[u8]) {
    let mut frames = Frames::open(&world.gateway).await;
    frames.send(HEADERS, END_HEADERS | END_STREAM, 1, &frames::get(path)).await;
    assert!(frames.verdict().await.is_some(), "no answer to {path:?}");
}

#[tokio::test]
async fn no_encoding_of_a_path_gets_from_a_public_route_to_a_protected_one_over_http_1() {
    let world = World::start().await;
    let corpus = hostile_paths();
    assert!(corpus.len() > 200, "{}", corpus.len());
    let mut public = 0;
    for path in &corpus {
        let status = status_over_h1(&world, path).await;
        assert!(matches!(status, 200 | 400 | 401 | 404), "{path}: {status}");
        public += usize::from(status == 200);
        assert_eq!(world.upstream.count(), public, "{path} is answered {status}");
        if status == 200 {
            let target = world.upstream.last_request().target;
            assert!(!may_be_below(&target, "private"), "{path} reaches the app as {target}");
        }
    }
    assert_decided_on_what_was_forwarded(world).await;
}

#[tokio::test]
async fn no_encoding_of_a_path_gets_from_a_public_route_to_a_protected_one_over_http_2() {
    let world = World::start().await;
    let mut corpus = hostile_paths();
    corpus.extend(
        ["/#/../private", "/private#", "/x#/private", "", "private", "*", "//", "/\u{e9}/private"].map(str::to_owned),
    );
    for path in &corpus {
        ask_over_h2(&world, path.as_bytes()).await;
        for seen in world.upstream.requests() {
            assert!(!may_be_below(&seen.target, "private"), "{path} reaches the app as {}", seen.target);
        }
    }
    assert_decided_on_what_was_forwarded(world).await;
}

/// Compares the paths that routes were found for, as the access lines have them, with those that the app was asked for: no
/// order, since each worker writes its own lines.
async fn assert_decided_on_what_was_forwarded(world: World) {
    let mut forwarded: Vec<String> = world.upstream.requests().into_iter().map(|seen| seen.target).collect();
    let mut decided = paths_let_through(world).await;
    forwarded.sort();
    decided.sort();
    assert_eq!(decided, forwarded);
}

/// Returns the canonical paths of the requests that went to the app, by the access lines.
async fn paths_let_through(world: World) -> Vec<String> {
    let lines = world.gateway.stop().await;
    let lines = lines.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let lines = lines.filter(|line| line["upstream"].is_string());
    lines.map(|line| line["path"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_query_or_a_fragment_changes_no_decision() {
    let world = World::start().await;
    for target in ["/private?x=/", "/private?/../", "/private?%2f..%2f", "/private?", "/private?http://gateway.test/"] {
        assert_eq!(status_over_h1(&world, target).await, 401, "{target}");
    }
    for target in ["/#/private", "/private#", "/private#/../", "/private%23", "/private%23/../public", "/?x#y"] {
        assert_eq!(status_over_h1(&world, target).await, 400, "{target}");
    }
    assert_eq!(world.upstream.count(), 0);
    assert_eq!(status_over_h1(&world, "/?next=/private/../../x").await, 200);
    assert_eq!(world.upstream.only_request().target, "/?next=/private/../../x");
}

#[tokio::test]
async fn a_rule_holds_for_whole_segments_and_for_every_spelling_of_them() {
    let world = World::start().await;
    for (path, expected) in [
        ("/private", 401),
        ("/private/", 401),
        ("/private/x", 401),
        ("/private//x", 401),
        ("//private", 401),
        ("/./private", 401),
        ("/x/../private", 401),
        ("/%70rivate", 401),
        ("/private?x", 401),
        ("/privatex", 200),
        ("/private-x", 200),
        ("/private.x", 200),
        ("/x/private", 200),
        ("/private%2fx", 400),
        ("/private%5cx", 400),
        ("/private/..%2fx", 400),
    ] {
        assert_eq!(status_over_h1(&world, path).await, expected, "{path}");
    }
    for path in ["/private;", "/private;x=1", "/private;/x", "/private%3b", "/private%20", "/private."] {
        let status = status_over_h1(&world, path).await;
        assert!(matches!(status, 400 | 401 | 404), "{path}: {status}");
    }
}

#[tokio::test]
async fn what_remains_when_a_prefix_is_taken_off_is_canonical_and_below_the_prefix_before() {
    let upstream = Upstream::start().await;
    let route =
        |path: &str, rest: &str| format!("[[route]]\npath = \"{path}\"\nupstream = \"{}\"\n{rest}\n", upstream.url());
    let public = route("/files", "access = \"public\"\nstrip_prefix = true");
    let gateway = Gateway::start(&format!("{public}{}", route("/", ""))).await;
    let world = World { upstream, gateway };
    for path in hostile_paths() {
        for path in [format!("/files{path}"), format!("/files/..{path}"), format!("/%66iles/{path}")] {
            status_over_h1(&world, &path).await;
        }
    }
    let forwarded: Vec<String> = world.upstream.requests().into_iter().map(|seen| seen.target).collect();
    assert!(forwarded.len() > 20, "{}", forwarded.len());
    for target in &forwarded {
        let is_canonical = target.starts_with('/') && !target.contains("//") && !target.contains('\\');
        assert!(is_canonical && target.split('/').all(|segment| segment != "." && segment != ".."), "{target}");
    }
    let bare = |path: String| path.trim_end_matches('/').to_owned();
    let mut expected: Vec<String> = forwarded.iter().map(|target| bare(format!("/files{target}"))).collect();
    let mut decided: Vec<String> = paths_let_through(world).await.into_iter().map(bare).collect();
    expected.sort();
    decided.sort();
    assert_eq!(decided, expected);
}

/// Returns the world whose host `admin.test` is protected and every other one public.
async fn two_hosts() -> World {
    let upstream = Upstream::start().await;
    let route = |rest: &str| format!("[[route]]\npath = \"/\"\nupstream = \"{}\"\n{rest}\n", upstream.url());
    let gateway = Gateway::start(&format!("{}{}", route("host = \"admin.test\""), route("access = \"public\""))).await;
    World { upstream, gateway }
}

#[tokio::test]
async fn a_host_is_protected_in_every_spelling_and_a_request_names_one_host_only() {
    let world = two_hosts().await;
    let head = |line: &str, hosts: &[&str]| {
        let hosts: String = hosts.iter().map(|host| format!("{host}\r\n")).collect();
        format!("GET {line} HTTP/1.1\r\n{hosts}connection: close\r\n\r\n")
    };
    for host in ["admin.test", "ADMIN.test", "Admin.Test.", "admin.test:443", "admin.test.:8443", "aDMIN.TEST:1"] {
        for line in ["/", &format!("https://{host}/"), &format!("http://{host}/x")] {
            let (status, _) = world.answer_to(head(line, &[&format!("Host: {host}")])).await;
            assert_eq!(status, 401, "{line} of {host}");
        }
    }
    let mismatched = [
        ("https://public.test/", vec!["Host: admin.test"]),
        ("https://admin.test/", vec!["Host: public.test"]),
        ("https://admin.test:444/", vec!["Host: admin.test:443"]),
        ("https://public.test@admin.test/", vec!["Host: admin.test"]),
        ("https://admin.test\\@public.test/", vec!["Host: public.test"]),
        ("ftp://public.test/", vec!["Host: public.test"]),
        ("public.test:443", vec!["Host: public.test"]),
        ("*", vec!["Host: public.test"]),
        ("/", vec!["Host: public.test", "Host: admin.test"]),
        ("/", vec!["Host: public.test", "Host: public.test"]),
        ("/", vec!["Host: public.test, admin.test"]),
        ("/", vec!["Host: public.test admin.test"]),
        ("/", vec!["Host: public.test", " admin.test"]),
        ("/", vec!["Host : public.test"]),
        ("/", vec!["Host: public.test@admin.test"]),
        ("/", vec!["Host: admin%2etest"]),
        ("/", vec!["Host: admin..test"]),
        ("/", vec!["Host: admin.test.."]),
        ("/", vec!["Host: ädmin.test"]),
        ("/", vec!["Host: admin\u{3002}test"]),
        ("/", vec!["Host: \u{ff41}dmin.test"]),
        ("/", vec!["Host: admin.test/"]),
        ("/", vec!["Host: admin.test:"]),
        ("/", vec!["Host: admin.test:0443"]),
        ("/", vec!["Host:"]),
        ("/", vec![]),
    ];
    for (line, hosts) in mismatched {
        let (status, _) = world.answer_to(head(line, &hosts)).await;
        assert_eq!(status, 400, "{line} of {hosts:?}");
    }
    assert_eq!(world.upstream.count(), 0);
    assert_eq!(world.answer_to(head("/", &["Host: public.test"])).await.0, 200);
}

#[tokio::test]
async fn over_http_2_a_host_field_beside_the_authority_is_no_second_opinion() {
    let world = two_hosts().await;
    let pseudo = |authority: &'static str| {
        [(":method", &b"GET"[..]), (":scheme", b"https"), (":path", b"/"), (":authority", authority.as_bytes())]
    };
    let with_host = |authority, host: &'static str| [&pseudo(authority)[..], &[("host", host.as_bytes())]].concat();
    for block in [
        with_host("public.test", "admin.test"),
        with_host("admin.test", "public.test"),
        with_host("ADMIN.test.", "public.test"),
        [&pseudo("admin.test")[..], &[(":authority", b"public.test")]].concat(),
        [&pseudo("public.test")[..], &[("host", b"public.test"), ("host", b"admin.test")]].concat(),
        pseudo("public.test@admin.test").to_vec(),
        pseudo("ADMIN.TEST.").to_vec(),
        [&pseudo("admin.test")[..], &[(":path", b"/public")]].concat(),
        [&pseudo("public.test")[..], &[("Host", b"admin.test")]].concat(),
    ] {
        let mut frames = Frames::open(&world.gateway).await;
        frames.send(HEADERS, END_HEADERS | END_STREAM, 1, &frames::fields(&block)).await;
        frames.verdict().await;
        assert_eq!(world.upstream.count(), 0, "{block:?}");
    }
    let mut frames = Frames::open(&world.gateway).await;
    frames.send(HEADERS, END_HEADERS | END_STREAM, 1, &frames::fields(&with_host("public.test", "public.test"))).await;
    frames.verdict().await;
    assert_eq!(world.upstream.count(), 1);
}

#[tokio::test]
async fn a_server_name_in_tls_has_no_say_over_the_host_that_is_decided_on() {
    let world = two_hosts().await;
    for name in ["other.test", "www.example.com", HOST] {
        let mut raw = Raw::tls_with(&world.gateway, name, &[b"http/1.1"]).await.unwrap();
        assert_eq!(raw.ask("GET / HTTP/1.1\nhost: admin.test\n\n").await.status, 401, "{name}");
    }
}

#[tokio::test]
async fn no_session_ticket_allows_early_data_which_could_be_sent_twice() {
    let world = World::start().await;
    let mut config = Arc::unwrap_or_clone(Authority::shared().client_config(&[b"http/1.1"]));
    config.enable_early_data = true;
    let config = Arc::new(config);
    let name = rustls::pki_types::ServerName::try_from(HOST).unwrap();
    let connector = tokio_rustls::TlsConnector::from(Arc::clone(&config));
    for expected in [HandshakeKind::Full, HandshakeKind::Resumed] {
        let tcp = tokio::net::TcpStream::connect(world.gateway.address()).await.unwrap();
        let stream = connector.connect(name.clone(), tcp).await.unwrap();
        let mut raw = Raw::of(Stream::Tls(Box::new(stream)));
        // The tickets come before the answer.
        assert_eq!(raw.ask(&get("/", "")).await.status, 200);
        let Stream::Tls(stream) = &raw.stream else { panic!("not TLS") };
        assert_eq!(stream.get_ref().1.handshake_kind(), Some(expected));
        let mut next = rustls::ClientConnection::new(Arc::clone(&config), name.clone()).unwrap();
        assert!(next.early_data().is_none());
    }
}
