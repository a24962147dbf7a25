//! Many at once, many names for one account, and answers that tell strangers nothing.

use std::collections::{BTreeSet, HashMap};

use futures_util::StreamExt as _;
use futures_util::future::join_all;
use futures_util::stream;
use reqwest::{Client, Method, Response};
use serde_json::{Value, json};

use super::World;
use crate::harness::clients::{BOTH, h1};
use crate::harness::command::{add_user, run};
use crate::harness::people::{claims, post};
use crate::harness::{PASSWORD, Person, WITHIN_A_SECOND, eventually_within};

/// Signs in, coming again when the hashers are busy, and returns the grant with what the app then saw of the caller.
async fn sign_in_and_ask(world: &World, client: &Client, email: &str) -> (Value, Value) {
    let body = json!({"email": email, "password": PASSWORD});
    let grant: Value = loop {
        let answer = post(&world.gateway, client, "/auth/login", &body).await;
        if answer.status() == 200 {
            break answer.json().await.unwrap();
        }
        assert_eq!(answer.status(), 503, "{email}");
        tokio::task::yield_now().await;
    };
    let token = grant["access_token"].as_str().unwrap();
    let answer = client.get(world.gateway.url("/private")).bearer_auth(token).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    (grant.clone(), answer.json().await.unwrap())
}

#[tokio::test]
async fn a_thousand_parallel_sign_ins_of_a_hundred_users_never_swap_anybody() {
    let world = World::start().await;
    let mut ids = HashMap::new();
    for number in 0..100 {
        let person = world.person(&format!("user{number}@example.com")).await;
        ids.insert(person.email, person.id);
    }
    let clients = BOTH.map(crate::harness::clients::Protocol::client);
    let visits = (0..1000).map(|number| {
        let (client, email) = (&clients[number / 100 % 2], format!("user{}@example.com", number % 100));
        let world = &world;
        async move { (email.clone(), sign_in_and_ask(world, client, &email).await) }
    });
    let visits: Vec<_> = stream::iter(visits).buffer_unordered(64).collect().await;
    assert_eq!(visits.len(), 1000);
    let mut sessions = BTreeSet::new();
    for (email, (grant, seen)) in visits {
        let (id, claims) = (ids[&email].as_str(), claims(grant["access_token"].as_str().unwrap()));
        assert_eq!((grant["user_id"].as_str(), claims["sub"].as_str()), (Some(id), Some(id)), "{email}");
        assert_eq!(claims["email"], email);
        let header = |name: &str| {
            let headers = seen["headers"].as_array().unwrap().iter();
            headers.filter(|pair| pair[0] == name).map(|pair| pair[1].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!((header("x-user-id"), header("x-user-email")), (vec![id.to_owned()], vec![email]));
        assert!(sessions.insert(claims["sid"].as_str().unwrap().to_owned()), "a session was given twice");
    }
}

/// Somebody called `Ada` at `ada@example.com`, and how others may write that.
const SPELLINGS: [(&str, &str); 12] = [
    ("email", "ada@example.com"),
    ("username", "Ada"),
    ("email", "ADA@EXAMPLE.COM"),
    ("username", "aDA"),
    ("email", " ada@example.com "),
    ("username", " ada "),
    ("email", "ada@example.com."),
    ("username", "\u{ff21}da"),
    ("email", "\u{ff41}da@Example.COM"),
    ("username", "ADA"),
    ("email", "\tAda@example.com"),
    ("username", "ada"),
];

#[tokio::test]
async fn all_names_of_an_account_and_all_doors_to_it_count_on_one_limit() {
    let world = World::with("[limits]\nlogin = \"12/h\"").await;
    add_user(&world.gateway, "ada@example.com", PASSWORD, &["--username", "Ada"]);
    let ada = Person::log_in(&world.gateway, &h1(), "ada@example.com").await;
    let client = h1();
    for (field, name) in SPELLINGS.iter().take(8) {
        let answer =
            post(&world.gateway, &client, "/auth/login", &json!({*field: name, "password": "wrong one"})).await;
        assert_eq!(answer.status(), 401, "{name:?}");
    }
    let own = |method, path: &str, body: Value| ada.request(&world.gateway, &client, method, path).json(&body).send();
    let change = json!({"current_password": "wrong one", "new_password": "another long pass phrase"});
    let by_form = |name: &'static str| {
        let form = [("grant_type", "password"), ("username", name), ("password", "wrong one")];
        client.post(world.gateway.url("/auth/token")).form(&form).send()
    };
    assert_eq!(own(Method::POST, "/auth/password/change", change.clone()).await.unwrap().status(), 401);
    assert_eq!(own(Method::DELETE, "/auth/me", json!({"password": "wrong one"})).await.unwrap().status(), 401);
    for name in ["ada", "ADA@example.com"] {
        assert_eq!(by_form(name).await.unwrap().status(), 400, "{name}");
    }
    // Twelve were wrong: now no door opens, by no name, to the right password neither.
    for (field, name) in SPELLINGS {
        let answer = post(&world.gateway, &client, "/auth/login", &json!({field: name, "password": PASSWORD})).await;
        assert_eq!(answer.status(), 429, "{name:?}");
        assert!(answer.headers().contains_key("retry-after"));
    }
    assert_eq!(by_form("aDa").await.unwrap().status(), 429);
    assert_eq!(own(Method::POST, "/auth/password/change", change).await.unwrap().status(), 429);
    assert_eq!(own(Method::DELETE, "/auth/me", json!({"password": PASSWORD})).await.unwrap().status(), 429);
}

#[tokio::test]
async fn nobody_registers_under_another_spelling_of_a_name_that_is_taken() {
    let world = World::with("[auth]\nrequired_fields = []").await;
    add_user(&world.gateway, "admin@example.com", PASSWORD, &["--username", "admin"]);
    let client = h1();
    let names = [
        "admin",
        "Admin",
        "ADMIN",
        "admin ",
        " admin",
        "\u{ff41}dmin",
        "ad\u{200b}min",
        "ad\u{200d}min",
        "admin\u{feff}",
        "\u{202e}nimda",
        "adm\u{131}n\u{0}",
        "a\u{ad}dmin",
        "\u{24d0}dmin",
        "admin\u{2060}",
        "admin@example.com",
        "admin\n",
    ];
    for name in names {
        let answer =
            post(&world.gateway, &client, "/auth/register", &json!({"username": name, "password": PASSWORD})).await;
        assert!(matches!(answer.status().as_u16(), 409 | 422), "{name:?}: {}", answer.status());
    }
    let addresses = [
        "admin@example.com",
        "ADMIN@example.com",
        "Admin@EXAMPLE.com",
        " admin@example.com",
        "admin@example.com.",
        "\u{ff41}dmin@example.com",
        "admin@\u{ff45}xample.com",
        "admin@example\u{3002}com",
        "ad\u{200b}min@example.com",
        "admin@exam\u{ad}ple.com",
        "\"admin\"@example.com",
        "admin@example.com@evil.test",
        "admin@example.com\u{0}",
        "admin@example.com>",
        "admin@example.com,x@evil.test",
        "<admin@example.com>",
        "admin(x)@example.com",
        "admin@[127.0.0.1]",
        "admin@example.com\r\nBcc: x@evil.test",
    ];
    for address in addresses {
        let answer =
            post(&world.gateway, &client, "/auth/register", &json!({"email": address, "password": PASSWORD})).await;
        assert!(matches!(answer.status().as_u16(), 409 | 422), "{address:?}: {}", answer.status());
    }
    assert_eq!(run(&world.gateway, &["user", "list", "--json"]).ok().matches("admin@example.com").count(), 1);
}

/// Returns an answer as the one who asked sees it, but for what differs in every answer.
async fn visible(answer: Response) -> (u16, Vec<String>, String) {
    let status = answer.status().as_u16();
    let fields = answer.headers().iter().filter(|(name, _)| *name != "date");
    let fields = fields.map(|(name, value)| format!("{name}: {value:?}")).collect();
    (status, fields, answer.text().await.unwrap())
}

/// Returns how many passwords the gateway has hashed.
async fn hashes(world: &World) -> u64 {
    let text = h1().get(world.gateway.ops_url("/metrics")).send().await.unwrap().text().await.unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("vestibule_hashes_total "));
    line.expect("the hashes are counted").parse().unwrap()
}

#[tokio::test]
async fn a_stranger_learns_of_nobody_neither_from_an_answer_nor_from_the_work_it_takes() {
    let world = World::start().await;
    let client = h1();
    for name in ["known", "disabled", "gone"] {
        world.person(&format!("{name}@example.com")).await;
    }
    run(&world.gateway, &["user", "disable", "disabled@example.com"]).ok();
    run(&world.gateway, &["user", "delete", "gone@example.com", "--yes"]).ok();
    let long = format!("{}@example.com", "x".repeat(60));
    let mut answers = BTreeSet::new();
    for email in ["known@example.com", "disabled@example.com", "gone@example.com", "unknown@example.com", &long] {
        let before = hashes(&world).await;
        let body = json!({"email": email, "password": "a wrong password"});
        answers.insert(visible(post(&world.gateway, &client, "/auth/login", &body).await).await);
        assert_eq!(hashes(&world).await - before, 1, "{email}");
    }
    assert_eq!(answers.len(), 1, "{answers:#?}");
}

#[tokio::test]
async fn a_refresh_looks_again_at_all_that_a_sign_in_looks_at() {
    let world = World::start().await;
    let person = world.person_with("ed@example.com", "editor").await;
    run(&world.gateway, &["user", "set", "ed@example.com", "--role", "reader"]).ok();
    let gateway = &world.gateway;
    let refresh =
        |token: String| async move { post(gateway, &h1(), "/auth/refresh", &json!({"refresh_token": token})).await };
    let next: Value = refresh(person.refresh).await.json().await.unwrap();
    assert_eq!(claims(next["access_token"].as_str().unwrap())["roles"], json!(["reader"]));
    assert_eq!(claims(next["access_token"].as_str().unwrap())["scope"], "");
    run(&world.gateway, &["user", "disable", "ed@example.com"]).ok();
    assert_eq!(refresh(next["refresh_token"].as_str().unwrap().to_owned()).await.status(), 401);
}

#[tokio::test]
async fn racing_refreshes_get_one_successor_and_without_grace_one_of_them_at_most() {
    for (grace, is_strict) in [("10s", false), ("0s", true)] {
        let world = World::with(&format!("[auth]\nrefresh_grace = \"{grace}\"")).await;
        let person = world.person("ada@example.com").await;
        let clients: Vec<Client> = (0..16).map(|place| BOTH[place % 2].client()).collect();
        let body = json!({"refresh_token": person.refresh});
        let answers = join_all(clients.iter().map(|client| post(&world.gateway, client, "/auth/refresh", &body))).await;
        let mut successors = BTreeSet::new();
        let mut granted = 0;
        for answer in answers {
            match answer.status().as_u16() {
                200 => {
                    granted += 1;
                    let grant: Value = answer.json().await.unwrap();
                    let token = grant["refresh_token"].as_str().unwrap();
                    successors.insert(claims(token)["jti"].as_str().unwrap().to_owned());
                }
                other => assert_eq!(other, 401),
            }
        }
        assert_eq!(successors.len(), 1, "{grace}");
        assert_eq!(granted, if is_strict { 1 } else { 16 }, "{grace}");
        let status = person.get(&world.gateway, &h1(), "/private").await.status().as_u16();
        // Without grace the fifteen others are an alarm.
        assert_eq!(status, if is_strict { 401 } else { 200 }, "{grace}");
    }
}

#[tokio::test]
async fn no_refresh_that_races_with_an_end_leaves_a_token_that_lives() {
    let world = World::start().await;
    for round in 0..10 {
        let person = world.person(&format!("user{round}@example.com")).await;
        let clients: Vec<Client> = (0..8).map(|place| BOTH[place % 2].client()).collect();
        let body = json!({"refresh_token": person.refresh});
        let refreshes = join_all(clients.iter().map(|client| post(&world.gateway, client, "/auth/refresh", &body)));
        let ending = h1();
        let (answers, ()) = tokio::join!(refreshes, person.log_out(&world.gateway, &ending));
        for answer in answers {
            if answer.status() != 200 {
                continue;
            }
            let late = Person::from_grant(&person.email, &answer.json().await.unwrap());
            assert_eq!(late.get(&world.gateway, &ending, "/private").await.status(), 401, "round {round}");
            let body = json!({"refresh_token": late.refresh});
            assert_eq!(post(&world.gateway, &ending, "/auth/refresh", &body).await.status(), 401, "round {round}");
        }
    }
}

#[tokio::test]
async fn a_session_that_ended_by_command_takes_its_whole_family_along() {
    let world = World::start().await;
    let person = world.person("ada@example.com").await;
    let body = json!({"refresh_token": person.refresh});
    let next: Value = post(&world.gateway, &h1(), "/auth/refresh", &body).await.json().await.unwrap();
    run(&world.gateway, &["session", "revoke", &person.session()]).ok();
    let next = Person::from_grant(&person.email, &next);
    eventually_within(WITHIN_A_SECOND, "both tokens are dead", || async {
        let client = h1();
        let first = person.get(&world.gateway, &client, "/private").await.status();
        let second = next.get(&world.gateway, &client, "/private").await.status();
        first == 401 && second == 401
    })
    .await;
}
