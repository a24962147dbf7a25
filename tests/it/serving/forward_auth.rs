//! The answer to another proxy: who asks, or why not.

use reqwest::{Client, RequestBuilder, StatusCode};

use crate::harness::clients::{BOTH, h1};
use crate::harness::{Gateway, PASSWORD, Person, serve};

fn ask(gateway: &Gateway, client: &Client, person: Option<&Person>) -> RequestBuilder {
    let request = client.get(gateway.url("/auth/forward"));
    match person {
        Some(person) => request.bearer_auth(&person.access),
        None => request,
    }
}

#[tokio::test]
async fn a_caller_is_200_with_every_identity_header_empty_where_unknown() {
    let (gateway, upstream) = serve("").await;
    crate::harness::command::add_user(&gateway, "ada@example.com", PASSWORD, &[]);
    for protocol in BOTH {
        let client = protocol.client();
        let person = Person::log_in(&gateway, &client, "ada@example.com").await;
        let answer = ask(&gateway, &client, Some(&person)).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        let header = |name: &str| answer.headers()[name].to_str().unwrap();
        assert_eq!((header("x-user-id"), header("x-user-email")), (person.id.as_str(), "ada@example.com"));
        assert_eq!((header("x-user-name"), header("x-user-roles")), ("ada@example.com", ""));
        assert_eq!(header("cache-control"), "no-store");
    }
    assert_eq!(upstream.connections(), 0, "the app is not asked");
}

#[tokio::test]
async fn nobody_and_a_dead_session_are_401_with_the_challenge() {
    let (gateway, _upstream) = serve("").await;
    let client = h1();
    let answer = ask(&gateway, &client, None).send().await.unwrap();
    assert_eq!(
        (answer.status(), &answer.headers()["www-authenticate"]),
        (StatusCode::UNAUTHORIZED, &"Bearer".parse().unwrap())
    );
    let person = Person::register(&gateway, &client, "ada@example.com").await;
    person.log_out(&gateway, &client).await;
    let answer = ask(&gateway, &client, Some(&person)).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(answer.headers()["www-authenticate"], "Bearer error=\"invalid_token\"");
}

#[tokio::test]
async fn a_stranger_can_name_a_stricter_path_and_never_a_looser_one() {
    let (gateway, _upstream) = serve("").await;
    let client = h1();
    let person = Person::register(&gateway, &client, "ada@example.com").await;
    for header in ["X-Original-URL", "X-Original-URI", "X-Forwarded-Uri"] {
        let loose = ask(&gateway, &client, None).header(header, "/public/page").send().await.unwrap();
        assert_eq!(loose.status(), StatusCode::UNAUTHORIZED, "{header}");
        let strict = ask(&gateway, &client, Some(&person)).header(header, "/admin").send().await.unwrap();
        assert_eq!(strict.status(), StatusCode::FORBIDDEN, "{header}");
        assert_eq!(strict.headers()["www-authenticate"], "Bearer error=\"insufficient_scope\"");
        let allowed = ask(&gateway, &client, Some(&person)).header(header, "/private/x").send().await.unwrap();
        assert_eq!(allowed.status(), StatusCode::OK, "{header}");
    }
}
