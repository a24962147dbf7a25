//! Running out of file descriptors, in a child process that has few.

use std::fs::File;
use std::process::Command;

use super::*;

#[test]
fn running_out_of_descriptors_delays_clients_and_loses_none() {
    let this = std::env::current_exe().unwrap();
    let script = r#"ulimit -n 64; exec "$0" --exact server::tests::shortage::with_few_descriptors --ignored"#;
    let child = Command::new("sh").args(["-c", script]).arg(this).output().unwrap();
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success() && said.contains("1 passed"), "{said}");
}

#[tokio::test]
#[ignore = "fills the descriptors of its process; the test above runs it in one of its own"]
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
