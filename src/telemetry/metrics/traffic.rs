//! The counters that every request touches, one set per worker.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;

/// What a route asks of its callers, as a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessKind {
    Public,
    Optional,
    Protected,
    /// Our own endpoints.
    Own,
    /// No route was found, or the request could not be read.
    Unrouted,
}

const KINDS: [(AccessKind, &str); 5] = [
    (AccessKind::Public, "public"),
    (AccessKind::Optional, "optional"),
    (AccessKind::Protected, "protected"),
    (AccessKind::Own, "own"),
    (AccessKind::Unrouted, "none"),
];
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// Upper bounds in microseconds: from a cached answer on a loopback to a slow report.
const BOUNDS: [(u64, f64); 15] = [
    (250, 0.000_25),
    (500, 0.000_5),
    (1_000, 0.001),
    (2_500, 0.002_5),
    (5_000, 0.005),
    (10_000, 0.01),
    (25_000, 0.025),
    (50_000, 0.05),
    (100_000, 0.1),
    (250_000, 0.25),
    (500_000, 0.5),
    (1_000_000, 1.0),
    (2_500_000, 2.5),
    (10_000_000, 10.0),
    (60_000_000, 60.0),
];

/// One worker's requests. Aligned so that no two workers write to one cache line (128: processors fetch lines in pairs).
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Traffic {
    requests: [[AtomicU64; CLASSES.len()]; KINDS.len()],
    durations: [AtomicU64; BOUNDS.len() + 1],
    micros: AtomicU64,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RequestLabels {
    status: &'static str,
    access: &'static str,
}

impl Traffic {
    /// Counts one answered request.
    pub fn record(&self, access: AccessKind, status: u16, duration: Duration) {
        let class = usize::from((status / 100).clamp(1, 5)) - 1;
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS.partition_point(|(bound, _)| *bound < micros);
        self.requests[access as usize][class].fetch_add(1, Ordering::Relaxed);
        self.durations[bucket].fetch_add(1, Ordering::Relaxed);
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }

    fn add(&self, other: &Self) {
        let ours = self.requests.iter().flatten().chain(&self.durations).chain([&self.micros]);
        let theirs = other.requests.iter().flatten().chain(&other.durations).chain([&other.micros]);
        for (ours, theirs) in ours.zip(theirs) {
            ours.fetch_add(theirs.load(Ordering::Relaxed), Ordering::Relaxed);
        }
    }

    /// Returns every combination of labels that has been seen, with its count.
    pub(super) fn requests(&self) -> impl Iterator<Item = (RequestLabels, u64)> {
        KINDS.iter().flat_map(move |(kind, access)| {
            CLASSES.iter().zip(&self.requests[*kind as usize]).filter_map(|(status, count)| {
                let count = count.load(Ordering::Relaxed);
                (count > 0).then_some((RequestLabels { status, access }, count))
            })
        })
    }

    pub(super) fn buckets(&self) -> Vec<(f64, u64)> {
        let bounds = BOUNDS.iter().map(|(_, seconds)| *seconds).chain([f64::INFINITY]);
        bounds.zip(self.durations.iter().map(|count| count.load(Ordering::Relaxed))).collect()
    }

    pub(super) fn seconds(&self) -> f64 {
        Duration::from_micros(self.micros.load(Ordering::Relaxed)).as_secs_f64()
    }
}

pub(super) fn sum(workers: &[Arc<Traffic>]) -> Traffic {
    let total = Traffic::default();
    for worker in workers {
        total.add(worker);
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_stand_at_their_own_index() {
        for (index, (kind, name)) in KINDS.iter().enumerate() {
            assert_eq!(*kind as usize, index, "{name}");
        }
    }

    #[test]
    fn bounds_rise_and_say_the_same_in_both_units() {
        assert!(BOUNDS.is_sorted());
        for (micros, seconds) in BOUNDS {
            assert!((Duration::from_micros(micros).as_secs_f64() - seconds).abs() < 1e-12);
        }
    }

    #[test]
    fn a_bound_belongs_to_its_own_bucket() {
        let traffic = Traffic::default();
        traffic.record(AccessKind::Own, 200, Duration::from_millis(1));
        let filled: Vec<_> = traffic.buckets().into_iter().filter(|(_, count)| *count > 0).collect();
        assert_eq!(filled, [(0.001, 1)]);
    }
}
