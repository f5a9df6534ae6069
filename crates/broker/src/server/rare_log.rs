//! Log lines that clients cause: written, but not as often as clients like.

use std::time::Duration;

use parking_lot::Mutex;
use runtime::clock::Instant;

/// The number of lines that may be written in a row.
const BURST: u32 = 5;
/// The time until one more line may be written.
const EVERY: Duration = Duration::from_secs(10);

/// Limits the rate of lines.
#[derive(Debug, Default)]
pub(crate) struct RareLog(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// The lines that were written, less those that time has given back.
    written: u32,
    /// The time at which one was last given back.
    since: Option<Instant>,
    left_out: u64,
}

impl RareLog {
    /// Returns whether a line may be written at `now`, and if so how many were left out since the last one.
    pub(crate) fn admit(&self, now: Instant) -> Option<u64> {
        let mut state = self.0.lock();
        let since = *state.since.get_or_insert(now);
        let regained = now.saturating_duration_since(since).as_secs() / EVERY.as_secs();
        if regained > 0 {
            state.written = state.written.saturating_sub(u32::try_from(regained).unwrap_or(u32::MAX));
            state.since = Some(now);
        }
        if state.written >= BURST {
            state.left_out += 1;
            return None;
        }
        state.written += 1;
        Some(std::mem::take(&mut state.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_lines_at_once_and_then_one_at_a_time() {
        let log = RareLog::default();
        let start = runtime::clock::now();
        let burst: Vec<_> = (0..BURST).map(|_| log.admit(start)).collect();
        assert_eq!(burst, vec![Some(0); 5]);
        for _ in 0..1000 {
            assert_eq!(log.admit(start + EVERY / 2), None);
        }
        assert_eq!(log.admit(start + EVERY), Some(1000));
        assert_eq!(log.admit(start + EVERY), None);
        assert_eq!(log.admit(start + 20 * EVERY), Some(1));
    }
}
