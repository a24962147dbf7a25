//! SIGHUP: a new file without a dropped connection, and a bad one without effect.

use std::fs::File;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::Command;

use reqwest::StatusCode;

use crate::harness::clients::{BOTH, Protocol, h1};
use crate::harness::{Gateway, Person, Raw, Upstream, eventually, eventually_within, serve, soon, usual};

fn one_route(path: &str, upstream: &Upstream) -> String {
    format!("[[route]]\npath = \"{path}\"\naccess = \"public\"\nupstream = \"{}\"", upstream.url())
}

#[tokio::test]
async fn new_routes_count_from_the_next_request_on_the_same_connection() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&one_route("/old", &upstream)).await;
    let clients = BOTH.map(Protocol::client);
    let mut raw = Raw::tls(&gateway).await;
    for client in &clients {
        assert_eq!(client.get(gateway.url("/old")).send().await.unwrap().status(), StatusCode::OK);
    }
    assert_eq!(raw.ask("GET /new HTTP/1.1\nHost: gateway.test\n\n").await.status, 404);
    gateway.configure(&one_route("/new", &upstream));
    let verdict = gateway.reload().await;
    assert!(verdict.contains("configuration reloaded"), "{verdict}");
    assert_eq!(raw.ask("GET /new HTTP/1.1\nHost: gateway.test\n\n").await.status, 200);
    for client in &clients {
        assert_eq!(client.get(gateway.url("/new")).send().await.unwrap().status(), StatusCode::OK);
        assert_eq!(client.get(gateway.url("/old")).send().await.unwrap().status(), StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn a_bad_file_is_refused_with_its_mistakes_and_the_old_one_keeps_serving() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&one_route("/old", &upstream)).await;
    gateway.configure("[server]\nlisen = [\"127.0.0.1:1\"]\n[[route]]\npath = \"no slash\"\nupstream = \"nowhere\"");
    let verdict = gateway.reload().await;
    assert!(verdict.contains("refused"), "{verdict}");
    for mistake in ["lisen", "nowhere"] {
        assert!(verdict.contains(mistake), "`{mistake}` is not said: {verdict}");
    }
    std::fs::write(gateway.config_file(), "not = [toml").unwrap();
    assert!(gateway.reload().await.contains("refused"));
    std::fs::remove_file(gateway.config_file()).unwrap();
    assert!(gateway.reload().await.contains("refused"));
    let url = format!("https://gateway.test:{}/old", gateway.address().port());
    assert_eq!(h1().get(url).send().await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn sessions_and_streams_live_through_a_reload() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&usual(&upstream)).await;
    let client = h1();
    let person = Person::register(&gateway, &client, "ada@example.com").await;
    let mut socket =
        crate::harness::websocket::Socket::open(&gateway, "/private/ws", Some(&person.access)).await.unwrap();
    gateway.configure(&usual(&upstream));
    gateway.reload().await;
    assert_eq!(socket.echo("still here").await, "still here");
    assert_eq!(person.get(&gateway, &client, "/private").await.status(), StatusCode::OK);
    person.log_out(&gateway, &client).await;
    let ended = tokio::time::timeout(crate::harness::WITHIN_A_SECOND, socket.ended()).await;
    assert!(ended.is_ok(), "a stream from before the reload outlived its session");
}

#[tokio::test]
async fn a_watched_file_is_reloaded_when_it_changes() {
    let upstream = Upstream::start().await;
    let watched = |path: &str| format!("[server]\nwatch = true\n{}", one_route(path, &upstream));
    let gateway = Gateway::start(&watched("/old")).await;
    gateway.configure(&watched("/new-and-longer"));
    let client = h1();
    eventually_within(crate::harness::PATIENCE, "the new route is there", || async {
        client.get(gateway.url("/new-and-longer")).send().await.unwrap().status() == StatusCode::OK
    })
    .await;
}

#[tokio::test]
async fn a_hangup_at_any_moment_of_the_start_reloads_and_never_ends_the_process() {
    for _ in 0..5 {
        let upstream = Upstream::start().await;
        let mut gateway = Gateway::start(&one_route("/", &upstream)).await;
        // At once: whoever sees the announcement may reload.
        gateway.signal("HUP");
        gateway.stderr().line("the verdict", |line| line.contains("configuration reloaded")).await;
        assert!(gateway.is_running());
    }
}

/// Puts a pipe in the place of a file; whoever reads it waits for what nobody says.
fn pipe(path: &Path) {
    let _old = std::fs::remove_file(path);
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

/// Returns once somebody reads the pipe, with the end that keeps them waiting.
async fn read_by_somebody(path: &Path) -> File {
    // Without this flag it would be opening that waits, and nothing could end it.
    let open = || File::options().write(true).custom_flags(libc::O_NONBLOCK).open(path);
    let mut end = None;
    eventually("a reader", || {
        end = open().ok();
        end.is_some()
    })
    .await;
    end.unwrap()
}

#[tokio::test]
async fn files_that_hang_hold_up_neither_sign_ins_nor_the_end() {
    let (mut gateway, upstream) = serve("").await;
    let (secret, key) = (gateway.folder.path().join("secret"), gateway.certificate_files().key.clone());
    pipe(&secret);
    pipe(&key);
    gateway.configure(&format!("[auth]\nkey_encryption_secret = \"file:{}\"\n{}", secret.display(), usual(&upstream)));
    gateway.signal("HUP");
    let held = [read_by_somebody(&secret).await, read_by_somebody(&key).await];
    Person::register(&gateway, &h1(), "ada@example.com").await;
    gateway.signal("TERM");
    assert_eq!(soon("the end", gateway.ended()).await.code(), Some(0));
    drop(held);
}
