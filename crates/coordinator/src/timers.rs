//! Deadlines as data. Nothing runs by itself; the host asks for the next deadline, and calls when it has
//! passed.

use std::collections::{BTreeMap, BTreeSet};

use protocol::Str;

use crate::SteadyMs;

/// A due event.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// The session of a member, or of a client that was given a member id and has not returned with it, times
    /// out.
    Session { group_id: Str, member_id: Str },
    /// The time for members to join is over.
    Join { group_id: Str },
    /// The time for members to send SyncGroup is over.
    Sync { group_id: Str },
    /// An empty group is stored again, after a failed append.
    StoreEmpty { group_id: Str },
    /// Expired offsets and empty groups are searched for. The search is due by the steady clock; the wall
    /// clock at that moment decides what has expired, however it was set in between.
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
    /// Sets the deadline of `timer`, replacing a present one.
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

    /// Takes the timer that has been due the longest.
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
