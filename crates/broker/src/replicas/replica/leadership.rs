//! Leading and following: going by the controller's decisions.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use metadata::Partition;
use protocol::ErrorCode;
use runtime::clock;

use super::super::leader::{BrokerState, Leader};
use super::super::role::Role;
use super::{News, PartitionRules, Replica, State};

/// The epoch of a replica that follows.
const FOLLOWS: i32 = -1;

/// The epoch that a replica leads in, which is read without its lock.
#[derive(Debug)]
pub(super) struct LeadingEpoch(AtomicI32);

impl LeadingEpoch {
    pub(super) fn of(role: &Role) -> Self {
        let epoch = Self(AtomicI32::new(FOLLOWS));
        epoch.set(role);
        epoch
    }

    fn get(&self) -> Option<i32> {
        let epoch = self.0.load(Ordering::Acquire);
        (epoch != FOLLOWS).then_some(epoch)
    }

    /// Follows a role while its lock is held.
    fn set(&self, role: &Role) {
        self.0.store(role.leader().map_or(FOLLOWS, Leader::epoch), Ordering::Release);
    }
}

impl State {
    /// Raises the high watermark to the leader's, if the replica leads. Returns whether it has risen.
    pub(super) fn raise_high_watermark(&mut self, rules: &PartitionRules) -> bool {
        let (Some(log), Role::Leader(leader)) = (&mut self.log, &self.role) else { return false };
        let before = log.high_watermark();
        let now_ms = if leader.has_followers() { clock::steady_ms() } else { 0 };
        let high_watermark = leader.high_watermark(before, log.end_offset(), &rules.in_sync(), now_ms);
        if high_watermark > before {
            log.set_high_watermark(high_watermark);
        }
        high_watermark > before
    }

    /// The leader and the log that it appends to, if it leads in that epoch still: what was admitted in one epoch is not
    /// appended in a later one.
    ///
    /// # Errors
    /// NOT_LEADER_OR_FOLLOWER.
    pub(super) fn leader_in(&self, epoch: i32) -> Result<&Leader, ErrorCode> {
        let leader = self.role.leader()?;
        if leader.epoch() == epoch { Ok(leader) } else { Err(ErrorCode::NOT_LEADER_OR_FOLLOWER) }
    }
}

impl Replica {
    /// The epoch that this replica leads in; `None` if it follows.
    pub(crate) fn leading_epoch(&self) -> Option<i32> {
        self.leading_epoch.get()
    }

    /// Goes by a later decision of the controller. Fetches that wait look again in a new epoch: the replica may not lead
    /// any more, or the clients know an epoch that is over. Returns whether the epoch or the role is another.
    pub(crate) fn decide(&self, decided: &Arc<Partition>) -> bool {
        let (is_new, raised) = {
            let mut state = self.state.lock();
            let (before, end_offset) = (state.role.leader_epoch(), self.offsets.end());
            state.role.decide(self.node_id, decided, end_offset, clock::steady_ms());
            let is_new = state.role.leader_epoch() != before;
            let State { log, role } = &mut *state;
            if let (Some(log), Role::Leader(leader)) = (log, role) {
                log.assign_epoch(leader.epoch());
            }
            self.leading_epoch.set(&state.role);
            (is_new, state.raise_high_watermark(&self.rules.load()))
        };
        if is_new {
            self.watchers.notify(&[News::End]);
        }
        self.tell_progress(raised || is_new);
        is_new
    }

    /// Takes note of the brokers that followers are on, see [`Leader::set_brokers`].
    pub(crate) fn set_brokers(&self, broker: impl Fn(i32) -> Option<BrokerState>) {
        if let Role::Leader(leader) = &mut self.state.lock().role {
            leader.set_brokers(broker);
        }
    }

    /// Checks that this replica leads, for a client that knows a leader epoch, or -1.
    ///
    /// # Errors
    /// As [`Role::check_epoch`]; NOT_LEADER_OR_FOLLOWER if it follows in the client's epoch.
    pub(crate) fn check_leads(&self, epoch: i32) -> Result<(), ErrorCode> {
        let state = self.state.lock();
        state.role.check_epoch(epoch)?;
        state.role.leader().map(drop)
    }
}
