//! What has been looked at once is not believed longer than it is true, and never for another question.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::future::join_all;
use reqwest::{Client, Method};
use serde_json::json;

use super::World;
use super::forge::{Forge, hs256_config};
use crate::harness::clients::{BOTH, h1};
use crate::harness::command::run;
use crate::harness::people::post;
use crate::harness::{PASSWORD, Person, WITHIN_A_SECOND, eventually_within};

async fn status(world: &World, client: &Client, person: &Person, path: &str) -> u16 {
    person.get(&world.gateway, client, path).await.status().as_u16()
}

#[tokio::test]
async fn a_token_that_one_route_took_is_held_against_the_rule_of_the_next() {
    let world = World::start().await;
    let (plain, editor) =
        (world.person("plain@example.com").await, world.person_with("ed@example.com", "editor").await);
    let admin = world.person_with("admin@example.com", "admin").await;
    for protocol in BOTH {
        let client = protocol.client();
        for _ in 0..3 {
            for (person, expected) in [(&plain, [200, 403, 403]), (&editor, [200, 403, 200]), (&admin, [200, 200, 403])]
            {
                let mut statuses = Vec::new();
                for path in ["/private", "/admin", "/docs"] {
                    statuses.push(status(&world, &client, person, path).await);
                }
                assert_eq!(statuses, expected, "{}", person.email);
            }
        }
    }
}

/// What ends a session, or all of somebody's.
#[derive(Clone, Copy, Debug)]
enum End {
    Logout,
    LogoutByRefreshToken,
    LogoutEverywhere,
    SessionDeleted,
    Revoked,
    PasswordChangedElsewhere,
    AccountDeleted,
    Replay,
}

/// Ends the session of `person`; `elsewhere` is the same account's other session.
async fn end(world: &World, how: End, person: &Person, elsewhere: &Person) {
    let (gateway, client) = (&world.gateway, h1());
    let send = |person: &Person, method, path: &str| person.request(gateway, &client, method, path);
    let request = match how {
        End::Logout => send(person, Method::POST, "/auth/logout"),
        End::LogoutByRefreshToken => {
            client.post(gateway.url("/auth/logout")).json(&json!({"refresh_token": person.refresh}))
        }
        End::LogoutEverywhere => send(elsewhere, Method::POST, "/auth/logout/all"),
        End::SessionDeleted => send(elsewhere, Method::DELETE, &format!("/auth/sessions/{}", person.session())),
        End::Revoked => client.post(gateway.url("/auth/revoke")).form(&[("token", &person.refresh)]),
        End::PasswordChangedElsewhere => {
            let body = json!({"current_password": PASSWORD, "new_password": "another long pass phrase"});
            send(elsewhere, Method::POST, "/auth/password/change").json(&body)
        }
        End::AccountDeleted => send(elsewhere, Method::DELETE, "/auth/me").json(&json!({"password": PASSWORD})),
        End::Replay => {
            // The token is spent, then its successor; the third time it is somebody else's.
            let body = json!({"refresh_token": person.refresh});
            let answer = post(gateway, &client, "/auth/refresh", &body).await;
            let next = Person::from_grant(&person.email, &answer.json().await.unwrap());
            assert_eq!(
                post(gateway, &client, "/auth/refresh", &json!({"refresh_token": next.refresh})).await.status(),
                200
            );
            let replayed = post(gateway, &client, "/auth/refresh", &body).await;
            assert_eq!(replayed.status(), 401);
            return;
        }
    };
    let answer = request.send().await.unwrap();
    assert!(answer.status().is_success(), "{how:?}: {}", answer.status());
}

#[tokio::test]
async fn the_very_next_request_after_an_end_is_refused_on_every_connection() {
    let world = World::start().await;
    let ends = [
        End::Logout,
        End::LogoutByRefreshToken,
        End::LogoutEverywhere,
        End::SessionDeleted,
        End::Revoked,
        End::PasswordChangedElsewhere,
        End::AccountDeleted,
        End::Replay,
    ];
    for (number, how) in ends.into_iter().enumerate() {
        let email = format!("user{number}@example.com");
        let person = world.person(&email).await;
        let elsewhere = Person::log_in(&world.gateway, &h1(), &email).await;
        // Enough connections for both workers, each of which has the token in its hand.
        let clients: Vec<Client> = (0..8).map(|place| BOTH[place % 2].client()).collect();
        let ask_all = || join_all(clients.iter().map(|client| status(&world, client, &person, "/private")));
        assert_eq!(ask_all().await, [200; 8], "before {how:?}");
        assert_eq!(ask_all().await, [200; 8], "before {how:?}");
        let before = world.upstream.count();
        end(&world, how, &person, &elsewhere).await;
        assert_eq!(ask_all().await, [401; 8], "after {how:?}");
        assert_eq!(status(&world, &h1(), &person, "/auth/me").await, 401, "after {how:?}");
        let refresh = json!({"refresh_token": person.refresh});
        assert_eq!(post(&world.gateway, &h1(), "/auth/refresh", &refresh).await.status(), 401, "after {how:?}");
        assert_eq!(world.upstream.count(), before, "after {how:?}");
    }
}

#[tokio::test]
async fn a_role_taken_away_closes_its_routes_to_tokens_that_still_carry_it() {
    let world = World::start().await;
    let person = world.person_with("ed@example.com", "editor").await;
    let client = h1();
    assert_eq!(status(&world, &client, &person, "/docs").await, 200);
    run(&world.gateway, &["user", "set", "ed@example.com", "--role", "reader"]).ok();
    eventually_within(WITHIN_A_SECOND, "the role counts", || async {
        status(&world, &client, &person, "/docs").await == 403
    })
    .await;
    assert_eq!(status(&world, &client, &person, "/private").await, 200);
    assert_eq!(world.upstream.last_request().header("x-user-roles"), Some("reader"));
}

#[tokio::test]
async fn a_token_in_the_cache_ends_at_its_exp_and_not_a_second_later() {
    let world = World::with(&hs256_config()).await;
    let person = world.person("ada@example.com").await;
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let exp = now().as_secs() + 3;
    let token = Forge::of(&person.access).claim("exp", exp).signed();
    let client = h1();
    eventually_within(Duration::from_secs(10), "the token ends", || async {
        let asked = now();
        let answer = client.get(world.gateway.url("/private")).bearer_auth(&token).send().await.unwrap();
        match answer.status().as_u16() {
            200 => assert!(asked < Duration::from_secs(exp), "taken at {asked:?}, ended at {exp} s"),
            401 => assert!(now() >= Duration::from_secs(exp), "refused early"),
            other => panic!("{other}"),
        }
        answer.status() == 401
    })
    .await;
    let passed = world.upstream.count();
    assert!(passed > 2, "{passed}");
}

/// Returns a number that the operators' listener shows.
async fn metric(world: &World, name: &str) -> u64 {
    let text = h1().get(world.gateway.ops_url("/metrics")).send().await.unwrap().text().await.unwrap();
    let line = text.lines().find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ')));
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or_else(|| panic!("no {name} in {text}"))
}

#[tokio::test]
async fn a_flood_of_garbage_pushes_no_good_token_out_of_the_cache() {
    let world = World::with(&hs256_config()).await;
    let person = world.person("ada@example.com").await;
    let client = h1();
    assert_eq!(status(&world, &client, &person, "/private").await, 200);
    let forge = Forge::of(&person.access);
    for round in 0..20 {
        let flood = (0..100).map(|number| {
            let token = forge.clone().claim("jti", format!("{round}-{number}")).signed_with(b"not the secret");
            let request = client.get(world.gateway.url("/private")).bearer_auth(token);
            async { request.send().await.unwrap().status().as_u16() }
        });
        assert!(join_all(flood).await.into_iter().all(|status| status == 401));
    }
    let (hits, misses) =
        (metric(&world, "vestibule_cache_hits_total").await, metric(&world, "vestibule_cache_misses_total").await);
    assert_eq!(status(&world, &client, &person, "/private").await, 200);
    assert_eq!(metric(&world, "vestibule_cache_hits_total").await, hits + 1);
    assert_eq!(metric(&world, "vestibule_cache_misses_total").await, misses);
}
