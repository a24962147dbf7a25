use reqwest::StatusCode;

use super::forgot;
use crate::harness::smtp::{Security, Smtp};
use crate::harness::{Gateway, PASSWORD, Upstream, clients, command, usual};

const USER: &str = "gate:hunter%402@";

/// Has a mail asked for to somebody who is known.
async fn ask(gateway: &Gateway) {
    command::add_user(gateway, "ada@example.com", PASSWORD, &[]);
    assert_eq!(forgot(gateway, &clients::h1(), "ada@example.com").await.status(), StatusCode::ACCEPTED);
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_goes_over_tls_with_the_password_that_the_url_gives_and_no_log_shows() {
    for security in [Security::Wrapped, Security::StartTls] {
        let smtp = Smtp::start(security).await;
        let upstream = Upstream::start().await;
        let given = format!("{}{}", smtp.configuration(USER), usual(&upstream));
        let gateway = Gateway::start_trusting(&given).await;
        ask(&gateway).await;
        let mail = smtp.mail("ada@example.com", 0).await;
        assert!(mail.is_secured, "{security:?}");
        assert_eq!((mail.credentials.as_deref(), mail.from.as_str()), (Some("gate hunter@2"), "gate@example.com"));
        let written = gateway.stop().await;
        assert!(!written.contains("hunter"), "{written}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_nobody_vouches_for_gets_no_mail_and_no_password() {
    for security in [Security::Wrapped, Security::StartTls] {
        let smtp = Smtp::start(security).await;
        let upstream = Upstream::start().await;
        let gateway = Gateway::start(&format!("{}{}", smtp.configuration(USER), usual(&upstream))).await;
        ask(&gateway).await;
        gateway.stderr().line("that a mail waits", |line| line.contains("its server did not take it")).await;
        assert!(smtp.received().is_empty(), "{security:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_offers_no_tls_gets_nothing_where_tls_is_required() {
    let smtp = Smtp::start(Security::Clear).await;
    let upstream = Upstream::start().await;
    let required = smtp
        .configuration(USER)
        .replace(&format!(":{}\"", smtp.address.port()), &format!(":{}?tls=required\"", smtp.address.port()));
    let gateway = Gateway::start_trusting(&format!("{required}{}", usual(&upstream))).await;
    ask(&gateway).await;
    gateway.stderr().line("that a mail waits", |line| line.contains("its server did not take it")).await;
    assert!(smtp.received().is_empty());
}
