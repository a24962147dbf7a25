//! What is counted, every name in one list ([`ALL`]), and the `OpenMetrics` text of it.
//! What every request touches is counted per worker and summed when somebody looks, so that workers share no cache line.

use std::fmt::{Debug, Error};
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

pub use traffic::{AccessKind, Traffic};

mod traffic;

/// Every metric there is: its name as scraped and what it says.
pub const ALL: [(&str, &str); 16] = [
    ("vestibule_requests_total", "Requests answered, by status class and by what their route asks of callers"),
    ("vestibule_request_duration_seconds", "From the request's head to the end of its answer"),
    ("vestibule_refusals_total", "Requests answered without asking an upstream, by reason"),
    ("vestibule_upstream_errors_total", "Requests that an upstream failed to answer, by kind"),
    ("vestibule_connections_open", "Client connections open now"),
    ("vestibule_connections_total", "Client connections accepted"),
    ("vestibule_cache_hits_total", "Tokens found in the cache of verified ones"),
    ("vestibule_cache_misses_total", "Tokens that had to be verified"),
    ("vestibule_cache_entries", "Tokens in the cache of verified ones"),
    ("vestibule_logins_total", "Attempts to sign in, by outcome"),
    ("vestibule_hashes_total", "Passwords hashed, to keep or to compare"),
    ("vestibule_hash_queue", "Passwords that wait to be hashed"),
    ("vestibule_mails_total", "Attempts to send a mail, by outcome: sent, delayed, given up"),
    ("vestibule_mails_waiting", "Mails that wait in the outbox"),
    (
        "vestibule_log_dropped_total",
        "Access, audit and log lines lost because nobody read stdout or stderr fast enough",
    ),
    ("vestibule_build_info", "The version that runs"),
];

/// Why a request was refused; a stable `snake_case` word.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refused {
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Failed {
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

/// The counters of one process. Fields are handles: clone them once, then counting is one atomic addition.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    workers: Arc<[Arc<Traffic>]>,
    refusals: Family<Refused, Counter>,
    upstream_errors: Family<Failed, Counter>,
    logins: Family<Outcome, Counter>,
    mails: Family<Outcome, Counter>,
    pub connections_open: Gauge,
    pub connections: Counter,
    pub cache_hits: Counter,
    pub cache_misses: Counter,
    pub cache_entries: Gauge,
    pub hashes: Counter,
    pub hash_queue: Gauge,
    pub mails_waiting: Gauge,
    pub log_dropped: Counter,
}

impl Metrics {
    /// Returns the metrics of a process with that many workers; at least one is made. `log_dropped` counts the lines that it loses.
    pub fn new(workers: usize, log_dropped: Counter) -> Self {
        let mut metrics = Self {
            registry: Registry::default(),
            workers: (0..workers.max(1)).map(|_| Arc::default()).collect(),
            refusals: Family::default(),
            upstream_errors: Family::default(),
            logins: Family::default(),
            mails: Family::default(),
            mails_waiting: Gauge::default(),
            connections_open: Gauge::default(),
            connections: Counter::default(),
            cache_hits: Counter::default(),
            cache_misses: Counter::default(),
            cache_entries: Gauge::default(),
            hashes: Counter::default(),
            hash_queue: Gauge::default(),
            log_dropped,
        };
        metrics.register();
        metrics
    }

    fn register(&mut self) {
        let registry = &mut self.registry;
        registry.register_collector(Box::new(AllTraffic(Arc::clone(&self.workers))));
        add(registry, "vestibule_refusals_total", &self.refusals);
        add(registry, "vestibule_upstream_errors_total", &self.upstream_errors);
        add(registry, "vestibule_connections_open", &self.connections_open);
        add(registry, "vestibule_connections_total", &self.connections);
        add(registry, "vestibule_cache_hits_total", &self.cache_hits);
        add(registry, "vestibule_cache_misses_total", &self.cache_misses);
        add(registry, "vestibule_cache_entries", &self.cache_entries);
        add(registry, "vestibule_logins_total", &self.logins);
        add(registry, "vestibule_hashes_total", &self.hashes);
        add(registry, "vestibule_hash_queue", &self.hash_queue);
        add(registry, "vestibule_mails_total", &self.mails);
        add(registry, "vestibule_mails_waiting", &self.mails_waiting);
        add(registry, "vestibule_log_dropped_total", &self.log_dropped);
        let (name, help) = listed("vestibule_build_info");
        registry.register(name, help, Info::new([("version", env!("CARGO_PKG_VERSION"))]));
    }

    /// Returns the counters of one worker; a number too many shares those of another.
    pub fn worker(&self, index: usize) -> Arc<Traffic> {
        Arc::clone(&self.workers[index % self.workers.len()])
    }

    /// Counts a request that no upstream was asked for. `reason` is the same stable word as in the access line.
    pub fn refused(&self, reason: &'static str) {
        self.refusals.get_or_create(&Refused { reason }).inc();
    }

    /// Counts a request that an upstream failed: `connect`, `timeout`, …
    pub fn upstream_failed(&self, kind: &'static str) {
        self.upstream_errors.get_or_create(&Failed { kind }).inc();
    }

    /// Counts an attempt to sign in: `succeeded`, `failed`, `limited`.
    pub fn login(&self, outcome: &'static str) {
        self.logins.get_or_create(&Outcome { outcome }).inc();
    }

    /// Counts an attempt to send a mail: `sent`, `delayed`, `given_up`.
    pub fn mail(&self, outcome: &'static str) {
        self.mails.get_or_create(&Outcome { outcome }).inc();
    }

    /// Returns everything in the `OpenMetrics` text format, `application/openmetrics-text; version=1.0.0; charset=utf-8`.
    pub fn encode(&self) -> String {
        let mut text = String::with_capacity(8 * 1024);
        encode(&mut text, &self.registry).expect("a String takes every write");
        text
    }
}

fn add(registry: &mut Registry, name: &str, metric: &(impl prometheus_client::registry::Metric + Clone)) {
    let (name, help) = listed(name);
    registry.register(name, help, metric.clone());
}

/// Returns name and help as the library wants them: it appends `_total`, `_info` and the full stop itself.
fn listed(name: &str) -> (&'static str, &'static str) {
    let (name, help) = ALL.iter().find(|(listed, _)| *listed == name).expect("every name is in the list");
    (name.trim_end_matches("_total").trim_end_matches("_info"), help)
}

/// Sums the workers' traffic when it is scraped.
#[derive(Debug)]
struct AllTraffic(Arc<[Arc<Traffic>]>);

impl Collector for AllTraffic {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let sum = traffic::sum(&self.0);
        let (name, help) = listed("vestibule_requests_total");
        let mut requests = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (labels, count) in sum.requests() {
            requests.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(&count, None)?;
        }
        let (name, help) = listed("vestibule_request_duration_seconds");
        let mut durations = encoder.encode_descriptor(name, help, None, MetricType::Histogram)?;
        let buckets = sum.buckets();
        let count = buckets.iter().map(|(_, count)| count).sum();
        durations.encode_histogram::<NoLabelSet>(sum.seconds(), count, &buckets, None)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn counted() -> String {
        let metrics = Metrics::new(2, Counter::default());
        metrics.worker(0).record(AccessKind::Public, 200, Duration::from_micros(700));
        metrics.worker(1).record(AccessKind::Public, 204, Duration::from_secs(100));
        metrics.worker(1).record(AccessKind::Unrouted, 404, Duration::from_millis(4));
        metrics.refused("no_route");
        metrics.upstream_failed("connect");
        metrics.login("failed");
        metrics.mail("delayed");
        metrics.log_dropped.inc_by(3);
        metrics.encode()
    }

    #[test]
    fn what_is_scraped_is_exactly_what_is_listed() {
        let text = counted();
        let scraped: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
        assert_eq!(scraped.len(), ALL.len());
        for (name, _) in ALL {
            assert!(text.lines().any(|line| line.starts_with(name)), "{name} is not scraped:\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn workers_are_summed() {
        let text = counted();
        for line in [
            "vestibule_requests_total{status=\"2xx\",access=\"public\"} 2",
            "vestibule_requests_total{status=\"4xx\",access=\"none\"} 1",
            "vestibule_request_duration_seconds_count 3",
            "vestibule_request_duration_seconds_sum 100.0047",
            "vestibule_request_duration_seconds_bucket{le=\"0.001\"} 1",
            "vestibule_request_duration_seconds_bucket{le=\"0.005\"} 2",
            "vestibule_request_duration_seconds_bucket{le=\"+Inf\"} 3",
        ] {
            assert!(text.lines().any(|found| found == line), "no line {line}:\n{text}");
        }
    }

    #[test]
    fn labelled_counters_carry_their_word() {
        let text = counted();
        for line in [
            "vestibule_refusals_total{reason=\"no_route\"} 1",
            "vestibule_upstream_errors_total{kind=\"connect\"} 1",
            "vestibule_logins_total{outcome=\"failed\"} 1",
            "vestibule_mails_total{outcome=\"delayed\"} 1",
            "vestibule_log_dropped_total 3",
        ] {
            assert!(text.lines().any(|found| found == line), "no line {line}:\n{text}");
        }
    }

    #[test]
    fn a_worker_too_many_still_counts() {
        let metrics = Metrics::new(1, Counter::default());
        metrics.worker(7).record(AccessKind::Protected, 200, Duration::ZERO);
        assert!(metrics.encode().contains("vestibule_request_duration_seconds_count 1\n"));
    }
}
