//! The plain-HTTP listener.

use crate::harness::{Raw, serve};

#[tokio::test]
async fn plain_http_is_sent_to_https_on_known_hosts_and_never_to_a_foreign_one() {
    let more = "[server]\nredirect_http = \"127.0.0.1:0\"\npublic_url = \"https://app.example.com\"";
    let (gateway, upstream) = serve(more).await;
    let mut raw = Raw::clear(gateway.redirect_address()).await;
    let port = gateway.address().port();
    for (method, host, target, location) in [
        ("GET", "app.example.com", "/a/b?c=d", format!("https://app.example.com:{port}/a/b?c=d")),
        ("POST", "x.example.com:80", "/", format!("https://x.example.com:{port}/")),
        ("GET", "evil.test", "/x", "https://app.example.com/x".to_owned()),
        ("GET", "evil.test:443", "//evil.test/x", "https://app.example.com/evil.test/x".to_owned()),
    ] {
        let answer = raw.ask(&format!("{method} {target} HTTP/1.1\nHost: {host}\nContent-Length: 0\n\n")).await;
        assert_eq!(answer.status, 308, "{host}");
        assert_eq!(answer.header("location"), Some(location.as_str()), "{host}");
    }
    assert_eq!(upstream.connections(), 0);
}

#[tokio::test]
async fn without_a_public_url_a_foreign_host_is_sent_nowhere() {
    let (gateway, _upstream) = serve("[server]\nredirect_http = \"127.0.0.1:0\"").await;
    let mut raw = Raw::clear(gateway.redirect_address()).await;
    let answer = raw.ask("GET /x HTTP/1.1\nHost: evil.example\n\n").await;
    assert_eq!((answer.status, answer.header("location")), (404, None));
}
