//! What clients are told when the app is away, late or broken.

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use tokio::io::AsyncWriteExt as _;

use crate::harness::clients::{BOTH, h1};
use crate::harness::people::problem_code;
use crate::harness::scripted::{Scripted, read_head};
use crate::harness::{Gateway, Upstream};

fn public(url: &str, keys: &str) -> String {
    format!(
        "[upstream.app]\nservers = [\"{url}\"]\n{keys}\n[[route]]\npath = \"/\"\naccess = \"public\"\nupstream = \"app\"\n"
    )
}

#[tokio::test]
async fn an_app_that_is_away_is_502_at_once() {
    // Bound and dropped: nobody listens there.
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let gateway = Gateway::start(&public(&format!("http://{address}"), "")).await;
    for protocol in BOTH {
        let started = Instant::now();
        let answer = protocol.client().get(gateway.url("/")).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::BAD_GATEWAY);
        let text = answer.text().await.unwrap();
        assert!(!text.contains(&address.to_string()), "the address is the operator's business: {text}");
        assert!(started.elapsed() < Duration::from_secs(10));
    }
    let line = gateway.stdout().object("the access line", |line| line["status"] == 502).await;
    assert_eq!(line["refused"], "upstream_unreachable");
}

#[tokio::test]
async fn an_app_that_breaks_off_or_talks_nonsense_is_502() {
    for reply in
        ["", "nonsense\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\n12345", "HTTP/1.1 200 OK\r\nX: 1"]
    {
        let app = Scripted::start(move |_, mut stream| async move {
            read_head(&mut stream).await;
            stream.write_all(reply.as_bytes()).await.unwrap();
        })
        .await;
        let gateway = Gateway::start(&public(&app.url(), "")).await;
        let answer = h1().get(gateway.url("/")).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::BAD_GATEWAY, "{reply:?}");
        assert_eq!(problem_code(answer).await, "upstream_failed");
    }
}

#[tokio::test]
async fn an_app_that_is_late_is_504_and_the_connection_is_given_up() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&public(&upstream.url(), "response_timeout = \"300ms\"")).await;
    for protocol in BOTH {
        let answer = protocol.client().get(gateway.url("/never")).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::GATEWAY_TIMEOUT);
        assert_eq!(problem_code(answer).await, "upstream_timeout");
    }
    assert_eq!(upstream.count(), 2, "what may have been acted on is not repeated");
    crate::harness::eventually("no connection waits on", || upstream.open_connections() == 0).await;
}

#[tokio::test]
async fn a_response_that_breaks_off_in_its_body_does_not_look_complete() {
    let app = Scripted::start(|_, mut stream| async move {
        read_head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly this").await.unwrap();
    })
    .await;
    let gateway = Gateway::start(&public(&app.url(), "")).await;
    for protocol in BOTH {
        let answer = protocol.client().get(gateway.url("/")).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        assert!(answer.bytes().await.is_err(), "{protocol:?}: a broken body was passed off as whole");
    }
}

#[tokio::test]
async fn a_server_that_is_away_is_passed_over_for_one_that_is_there() {
    let upstream = Upstream::start().await;
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let gateway = Gateway::start(&format!(
        "[upstream.app]\nservers = [\"http://{gone}\", \"{}\"]\nbalance = \"round_robin\"\n\
         [[route]]\npath = \"/\"\naccess = \"public\"\nupstream = \"app\"",
        upstream.url()
    ))
    .await;
    let client = h1();
    for attempt in 0..6 {
        let answer = client.post(gateway.url("/")).body("not sent twice").send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "attempt {attempt}");
    }
    assert_eq!(upstream.count(), 6);
}

#[tokio::test]
async fn an_answer_without_a_session_is_never_cached_and_the_apps_own_caching_stands() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&crate::harness::usual(&upstream)).await;
    let refused = h1().get(gateway.url("/private")).send().await.unwrap();
    assert_eq!(refused.headers()["cache-control"], "no-store");
    let answer = h1().get(gateway.url("/set?cache-control=max-age%3d60&etag=abc")).send().await.unwrap();
    assert_eq!(answer.headers().get("etag").unwrap(), "abc");
}
