//! Wall-clock and monotonic time.
#![allow(clippy::disallowed_methods, reason = "this module is the seam")]

use std::future::Future;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub use tokio::time::Instant;
pub use tokio::time::error::Elapsed;

/// Wall-clock time in milliseconds since the Unix epoch, the unit of every timestamp in Kafka.
///
/// It can jump backwards; nothing may depend on it for correctness, only for what users see
/// (record timestamps, retention).
pub fn now_ms() -> i64 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
        // A clock before 1970 is a machine without a battery; the epoch is as good a guess.
        Err(_) => 0,
    }
}

/// The monotonic time now, for deadlines.
pub fn now() -> Instant {
    Instant::now()
}

/// Waits for `duration`.
pub async fn sleep(duration: Duration) {
    tokio::time::sleep(duration).await;
}

/// Waits until `deadline`; returns at once where it has passed.
pub async fn sleep_until(deadline: Instant) {
    tokio::time::sleep_until(deadline).await;
}

/// Waits for `future` for at most `duration`.
///
/// # Errors
/// [`Elapsed`] where the time was up first; the future is dropped.
pub async fn timeout<F: Future>(duration: Duration, future: F) -> Result<F::Output, Elapsed> {
    tokio::time::timeout(duration, future).await
}
