//! The wait before a retry.

use std::time::Duration;

/// Waits that double from a tenth of a second to one second, each randomly up to a fifth longer or shorter,
/// so that clients that lost their connections together do not return together.
#[derive(Debug, Clone)]
pub struct Backoff {
    next_ms: u64,
}

const FIRST_MS: u64 = 100;
const LONGEST_MS: u64 = 1000;

impl Default for Backoff {
    fn default() -> Self {
        Backoff { next_ms: FIRST_MS }
    }
}

impl Backoff {
    /// The wait before the next attempt; `random` is any random number.
    pub fn next_wait(&mut self, random: u64) -> Duration {
        let spread = self.next_ms / 5;
        let wait_ms = self.next_ms - spread + random % (2 * spread + 1);
        self.next_ms = (self.next_ms * 2).min(LONGEST_MS);
        Duration::from_millis(wait_ms)
    }

    /// Starts over after a success.
    pub fn reset(&mut self) {
        *self = Backoff::default();
    }
}

#[cfg(test)]
mod tests {
    use super::Backoff;

    #[test]
    fn waits_double_up_to_a_second() {
        let mut backoff = Backoff::default();
        // With these remainders the wait is the middle of its spread.
        let waits: Vec<u128> =
            [20, 40, 80, 160, 200, 200].map(|middle| backoff.next_wait(middle).as_millis()).to_vec();
        assert_eq!(waits, [100, 200, 400, 800, 1000, 1000]);
        backoff.reset();
        assert_eq!(backoff.next_wait(20).as_millis(), 100);
    }

    #[test]
    fn chance_moves_a_wait_by_a_fifth_at_most() {
        for random in 0..1000 {
            let wait_ms = Backoff::default().next_wait(random).as_millis();
            assert!((80..=120).contains(&wait_ms), "{wait_ms}");
        }
    }
}
