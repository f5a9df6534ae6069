//! The latency of single requests while something else goes on.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use protocol::Bytes;

use crate::Attempt;
use crate::connection::Connection;

/// A request that is repeated over one connection.
pub(crate) enum Probe<'a> {
    /// Produces this batch to partition 0 with these `acks`.
    Produce { topic: &'a str, batch: &'a Bytes, acks: i16 },
    /// Fetches a page of partition 0 at some offset below `end`.
    Fetch { topic: &'a str, end: i64 },
}

/// Time between two requests of a probe.
const EVERY: Duration = Duration::from_millis(4);
/// Bytes of one fetch.
const FETCH_BYTES: i32 = 16_384;

impl Probe<'_> {
    /// Sends requests until `stop` is set; returns their latencies in milliseconds.
    fn run(&self, bootstrap: &str, stop: &AtomicBool) -> Attempt<Vec<f64>> {
        let mut connection = Connection::open(bootstrap)?;
        let mut latencies = Vec::new();
        let begun = Instant::now();
        for number in 1.. {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            // A late answer delays the requests after it, and they count from when they should have been
            // sent.
            let due = begun + EVERY * number;
            thread::sleep(due.saturating_duration_since(Instant::now()));
            self.ask(&mut connection, i64::from(number))?;
            latencies.push(due.elapsed().as_secs_f64() * 1e3);
        }
        Ok(latencies)
    }

    fn ask(&self, connection: &mut Connection, number: i64) -> Attempt<()> {
        match self {
            Probe::Produce { topic, batch, acks } => connection.produce(topic, 0, batch, *acks).map(drop),
            Probe::Fetch { topic, end } => {
                let offset = number.wrapping_mul(2_654_435_761) % end;
                connection.fetch(topic, 0, offset, FETCH_BYTES).map(drop)
            }
        }
    }
}

/// Runs all probes while `work` runs; returns the latencies of each, in milliseconds, and the result of
/// `work`.
pub(crate) fn while_running<T>(
    bootstrap: &str,
    probes: &[Probe<'_>],
    work: impl FnOnce() -> Attempt<T>,
) -> Attempt<(Vec<Vec<f64>>, T)> {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let stop = &stop;
        let running: Vec<_> =
            probes.iter().map(|probe| scope.spawn(move || probe.run(bootstrap, stop))).collect();
        let done = work();
        stop.store(true, Ordering::Relaxed);
        let latencies: Attempt<Vec<_>> =
            running.into_iter().map(|probe| probe.join().expect("a probe does not panic")).collect();
        Ok((latencies?, done?))
    })
}

/// The latency that `percent` of the answers do not exceed.
pub(crate) fn percentile(latencies: &[f64], percent: f64) -> f64 {
    let mut sorted = latencies.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = (sorted.len() as f64 * percent / 100.0) as usize;
    sorted.get(at.min(sorted.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
}
