//! Who the app is told that the caller is, and who can't tell it.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::harness::clients::{BOTH, h1};
use crate::harness::{PASSWORD, Person, Raw, serve};

#[tokio::test]
async fn the_app_sees_who_asks_in_four_headers_and_forged_ones_never() {
    let (gateway, upstream) = serve("").await;
    let arguments = ["--username", "ada", "--role", "admin", "--role", "editor"];
    crate::harness::command::add_user(&gateway, "ada@example.com", PASSWORD, &arguments);
    for protocol in BOTH {
        let client = protocol.client();
        let person = Person::log_in(&gateway, &client, "ada@example.com").await;
        for path in ["/private", "/maybe", "/admin"] {
            let request = person.request(&gateway, &client, Method::GET, path);
            let forged =
                request.header("X-User-Id", "root").header("X-User-Roles", "root").header("x-user-name", "root");
            assert_eq!(forged.send().await.unwrap().status(), StatusCode::OK);
            let seen = upstream.last_request();
            assert_eq!(seen.header("x-user-id"), Some(person.id.as_str()), "{path}");
            assert_eq!(seen.header("x-user-email"), Some("ada@example.com"));
            assert_eq!(seen.header("x-user-name"), Some("ada"));
            assert_eq!(seen.header("x-user-roles"), Some("admin,editor"));
            assert!(!format!("{seen:?}").contains("root"), "{seen:#?}");
        }
    }
}

#[tokio::test]
async fn identity_headers_of_a_stranger_are_gone_on_every_route_in_every_spelling() {
    let (gateway, upstream) = serve("").await;
    let names = [
        "X-User-Id",
        "x_user_id",
        "X.User.Id",
        "X-User_Id",
        "X-User-Roles",
        "Remote-User",
        "Remote_User",
        "X-Forwarded-User",
        "X-WEBAUTH-USER",
        "X-Auth-Request-Email",
        "X-Vestibule-Assertion",
        "X-Original-URL",
        "X-Rewrite-URL",
        "X-HTTP-Method-Override",
        "X-Forwarded-Uri",
        "Some_Name",
        "Some.Name",
    ];
    let fields: String = names.map(|name| [name, ": forged\n"].concat()).concat();
    for path in ["/", "/maybe"] {
        let mut raw = Raw::tls(&gateway).await;
        let request =
            format!("GET {path} HTTP/1.1\nHost: gateway.test\n{fields}Connection: X-User-Id\nX-Harmless: yes\n\n");
        assert_eq!(raw.ask(&request).await.status, 200);
        let seen = upstream.last_request();
        assert_eq!(seen.header("x-harmless"), Some("yes"));
        assert!(!format!("{seen:?}").contains("forged"), "{path}: {seen:#?}");
    }
}

#[tokio::test]
async fn a_connection_header_cannot_take_identity_away() {
    let (gateway, upstream) = serve("").await;
    let person = Person::register(&gateway, &h1(), "ada@example.com").await;
    let mut raw = Raw::tls(&gateway).await;
    let request = format!(
        "GET /private HTTP/1.1\nHost: gateway.test\nAuthorization: Bearer {}\n\
         Connection: X-User-Id, X-User-Email, X-Forwarded-For, Host, Authorization, X-Mine\nX-Mine: hop\n\n",
        person.access
    );
    assert_eq!(raw.ask(&request).await.status, 200);
    let seen = upstream.only_request();
    assert_eq!(seen.header("x-user-id"), Some(person.id.as_str()));
    assert_eq!(seen.header("x-user-email"), Some("ada@example.com"));
    assert_eq!(seen.header("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(seen.header("x-mine"), None);
}

#[tokio::test]
async fn an_optional_route_knows_whom_it_can_and_refuses_a_bad_bearer() {
    let (gateway, upstream) = serve("").await;
    let client = h1();
    let person = Person::register(&gateway, &client, "ada@example.com").await;
    assert_eq!(client.get(gateway.url("/maybe")).send().await.unwrap().status(), StatusCode::OK);
    assert_eq!(upstream.last_request().header("x-user-id"), None);
    assert_eq!(person.get(&gateway, &client, "/maybe").await.status(), StatusCode::OK);
    assert_eq!(upstream.last_request().header("x-user-id"), Some(person.id.as_str()));
    person.log_out(&gateway, &client).await;
    let answer = person.get(&gateway, &client, "/maybe").await;
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(upstream.count(), 2);
}

#[tokio::test]
async fn a_name_is_the_user_name_else_the_address_and_non_ascii_is_percent_encoded() {
    let (gateway, upstream) = serve("").await;
    let client = h1();
    let person = Person::register(&gateway, &client, "zoë@example.com").await;
    person.get(&gateway, &client, "/private").await;
    let seen = upstream.last_request();
    assert_eq!(seen.header("x-user-name"), Some("zo%C3%AB@example.com"));
    assert_eq!(seen.header("x-user-email"), Some("zo%C3%AB@example.com"));
    assert_eq!(seen.header("x-user-roles"), None, "unknown is absent");
    let change = json!({"username": "zoe"});
    person.request(&gateway, &client, Method::PATCH, "/auth/me").json(&change).send().await.unwrap();
    let person = Person::log_in(&gateway, &client, "zoë@example.com").await;
    person.get(&gateway, &client, "/private").await;
    assert_eq!(upstream.last_request().header("x-user-name"), Some("zoe"));
}

#[tokio::test]
async fn configured_identity_headers_carry_identity_and_the_default_ones_stay_forbidden() {
    let more = "[identity]\nallow_headers = [\"x_ok\"]\nheaders = { user_id = \"X-Me\", email = \"\", roles = \"\" }";
    let (gateway, upstream) = serve(more).await;
    let client = h1();
    let person = Person::register(&gateway, &client, "ada@example.com").await;
    let request = person.request(&gateway, &client, Method::GET, "/private").header("x-me", "forged");
    request.header("x-user-id", "forged").header("x_me", "forged").header("x_ok", "fine").send().await.unwrap();
    let seen = upstream.only_request();
    assert_eq!(seen.header("x-me"), Some(person.id.as_str()));
    assert_eq!((seen.header("x-user-id"), seen.header("x-user-email")), (None, None));
    assert_eq!(seen.header("x_ok"), Some("fine"));
    assert!(!format!("{seen:?}").contains("forged"), "{seen:#?}");
}
