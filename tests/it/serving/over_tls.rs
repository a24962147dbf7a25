//! Apps that are reached over TLS; another gateway plays one.

use reqwest::StatusCode;

use crate::harness::clients::BOTH;
use crate::harness::people::problem_code;
use crate::harness::upstream_answers::Sum;
use crate::harness::websocket::Socket;
use crate::harness::{Gateway, serve};

fn before(app: &Gateway, host: &str) -> String {
    format!("[[route]]\npath = \"/\"\naccess = \"public\"\nupstream = \"https://{host}:{}\"\n", app.address().port())
}

#[tokio::test]
async fn bodies_and_websockets_go_through_to_an_app_behind_tls() {
    let (app, upstream) = serve("").await;
    let gateway = Gateway::start_trusting(&before(&app, "localhost")).await;
    for protocol in BOTH {
        let client = protocol.client();
        for _ in 0..3 {
            let answer = client.get(gateway.url("/big?bytes=300000")).send().await.unwrap();
            let mut sum = Sum::default();
            sum.add(&answer.bytes().await.unwrap());
            assert_eq!(sum.hex(), Sum::of_pattern(300_000), "{protocol:?}");
        }
        client.post(gateway.url("/")).body(vec![b'x'; 300_000]).send().await.unwrap();
        assert_eq!(upstream.last_request().body_length, 300_000, "{protocol:?}");
    }
    let mut socket = Socket::open(&gateway, "/ws", None).await.unwrap();
    let long = "long ".repeat(50_000);
    assert_eq!(socket.echo(&long).await, long);
}

#[tokio::test]
async fn an_app_whose_certificate_is_not_trusted_or_for_another_host_is_502() {
    let (app, upstream) = serve("").await;
    let strangers = Gateway::start(&before(&app, "localhost")).await;
    let misled = Gateway::start_trusting(&before(&app, "127.0.0.2")).await;
    for gateway in [strangers, misled] {
        for protocol in BOTH {
            let answer = protocol.client().get(gateway.url("/")).send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::BAD_GATEWAY);
            assert_eq!(problem_code(answer).await, "upstream_unreachable");
        }
    }
    assert_eq!(upstream.count(), 0);
}
