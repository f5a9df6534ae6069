//! Threads, one of which runs at a time.
//!
//! A thread of the product stays a thread. It runs while it holds the baton, and returns it when it waits: in
//! [`super::sync`], when it joins another, when it ends. No thread waits for the baton while it holds a lock,
//! so locks never block, and the scheduler alone determines the order of everything.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// The time after which a running thread fails the run: it waits for something outside the simulation, such
/// as a lock whose holder waits for the baton.
const RUN_MAX: Duration = Duration::from_secs(60);

/// The place at which a thread waits for its turn.
#[derive(Debug, Default)]
pub(super) struct Gate {
    open: Mutex<bool>,
    changed: Condvar,
}

impl Gate {
    pub(super) fn open(&self) {
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_one();
    }

    /// Waits until the gate is opened, and closes it.
    pub(super) fn pass(&self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        while !*open {
            open = self.changed.wait(open).unwrap_or_else(PoisonError::into_inner);
        }
        *open = false;
    }

    /// Waits as [`Gate::pass`] does, for the scheduler; fails if a thread does not return the baton.
    pub(super) fn pass_in_time(&self, runner: &str) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        while !*open {
            let waited = self.changed.wait_timeout(open, RUN_MAX).unwrap_or_else(PoisonError::into_inner);
            open = waited.0;
            if waited.1.timed_out() && !*open {
                // Unwinding is impossible: the thread keeps its locks.
                eprintln!(
                    "the thread {runner} waits for something outside the simulation: a lock under a wait?"
                );
                std::process::abort();
            }
        }
        *open = false;
    }
}
