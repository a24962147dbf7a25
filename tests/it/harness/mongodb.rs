//! The MongoDB of the tests: the deployment that `VESTIBULE_TEST_MONGODB` names, else one server for the whole run of a test
//! program, of a package from PyPI that speaks MongoDB's protocol, with a database for each test. It ends with the process
//! that started it, however that ends. Where there is neither, tests that need one say so; under `CI=true` they fail.
//! Used by the tests of the store as well as by those of the binary; neither needs all of it.
#![allow(dead_code)]

use std::env;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const PACKAGE: &str = "secantusdb==0.7.0b3";
const START_LIMIT: Duration = Duration::from_mins(1);

/// A deployment as a URL without a database.
#[derive(Clone, Debug)]
pub struct Deployment {
    before_database: String,
    options: String,
}

/// Returns the deployment that all tests of this process share; `None`, having said so, if there can't be one.
pub fn shared() -> Option<&'static Deployment> {
    static GIVEN: OnceLock<Option<Deployment>> = OnceLock::new();
    let given = GIVEN.get_or_init(|| env::var("VESTIBULE_TEST_MONGODB").ok().map(|url| Deployment::of(&url)));
    given.as_ref().or_else(stand_in)
}

/// Returns the one server that stands in for MongoDB, whatever deployment is given: for faults that are played before it.
pub fn stand_in() -> Option<&'static Deployment> {
    static STAND_IN: OnceLock<Result<(Deployment, Server), String>> = OnceLock::new();
    match STAND_IN.get_or_init(|| Server::start().map(|server| (server.deployment(), server))) {
        Ok((deployment, _)) => Some(deployment),
        Err(why) => {
            skip(why);
            None
        }
    }
}

/// Returns a server of its own, for a test that kills it; `None`, having said so, if there can't be one.
pub fn own() -> Option<Server> {
    Server::start().map_err(|why| skip(&why)).ok()
}

fn skip(why: &str) {
    static SKIPPED: AtomicUsize = AtomicUsize::new(0);
    assert!(env::var("CI").as_deref() != Ok("true"), "tests with MongoDB must run here: {why}");
    let count = SKIPPED.fetch_add(1, Ordering::Relaxed) + 1;
    // Past the capture of what tests print.
    let _ = writeln!(std::io::stderr(), "skipped, {count} so far, for want of MongoDB: {why}");
}

impl Deployment {
    fn of(url: &str) -> Self {
        let (scheme, rest) = url.split_once("://").expect("a MongoDB URL");
        let (rest, options) = rest.split_once('?').unwrap_or((rest, ""));
        let hosts = rest.split('/').next().unwrap_or_default();
        let mut options = options.to_owned();
        if hosts.contains('@') && !options.contains("authSource=") {
            // Else it would be the database of the test.
            options.push_str("&authSource=admin");
        }
        Self { before_database: format!("{scheme}://{hosts}/"), options }
    }

    /// Returns the URL of a database in it.
    pub fn url(&self, database: &str) -> String {
        format!("{}{database}?{}", self.before_database, self.options.trim_start_matches('&'))
    }

    /// Returns the host and port of the one server that there is, for a proxy to stand before.
    pub fn address(&self) -> String {
        let (_, hosts) = self.before_database.split_once("://").unwrap_or_default();
        hosts.rsplit('@').next().unwrap_or_default().trim_end_matches('/').to_owned()
    }

    /// Returns a name that no other test has.
    pub fn new_database() -> String {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        format!("vestibule_test_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
    }
}

/// A server of one member, in a folder of its own.
#[derive(Debug)]
pub struct Server {
    /// Ends the server and removes the folder when its standard input ends, which it does with this process.
    guard: Child,
    process: u32,
    port: u16,
    folder: PathBuf,
}

impl Server {
    fn start() -> Result<Self, String> {
        let program = program()?;
        let port = free_port();
        let folder = env::temp_dir().join(format!("vestibule-mongodb-{}-{port}", std::process::id()));
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let (guard, process) = launch(&program, port, &folder, &[])?;
        let server = Self { guard, process, port, folder };
        server.wait_until_it_answers()?;
        Ok(server)
    }

    pub fn deployment(&self) -> Deployment {
        Deployment::of(&format!("mongodb://127.0.0.1:{}/?replicaSet=secantus", self.port))
    }

    /// Ends the server at once, as a power cut would.
    pub fn kill(&mut self) {
        let killed = Command::new("kill").args(["-9", &self.process.to_string()]).status();
        assert!(killed.expect("kill can be started").success());
        let deadline = Instant::now() + START_LIMIT;
        while TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
            assert!(Instant::now() < deadline, "a killed server still answers");
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Starts the killed server again, on the same port and data.
    pub fn restart(&mut self) {
        self.restart_with(&[]);
    }

    /// The same, with more arguments.
    pub fn restart_with(&mut self, more: &[&str]) {
        self.end_guard("leave");
        let program = program().expect("it was there before");
        (self.guard, self.process) = launch(&program, self.port, &self.folder, more).expect("it started before");
        self.wait_until_it_answers().expect("it answered before");
    }

    fn wait_until_it_answers(&self) -> Result<(), String> {
        let deadline = Instant::now() + START_LIMIT;
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            if Instant::now() > deadline {
                let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
                return Err(format!("the server of {PACKAGE} does not answer: {log}"));
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Ends the guard; told to leave, it leaves the folder.
    fn end_guard(&mut self, word: &str) {
        if let Some(mut stdin) = self.guard.stdin.take() {
            let _ = writeln!(stdin, "{word}");
        }
        let _ = self.guard.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end_guard("remove");
    }
}

/// Returns the guard and the id of the server itself.
fn launch(program: &Path, port: u16, folder: &Path, more: &[&str]) -> Result<(Child, u32), String> {
    const GUARD: &str = r#"
        program=$1 port=$2 folder=$3
        shift 3
        "$program" --host 127.0.0.1 --port "$port" --storage-path "$folder/data" --sync-on-commit \
            --log-level WARNING "$@" > "$folder/log" 2>&1 < /dev/null &
        server=$!
        echo "$server"
        exec 1>&-
        word=
        read -r word
        kill -9 "$server" 2> /dev/null
        wait "$server" 2> /dev/null
        [ "$word" = leave ] || rm -rf "$folder"
    "#;
    let mut command = Command::new("sh");
    command.args(["-c", GUARD, "sh"]).arg(program).arg(port.to_string()).arg(folder).args(more);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut guard = command.spawn().map_err(|error| format!("sh: {error}"))?;
    let mut line = String::new();
    let stdout = guard.stdout.take().expect("it was asked for");
    BufReader::new(stdout).read_line(&mut line).map_err(|error| error.to_string())?;
    let process = line.trim().parse().map_err(|_| "the guard of the server said nothing".to_owned())?;
    Ok((guard, process))
}

/// Returns the server's program, installed when it is not there yet.
fn program() -> Result<PathBuf, String> {
    let target = env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target"), PathBuf::from);
    let home = target.join("mongodb");
    let program = home.join("bin/secantusd-py");
    if program.exists() {
        return Ok(program);
    }
    run(Command::new("python3").args(["-m", "venv"]).arg(&home))?;
    run(Command::new(home.join("bin/pip")).args(["install", "--quiet", "--disable-pip-version-check", PACKAGE]))?;
    Ok(program)
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{command:?}: {}", said.lines().last().unwrap_or("failed")))
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.local_addr().expect("it is bound").port()
}
