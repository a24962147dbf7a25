//! MongoDB is away: at the start, or while requests go on.

use std::time::Duration;

use reqwest::{Client, Response, StatusCode};
use serde_json::json;

use super::{Faulty, gateway};
use crate::harness::clients::h1;
use crate::harness::fault_proxy::{Does, FaultProxy, Line, Trick};
use crate::harness::mongodb::{self, Deployment};
use crate::harness::people::post;
use crate::harness::{Gateway, PASSWORD, PATIENCE, Person, Upstream, WITHIN_A_SECOND, eventually_within};

async fn log_in(gateway: &Gateway, client: &Client, email: &str) -> Response {
    post(gateway, client, "/auth/login", &json!({ "email": email, "password": PASSWORD })).await
}

async fn get(client: &Client, url: String) -> StatusCode {
    client.get(url).send().await.unwrap().status()
}

fn assert_is_unavailable(answer: &Response) {
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.headers().contains_key("retry-after"));
}

#[tokio::test]
async fn a_start_without_the_store_serves_what_needs_none_and_becomes_whole_by_itself() {
    let Some(deployment) = mongodb::stand_in() else { return };
    let proxy = FaultProxy::before(&deployment.address()).await;
    let (upstream, url, client) = (Upstream::start().await, proxy.url(&Deployment::new_database()), h1());
    let before = gateway(&url, &upstream).await;
    let ada = Person::register(&before, &client, "ada@example.com").await;
    before.stop().await;

    proxy.set(Line::Cut);
    let gateway = gateway(&url, &upstream).await;
    assert_eq!(get(&client, gateway.url("/")).await, StatusCode::OK);
    assert_eq!(get(&client, gateway.url("/private")).await, StatusCode::UNAUTHORIZED);
    assert_eq!(get(&client, gateway.url("/auth/openapi.json")).await, StatusCode::OK);
    assert_eq!(get(&client, gateway.ops_url("/healthz")).await, StatusCode::OK);
    assert_eq!(get(&client, gateway.ops_url("/readyz")).await, StatusCode::SERVICE_UNAVAILABLE);
    // Whether it was taken back is not known: neither passed nor called wrong.
    assert_is_unavailable(&ada.get(&gateway, &client, "/private").await);
    assert_is_unavailable(&log_in(&gateway, &client, "ada@example.com").await);
    assert_is_unavailable(&client.get(gateway.url("/.well-known/jwks.json")).send().await.unwrap());
    // What may be a token of ours reaches no app, even where nobody asks for one.
    assert_eq!(ada.get(&gateway, &client, "/").await.status(), StatusCode::OK);
    assert_eq!(upstream.last_request().header("authorization"), None);

    proxy.set(Line::Whole);
    let ready = async || get(&client, gateway.ops_url("/readyz")).await == StatusCode::OK;
    eventually_within(PATIENCE, "ready by itself", ready).await;
    assert_eq!(ada.get(&gateway, &client, "/private").await.status(), StatusCode::OK);
    assert_eq!(log_in(&gateway, &client, "ada@example.com").await.status(), StatusCode::OK);
}

/// Plays a fault, and holds the gateway to what it promises while it lasts and afterwards.
async fn survive(line: Line) {
    let Some(faulty) = Faulty::start().await else { return };
    let (gateway, client) = (&faulty.gateway, h1());
    let ada = Person::register(gateway, &client, "ada@example.com").await;
    assert_eq!(ada.get(gateway, &client, "/private").await.status(), StatusCode::OK);

    faulty.proxy.set(line);
    let unready = async || get(&client, gateway.ops_url("/readyz")).await != StatusCode::OK;
    eventually_within(PATIENCE, "not ready", unready).await;
    assert_is_unavailable(&log_in(gateway, &client, "ada@example.com").await);
    for _ in 0..20 {
        assert_eq!(ada.get(gateway, &client, "/private").await.status(), StatusCode::OK);
    }

    faulty.proxy.set(Line::Whole);
    let signed_in = async || log_in(gateway, &client, "ada@example.com").await.status() == StatusCode::OK;
    eventually_within(PATIENCE, "people sign in again", signed_in).await;
    // What was ended after the return is refused as ever.
    ada.log_out(gateway, &client).await;
    assert_eq!(ada.get(gateway, &client, "/private").await.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn valid_tokens_outlive_a_cut() {
    survive(Line::Cut).await;
}

#[tokio::test]
async fn valid_tokens_outlive_resets() {
    survive(Line::Reset).await;
}

#[tokio::test]
async fn valid_tokens_outlive_silence() {
    survive(Line::Stalled).await;
}

#[tokio::test]
async fn connections_that_went_silent_for_ever_are_replaced() {
    let Some(faulty) = Faulty::start().await else { return };
    let client = h1();
    let ada = Person::register(&faulty.gateway, &client, "ada@example.com").await;
    faulty.proxy.set(Line::HalfOpen);
    let signed_in = async || log_in(&faulty.gateway, &client, "ada@example.com").await.status() == StatusCode::OK;
    eventually_within(PATIENCE, "people sign in over new connections", signed_in).await;
    assert_eq!(ada.get(&faulty.gateway, &client, "/private").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_slow_store_makes_accounts_slow_and_nothing_else() {
    let Some(faulty) = Faulty::start().await else { return };
    let client = h1();
    let ada = Person::register(&faulty.gateway, &client, "ada@example.com").await;
    faulty.proxy.set(Line::Delayed(Duration::from_millis(100)));
    let (signed_in, served) = tokio::join!(
        log_in(&faulty.gateway, &client, "ada@example.com"),
        ada.get(&faulty.gateway, &client, "/private")
    );
    assert_eq!((signed_in.status(), served.status()), (StatusCode::OK, StatusCode::OK));
}

#[tokio::test]
async fn a_sign_in_of_many_slow_steps_is_answered_within_five_seconds() {
    let Some(faulty) = Faulty::start().await else { return };
    let client = h1();
    Person::register(&faulty.gateway, &client, "ada@example.com").await;
    // Each step is answered in time, all of them together are not.
    faulty.proxy.set(Line::Delayed(Duration::from_millis(900)));
    let asked = log_in(&faulty.gateway, &client, "ada@example.com");
    let answer = tokio::time::timeout(Duration::from_secs(5), asked).await.expect("an answer in time");
    assert_is_unavailable(&answer);
}

#[tokio::test]
async fn a_change_that_a_cut_left_half_made_is_in_nobodys_way_afterwards() {
    let Some(faulty) = Faulty::start().await else { return };
    let client = h1();
    Person::register(&faulty.gateway, &client, "ada@example.com").await;
    for command in ["insert", "commitTransaction"] {
        let commands: &'static [&'static str] = if command == "insert" { &["insert"] } else { &["commitTransaction"] };
        // The server holds what the transaction wrote, and is not told for longer than anybody waits that it is over.
        faulty.proxy.play(Trick { commands, times: 1, does: Does::CutLine });
        assert_is_unavailable(&log_in(&faulty.gateway, &client, "ada@example.com").await);
        assert!(faulty.proxy.has_played());
        faulty.proxy.set(Line::Whole);
        let signed_in = async || log_in(&faulty.gateway, &client, "ada@example.com").await.status() == StatusCode::OK;
        // The server by itself would forget it after a minute.
        eventually_within(Duration::from_secs(25), "signed in after the return", signed_in).await;
    }
}

#[tokio::test]
async fn while_it_is_known_to_be_away_nobody_waits_for_it() {
    let Some(faulty) = Faulty::start().await else { return };
    let client = h1();
    Person::register(&faulty.gateway, &client, "ada@example.com").await;
    faulty.proxy.set(Line::Cut);
    assert_is_unavailable(&log_in(&faulty.gateway, &client, "ada@example.com").await);
    // One after the other; each would have waited for seconds.
    let many = async {
        for _ in 0..40 {
            assert_is_unavailable(&log_in(&faulty.gateway, &client, "ada@example.com").await);
        }
    };
    tokio::time::timeout(Duration::from_secs(40), many).await.expect("refused at once");
}

#[tokio::test]
async fn what_was_taken_back_elsewhere_during_a_cut_is_refused_after_it() {
    let Some(faulty) = Faulty::start().await else { return };
    let url = std::fs::read_to_string(faulty.gateway.config_file()).unwrap();
    let database = url.split("vestibule_test_").nth(1).unwrap().split('?').next().unwrap();
    let elsewhere = mongodb::stand_in().unwrap().url(&format!("vestibule_test_{database}"));
    let (elsewhere, client) = (gateway(&elsewhere, &faulty.upstream).await, h1());
    let ada = Person::register(&faulty.gateway, &client, "ada@example.com").await;
    assert_eq!(ada.get(&faulty.gateway, &client, "/private").await.status(), StatusCode::OK);

    faulty.proxy.set(Line::Cut);
    ada.log_out(&elsewhere, &client).await;
    assert_eq!(ada.get(&elsewhere, &client, "/private").await.status(), StatusCode::UNAUTHORIZED);
    faulty.proxy.set(Line::Whole);
    let refused = async || ada.get(&faulty.gateway, &client, "/private").await.status() == StatusCode::UNAUTHORIZED;
    eventually_within(WITHIN_A_SECOND * 2, "refused after the return", refused).await;
}
