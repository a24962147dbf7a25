//! The server itself is killed and comes back: what was acknowledged is there, and nobody who was signed in is refused.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use reqwest::StatusCode;
use serde_json::json;

use super::gateway;
use crate::harness::clients::h1;
use crate::harness::mongodb::{self, Deployment};
use crate::harness::people::post;
use crate::harness::{PASSWORD, PATIENCE, Person, Upstream, eventually, eventually_within};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_costs_no_acknowledged_account_and_no_protected_request() {
    let Some(mut server) = mongodb::own() else { return };
    let (upstream, client) = (Upstream::start().await, h1());
    let gateway = Arc::new(gateway(&server.deployment().url(&Deployment::new_database()), &upstream).await);
    let ada = Person::register(&gateway, &client, "ada@example.com").await;

    let (ended, made) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let people = tokio::spawn({
        let (gateway, client) = (Arc::clone(&gateway), client.clone());
        let (ended, made) = (Arc::clone(&ended), Arc::clone(&made));
        async move {
            let mut acknowledged = Vec::new();
            for number in 0.. {
                if ended.load(Ordering::Relaxed) {
                    break;
                }
                let email = format!("user{number}@example.com");
                let body = json!({ "email": email, "password": PASSWORD });
                match post(&gateway, &client, "/auth/register", &body).await.status() {
                    StatusCode::CREATED => {
                        acknowledged.push(email);
                        made.fetch_add(1, Ordering::Relaxed);
                    }
                    status => assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE),
                }
            }
            acknowledged
        }
    });
    for _ in 0..2 {
        let mut killed = server;
        server = tokio::task::spawn_blocking(move || {
            killed.kill();
            killed
        })
        .await
        .unwrap();
        for _ in 0..50 {
            assert_eq!(ada.get(&gateway, &client, "/private").await.status(), StatusCode::OK);
        }
        let mut gone = server;
        server = tokio::task::spawn_blocking(move || {
            gone.restart();
            gone
        })
        .await
        .unwrap();
        let body = json!({ "email": "ada@example.com", "password": PASSWORD });
        let back = async || post(&gateway, &client, "/auth/login", &body).await.status() == StatusCode::OK;
        eventually_within(PATIENCE, "people sign in again", back).await;
    }
    eventually("accounts are made", || made.load(Ordering::Relaxed) > 2).await;
    ended.store(true, Ordering::Relaxed);
    let acknowledged = people.await.unwrap();
    for email in acknowledged {
        Person::log_in(&gateway, &client, &email).await;
    }
}
