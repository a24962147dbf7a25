use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{forgot, gateway_with_mail, verify};
use crate::harness::{Person, clients, serve};

#[tokio::test(flavor = "multi_thread")]
async fn a_registration_brings_a_mail_that_verifies_the_address_once() {
    let (gateway, _upstream, smtp) = gateway_with_mail("").await;
    let client = clients::h1();
    let ada = Person::register(&gateway, &client, "ada@example.com").await;
    let mail = smtp.mail("ada@example.com", 0).await;
    assert!(mail.link().starts_with("https://app.example.com/verify-email#token="), "{}", mail.link());
    assert_eq!(verify(&gateway, &client, &mail.token()).await, 204);
    assert_eq!(verify(&gateway, &client, &mail.token()).await, 422);
    let me: Value = ada.get(&gateway, &client, "/auth/me").await.json().await.unwrap();
    assert_eq!(me["email_verified"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_address_makes_old_links_void_and_is_asked_about_itself() {
    let (gateway, _upstream, smtp) = gateway_with_mail("").await;
    let client = clients::h1();
    let ada = Person::register(&gateway, &client, "ada@example.com").await;
    let old = smtp.mail("ada@example.com", 0).await.token();
    let change = ada.request(&gateway, &client, Method::PATCH, "/auth/me").json(&json!({ "email": "ada@new.example" }));
    assert_eq!(change.send().await.unwrap().status(), StatusCode::OK);
    assert_eq!(verify(&gateway, &client, &old).await, 422);
    let new = smtp.mail("ada@new.example", 0).await.token();
    assert_eq!(verify(&gateway, &client, &new).await, 204);
    assert_eq!(forgot(&gateway, &client, "ada@example.com").await.status(), StatusCode::ACCEPTED);
    let again = ada.request(&gateway, &client, Method::POST, "/auth/email/verify/send").send().await.unwrap();
    assert_eq!(again.status(), StatusCode::ACCEPTED);
    assert_eq!(forgot(&gateway, &client, "ada@new.example").await.status(), StatusCode::ACCEPTED);
    let next = smtp.mail("ada@new.example", 1).await;
    assert!(next.link().contains("/reset-password#"), "what is verified is not asked about again: {}", next.link());
    assert_eq!(smtp.received().len(), 3, "the old address has had one mail");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_without_a_mail_server_has_none_of_it_until_a_reload_brings_one() {
    let (gateway, upstream) = serve("").await;
    let client = clients::h1();
    Person::register(&gateway, &client, "ada@example.com").await;
    assert_eq!(forgot(&gateway, &client, "ada@example.com").await.status(), StatusCode::NOT_FOUND);
    let smtp = super::Smtp::start(super::Security::Clear).await;
    gateway.configure(&format!("{}{}", smtp.configuration(""), crate::harness::usual(&upstream)));
    assert!(gateway.reload().await.contains("reloaded"));
    assert_eq!(forgot(&gateway, &client, "ada@example.com").await.status(), StatusCode::ACCEPTED);
    smtp.mail("ada@example.com", 0).await;
}
