use std::net::IpAddr;

use serde_json::json;

use super::Client;
use crate::account::Rates;
use crate::account::fixture::{MINUTE, PASSWORD};
use crate::limit::bucket::Rate;

fn limited_to(count: u32) -> Client {
    let client = Client::new();
    client.world.change_settings(|settings| {
        settings.rates = Rates { login: Some(Rate { count, per: MINUTE }), ..Rates::default() };
    });
    client
}

#[tokio::test]
async fn past_the_limit_everybody_gets_the_same_429_with_retry_after() {
    let client = limited_to(2);
    client.register("ada@example.com").await;
    let mut last = Vec::new();
    for name in ["ada@example.com", "nobody@example.com"] {
        for _ in 0..2 {
            assert_eq!(client.login(name, "wrong password").await.status, 401);
        }
        last.push(client.login(name, PASSWORD).await);
    }
    assert_eq!(last[0].verdict(), (429, "too_many_requests".to_owned()));
    assert_eq!(last[0].header("retry-after"), "30");
    assert_eq!((&last[0].headers, &last[0].text), (&last[1].headers, &last[1].text));
    client.world.clock.advance(MINUTE / 2);
    assert_eq!(client.login("ada@example.com", PASSWORD).await.status, 200);
}

#[tokio::test]
async fn every_door_that_asks_for_a_password_counts_on_the_same_limit() {
    let client = limited_to(4);
    let ada = client.register("ada@example.com").await;
    let wrong = "wrong password";
    assert_eq!(client.login("ada@example.com", wrong).await.status, 401);
    let form = format!("grant_type=password&username=ada%40example.com&password={}", wrong.replace(' ', "+"));
    assert_eq!(client.form("/auth/token", None, &form).await.status, 400);
    let delete = json!({"password": wrong});
    assert_eq!(client.ask("DELETE", "/auth/me", Some(&ada.access), Some(delete.clone())).await.status, 401);
    let change = json!({"current_password": wrong, "new_password": "another battery horse"});
    let changed = client.ask("POST", "/auth/password/change", Some(&ada.access), Some(change.clone())).await;
    assert_eq!(changed.status, 401);
    assert_eq!(client.login("ada@example.com", PASSWORD).await.status, 429);
    assert_eq!(client.form("/auth/token", None, &form).await.status, 429);
    assert_eq!(client.ask("DELETE", "/auth/me", Some(&ada.access), Some(delete)).await.status, 429);
    let changed = client.ask("POST", "/auth/password/change", Some(&ada.access), Some(change)).await;
    assert_eq!(changed.status, 429);
}

#[tokio::test]
async fn an_ipv6_network_is_one_client_and_two_networks_are_two() {
    let mut client = limited_to(2);
    client.register("ada@example.com").await;
    let from = |text: &str| text.parse::<IpAddr>().unwrap();
    for ip in ["2001:db8:0:1::1", "2001:db8:0:1:ffff::2"] {
        client.ip = from(ip);
        assert_eq!(client.login("ada@example.com", "wrong password").await.status, 401);
    }
    client.ip = from("2001:db8:0:1::3");
    assert_eq!(client.login("ada@example.com", PASSWORD).await.status, 429);
    client.ip = from("2001:db8:0:2::1");
    assert_eq!(client.login("ada@example.com", PASSWORD).await.status, 200);
}
