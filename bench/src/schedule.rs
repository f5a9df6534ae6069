//! When messages are due, and how late what comes of them is.

use std::num::NonZeroU64;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

/// Longest time that is told apart.
const MAX: Duration = Duration::from_secs(600);
/// A wait that the system may lengthen by this much.
const SLACK_NS: NonZeroU64 = NonZeroU64::new(1_000).expect("some");

/// An open loop: each message has its time, whatever became of those before it.
#[derive(Clone)]
pub(crate) struct Schedule {
    begun: Instant,
    per_second: u64,
}

impl Schedule {
    /// Begins now, on the calling thread.
    pub(crate) fn new(per_second: u64) -> Schedule {
        // Without it each sleep lasts 50 us longer; where it is refused, it does.
        let _ = rustix::thread::set_current_timer_slack(Some(SLACK_NS));
        Schedule { begun: Instant::now(), per_second }
    }

    /// When the n-th message is due.
    pub(crate) fn due(&self, nth: u64) -> Instant {
        let (whole, part) = (nth / self.per_second, nth % self.per_second);
        self.begun + Duration::from_secs(whole) + Duration::from_nanos(part * 1_000_000_000 / self.per_second)
    }

    /// Waits until the n-th is due; gives when that is. What was late before makes later ones late, and they count from
    /// when they should have been sent.
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

/// Records what was due then and has come now.
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

    /// One stall makes all that were due meanwhile late, each by what was left of it.
    #[test]
    fn a_stall_is_charged_to_all_that_it_delays() {
        let stalled = Instant::now() - Duration::from_millis(100);
        let mut latencies = histogram();
        (0..10).for_each(|nth| record(&mut latencies, stalled + Duration::from_millis(10 * nth)));
        assert!(percentile_ms(&latencies, 100.0) >= 100.0);
        assert!(percentile_ms(&latencies, 50.0) >= 50.0);
    }
}
