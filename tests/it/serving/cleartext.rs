//! Without TLS, behind another proxy: both protocols on one port.

use reqwest::StatusCode;

use crate::harness::clients::BOTH;
use crate::harness::{Person, Raw, serve};

#[tokio::test]
async fn both_protocols_work_in_clear_text_http2_by_prior_knowledge() {
    let (gateway, upstream) = serve("[tls]\nmode = \"off\"").await;
    assert!(gateway.url("/").starts_with("http://"));
    for (protocol, email) in BOTH.into_iter().zip(["one@example.com", "two@example.com"]) {
        let client = protocol.client();
        let person = Person::register(&gateway, &client, email).await;
        let answer = person.get(&gateway, &client, "/private").await;
        assert_eq!((answer.status(), answer.version()), (StatusCode::OK, protocol.version()));
        assert_eq!(upstream.last_request().header("x-forwarded-proto"), Some("http"));
        assert_eq!(client.get(gateway.url("/private")).send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn an_upgrade_to_http2_in_clear_text_is_ignored() {
    let (gateway, upstream) = serve("[tls]\nmode = \"off\"").await;
    let mut raw = Raw::clear(gateway.address()).await;
    let request = "GET / HTTP/1.1\nHost: gateway.test\nConnection: Upgrade, HTTP2-Settings\nUpgrade: h2c\n\
                   HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\n\n";
    assert_eq!(raw.ask(request).await.status, 200);
    let seen = upstream.only_request();
    assert_eq!((seen.header("upgrade"), seen.header("http2-settings")), (None, None));
}
