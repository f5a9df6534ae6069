//! Deadlines: what is to happen when, as data. Nothing runs by itself; the host asks for the next
//! deadline and calls when it has come.

use std::collections::{BTreeMap, BTreeSet};

use protocol::Str;

use crate::SteadyMs;

/// A due event.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// A member, or a client that was given a member id and has not come back with it, was not heard
    /// of for its session timeout.
    Session { group_id: Str, member_id: Str },
    /// The members had their time to join.
    Join { group_id: Str },
    /// The members had their time to send SyncGroup.
    Sync { group_id: Str },
    /// That a group is empty could not be stored; it is tried again.
    StoreEmpty { group_id: Str },
    /// Expired offsets and empty groups are looked for. That comes round by the steady clock, and what has
    /// expired is decided by the wall clock of that moment, however it was set in between.
    Expiration,
}

/// At most one deadline for each [`Timer`], in the order in which they fall due.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    deadlines: BTreeMap<Timer, SteadyMs>,
    /// Invariant: holds `(deadline, timer)` exactly for the entries of `deadlines`.
    due: BTreeSet<(SteadyMs, Timer)>,
}

impl Timers {
    /// Sets the deadline of `timer`, in place of one that it may have.
    pub(crate) fn schedule(&mut self, timer: Timer, deadline: SteadyMs) {
        if let Some(previous) = self.deadlines.insert(timer.clone(), deadline) {
            self.due.remove(&(previous, timer.clone()));
        }
        self.due.insert((deadline, timer));
    }

    pub(crate) fn cancel(&mut self, timer: &Timer) {
        if let Some(deadline) = self.deadlines.remove(timer) {
            self.due.remove(&(deadline, timer.clone()));
        }
    }

    pub(crate) fn next_deadline(&self) -> Option<SteadyMs> {
        self.due.first().map(|(deadline, _)| *deadline)
    }

    /// Takes the timer that has been due for the longest.
    pub(crate) fn pop_due(&mut self, now: SteadyMs) -> Option<Timer> {
        if self.next_deadline()? > now {
            return None;
        }
        let (_, timer) = self.due.pop_first()?;
        let deadline = self.deadlines.remove(&timer);
        assert!(deadline.is_some(), "what is due has a deadline");
        Some(timer)
    }

    /// Sets the deadline of [`Timer::Expiration`] to that of `other`.
    #[cfg(test)]
    pub(crate) fn take_expiration_of(&mut self, other: &Timers) {
        self.schedule(Timer::Expiration, other.deadlines[&Timer::Expiration]);
    }
}
