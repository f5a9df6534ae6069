//! The metrics of a running broker: their table, and their values.
//!
//! Only counters are kept for them: all other values are computed on request.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Weak};

use crate::broker::Broker;
use crate::directories::LogDir;
use crate::dispatch::APIS;
use crate::server::Server;

/// The kind of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// A count that only rises, from 0 at the start of the broker.
    Counter,
    /// A value that rises and falls.
    Gauge,
}

/// One row of the table of metrics. Names follow the conventions of Prometheus.
#[derive(Debug)]
pub struct Metric {
    /// The name without the unit and without `_total`.
    pub name: &'static str,
    /// The unit, in the plural; `None` for plain numbers.
    pub unit: Option<&'static str>,
    /// Its kind.
    pub kind: MetricKind,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// Its meaning.
    pub help: &'static str,
}

/// A metric's value for one set of labels.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The values of the metric's labels, in their order.
    pub labels: Vec<String>,
    /// The value: a whole number, or a fraction for a gauge in seconds.
    pub value: f64,
}

/// The samples of one metric.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricSamples {
    /// The metric's place in [`METRICS`].
    pub index: usize,
    /// One sample for each set of labels.
    pub samples: Vec<Sample>,
}

const fn counter(name: &'static str, help: &'static str) -> Metric {
    Metric { name, unit: None, kind: MetricKind::Counter, labels: &[], help }
}

const fn gauge(name: &'static str, help: &'static str) -> Metric {
    Metric { name, unit: None, kind: MetricKind::Gauge, labels: &[], help }
}

impl Metric {
    const fn unit(mut self, unit: &'static str) -> Self {
        self.unit = Some(unit);
        self
    }

    const fn by(mut self, labels: &'static [&'static str]) -> Self {
        self.labels = labels;
        self
    }

    /// The name with the unit and `_total`, as it is served.
    pub fn full_name(&self) -> String {
        let unit = self.unit.map(|unit| format!("_{unit}")).unwrap_or_default();
        let total = if self.kind == MetricKind::Counter { "_total" } else { "" };
        format!("{}{unit}{total}", self.name)
    }
}

/// All metrics, by name.
pub static METRICS: &[Metric] = &[
    gauge("milena_build_info", "Always 1; the label is the running version.").by(&["version"]),
    gauge("milena_connections", "Open connections of clients."),
    gauge(
        "milena_log_dir_full",
        "1 if the log directory's disk was full except for the reserve at the last check, so that records \
         of clients are rejected.",
    )
    .by(&["dir"]),
    gauge("milena_log_dir_online", "1 if the log directory works, 0 if it has failed.").by(&["dir"]),
    gauge("milena_log_dir_total", "The size of the volume that holds the log directory.")
        .unit("bytes")
        .by(&["dir"]),
    gauge("milena_log_dir_usable", "The free space on the volume that holds the log directory.")
        .unit("bytes")
        .by(&["dir"]),
    counter("milena_log_flush", "Time spent on flushing the logs in the log directory.")
        .unit("seconds")
        .by(&["dir"]),
    counter("milena_log_flushes", "Flushes of logs in the log directory, each for all waiting requests.")
        .by(&["dir"]),
    gauge("milena_log_segments", "Segments of all partitions in the log directory.").by(&["dir"]),
    gauge("milena_log_size", "Bytes of batches of all partitions in the log directory.")
        .unit("bytes")
        .by(&["dir"]),
    gauge("milena_partitions", "Partitions in the log directory that are served.").by(&["dir"]),
    counter("milena_received", "Bytes received from clients.").unit("bytes"),
    gauge(
        "milena_request_memory",
        "Bytes of received requests that were not handled yet; see \
         queued.max.request.bytes.",
    )
    .unit("bytes"),
    counter("milena_requests", "Handled requests, whatever the answer.").by(&["api"]),
    counter(
        "milena_requests_refused",
        "Requests that ended their connection: unknown, of a version that is not served, or malformed.",
    ),
    gauge(
        "milena_scrub_damaged_metadata_places",
        "Damaged places of the metadata log and its snapshots at the last scrub.",
    ),
    gauge("milena_scrub_damaged_places", "Damaged places that scrubs have found and that were not repaired.")
        .by(&["dir"]),
    gauge("milena_scrub_damaged_segments", "Segments with damaged places.").by(&["dir"]),
    gauge(
        "milena_scrub_last_round_end_timestamp",
        "The end of the last scrub of all closed segments, since the epoch; 0 before the first one since \
         the start.",
    )
    .unit("seconds"),
    counter("milena_scrub_read", "Bytes read by scrubs.").unit("bytes"),
    counter("milena_scrub_rounds", "Completed scrubs of all closed segments."),
    counter("milena_sent", "Bytes sent to clients.").unit("bytes"),
];

/// Reads the metrics of a broker.
#[derive(Clone)]
pub struct Metrics {
    server: Weak<Server>,
}

/// The samples, in the order of [`METRICS`].
struct SampleTable(Vec<MetricSamples>);

impl SampleTable {
    fn add(&mut self, name: &str, labels: &[&str], value: f64) {
        let index = METRICS.iter().position(|metric| metric.full_name() == name);
        let index = index.expect("every metric is in the table");
        assert_eq!(METRICS[index].labels.len(), labels.len(), "{name} has its labels");
        let labels = labels.iter().map(|label| (*label).to_owned()).collect();
        self.0[index].samples.push(Sample { labels, value });
    }
}

/// The sums over the partitions of a log directory.
#[derive(Default)]
struct OfDir {
    partitions: usize,
    segments: usize,
    size_bytes: u64,
    damaged_segments: usize,
    damaged_places: usize,
}

impl Metrics {
    pub(crate) fn of(server: &Arc<Server>) -> Self {
        Self { server: Arc::downgrade(server) }
    }

    /// Reads all metrics, in the order of [`METRICS`]; empty once the broker has stopped. May wait for a
    /// disk.
    pub fn read(&self) -> Vec<MetricSamples> {
        let Some(server) = self.server.upgrade() else { return Vec::new() };
        let empty = |index| MetricSamples { index, samples: Vec::new() };
        let mut samples = SampleTable((0..METRICS.len()).map(empty).collect());
        samples.add("milena_build_info", &[env!("CARGO_PKG_VERSION")], 1.0);
        traffic(&server, &mut samples);
        scrubs(server.broker(), &mut samples);
        log_dirs(server.broker(), &mut samples);
        samples.0
    }
}

fn traffic(server: &Server, samples: &mut SampleTable) {
    let traffic = &server.broker().traffic;
    for (api, count) in APIS.iter().zip(traffic.requests()) {
        samples.add("milena_requests_total", &[api.key.name()], count as f64);
    }
    samples.add("milena_requests_refused_total", &[], traffic.refused() as f64);
    samples.add("milena_received_bytes_total", &[], traffic.received_bytes() as f64);
    samples.add("milena_sent_bytes_total", &[], traffic.sent_bytes() as f64);
    samples.add("milena_connections", &[], server.open_connections() as f64);
    samples.add("milena_request_memory_bytes", &[], server.request_memory_bytes() as f64);
}

fn scrubs(broker: &Broker, samples: &mut SampleTable) {
    let progress = broker.scrubber.progress();
    let end_s = progress.last_round_end_ms.unwrap_or(0) as f64 / 1000.0;
    samples.add("milena_scrub_read_bytes_total", &[], progress.read_bytes as f64);
    samples.add("milena_scrub_rounds_total", &[], progress.rounds as f64);
    samples.add("milena_scrub_last_round_end_timestamp_seconds", &[], end_s);
    samples.add("milena_scrub_damaged_metadata_places", &[], broker.scrubber.metadata_places() as f64);
}

fn log_dirs(broker: &Broker, samples: &mut SampleTable) {
    let mut by_dir: BTreeMap<*const LogDir, OfDir> = BTreeMap::new();
    for partition in broker.replicas.table().partitions() {
        let Some((segments, size_bytes)) = partition.extent() else { continue };
        let (damaged_segments, places) = partition.damage();
        let of_dir = by_dir.entry(Arc::as_ptr(&partition.log_dir())).or_default();
        of_dir.partitions += 1;
        of_dir.segments += segments;
        of_dir.size_bytes += size_bytes;
        of_dir.damaged_segments += damaged_segments;
        of_dir.damaged_places += places.len();
    }
    for dir in broker.replicas.dirs().partition_dirs() {
        let path = dir.path().to_string_lossy();
        let label = &[&*path];
        let of_dir = by_dir.remove(&Arc::as_ptr(dir)).unwrap_or_default();
        samples.add("milena_partitions", label, of_dir.partitions as f64);
        samples.add("milena_log_segments", label, of_dir.segments as f64);
        samples.add("milena_log_size_bytes", label, of_dir.size_bytes as f64);
        samples.add("milena_scrub_damaged_segments", label, of_dir.damaged_segments as f64);
        samples.add("milena_scrub_damaged_places", label, of_dir.damaged_places as f64);
        samples.add("milena_log_dir_full", label, f64::from(u8::from(dir.is_full())));
        samples.add("milena_log_dir_online", label, f64::from(u8::from(dir.is_online())));
        let flushed = dir.opened().map(|directory| directory.flusher().times()).unwrap_or_default();
        samples.add("milena_log_flushes_total", label, flushed.flushes as f64);
        samples.add("milena_log_flush_seconds_total", label, flushed.time.as_secs_f64());
        if let Some(space) = dir.working().and_then(|directory| directory.space().ok()) {
            samples.add("milena_log_dir_total_bytes", label, space.total_bytes as f64);
            samples.add("milena_log_dir_usable_bytes", label, space.usable_bytes as f64);
        }
    }
}

/// The table as a Markdown page.
pub fn document() -> String {
    let mut page = String::from(
        "# Metrics\n\nGenerated from the table in `crates/broker/src/metrics.rs`; do not edit.\n\nThe HTTP \
         endpoint `/metrics` on `console.listener`, which is not set by default, serves them in the text \
         format of OpenMetrics, which Prometheus reads. Counters start at 0 with each start of the \
         broker.\n\n| metric | kind | labels | meaning |\n|---|---|---|---|\n",
    );
    for metric in METRICS {
        let kind = match metric.kind {
            MetricKind::Counter => "counter",
            MetricKind::Gauge => "gauge",
        };
        let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        let (name, labels, help) = (metric.full_name(), labels.join(", "), metric.help);
        writeln!(page, "| `{name}` | {kind} | {labels} | {help} |").expect("a string takes all");
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_and_follows_the_conventions() {
        assert!(METRICS.windows(2).all(|pair| pair[0].name < pair[1].name));
        for metric in METRICS {
            let name = metric.full_name();
            assert!(name.starts_with("milena_"), "{name}");
            assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name}");
            assert_eq!(name.ends_with("_total"), metric.kind == MetricKind::Counter, "{name}");
            assert!(metric.help.ends_with('.'), "{name}");
            assert!(metric.unit.is_none_or(|unit| ["bytes", "seconds"].contains(&unit)), "{name}");
        }
    }
}
