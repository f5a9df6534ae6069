//! The times at which messages are due, and the delay of their results.

use std::num::NonZeroU64;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

/// The longest time that can be resolved.
const MAX: Duration = Duration::from_secs(600);
/// The slack that the system may add to a wait.
const SLACK_NS: NonZeroU64 = NonZeroU64::new(1_000).expect("some");

/// An open loop: each message has its due time, whatever happened to those before it.
#[derive(Clone)]
pub(crate) struct Schedule {
    begun: Instant,
    per_second: u64,
}

impl Schedule {
    /// Starts now, on the calling thread.
    pub(crate) fn new(per_second: u64) -> Schedule {
        // Without it each sleep lasts 50 us longer; if it fails, so be it.
        let _ = rustix::thread::set_current_timer_slack(Some(SLACK_NS));
        Schedule { begun: Instant::now(), per_second }
    }

    /// The time at which the n-th message is due.
    pub(crate) fn due(&self, nth: u64) -> Instant {
        let (whole, part) = (nth / self.per_second, nth % self.per_second);
        self.begun + Duration::from_secs(whole) + Duration::from_nanos(part * 1_000_000_000 / self.per_second)
    }

    /// Waits until the n-th message is due; returns that time. A delay makes later messages late, and they
    /// count from when they should have been sent.
    pub(crate) fn wait(&self, nth: u64) -> Instant {
        let due = self.due(nth);
        let left = due.saturating_duration_since(Instant::now());
        if !left.is_zero() {
            std::thread::sleep(left);
        }
        due
    }
}

/// An empty histogram of ns with three digits.
pub(crate) fn histogram() -> Histogram<u64> {
    let max = u64::try_from(MAX.as_nanos()).expect("minutes");
    Histogram::new_with_max(max, 3).expect("its bounds are in order")
}

/// Records the delay of a result that arrived now.
pub(crate) fn record(histogram: &mut Histogram<u64>, due: Instant) {
    histogram.saturating_record(u64::try_from(due.elapsed().as_nanos()).unwrap_or(u64::MAX));
}

/// A percentile in ms.
pub(crate) fn percentile_ms(histogram: &Histogram<u64>, percent: f64) -> f64 {
    histogram.value_at_percentile(percent) as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Schedule, histogram, percentile_ms, record};

    #[test]
    fn messages_are_due_at_their_rate() {
        let schedule = Schedule::new(3);
        let since = |nth| schedule.due(nth) - schedule.due(0);
        assert_eq!([since(3), since(30)], [Duration::from_secs(1), Duration::from_secs(10)]);
        assert_eq!(since(1), Duration::from_nanos(333_333_333));
    }

    /// One stall makes all messages that were due meanwhile late, each by the rest of it.
    #[test]
    fn a_stall_is_charged_to_all_that_it_delays() {
        let stalled = Instant::now() - Duration::from_millis(100);
        let mut latencies = histogram();
        (0..10).for_each(|nth| record(&mut latencies, stalled + Duration::from_millis(10 * nth)));
        assert!(percentile_ms(&latencies, 100.0) >= 100.0);
        assert!(percentile_ms(&latencies, 50.0) >= 50.0);
    }
}
