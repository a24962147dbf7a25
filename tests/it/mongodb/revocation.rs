//! Two gateways, one database: what is taken back on one is refused by the other within a second.

use reqwest::{Client, Method, StatusCode};
use serde_json::json;

use super::gateway;
use crate::harness::clients::h1;
use crate::harness::command::{add_user, run};
use crate::harness::mongodb::{self, Deployment};
use crate::harness::people::claims;
use crate::harness::{Gateway, PASSWORD, Person, Upstream, WITHIN_A_SECOND, eventually_within};

struct Two {
    here: Gateway,
    there: Gateway,
    client: Client,
    _upstream: Upstream,
}

impl Two {
    async fn start() -> Option<Self> {
        let url = mongodb::shared()?.url(&Deployment::new_database());
        let upstream = Upstream::start().await;
        let (here, there) = tokio::join!(gateway(&url, &upstream), gateway(&url, &upstream));
        Some(Self { here, there, client: h1(), _upstream: upstream })
    }

    /// Returns what the other gateway answers to somebody's request.
    async fn there(&self, person: &Person, path: &str) -> StatusCode {
        person.get(&self.there, &self.client, path).await.status()
    }

    async fn there_becomes(&self, person: &Person, path: &str, expected: StatusCode) {
        let what = format!("{expected} for {path} on the other gateway");
        eventually_within(WITHIN_A_SECOND, &what, async || self.there(person, path).await == expected).await;
    }
}

#[tokio::test]
async fn two_gateways_that_start_at_once_on_an_empty_store_trust_each_other() {
    let Some(two) = Two::start().await else { return };
    let ada = Person::register(&two.here, &two.client, "ada@example.com").await;
    assert_eq!(two.there(&ada, "/private").await, StatusCode::OK);
    assert_eq!(two.there(&ada, "/auth/me").await, StatusCode::OK);
}

#[tokio::test]
async fn a_logout_here_is_refused_there() {
    let Some(two) = Two::start().await else { return };
    for round in 0..5 {
        let ada = Person::register(&two.here, &two.client, &format!("ada{round}@example.com")).await;
        assert_eq!(two.there(&ada, "/private").await, StatusCode::OK);
        ada.log_out(&two.here, &two.client).await;
        two.there_becomes(&ada, "/private", StatusCode::UNAUTHORIZED).await;
    }
}

#[tokio::test]
async fn a_role_taken_here_is_gone_there() {
    let Some(two) = Two::start().await else { return };
    add_user(&two.here, "ada@example.com", PASSWORD, &["--role", "admin"]);
    let ada = Person::log_in(&two.here, &two.client, "ada@example.com").await;
    assert_eq!(two.there(&ada, "/admin").await, StatusCode::OK);
    run(&two.here, &["user", "set", "ada@example.com", "--role", "editor"]).ok();
    two.there_becomes(&ada, "/admin", StatusCode::FORBIDDEN).await;
}

#[tokio::test]
async fn a_user_disabled_here_is_refused_there() {
    let Some(two) = Two::start().await else { return };
    let ada = Person::register(&two.here, &two.client, "ada@example.com").await;
    assert_eq!(two.there(&ada, "/private").await, StatusCode::OK);
    run(&two.here, &["user", "disable", "ada@example.com"]).ok();
    two.there_becomes(&ada, "/private", StatusCode::UNAUTHORIZED).await;
}

#[tokio::test]
async fn a_password_changed_here_ends_the_other_sessions_there() {
    let Some(two) = Two::start().await else { return };
    let ada = Person::register(&two.here, &two.client, "ada@example.com").await;
    let other = Person::log_in(&two.there, &two.client, "ada@example.com").await;
    assert_eq!(two.there(&other, "/private").await, StatusCode::OK);
    let change = json!({ "current_password": PASSWORD, "new_password": "another horse battery staple" });
    let request = ada.request(&two.here, &two.client, Method::POST, "/auth/password/change").json(&change);
    assert_eq!(request.send().await.unwrap().status(), StatusCode::NO_CONTENT);
    two.there_becomes(&other, "/private", StatusCode::UNAUTHORIZED).await;
    assert_eq!(two.there(&ada, "/private").await, StatusCode::OK);
}

#[tokio::test]
async fn a_key_made_here_is_known_there() {
    let Some(two) = Two::start().await else { return };
    let before = Person::register(&two.here, &two.client, "ada@example.com").await;
    run(&two.here, &["key", "rotate"]).ok();
    let key_of = |person: &Person| crate::harness::people::part(&person.access, 0)["kid"].clone();
    eventually_within(crate::harness::PATIENCE, "a token by the new key", async || {
        let after = Person::log_in(&two.here, &two.client, "ada@example.com").await;
        // Known there before it is used here, or within a second of it.
        two.there_becomes(&after, "/private", StatusCode::OK).await;
        key_of(&after) != key_of(&before)
    })
    .await;
    assert_eq!(two.there(&before, "/private").await, StatusCode::OK, "the old key verifies what it signed");
    assert_eq!(claims(&before.access)["type"], "access");
}
