//! The ops and redirect listeners, over real sockets.

use super::*;
use crate::server::ops::{self, Sources};
use crate::server::redirect::{self, Destination};

fn no_port() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

#[tokio::test]
async fn health_readiness_and_metrics_have_their_answers() {
    let sources = Sources::new(|| async { Err(vec!["store".to_owned()]) }, || "# EOF\n".to_owned());
    let server = ops::start(no_port(), sources).unwrap();
    let health = talk(&server, last_get("/healthz").as_bytes()).await;
    assert!(health.starts_with("HTTP/1.1 200") && health.ends_with("ok\n"), "{health}");
    let ready = talk(&server, last_get("/readyz").as_bytes()).await;
    assert!(ready.starts_with("HTTP/1.1 503") && ready.contains(r#""missing":["store"]"#), "{ready}");
    let metrics = talk(&server, last_get("/metrics").as_bytes()).await;
    assert!(metrics.contains("application/openmetrics-text; version=1.0.0; charset=utf-8"), "{metrics}");
    assert!(metrics.ends_with("# EOF\n"), "{metrics}");
    assert_eq!(statuses(&talk(&server, last_get("/").as_bytes()).await), ["404"]);
}

#[tokio::test]
async fn a_probe_for_readiness_has_an_answer_whatever_hangs() {
    let hanging = Sources::new(std::future::pending::<Result<(), Vec<String>>>, String::new);
    let server = ops::start(no_port(), hanging.answering_within(Duration::from_millis(20))).unwrap();
    let ready = talk(&server, last_get("/readyz").as_bytes()).await;
    let missing = r#""missing":["readiness: no answer within 20ms"]"#;
    assert!(ready.starts_with("HTTP/1.1 503") && ready.contains(missing), "{ready}");
}

#[tokio::test]
async fn the_ops_listener_takes_get_and_head_only() {
    let server = ops::start(no_port(), Sources::new(|| async { Ok(()) }, String::new)).unwrap();
    let post = "POST /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    let answer = talk(&server, post.as_bytes()).await;
    assert_eq!(statuses(&answer), ["405"]);
    assert!(answer.contains("allow: GET, HEAD"), "{answer}");
    let head = talk(&server, b"HEAD /readyz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 200") && head.ends_with("\r\n\r\n"), "{head}");
}

#[tokio::test]
async fn the_redirect_listener_sends_to_https_and_checks_heads_like_the_main_one() {
    let destination = Destination {
        public_authority: Some("example.com".to_owned()),
        https_port: 443,
        knows_host: Arc::new(|host| host == "a.test"),
    };
    let server = redirect::start(no_port(), destination).unwrap();
    let known = talk(&server, last_get("/x/../y?z").as_bytes()).await;
    assert!(known.starts_with("HTTP/1.1 308") && known.contains("location: https://a.test/y?z\r\n"), "{known}");
    let foreign = talk(&server, b"GET /x HTTP/1.1\r\nhost: evil.test\r\nconnection: close\r\n\r\n").await;
    assert!(foreign.contains("location: https://example.com/x\r\n"), "{foreign}");
    let ambiguous = talk(&server, last_get("/x%2f%2e%2e").as_bytes()).await;
    assert_eq!(statuses(&ambiguous), ["400"], "{ambiguous}");
    assert_eq!(statuses(&talk(&server, b"GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n").await), ["400"]);
}
