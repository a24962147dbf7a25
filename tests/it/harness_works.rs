//! The harness itself: what a green suite rests on.

use crate::harness::clients::BOTH;
use crate::harness::{Gateway, Person, Upstream, usual};

#[tokio::test]
async fn a_request_reaches_the_app_through_both_protocols() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&usual(&upstream)).await;
    for protocol in BOTH {
        let answer = protocol.client().get(gateway.url("/hello")).send().await.unwrap();
        assert_eq!(answer.version(), protocol.version());
        assert_eq!(answer.status(), 200);
        assert_eq!(upstream.last_request().target, "/hello");
    }
    let person = Person::register(&gateway, &BOTH[0].client(), "ada@example.com").await;
    assert_eq!(person.get(&gateway, &BOTH[0].client(), "/private").await.status(), 200);
    gateway.stop().await;
}
