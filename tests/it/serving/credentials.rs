//! Our tokens stay with us, and the app's own credentials get through.

use reqwest::{Method, StatusCode};

use crate::harness::clients::{BOTH, h1};
use crate::harness::{Person, serve};

#[tokio::test]
async fn the_callers_token_reaches_no_app_on_any_route() {
    let (gateway, upstream) = serve("").await;
    let person = Person::register(&gateway, &h1(), "ada@example.com").await;
    for protocol in BOTH {
        let client = protocol.client();
        for path in ["/", "/maybe", "/private"] {
            assert_eq!(person.get(&gateway, &client, path).await.status(), StatusCode::OK);
            assert_eq!(upstream.last_request().header("authorization"), None, "{path}");
        }
    }
    let signature = person.access.rsplit_once('.').unwrap().1;
    assert!(!String::from_utf8_lossy(&upstream.bytes()).contains(signature), "the token reached the app");
}

#[tokio::test]
async fn a_dead_token_of_ours_is_kept_from_a_public_app_too() {
    let (gateway, upstream) = serve("").await;
    let client = h1();
    let person = Person::register(&gateway, &client, "ada@example.com").await;
    person.log_out(&gateway, &client).await;
    for token in [&person.access, &person.refresh] {
        let request = client.get(gateway.url("/")).bearer_auth(token);
        assert_eq!(request.send().await.unwrap().status(), StatusCode::OK);
        assert_eq!(upstream.last_request().header("authorization"), None);
    }
}

#[tokio::test]
async fn credentials_of_the_apps_own_pass_where_the_route_did_not_use_them() {
    let (gateway, upstream) = serve("").await;
    let client = h1();
    for path in ["/", "/maybe"] {
        let answer = client.get(gateway.url(path)).basic_auth("app", Some("secret")).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        assert_eq!(upstream.last_request().header("authorization"), Some("Basic YXBwOnNlY3JldA=="), "{path}");
    }
    let answer = client.get(gateway.url("/")).bearer_auth("the-apps-own-token").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(upstream.last_request().header("authorization"), Some("Bearer the-apps-own-token"));
    let answer = client.get(gateway.url("/private")).basic_auth("app", Some("secret")).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn pass_authorization_shows_the_token_to_the_app() {
    let (gateway, upstream) = serve("[identity]\npass_authorization = true").await;
    let client = h1();
    let person = Person::register(&gateway, &client, "ada@example.com").await;
    person.get(&gateway, &client, "/private").await;
    let expected = format!("Bearer {}", person.access);
    assert_eq!(upstream.last_request().header("authorization"), Some(expected.as_str()));
}

#[tokio::test]
async fn tokens_are_read_from_the_configured_header_and_scheme() {
    let (gateway, upstream) = serve("[auth]\nheader = \"X-Token\"\nschemes = [\"Key\"]").await;
    let client = h1();
    let person = Person::register(&gateway, &client, "ada@example.com").await;
    let ask = async |name: &str, value: String| {
        client.request(Method::GET, gateway.url("/private")).header(name, value).send().await.unwrap().status()
    };
    assert_eq!(ask("x-token", format!("Key {}", person.access)).await, StatusCode::OK);
    assert_eq!(upstream.last_request().header("x-token"), None);
    assert_eq!(ask("authorization", format!("Bearer {}", person.access)).await, StatusCode::UNAUTHORIZED);
}
