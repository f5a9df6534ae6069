//! The progress of opening many logs.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use runtime::clock::{self, Instant};
use tracing::warn;

/// The time between two reports, and before the first one.
const TOLD_EVERY: Duration = Duration::from_secs(3);

/// The number of open logs, reported at the level that is always shown: whoever waits for a broker wants to
/// know its progress.
pub(super) struct Progress {
    all: usize,
    done: AtomicUsize,
    told_at: Mutex<Instant>,
}

impl Progress {
    pub(super) fn new(all: usize, now: Instant) -> Progress {
        Progress { all, done: AtomicUsize::new(0), told_at: Mutex::new(now) }
    }

    /// Notes that one more is open.
    pub(super) fn one_more(&self) {
        if let Some(done) = self.count(clock::now()) {
            warn!("opening partitions: {done} of {} are open", self.all);
        }
    }

    /// Counts one more; returns how many are open if it is time to tell.
    fn count(&self, now: Instant) -> Option<usize> {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        // Another thread that is here at the same time tells of as many.
        let mut told_at = self.told_at.try_lock()?;
        if now.saturating_duration_since(*told_at) < TOLD_EVERY || done == self.all {
            return None;
        }
        *told_at = now;
        Some(done)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use runtime::clock;

    use super::{Progress, TOLD_EVERY};

    #[test]
    fn what_takes_long_is_told_of_every_few_seconds_until_it_is_done() {
        let began = clock::now();
        let progress = Progress::new(100, began);
        let told: Vec<_> =
            (1..=100).filter_map(|second| progress.count(began + Duration::from_secs(second))).collect();
        assert_eq!(told.first(), Some(&3));
        assert_eq!(told.len() as u64, 99 / TOLD_EVERY.as_secs());
        let quick = Progress::new(1_000, began);
        assert!((0..1_000).all(|_| quick.count(began).is_none()), "nothing is told of what is soon done");
    }
}
