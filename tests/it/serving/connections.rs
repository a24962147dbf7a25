//! Connections to the app: kept, reused, and replaced when they have died unseen.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use reqwest::{Method, StatusCode};
use tokio::io::AsyncWriteExt as _;

use crate::harness::clients::{BOTH, h1};
use crate::harness::scripted::{Scripted, read_head};
use crate::harness::{Gateway, Raw, serve};

#[tokio::test]
async fn many_requests_share_few_connections_to_the_app() {
    let (gateway, upstream) = serve("").await;
    for protocol in BOTH {
        let client = protocol.client();
        for number in 0..30 {
            let answer = client.get(gateway.url(&format!("/{number}"))).send().await.unwrap();
            answer.bytes().await.unwrap();
        }
    }
    assert_eq!(upstream.count(), 60);
    // Two workers, and one request at a time.
    assert!(upstream.connections() <= 4, "{} connections", upstream.connections());
}

#[tokio::test]
async fn requests_on_one_connection_of_a_client_are_each_judged_anew() {
    let (gateway, upstream) = serve("").await;
    let person = crate::harness::Person::register(&gateway, &h1(), "ada@example.com").await;
    let mut raw = Raw::tls(&gateway).await;
    let known = format!("GET /private HTTP/1.1\nHost: gateway.test\nAuthorization: Bearer {}\n\n", person.access);
    let nobody = "GET /private HTTP/1.1\nHost: gateway.test\n\n";
    assert_eq!(raw.ask(&known).await.status, 200);
    assert_eq!(raw.ask(nobody).await.status, 401);
    assert_eq!(raw.ask(&known).await.status, 200);
    assert_eq!(raw.ask("GET / HTTP/1.1\nHost: gateway.test\n\n").await.status, 200);
    assert_eq!(upstream.last_request().header("x-user-id"), None, "identity does not stick to a connection");
}

/// An app that answers the first request of its first connection and closes it when the next has come, as one does whose
/// idle time has just run out.
async fn closing_app() -> (Scripted, Arc<AtomicUsize>) {
    let answered = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&answered);
    let app = Scripted::start(move |number, mut stream| {
        let counted = Arc::clone(&counted);
        async move {
            loop {
                if read_head(&mut stream).await.is_empty() {
                    return;
                }
                if number == 0 && counted.load(Ordering::SeqCst) == 1 {
                    return;
                }
                counted.fetch_add(1, Ordering::SeqCst);
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.unwrap();
            }
        }
    })
    .await;
    (app, answered)
}

#[tokio::test]
async fn a_kept_connection_that_died_costs_an_idempotent_request_nothing_and_never_repeats_a_post() {
    for (method, expected) in [(Method::GET, StatusCode::OK), (Method::POST, StatusCode::BAD_GATEWAY)] {
        let (app, answered) = closing_app().await;
        let gateway = Gateway::start(&format!(
            "[server]\nworkers = 1\n[[route]]\npath = \"/\"\naccess = \"public\"\nupstream = \"{}\"",
            app.url()
        ))
        .await;
        let client = h1();
        let first = client.get(gateway.url("/")).send().await.unwrap();
        assert_eq!(first.text().await.unwrap(), "ok");
        let second = client.request(method.clone(), gateway.url("/")).body("").send().await.unwrap();
        assert_eq!(second.status(), expected, "{method}");
        let expected_answers = if expected == StatusCode::OK { 2 } else { 1 };
        assert_eq!(answered.load(Ordering::SeqCst), expected_answers, "{method}");
    }
}

#[tokio::test]
async fn a_connection_that_the_app_closed_meanwhile_is_not_used_for_anything() {
    let app = Scripted::start(|_, mut stream| async move {
        read_head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.unwrap();
    })
    .await;
    let gateway =
        Gateway::start(&format!("[[route]]\npath = \"/\"\naccess = \"public\"\nupstream = \"{}\"", app.url())).await;
    let client = h1();
    for number in 0..10 {
        let answer = client.post(gateway.url("/")).body("each once").send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "request {number}");
        answer.bytes().await.unwrap();
    }
    assert_eq!(app.connections(), 10);
}
