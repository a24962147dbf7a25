//! A primary that steps down, a majority that is missing, answers and streams that get lost.

use std::time::{Duration, Instant};

use reqwest::{Client, StatusCode};
use serde_json::json;

use super::{Faulty, gateway};
use crate::harness::clients::h1;
use crate::harness::fault_proxy::{Does, FaultProxy, Trick};
use crate::harness::mongodb::{self, Deployment};
use crate::harness::people::post;
use crate::harness::{Gateway, PASSWORD, PATIENCE, Person, Upstream, WITHIN_A_SECOND, eventually, eventually_within};

const STEPPED_DOWN: [(i32, &str); 3] =
    [(10107, "NotWritablePrimary"), (189, "PrimarySteppedDown"), (11600, "InterruptedAtShutdown")];

async fn register(gateway: &Gateway, client: &Client, email: &str) -> StatusCode {
    post(gateway, client, "/auth/register", &json!({ "email": email, "password": PASSWORD })).await.status()
}

/// Registers and signs in while `trick` is played once. `Err`: how long a 503 took.
async fn join(faulty: &Faulty, client: &Client, email: &str, trick: Trick) -> Result<(), Duration> {
    faulty.proxy.play(trick);
    let credentials = json!({ "email": email, "password": PASSWORD });
    for (path, welcome) in [("/auth/register", StatusCode::CREATED), ("/auth/login", StatusCode::OK)] {
        let asked = Instant::now();
        let status = post(&faulty.gateway, client, path, &credentials).await.status();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            return Err(asked.elapsed());
        }
        assert_eq!(status, welcome, "{path} of {email}: {}", faulty.gateway.stderr().text());
    }
    eventually("the trick was played", || faulty.proxy.has_played()).await;
    Ok(())
}

/// The gateway looks for the next primary for as long as this; a stand-in that takes longer to say that it is one has been starved.
const SELECTION: Duration = Duration::from_millis(2500);

#[tokio::test]
async fn one_stepdown_is_noticed_by_nobody() {
    let Some(server) = mongodb::own() else { return };
    let faulty = Faulty::before(&server.deployment()).await;
    let (client, mut tries) = (h1(), 0);
    for (code, name) in STEPPED_DOWN {
        for commands in [&["find"], &["update"], &["insert"], &["commitTransaction"]] as [&'static [&'static str]; 4] {
            loop {
                let email = format!("{code}-{}-{tries}@example.com", commands[0].to_lowercase());
                let trick = Trick { commands, times: 1, does: Does::Refuse(code, name) };
                let Err(after) = join(&faulty, &client, &email, trick).await else { break };
                let log = faulty.gateway.stderr().text();
                assert!(after >= SELECTION && tries < 3, "{name} of {commands:?}: 503 after {after:?}:\n{log}");
                tries += 1;
                faulty.proxy.stop_playing();
                eventually_within(PATIENCE, "the primary is seen again", || faulty.is_ready(&client)).await;
            }
        }
    }
}

#[tokio::test]
async fn a_primary_that_stays_away_is_503_until_another_is_there() {
    let Some(faulty) = Faulty::start().await else { return };
    let client = h1();
    let ada = Person::register(&faulty.gateway, &client, "ada@example.com").await;
    faulty.proxy.play(Trick { commands: &[], times: usize::MAX, does: Does::Refuse(10107, "NotWritablePrimary") });
    assert_eq!(register(&faulty.gateway, &client, "b@example.com").await, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(ada.get(&faulty.gateway, &client, "/private").await.status(), StatusCode::OK);
    faulty.proxy.stop_playing();
    let made = async || register(&faulty.gateway, &client, "b@example.com").await == StatusCode::CREATED;
    eventually_within(PATIENCE, "registered with the next primary", made).await;
}

#[tokio::test]
async fn what_no_majority_has_is_not_acknowledged() {
    let Some(faulty) = Faulty::start().await else { return };
    let client = h1();
    faulty.proxy.play(Trick { commands: &["commitTransaction"], times: usize::MAX, does: Does::LackMajority });
    assert_eq!(register(&faulty.gateway, &client, "ada@example.com").await, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn an_answer_lost_after_the_write_makes_nothing_twice_and_refuses_nobody() {
    let Some(faulty) = Faulty::start().await else { return };
    let client = h1();
    let lost = |commands| Trick { commands, times: 1, does: Does::LoseAnswer };
    faulty.proxy.play(lost(&["commitTransaction"]));
    let ada = Person::register(&faulty.gateway, &client, "ada@example.com").await;
    assert!(faulty.proxy.has_played());
    assert_eq!(register(&faulty.gateway, &client, "ada@example.com").await, StatusCode::CONFLICT);

    faulty.proxy.play(lost(&["findAndModify"]));
    let refreshed = post(&faulty.gateway, &client, "/auth/refresh", &json!({ "refresh_token": ada.refresh })).await;
    assert_eq!(refreshed.status(), StatusCode::OK);
    assert!(faulty.proxy.has_played());
    let next = Person::from_grant(&ada.email, &refreshed.json().await.unwrap());
    let again = post(&faulty.gateway, &client, "/auth/refresh", &json!({ "refresh_token": next.refresh })).await;
    assert_eq!(again.status(), StatusCode::OK, "the successor is the one that was stored");

    faulty.proxy.play(lost(&["commitTransaction"]));
    next.log_out(&faulty.gateway, &client).await;
    assert_eq!(next.get(&faulty.gateway, &client, "/private").await.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_change_stream_that_can_not_be_resumed_is_made_good_by_reading() {
    let Some(deployment) = mongodb::stand_in() else { return };
    let proxy = FaultProxy::before(&deployment.address()).await;
    let (database, upstream, client) = (Deployment::new_database(), Upstream::start().await, h1());
    let blind = gateway(&proxy.url(&database), &upstream).await;
    let other = gateway(&deployment.url(&database), &upstream).await;
    let lost = Does::Refuse(286, "ChangeStreamHistoryLost");
    proxy.play(Trick { commands: &["aggregate", "getMore"], times: usize::MAX, does: lost });
    for round in 0..3 {
        let ada = Person::register(&other, &client, &format!("ada{round}@example.com")).await;
        assert_eq!(ada.get(&blind, &client, "/private").await.status(), StatusCode::OK);
        ada.log_out(&other, &client).await;
        let refused = async || ada.get(&blind, &client, "/private").await.status() == StatusCode::UNAUTHORIZED;
        eventually_within(WITHIN_A_SECOND, "refused without a stream", refused).await;
    }
}
