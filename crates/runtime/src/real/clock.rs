//! Wall-clock and monotonic time.
#![allow(clippy::disallowed_methods, reason = "this module is the seam")]

use std::future::Future;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub use tokio::time::error::Elapsed as TimeoutError;
pub use tokio::time::{Instant, Sleep, Timeout};

/// Wall-clock time in milliseconds since the Unix epoch, the unit of every timestamp in Kafka.
///
/// The clock may be set, forwards and backwards. Read it each time for stored values and for comparison with
/// them (record timestamps, retention), and measure durations by [`steady_ms`] or [`now`].
pub fn now_ms() -> i64 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
        // A clock before 1970 is a machine without a battery; the epoch is as good a guess.
        Err(_) => 0,
    }
}

/// Milliseconds since the process first asked, on the clock of [`now`]: for ages that are kept as a number.
/// The value has no meaning outside this process.
pub fn steady_ms() -> i64 {
    static FIRST: OnceLock<Instant> = OnceLock::new();
    i64::try_from(FIRST.get_or_init(now).elapsed().as_millis()).unwrap_or(i64::MAX)
}

/// The monotonic time now, for deadlines.
pub fn now() -> Instant {
    Instant::now()
}

/// Waits for `duration`.
pub fn sleep(duration: Duration) -> Sleep {
    tokio::time::sleep(duration)
}

/// Waits until `deadline`; returns at once if it has passed.
pub fn sleep_until(deadline: Instant) -> Sleep {
    tokio::time::sleep_until(deadline)
}

/// Waits for `future` for at most `duration`. If that time passes first, the output is a [`TimeoutError`] and the
/// future is dropped.
pub fn timeout<F: Future>(duration: Duration, future: F) -> Timeout<F> {
    tokio::time::timeout(duration, future)
}

/// Waits for `future` until `deadline` at most; otherwise like [`timeout`].
pub fn timeout_at<F: Future>(deadline: Instant, future: F) -> Timeout<F> {
    tokio::time::timeout_at(deadline, future)
}
