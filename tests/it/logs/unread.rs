//! Outputs whose readers stand still.

use reqwest::StatusCode;

use crate::harness::clients::h1;
use crate::harness::{Gateway, eventually};

#[tokio::test]
async fn readers_that_stand_still_hold_up_neither_requests_nor_the_end() {
    // Nobody listens there, so that each request is a warning.
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut gateway = Gateway::start(&format!(
        "[upstream.app]\nservers = [\"http://{address}\"]\n[[route]]\npath = \"/\"\naccess = \"public\"\nupstream = \"app\"\n"
    ))
    .await;
    let stalled = (gateway.stdout().stall().await, gateway.stderr().stall().await);
    let client = h1();
    // Several times what the pipes take.
    for _ in 0..2_000 {
        let answer = client.get(gateway.url("/")).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::BAD_GATEWAY);
    }
    assert!(client.get(gateway.ops_url("/readyz")).send().await.unwrap().status().is_success());
    gateway.signal("TERM");
    eventually("the process has ended", || !gateway.is_running()).await;
    drop(stalled);
    assert_eq!(gateway.ended().await.code(), Some(0));
}
