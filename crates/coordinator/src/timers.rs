//! Deadlines: what is to happen when, as data. Nothing runs by itself; the shell asks for the next
//! deadline and calls when it has come.

use std::collections::{BTreeMap, BTreeSet};

use protocol::Str;

/// What falls due.
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
    /// Expired offsets and empty groups are looked for.
    Expiration,
}

/// At most one deadline for each [`Timer`], in the order in which they fall due. Times are wall-clock
/// milliseconds, as every `now_ms` given to the coordinator.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    deadlines: BTreeMap<Timer, i64>,
    /// Invariant: holds `(deadline, timer)` exactly for the entries of `deadlines`.
    due: BTreeSet<(i64, Timer)>,
}

impl Timers {
    /// Sets the deadline of `timer`, in place of one that it may have.
    pub(crate) fn schedule(&mut self, timer: Timer, deadline_ms: i64) {
        if let Some(previous) = self.deadlines.insert(timer.clone(), deadline_ms) {
            self.due.remove(&(previous, timer.clone()));
        }
        self.due.insert((deadline_ms, timer));
    }

    pub(crate) fn cancel(&mut self, timer: &Timer) {
        if let Some(deadline_ms) = self.deadlines.remove(timer) {
            self.due.remove(&(deadline_ms, timer.clone()));
        }
    }

    pub(crate) fn next_deadline_ms(&self) -> Option<i64> {
        self.due.first().map(|(deadline_ms, _)| *deadline_ms)
    }

    /// Takes the timer that has been due for the longest at `now_ms`.
    pub(crate) fn pop_due(&mut self, now_ms: i64) -> Option<Timer> {
        if self.next_deadline_ms()? > now_ms {
            return None;
        }
        let (_, timer) = self.due.pop_first()?;
        let deadline = self.deadlines.remove(&timer);
        assert!(deadline.is_some(), "what is due has a deadline");
        Some(timer)
    }
}
