//! What the app is told of where a request came from.

use reqwest::Method;

use crate::harness::clients::{BOTH, h1};
use crate::harness::{Raw, Seen, serve};

const TRUSTING: &str = "[server]\ntrusted_proxies = [\"127.0.0.0/8\"]";

#[tokio::test]
async fn the_origin_is_told_anew_and_a_strangers_word_counts_for_nothing() {
    let (gateway, upstream) = serve("").await;
    for protocol in BOTH {
        let request = protocol.client().get(gateway.url("/"));
        let lying = request
            .header("X-Forwarded-For", "203.0.113.9")
            .header("X-Forwarded-Proto", "http")
            .header("X-Forwarded-Host", "evil.example")
            .header("Forwarded", "for=203.0.113.9;host=evil.example")
            .header("X-Request-Id", "chosen-by-a-stranger");
        lying.send().await.unwrap();
        let seen = upstream.last_request();
        let host = format!("gateway.test:{}", gateway.address().port());
        assert_eq!(seen.header("host"), Some(host.as_str()));
        assert_eq!(seen.header("x-forwarded-for"), Some("127.0.0.1"));
        assert_eq!(seen.header("x-forwarded-proto"), Some("https"));
        assert_eq!(seen.header("x-forwarded-host"), Some(host.as_str()));
        let forwarded = format!("for=127.0.0.1;host=\"{host}\";proto=https");
        assert_eq!(seen.header("forwarded"), Some(forwarded.as_str()));
        let id = seen.header("x-request-id").unwrap();
        assert!(id.len() >= 16 && id != "chosen-by-a-stranger", "{id}");
    }
}

async fn behind_a_proxy(more: &str) -> (Seen, u16) {
    let (gateway, upstream) = serve(more).await;
    let request = h1().request(Method::GET, gateway.url("/"));
    let told = request
        .header("X-Forwarded-For", "203.0.113.9")
        .header("X-Forwarded-Proto", "http")
        .header("X-Forwarded-Host", "shop.example")
        .header("Forwarded", "for=203.0.113.9")
        .header("X-Request-Id", "from-the-proxy");
    told.send().await.unwrap();
    (upstream.only_request(), gateway.address().port())
}

#[tokio::test]
async fn a_trusted_proxy_is_believed_and_its_chain_is_continued() {
    let (seen, port) = behind_a_proxy(TRUSTING).await;
    assert_eq!(seen.header("x-forwarded-for"), Some("203.0.113.9, 127.0.0.1"));
    assert_eq!(seen.header("x-forwarded-proto"), Some("http"));
    assert_eq!(seen.header("x-forwarded-host"), Some("shop.example"));
    let forwarded = seen.header("forwarded").unwrap();
    assert!(forwarded.starts_with("for=203.0.113.9, for=127.0.0.1;host=\"gateway.test:"), "{forwarded} {port}");
    assert_eq!(seen.header("x-request-id"), Some("from-the-proxy"));
}

#[tokio::test]
async fn a_proxy_of_another_network_is_not_believed() {
    let (seen, _) = behind_a_proxy("[server]\ntrusted_proxies = [\"10.0.0.0/8\"]").await;
    assert_eq!(seen.header("x-forwarded-for"), Some("127.0.0.1"));
    assert_ne!(seen.header("x-request-id"), Some("from-the-proxy"));
}

#[tokio::test]
async fn the_client_in_the_access_line_is_the_one_the_trusted_proxy_names() {
    let (gateway, _upstream) = serve(TRUSTING).await;
    h1().get(gateway.url("/marked")).header("X-Forwarded-For", "203.0.113.9").send().await.unwrap();
    let line = gateway.stdout().object("the access line", |line| line["path"] == "/marked").await;
    assert_eq!(line["client"], "203.0.113.9");
}

#[tokio::test]
async fn via_is_added_to_what_is_there_and_can_be_left_out() {
    for (more, expected) in [
        ("", &["1.0 before", "1.1 vestibule"][..]),
        ("[server]\nvia = \"edge\"", &["1.0 before", "1.1 edge"]),
        ("[server]\nvia = \"\"", &["1.0 before"]),
    ] {
        let (gateway, upstream) = serve(more).await;
        h1().get(gateway.url("/")).header("Via", "1.0 before").send().await.unwrap();
        assert_eq!(upstream.only_request().all("via"), expected);
    }
    let (gateway, upstream) = serve("").await;
    BOTH[1].client().get(gateway.url("/")).send().await.unwrap();
    let via = upstream.only_request().all("via").concat();
    assert!(via.starts_with('2') && via.ends_with(" vestibule"), "{via}");
}

#[tokio::test]
async fn hop_by_hop_fields_end_here_in_both_directions() {
    let (gateway, upstream) = serve("").await;
    let mut raw = Raw::tls(&gateway).await;
    let request = "GET /x/set?keep-alive=timeout%3d5&x-kept=yes HTTP/1.1\nHost: gateway.test\nConnection: close, X-Hop\n\
                   X-Hop: 1\nKeep-Alive: timeout=5\nProxy-Connection: keep-alive\nProxy-Authorization: Basic YTpi\n\
                   TE: trailers, deflate\nUpgrade: h2c\nHTTP2-Settings: AAMAAABk\nX-Stays: 1\n\n";
    let answer = raw.ask(request).await;
    assert_eq!(answer.status, 200);
    assert_eq!((answer.header("keep-alive"), answer.header("x-kept")), (None, Some("yes")));
    let seen = upstream.only_request();
    for gone in ["x-hop", "keep-alive", "proxy-connection", "proxy-authorization", "upgrade", "http2-settings"] {
        assert_eq!(seen.header(gone), None, "{gone}");
    }
    assert!(!seen.header("connection").unwrap_or_default().contains("close"), "our connection to the app stays open");
    assert_eq!(seen.header("te"), Some("trailers"));
    assert_eq!(seen.header("x-stays"), Some("1"));
    raw.closed().await;
}
