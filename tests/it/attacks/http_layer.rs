//! Bytes that two parsers could cut into requests in two ways, and connections that must not be used again.

use tokio::io::AsyncWriteExt as _;

use super::{World, get};
use crate::harness::clients::{BOTH, h1};
use crate::harness::scripted::{Scripted, read_head};
use crate::harness::{Gateway, HOST, Raw};

/// A request that would be one more if it were cut out of the body or the field that it stands in.
const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nhost: gateway.test\r\n\r\n";

#[tokio::test]
async fn what_follows_an_upgrade_that_the_app_declines_is_a_request_like_any_other() {
    let world = World::start().await;
    for upgrade in ["websocket", "WebSocket", "h2c", "TLS/1.0", "foo", "websocket, h2c"] {
        let before = world.upstream.count();
        let upgrade = format!("connection: upgrade, http2-settings\nupgrade: {upgrade}\nhttp2-settings: AAMAAABk\n");
        let both = format!("{}{}{}", get("/", &upgrade), get("/private", ""), get("/last", "connection: close\n"));
        let mut raw = Raw::tls(&world.gateway).await;
        raw.send(both.replace('\n', "\r\n")).await;
        let statuses = [raw.response().await.status, raw.response().await.status, raw.response().await.status];
        assert_eq!(statuses, [200, 401, 200], "{upgrade}");
        assert_eq!(world.upstream.count(), before + 2, "{upgrade}");
        assert!(world.upstream.requests().iter().all(|seen| seen.target != "/private"), "{upgrade}");
    }
    let bytes = String::from_utf8_lossy(&world.upstream.bytes()).to_lowercase();
    assert!(!bytes.contains("h2c") && !bytes.contains("http2-settings") && !bytes.contains("tls/1.0"), "{bytes}");
}

#[tokio::test]
async fn no_method_makes_a_tunnel_or_shows_what_the_gateway_adds() {
    let world = World::start().await;
    let person = world.person("ada@example.com").await;
    let bearer = format!("authorization: Bearer {}\r\n", person.access);
    for line in [
        "CONNECT gateway.test:443",
        "CONNECT /",
        "CONNECT 127.0.0.1:22",
        "TRACE /",
        "TRACE /private",
        "CONNECT https://gateway.test/",
    ] {
        let request = format!("{line} HTTP/1.1\r\nhost: {HOST}\r\n{bearer}\r\n{SMUGGLED}");
        let mut raw = Raw::tls(&world.gateway).await;
        raw.send(request).await;
        let status = raw.response().await.status;
        assert!(matches!(status, 400 | 405 | 501), "{line}: {status}");
        raw.closed().await;
    }
    for method in ["CONNECT", "TRACE"] {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let answer = BOTH[1].client().request(method, world.gateway.url("/")).bearer_auth(&person.access).send().await;
        assert!(answer.is_err() || !answer.unwrap().status().is_success());
    }
    assert_eq!(world.upstream.count(), 0);
}

/// Heads of a POST that two parsers could frame two ways; `BODY` stands for what follows.
const TWO_WAYS: [&str; 30] = [
    "content-length: 5\r\ntransfer-encoding: chunked",
    "transfer-encoding: chunked\r\ncontent-length: 5",
    "content-length: 0\r\ntransfer-encoding: chunked",
    "transfer-encoding: chunked\r\ntransfer-encoding: chunked",
    "transfer-encoding: chunked\r\ntransfer-encoding: identity",
    "transfer-encoding: chunked, identity",
    "transfer-encoding: identity, chunked",
    "transfer-encoding: identity",
    "transfer-encoding: chunked, chunked",
    "transfer-encoding: xchunked",
    "transfer-encoding:\u{b}chunked",
    "transfer-encoding: chunked\u{0}",
    "transfer-encoding : chunked",
    "transfer-encoding\t: chunked",
    " transfer-encoding: chunked",
    "x: y\r\n transfer-encoding: chunked",
    "x: y\ntransfer-encoding: chunked",
    "x: y\rtransfer-encoding: chunked",
    "transfer-encoding: \"chunked\"",
    "transfer-encoding:\r\n chunked",
    "content-length: +5",
    "content-length: -5",
    "content-length: 0x5",
    "content-length: 5, 5",
    "content-length: 5,6",
    "content-length: 5\r\ncontent-length: 5",
    "content-length: 5\r\ncontent-length: 6",
    "content-length: 05",
    "content-length: 5 5",
    "content-length: 99999999999999999999",
];

#[tokio::test]
async fn a_body_that_could_be_framed_two_ways_is_refused_and_nothing_after_it_is_read() {
    let world = World::start().await;
    let mut requests: Vec<String> = TWO_WAYS
        .iter()
        .map(|fields| format!("POST / HTTP/1.1\r\nhost: {HOST}\r\n{fields}\r\n\r\n0\r\n\r\n{SMUGGLED}"))
        .collect();
    requests.extend([
        format!("POST / HTTP/1.0\r\nhost: {HOST}\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{SMUGGLED}"),
        format!("POST / HTTP/1.1\nhost: {HOST}\ncontent-length: 0\n\n{SMUGGLED}"),
        format!("GET / HTTP/1.1\r\nhost: {HOST}\r\nx:\r\n\t{SMUGGLED}"),
        format!("GET / HTTP/1.1\r\r\nhost: {HOST}\r\n\r\n{SMUGGLED}"),
        format!("GET  / HTTP/1.1\r\nhost: {HOST}\r\n\r\n{SMUGGLED}"),
        format!("GET / HTTP/1.1 \r\nhost: {HOST}\r\n\r\n{SMUGGLED}"),
        format!("GET / HTTP/2.0\r\nhost: {HOST}\r\n\r\n{SMUGGLED}"),
        format!("GET / HTTP/1.2\r\nhost: {HOST}\r\n\r\n{SMUGGLED}"),
        format!("GET / HTTP/1.1, HTTP/1.1\r\nhost: {HOST}\r\n\r\n{SMUGGLED}"),
    ]);
    for request in requests {
        let mut raw = Raw::tls(&world.gateway).await;
        raw.send(&request).await;
        let status = raw.response().await.status;
        assert!(matches!(status, 400 | 501 | 505), "{request:?}: {status}");
        raw.closed().await;
    }
    assert_eq!(world.upstream.count(), 0);
}

#[tokio::test]
async fn a_chunk_that_breaks_its_framing_ends_the_connection_and_smuggles_nothing() {
    let world = World::start().await;
    for chunks in [
        "5\nhello\n0\n\n",
        "5\r\nhello0\r\n\r\n",
        "5\r\nhelloworld\r\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        "+5\r\nhello\r\n0\r\n\r\n",
        "-1\r\nhello\r\n0\r\n\r\n",
        " 5\r\nhello\r\n0\r\n\r\n",
        "5 \r\nhello\r\n0\r\n\r\n",
        "5;\nx\r\nhello\r\n0\r\n\r\n",
        "FFFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n",
        "5\r\nhello\r\n0\r\nx\r\n\r\n",
        "5\r\nhello\r\n0\n\n",
        "\r\n5\r\nhello\r\n0\r\n\r\n",
    ] {
        let request =
            format!("POST /x HTTP/1.1\r\nhost: {HOST}\r\ntransfer-encoding: chunked\r\n\r\n{chunks}{SMUGGLED}");
        let mut raw = Raw::tls(&world.gateway).await;
        raw.send(&request).await;
        // The head was fine, so that the app may have begun to answer: what counts is that nothing follows.
        let rest = String::from_utf8_lossy(&raw.rest().await).into_owned();
        assert!(rest.matches("HTTP/1.1 ").count() <= 1 && !rest.starts_with("HTTP/1.1 200"), "{chunks:?}: {rest}");
    }
    assert!(world.upstream.requests().iter().all(|seen| !seen.target.contains("smuggled")));
    assert_eq!(h1().get(world.gateway.url("/")).send().await.unwrap().status(), 200);
    assert!(world.upstream.requests().iter().all(|seen| seen.target == "/"), "{:?}", world.upstream.requests());
}

#[tokio::test]
async fn after_an_early_refusal_the_unread_body_is_never_taken_for_the_next_request() {
    let world = World::start().await;
    let body = SMUGGLED.repeat(2000);
    for framing in [
        format!("content-length: {}\r\n\r\n{body}", body.len()),
        format!("transfer-encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n", body.len()),
    ] {
        for path in ["/private", "/auth/nothing", "/x/%00"] {
            let mut raw = Raw::tls(&world.gateway).await;
            let request = format!("POST {path} HTTP/1.1\r\nhost: {HOST}\r\n{framing}");
            let both = format!("{request}{}", get("/last", "").replace('\n', "\r\n"));
            // Who is refused may find the connection closed before it has said all.
            let _ = raw.try_send(both).await;
            let first = raw.response().await;
            assert!(matches!(first.status, 400 | 401 | 404 | 413), "{path}: {}", first.status);
            if let Some(next) = raw.head().await {
                assert_eq!(next.status, 200, "{path}: {}", next.head);
                assert_eq!(world.upstream.last_request().target, "/last", "{path}");
            }
        }
    }
    assert!(world.upstream.requests().iter().all(|seen| seen.target == "/last"));
}

/// An app whose first answer on each connection is followed by one that nobody asked for.
async fn poisoning(poison: &'static str) -> Scripted {
    Scripted::start(move |_, mut stream| async move {
        while !read_head(&mut stream).await.is_empty() {
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nmine{poison}");
            if stream.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
        }
    })
    .await
}

#[tokio::test]
async fn an_answer_that_nobody_asked_for_never_goes_to_the_next_client() {
    for poison in [
        "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison",
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\npoison",
        "poison",
        "\r\npoison",
    ] {
        let app = poisoning(poison).await;
        let route = format!("[[route]]\npath = \"/\"\naccess = \"public\"\nupstream = \"{}\"", app.url());
        let gateway = Gateway::start(&format!("[server]\nworkers = 1\n{route}")).await;
        for number in 0..30 {
            let answer = BOTH[number % 2].client().get(gateway.url("/")).send().await.unwrap();
            let (status, text) = (answer.status(), answer.text().await.unwrap_or_default());
            assert!(text == "mine" || status == 502, "{poison:?}: {status} {text}");
        }
    }
}

#[tokio::test]
async fn an_answer_that_is_framed_two_ways_is_not_passed_on_and_its_connection_not_used_again() {
    for framing in [
        "content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\npoison",
        "content-length: 4\r\ncontent-length: 5\r\n\r\nminepoison",
        "content-length: +4\r\n\r\nminepoison",
        "transfer-encoding: chunked\r\n\r\nzz\r\nmine\r\n0\r\n\r\n",
    ] {
        let app = Scripted::start(move |_, mut stream| async move {
            while !read_head(&mut stream).await.is_empty() {
                let _ = stream.write_all(format!("HTTP/1.1 200 OK\r\n{framing}").as_bytes()).await;
            }
        })
        .await;
        let route = format!("[[route]]\npath = \"/\"\naccess = \"public\"\nupstream = \"{}\"", app.url());
        let gateway = Gateway::start(&format!(
            "[server]\nworkers = 1\n[upstream.unused]\nservers = [\"{}\"]\n{route}",
            app.url()
        ))
        .await;
        for number in 1..4 {
            let mut raw = Raw::tls(&gateway).await;
            raw.send(get("/", "connection: close\n").replace('\n', "\r\n")).await;
            let text = String::from_utf8_lossy(&raw.rest().await).into_owned();
            assert!(text.matches("HTTP/1.1 ").count() <= 1 && !text.contains("poison"), "{framing:?}: {text}");
            let lengths = text.to_lowercase().matches("content-length").count()
                + text.to_lowercase().matches("transfer-encoding").count();
            assert!(lengths <= 1, "{framing:?}: {text}");
            assert!(app.connections() >= number, "{framing:?}: a broken connection was used again");
        }
    }
}
