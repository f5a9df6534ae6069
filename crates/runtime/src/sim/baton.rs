//! Threads of which one runs at a time.
//!
//! A thread of the product stays a thread. It runs while it holds the baton, and gives it back where it waits: in
//! [`super::sync`], when it joins another, when it ends. Nobody waits for the baton while holding a lock, so locks
//! never block, and the order of everything is the scheduler's.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// How long a thread may run before the run is given up: it waits for something outside the simulation, such as a
/// lock whose holder waits for the baton.
const RUN_MAX: Duration = Duration::from_secs(60);

/// What a thread waits at until it is its turn.
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

    /// As [`Gate::pass`], for the scheduler, which notices if a thread does not give the baton back.
    pub(super) fn pass_in_time(&self, runner: &str) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        while !*open {
            let waited = self.changed.wait_timeout(open, RUN_MAX).unwrap_or_else(PoisonError::into_inner);
            open = waited.0;
            if waited.1.timed_out() && !*open {
                // Nothing can be unwound: the thread holds what it holds.
                eprintln!(
                    "the thread {runner} waits for something outside the simulation: a lock under a wait?"
                );
                std::process::abort();
            }
        }
        *open = false;
    }
}
