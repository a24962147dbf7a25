//! A disk that is full, a file that others hold, one that can't be read: requests that need no store go on, the others are
//! told to come again, nothing is half written, and all is well when the fault is over.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::process::Command;
use std::time::{Duration, Instant};

use reqwest::{Client, Response, StatusCode};
use rusqlite::Connection;
use serde_json::json;

use super::file;
use crate::harness::clients::h1;
use crate::harness::people::{post, problem_code};
use crate::harness::{Gateway, PASSWORD, PATIENCE, Person, eventually_within, serve, soon};

async fn register(gateway: &Gateway, client: &Client, email: &str) -> Response {
    post(gateway, client, "/auth/register", &json!({"email": email, "password": PASSWORD})).await
}

async fn is_ready(gateway: &Gateway, client: &Client) -> bool {
    client.get(gateway.ops_url("/readyz")).send().await.unwrap().status() == StatusCode::OK
}

/// Fails unless the answer asks to come again soon.
async fn assert_unavailable(answer: Response) {
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.headers()["retry-after"].to_str().unwrap().parse::<u32>().is_ok());
    assert_eq!(problem_code(answer).await, "store_unavailable");
}

/// Fails unless a new account can be made again, and what was refused has left nothing behind.
async fn assert_recovered(gateway: &Gateway, client: &Client, refused: &str) {
    eventually_within(PATIENCE, "writes are taken again", || async {
        register(gateway, client, refused).await.status() == StatusCode::CREATED
    })
    .await;
    eventually_within(PATIENCE, "readiness", || is_ready(gateway, client)).await;
    assert!(!gateway.stderr().text().contains("panicked"), "{}", gateway.stderr().text());
}

#[tokio::test]
async fn while_another_process_holds_the_file_tokens_are_good_and_writes_are_503_in_time() {
    let (gateway, _upstream) = serve("").await;
    let client = h1();
    let person = Person::register(&gateway, &client, "ada@example.com").await;
    let holder = Connection::open(file(&gateway)).unwrap();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    let began = Instant::now();
    let refused = async {
        for round in 0..2 {
            let emails: Vec<String> = (0..8).map(|number| format!("n{round}{number}@example.com")).collect();
            let all = emails.iter().map(|email| register(&gateway, &client, email));
            for answer in futures_util::future::join_all(all).await {
                assert_unavailable(answer).await;
            }
        }
        began.elapsed()
    };
    let mut served = 0_u32;
    let serving = async {
        loop {
            assert_eq!(person.get(&gateway, &client, "/private").await.status(), StatusCode::OK);
            served += 1;
        }
    };
    let took = tokio::select! {
        took = soon("refusals", refused) => took,
        () = serving => unreachable!("it never ends"),
    };
    assert!(took < Duration::from_secs(15), "two rounds took {took:?}");
    assert!(served > 20, "{served} requests were served meanwhile");
    assert!(!is_ready(&gateway, &client).await);
    holder.execute_batch("ROLLBACK").unwrap();
    assert_recovered(&gateway, &client, "n00@example.com").await;
}

/// Lets no file of the process grow beyond `bytes`, as a full disk would; `unlimited` takes that back.
fn limit_files(gateway: &Gateway, bytes: &str) {
    let arguments = ["--pid", &gateway.id().to_string(), &format!("--fsize={bytes}:unlimited")];
    assert!(Command::new("prlimit").args(arguments).status().unwrap().success());
}

#[tokio::test]
async fn on_a_full_disk_nothing_is_acknowledged_and_nobody_who_is_signed_in_notices() {
    let (gateway, _upstream) = serve("").await;
    let client = h1();
    let person = Person::register(&gateway, &client, "ada@example.com").await;
    limit_files(&gateway, "4096");
    for number in 0..5 {
        assert_unavailable(register(&gateway, &client, &format!("n{number}@example.com")).await).await;
        assert_eq!(person.get(&gateway, &client, "/private").await.status(), StatusCode::OK);
        let me = person.get(&gateway, &client, "/auth/me").await;
        assert_eq!(me.status(), StatusCode::OK, "reading needs no space");
    }
    let logout = person.request(&gateway, &client, reqwest::Method::POST, "/auth/logout").send().await.unwrap();
    assert_unavailable(logout).await;
    assert_eq!(person.get(&gateway, &client, "/private").await.status(), StatusCode::OK, "it was not acknowledged");
    limit_files(&gateway, "unlimited");
    assert_recovered(&gateway, &client, "n0@example.com").await;
    person.log_out(&gateway, &client).await;
    assert_eq!(person.get(&gateway, &client, "/private").await.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_file_that_is_damaged_while_it_is_served_from_costs_its_requests_and_not_the_process() {
    let (mut gateway, _upstream) = serve("").await;
    let client = h1();
    let person = Person::register(&gateway, &client, "ada@example.com").await;
    // Everything into the file itself, where it can be spoilt.
    let by_hand = Connection::open(file(&gateway)).unwrap();
    by_hand.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    drop(by_hand);
    let spoilt = OpenOptions::new().write(true).open(file(&gateway)).unwrap();
    let length = usize::try_from(spoilt.metadata().unwrap().len()).unwrap();
    spoilt.write_all_at(&vec![0xaa; length - 4096], 4096).unwrap();
    for number in 0..5 {
        let answer = register(&gateway, &client, &format!("n{number}@example.com")).await;
        assert!(answer.status().is_server_error(), "{}", answer.status());
        assert_eq!(person.get(&gateway, &client, "/private").await.status(), StatusCode::OK);
    }
    assert!(gateway.is_running());
    assert!(!is_ready(&gateway, &client).await);
    assert!(!gateway.stderr().text().contains("panicked"), "{}", gateway.stderr().text());
}

#[tokio::test]
async fn a_file_that_is_no_store_is_69_with_its_name_and_the_reason() {
    let (mut gateway, _upstream) = serve("").await;
    gateway.signal("TERM");
    gateway.ended().await;
    let whole = fs::read(file(&gateway)).unwrap();
    let mut spoilt = whole.clone();
    spoilt[4096..].fill(0xaa);
    let not_a_database = b"just some text that somebody left here, longer than a header of a database is ".repeat(9);
    let newer = {
        let copy = gateway.folder.path().join("newer.db");
        fs::write(&copy, &whole).unwrap();
        Connection::open(&copy).unwrap().pragma_update(None, "user_version", 99).unwrap();
        fs::read(copy).unwrap()
    };
    for (content, said) in [
        (&not_a_database, "not a database"),
        (&spoilt, "malformed"),
        (&newer, "version 99"),
        (&whole[..5000].to_vec(), "malformed"),
    ] {
        fs::write(file(&gateway), content).unwrap();
        let done = crate::harness::command::run_in(gateway.folder.path(), &["serve"], "");
        assert_eq!(done.code, 69, "{said}: {}", done.stderr);
        assert!(done.stderr.contains("vestibule.db") && done.stderr.contains(said), "{said}: {}", done.stderr);
        assert!(!done.stderr.contains("panicked"), "{}", done.stderr);
        for suffix in ["-wal", "-shm"] {
            let _ = fs::remove_file(format!("{}{suffix}", file(&gateway).display()));
        }
    }
    fs::write(file(&gateway), &whole).unwrap();
    gateway.restart().await;
    assert!(is_ready(&gateway, &h1()).await);
}

#[tokio::test]
async fn a_file_or_folder_that_can_not_be_written_is_69_with_the_reason() {
    let (mut gateway, _upstream) = serve("").await;
    gateway.signal("TERM");
    gateway.ended().await;
    // The superuser may write everywhere, so somebody else has to try.
    let shared = gateway.folder.path();
    let binary = shared.join("vestibule");
    fs::copy(env!("CARGO_BIN_EXE_vestibule"), &binary).unwrap();
    let modes = |file_mode: &str, folder_mode: &str| {
        for (mode, path) in [(file_mode, file(&gateway)), (folder_mode, shared.to_path_buf())] {
            assert!(Command::new("chmod").arg(mode).arg(path).status().unwrap().success());
        }
    };
    let try_to_serve = || {
        let is_root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
        let mut command = if is_root { Command::new("setpriv") } else { Command::new("env") };
        if is_root {
            command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
        }
        command.arg(&binary).arg("serve").current_dir(shared).output().unwrap()
    };
    for path in ["vestibule.toml", "gateway.pem", "gateway.key"] {
        let _ = Command::new("chmod").arg("a+r").arg(shared.join(path)).status();
    }
    for (file_mode, folder_mode) in [("444", "777"), ("666", "555"), ("000", "777")] {
        modes(file_mode, folder_mode);
        let done = try_to_serve();
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        modes("600", "700");
        assert_eq!(done.status.code(), Some(69), "{file_mode} {folder_mode}: {said}");
        assert!(said.contains("vestibule.db") && !said.contains("panicked"), "{said}");
    }
    gateway.restart().await;
}
