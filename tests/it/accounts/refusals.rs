//! What account endpoints refuse, and how they say so.

use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};

use crate::harness::clients::h1;
use crate::harness::people::{post, problem_code};
use crate::harness::{PASSWORD, Person, serve};

#[tokio::test]
async fn an_unknown_user_a_wrong_password_and_a_disabled_user_get_the_same_answer() {
    let ((gateway, _upstream), client) = (serve("").await, h1());
    Person::register(&gateway, &client, "known@example.com").await;
    Person::register(&gateway, &client, "disabled@example.com").await;
    crate::harness::command::run(&gateway, &["user", "disable", "disabled@example.com"]).ok();
    let mut answers = Vec::new();
    for (email, password) in
        [("nobody@example.com", PASSWORD), ("known@example.com", "wrong password"), ("disabled@example.com", PASSWORD)]
    {
        let answer = post(&gateway, &client, "/auth/login", &json!({"email": email, "password": password})).await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{email}");
        let mut headers = answer.headers().clone();
        for own in ["date", "x-request-id"] {
            headers.remove(own);
        }
        answers.push((headers, answer.text().await.unwrap()));
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:#?}");
    assert!(answers[0].1.contains("invalid_credentials"));
}

#[tokio::test]
async fn what_does_not_parse_is_400_what_breaks_a_rule_is_422_and_a_form_is_415() {
    let ((gateway, _upstream), client) = (serve("").await, h1());
    let send = async |body: &str, kind: &str| {
        let request = client.post(gateway.url("/auth/register")).header(header::CONTENT_TYPE, kind);
        request.body(body.to_owned()).send().await.unwrap()
    };
    for (body, kind, status) in [
        ("{", "application/json", StatusCode::BAD_REQUEST),
        ("[]", "application/json", StatusCode::BAD_REQUEST),
        (r#"{"email":"a@b.example","password":7}"#, "application/json", StatusCode::BAD_REQUEST),
        (r#"{"email":"a@b.example","password":"x","password":"y"}"#, "application/json", StatusCode::BAD_REQUEST),
        (r#"{"password":"long enough words"}"#, "application/json", StatusCode::UNPROCESSABLE_ENTITY),
        (
            r#"{"email":"nonsense","password":"long enough words"}"#,
            "application/json",
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        (r#"{"email":"a@b.example","password":"short"}"#, "application/json", StatusCode::UNPROCESSABLE_ENTITY),
        (r#"{"email":"a@b.example","password":"password123"}"#, "application/json", StatusCode::UNPROCESSABLE_ENTITY),
        ("email=a@b.example", "application/x-www-form-urlencoded", StatusCode::UNSUPPORTED_MEDIA_TYPE),
        (r#"{"email":"a@b.example","password":"long enough words"}"#, "text/plain", StatusCode::UNSUPPORTED_MEDIA_TYPE),
    ] {
        let answer = send(body, kind).await;
        assert_eq!(answer.status(), status, "{body}");
        assert_eq!(answer.headers()["cache-control"], "no-store");
        problem_code(answer).await;
    }
    let answer = send(r#"{"email":"nonsense","password":"long enough words"}"#, "application/json").await;
    let problem: Value = answer.json().await.unwrap();
    assert_eq!((&problem["code"], &problem["errors"][0]["field"]), (&json!("invalid_email"), &json!("email")));
}

#[tokio::test]
async fn a_bearer_that_is_wrong_in_any_way_is_invalid_token_and_none_is_no_error() {
    let ((gateway, _upstream), client) = (serve("").await, h1());
    let person = Person::register(&gateway, &client, "ada@example.com").await;
    for path in ["/auth/me", "/private"] {
        let answer = client.get(gateway.url(path)).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(answer.headers()["www-authenticate"], "Bearer", "{path}");
        let (head, signature) = person.access.rsplit_once('.').unwrap();
        let flipped = format!("{head}.{}{}", if signature.starts_with('A') { 'B' } else { 'A' }, &signature[1..]);
        for token in ["", "x", "a.b.c", &flipped, &format!("{head}."), &format!("{} x", person.access)] {
            let answer = client.get(gateway.url(path)).header("authorization", format!("Bearer {token}")).send().await;
            let answer = answer.unwrap();
            assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{path} {token}");
            assert_eq!(answer.headers()["www-authenticate"], "Bearer error=\"invalid_token\"", "{path} {token}");
            assert_eq!(problem_code(answer).await, "invalid_token");
        }
        let twice = client.get(gateway.url(path)).bearer_auth(&person.access).header("authorization", "Basic YTpi");
        let answer = twice.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{path}");
        assert_eq!(answer.headers()["www-authenticate"], "Bearer error=\"invalid_request\"");
    }
}

#[tokio::test]
async fn a_method_that_an_endpoint_lacks_is_405_with_allow_and_an_unknown_path_404() {
    let ((gateway, _upstream), client) = (serve("").await, h1());
    let answer = client.get(gateway.url("/auth/login")).send().await.unwrap();
    assert_eq!(
        (answer.status(), &answer.headers()["allow"]),
        (StatusCode::METHOD_NOT_ALLOWED, &"POST".parse().unwrap())
    );
    let answer = client.request(Method::PUT, gateway.url("/auth/me")).send().await.unwrap();
    assert_eq!(answer.headers()["allow"], "GET, HEAD, PATCH, DELETE");
    let answer = client.get(gateway.url("/auth/nothing")).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_body_that_is_too_long_is_413() {
    let ((gateway, _upstream), client) = (serve("").await, h1());
    let body = json!({"email": "a@b.example", "password": "x".repeat(2 << 20)});
    let answer = post(&gateway, &client, "/auth/register", &body).await;
    assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn past_the_limit_a_login_is_429_with_retry_after_alike_for_accounts_that_do_not_exist() {
    let ((gateway, _upstream), client) = (serve("[limits]\nlogin = \"3/m\"").await, h1());
    Person::register(&gateway, &client, "known@example.com").await;
    for email in ["known@example.com", "nobody@example.com"] {
        let mut statuses = Vec::new();
        for attempt in 0..5 {
            let body = json!({"email": email, "password": format!("wrong password {attempt}")});
            let answer = post(&gateway, &client, "/auth/login", &body).await;
            statuses.push(answer.status().as_u16());
            if answer.status() == StatusCode::TOO_MANY_REQUESTS {
                let wait: u64 = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
                assert!((1..=60).contains(&wait), "{wait}");
            }
        }
        assert_eq!(statuses, [401, 401, 401, 429, 429], "{email}");
    }
    let right = json!({"email": "known@example.com", "password": PASSWORD});
    assert_eq!(post(&gateway, &client, "/auth/login", &right).await.status(), StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn closed_registration_refuses_everybody_and_signs_in_those_that_are_there() {
    let ((gateway, _upstream), client) = (serve("[auth]\nregistration = \"closed\"").await, h1());
    let body = json!({"email": "ada@example.com", "password": PASSWORD});
    let answer = post(&gateway, &client, "/auth/register", &body).await;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    assert_eq!(problem_code(answer).await, "registration_closed");
    crate::harness::command::add_user(&gateway, "ada@example.com", PASSWORD, &[]);
    Person::log_in(&gateway, &client, "ada@example.com").await;
}
