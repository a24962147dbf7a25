//! Clients that stall, trickle or flood cost little and stand in nobody's way.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::frames::{
    self, CONTINUATION, DATA, END_HEADERS, END_STREAM, Frames, HEADERS, PING, RST_STREAM, SETTINGS, WINDOW_UPDATE,
    encode,
};
use super::{World, get};
use crate::harness::clients::{BOTH, h1};
use crate::harness::{Gateway, HOST, Raw, soon};

/// How much a flood on one connection may cost.
const CEILING_KIB: u64 = 48 * 1024;

fn memory_kib(gateway: &Gateway) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", gateway.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Sends frames as fast as they are taken, some megabytes at most; the gateway may end the connection meanwhile.
async fn flood(gateway: &Gateway, first: &[u8], frame: impl Fn(u32) -> Vec<u8>, count: u32) {
    let mut stream = Raw::tls_with(gateway, HOST, &[b"h2"]).await.unwrap().stream;
    let begin = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), encode(SETTINGS, 0, 0, &[]), first.to_vec()].concat();
    stream.write_all(&begin).await.unwrap();
    for batch in 0..count / 100 {
        let frames: Vec<u8> = (0..100).flat_map(|place| frame(batch * 100 + place)).collect();
        // Nobody reads the answers: at some point the gateway may stop reading too.
        let sent = tokio::time::timeout(Duration::from_secs(1), stream.write_all(&frames)).await;
        if !matches!(sent, Ok(Ok(()))) {
            return;
        }
    }
}

/// What it is called, how it begins, its frame of a number, and how many.
type Flood<'a> = (&'static str, &'a [u8], Box<dyn Fn(u32) -> Vec<u8> + 'a>, u32);

#[tokio::test]
async fn no_flood_of_http_2_frames_costs_much_memory_or_stops_others() {
    let world = World::start().await;
    let get_private = frames::get(b"/private");
    let open = |number: u32, flags: u8| encode(HEADERS, flags, number * 2 + 1, &get_private);
    let unfinished = encode(HEADERS, 0, 1, &get_private);
    let with_body = encode(HEADERS, END_HEADERS, 1, &frames::get(b"/echo"));
    let reset = |number: u32| {
        [open(number, END_HEADERS | END_STREAM), encode(RST_STREAM, 0, number * 2 + 1, &[0, 0, 0, 8])].concat()
    };
    // Made by the server itself: a window of zero is an error of the stream (MadeYouReset).
    let made_reset =
        |number: u32| [open(number, END_HEADERS), encode(WINDOW_UPDATE, 0, number * 2 + 1, &[0, 0, 0, 0])].concat();
    let floods: [Flood; 8] = [
        ("rapid reset", &[], Box::new(reset), 20_000),
        ("made resets", &[], Box::new(made_reset), 20_000),
        (
            "continuation",
            &unfinished,
            Box::new(|_| encode(CONTINUATION, 0, 1, &frames::fields(&[("x", &[b'y'; 1000])]))),
            20_000,
        ),
        ("empty continuation", &unfinished, Box::new(|_| encode(CONTINUATION, 0, 1, &[])), 50_000),
        ("empty data", &with_body, Box::new(|_| encode(DATA, 0, 1, &[])), 100_000),
        ("settings", &[], Box::new(|_| encode(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 1])), 50_000),
        ("ping", &[], Box::new(|_| encode(PING, 0, 0, &[0; 8])), 50_000),
        ("open streams", &[], Box::new(|number| open(number, END_HEADERS)), 20_000),
    ];
    for (name, first, frame, count) in floods {
        let before = memory_kib(&world.gateway);
        flood(&world.gateway, first, frame, count).await;
        let grown = memory_kib(&world.gateway).saturating_sub(before);
        assert!(grown < CEILING_KIB, "{name}: {grown} KiB");
        for protocol in BOTH {
            assert_eq!(protocol.client().get(world.gateway.url("/")).send().await.unwrap().status(), 200, "{name}");
        }
    }
    assert!(world.upstream.requests().iter().all(|seen| seen.target != "/private"));
}

#[tokio::test]
async fn a_window_of_one_byte_holds_back_its_own_stream_only() {
    let world = World::start().await;
    let mut frames = Frames::open(&world.gateway).await;
    // The client's windows: a single byte for each stream.
    assert!(frames.send(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 1]).await);
    let before = memory_kib(&world.gateway);
    for number in 0..20 {
        let block = frames::get(b"/big?bytes=20000000");
        assert!(frames.send(HEADERS, END_HEADERS | END_STREAM, number * 2 + 1, &block).await);
    }
    world.upstream.wait_for_requests(20).await;
    for _ in 0..20 {
        assert_eq!(h1().get(world.gateway.url("/")).send().await.unwrap().status(), 200);
    }
    let grown = memory_kib(&world.gateway).saturating_sub(before);
    assert!(grown < CEILING_KIB, "{grown} KiB");
}

#[tokio::test]
async fn handshakes_that_stall_or_are_nonsense_end_and_keep_nobody_waiting() {
    let world = World::with("[limits]\nheader_timeout = \"1s\"").await;
    let beginnings: [&[u8]; 6] = [
        b"",
        b"\x16",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\x16\x03\x01\xff\xff",
        b"GET / HTTP/1.1\r\nhost: gateway.test\r\n\r\n",
        b"\x80\x2e\x01\x00\x02\x00\x15",
    ];
    let mut stalled = Vec::new();
    for number in 0..120 {
        let mut stream = TcpStream::connect(world.gateway.address()).await.unwrap();
        stream.write_all(beginnings[number % beginnings.len()]).await.unwrap();
        stalled.push(stream);
    }
    let started = Instant::now();
    for protocol in BOTH {
        assert_eq!(protocol.client().get(world.gateway.url("/")).send().await.unwrap().status(), 200);
    }
    let waited = started.elapsed();
    let ends = stalled.iter_mut().map(|stream| async {
        let mut rest = Vec::new();
        // An alert or nothing, then the end or a reset.
        let _ = soon("the end of a stalled handshake", stream.read_to_end(&mut rest)).await;
        assert!(rest.len() < 64, "{rest:?}");
    });
    join_all(ends).await;
    assert!(waited < started.elapsed() || waited < Duration::from_secs(1), "{waited:?}");
}

#[tokio::test]
async fn heads_and_bodies_and_idle_connections_have_deadlines() {
    let config = "[limits]\nheader_timeout = \"1s\"\nidle_timeout = \"1s\"";
    let world = World::with(config).await;
    // A head that trickles on, a byte at a time.
    let mut raw = Raw::tls(&world.gateway).await;
    let started = Instant::now();
    let head = get("/", "x: y\n").replace('\n', " ");
    let mut sent = 0;
    while started.elapsed() < Duration::from_millis(1500)
        && raw.try_send([head.as_bytes()[sent % head.len()]]).await.is_ok()
    {
        sent += 1;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(raw.response().await.status, 408);
    // A body that stops.
    let mut raw = Raw::tls(&world.gateway).await;
    raw.send(format!("POST /x HTTP/1.1\r\nhost: {HOST}\r\ncontent-length: 10\r\n\r\nhalf")).await;
    assert_eq!(raw.response().await.status, 408);
    raw.closed().await;
    // A connection on which nothing comes any more, after an answer and before any request.
    let mut raw = Raw::tls(&world.gateway).await;
    assert_eq!(raw.ask(&get("/", "")).await.status, 200);
    raw.closed().await;
    Raw::tls(&world.gateway).await.closed().await;
    // An answer that stops: what was promised does not come, and the connection ends.
    let mut raw = Raw::tls(&world.gateway).await;
    raw.send(get("/sse", "").replace('\n', "\r\n")).await;
    assert_eq!(raw.head().await.unwrap().status, 200);
    let rest = raw.rest().await;
    assert!(!rest.ends_with(b"0\r\n\r\n"), "a stream that was cut looks complete");
}
