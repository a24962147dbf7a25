//! The parts that every test is made of: a gateway process in a folder of its own, an app behind it that remembers what
//! reached it, clients that trust the test certificates, and people with accounts. Conditions are waited for, with a
//! deadline; nothing sleeps for a fixed time.
#![allow(dead_code, unused_imports)]

pub mod authority;
pub mod clients;
pub mod command;
pub mod configuration;
pub mod fault_proxy;
pub mod gateway;
pub mod mongodb;
pub mod output;
pub mod people;
pub mod raw;
pub mod scripted;
pub mod smtp;
pub mod upstream;
pub mod upstream_answers;
pub mod websocket;

use std::time::{Duration, Instant};

pub use authority::Authority;
pub use clients::Protocol;
pub use configuration::usual;
pub use gateway::{Gateway, HOST};
pub use people::{PASSWORD, Person};
pub use raw::Raw;
pub use upstream::{Seen, Upstream};

/// How long anything may take that has no promise of its own: the machine may be busy with other tests.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// What the contract calls "within 1 s", and a second for a machine that compiles and tests meanwhile.
pub const WITHIN_A_SECOND: Duration = Duration::from_secs(2);

/// Returns once `condition` holds; fails with `what` after `limit`.
pub async fn eventually_within<F: Future<Output = bool>>(
    limit: Duration,
    what: &str,
    mut condition: impl FnMut() -> F,
) {
    let deadline = Instant::now() + limit;
    while !condition().await {
        assert!(Instant::now() < deadline, "not within {limit:?}: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Returns once `condition` holds.
pub async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    eventually_within(PATIENCE, what, || std::future::ready(condition())).await;
}

/// Returns what `future` comes to; fails with `what` if it takes too long.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("took too long: {what}"))
}

/// Returns a gateway with [`usual`] routes before an app of its own, configured by `more` as well.
pub async fn serve(more: &str) -> (Gateway, Upstream) {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&format!("{more}\n{}", usual(&upstream))).await;
    (gateway, upstream)
}
