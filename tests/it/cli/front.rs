//! `front`: the gateway without a file.

use std::fs;

use crate::harness::Upstream;
use crate::harness::command::{Background, bash, run_in};

#[test]
fn the_printed_configuration_passes_the_check_and_protects_what_was_not_made_public() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, protected, public) in
        [(&["--public", "/about"][..], "/", "/about"), (&["--public", "/", "--protect", "/admin"], "/admin", "/")]
    {
        let arguments = [&["front", "http://127.0.0.1:3000"], arguments, &["--print-config"]].concat();
        let text = run_in(folder.path(), &arguments, "").ok();
        fs::write(folder.path().join("vestibule.toml"), text).unwrap();
        assert!(run_in(folder.path(), &["check"], "").ok().contains("is good"));
        let explain = |path: &str| run_in(folder.path(), &["explain", "GET", path], "").ok();
        assert!(explain(protected).contains("401"), "{protected} is not protected");
        assert!(explain(public).contains("the upstream's"), "{public} is not public");
    }
    assert!(!folder.path().join("vestibule.db").exists(), "nothing was run");
}

#[tokio::test]
async fn it_serves_an_app_from_the_command_line_alone() {
    let upstream = Upstream::start().await;
    let folder = tempfile::tempdir().unwrap();
    let url = upstream.url();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let arguments = ["front", &url, "--public", "/open", "--listen", &free];
    let mut front = Background::start(folder.path(), &arguments);
    front.stderr.line("where it listens", |line| line.contains(&free)).await;
    // The certificate is one of its own making, so curl is told not to mind.
    let ask = async |path: &str| bash(&format!("curl -sk -o /dev/null -w '%{{http_code}}' https://{free}{path}")).await;
    assert_eq!(ask("/open").await, "200");
    assert_eq!(ask("/else").await, "401");
    assert_eq!(upstream.count(), 1);
    assert!(folder.path().join("vestibule.db").exists());
    assert_eq!(front.end("TERM").await, Some(0));
}
