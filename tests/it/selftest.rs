//! `vestibule selftest` finds nothing to object to in the demo, nor in a gateway with a configuration of its own.

use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::harness::clients::h1;
use crate::harness::command::{Done, run_in};
use crate::harness::gateway::BINARY;
use crate::harness::output::Output;
use crate::harness::{Authority, Gateway, PASSWORD, Person, Upstream, usual};

/// A demo; it ends with the test.
struct Demo {
    child: Child,
    stdout: Output,
}

impl Demo {
    fn start() -> Self {
        let mut command = Command::new(BINARY);
        command.args(["demo", "--listen", "127.0.0.1:0"]).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.stderr(Stdio::null()).spawn().unwrap();
        let stdout = Output::of("stdout", child.stdout.take().unwrap());
        Self { child, stdout }
    }

    /// Returns the last word of the line that begins so.
    async fn shown(&self, start: &str) -> String {
        let line = self.stdout.line(start, |line| line.trim().starts_with(start)).await;
        line.split_whitespace().last().unwrap().to_owned()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns how many probes passed; fails with those that did not.
fn passed(done: &Done) -> u64 {
    let report: Value = serde_json::from_str(&done.stdout).unwrap_or_else(|_| panic!("{done:?}"));
    let probes = report["probes"].as_array().unwrap().iter();
    let failed: Vec<String> = probes.filter(|probe| probe["result"] == "failed").map(Value::to_string).collect();
    assert_eq!((failed, done.code), (Vec::new(), 0));
    report["passed"].as_u64().unwrap()
}

#[tokio::test]
async fn nothing_gets_through_the_demo() {
    let demo = Demo::start();
    let url = demo.shown("For everybody").await;
    let password = demo.shown("One-time password").await;
    let folder = tempfile::tempdir().unwrap();
    let line = ["selftest", &url, "--insecure", "--protected", "/private", "--echo", "--json"];
    let account = ["--email", "admin@example.com", "--password-stdin"];
    let done = run_in(folder.path(), &[&line[..], &account].concat(), &format!("{password}\n"));
    assert!(passed(&done) > 200);
}

#[tokio::test]
async fn nothing_gets_through_a_gateway_whose_configuration_says_what_to_attack() {
    let upstream = Upstream::start().await;
    let more = "[identity]\nheaders = { user_id = \"X-Who\", email = \"\", name = \"\", roles = \"X-May\" }\n";
    let gateway = Gateway::start(&format!("{more}{}", usual(&upstream))).await;
    Person::register(&gateway, &h1(), "ada@example.com").await;
    let ca = gateway.folder.path().join("ca.pem");
    std::fs::write(&ca, Authority::shared().pem()).unwrap();
    let url = gateway.url_of("localhost", "/");
    let line = ["selftest", &url, "-c", "vestibule.toml", "--ca", ca.to_str().unwrap(), "--echo", "--json"];
    let account = ["--email", "ada@example.com", "--password-stdin"];
    let done = run_in(gateway.folder.path(), &[&line[..], &account].concat(), &format!("{PASSWORD}\n"));
    assert!(passed(&done) > 200);
    gateway.stop().await;
}

#[tokio::test]
async fn a_protected_path_that_is_public_is_found_out() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&usual(&upstream)).await;
    let url = gateway.url_of("localhost", "/");
    let line = ["selftest", &url, "--insecure", "--protected", "/open", "--public", "/"];
    let done = run_in(gateway.folder.path(), &line, "");
    assert_eq!(done.code, 1, "{}", done.stdout);
    assert!(done.stdout.contains("FAIL  nobody gets through to /open"), "{}", done.stdout);
    gateway.stop().await;
}
