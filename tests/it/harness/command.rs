//! Other commands of the binary.

use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::gateway::{BINARY, Gateway, signal};
use super::output::Output;

/// What a command did.
#[derive(Clone, Debug)]
pub struct Done {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Done {
    /// Returns what was printed; fails unless the command succeeded.
    pub fn ok(self) -> String {
        assert_eq!(self.code, 0, "{}\n{}", self.stdout, self.stderr);
        self.stdout
    }

    pub fn json(self) -> serde_json::Value {
        let text = self.ok();
        serde_json::from_str(&text).unwrap_or_else(|_| panic!("no JSON: {text}"))
    }
}

/// Returns what `vestibule ARGUMENTS` did, run in `folder`, where it finds `vestibule.toml` if there is one.
pub fn run_in(folder: &Path, arguments: &[&str], stdin: &str) -> Done {
    let mut command = Command::new(BINARY);
    command.args(arguments).current_dir(folder).env_clear();
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Who does not read its input may have ended already.
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Done { code: output.status.code().unwrap(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// Returns what a command did on the configuration and the store of a gateway, which may run meanwhile.
pub fn run(gateway: &Gateway, arguments: &[&str]) -> Done {
    run_in(gateway.folder.path(), arguments, "")
}

/// Makes an account with a password; further arguments say the rest of it.
pub fn add_user(gateway: &Gateway, email: &str, password: &str, arguments: &[&str]) {
    let arguments = [&["user", "add", email, "--password-stdin"], arguments].concat();
    run_in(gateway.folder.path(), &arguments, &format!("{password}\n")).ok();
}

/// A command that goes on until it is told to stop; killed when dropped.
pub struct Background {
    pub stdout: Output,
    pub stderr: Output,
    child: Child,
}

impl Background {
    /// Starts `vestibule ARGUMENTS` in `folder`, which is where its temporary files go, too.
    pub fn start(folder: &Path, arguments: &[&str]) -> Self {
        let mut command = Command::new(BINARY);
        command.args(arguments).current_dir(folder).env_clear().env("TMPDIR", folder);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stdout = Output::of("stdout", child.stdout.take().unwrap());
        let stderr = Output::of("stderr", child.stderr.take().unwrap());
        Self { stdout, stderr, child }
    }

    /// Sends a signal and returns the exit code, once there is one.
    pub async fn end(&mut self, signal_name: &str) -> Option<i32> {
        signal(&self.child, signal_name);
        self.stdout.closed().await;
        self.stderr.closed().await;
        self.child.wait().unwrap().code()
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // Ended already is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns what a line prints that somebody pastes into a shell.
pub async fn bash(line: &str) -> String {
    let line = line.to_owned();
    // On a thread of its own: the app behind may live on this one.
    let run = move || Command::new("bash").args(["-c", &line]).stdin(Stdio::null()).output().unwrap();
    let output = tokio::task::spawn_blocking(run).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
