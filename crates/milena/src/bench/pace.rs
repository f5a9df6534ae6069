//! The times at which records are due, and their values.

use std::time::Duration;

use runtime::clock::{self, Instant};
use runtime::random;

/// Bytes of all values together.
const POOL_BYTES: usize = 1 << 20;

/// An open loop: each record has its due time, whatever happens to those before it.
#[derive(Debug)]
pub(super) struct Pace {
    begun: Instant,
    per_second: Option<u64>,
    /// The end of the last wait.
    woke: Instant,
}

impl Pace {
    /// Starts now.
    pub(super) fn new(per_second: Option<u64>) -> Pace {
        let begun = clock::now();
        Pace { begun, per_second, woke: begun }
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Waits until the n-th record is due, and returns its due time. Without a rate, a record is due when it
    /// is requested.
    pub(super) async fn due(&mut self, nth: u64) -> Instant {
        let Some(per_second) = self.per_second else { return clock::now() };
        let (whole, part) = (nth / per_second, nth % per_second);
        let due = self.begun
            + Duration::from_secs(whole)
            + Duration::from_nanos(part.saturating_mul(1_000_000_000) / per_second);
        if due > clock::now() {
            clock::sleep_until(due).await;
            self.woke = clock::now();
        }
        // A late timer is not the broker's fault; a broker that leaves no time to wait is.
        due.max(self.woke)
    }
}

/// Values of one size: random letters, which compress to about two thirds.
#[derive(Debug)]
pub(super) struct Values {
    letters: Vec<u8>,
    size: usize,
}

impl Values {
    pub(super) fn new(size: usize) -> Values {
        let mut letters = vec![0; POOL_BYTES.max(size)];
        random::fill(&mut letters);
        for letter in &mut letters {
            *letter = b'A' + *letter % 26;
        }
        Values { letters, size }
    }

    /// The value of the n-th record.
    pub(super) fn of(&self, nth: u64) -> &[u8] {
        let places = (self.letters.len() / self.size) as u64;
        let start = usize::try_from(nth % places).expect("within the letters") * self.size;
        &self.letters[start..start + self.size]
    }
}
