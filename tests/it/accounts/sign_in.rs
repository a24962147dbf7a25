//! From registration to logout.

use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::clients::{BOTH, h1};
use crate::harness::people::{claims, part, post, problem_code};
use crate::harness::{Gateway, PASSWORD, Person, Upstream, eventually_within, serve};

/// The whole way of one person; every step rests on the one before.
async fn walk(gateway: &Gateway, upstream: &Upstream, client: &Client, email: &str) {
    let registered = Person::register(gateway, client, email).await;
    let person = Person::log_in(gateway, client, email).await;
    assert_eq!(person.id, registered.id);

    assert_eq!(client.get(gateway.url("/private/page")).send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    let before = upstream.count();
    assert_eq!(person.get(gateway, client, "/private/page").await.status(), StatusCode::OK);
    assert_eq!(upstream.count(), before + 1);
    let seen = upstream.last_request();
    assert_eq!((seen.header("x-user-id"), seen.header("x-user-email")), (Some(person.id.as_str()), Some(email)));

    let answer = post(gateway, client, "/auth/refresh", &json!({"refresh_token": person.refresh})).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let renewed = Person::from_grant(email, &answer.json().await.unwrap());
    assert_eq!(renewed.get(gateway, client, "/private").await.status(), StatusCode::OK);

    renewed.log_out(gateway, client).await;
    for token in [&renewed, &person] {
        let answer = token.get(gateway, client, "/private").await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(answer.headers()["www-authenticate"], "Bearer error=\"invalid_token\"");
    }
    let answer = post(gateway, client, "/auth/refresh", &json!({"refresh_token": renewed.refresh})).await;
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(
        registered.get(gateway, client, "/private").await.status(),
        StatusCode::OK,
        "the other session lives on"
    );
}

#[tokio::test]
async fn register_login_protected_refresh_logout_work_over_tls_with_both_protocols() {
    let (gateway, upstream) = serve("").await;
    for (protocol, email) in BOTH.into_iter().zip(["one@example.com", "two@example.com"]) {
        walk(&gateway, &upstream, &protocol.client(), email).await;
    }
}

#[tokio::test]
async fn a_registration_answers_with_a_grant_and_a_second_one_is_a_conflict() {
    let (gateway, _upstream) = serve("").await;
    let client = h1();
    let body = json!({"email": "Ada@Example.com", "password": PASSWORD, "username": "ada", "full_name": "Ada Łukasz"});
    let answer = post(&gateway, &client, "/auth/register", &body).await;
    assert_eq!(answer.status(), StatusCode::CREATED);
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let grant: Value = answer.json().await.unwrap();
    let names: Vec<&String> = grant.as_object().unwrap().keys().collect();
    assert_eq!(names, ["access_token", "expires_in", "refresh_token", "token_type", "user_id"]);
    assert_eq!((&grant["token_type"], &grant["expires_in"]), (&json!("bearer"), &json!(900)));

    let again = json!({"email": "ADA@EXAMPLE.COM ", "password": PASSWORD});
    let answer = post(&gateway, &client, "/auth/register", &again).await;
    assert_eq!(answer.status(), StatusCode::CONFLICT);
    assert_eq!(problem_code(answer).await, "email_taken");
    let same_name = json!({"email": "other@example.com", "password": PASSWORD, "username": "Ada"});
    let answer = post(&gateway, &client, "/auth/register", &same_name).await;
    assert_eq!(answer.status(), StatusCode::CONFLICT);
    assert_eq!(problem_code(answer).await, "username_taken");

    for by in
        [json!({"email": "ada@example.com", "password": PASSWORD}), json!({"username": "ADA", "password": PASSWORD})]
    {
        let answer = post(&gateway, &client, "/auth/login", &by).await;
        assert_eq!(answer.status(), StatusCode::OK, "{by}");
        assert_eq!(answer.json::<Value>().await.unwrap()["user_id"], grant["user_id"]);
    }
}

#[tokio::test]
async fn tokens_have_the_claims_of_the_contract_and_neither_is_taken_for_the_other() {
    let (gateway, _upstream) = serve("").await;
    let client = h1();
    let person = Person::register(&gateway, &client, "ada@example.com").await;
    assert_eq!(part(&person.access, 0)["typ"], "at+jwt");
    assert_eq!(part(&person.refresh, 0)["typ"], "rt+jwt");
    let access = claims(&person.access);
    for name in ["iss", "sub", "exp", "iat", "jti", "sid", "roles", "email"] {
        assert!(access.get(name).is_some(), "no {name}: {access}");
    }
    assert_eq!((&access["type"], &access["sub"]), (&json!("access"), &json!(person.id)));
    assert_eq!(claims(&person.refresh)["type"], "refresh");
    assert_eq!(claims(&person.refresh)["sid"], access["sid"]);

    let swapped = Person { access: person.refresh.clone(), ..person.clone() };
    let answer = swapped.get(&gateway, &client, "/private").await;
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(problem_code(answer).await, "invalid_token");
    let answer = post(&gateway, &client, "/auth/refresh", &json!({"refresh_token": person.access})).await;
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_refresh_repeated_within_the_grace_gets_the_same_successor_until_that_is_used() {
    let (gateway, _upstream) = serve("").await;
    let client = h1();
    let person = Person::register(&gateway, &client, "ada@example.com").await;
    let refresh = async |token: &str| post(&gateway, &client, "/auth/refresh", &json!({"refresh_token": token})).await;
    let first: Value = refresh(&person.refresh).await.json().await.unwrap();
    let second: Value = refresh(&person.refresh).await.json().await.unwrap();
    let successor = first["refresh_token"].as_str().unwrap();
    assert_eq!(claims(successor)["jti"], claims(second["refresh_token"].as_str().unwrap())["jti"]);

    let answer = refresh(successor).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let latest = Person::from_grant(&person.email, &answer.json().await.unwrap());
    assert_eq!(latest.get(&gateway, &client, "/private").await.status(), StatusCode::OK);
    // The successor has been used, so this is a theft, however soon it comes.
    let answer = refresh(&person.refresh).await;
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(latest.get(&gateway, &client, "/private").await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(refresh(&latest.refresh).await.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_refresh_token_replayed_after_the_grace_ends_the_session() {
    let (gateway, _upstream) = serve("[auth]\nrefresh_grace = \"1s\"").await;
    let client = h1();
    let person = Person::register(&gateway, &client, "ada@example.com").await;
    let other = Person::log_in(&gateway, &client, "ada@example.com").await;
    let body = json!({"refresh_token": person.refresh});
    let answer = post(&gateway, &client, "/auth/refresh", &body).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let renewed = Person::from_grant(&person.email, &answer.json().await.unwrap());
    eventually_within(crate::harness::PATIENCE, "the grace is over", || async {
        post(&gateway, &client, "/auth/refresh", &body).await.status() == StatusCode::UNAUTHORIZED
    })
    .await;
    assert_eq!(renewed.get(&gateway, &client, "/private").await.status(), StatusCode::UNAUTHORIZED);
    let answer = post(&gateway, &client, "/auth/refresh", &json!({"refresh_token": renewed.refresh})).await;
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "the successor died with its session");
    assert_eq!(other.get(&gateway, &client, "/private").await.status(), StatusCode::OK, "other sessions go on");
    let is_reuse = |line: &Value| line["event"] == "session.reuse_detected" && line["user_id"] == person.id.as_str();
    gateway.stdout().object("the audit of the reuse", is_reuse).await;
}

#[tokio::test]
async fn logout_takes_a_refresh_token_as_well_and_logout_all_ends_every_session() {
    let (gateway, _upstream) = serve("").await;
    let client = h1();
    let first = Person::register(&gateway, &client, "ada@example.com").await;
    let body = json!({"refresh_token": first.refresh});
    assert_eq!(post(&gateway, &client, "/auth/logout", &body).await.status(), StatusCode::NO_CONTENT);
    assert_eq!(first.get(&gateway, &client, "/private").await.status(), StatusCode::UNAUTHORIZED);

    let second = Person::log_in(&gateway, &client, "ada@example.com").await;
    let third = Person::log_in(&gateway, &client, "ada@example.com").await;
    let answer = second.request(&gateway, &client, Method::POST, "/auth/logout/all").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    for session in [second, third] {
        assert_eq!(session.get(&gateway, &client, "/private").await.status(), StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn an_access_token_is_refused_once_it_has_expired() {
    let (gateway, _upstream) = serve("[auth]\naccess_ttl = \"1s\"").await;
    let client = h1();
    let person = Person::register(&gateway, &client, "ada@example.com").await;
    assert_eq!(claims(&person.access)["exp"].as_u64(), claims(&person.access)["iat"].as_u64().map(|at| at + 1));
    eventually_within(crate::harness::PATIENCE, "the token expires", || async {
        person.get(&gateway, &client, "/private").await.status() == StatusCode::UNAUTHORIZED
    })
    .await;
}
