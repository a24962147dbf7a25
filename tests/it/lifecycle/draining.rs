//! SIGTERM: what is under way finishes, nothing new begins, and the process ends.

use std::time::{Duration, Instant};

use reqwest::StatusCode;

use crate::harness::clients::{BOTH, h1};
use crate::harness::{HOST, Raw, eventually, serve, soon};

#[tokio::test]
async fn requests_in_flight_finish_and_the_exit_code_is_0() {
    let (mut gateway, upstream) = serve("").await;
    let mut pending = Vec::new();
    for protocol in BOTH {
        pending.push(tokio::spawn(protocol.client().get(gateway.url("/slow")).send()));
    }
    upstream.wait_for_requests(2).await;
    gateway.signal("TERM");
    gateway.stderr().line("the beginning of the drain", |line| line.contains("draining")).await;
    assert!(gateway.is_running(), "two requests are under way");
    upstream.release();
    for answer in pending {
        let answer = soon("the answer", answer).await.unwrap().unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        assert!(!answer.bytes().await.unwrap().is_empty());
    }
    assert_eq!(soon("the end", gateway.ended()).await.code(), Some(0));
}

#[tokio::test]
async fn http1_is_told_to_close_and_idle_connections_are_closed() {
    // One worker: when it has closed the idle connection, the busy one knows of the end as well.
    let (mut gateway, upstream) = serve("[server]\nworkers = 1").await;
    let (mut idle, mut busy) = (Raw::tls(&gateway).await, Raw::tls(&gateway).await);
    assert_eq!(idle.ask("GET / HTTP/1.1\nHost: gateway.test\n\n").await.header("connection"), None);
    busy.send(b"GET /slow HTTP/1.1\r\nHost: gateway.test\r\n\r\n").await;
    upstream.wait_for_requests(2).await;
    gateway.signal("TERM");
    idle.closed().await;
    upstream.release();
    let answer = busy.response().await;
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
    busy.closed().await;
    assert_eq!(gateway.ended().await.code(), Some(0));
}

#[tokio::test]
async fn http2_is_told_to_go_away_and_its_last_stream_finishes() {
    let (mut gateway, upstream) = serve("").await;
    let stream = Raw::tls_with(&gateway, HOST, &[b"h2"]).await.unwrap().stream;
    let (mut sender, connection) = h2::client::handshake(stream).await.unwrap();
    let connection = tokio::spawn(connection);
    let request = http::Request::get(gateway.url("/slow")).body(()).unwrap();
    let (answer, _) = sender.send_request(request, true).unwrap();
    upstream.wait_for_requests(1).await;
    gateway.signal("TERM");
    eventually("a GOAWAY stops new streams", || {
        let request = http::Request::get(gateway.url("/")).body(()).unwrap();
        sender.send_request(request, true).is_err()
    })
    .await;
    upstream.release();
    assert_eq!(soon("the answer", answer).await.unwrap().status(), StatusCode::OK);
    drop(sender);
    // Ends well or badly: what the client says in reply to the GOAWAY may meet a connection that is closed already.
    let _ = soon("the end of the connection", connection).await.unwrap();
    assert_eq!(gateway.ended().await.code(), Some(0));
}

#[tokio::test]
async fn new_connections_are_refused_while_draining() {
    let (mut gateway, upstream) = serve("").await;
    let pending = tokio::spawn(h1().get(gateway.url("/slow")).send());
    upstream.wait_for_requests(1).await;
    gateway.signal("TERM");
    let address = gateway.address();
    eventually("nobody accepts any more", || std::net::TcpStream::connect(address).is_err()).await;
    upstream.release();
    assert_eq!(pending.await.unwrap().unwrap().status(), StatusCode::OK);
    assert_eq!(gateway.ended().await.code(), Some(0));
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let (mut gateway, upstream) = serve("").await;
    let pending = tokio::spawn(h1().get(gateway.url("/never")).send());
    upstream.wait_for_requests(1).await;
    gateway.signal("TERM");
    gateway.stderr().line("the beginning of the drain", |line| line.contains("draining")).await;
    let started = Instant::now();
    gateway.signal("TERM");
    gateway.ended().await;
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert!(pending.await.unwrap().is_err());
}

#[tokio::test]
async fn what_does_not_end_is_cut_off_when_the_drain_is_over() {
    let (mut gateway, upstream) = serve("[server]\ndrain = \"500ms\"").await;
    let pending = tokio::spawn(h1().get(gateway.url("/never")).send());
    upstream.wait_for_requests(1).await;
    let started = Instant::now();
    gateway.signal("INT");
    assert_eq!(gateway.ended().await.code(), Some(0), "a drain that met its limit is a clean end");
    assert!(started.elapsed() >= Duration::from_millis(500));
    assert!(pending.await.unwrap().is_err());
}

#[tokio::test]
async fn an_open_websocket_or_event_stream_does_not_hold_the_drain_past_its_limit() {
    let (mut gateway, _upstream) = serve("[server]\ndrain = \"500ms\"").await;
    let socket = crate::harness::websocket::Socket::open(&gateway, "/ws", None).await.unwrap();
    let events = h1().get(gateway.url("/sse")).send().await.unwrap();
    gateway.signal("TERM");
    assert_eq!(soon("the end", gateway.ended()).await.code(), Some(0));
    drop((socket, events));
}
