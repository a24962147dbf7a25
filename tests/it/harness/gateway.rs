//! A running `vestibule serve` in a folder of its own; killed and forgotten when dropped.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use serde_json::Value;
use tempfile::TempDir;

use super::authority::{Authority, Files};
use super::output::Output;
use super::{PATIENCE, configuration, eventually};

/// The name that the gateway's certificate carries and that every client resolves to the loopback.
pub const HOST: &str = "gateway.test";

/// Names on the default certificate.
pub const NAMES: [&str; 5] = [HOST, "localhost", "127.0.0.1", "*.example.com", "other.test"];

pub const BINARY: &str = env!("CARGO_BIN_EXE_vestibule");

/// Whom the process trusts besides nobody, if its folder has this file.
const ROOTS: &str = "roots.pem";

pub struct Gateway {
    pub folder: TempDir,
    pub certificate: CertificateDer<'static>,
    files: Files,
    process: Process,
}

/// The process, and where it said that it listens.
struct Process {
    child: Child,
    stdout: Output,
    stderr: Output,
    address: SocketAddr,
    ops: Option<SocketAddr>,
    redirect: Option<SocketAddr>,
}

impl Gateway {
    /// Returns the gateway that serves by `given`, laid over what every test needs, once it listens.
    pub async fn start(given: &str) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), given).await
    }

    /// Like [`Gateway::start`], and it trusts servers that show a certificate of the test authority.
    pub async fn start_trusting(given: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(ROOTS), Authority::shared().pem()).unwrap();
        Self::start_in(folder, given).await
    }

    async fn start_in(folder: TempDir, given: &str) -> Self {
        let (files, certificate) = Authority::shared().issue(folder.path(), "gateway", &NAMES);
        fs::write(folder.path().join("vestibule.toml"), configuration::complete(given, folder.path(), &files)).unwrap();
        let process = Process::start(folder.path()).await;
        Self { folder, certificate, files, process }
    }

    /// Returns the process that `given` makes end before it listens: its exit code and what it wrote to stderr.
    pub async fn refuse_to_start(given: &str) -> (i32, String) {
        let folder = tempfile::tempdir().unwrap();
        let (files, _) = Authority::shared().issue(folder.path(), "gateway", &NAMES);
        fs::write(folder.path().join("vestibule.toml"), configuration::complete(given, folder.path(), &files)).unwrap();
        let (mut child, _stdout, stderr) = spawn(folder.path());
        stderr.closed().await;
        (exit_status(&mut child).code().unwrap(), stderr.text())
    }

    /// Starts the process again, on the same folder; it must have ended.
    pub async fn restart(&mut self) {
        assert!(self.process.child.try_wait().unwrap().is_some(), "the old process still runs");
        self.process = Process::start(self.folder.path()).await;
    }

    /// Replaces the configuration file; `reload` makes the gateway read it.
    pub fn configure(&self, given: &str) {
        let text = configuration::complete(given, self.folder.path(), &self.files);
        fs::write(self.config_file(), text).unwrap();
    }

    /// Sends SIGHUP and returns the line that says what became of it.
    pub async fn reload(&self) -> String {
        let verdicts = || {
            let lines = self.stderr().lines().into_iter();
            lines.filter(|line| line.contains("configuration reloaded") || line.contains("is refused"))
        };
        let before = verdicts().count();
        self.signal("HUP");
        eventually("a verdict on the new configuration", || verdicts().count() > before).await;
        verdicts().nth(before).unwrap()
    }

    pub fn config_file(&self) -> PathBuf {
        self.folder.path().join("vestibule.toml")
    }

    pub fn certificate_files(&self) -> &Files {
        &self.files
    }

    pub fn address(&self) -> SocketAddr {
        self.process.address
    }

    /// Returns `https://gateway.test:PORT` with `path`; http when TLS is off.
    pub fn url(&self, path: &str) -> String {
        self.url_of(HOST, path)
    }

    pub fn url_of(&self, host: &str, path: &str) -> String {
        let config = fs::read_to_string(self.config_file()).unwrap();
        let config: toml::Table = toml::from_str(&config).unwrap();
        let scheme = if config["tls"]["mode"].as_str() == Some("off") { "http" } else { "https" };
        format!("{scheme}://{host}:{}{path}", self.address().port())
    }

    /// Returns the address of the operators' listener with `path`.
    pub fn ops_url(&self, path: &str) -> String {
        format!("http://{}{path}", self.process.ops.unwrap())
    }

    pub fn redirect_address(&self) -> SocketAddr {
        self.process.redirect.unwrap()
    }

    /// Access and audit lines.
    pub fn stdout(&self) -> &Output {
        &self.process.stdout
    }

    pub fn stderr(&self) -> &Output {
        &self.process.stderr
    }

    /// Returns the process's id.
    pub fn id(&self) -> u32 {
        self.process.child.id()
    }

    /// Sends a signal by name: `TERM`, `HUP`, `INT`, `KILL`.
    pub fn signal(&self, name: &str) {
        signal(&self.process.child, name);
    }

    /// Returns how the process ended, once it has.
    pub async fn ended(&mut self) -> ExitStatus {
        self.process.stdout.closed().await;
        self.process.stderr.closed().await;
        exit_status(&mut self.process.child)
    }

    pub fn is_running(&mut self) -> bool {
        self.process.child.try_wait().unwrap().is_none()
    }

    /// Ends the process at once, as a power cut would.
    pub async fn kill(&mut self) {
        self.process.child.kill().unwrap();
        self.ended().await;
    }

    /// Ends the process as a supervisor would, and returns all it has written.
    pub async fn stop(mut self) -> String {
        self.signal("TERM");
        assert_eq!(self.ended().await.code(), Some(0), "{}", self.process.stderr.text());
        format!("{}\n{}", self.process.stdout.text(), self.process.stderr.text())
    }
}

impl Process {
    async fn start(folder: &Path) -> Self {
        let (child, stdout, stderr) = spawn(folder);
        // The main listener is announced last.
        stderr.line("the announcement of the main listener", |line| announced(line, "main").is_some()).await;
        let address_of = |listener: &str| stderr.lines().iter().find_map(|line| announced(line, listener));
        let (address, ops, redirect) = (address_of("main").unwrap(), address_of("ops"), address_of("redirect"));
        Self { child, stdout, stderr, address, ops, redirect }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Ended already is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns the address that a line of the log, JSON or text, announces for a listener.
fn announced(line: &str, listener: &str) -> Option<SocketAddr> {
    let of_json = |value: Value| Some((value["listener"].as_str()?.to_owned(), value["address"].as_str()?.to_owned()));
    let word_after = |name: &str| {
        let (_, rest) = line.split_once(&format!(" {name}="))?;
        Some(rest.split(' ').next()?.trim_matches('"').to_owned())
    };
    let (name, address) = match serde_json::from_str(line) {
        Ok(value) => of_json(value)?,
        Err(_) => (word_after("listener")?, word_after("address")?),
    };
    if name == listener { address.parse().ok() } else { None }
}

fn spawn(folder: &Path) -> (Child, Output, Output) {
    let mut command = Command::new(BINARY);
    command.args(["serve", "--config", "vestibule.toml"]).current_dir(folder);
    command.env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    if folder.join(ROOTS).exists() {
        command.env("SSL_CERT_FILE", ROOTS);
    }
    let mut child = command.spawn().unwrap();
    let stdout = Output::of("stdout", child.stdout.take().unwrap());
    let stderr = Output::of("stderr", child.stderr.take().unwrap());
    (child, stdout, stderr)
}

/// Sends a signal to a child that has not been waited for, so that its id is its own.
pub fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([format!("-{name}"), child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

/// Returns how a process ended that has closed its streams.
fn exit_status(child: &mut Child) -> ExitStatus {
    let deadline = std::time::Instant::now() + PATIENCE;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        assert!(std::time::Instant::now() < deadline, "closed its streams and runs on");
        std::thread::sleep(Duration::from_millis(2));
    }
}
