use std::time::Duration;

use super::{Client, signed, user_id};
use crate::account::fixture::{MINUTE, roles};
use crate::store::UserChange;

const GRACE: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_refresh_token_is_spent_by_its_use() {
    let client = Client::new();
    let first = client.register("ada@example.com").await;
    client.world.clock.advance(MINUTE);
    let second = signed(&client.refresh(&first.refresh).await);
    assert_ne!(first.refresh, second.refresh);
    assert_eq!(client.status_of(&second.access).await, 200);
    let third = client.refresh(&second.refresh).await;
    assert_eq!(third.status, 200, "{}", third.text);
}

#[tokio::test]
async fn sixteen_racing_refreshes_get_one_successor() {
    let client = Client::new();
    let ada = client.register("ada@example.com").await;
    let answers = futures_util::future::join_all((0..16).map(|_| client.refresh(&ada.refresh))).await;
    let mut successors: Vec<String> = answers.iter().map(|answer| signed(answer).refresh).collect();
    successors.dedup();
    assert_eq!(successors.len(), 1);
    assert_eq!(client.refresh(&successors[0]).await.status, 200);
}

#[tokio::test]
async fn a_repeat_within_the_grace_gets_the_same_successor_later_on() {
    let client = Client::new();
    let ada = client.register("ada@example.com").await;
    let once = signed(&client.refresh(&ada.refresh).await);
    client.world.clock.advance(GRACE / 2);
    let again = signed(&client.refresh(&ada.refresh).await);
    assert_eq!(once.refresh, again.refresh);
}

#[tokio::test]
async fn a_replay_after_the_grace_ends_the_whole_session() {
    let client = Client::new();
    let ada = client.register("ada@example.com").await;
    let successor = signed(&client.refresh(&ada.refresh).await);
    client.world.clock.advance(GRACE * 2);
    assert_eq!(client.refresh(&ada.refresh).await.verdict(), (401, "invalid_token".to_owned()));
    assert_eq!(client.refresh(&successor.refresh).await.status, 401);
    assert_eq!((client.status_of(&ada.access).await, client.status_of(&successor.access).await), (401, 401));
    let events = client.world.events();
    assert!(events.ends_with(&["session.reuse_detected".to_owned(), "session.ended".to_owned()]), "{events:?}");
}

#[tokio::test]
async fn a_replay_within_the_grace_ends_the_session_once_the_successor_was_used() {
    let client = Client::new();
    let ada = client.register("ada@example.com").await;
    let second = signed(&client.refresh(&ada.refresh).await);
    let third = signed(&client.refresh(&second.refresh).await);
    assert_eq!(client.refresh(&ada.refresh).await.status, 401);
    assert_eq!(client.refresh(&third.refresh).await.status, 401);
    assert_eq!(client.status_of(&third.access).await, 401);
}

#[tokio::test]
async fn one_kind_of_token_is_never_taken_for_the_other() {
    let client = Client::new();
    let ada = client.register("ada@example.com").await;
    assert_eq!(client.refresh(&ada.access).await.verdict(), (401, "invalid_token".to_owned()));
    assert_eq!(client.get("/auth/me", &ada.refresh).await.verdict(), (401, "invalid_token".to_owned()));
}

#[tokio::test]
async fn a_refreshed_token_says_who_the_user_is_now() {
    let client = Client::new();
    let ada = client.register("ada@example.com").await;
    let promoted = UserChange { roles: Some(roles(&["editor"])), ..UserChange::default() };
    client.world.change_elsewhere(&user_id(&ada.user), promoted).await;
    let second = signed(&client.refresh(&ada.refresh).await);
    let verified = client.get("/auth/token/verify", &second.access).await.json();
    assert_eq!((verified["roles"][0].as_str(), verified["scope"].as_str()), (Some("editor"), Some("docs:write")));
    let disabled = UserChange { is_active: Some(false), ..UserChange::default() };
    client.world.change_elsewhere(&user_id(&ada.user), disabled).await;
    assert_eq!(client.refresh(&second.refresh).await.verdict(), (401, "invalid_token".to_owned()));
}

#[tokio::test]
async fn without_rotation_the_token_stays_and_its_time_goes_on() {
    let client = Client::new();
    client.world.change_settings(|settings| settings.refresh.rotate = false);
    let ada = client.register("ada@example.com").await;
    for _ in 0..3 {
        client.world.clock.advance(MINUTE);
        let next = signed(&client.refresh(&ada.refresh).await);
        assert_eq!(next.refresh, ada.refresh);
        assert_eq!(client.status_of(&next.access).await, 200);
    }
}

#[tokio::test]
async fn an_expired_refresh_token_is_refused() {
    let client = Client::new();
    let ada = client.register("ada@example.com").await;
    client.world.clock.advance(8 * 24 * 60 * MINUTE);
    assert_eq!(client.refresh(&ada.refresh).await.verdict(), (401, "invalid_token".to_owned()));
}

#[tokio::test]
async fn no_changed_byte_of_a_refresh_token_is_accepted() {
    let client = Client::new();
    let ada = client.register("ada@example.com").await;
    for position in (0..ada.refresh.len()).step_by(7) {
        let mut bytes = ada.refresh.clone().into_bytes();
        bytes[position] = if bytes[position] == b'A' { b'B' } else { b'A' };
        let forged = String::from_utf8(bytes).unwrap();
        assert_eq!(client.refresh(&forged).await.status, 401, "byte {position}");
    }
    assert_eq!(client.refresh(&ada.refresh).await.status, 200);
}
