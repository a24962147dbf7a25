//! Scripts of other origins (`[cors]`): preflights, answers and refusals, of our own endpoints and of routes that share theirs.

use reqwest::header::HeaderMap;
use reqwest::{Client, Method, Response, StatusCode};

use crate::harness::clients::{BOTH, h1};
use crate::harness::{Gateway, Person, Upstream, usual};

const APP: &str = "https://app.example.com";
const EVIL: &str = "https://evil.example.com";

/// Returns a gateway that shares its own endpoints and what lies below `/shared` with [`APP`].
async fn serve(origins: &str, more: &str) -> (Gateway, Upstream) {
    let upstream = Upstream::start().await;
    let route = |keys: &str| format!("[[route]]\nupstream = \"app\"\ncors = true\n{keys}\n");
    let routes = [
        route("path = \"/shared\""),
        route("path = \"/shared/admin\"\nroles = [\"admin\"]"),
        route("path = \"/shared/rare\"\naccess = \"public\"\nrate_limit = \"1/d\""),
        format!(
            "{}upstream = \"http://127.0.0.1:9\"\ncors = true\n",
            "[[route]]\npath = \"/shared/gone\"\naccess = \"public\"\n"
        ),
    ];
    let cors = format!("[cors]\norigins = {origins}\n");
    let gateway = Gateway::start(&format!("{cors}{more}{}{}", usual(&upstream), routes.concat())).await;
    (gateway, upstream)
}

async fn preflight(gateway: &Gateway, client: &Client, path: &str, origin: &str) -> Response {
    let asked = client.request(Method::OPTIONS, gateway.url(path)).header("origin", origin);
    let asked = asked.header("access-control-request-method", "PATCH");
    asked.header("access-control-request-headers", "authorization,content-type").send().await.unwrap()
}

async fn get(gateway: &Gateway, client: &Client, path: &str, origin: &str) -> Response {
    client.get(gateway.url(path)).header("origin", origin).send().await.unwrap()
}

/// Returns the only value of a header; fails if there are several.
fn only<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let values: Vec<&str> = headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect();
    assert!(values.len() <= 1, "{name} came {} times: {values:?}", values.len());
    values.first().copied()
}

fn assert_readable(answer: &Response) {
    let headers = answer.headers();
    assert_eq!(only(headers, "access-control-allow-origin"), Some(APP), "{}", answer.url());
    assert_eq!(only(headers, "access-control-allow-credentials"), Some("true"), "{}", answer.url());
    assert_eq!(only(headers, "vary"), Some("Origin"), "{}", answer.url());
}

#[tokio::test]
async fn a_preflight_passes_protected_routes_and_endpoints_without_a_credential() {
    let (gateway, upstream) = serve(&format!("[{APP:?}]"), "").await;
    for protocol in BOTH {
        let client = protocol.client();
        for path in ["/shared", "/shared/admin/x", "/auth/me", "/auth/login"] {
            let answer = preflight(&gateway, &client, path, APP).await;
            assert_eq!(answer.status(), StatusCode::NO_CONTENT, "{path}");
            assert_readable(&answer);
            let headers = answer.headers();
            assert_eq!(only(headers, "access-control-allow-methods"), Some("PATCH"));
            assert_eq!(only(headers, "access-control-allow-headers"), Some("authorization,content-type"));
            let foreign = preflight(&gateway, &client, path, EVIL).await;
            assert!(!foreign.headers().keys().any(|name| name.as_str().starts_with("access-control-")), "{path}");
        }
    }
    assert_eq!(upstream.requests().len(), 0, "an app was asked");
}

#[tokio::test]
async fn a_preflight_to_what_is_not_shared_is_a_request_like_any_other() {
    let (gateway, upstream) = serve(&format!("[{APP:?}]"), "").await;
    let answer = preflight(&gateway, &h1(), "/private", APP).await;
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(only(answer.headers(), "access-control-allow-origin"), None);
    let answer = preflight(&gateway, &h1(), "/own", APP).await;
    assert_eq!((answer.status(), upstream.last_request().method.as_str()), (StatusCode::OK, "OPTIONS"));
    let plain = h1().request(Method::OPTIONS, gateway.url("/shared")).header("origin", APP).send().await.unwrap();
    assert_eq!(plain.status(), StatusCode::UNAUTHORIZED, "without a method asked for it is no preflight");
}

#[tokio::test]
async fn every_refusal_of_ours_can_be_read_by_a_script_that_may() {
    let (gateway, _upstream) = serve(&format!("[{APP:?}]"), "").await;
    let client = h1();
    let ada = Person::register(&gateway, &client, "ada@example.com").await;
    for (path, token, status) in [
        ("/shared", "", 401),
        ("/shared", "a.b.c", 401),
        ("/shared/admin", ada.access.as_str(), 403),
        ("/shared/rare", "", 200),
        ("/shared/rare", "", 429),
        ("/shared/gone", "", 502),
        ("/auth/me", "", 401),
        ("/auth/nothing", "", 404),
        ("/auth/login", "", 405),
    ] {
        let asked = client.get(gateway.url(path)).header("origin", APP);
        let asked = if token.is_empty() { asked } else { asked.bearer_auth(token) };
        let answer = asked.send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{path}");
        assert_readable(&answer);
        let shown = only(answer.headers(), "access-control-expose-headers");
        assert_eq!(shown, Some("WWW-Authenticate, Retry-After"));
    }
}

#[tokio::test]
async fn another_origin_reads_nothing_and_what_depends_on_the_origin_says_so() {
    let (gateway, _upstream) = serve(&format!("[{APP:?}]"), "").await;
    for origin in
        [EVIL, "null", "https://app.example.com.evil.example", "http://app.example.com", "https://app.example.com:8443"]
    {
        for path in ["/shared", "/auth/me"] {
            let answer = get(&gateway, &h1(), path, origin).await;
            assert_eq!(only(answer.headers(), "access-control-allow-origin"), None, "{origin}");
            assert_eq!(only(answer.headers(), "vary"), Some("Origin"), "{origin}");
        }
    }
    let without = h1().get(gateway.url("/shared")).send().await.unwrap();
    assert_eq!(only(without.headers(), "vary"), Some("Origin"));
    assert_eq!(only(without.headers(), "access-control-allow-origin"), None);
}

#[tokio::test]
async fn an_apps_own_word_is_replaced_where_the_route_is_shared_and_stays_elsewhere() {
    let (gateway, _upstream) = serve(&format!("[{APP:?}]"), "").await;
    let client = h1();
    let ada = Person::register(&gateway, &client, "ada@example.com").await;
    let said = "set?access-control-allow-origin=*&access-control-allow-credentials=true&vary=Accept";
    for origin in [APP, EVIL] {
        let asked = client.get(gateway.url(&format!("/shared/{said}"))).header("origin", origin);
        let answer = asked.bearer_auth(&ada.access).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        let allowed = only(answer.headers(), "access-control-allow-origin");
        assert_eq!(allowed, (origin == APP).then_some(APP), "{origin}");
        let vary: Vec<_> = answer.headers().get_all("vary").iter().collect();
        assert_eq!(vary, ["Accept", "Origin"]);
    }
    let answer = get(&gateway, &client, &format!("/{said}"), EVIL).await;
    assert_eq!(only(answer.headers(), "access-control-allow-origin"), Some("*"), "its own on a route of its own");
}

#[tokio::test]
async fn everybody_may_read_but_never_with_what_a_browser_keeps() {
    let (gateway, _upstream) = serve("[\"*\"]", "").await;
    for path in ["/shared", "/auth/me", "/shared/rare/set?access-control-allow-credentials=true"] {
        let answer = get(&gateway, &h1(), path, EVIL).await;
        assert_eq!(only(answer.headers(), "access-control-allow-origin"), Some("*"), "{path}");
        assert_eq!(only(answer.headers(), "access-control-allow-credentials"), None, "{path}");
    }
}

#[tokio::test]
async fn without_origins_nothing_is_shared_and_a_route_can_not_be() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&usual(&upstream)).await;
    let answer = get(&gateway, &h1(), "/auth/me", APP).await;
    assert_eq!((only(answer.headers(), "vary"), only(answer.headers(), "access-control-allow-origin")), (None, None));
    let (code, said) = Gateway::refuse_to_start("[[route]]\nupstream = \"http://127.0.0.1:9\"\ncors = true\n").await;
    assert!(code == 78 && said.contains("cors.origins"), "{code} {said}");
    let route = "[[route]]\nupstream = \"http://127.0.0.1:9\"\n";
    let (code, said) = Gateway::refuse_to_start(&format!("[cors]\norigins = [\"*\", {APP:?}]\n{route}")).await;
    assert!(code == 78 && said.contains("`*` alone"), "{code} {said}");
}
