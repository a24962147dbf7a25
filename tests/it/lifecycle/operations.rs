//! The operators' listener.

use reqwest::StatusCode;
use serde_json::Value;

use crate::harness::clients::h1;
use crate::harness::{Person, Raw, serve};

#[tokio::test]
async fn health_and_readiness_are_told_on_the_ops_listener_and_not_on_the_public_one() {
    let (gateway, _upstream) = serve("").await;
    let client = h1();
    for path in ["/healthz", "/readyz"] {
        assert_eq!(client.get(gateway.ops_url(path)).send().await.unwrap().status(), StatusCode::OK, "{path}");
    }
    assert_eq!(client.get(gateway.ops_url("/else")).send().await.unwrap().status(), StatusCode::NOT_FOUND);
    for path in ["/healthz", "/readyz", "/metrics"] {
        // Here `/` is the app's, so that is what answers.
        let seen: Value = client.get(gateway.url(path)).send().await.unwrap().json().await.unwrap();
        assert_eq!(seen["target"], path);
    }
}

#[tokio::test]
async fn metrics_are_an_exposition_that_counts_what_happened() {
    let (gateway, _upstream) = serve("").await;
    let client = h1();
    let person = Person::register(&gateway, &client, "ada@example.com").await;
    let requests = async || -> f64 {
        let answer = client.get(gateway.ops_url("/metrics")).send().await.unwrap();
        assert!(answer.headers()["content-type"].to_str().unwrap().starts_with("application/openmetrics-text"));
        let text = answer.text().await.unwrap();
        assert!(text.ends_with("# EOF\n"), "an exposition ends with EOF");
        let counts = text.lines().filter(|line| line.contains("requests_total{"));
        counts.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
    };
    let before = requests().await;
    for _ in 0..5 {
        assert_eq!(person.get(&gateway, &client, "/private").await.status(), StatusCode::OK);
    }
    crate::harness::eventually_within(crate::harness::PATIENCE, "five more requests are counted", || async {
        requests().await >= before + 5.0
    })
    .await;
}

#[tokio::test]
async fn the_ops_listener_takes_no_nonsense() {
    let (gateway, _upstream) = serve("").await;
    let address = gateway.ops_url("").trim_start_matches("http://").parse().unwrap();
    let mut raw = Raw::clear(address).await;
    assert_eq!(raw.ask("POST /healthz HTTP/1.1\nHost: h\nContent-Length: 0\n\n").await.status, 405);
    let mut raw = Raw::clear(address).await;
    assert_eq!(raw.ask("GET /healthz HTTP/1.1\nHost: h\nHost: i\n\n").await.status, 400);
}
