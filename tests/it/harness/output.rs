//! What a process has written, line by line, and waiting for a line of it.

use std::io::{BufRead as _, BufReader, Read};
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::{Mutex, OwnedMutexGuard, watch};

use super::PATIENCE;

#[derive(Default)]
struct Written {
    lines: Vec<String>,
    is_closed: bool,
}

/// The lines of one stream of a process; a thread reads them as they come.
#[derive(Clone)]
pub struct Output {
    name: &'static str,
    written: Arc<watch::Sender<Written>>,
    reads: Arc<Mutex<()>>,
}

impl Output {
    pub fn of(name: &'static str, stream: impl Read + Send + 'static) -> Self {
        let written = Arc::new(watch::Sender::new(Written::default()));
        let reads = Arc::new(Mutex::new(()));
        let (sender, may_read) = (Arc::clone(&written), Arc::clone(&reads));
        std::thread::spawn(move || {
            let mut reader = BufReader::new(stream);
            let mut line = Vec::new();
            while reader.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
                let text = String::from_utf8_lossy(&line).trim_end_matches('\n').to_owned();
                sender.send_modify(|written| written.lines.push(text));
                line.clear();
                drop(may_read.blocking_lock());
            }
            sender.send_modify(|written| written.is_closed = true);
        });
        Self { name, written, reads }
    }

    /// Stops reading after the next line, for as long as what is returned lives.
    pub async fn stall(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.reads).lock_owned().await
    }

    pub fn lines(&self) -> Vec<String> {
        self.written.borrow().lines.clone()
    }

    pub fn text(&self) -> String {
        self.lines().join("\n")
    }

    /// Returns every line that is a JSON object.
    pub fn objects(&self) -> Vec<Value> {
        self.lines().iter().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Returns the first line that is as wanted, once there is one; fails when the process ends without it.
    pub async fn line(&self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        let mut receiver = self.written.subscribe();
        let found = |written: &Written| written.lines.iter().find(|line| wanted(line)).cloned();
        let found_in_time =
            tokio::time::timeout(PATIENCE, receiver.wait_for(|written| found(written).is_some() || written.is_closed));
        let line = found_in_time.await.ok().and_then(|written| found(&written.unwrap()));
        line.unwrap_or_else(|| panic!("no line on {} that is {what}; there were:\n{}", self.name, self.text()))
    }

    /// Returns the first JSON line that is as wanted, once there is one.
    pub async fn object(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let parse = |line: &str| serde_json::from_str::<Value>(line).ok();
        let line = self.line(what, |line| parse(line).is_some_and(|value| wanted(&value))).await;
        parse(&line).unwrap()
    }

    /// Returns once the process has closed the stream.
    pub async fn closed(&self) {
        let mut receiver = self.written.subscribe();
        let waited = tokio::time::timeout(PATIENCE, receiver.wait_for(|written| written.is_closed)).await;
        assert!(waited.is_ok(), "{} is still open; so far:\n{}", self.name, self.text());
    }
}
