//! Waiting for another thread.
#![allow(clippy::disallowed_methods, reason = "this module is the seam")]

use std::time::Duration;

use parking_lot::MutexGuard;

/// A condition variable.
#[derive(Debug, Default)]
pub struct Condvar(parking_lot::Condvar);

impl Condvar {
    /// Creates a condition variable.
    pub const fn new() -> Self {
        Self(parking_lot::Condvar::new())
    }

    /// Waits, with the lock released, until this is notified.
    pub fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
        self.0.wait(guard);
    }

    /// Waits as [`Condvar::wait`] does, for at most `duration`. Returns whether that time passed first.
    pub fn wait_for<T>(&self, guard: &mut MutexGuard<'_, T>, duration: Duration) -> bool {
        self.0.wait_for(guard, duration).timed_out()
    }

    /// Wakes one waiting thread, whichever.
    pub fn notify_one(&self) {
        self.0.notify_one();
    }

    /// Wakes all waiting threads.
    pub fn notify_all(&self) {
        self.0.notify_all();
    }
}
