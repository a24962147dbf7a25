//! What the guard and the service of one HTTP/1 connection tell each other: which request is refused, and what became
//! of a request to upgrade. Requests are known by their number on the connection, from 1.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::task::{Context, Waker};

use super::Unreadable;

/// What happens to the bytes that follow a request to upgrade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The answer is not known yet.
    Undecided,
    /// Not upgraded: they are the next request.
    Resume,
    /// Upgraded: they belong to the other protocol.
    Pass,
}

/// Shared by one connection's guard and service.
#[derive(Debug, Default)]
pub struct Gate {
    refused: OnceLock<(u64, Unreadable)>,
    held_after: AtomicU64,
    verdict: AtomicU8,
    head_is_late: AtomicBool,
    reader: Mutex<Option<Waker>>,
}

impl Gate {
    /// Records that the request of this number, which the guard made up, stands for one that can't be read.
    pub fn refuse(&self, number: u64, reason: Unreadable) {
        // Only the first refusal counts: nothing is delivered after it.
        let _ = self.refused.set((number, reason));
    }

    /// Returns why the request of this number must not go to the handler.
    pub fn refusal_of(&self, number: u64) -> Option<&Unreadable> {
        self.refused.get().filter(|(refused, _)| *refused == number).map(|(_, reason)| reason)
    }

    /// Says that the head that has begun takes too long; the guard refuses it at its next read.
    pub fn head_came_late(&self) {
        self.head_is_late.store(true, Relaxed);
    }

    pub fn head_is_late(&self) -> bool {
        self.head_is_late.load(Relaxed)
    }

    /// Records that whatever follows the request of this number waits for its answer.
    pub fn hold_after(&self, number: u64) {
        self.verdict.store(Verdict::Undecided as u8, Relaxed);
        self.held_after.store(number, Relaxed);
    }

    /// Whether the request of this number asked for an upgrade.
    pub fn holds_after(&self, number: u64) -> bool {
        self.held_after.load(Relaxed) == number
    }

    /// Returns what became of the request that the guard waits for; if nothing yet, the reader is woken when it is known.
    pub fn poll_verdict(&self, context: &Context<'_>) -> Verdict {
        let verdict = self.verdict.load(Relaxed);
        if verdict == Verdict::Undecided as u8 {
            *self.reader.lock().unwrap_or_else(PoisonError::into_inner) = Some(context.waker().clone());
            return Verdict::Undecided;
        }
        if verdict == Verdict::Pass as u8 { Verdict::Pass } else { Verdict::Resume }
    }

    /// Decides, if the guard waits for the request of this number; returns whether it does.
    pub fn decide(&self, number: u64, verdict: Verdict) -> bool {
        if !self.holds_after(number) {
            return false;
        }
        self.verdict.store(verdict as u8, Relaxed);
        if let Some(reader) = self.reader.lock().unwrap_or_else(PoisonError::into_inner).take() {
            reader.wake();
        }
        true
    }
}
