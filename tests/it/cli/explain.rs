//! `explain` says what the gateway does.

use reqwest::StatusCode;

use crate::harness::clients::h1;
use crate::harness::command::{add_user, run};
use crate::harness::{Gateway, HOST, PASSWORD, Person, Raw, serve};

/// Returns the status that the gateway gives, 200 being the app's. Sent raw: URL libraries tidy paths up.
async fn answered(gateway: &Gateway, person: Option<&Person>, path: &str) -> u16 {
    let credential = person.map(|person| format!("Authorization: Bearer {}\n", person.access)).unwrap_or_default();
    let mut raw = Raw::tls(gateway).await;
    raw.ask(&format!("GET {path} HTTP/1.1\nHost: {HOST}:{}\n{credential}\n", gateway.address().port())).await.status
}

#[tokio::test]
async fn what_it_says_is_what_the_gateway_answers() {
    let (gateway, _upstream) = serve("").await;
    let client = h1();
    add_user(&gateway, "boss@example.com", PASSWORD, &["--role", "admin"]);
    let boss = Person::log_in(&gateway, &client, "boss@example.com").await;
    let mut compared = 0;
    for path in ["/", "/private/x", "/maybe", "/admin", "/docs", "/x/%2e%2e/admin", "/a%2fb", "//admin//x"] {
        for person in [None, Some(&boss)] {
            let as_whom = if person.is_some() { &["--as", "boss@example.com"][..] } else { &[] };
            let said = run(&gateway, &[&["explain"], as_whom, &["GET", &gateway.url(path)]].concat());
            let status = answered(&gateway, person, path).await;
            let line =
                said.stdout.lines().find(|line| line.starts_with("answer")).unwrap_or_else(|| panic!("{said:?}"));
            let expected = if status == 200 { "upstream".to_owned() } else { status.to_string() };
            assert!(line.contains(&expected), "{path}: {status}, but:\n{}", said.stdout);
            compared += 1;
        }
    }
    assert_eq!(compared, 16);
}

#[tokio::test]
async fn it_names_the_route_the_reasons_the_upstream_and_the_headers() {
    let (gateway, upstream) = serve("").await;
    add_user(&gateway, "boss@example.com", PASSWORD, &["--role", "admin", "--username", "boss"]);
    let said = run(&gateway, &["explain", "--as", "boss", "GET", "/admin/./page?q=1"]).ok();
    let upstream_address = upstream.address().to_string();
    for expected in
        ["/admin/page?q=1", "more specific", "another path", "admin", &upstream_address, "X-User-Roles", "boss"]
    {
        assert!(said.to_lowercase().contains(&expected.to_lowercase()), "`{expected}` is not said:\n{said}");
    }
    assert_eq!(upstream.connections(), 0, "nothing is sent");
}

#[tokio::test]
async fn it_refuses_what_is_no_request_and_whom_it_does_not_know() {
    let (gateway, _upstream) = serve("").await;
    for arguments in [
        &["explain", "G ET", "/"][..],
        &["explain", "GET", "ftp://h/"],
        &["explain", "--as", "nobody@example.com", "GET", "/"],
    ] {
        let done = run(&gateway, arguments);
        assert_ne!(done.code, 0, "{arguments:?}");
        assert!(!done.stderr.is_empty());
    }
    assert_eq!(h1().get(gateway.url("/")).send().await.unwrap().status(), StatusCode::OK);
}
