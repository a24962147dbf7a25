//! Big and slow bodies. A whole gibibyte, and the memory it takes, is `tests/scripts/big_bodies.py`'s to see.

use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, stream};
use reqwest::{Body, Method, StatusCode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::harness::clients::{BOTH, h1};
use crate::harness::scripted::{Scripted, read_head};
use crate::harness::upstream_answers::{Sum, pattern};
use crate::harness::{Gateway, PATIENCE, Person, Raw, eventually, serve, soon};

const SIZE: u64 = 64 << 20;
const PIECE: usize = 64 << 10;

/// Returns a body of `length` bytes of the pattern, without a declared length.
fn upload(length: u64) -> Body {
    let pieces = (0..length / PIECE as u64).map(|piece| Ok::<_, std::io::Error>(pattern(piece * PIECE as u64, PIECE)));
    Body::wrap_stream(stream::iter(pieces))
}

#[tokio::test]
async fn sixty_four_mebibytes_go_up_and_come_down_unchanged_over_both_protocols() {
    let (gateway, upstream) = serve("").await;
    let person = Person::register(&gateway, &h1(), "ada@example.com").await;
    let expected = Sum::of_pattern(SIZE);
    for protocol in BOTH {
        let client = protocol.builder().timeout(PATIENCE * 4).build().unwrap();
        let request = person.request(&gateway, &client, Method::PUT, "/private/up").body(upload(SIZE));
        assert_eq!(request.send().await.unwrap().status(), StatusCode::OK, "{protocol:?}");
        let seen = upstream.last_request();
        assert_eq!((seen.body_length, &seen.body_sha256), (SIZE, &expected), "{protocol:?}");

        let answer = person.get(&gateway, &client, &format!("/private/big?bytes={SIZE}")).await;
        let mut sum = Sum::default();
        let mut pieces = answer.bytes_stream();
        while let Some(piece) = pieces.next().await {
            sum.add(&piece.unwrap());
        }
        assert_eq!((sum.length, sum.hex()), (SIZE, expected.clone()), "{protocol:?}");
    }
}

#[tokio::test]
async fn a_body_is_passed_on_both_ways_while_it_still_comes() {
    let (gateway, _upstream) = serve("").await;
    for protocol in BOTH {
        let (sender, receiver) = tokio::sync::mpsc::channel::<String>(1);
        let body = stream::unfold(receiver, |mut receiver| async {
            let text = receiver.recv().await?;
            Some((Ok::<_, std::io::Error>(text), receiver))
        });
        sender.send("first".to_owned()).await.unwrap();
        let request = protocol.client().post(gateway.url("/echo")).body(Body::wrap_stream(body)).send();
        let mut answer = soon("an answer while the request's body is open", request).await.unwrap();
        assert_eq!(answer.chunk().await.unwrap().unwrap(), "first");
        for text in ["second", "third"] {
            sender.send(text.to_owned()).await.unwrap();
            assert_eq!(soon("the echo", answer.chunk()).await.unwrap().unwrap(), text, "{protocol:?}");
        }
        drop(sender);
        assert!(soon("the end", answer.bytes()).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_response_that_waits_for_the_end_of_a_long_upload_is_not_cut() {
    let app = Scripted::start(|_, mut stream| async move {
        read_head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n").await.unwrap();
        let mut seen = Vec::new();
        while !seen.ends_with(b"0\r\n\r\n") {
            seen.push(stream.read_u8().await.unwrap());
        }
        stream.write_all(b"done").await.unwrap();
    })
    .await;
    let route = format!("[[route]]\npath = \"/\"\naccess = \"public\"\nupstream = \"{}\"", app.url());
    let gateway = Gateway::start(&format!("[limits]\nidle_timeout = \"2s\"\n{route}")).await;
    for protocol in BOTH {
        let (sender, receiver) = tokio::sync::mpsc::channel::<String>(1);
        let body = stream::unfold(receiver, |mut receiver| async {
            let text = receiver.recv().await?;
            Some((Ok::<_, std::io::Error>(text), receiver))
        });
        let request = protocol.client().post(gateway.url("/")).body(Body::wrap_stream(body)).send();
        let slowly = async move {
            let began = Instant::now();
            // Longer than anything may stand still.
            while began.elapsed() < Duration::from_secs(3) {
                sender.send("x".to_owned()).await.unwrap();
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        let (answer, ()) = tokio::join!(request, slowly);
        let answer = answer.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{protocol:?}");
        assert_eq!(soon("the body", answer.text()).await.unwrap(), "done", "{protocol:?}");
    }
}

#[tokio::test]
async fn an_upload_waits_when_the_app_does_not_read() {
    let (gateway, upstream) = serve("").await;
    for protocol in BOTH {
        let sent = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
        let counted = std::sync::Arc::clone(&sent);
        let pieces = (0..SIZE / PIECE as u64).map(move |piece| {
            counted.fetch_add(PIECE as u64, std::sync::atomic::Ordering::SeqCst);
            Ok::<_, std::io::Error>(pattern(piece * PIECE as u64, PIECE))
        });
        let request = protocol.client().post(gateway.url("/never")).body(Body::wrap_stream(stream::iter(pieces)));
        let before = upstream.count();
        let task = tokio::spawn(request.send());
        upstream.wait_for_requests(before + 1).await;
        // Once nothing moves for half a second, what is on the way is what the gateway and two sockets hold.
        let mut last = u64::MAX;
        loop {
            let now = sent.load(std::sync::atomic::Ordering::SeqCst);
            if now == last {
                break;
            }
            last = now;
            tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        }
        assert!(last < SIZE / 2, "{protocol:?}: {last} bytes were taken off the client");
        task.abort();
    }
}

#[tokio::test]
async fn a_client_that_waits_for_100_continue_is_told_to_go_on_or_refused_at_once() {
    let (gateway, upstream) = serve("").await;
    let person = Person::register(&gateway, &h1(), "ada@example.com").await;
    let mut raw = Raw::tls(&gateway).await;
    let head = |path: &str, field: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nHost: gateway.test\r\nExpect: 100-continue\r\nContent-Length: 5\r\n{field}\r\n"
        )
    };
    raw.send(head("/private", &format!("Authorization: Bearer {}\r\n", person.access))).await;
    assert_eq!(raw.head().await.unwrap().status, 100);
    raw.send(b"hello").await;
    assert_eq!(raw.response().await.status, 200);
    assert_eq!(upstream.last_request().body_length, 5);

    raw.send(head("/private", "")).await;
    let refused = raw.head().await.unwrap();
    assert_eq!(refused.status, 401, "the body is not asked for");
    assert_eq!(upstream.count(), 1);
}

#[tokio::test]
async fn an_upload_that_breaks_off_is_not_a_whole_one_for_the_app() {
    let (gateway, upstream) = serve("").await;
    let mut raw = Raw::tls(&gateway).await;
    raw.send(b"POST /x HTTP/1.1\r\nHost: gateway.test\r\nContent-Length: 100\r\n\r\nonly this").await;
    upstream.wait_for_requests(1).await;
    drop(raw);
    eventually("the app's connection is closed", || upstream.open_connections() == 0).await;
    assert_eq!(upstream.requests().len(), 0, "half a body was passed off as whole");
}
