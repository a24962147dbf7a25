//! Which route serves a request, and what its path is for the app.

use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::harness::clients::{BOTH, h1};
use crate::harness::people::problem_code;
use crate::harness::{Gateway, Upstream};

#[tokio::test]
async fn the_longest_host_then_the_longest_path_then_methods_win() {
    let apps = [Upstream::start().await, Upstream::start().await, Upstream::start().await, Upstream::start().await];
    let route = |keys: &str, app: usize| {
        format!("[[route]]\naccess = \"public\"\nupstream = \"{}\"\n{keys}\n", apps[app].url())
    };
    let gateway = Gateway::start(
        &[
            route("path = \"/\"", 0),
            route("path = \"/api\"", 1),
            route("path = \"/api\"\nmethods = [\"POST\", \"PUT\"]", 2),
            route("path = \"/\"\nhost = \"*.example.com\"", 3),
            route("path = \"/\"\nhost = \"app.example.com\"", 1),
            route("path = \"/deep/er\"\nhost = \"*.example.com\"", 2),
        ]
        .concat(),
    )
    .await;
    let client = h1();
    for (method, host, path, app) in [
        (Method::GET, "gateway.test", "/", 0),
        (Method::GET, "gateway.test", "/apix", 0),
        (Method::GET, "gateway.test", "/api", 1),
        (Method::GET, "gateway.test", "/api/x", 1),
        (Method::GET, "gateway.test", "//api/./x", 1),
        (Method::POST, "gateway.test", "/api/x", 2),
        (Method::GET, "x.example.com", "/api", 3),
        (Method::GET, "X.EXAMPLE.com", "/", 3),
        (Method::GET, "app.example.com", "/", 1),
        (Method::GET, "app.example.com", "/deep/er", 1),
        (Method::GET, "y.example.com", "/deep/er/still", 2),
    ] {
        let before: Vec<usize> = apps.iter().map(Upstream::count).collect();
        let answer = client.request(method.clone(), gateway.url_of(host, path)).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{method} {host}{path}");
        let reached: Vec<usize> = (0..4).filter(|&app| apps[app].count() > before[app]).collect();
        assert_eq!(reached, [app], "{method} {host}{path}");
    }
}

#[tokio::test]
async fn what_no_route_matches_is_404_and_reaches_no_app() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&format!(
        "[[route]]\npath = \"/app\"\nhost = \"app.example.com\"\nmethods = [\"GET\"]\naccess = \"public\"\nupstream = \"{}\"",
        upstream.url()
    ))
    .await;
    for protocol in BOTH {
        let client = protocol.client();
        for (method, host, path) in [
            (Method::GET, "gateway.test", "/app"),
            (Method::GET, "app.example.com", "/"),
            (Method::GET, "app.example.com", "/apple"),
            (Method::POST, "app.example.com", "/app"),
            (Method::GET, "sub.app.example.com", "/app"),
        ] {
            // The last host is on no certificate; over plain names the route decides.
            let url = gateway.url_of(if host.starts_with("sub.") { "gateway.test" } else { host }, path);
            let answer = client.request(method, url).send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{host}{path}");
            assert_eq!(answer.headers()["cache-control"], "no-store");
            assert_eq!(problem_code(answer).await, "not_found");
        }
    }
    assert_eq!(upstream.connections(), 0);
}

#[tokio::test]
async fn a_stripped_prefix_is_gone_for_the_app_and_whole_segments_only() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&format!(
        "[[route]]\npath = \"/app\"\nstrip_prefix = true\naccess = \"public\"\nupstream = \"{}\"",
        upstream.url()
    ))
    .await;
    for (sent, seen) in [
        ("/app", "/"),
        ("/app?q=1", "/?q=1"),
        ("/app/", "/"),
        ("/app/x/y?z=%2F", "/x/y?z=%2F"),
        ("/app/app", "/app"),
        ("/app/%7Euser", "/~user"),
        ("/app//evil.example/x", "/evil.example/x"),
    ] {
        let answer = h1().get(gateway.url(sent)).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{sent}");
        assert_eq!(upstream.last_request().target, seen, "{sent}");
    }
}

#[tokio::test]
async fn the_path_that_chose_the_route_is_the_path_that_the_app_sees() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&crate::harness::usual(&upstream)).await;
    let mut raw = crate::harness::Raw::tls(&gateway).await;
    for (sent, seen) in [
        ("/a//b///c", "/a/b/c"),
        ("/a/./b/../c", "/a/c"),
        ("/%61%62", "/ab"),
        ("/caf%c3%a9", "/caf%C3%A9"),
        ("/x?../private", "/x?../private"),
    ] {
        let answer = raw.ask(&format!("GET {sent} HTTP/1.1\nHost: gateway.test\n\n")).await;
        assert_eq!(answer.status, 200, "{sent}");
        assert_eq!(upstream.last_request().target, seen, "{sent}");
    }
    for protected in
        ["/private", "/%70rivate", "/x/../private", "//private", "/./private/x", "/private;x", "/PRIVATE/../private"]
    {
        let before = upstream.count();
        let answer = raw.ask(&format!("GET {protected} HTTP/1.1\nHost: gateway.test\n\n")).await;
        assert!(answer.status == 401 || answer.status == 400, "{protected}: {}", answer.status);
        assert_eq!(upstream.count(), before, "{protected} reached the app");
    }
}

#[tokio::test]
async fn an_encoded_slash_is_refused_unless_the_route_keeps_it() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&format!(
        "[[route]]\npath = \"/\"\naccess = \"public\"\nupstream = \"{0}\"\n\
         [[route]]\npath = \"/registry\"\nencoded_slash = \"keep\"\naccess = \"public\"\nupstream = \"{0}\"",
        upstream.url()
    ))
    .await;
    let answer = h1().get(gateway.url("/x/a%2fb")).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    assert_eq!(upstream.count(), 0);
    let answer = h1().get(gateway.url("/registry/a%2fb")).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(upstream.last_request().target, "/registry/a%2Fb");
}

#[tokio::test]
async fn who_may_pass_is_what_the_route_says() {
    let (gateway, upstream) = crate::harness::serve("").await;
    let client = h1();
    for (email, role) in
        [("nobody@example.com", None), ("boss@example.com", Some("admin")), ("ed@example.com", Some("editor"))]
    {
        let role: Vec<&str> = role.iter().flat_map(|role| ["--role", role]).collect();
        crate::harness::command::add_user(&gateway, email, crate::harness::PASSWORD, &role);
    }
    for (email, path, expected) in [
        ("nobody@example.com", "/private", 200),
        ("nobody@example.com", "/admin", 403),
        ("nobody@example.com", "/docs", 403),
        ("boss@example.com", "/admin", 200),
        ("boss@example.com", "/docs", 403),
        ("ed@example.com", "/docs/x", 200),
        ("ed@example.com", "/admin", 403),
    ] {
        let person = crate::harness::Person::log_in(&gateway, &client, email).await;
        let before = upstream.count();
        let answer = person.get(&gateway, &client, path).await;
        assert_eq!(answer.status().as_u16(), expected, "{email} {path}");
        assert_eq!(upstream.count() - before, usize::from(expected == 200), "{email} {path}");
        if expected == 403 {
            assert_eq!(answer.headers()["www-authenticate"], "Bearer error=\"insufficient_scope\"");
            assert_eq!(problem_code(answer).await, "insufficient_scope");
        }
    }
    let answer: Value = client.get(gateway.url("/private")).send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["status"], 401);
}
