//! `token` and `key`.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::harness::clients::h1;
use crate::harness::command::{add_user, run, run_in};
use crate::harness::people::{claims, part};
use crate::harness::{PASSWORD, Person, eventually_within, serve};

#[tokio::test]
async fn an_issued_token_works_at_the_running_gateway() {
    let (gateway, _upstream) = serve("").await;
    add_user(&gateway, "ada@example.com", PASSWORD, &["--role", "admin"]);
    let token = run(&gateway, &["token", "issue", "ada@example.com", "--ttl", "10m"]).ok().trim().to_owned();
    let life = claims(&token)["exp"].as_u64().unwrap() - claims(&token)["iat"].as_u64().unwrap();
    assert_eq!(life, 600);
    let answer = h1().get(gateway.url("/admin")).bearer_auth(&token).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let longer = run(&gateway, &["token", "issue", "ada@example.com", "--ttl", "1h"]);
    assert_eq!((longer.code, longer.stdout.as_str()), (64, ""), "longer than auth.access_ttl");
    let grant = run(&gateway, &["token", "issue", "ada@example.com", "--json"]).json();
    let person = Person::from_grant("ada@example.com", &grant);
    let body = json!({"refresh_token": person.refresh});
    let answer = crate::harness::people::post(&gateway, &h1(), "/auth/refresh", &body).await;
    assert_eq!(answer.status(), StatusCode::OK);
}

#[tokio::test]
async fn inspect_tells_good_tokens_from_bad_ones_and_why() {
    let (gateway, _upstream) = serve("").await;
    let client = h1();
    let person = Person::register(&gateway, &client, "ada@example.com").await;
    let inspect = |token: &str| run_in(gateway.folder.path(), &["token", "inspect", "-"], token);
    let good = inspect(&person.access);
    assert_eq!(good.code, 0, "{}", good.stdout);
    assert!(good.stdout.contains(&person.id) && good.stdout.contains("good"), "{}", good.stdout);
    let by_argument: Value = run(&gateway, &["token", "inspect", "--json", &person.access]).json();
    assert!(by_argument.to_string().contains(&person.id), "{by_argument}");

    let (head, _) = person.access.rsplit_once('.').unwrap();
    assert_eq!(inspect(&format!("{head}.AAAA")).code, 1);
    assert_eq!(inspect("nonsense").code, 1);
    person.log_out(&gateway, &client).await;
    let ended = inspect(&person.access);
    assert_eq!(ended.code, 1);
    assert!(ended.stdout.contains("session has ended"), "{}", ended.stdout);
}

#[tokio::test]
async fn keys_are_listed_without_their_secret_and_rotate_leaves_one_that_signs() {
    let (gateway, _upstream) = serve("").await;
    let person = Person::register(&gateway, &h1(), "ada@example.com").await;
    let list = || -> Vec<Value> {
        let text = run(&gateway, &["key", "list", "--json"]).ok();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let before = list();
    assert_eq!(before.len(), 1);
    assert_eq!(before[0]["kid"], part(&person.access, 0)["kid"]);
    run(&gateway, &["key", "rotate"]).ok();
    let after = list();
    assert_eq!(after.len(), 2);
    assert_eq!(after.iter().filter(|key| key["retired_at"].is_null()).count(), 1);
    for key in &after {
        let names: Vec<&String> = key.as_object().unwrap().keys().collect();
        assert_eq!(names, ["algorithm", "created_at", "encrypted", "kid", "retired_at", "signs_from"]);
    }
}

#[tokio::test]
async fn a_key_made_elsewhere_signs_once_it_is_imported_and_comes_in_once() {
    let (gateway, _upstream) = serve("").await;
    let client = h1();
    let person = Person::register(&gateway, &client, "ada@example.com").await;
    let pem = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap().serialize_pem();
    let import = |pem: &str| run_in(gateway.folder.path(), &["key", "import", "-"], pem);
    let told = import(&pem).ok();
    let kid = told.split_whitespace().next().unwrap();
    eventually_within(Duration::from_secs(30), "a new session has its token", async || {
        let session = Person::log_in(&gateway, &client, "ada@example.com").await;
        part(&session.access, 0)["kid"] == kid
    })
    .await;
    let answer = person.get(&gateway, &client, "/auth/me").await;
    assert_eq!(answer.status(), StatusCode::OK, "tokens of the old key stay good");
    let again = import(&pem);
    assert!(again.code == 1 && again.stderr.contains("is here already"), "{}", again.stderr);
    let other = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap().serialize_pem();
    for wrong in [other.as_str(), "no key", &pem.replace("PRIVATE", "PUBLIC")] {
        let refused = import(wrong);
        assert!(refused.code != 0 && refused.stderr.contains("PKCS#8"), "{}", refused.stderr);
    }
}
