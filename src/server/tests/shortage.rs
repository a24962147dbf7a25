//! Running out of file descriptors, in a child process that has few.

use std::fs::File;
use std::process::Command;

use super::*;

/// Tells the child that it is one.
const IN_CHILD: &str = "VESTIBULE_TEST_FEW_DESCRIPTORS";

#[tokio::test]
async fn running_out_of_descriptors_delays_clients_and_loses_none() {
    if std::env::var_os(IN_CHILD).is_some() {
        return with_few_descriptors().await;
    }
    let this = std::env::current_exe().unwrap();
    let test = "server::tests::shortage::running_out_of_descriptors_delays_clients_and_loses_none";
    let script = r#"ulimit -n 64; exec "$0" --exact "$1""#;
    let child = Command::new("sh").args(["-c", script]).arg(this).arg(test).env(IN_CHILD, "1").output().unwrap();
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success() && said.contains("1 passed"), "{said}");
}

/// Fills the descriptors of its process.
async fn with_few_descriptors() {
    let (server, _) = start(settings());
    let mut files = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        files.push(file);
        assert!(files.len() < 1000, "the limit is not in force");
    }
    files.pop();
    // Takes the last one, so that the server has none to accept it with.
    let mut client = connect(&server).await;
    client.write_all(last_get("/a").as_bytes()).await.unwrap();
    until(|| server.counters().failed_accepts() > 1).await;
    assert_eq!(server.counters().accepted(), 0);
    drop(files);
    assert_eq!(statuses(&read_to_end(&mut client).await), ["200"]);
}
