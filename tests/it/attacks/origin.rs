//! What a client says of its address, of another host, path or method, and what it would like to see in the logs.

use reqwest::Method;
use serde_json::{Value, json};

use super::{World, get};
use crate::harness::clients::{BOTH, h1};
use crate::harness::people::post;
use crate::harness::{HOST, Raw, usual};

/// Headers by which apps let somebody in front of them say who, where and what a request is.
const OVERRIDES: [&str; 33] = [
    "X-Real-IP",
    "X-Client-IP",
    "Client-IP",
    "True-Client-IP",
    "X-Cluster-Client-IP",
    "X-Originating-IP",
    "X-Remote-IP",
    "X-Remote-Addr",
    "CF-Connecting-IP",
    "Fastly-Client-IP",
    "X-Forwarded-Prefix",
    "X-Forwarded-Port",
    "X-Forwarded-Server",
    "X-Forwarded-Uri",
    "X-Forwarded-Method",
    "X-Forwarded-Ssl",
    "X-Forwarded-Scheme",
    "X-Forwarded-Path",
    "X-Original-URL",
    "X-Original-URI",
    "X-Original-Method",
    "X-Rewrite-URL",
    "X-HTTP-Method-Override",
    "X-HTTP-Method",
    "X-Method-Override",
    "X-Host",
    "X-Script-Name",
    "Script-Name",
    "Front-End-Https",
    "X-Envoy-Internal",
    "X-Envoy-Original-Path",
    "X-Vestibule-Route",
    "Proxy",
];

/// Text that would be a line of its own in a log that is not careful.
const FORGED_LINE: &str = "x\r\n{\"event\":\"login.succeeded\",\"forged\":true}\u{1b}[31m";

#[tokio::test]
async fn without_trusted_proxies_nothing_a_client_says_of_its_origin_reaches_the_app() {
    let world = World::start().await;
    for protocol in BOTH {
        let mut request = protocol.client().get(world.gateway.url("/"));
        for name in OVERRIDES {
            request = request.header(name, "192.0.2.66").header(name.replace('-', "_"), "192.0.2.66");
        }
        let rebuilt = [
            ("X-Forwarded-For", "192.0.2.66"),
            ("X-Forwarded-Proto", "http"),
            ("X-Forwarded-Host", "192.0.2.66"),
            ("Forwarded", "for=192.0.2.66;host=192.0.2.66;proto=http"),
            ("X-Request-Id", "192.0.2.66"),
        ];
        for (name, value) in rebuilt {
            request = request.header(name, value).header(name, value);
        }
        assert_eq!(request.send().await.unwrap().status(), 200);
        let seen = world.upstream.last_request();
        let believed: Vec<_> = seen.headers.iter().filter(|(_, value)| value.contains("192.0.2.66")).collect();
        assert!(believed.is_empty(), "{believed:?}");
        assert_eq!(seen.header("x-forwarded-for"), Some("127.0.0.1"));
        assert_eq!(seen.header("x-forwarded-proto"), Some("https"));
        let host = format!("{HOST}:{}", world.gateway.address().port());
        assert_eq!(seen.header("x-forwarded-host"), Some(host.as_str()));
        let forwarded = seen.header("forwarded").unwrap();
        assert!(forwarded.starts_with("for=127.0.0.1;") && forwarded.ends_with("proto=https"), "{forwarded}");
    }
    let lines = world.gateway.stop().await;
    assert!(!lines.contains("192.0.2.66"), "{lines}");
}

#[tokio::test]
async fn behind_a_trusted_proxy_the_right_most_address_that_is_not_trusted_is_the_client() {
    let world = World::with("[server]\ntrusted_proxies = [\"127.0.0.1\"]").await;
    let request = h1().get(world.gateway.url("/")).header("x-forwarded-for", "192.0.2.66, 198.51.100.9");
    request.header("x-forwarded-prefix", "/evil").header("x-real-ip", "192.0.2.66").send().await.unwrap();
    let seen = world.upstream.last_request();
    assert_eq!(seen.header("x-forwarded-for"), Some("192.0.2.66, 198.51.100.9, 127.0.0.1"));
    assert_eq!((seen.header("x-forwarded-prefix"), seen.header("x-real-ip")), (None, None));
    let line = world.gateway.stdout().object("the access line", |line| line["path"] == "/").await;
    assert_eq!(line["client"], "198.51.100.9");
}

#[tokio::test]
async fn an_address_that_a_client_makes_up_buys_it_no_further_attempts() {
    let header = |round: u32| format!("192.0.2.{round}, 198.51.100.9");
    for trusted in ["[]", "[\"127.0.0.1\"]"] {
        let limits = "[limits]\nrequests = \"3/h\"\nlogin_network = \"3/h\"";
        let config = format!("[server]\ntrusted_proxies = {trusted}\n{limits}");
        let world = World::with(&config).await;
        let mut statuses = Vec::new();
        for round in 0..5 {
            let request = h1().get(world.gateway.url("/")).header("x-forwarded-for", header(round));
            statuses
                .push(request.header("x-real-ip", format!("192.0.2.{round}")).send().await.unwrap().status().as_u16());
        }
        assert_eq!(statuses, [200, 200, 200, 429, 429], "{trusted}");
        let mut statuses = Vec::new();
        for round in 0..5 {
            let body = json!({"email": format!("nobody{round}@example.com"), "password": "wrong wrong"});
            let request = h1().post(world.gateway.url("/auth/login")).header("x-forwarded-for", header(round));
            statuses.push(request.json(&body).send().await.unwrap().status().as_u16());
        }
        assert_eq!(statuses, [401, 401, 401, 429, 429], "{trusted}");
    }
}

#[tokio::test]
async fn no_header_changes_the_path_or_the_method_that_is_decided_on() {
    let world = World::start().await;
    for name in OVERRIDES {
        for value in ["/", "/maybe", "GET", "OPTIONS"] {
            let fields = format!("{name}: {value}\n");
            let answer = Raw::tls(&world.gateway).await.ask(&get("/private", &fields)).await;
            assert_eq!(answer.status, 401, "{fields}");
        }
        let answer = Raw::tls(&world.gateway).await.ask(&get("/", &format!("{name}: /private\n"))).await;
        assert_eq!(answer.status, 200, "{name}");
        assert_eq!(world.upstream.last_request().header(name), None);
    }
    assert_eq!(world.upstream.count(), OVERRIDES.len());
}

/// Sends what may end up in a log, in every place that a client can write to.
async fn write_everywhere(world: &World) {
    let person = world.person("ada@example.com").await;
    let client = h1();
    for name in [FORGED_LINE, "a\u{2028}b", "a\u{0}b", "\u{202e}nimda"] {
        for body in [json!({"username": name, "password": name}), json!({"email": name, "password": name})] {
            post(&world.gateway, &client, "/auth/login", &body).await;
            post(&world.gateway, &client, "/auth/register", &body).await;
        }
        let change = json!({"full_name": name, "phone": name, "username": name});
        person.request(&world.gateway, &client, Method::PATCH, "/auth/me").json(&change).send().await.unwrap();
    }
    for path in ["/%0d%0a%7b%22forged%22:true%7d", "/%1b[31m", "/a\"b", "/%ff", "/forged%22%2c%22x", "/\\\"forged"] {
        world.answer_to(get(path, "").replace('\n', "\r\n")).await;
    }
    let in_fields = format!("user-agent: \u{1b}[31m\r\nx-request-id: {}\r\n", "\u{7}");
    for bytes in [
        b"GET /\xff\xfe HTTP/1.1\r\nhost: gateway.test\r\n\r\n".to_vec(),
        b"GET / HTTP/1.1\r\nhost: a\x1b[31m\r\n\r\n".to_vec(),
        b"GET / HTTP/1.1\r\nhost: \xff\xfe\r\n\r\n".to_vec(),
        b"{\"forged\":true}\r\n\r\n".to_vec(),
        b"\"x\\\" / HTTP/1.1\r\nhost: gateway.test\r\n\r\n".to_vec(),
        b"GET / HTTP/1.1\r\nhost: gateway.test\r\nuser-agent: \xff\xfe\"\\\r\ncookie: a=\"\\\r\n\r\n".to_vec(),
        format!("GET / HTTP/1.1\r\nhost: {HOST}\r\n{in_fields}\r\n").into_bytes(),
    ] {
        world.answer_to(bytes).await;
    }
}

#[tokio::test]
async fn whatever_a_client_sends_each_log_line_is_one_object_that_it_did_not_write() {
    let world = World::start().await;
    write_everywhere(&world).await;
    let lines = world.gateway.stop().await;
    let lines: Vec<&str> = lines.lines().filter(|line| !line.is_empty()).collect();
    assert!(lines.len() > 20, "{}", lines.len());
    for line in lines {
        assert!(line.bytes().all(|byte| (0x20..0x7f).contains(&byte) || byte >= 0x80), "{line:?}");
        let value: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"));
        assert!(value.is_object() && value["forged"].is_null(), "{line}");
        assert_ne!(value["event"], "login.succeeded", "{line}");
    }
}

#[tokio::test]
async fn a_text_log_too_holds_no_control_character_that_a_client_sent() {
    let world = World::start().await;
    world.gateway.configure(&format!("[log]\nformat = \"text\"\n{}", usual(&world.upstream)));
    assert!(world.gateway.reload().await.contains("configuration reloaded"));
    write_everywhere(&world).await;
    let lines = world.gateway.stop().await;
    let is_text = |line: &&str| !line.starts_with('{');
    assert!(lines.lines().filter(is_text).count() > 20, "{lines}");
    for line in lines.lines() {
        assert!(line.chars().all(|letter| !letter.is_control()), "{line:?}");
        assert!(
            is_text(&line) || serde_json::from_str::<Value>(line).is_ok_and(|value| value["forged"].is_null()),
            "{line}"
        );
    }
}
