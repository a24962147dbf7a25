//! What is too much, too long, too slow or of the wrong kind is refused, told so, and let in again when its time has come.

use std::time::{Duration, Instant};

use reqwest::{Method, Response};
use serde_json::json;

use super::{World, get};
use crate::harness::clients::{BOTH, h1};
use crate::harness::people::{post, problem_code};
use crate::harness::{Gateway, HOST, Raw, Upstream, eventually_within};

fn retry_after(answer: &Response) -> u64 {
    answer.headers()["retry-after"].to_str().unwrap().parse().unwrap()
}

/// A route that may be asked twice in two seconds, beside one without a limit.
async fn limited_route() -> World {
    let upstream = Upstream::start().await;
    let route = |path: &str, rest: &str| {
        format!("[[route]]\npath = \"{path}\"\naccess = \"public\"\nupstream = \"{}\"\n{rest}\n", upstream.url())
    };
    let gateway = Gateway::start(&format!("{}{}", route("/", ""), route("/dear", "rate_limit = \"60/m\""))).await;
    World { upstream, gateway }
}

#[tokio::test]
async fn a_route_past_its_rate_is_429_with_retry_after_and_open_again_after_that_time() {
    let world = limited_route().await;
    let clients = BOTH.map(crate::harness::clients::Protocol::client);
    let mut refused = None;
    for number in 0..200 {
        let answer = clients[number % 2].get(world.gateway.url("/dear/x")).send().await.unwrap();
        if answer.status() == 429 {
            refused = Some((number, answer));
            break;
        }
        assert_eq!(answer.status(), 200);
    }
    let (number, answer) = refused.expect("the limit is reached");
    assert!((60..70).contains(&number), "{number}");
    assert_eq!(world.upstream.count(), number);
    let wait = retry_after(&answer);
    assert!((1..=2).contains(&wait), "{wait}");
    assert_eq!(problem_code(answer).await, "too_many_requests");
    assert_eq!(h1().get(world.gateway.url("/")).send().await.unwrap().status(), 200, "another route");
    for spelling in ["/dear", "/%64ear/x", "//dear", "/x/../dear"] {
        let (status, _) = world.answer_to(get(spelling, "connection: close\n").replace('\n', "\r\n")).await;
        assert!(matches!(status, 200 | 429), "{spelling}: {status}");
    }
    let started = Instant::now();
    eventually_within(Duration::from_secs(wait + 5), "the route opens again", || async {
        h1().get(world.gateway.url("/dear")).send().await.unwrap().status() == 200
    })
    .await;
    assert!(started.elapsed() < Duration::from_secs(wait + 5));
}

#[tokio::test]
async fn requests_and_registrations_have_rates_of_their_own() {
    let world = World::with("[limits]\nrequests = \"5/h\"\nregister = \"2/h\"").await;
    let mut statuses = Vec::new();
    for number in 0..8 {
        let answer = BOTH[number % 2].client().get(world.gateway.url("/")).send().await.unwrap();
        if answer.status() == 429 {
            assert!((60..=3600).contains(&retry_after(&answer)));
        }
        statuses.push(answer.status().as_u16());
    }
    assert_eq!(statuses, [200, 200, 200, 200, 200, 429, 429, 429]);
    // Our own endpoints are not proxied routes.
    let mut statuses = Vec::new();
    for number in 0..4 {
        let body = json!({"email": format!("user{number}@example.com"), "password": "long enough words"});
        let answer = post(&world.gateway, &h1(), "/auth/register", &body).await;
        if answer.status() == 429 {
            assert!((60..=3600).contains(&retry_after(&answer)));
        }
        statuses.push(answer.status().as_u16());
    }
    assert_eq!(statuses, [201, 201, 429, 429]);
}

#[tokio::test]
async fn heads_that_are_too_large_are_431_over_http_1_and_never_reach_the_app_over_either() {
    let world = World::with("[limits]\nheader_size = \"8KiB\"").await;
    let long = format!("x-long: {}\n", "x".repeat(16 * 1024));
    let many: String = (0..150).map(|number| format!("x-{number}: y\n")).collect();
    for fields in [long, many] {
        let (status, body) = world.answer_to(get("/", &fields).replace('\n', "\r\n")).await;
        assert_eq!(status, 431, "{body}");
    }
    let (status, _) = world.answer_to(get(&format!("/{}", "x".repeat(20 * 1024)), "").replace('\n', "\r\n")).await;
    assert!(matches!(status, 414 | 431), "{status}");
    let answer = BOTH[1].client().get(world.gateway.url("/")).header("x-long", "x".repeat(16 * 1024)).send().await;
    assert!(answer.is_err_and(|_| true) || world.upstream.count() == 0);
    assert_eq!(world.upstream.count(), 0);
    let answer = BOTH[1].client().get(world.gateway.url("/")).header("x-long", "x".repeat(4 * 1024)).send().await;
    assert_eq!(answer.unwrap().status(), 200);
}

#[tokio::test]
async fn a_body_for_an_endpoint_of_ours_is_short_and_comes_in_time() {
    let world = World::with("[limits]\nbody_timeout = \"1s\"").await;
    for protocol in BOTH {
        let body = format!("{{\"email\":\"{}\"}}", "x".repeat(100_000));
        let request =
            protocol.client().post(world.gateway.url("/auth/login")).header("content-type", "application/json");
        let answer = request.body(body).send().await.unwrap();
        assert_eq!(answer.status(), 413);
        assert_eq!(problem_code(answer).await, "body_too_large");
    }
    let head = |framing: &str| {
        format!("POST /auth/login HTTP/1.1\r\nhost: {HOST}\r\ncontent-type: application/json\r\n{framing}\r\n\r\n")
    };
    let chunk = format!("4000\r\n{}\r\n", "x".repeat(0x4000));
    let (status, _) = world.answer_to(format!("{}{}", head("transfer-encoding: chunked"), chunk.repeat(8))).await;
    assert_eq!(status, 413);
    for begun in
        [format!("{}{{", head("content-length: 100")), format!("{}1\r\n{{\r\n", head("transfer-encoding: chunked"))]
    {
        let started = Instant::now();
        let mut raw = Raw::tls(&world.gateway).await;
        raw.send(&begun).await;
        let answer = raw.response().await;
        assert_eq!((answer.status, answer.json()["code"].as_str()), (408, Some("body_timeout")));
        assert!(started.elapsed() >= Duration::from_millis(900) && started.elapsed() < Duration::from_secs(10));
        raw.closed().await;
    }
    assert!(world.gateway.stdout().lines().iter().all(|line| !line.contains("xxxx")));
}

#[tokio::test]
async fn a_body_of_another_type_is_415_and_a_method_that_is_not_there_405_with_allow() {
    let world = World::start().await;
    let body = r#"{"email":"a@example.com","password":"long enough words"}"#;
    let types = [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/xml",
        "application/jsonx",
        "text/json",
        "application/json; charset=utf-16",
        "application/json, text/plain",
        "",
        "*/*",
    ];
    for endpoint in ["/auth/register", "/auth/login", "/auth/refresh"] {
        for kind in types {
            let request = h1().post(world.gateway.url(endpoint)).header("content-type", kind).body(body);
            assert_eq!(request.send().await.unwrap().status(), 415, "{endpoint}: {kind}");
        }
        assert_eq!(h1().post(world.gateway.url(endpoint)).body(body).send().await.unwrap().status(), 415, "{endpoint}");
    }
    let methods = ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND", "BREW", "post", "POST2"];
    for method in methods {
        let request = h1().request(Method::from_bytes(method.as_bytes()).unwrap(), world.gateway.url("/auth/login"));
        let answer = request.send().await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.headers()["allow"].as_bytes()), (405, &b"POST"[..]), "{method}");
    }
    let overridden = h1().get(world.gateway.url("/auth/login")).header("x-http-method-override", "POST");
    assert_eq!(overridden.header("content-type", "application/json").body(body).send().await.unwrap().status(), 405);
}
