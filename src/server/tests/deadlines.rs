//! Each deadline, with small limits; the tests wait for the connection to close, which the deadline alone can bring about.

use std::time::Instant;

use super::*;
use crate::http::hpack::encode_field;
use crate::server::http2::PREFACE;

fn hasty() -> Settings {
    Settings { header_timeout: Duration::from_millis(700), idle_timeout: Duration::from_millis(900), ..settings() }
}

#[tokio::test]
async fn a_client_that_says_nothing_is_let_go_without_a_word() {
    let (server, _) = start(hasty());
    assert_eq!(talk(&server, b"").await, "");
}

#[tokio::test]
async fn a_head_that_does_not_end_is_answered_408() {
    let (server, _) = start(hasty());
    assert_eq!(statuses(&talk(&server, b"GET / HTTP/1.1\r\nhost: a").await), ["408"]);
    let answers = talk(&server, format!("{}GET /", get("/a")).as_bytes()).await;
    assert_eq!(statuses(&answers), ["200", "408"], "{answers}");
}

#[tokio::test]
async fn a_head_that_trickles_is_answered_408_although_bytes_keep_coming() {
    let (server, _) = start(hasty());
    let (mut reader, mut writer) = connect(&server).await.into_split();
    let trickle = async move {
        while writer.write_all(b"GET / HTTP/1.1\r\nx: y").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let mut answers = Vec::new();
    let read = async { while reader.read_buf(&mut answers).await.is_ok_and(|read| read > 0) {} };
    soon(async { tokio::join!(trickle, read) }).await;
    assert!(answers.starts_with(b"HTTP/1.1 408"), "{}", String::from_utf8_lossy(&answers));
}

#[tokio::test]
async fn an_idle_connection_is_closed_after_its_answer() {
    let (server, _) = start(hasty());
    assert_eq!(statuses(&talk(&server, get("/a").as_bytes()).await), ["200"]);
}

#[tokio::test]
async fn a_request_in_flight_may_take_longer_than_the_idle_timeout() {
    let (server, signals) = start(hasty());
    let mut stream = connect(&server).await;
    stream.write_all(get("/wait").as_bytes()).await.unwrap();
    // An idle connection that came later has gone before the answer is allowed.
    soon(signals.entered.notified()).await;
    talk(&server, get("/a").as_bytes()).await;
    talk(&server, get("/a").as_bytes()).await;
    signals.release.notify_one();
    assert_eq!(statuses(&read_to_end(&mut stream).await), ["200"]);
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_off() {
    let (server, _) = start(hasty());
    let mut stream = connect(&server).await;
    stream.write_all(get("/large").as_bytes()).await.unwrap();
    until(|| server.counters().accepted() == 1 && server.counters().open() == 0).await;
}

#[tokio::test]
async fn a_stalled_tls_handshake_ends_and_blocks_nobody() {
    let (server, _) = start(Settings { tls: Some(protocols::tls_config()), ..hasty() });
    let mut stalled = connect(&server).await;
    let mut garbage = connect(&server).await;
    garbage.write_all(b"this is no handshake at all, not even a bit of one").await.unwrap();
    let client = protocols::tls_client(&server, &[b"http/1.1"]).await;
    drop(client);
    let mut nothing = Vec::new();
    soon(stalled.read_to_end(&mut nothing)).await.unwrap();
    assert!(nothing.is_empty());
    until(|| server.counters().failed_handshakes() == 2).await;
}

#[tokio::test]
async fn an_http2_connection_without_streams_gets_a_goaway_and_is_closed() {
    let (server, _) = start(hasty());
    let (mut sender, connection) = protocols::http2_client(connect(&server).await).await;
    let driving = tokio::spawn(connection);
    let answer = soon(sender.send_request(protocols::request("/a"))).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    drop(answer);
    soon(driving).await.unwrap().unwrap();
}

/// Returns a frame of HTTP/2.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// Takes whole frames from the start of `bytes`; returns whether one of them answers a ping.
fn is_answered(bytes: &mut Vec<u8>) -> bool {
    let mut is_answered = false;
    while let [high, middle, low, kind, flags, ..] = bytes[..] {
        let length = 9 + u32::from_be_bytes([0, high, middle, low]) as usize;
        if bytes.len() < length {
            break;
        }
        is_answered |= (kind, flags) == (6, 1);
        bytes.drain(..length);
    }
    is_answered
}

#[tokio::test]
async fn an_http2_client_that_reads_slowly_is_heard_and_keeps_its_connection() {
    let blocked = Duration::from_secs(2);
    let (server, _) = start(Settings { idle_timeout: blocked, ..settings() });
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut stream = soon(socket.connect(server.local_addrs()[0])).await.unwrap();
    let mut block = Vec::new();
    for (name, value) in [(":method", "GET"), (":scheme", "http"), (":authority", "a.test"), (":path", "/large")] {
        encode_field(name.as_bytes(), value.as_bytes(), &mut block);
    }
    let largest = 0x7FFF_FFFF_u32.to_be_bytes();
    let mut begin = [PREFACE, &frame(4, 0, 0, &[&[0, 4], &largest[..]].concat())].concat();
    begin.extend(frame(8, 0, 0, &(0x7FFF_FFFF - 65_535_u32).to_be_bytes()));
    for id in [1, 3, 5, 7] {
        begin.extend(frame(1, 5, id, &block));
    }
    stream.write_all(&begin).await.unwrap();
    // Longer than a connection may be blocked; all the while something goes out.
    let started = Instant::now();
    let (mut bytes, mut pings, mut answers) = (Vec::new(), 0, 0);
    while started.elapsed() < 2 * blocked || answers < pings {
        if started.elapsed() < 2 * blocked && answers == pings {
            stream.write_all(&frame(6, 0, 0, &[0; 8])).await.unwrap();
            pings += 1;
        }
        let mut piece = vec![0; 16 * 1024];
        let length = soon(stream.read(&mut piece)).await.expect("the connection holds");
        assert!(length > 0, "closed in the middle of an answer that was read");
        bytes.extend_from_slice(&piece[..length]);
        answers += usize::from(is_answered(&mut bytes));
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert!(answers > 0);
}
