//! Simulated time, advanced by the scheduler.

use std::fmt;
use std::future::Future;
use std::ops::{Add, AddAssign, Sub, SubAssign};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use super::world;

/// Wall-clock time in milliseconds since the Unix epoch, by this host's clock.
pub fn now_ms() -> i64 {
    world().with(|state| state.wall_ms())
}

/// Milliseconds since the start of the run, on the clock of [`now`].
pub fn steady_ms() -> i64 {
    i64::try_from(now().0.as_millis()).unwrap_or(i64::MAX)
}

/// The monotonic time now, for deadlines.
pub fn now() -> Instant {
    Instant(world().with(|state| state.now))
}

/// A point in time, counted from the start of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(Duration);

impl Instant {
    /// The time since this point.
    pub fn elapsed(&self) -> Duration {
        now().saturating_duration_since(*self)
    }

    /// The time since `earlier`; zero if that is later.
    pub fn saturating_duration_since(&self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    /// The time since `earlier`; zero if that is later.
    pub fn duration_since(&self, earlier: Self) -> Duration {
        self.saturating_duration_since(earlier)
    }

    /// This point and `duration`, or `None` if that cannot be represented.
    pub fn checked_add(&self, duration: Duration) -> Option<Self> {
        self.0.checked_add(duration).map(Self)
    }

    /// The point `duration` before this one, or `None` if that is before the run.
    pub fn checked_sub(&self, duration: Duration) -> Option<Self> {
        self.0.checked_sub(duration).map(Self)
    }
}

impl Add<Duration> for Instant {
    type Output = Self;
    fn add(self, duration: Duration) -> Self {
        Self(self.0 + duration)
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, duration: Duration) {
        self.0 += duration;
    }
}

impl Sub<Duration> for Instant {
    type Output = Self;
    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(duration))
    }
}

impl SubAssign<Duration> for Instant {
    fn sub_assign(&mut self, duration: Duration) {
        *self = *self - duration;
    }
}

impl Sub for Instant {
    type Output = Duration;
    fn sub(self, earlier: Self) -> Duration {
        self.saturating_duration_since(earlier)
    }
}

/// Waits for `duration`.
pub fn sleep(duration: Duration) -> Sleep {
    sleep_until(Instant(now().0.saturating_add(duration)))
}

/// Waits until `deadline`; returns at once if it has passed.
pub fn sleep_until(deadline: Instant) -> Sleep {
    Sleep { deadline: deadline.0, timer: None }
}

/// The future of [`sleep`].
#[derive(Debug)]
pub struct Sleep {
    deadline: Duration,
    timer: Option<u64>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let deadline = self.deadline;
        let world = world();
        let timer = self.timer.take();
        let (armed, before) = world.with(|state| {
            let before = timer.and_then(|timer| state.timers.remove(&(deadline, timer)));
            let is_early = state.now < deadline;
            (is_early.then(|| state.arm(deadline, context.waker().clone())), before)
        });
        // Outside the lock: a waker may be the last to hold a task.
        drop(before);
        self.timer = armed;
        if armed.is_some() { Poll::Pending } else { Poll::Ready(()) }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        let Some(timer) = self.timer else { return };
        let waker =
            super::try_world().map(|world| world.with(|state| state.timers.remove(&(self.deadline, timer))));
        // Outside the lock: a waker may be the last to hold a task.
        drop(waker);
    }
}

/// Waits for `future` for at most `duration`.
pub fn timeout<F: Future>(duration: Duration, future: F) -> Timeout<F> {
    Timeout { sleep: sleep(duration), future: Box::pin(future) }
}

/// Waits for `future` until `deadline` at most.
pub fn timeout_at<F: Future>(deadline: Instant, future: F) -> Timeout<F> {
    Timeout { sleep: sleep_until(deadline), future: Box::pin(future) }
}

/// The future of [`timeout`].
#[derive(Debug)]
pub struct Timeout<F> {
    sleep: Sleep,
    future: Pin<Box<F>>,
}

impl<F: Future> Future for Timeout<F> {
    type Output = Result<F::Output, TimeoutError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let Poll::Ready(output) = self.future.as_mut().poll(context) {
            return Poll::Ready(Ok(output));
        }
        Pin::new(&mut self.sleep).poll(context).map(|()| Err(TimeoutError))
    }
}

/// The error of a future that took longer than its time limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeoutError;

impl fmt::Display for TimeoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("deadline has elapsed")
    }
}

impl std::error::Error for TimeoutError {}
