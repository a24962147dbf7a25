//! Signing keys: known everywhere before they sign, good until their last token is dead, encrypted when there is a secret.

use std::time::{Duration, Instant};

use reqwest::{Client, StatusCode};
use serde_json::Value;

use super::{file, same_store};
use crate::harness::clients::h1;
use crate::harness::command::{run, run_in};
use crate::harness::people::part;
use crate::harness::{Gateway, PATIENCE, Person, Upstream, eventually_within, serve, usual};

const SECRET: &str = "[auth]\nkey_encryption_secret = \"a secret of at least thirty-two bytes\"\n";

/// Returns the ids of the published keys.
async fn published(gateway: &Gateway, client: &Client) -> Vec<String> {
    let set: Value = client.get(gateway.url("/auth/.well-known/jwks.json")).send().await.unwrap().json().await.unwrap();
    set["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

fn kid(person: &Person) -> String {
    part(&person.access, 0)["kid"].as_str().unwrap().to_owned()
}

fn listed(gateway: &Gateway) -> Vec<Value> {
    let text = run(gateway, &["key", "list", "--json"]).ok();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Returns a second gateway on the store of the first, before an app of its own.
async fn beside(gateway: &Gateway, more: &str) -> (Gateway, Upstream) {
    let upstream = Upstream::start().await;
    let beside = Gateway::start(&format!("{}{more}\n{}", same_store(gateway), usual(&upstream))).await;
    (beside, upstream)
}

#[tokio::test]
async fn gateways_that_start_at_once_on_an_empty_store_have_one_key_set() {
    for _ in 0..3 {
        let upstream = Upstream::start().await;
        let folder = tempfile::tempdir().unwrap();
        let url = format!("[store]\nurl = \"sqlite:{}/one.db\"\n{}", folder.path().display(), usual(&upstream));
        let (one, two, three) = tokio::join!(Gateway::start(&url), Gateway::start(&url), Gateway::start(&url));
        let client = h1();
        let keys = published(&one, &client).await;
        assert_eq!(keys.len(), 1);
        let person = Person::register(&one, &client, "ada@example.com").await;
        for other in [&two, &three] {
            assert_eq!(published(other, &client).await, keys);
            assert_eq!(person.get(other, &client, "/private").await.status(), StatusCode::OK);
        }
    }
}

#[tokio::test]
async fn a_key_is_published_everywhere_before_it_signs_anything() {
    let (one, _upstream) = serve("").await;
    let (two, _other_upstream) = beside(&one, "").await;
    let client = h1();
    let old = kid(&Person::register(&one, &client, "ada@example.com").await);
    run(&one, &["key", "rotate", "--ahead", "3s"]).ok();
    let deadline = Instant::now() + PATIENCE;
    let mut published_first = false;
    loop {
        let known = [published(&one, &client).await, published(&two, &client).await];
        let person = Person::log_in(&one, &client, "ada@example.com").await;
        let answer = person.get(&two, &client, "/private").await.status();
        assert_eq!(answer, StatusCode::OK, "the other gateway does not know the key {}", kid(&person));
        if kid(&person) != old {
            assert!(
                known.iter().all(|keys| keys.contains(&kid(&person))),
                "{} was not published: {known:?}",
                kid(&person)
            );
            break;
        }
        published_first |= known.iter().all(|keys| keys.len() == 2);
        assert!(Instant::now() < deadline, "the new key never signs");
    }
    assert!(published_first, "it was never only published");
}

#[tokio::test]
async fn by_schedule_one_key_at_a_time_comes_and_old_tokens_stay_good() {
    let schedule = "[auth]\nrotate = \"3s\"\nrotate_ahead = \"1s\"\n";
    let (one, _upstream) = serve(schedule).await;
    let (two, _other_upstream) = beside(&one, schedule).await;
    let client = h1();
    let mut people = vec![Person::register(&one, &client, "ada@example.com").await];
    while people.len() < 3 {
        let last = kid(people.last().unwrap());
        eventually_within(PATIENCE, "a token of another key", || async {
            kid(&Person::log_in(&two, &client, "ada@example.com").await) != last
        })
        .await;
        people.push(Person::log_in(&two, &client, "ada@example.com").await);
    }
    for person in &people {
        for gateway in [&one, &two] {
            // A second ahead is little where a gateway waits long for its turn at the machine.
            eventually_within(PATIENCE, "a token of a key that has had its turn to be good", || async {
                person.get(gateway, &client, "/private").await.status() == StatusCode::OK
            })
            .await;
        }
    }
    let turns: Vec<time::OffsetDateTime> = listed(&one).iter().rev().map(|key| turn(&key["signs_from"])).collect();
    assert!(turns.len() >= 3);
    for pair in turns.windows(2) {
        assert!(pair[1] - pair[0] >= Duration::from_millis(2900), "two gateways made one each: {turns:?}");
    }
    let rotated = |value: &Value| value["event"] == "key.rotated" && value["reason"] == "schedule";
    let audited = [&one, &two].iter().flat_map(|gateway| gateway.stdout().objects()).filter(rotated).count();
    assert!(audited >= 2, "{audited} rotations are audited");
}

fn turn(text: &Value) -> time::OffsetDateTime {
    time::OffsetDateTime::parse(text.as_str().unwrap(), &time::format_description::well_known::Rfc3339).unwrap()
}

#[tokio::test]
async fn a_start_at_which_no_key_changed_does_not_say_so() {
    let (mut gateway, _upstream) = serve("").await;
    run(&gateway, &["key", "rotate"]).ok();
    let said = |gateway: &Gateway| gateway.stderr().text().matches("signing keys changed").count();
    crate::harness::eventually("that the key is there, and that it signs", || said(&gateway) == 2).await;
    gateway.signal("TERM");
    gateway.ended().await;
    gateway.restart().await;
    // The feed of the first start is read by then.
    let client = h1();
    Person::register(&gateway, &client, "ada@example.com").await;
    eventually_within(PATIENCE, "an end is heard of", || async {
        let person = Person::log_in(&gateway, &client, "ada@example.com").await;
        run(&gateway, &["session", "revoke", &person.session()]).ok();
        person.get(&gateway, &client, "/private").await.status() == StatusCode::UNAUTHORIZED
    })
    .await;
    assert_eq!(said(&gateway), 0, "{}", gateway.stderr().text());
}

#[tokio::test]
async fn a_secret_that_comes_later_seals_the_keys_and_every_token_stays_good() {
    let (mut gateway, upstream) = serve("").await;
    let client = h1();
    let person = Person::register(&gateway, &client, "ada@example.com").await;
    run(&gateway, &["key", "rotate"]).ok();
    assert!(listed(&gateway).iter().all(|key| key["encrypted"] == false));
    gateway.signal("TERM");
    gateway.ended().await;
    gateway.configure(&format!("{SECRET}{}", usual(&upstream)));
    gateway.restart().await;
    let client = h1();
    assert_eq!(person.get(&gateway, &client, "/private").await.status(), StatusCode::OK);
    assert!(listed(&gateway).iter().all(|key| key["encrypted"] == true));
    let connection = rusqlite::Connection::open(file(&gateway)).unwrap();
    // PKCS#8 of Ed25519 begins with these bytes (RFC 8410 section 7), sealed or not it would be found by them.
    let plain = "SELECT count(*) FROM keys WHERE instr(private, x'300506032b6570')";
    let found: i64 = connection.query_row(plain, [], |row| row.get(0)).unwrap();
    assert_eq!(found, 0);
}

#[tokio::test]
async fn a_wrong_or_missing_secret_is_78_and_changes_nothing() {
    let (mut gateway, upstream) = serve(SECRET).await;
    let person = Person::register(&gateway, &h1(), "ada@example.com").await;
    gateway.signal("TERM");
    gateway.ended().await;
    for wrong in ["", "[auth]\nkey_encryption_secret = \"another secret of thirty-two bytes\"\n"] {
        gateway.configure(&format!("{wrong}{}", usual(&upstream)));
        for command in [&["serve"][..], &["check", "--deep"], &["token", "issue", "ada@example.com"]] {
            let done = run_in(gateway.folder.path(), command, "");
            assert_eq!(done.code, 78, "{command:?}: {}", done.stderr);
            assert!(done.stderr.contains("auth.key_encryption_secret"), "{}", done.stderr);
            assert!(!done.stderr.contains("panicked"), "{}", done.stderr);
        }
    }
    gateway.configure(&format!("{SECRET}{}", usual(&upstream)));
    gateway.restart().await;
    assert_eq!(person.get(&gateway, &h1(), "/private").await.status(), StatusCode::OK);
    assert_eq!(listed(&gateway).len(), 1);
}

#[tokio::test]
async fn another_algorithm_takes_over_without_a_refused_token() {
    let (mut one, upstream) = serve("").await;
    let (two, _other_upstream) = beside(&one, "").await;
    let client = h1();
    let person = Person::register(&one, &client, "ada@example.com").await;
    one.signal("TERM");
    one.ended().await;
    one.configure(&format!("[auth]\nalgorithm = \"ES256\"\n{}", usual(&upstream)));
    one.restart().await;
    let client = h1();
    eventually_within(PATIENCE, "a token of the new algorithm", || async {
        let person = Person::log_in(&one, &client, "ada@example.com").await;
        assert_eq!(person.get(&two, &client, "/private").await.status(), StatusCode::OK, "{}", kid(&person));
        part(&person.access, 0)["alg"] == "ES256"
    })
    .await;
    assert_eq!(person.get(&one, &client, "/private").await.status(), StatusCode::OK);
}
