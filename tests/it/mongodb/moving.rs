//! From a file to MongoDB and back: nobody has to sign in again, and nothing is lost or added on the way.

use std::path::Path;

use reqwest::StatusCode;

use super::store;
use crate::harness::clients::h1;
use crate::harness::command::{Background, Done, run, run_in};
use crate::harness::fault_proxy::{Does, FaultProxy, Trick};
use crate::harness::mongodb::{self, Deployment};
use crate::harness::{Gateway, Person, serve, usual};
use crate::store::file;
use crate::store::migrate::{contents, fill, stopped};

/// More than one page and one batch.
const MANY: u64 = 1500;

fn migrate(folder: &Path, from: &str, to: &str) -> Done {
    run_in(folder, &["store", "migrate", "--from", from, "--to", to], "")
}

/// Returns the digest that a run has printed.
fn digest(said: &str) -> String {
    said.split("sha256 ").nth(1).unwrap().split(')').next().unwrap().to_owned()
}

fn database() -> Option<String> {
    Some(mongodb::shared()?.url(&Deployment::new_database()))
}

#[tokio::test]
async fn people_who_moved_stay_signed_in_and_who_had_left_stays_out() {
    let Some(url) = database() else { return };
    let (gateway, upstream) = serve("").await;
    let client = h1();
    let ada = Person::register(&gateway, &client, "ada@example.com").await;
    let gone = Person::log_in(&gateway, &client, "ada@example.com").await;
    gone.log_out(&gateway, &client).await;
    let mut gateway = stopped(gateway).await;
    let folder = gateway.folder.path().to_owned();
    let there = migrate(&folder, "sqlite:vestibule.db", &url).ok();
    let back = migrate(&folder, &url, "sqlite:back.db").ok();
    assert_eq!(digest(&back), digest(&there));
    assert_eq!(contents(&folder.join("back.db")), contents(&file(&gateway)));

    gateway.configure(&format!("{}{}", store(&url), usual(&upstream)));
    gateway.restart().await;
    let client = h1();
    assert_eq!(ada.get(&gateway, &client, "/private").await.status(), StatusCode::OK);
    assert_eq!(gone.get(&gateway, &client, "/private").await.status(), StatusCode::UNAUTHORIZED, "it had ended");
    Person::log_in(&gateway, &client, "ada@example.com").await;
}

#[tokio::test]
async fn a_move_to_mongodb_that_was_killed_is_continued() {
    let Some(url) = database() else { return };
    let gateway = stopped(serve("").await.0).await;
    let folder = gateway.folder.path();
    fill(&file(&gateway), MANY);
    let arguments = ["store", "migrate", "--from", "sqlite:vestibule.db", "--to", &url];
    let mut first = Background::start(folder, &arguments);
    first.stderr.line("a word of sessions", |line| line.starts_with("copying sessions: ")).await;
    first.end("KILL").await;
    let said = migrate(folder, "sqlite:vestibule.db", &url).ok();
    assert!(said.contains(&format!("users         {MANY}\nsessions      {MANY}\n")), "{said}");
    let again = migrate(folder, "sqlite:vestibule.db", &url).ok();
    assert!(again.contains("; 0 records were copied"), "{again}");
    assert_eq!(digest(&again), digest(&said));
}

// The proxy has to run while the command is waited for.
#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_that_the_server_forgets_makes_a_move_late_and_nothing_else() {
    let Some(deployment) = mongodb::stand_in() else { return };
    let url = deployment.url(&Deployment::new_database());
    let gateway = stopped(serve("").await.0).await;
    let folder = gateway.folder.path();
    fill(&file(&gateway), MANY);
    let there = migrate(folder, "sqlite:vestibule.db", &url).ok();
    let proxy = FaultProxy::before(&deployment.address()).await;
    let name = url.rsplit('/').next().unwrap().split('?').next().unwrap();
    // Some of them strike the change stream.
    proxy.play(Trick { commands: &["getMore"], times: 12, does: Does::Refuse(43, "CursorNotFound") });
    let back = migrate(folder, &proxy.url(name), "sqlite:back.db").ok();
    assert_eq!(digest(&back), digest(&there));
    assert_eq!(contents(&folder.join("back.db")), contents(&file(&gateway)));
}

#[tokio::test]
async fn collections_with_a_prefix_are_filled_and_found_by_it() {
    let Some(url) = database() else { return };
    let gateway = stopped(serve("").await.0).await;
    let folder = gateway.folder.path();
    fill(&file(&gateway), 3);
    let there = ["store", "migrate", "--to", &url, "--to-prefix", "front_"];
    let said = run_in(folder, &there, "").ok();
    let without = migrate(folder, &url, "sqlite:back.db");
    assert_eq!(without.code, 1, "{}", without.stderr);
    assert!(without.stderr.contains("holds nothing") && without.stderr.contains("prefix"), "{}", without.stderr);
    let back = ["store", "migrate", "--from", &url, "--from-prefix", "front_", "--to", "sqlite:back.db"];
    assert_eq!(digest(&run_in(folder, &back, "").ok()), digest(&said));
    assert_eq!(contents(&folder.join("back.db")), contents(&file(&gateway)));
}

#[tokio::test]
async fn a_backup_of_mongodb_is_left_to_mongodb() {
    let Some(url) = database() else { return };
    let (_, upstream) = serve("").await;
    let gateway: Gateway = super::gateway(&url, &upstream).await;
    let refused = run(&gateway, &["store", "backup", "copy.db"]);
    assert_eq!(refused.code, 78, "{}", refused.stderr);
    assert!(refused.stderr.contains("mongodump"), "{}", refused.stderr);
    assert!(!refused.stderr.contains(&url) && !gateway.folder.path().join("copy.db").exists());
}
