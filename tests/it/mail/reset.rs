use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{NEW, forgot, gateway_with_mail, log_in, reset};
use crate::harness::people::post;
use crate::harness::{PASSWORD, Person, clients, command};

#[tokio::test(flavor = "multi_thread")]
async fn a_forgotten_password_is_replaced_by_what_the_mail_brings_and_the_link_works_once() {
    let (gateway, _upstream, smtp) = gateway_with_mail("").await;
    let client = clients::h1();
    let ada = Person::register(&gateway, &client, "ada@example.com").await;
    smtp.mail("ada@example.com", 0).await;
    assert_eq!(forgot(&gateway, &client, "ada@example.com").await.status(), StatusCode::ACCEPTED);
    let mail = smtp.mail("ada@example.com", 1).await;
    assert!(mail.link().starts_with("https://app.example.com/reset-password#token="), "{}", mail.link());
    assert!(mail.text.contains("Content-Type: text/html") && mail.text.contains("From: Gate <gate@example.com>"));
    let token = mail.token();
    assert_eq!(reset(&gateway, &client, &token, NEW).await, 204);
    assert_eq!(reset(&gateway, &client, &token, "a third password").await, 422);
    assert_eq!(log_in(&gateway, &client, "ada@example.com", PASSWORD).await, 401);
    assert_eq!(ada.get(&gateway, &client, "/private").await.status(), StatusCode::UNAUTHORIZED);
    let refreshed = post(&gateway, &client, "/auth/refresh", &json!({ "refresh_token": ada.refresh })).await;
    assert_eq!(refreshed.status(), StatusCode::UNAUTHORIZED);
    let body = json!({ "email": "ada@example.com", "password": NEW });
    let grant: Value = post(&gateway, &client, "/auth/login", &body).await.json().await.unwrap();
    let me = Person::from_grant("ada@example.com", &grant).get(&gateway, &client, "/auth/me").await;
    assert_eq!(me.json::<Value>().await.unwrap()["email_verified"], true);
    let audit = gateway.stdout().object("the reset", |line| line["event"] == "password.changed").await;
    assert_eq!((&audit["reason"], audit["user_id"].as_str()), (&json!("reset"), Some(ada.id.as_str())));
    let written = gateway.stop().await;
    assert!(!written.contains(&token), "a token was written down");
}

#[tokio::test(flavor = "multi_thread")]
async fn known_unknown_and_disabled_addresses_are_answered_alike_and_one_gets_a_mail() {
    let (gateway, _upstream, smtp) = gateway_with_mail("").await;
    let client = clients::h1();
    for email in ["ada@example.com", "stopped@example.com"] {
        command::add_user(&gateway, email, PASSWORD, &[]);
    }
    command::run(&gateway, &["user", "disable", "stopped@example.com"]).ok();
    let mut answers = Vec::new();
    for email in ["stopped@example.com", "nobody@example.com", "ada@example.com"] {
        let answer = forgot(&gateway, &client, email).await;
        let mut headers = answer.headers().clone();
        for own in ["date", "x-request-id"] {
            headers.remove(own);
        }
        answers.push((answer.status(), headers, answer.text().await.unwrap()));
    }
    assert_eq!(answers[0].0, StatusCode::ACCEPTED);
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    smtp.mail("ada@example.com", 0).await;
    assert_eq!(smtp.received().len(), 1, "those asked for before it are dropped by now");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_header_of_a_request_chooses_where_a_link_leads() {
    let (gateway, _upstream, smtp) = gateway_with_mail("").await;
    let client = clients::h1();
    command::add_user(&gateway, "ada@example.com", PASSWORD, &[]);
    let request = client.post(gateway.url_of("other.test", "/auth/password/forgot"));
    let request = ["x-forwarded-host", "x-forwarded-server", "x-original-host", "origin", "referer"]
        .into_iter()
        .fold(request, |request, name| request.header(name, "https://evil.example/"));
    let request = request.header("forwarded", "host=evil.example;proto=http").header("x-forwarded-proto", "http");
    let answer = request.json(&json!({ "email": "ada@example.com" })).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::ACCEPTED);
    let mail = smtp.mail("ada@example.com", 0).await;
    assert!(mail.link().starts_with("https://app.example.com/"), "{}", mail.link());
    assert!(!mail.text.contains("evil.example") && !mail.text.contains("other.test"), "{}", mail.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_stands_where_the_configuration_says() {
    let (gateway, _upstream, smtp) =
        gateway_with_mail("reset_link = \"/account/new-password?t=1&token={token}\"\n").await;
    let client = clients::h1();
    command::add_user(&gateway, "ada@example.com", PASSWORD, &[]);
    forgot(&gateway, &client, "ada@example.com").await;
    let mail = smtp.mail("ada@example.com", 0).await;
    assert!(mail.link().starts_with("https://app.example.com/account/new-password?t=1&token="), "{}", mail.link());
    assert_eq!(reset(&gateway, &client, &mail.token(), NEW).await, 204);
}
