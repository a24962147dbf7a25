//! One thread owns an output, stdout or stderr; everybody else hands it whole lines through a bounded channel.
//! When the output's reader is slower than we are, lines are dropped and counted: no worker ever waits for a log.
//! Workers gather lines in a [`LineBuffer`] of their own, without locks; everybody else writes through [`Lines`].

use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::thread;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use tokio::sync::Notify;

use crate::clock::Clock;

/// A worker's buffer is handed over when it holds this much: for the thread that writes each chunk is a waking and a call …
const HAND_OVER_BYTES: usize = 32 * 1024;
/// … or when its oldest line is this old.
const HAND_OVER_AFTER: Duration = Duration::from_millis(100);
/// How many chunks may wait: with full buffers 16 MiB.
const WAITING_CHUNKS: usize = 512;

enum Message {
    Chunk(Vec<u8>),
    Stop,
}

/// The thread that writes; whoever holds this ends it.
#[derive(Debug)]
pub struct Sink {
    sender: SyncSender<Message>,
    ended: Receiver<()>,
}

impl Sink {
    /// Starts the thread that writes to `output`; `dropped` counts the lines that could not be written.
    pub fn start(output: impl Write + Send + 'static, dropped: Counter) -> io::Result<(Self, Lines)> {
        let (sender, receiver) = sync_channel(WAITING_CHUNKS);
        let (end, ended) = sync_channel::<()>(0);
        let writer = Writer { output, dropped: dropped.clone() };
        thread::Builder::new().name("log".to_owned()).spawn(move || {
            writer.run(&receiver);
            drop(end);
        })?;
        let lines = Lines(Some(Open { sender: sender.clone(), dropped }));
        Ok((Self { sender, ended }, lines))
    }

    /// Writes what is waiting and ends the thread; gives up after `patience`, since the output's reader may never read again.
    pub fn close(self, patience: Duration) {
        let deadline = Clock::monotonic() + patience;
        let mut stop = Some(Message::Stop);
        loop {
            if let Some(message) = stop.take() {
                match self.sender.try_send(message) {
                    Ok(()) | Err(TrySendError::Disconnected(_)) => {}
                    Err(TrySendError::Full(message)) => stop = Some(message),
                }
            }
            let left = deadline.saturating_duration_since(Clock::monotonic());
            let wait = if stop.is_some() { left.min(Duration::from_millis(10)) } else { left };
            match self.ended.recv_timeout(wait) {
                Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) if left.is_zero() => return,
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }
}

struct Writer<W> {
    output: W,
    dropped: Counter,
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
                if let Err(error) = self.output.write_all(&chunk) {
                    self.dropped.inc_by(count_lines(&chunk));
                    if !complained {
                        tracing::error!(%error, "an output takes no lines any more");
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
    sender: SyncSender<Message>,
    dropped: Counter,
}

impl Lines {
    /// Hands over whole lines, each with its line end. Full or closed: they are dropped and counted.
    pub fn hand_over(&self, chunk: Vec<u8>) {
        let Some(open) = &self.0 else { return };
        if chunk.is_empty() {
            return;
        }
        match open.sender.try_send(Message::Chunk(chunk)) {
            Ok(()) => {}
            Err(TrySendError::Full(message) | TrySendError::Disconnected(message)) => {
                if let Message::Chunk(chunk) = message {
                    open.dropped.inc_by(count_lines(&chunk));
                }
            }
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
