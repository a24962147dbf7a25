//! One thread owns an output, stdout or stderr; everybody else hands it whole lines, of which only so many may wait.
//! When the output's reader is slower than we are, lines are dropped and counted: no worker ever waits for a log.
//! Workers gather lines in a [`LineBuffer`] of their own, without locks; everybody else writes through [`Lines`].

use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use tokio::sync::Notify;

/// A worker's buffer is handed over when it holds this much: for the thread that writes each chunk is a waking and a call …
const HAND_OVER_BYTES: usize = 32 * 1024;
/// … or when its oldest line is this old.
const HAND_OVER_AFTER: Duration = Duration::from_millis(100);
/// How long the last lines may take where nobody says how long.
const PATIENCE: Duration = Duration::from_secs(2);
/// How many bytes may wait.
const WAITING: usize = 16 * 1024 * 1024;

enum Message {
    Chunk(Vec<u8>),
    Stop,
}

/// The thread that writes; whoever holds this ends it. Dropped it is closed too, so that a panic's last lines come out.
#[derive(Debug)]
pub struct Sink {
    sender: Sender<Message>,
    ended: Receiver<()>,
    patience: Duration,
}

impl Sink {
    /// Starts the thread that writes to `output`; `dropped` counts the lines that could not be written.
    pub fn start(output: impl Write + Send + 'static, dropped: Counter) -> io::Result<(Self, Lines)> {
        let (sender, receiver) = channel();
        let (end, ended) = channel::<()>();
        let waiting = Arc::new(AtomicUsize::new(0));
        let writer = Writer { output, dropped: dropped.clone(), waiting: Arc::clone(&waiting) };
        thread::Builder::new().name("log".to_owned()).spawn(move || {
            writer.run(&receiver);
            drop(end);
        })?;
        let lines = Lines(Some(Open { sender: sender.clone(), dropped, waiting }));
        Ok((Self { sender, ended, patience: PATIENCE }, lines))
    }

    /// Writes what is waiting and ends the thread; gives up after `patience`, since the output's reader may never read again.
    pub fn close(mut self, patience: Duration) {
        self.patience = patience;
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        // Fails when the thread has ended; it says nothing but that.
        let _ = self.sender.send(Message::Stop);
        let _ = self.ended.recv_timeout(self.patience);
    }
}

struct Writer<W> {
    output: W,
    dropped: Counter,
    waiting: Arc<AtomicUsize>,
}

impl<W: Write> Writer<W> {
    fn run(mut self, receiver: &Receiver<Message>) {
        let mut complained = false;
        while let Ok(first) = receiver.recv() {
            let mut next = Ok(first);
            // Everything that waits is written before one flush.
            while let Ok(message) = next {
                let Message::Chunk(chunk) = message else {
                    self.flush();
                    return;
                };
                let written = self.output.write_all(&chunk);
                self.waiting.fetch_sub(chunk.len(), Ordering::Relaxed);
                if let Err(error) = written {
                    self.dropped.inc_by(count_lines(&chunk));
                    if !complained {
                        // Of stderr itself nobody can be told.
                        tracing::error!(%error, "stdout takes no access and audit lines any more");
                        complained = true;
                    }
                }
                next = receiver.try_recv();
            }
            self.flush();
            if matches!(next, Err(TryRecvError::Disconnected)) {
                return;
            }
        }
    }

    fn flush(&mut self) {
        // What a failed flush loses can't be counted: some of it has been written.
        let _ = self.output.flush();
    }
}

/// The way to the log thread; clones lead to the same one. The default discards.
#[derive(Clone, Debug, Default)]
pub struct Lines(Option<Open>);

#[derive(Clone, Debug)]
struct Open {
    sender: Sender<Message>,
    dropped: Counter,
    /// The bytes that have been handed over and not written.
    waiting: Arc<AtomicUsize>,
}

impl Lines {
    /// Hands over whole lines, each with its line end. Too many or closed: they are dropped and counted.
    pub fn hand_over(&self, chunk: Vec<u8>) {
        let Some(open) = &self.0 else { return };
        if chunk.is_empty() {
            return;
        }
        let (length, lines) = (chunk.len(), count_lines(&chunk));
        let has_room = open.waiting.fetch_add(length, Ordering::Relaxed) + length <= WAITING;
        if !has_room || open.sender.send(Message::Chunk(chunk)).is_err() {
            open.waiting.fetch_sub(length, Ordering::Relaxed);
            open.dropped.inc_by(lines);
        }
    }

    /// Returns whether lines go nowhere, so that a caller may skip writing them.
    pub fn is_discarding(&self) -> bool {
        self.0.is_none()
    }

    /// Returns a buffer for one worker.
    pub fn buffer(&self) -> LineBuffer {
        LineBuffer(Rc::new(Worker { bytes: RefCell::default(), first_line: Notify::new(), lines: self.clone() }))
    }
}

/// One worker's lines, appended without locks; clones on the same thread share it. What it holds at the end is handed over.
#[derive(Clone, Debug)]
pub struct LineBuffer(Rc<Worker>);

#[derive(Debug)]
struct Worker {
    bytes: RefCell<Vec<u8>>,
    /// Wakes [`LineBuffer::run_ticks`]: there is something to hand over soon.
    first_line: Notify,
    lines: Lines,
}

impl LineBuffer {
    /// Appends whole lines by `write`, which must not write to this buffer again.
    pub fn write(&self, write: impl FnOnce(&mut Vec<u8>)) {
        if self.0.lines.is_discarding() {
            return;
        }
        let mut bytes = self.0.bytes.borrow_mut();
        let was_empty = bytes.is_empty();
        if bytes.capacity() == 0 {
            // A line more than the limit, so that a full buffer has not grown.
            bytes.reserve(HAND_OVER_BYTES + 1024);
        }
        write(&mut bytes);
        if bytes.len() >= HAND_OVER_BYTES {
            let chunk = std::mem::take(&mut *bytes);
            self.0.lines.hand_over(chunk);
        } else if was_empty {
            self.0.first_line.notify_one();
        }
    }

    /// Hands over what is there.
    pub fn flush(&self) {
        let chunk = self.0.bytes.take();
        self.0.lines.hand_over(chunk);
    }

    /// Hands over lines that would wait too long; runs until dropped, on the worker. Sleeps without a timer while there are none.
    pub async fn run_ticks(&self) {
        loop {
            self.0.first_line.notified().await;
            tokio::time::sleep(HAND_OVER_AFTER).await;
            self.flush();
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.lines.hand_over(self.bytes.take());
    }
}

fn count_lines(chunk: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', chunk).count() as u64
}

#[cfg(test)]
#[path = "sink_tests.rs"]
mod tests;
