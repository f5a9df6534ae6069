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
