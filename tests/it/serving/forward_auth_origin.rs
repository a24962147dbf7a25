//! The request that a trusted proxy asks about, in each of the ways that proxies say it.

use reqwest::{Client, Method, StatusCode};

use crate::harness::clients::h1;
use crate::harness::{Gateway, Person, Upstream, serve};

async fn trusting() -> (Gateway, Upstream, Client) {
    let (gateway, upstream) = serve("[server]\ntrusted_proxies = [\"127.0.0.1\"]").await;
    (gateway, upstream, h1())
}

#[tokio::test]
async fn a_trusted_proxy_asks_for_public_optional_protected_and_admin_paths() {
    let (gateway, _upstream, client) = trusting().await;
    let person = Person::register(&gateway, &client, "ada@example.com").await;
    for (path, as_nobody, as_person) in [
        ("/page", 200, 200),
        ("/maybe", 200, 200),
        ("/private", 401, 200),
        ("/admin/x", 401, 403),
        ("/x/../admin", 401, 403),
    ] {
        for header in ["X-Original-URL", "X-Original-URI", "X-Forwarded-Uri"] {
            let ask = || client.get(gateway.url("/auth/forward")).header(header, path);
            let nobody = ask().send().await.unwrap();
            assert_eq!(nobody.status().as_u16(), as_nobody, "{header}: {path}");
            if as_nobody == 200 {
                assert_eq!(nobody.headers()["x-user-id"], "", "{header}: {path}");
            }
            let known = ask().bearer_auth(&person.access).send().await.unwrap();
            assert_eq!(known.status().as_u16(), as_person, "{header}: {path}");
        }
    }
}

#[tokio::test]
async fn a_whole_url_a_host_and_a_method_choose_the_route_as_they_would_have() {
    let upstream = Upstream::start().await;
    let route = |keys: &str| format!("[[route]]\npath = \"/\"\nupstream = \"{}\"\n{keys}\n", upstream.url());
    let gateway = Gateway::start(&format!(
        "[server]\ntrusted_proxies = [\"127.0.0.1\"]\n{}{}{}",
        route("host = \"app.example.com\"\naccess = \"public\"\nmethods = [\"GET\"]"),
        route("host = \"app.example.com\""),
        route("host = \"api.example.com\"")
    ))
    .await;
    let client = h1();
    for (headers, expected) in [
        (&[("X-Original-URL", "https://app.example.com/x")][..], 200),
        (&[("X-Original-URL", "https://api.example.com/x")], 401),
        (&[("X-Original-URL", "https://app.example.com/x"), ("X-Original-Method", "POST")], 401),
        (&[("X-Forwarded-Host", "app.example.com"), ("X-Forwarded-Uri", "/x")], 200),
        (&[("X-Forwarded-Host", "app.example.com"), ("X-Forwarded-Uri", "/x"), ("X-Forwarded-Method", "DELETE")], 401),
        (&[("X-Forwarded-Host", "api.example.com"), ("X-Forwarded-Uri", "/x")], 401),
        // What no route serves gets through nowhere.
        (&[("X-Forwarded-Host", "other.test"), ("X-Forwarded-Uri", "/x")], 403),
        // What could be read in two ways is refused.
        (&[("X-Forwarded-Host", "app.example.com"), ("X-Forwarded-Uri", "/x%2f..%2fy")], 403),
        (&[("X-Forwarded-Host", "app.example.com"), ("X-Forwarded-Uri", "/a"), ("X-Forwarded-Uri", "/b")], 403),
        (&[("X-Forwarded-Host", "app.example.com"), ("X-Forwarded-Uri", "no path")], 403),
    ] {
        let mut request = client.request(Method::GET, gateway.url("/auth/forward"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        assert_eq!(request.send().await.unwrap().status().as_u16(), expected, "{headers:?}");
    }
}

#[tokio::test]
async fn envoy_asks_with_the_path_behind_the_endpoints_and_in_the_requests_own_method() {
    let (gateway, upstream, client) = trusting().await;
    for (path, expected) in
        [("/auth/forward/page", 200), ("/auth/forward/private", 401), ("/auth/forward/admin?x", 401)]
    {
        for method in [Method::GET, Method::POST, Method::DELETE] {
            let answer = client.request(method.clone(), gateway.url(path)).send().await.unwrap();
            assert_eq!(answer.status().as_u16(), expected, "{method} {path}");
        }
    }
    assert_eq!(upstream.connections(), 0);
}

#[tokio::test]
async fn a_second_path_for_the_endpoint_answers_alike() {
    let (gateway, _upstream) = serve("[auth.paths]\nforward = \"/verify\"").await;
    let client = h1();
    let person = Person::register(&gateway, &client, "ada@example.com").await;
    assert_eq!(person.get(&gateway, &client, "/verify").await.status(), StatusCode::OK);
    assert_eq!(client.get(gateway.url("/verify")).send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
}
