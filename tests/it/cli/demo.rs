//! `demo`: for somebody who has never seen it.

use std::fs;

use crate::harness::command::{Background, bash};

#[tokio::test]
async fn three_printed_lines_work_as_they_stand_and_nothing_is_left_behind() {
    let folder = tempfile::tempdir().unwrap();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let mut demo = Background::start(folder.path(), &["demo", "--listen", &free]);
    // The third line to paste is the last one that begins so.
    let is_third = |line: &str| line.trim().starts_with("curl ") && line.contains("Bearer");
    demo.stdout.line("the third line to paste", is_third).await;
    let lines: Vec<String> = demo
        .stdout
        .lines()
        .iter()
        .map(|line| line.trim().to_owned())
        .filter(|line| line.starts_with("curl "))
        .collect();
    assert_eq!(lines.len(), 3, "{lines:#?}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "its folder, while it runs");

    let status =
        |answer: &str| answer.lines().next().unwrap_or_default().split(' ').nth(1).unwrap_or_default().to_owned();
    let public = bash(&lines[0]).await;
    assert_eq!(status(&public), "200", "{public}");
    let refused = bash(&lines[1]).await;
    assert_eq!(status(&refused), "401", "{refused}");
    assert!(refused.to_lowercase().contains("www-authenticate: bearer"), "{refused}");
    let known = bash(&lines[2]).await;
    assert_eq!(status(&known), "200", "{known}");
    assert!(known.contains("admin@example.com") && !known.contains("root"), "{known}");
    assert!(!known.to_lowercase().contains("authorization:"), "the app sees no token: {known}");

    assert_eq!(demo.end("INT").await, Some(0), "{}", demo.stderr.text());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "the demo's folder is left behind");
}
