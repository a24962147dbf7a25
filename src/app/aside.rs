//! What reads files runs beside the office: a file system that hangs takes a thread of its own, and neither signals nor the timers
//! of everything else wait for it. Each caller waits for its own, so that one that hangs has one thread.

use std::future::pending;
use std::panic::resume_unwind;

use tokio::task::spawn_blocking;

/// Returns what `work` returns. It may spawn tasks; the office ends without waiting long for it.
pub(super) async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match spawn_blocking(work).await {
        Ok(done) => done,
        Err(failed) if failed.is_panic() => resume_unwind(failed.into_panic()),
        // The office ends before it has begun.
        Err(_ended) => pending().await,
    }
}
