//! `check` and `healthcheck`: judgements before and beside a running gateway.

use std::fs;

use crate::harness::command::{run, run_in};
use crate::harness::{PASSWORD, serve};
use crate::store::migrate::contents;

#[test]
fn every_mistake_is_told_at_once_with_its_place_and_a_hint() {
    let folder = tempfile::tempdir().unwrap();
    let text = "[server]\nlisten = [\"127.0.0.1:1\"]\ndrian = \"5s\"\n\n[auth]\nalgorithm = \"none\"\n\n\
                [[route]]\npath = \"/a\"\nupstream = \"http://h\"\n[[route]]\npath = \"/a\"\nupstream = \"http://h\"\n";
    fs::write(folder.path().join("vestibule.toml"), text).unwrap();
    let done = run_in(folder.path(), &["check"], "");
    assert_eq!(done.code, 78, "{}", done.stderr);
    for said in ["vestibule.toml:3:1", "drian", "`drain`", "vestibule.toml:6:", "none", "EdDSA", "/a"] {
        assert!(done.stderr.contains(said), "`{said}` is not said:\n{}", done.stderr);
    }
    assert_eq!(done.stdout, "");
}

#[test]
fn what_is_no_toml_and_what_is_no_file_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let done = run_in(folder.path(), &["check", "-c", "nowhere.toml"], "");
    assert_eq!(done.code, 78);
    assert!(done.stderr.contains("nowhere.toml"), "{}", done.stderr);
    fs::write(folder.path().join("broken.toml"), "[server\n").unwrap();
    let done = run_in(folder.path(), &["check", "-c", "broken.toml"], "");
    assert_eq!(done.code, 78);
    assert!(done.stderr.contains("broken.toml:1:"), "{}", done.stderr);
}

#[tokio::test]
async fn a_good_file_is_good_and_deep_looks_at_what_it_names() {
    let (gateway, upstream) = serve("").await;
    assert!(run(&gateway, &["check"]).ok().contains("is good"));
    assert!(run(&gateway, &["check", "--deep"]).ok().contains("is good"));
    drop(upstream);
    fs::write(&gateway.certificate_files().key, "no key").unwrap();
    assert!(run(&gateway, &["check"]).ok().contains("is good"), "the file alone is judged");
    let deep = run(&gateway, &["check", "--deep"]);
    assert_eq!(deep.code, 78);
    for said in ["gateway.key", "upstream.app"] {
        assert!(deep.stderr.contains(said), "`{said}` is not said:\n{}", deep.stderr);
    }
}

#[test]
fn a_judge_changes_nothing_in_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let text = "[[route]]\npath = \"/a\"\nupstream = \"http://127.0.0.1:9\"\n";
    fs::write(folder.path().join("vestibule.toml"), text).unwrap();
    run_in(folder.path(), &["user", "add", "ada@example.com", "--password-stdin"], &format!("{PASSWORD}\n")).ok();
    let contents = || contents(&folder.path().join("vestibule.db"));
    let before = contents();
    let said = run_in(folder.path(), &["check", "--deep"], "").stderr;
    assert!(said.contains("127.0.0.1:9") && !said.contains("vestibule.db"), "{said}");
    assert_eq!(contents(), before);
}

#[test]
fn a_secret_in_the_file_is_not_repeated_by_its_judge() {
    let folder = tempfile::tempdir().unwrap();
    let text = "[auth]\nalgorithm = \"HS256\"\nsecret = \"too-short-to-tell\"\n";
    fs::write(folder.path().join("vestibule.toml"), text).unwrap();
    let done = run_in(folder.path(), &["check"], "");
    assert_eq!(done.code, 78);
    assert!(!done.stderr.contains("too-short-to-tell"), "{}", done.stderr);
    assert!(done.stderr.contains("auth.secret") || done.stderr.contains("`secret`"), "{}", done.stderr);
}

#[tokio::test]
async fn healthcheck_asks_the_ops_listener_that_the_file_names() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (mut gateway, _upstream) = serve(&format!("[server]\nops_listen = \"{free}\"")).await;
    for arguments in [&["healthcheck"][..], &["healthcheck", "--ready"]] {
        assert_eq!(run(&gateway, arguments).code, 0, "{arguments:?}");
    }
    let url = gateway.ops_url("/healthz");
    assert_eq!(run(&gateway, &["healthcheck", "--url", &url]).code, 0);
    assert_eq!(run(&gateway, &["healthcheck", "--url", &gateway.ops_url("/nothing")]).code, 1);
    gateway.kill().await;
    let done = run(&gateway, &["healthcheck"]);
    assert_eq!(done.code, 1);
    assert!(done.stderr.contains(&free.to_string()), "{}", done.stderr);
}
