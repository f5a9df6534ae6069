//! The result of a load.

use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::{Value, json};

/// The reported percentiles and their names.
const PERCENTILES: [(&str, f64); 4] = [("p50", 50.0), ("p95", 95.0), ("p99", 99.0), ("p99.9", 99.9)];
/// The longest latency that can be resolved.
const LATENCY_US_MAX: u64 = 600_000_000;

/// Latencies in microseconds, to three digits.
#[derive(Debug, Clone)]
pub(super) struct Latencies(Histogram<u64>);

impl Latencies {
    pub(super) fn new() -> Latencies {
        Latencies(Histogram::new_with_max(LATENCY_US_MAX, 3).expect("its bounds are in order"))
    }

    pub(super) fn add(&mut self, latency: Duration) {
        self.0.saturating_record(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX));
    }

    pub(super) fn count(&self) -> u64 {
        self.0.len()
    }

    /// A percentile in milliseconds.
    #[allow(clippy::cast_precision_loss, reason = "shown with a few digits")]
    pub(super) fn percentile_ms(&self, percent: f64) -> f64 {
        self.0.value_at_percentile(percent) as f64 / 1e3
    }
}

/// The result of a load and how long it took.
#[derive(Debug)]
pub(super) struct Summary {
    /// `produced`, `consumed`, ...
    pub(super) what: &'static str,
    pub(super) topic: String,
    pub(super) records: u64,
    /// Bytes of the records' values.
    pub(super) bytes: u64,
    pub(super) elapsed: Duration,
    /// The times until the acknowledgement, or until a consumer had the record.
    pub(super) latencies: Option<Latencies>,
}

/// Records and megabytes (10^6 bytes) per second.
#[allow(clippy::cast_precision_loss, reason = "shown with a few digits")]
pub(super) fn rates(records: u64, bytes: u64, elapsed: Duration) -> (f64, f64) {
    let seconds = elapsed.as_secs_f64().max(1e-6);
    (records as f64 / seconds, bytes as f64 / 1e6 / seconds)
}

impl Summary {
    pub(super) fn json(&self) -> Value {
        let (records, megabytes) = rates(self.records, self.bytes, self.elapsed);
        let latencies = self.latencies.as_ref().filter(|latencies| latencies.count() > 0).map(|latencies| {
            let told = PERCENTILES.iter().chain(&[("max", 100.0)]);
            let told =
                told.map(|(name, percent)| ((*name).to_owned(), json!(latencies.percentile_ms(*percent))));
            Value::Object(told.collect())
        });
        json!({
            "what": self.what,
            "topic": self.topic,
            "records": self.records,
            "bytes": self.bytes,
            "elapsedMs": u64::try_from(self.elapsed.as_millis()).unwrap_or(u64::MAX),
            "recordsPerSecond": records.round(),
            "megabytesPerSecond": (megabytes * 1e3).round() / 1e3,
            "latencyMs": latencies,
        })
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (rate, megabytes) = rates(self.records, self.bytes, self.elapsed);
        let (what, records, seconds) = (self.what, self.records, self.elapsed.as_secs_f64());
        write!(
            f,
            "{records} records {what} in {seconds:.3} s: {rate:.0} a second, {megabytes:.1} MB a second"
        )?;
        let Some(latencies) = self.latencies.as_ref().filter(|latencies| latencies.count() > 0) else {
            return Ok(());
        };
        write!(f, "\nlatency in ms:")?;
        for (name, percent) in PERCENTILES {
            write!(f, " {name} {:.2},", latencies.percentile_ms(percent))?;
        }
        write!(f, " max {:.2}", latencies.percentile_ms(100.0))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Latencies, Summary};

    #[test]
    fn rates_and_percentiles() {
        let mut latencies = Latencies::new();
        for ms in 1..=1_000 {
            latencies.add(Duration::from_millis(ms));
        }
        let summary = Summary {
            what: "produced",
            topic: "t".to_owned(),
            records: 1_000,
            bytes: 2_000_000,
            elapsed: Duration::from_millis(500),
            latencies: Some(latencies),
        };
        let text = summary.to_string();
        assert!(
            text.starts_with("1000 records produced in 0.500 s: 2000 a second, 4.0 MB a second\n"),
            "{text}"
        );
        let json = summary.json();
        assert_eq!(json["recordsPerSecond"], 2_000.0);
        let p99 = json["latencyMs"]["p99"].as_f64().expect("a number");
        assert!((989.0..=991.0).contains(&p99), "{p99}");
        let max = json["latencyMs"]["max"].as_f64().expect("a number");
        assert!((999.0..=1_001.0).contains(&max), "{max}");
    }

    #[test]
    fn without_latencies_none_are_told() {
        let summary = Summary {
            what: "consumed",
            topic: "t".to_owned(),
            records: 1,
            bytes: 1,
            elapsed: Duration::from_secs(1),
            latencies: None,
        };
        assert!(summary.json()["latencyMs"].is_null());
        assert!(!summary.to_string().contains("latency"));
    }
}
