//! The place one open connection takes: in the cap over all connections, and in its worker's load.
//! Both are given back when the lease is dropped, which is when the socket is, upgraded or not.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use tokio::sync::OwnedSemaphorePermit;

/// What metrics read about a server.
#[derive(Debug, Default)]
pub struct Counters {
    pub(super) accepted: AtomicU64,
    pub(super) open: AtomicUsize,
    pub(super) failed_handshakes: AtomicU64,
    pub(super) failed_accepts: AtomicU64,
}

impl Counters {
    /// Returns how many connections were accepted since the start.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Returns how many connections are open, upgraded ones included.
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Returns how many connections ended in a TLS handshake that failed or came too late.
    pub fn failed_handshakes(&self) -> u64 {
        self.failed_handshakes.load(Ordering::Relaxed)
    }

    /// Returns how often accepting failed for want of descriptors or memory.
    pub fn failed_accepts(&self) -> u64 {
        self.failed_accepts.load(Ordering::Relaxed)
    }
}

/// One open connection's place.
#[derive(Debug)]
pub struct Lease {
    counters: Arc<Counters>,
    load: Arc<AtomicUsize>,
    _place: OwnedSemaphorePermit,
}

impl Lease {
    /// Returns the lease of a connection that goes to the worker with this `load`.
    pub fn take(place: OwnedSemaphorePermit, load: &Arc<AtomicUsize>, counters: &Arc<Counters>) -> Self {
        load.fetch_add(1, Ordering::Relaxed);
        counters.open.fetch_add(1, Ordering::Relaxed);
        counters.accepted.fetch_add(1, Ordering::Relaxed);
        Self { counters: Arc::clone(counters), load: Arc::clone(load), _place: place }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.load.fetch_sub(1, Ordering::Relaxed);
        self.counters.open.fetch_sub(1, Ordering::Relaxed);
    }
}
