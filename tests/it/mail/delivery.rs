use reqwest::StatusCode;

use super::{NEW, forgot, gateway_with_mail, log_in, reset};
use crate::harness::{Gateway, PASSWORD, clients, command};

async fn metrics(gateway: &Gateway) -> String {
    clients::h1().get(gateway.ops_url("/metrics")).send().await.unwrap().text().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_whose_server_is_away_waits_and_survives_a_kill() {
    let (mut gateway, _upstream, smtp) = gateway_with_mail("").await;
    let client = clients::h1();
    command::add_user(&gateway, "ada@example.com", PASSWORD, &[]);
    smtp.go_away();
    assert_eq!(forgot(&gateway, &client, "ada@example.com").await.status(), StatusCode::ACCEPTED);
    gateway.stderr().line("that a mail waits", |line| line.contains("its server did not take it")).await;
    let counted = metrics(&gateway).await;
    assert!(counted.contains("vestibule_mails_total{outcome=\"delayed\"}"), "{counted}");
    gateway.kill().await;
    gateway.restart().await;
    smtp.come_back();
    let mail = smtp.mail("ada@example.com", 0).await;
    assert_eq!(reset(&gateway, &client, &mail.token(), NEW).await, 204);
    assert_eq!(log_in(&gateway, &client, "ada@example.com", NEW).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_whose_recipient_is_refused_is_given_up_and_told_of() {
    let (gateway, _upstream, smtp) = gateway_with_mail("").await;
    let client = clients::h1();
    command::add_user(&gateway, "ada@example.com", PASSWORD, &[]);
    smtp.refuse_recipients();
    assert_eq!(forgot(&gateway, &client, "ada@example.com").await.status(), StatusCode::ACCEPTED);
    gateway.stdout().object("the mail that failed", |line| line["event"] == "mail.failed").await;
    gateway.stderr().line("that it is given up", |line| line.contains("a mail is given up")).await;
    assert!(smtp.received().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_is_on_its_way_when_the_gateway_stops_arrives_and_is_told_of_once() {
    let (mut gateway, _upstream, smtp) = gateway_with_mail("").await;
    let client = clients::h1();
    command::add_user(&gateway, "ada@example.com", PASSWORD, &[]);
    let held = smtp.hold_replies().await;
    assert_eq!(forgot(&gateway, &client, "ada@example.com").await.status(), StatusCode::ACCEPTED);
    smtp.mail("ada@example.com", 0).await;
    gateway.signal("TERM");
    gateway.stderr().line("the end of the drain", |line| line.contains("\"drained\"")).await;
    drop(held);
    gateway.stdout().object("the mail that was sent", |line| line["event"] == "mail.sent").await;
    assert_eq!(gateway.ended().await.code(), Some(0));
}
