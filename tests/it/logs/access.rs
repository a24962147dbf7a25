//! One access line for each request.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::clients::{BOTH, h1};
use crate::harness::scripted::{Scripted, read_head};
use crate::harness::{Gateway, Person, Raw, serve};

async fn line_of(gateway: &Gateway, path: &str) -> Value {
    gateway.stdout().object(&format!("the access line of {path}"), |line| line["path"] == path).await
}

#[tokio::test]
async fn a_line_has_every_field_that_the_contract_names() {
    let (gateway, upstream) = serve("").await;
    for (protocol, name) in BOTH.into_iter().zip(["h1", "h2"]) {
        let client = protocol.client();
        let person = Person::register(&gateway, &client, &format!("{name}@example.com")).await;
        let request = person.request(&gateway, &client, Method::POST, &format!("/private/./{name}?secret=query"));
        let answer = request.body("twelve bytes").send().await.unwrap();
        let length = answer.bytes().await.unwrap().len();
        let line = line_of(&gateway, &format!("/private/{name}")).await;
        for (field, expected) in [
            ("client", json!("127.0.0.1")),
            ("protocol", json!(name)),
            ("method", json!("POST")),
            ("host", json!("gateway.test")),
            ("status", json!(200)),
            ("route", json!("/private")),
            ("user_id", json!(person.id)),
            ("bytes_in", json!(12)),
            ("bytes_out", json!(length)),
        ] {
            assert_eq!(line[field], expected, "{field}: {line}");
        }
        let seen = upstream.last_request();
        assert_eq!(line["request_id"].as_str(), seen.header("x-request-id"));
        assert!(line["upstream"].as_str().is_some_and(|name| !name.is_empty()), "{line}");
        let millis = |field: &str| line[field].as_f64().unwrap_or_else(|| panic!("no {field}: {line}"));
        assert!(millis("duration_ms") >= millis("upstream_ms") && millis("upstream_ms") > 0.0, "{line}");
        let time = line["time"].as_str().unwrap();
        assert!(time.ends_with('Z') && time.len() == "2026-01-02T03:04:05.678Z".len(), "{time}");
        assert!(!line.to_string().contains("secret=query"), "queries are not logged: {line}");
    }
}

#[tokio::test]
async fn each_request_has_exactly_one_line_and_refusals_say_why() {
    let (gateway, _upstream) = serve("").await;
    let client = h1();
    let person = Person::register(&gateway, &client, "ada@example.com").await;
    for (path, status, refused, token) in [
        ("/one", 200, None, None),
        ("/private/two", 401, Some("unauthorized"), None),
        ("/private/three", 401, Some("invalid_token"), Some("nonsense")),
        ("/admin/four", 403, Some("insufficient_scope"), Some(person.access.as_str())),
        ("/auth/five", 404, Some("not_found"), None),
    ] {
        let request = client.get(gateway.url(path));
        let request = if let Some(token) = token { request.bearer_auth(token) } else { request };
        assert_eq!(request.send().await.unwrap().status(), status, "{path}");
        let line = line_of(&gateway, path).await;
        assert_eq!(line["status"], status, "{path}");
        assert_eq!(line["refused"].as_str(), refused, "{path}: {line}");
    }
    let folder = gateway.folder.path().to_owned();
    let written = gateway.stop().await;
    for path in ["/one", "/private/two", "/private/three", "/admin/four", "/auth/five"] {
        assert_eq!(written.matches(&format!("\"{path}\"")).count(), 1, "{path}");
    }
    drop(folder);
}

#[tokio::test]
async fn line_breaks_and_escapes_in_a_request_stay_within_its_line() {
    let (mut gateway, _upstream) = serve("").await;
    let attacks = [
        "GET /a%0d%0a%7B%22forged%22:1%7D HTTP/1.1\r\nHost: gateway.test\r\n\r\n",
        "GET /b%1b[31mred HTTP/1.1\r\nHost: gateway.test\r\nUser-Agent: \x1b[31m\r\n\r\n",
        "GET /c HTTP/1.1\r\nHost: evil\"host,{}\r\n\r\n",
        "GET /d%e2%80%a8%c2%85 HTTP/1.1\r\nHost: gateway.test\r\nX-Request-Id: a\\\"b\r\n\r\n",
        "GET /e\x7f\x01 HTTP/1.1\r\nHost: gateway.test\r\n\r\n",
        "G\x1bT /f HTTP/1.1\r\nHost: gateway.test\r\n\r\n",
    ];
    for attack in attacks {
        let mut raw = Raw::tls(&gateway).await;
        raw.send(attack).await;
        raw.response().await;
    }
    gateway.signal("TERM");
    gateway.ended().await;
    let lines = gateway.stdout().lines();
    assert_eq!(lines.iter().filter(|line| !line.contains("\"audit\"")).count(), attacks.len(), "{lines:#?}");
    for line in &lines {
        let value: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("not one object: {line}"));
        assert!(value.get("forged").is_none() && value["time"].is_string(), "{line}");
        assert!(line.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "not plain text: {line:?}");
    }
}

#[tokio::test]
async fn a_text_log_is_one_line_each_as_well_and_access_lines_can_be_off() {
    let (gateway, _upstream) = serve("[log]\nformat = \"text\"").await;
    h1().get(gateway.url("/seen%0aforged")).send().await.unwrap();
    h1().get(gateway.url("/seen")).send().await.unwrap();
    gateway.stdout().line("the access line", |line| line.contains("/seen\"") && line.contains(" 200 ")).await;
    assert!(gateway.stdout().lines().iter().all(|line| !line.starts_with("forged")));

    let (gateway, _upstream) = serve("[log]\naccess = false").await;
    let person = Person::register(&gateway, &h1(), "ada@example.com").await;
    person.get(&gateway, &h1(), "/private/unseen").await;
    let written = gateway.stop().await;
    assert!(written.contains("user.registered") && !written.contains("/private/unseen"), "{written}");
}

#[tokio::test]
async fn a_request_whose_client_left_before_the_answer_has_its_line_too() {
    let (saw, mut seen) = tokio::sync::mpsc::unbounded_channel();
    let app = Scripted::start(move |_, mut stream| {
        let saw = saw.clone();
        async move {
            saw.send(read_head(&mut stream).await).unwrap();
            // Until the gateway hangs up.
            let _ = read_head(&mut stream).await;
        }
    })
    .await;
    let gateway =
        Gateway::start(&format!("[[route]]\npath = \"/\"\naccess = \"public\"\nupstream = \"{}\"", app.url())).await;
    for (protocol, name) in BOTH.into_iter().zip(["h1", "h2"]) {
        let asking = tokio::spawn(protocol.client().get(gateway.url(&format!("/{name}"))).send());
        let head = crate::harness::soon("the app to be asked", seen.recv()).await.unwrap();
        assert!(head.starts_with(&format!("GET /{name} ")), "{head}");
        asking.abort();
        let line = line_of(&gateway, &format!("/{name}")).await;
        assert_eq!((&line["status"], &line["refused"]), (&json!(499), &json!("client_gone")), "{line}");
    }
}
