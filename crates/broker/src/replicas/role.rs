//! The role of a replica in its partition's leader epoch.

use std::sync::Arc;

use metadata::Partition;
use protocol::ErrorCode;

use super::follower::Follower;
use super::leader::Leader;
use super::traps::{self, Trap};

/// A replica leads, or follows; without a leader in the cluster it follows nobody.
#[derive(Debug, Clone)]
pub(crate) enum Role {
    Leader(Leader),
    Follower(Follower),
}

impl Role {
    /// The role that the controller has decided for this broker's replica, whose log ends at `end_offset`.
    pub(crate) fn new(node_id: i32, decided: &Arc<Partition>, end_offset: i64, now_ms: i64) -> Self {
        if decided.leader == node_id {
            Self::Leader(Leader::new(node_id, Arc::clone(decided), end_offset, now_ms))
        } else {
            Self::Follower(Follower::new(decided))
        }
    }

    /// Goes by a decision of the controller; one that is older than the last changes nothing. A leader whose decision
    /// names another has resigned by this.
    pub(crate) fn decide(&mut self, node_id: i32, decided: &Arc<Partition>, end_offset: i64, now_ms: i64) {
        let leads = decided.leader == node_id;
        match self {
            Self::Leader(leader) if leads => leader.decide(Arc::clone(decided), end_offset, now_ms),
            Self::Follower(follower) if !leads => follower.decide(decided),
            role if decided.partition_epoch >= role.partition_epoch() => {
                *role = Self::new(node_id, decided, end_offset, now_ms);
            }
            _ => {}
        }
    }

    /// The leader.
    ///
    /// # Errors
    /// NOT_LEADER_OR_FOLLOWER if the replica follows.
    pub(crate) fn leader(&self) -> Result<&Leader, ErrorCode> {
        match self {
            Self::Leader(leader) => Ok(leader),
            Self::Follower(_) => Err(ErrorCode::NOT_LEADER_OR_FOLLOWER),
        }
    }

    /// Fences a client that knows an older leader epoch, or a newer one than this broker does
    /// (KIP-320). -1 is the epoch of a client that does not say.
    ///
    /// # Errors
    /// FENCED_LEADER_EPOCH or UNKNOWN_LEADER_EPOCH.
    pub(crate) fn check_epoch(&self, epoch: i32) -> Result<(), ErrorCode> {
        match epoch {
            -1 => Ok(()),
            epoch if epoch == self.leader_epoch() => Ok(()),
            _ if traps::is_on(Trap::FetchUnfenced) => Ok(()),
            epoch if epoch < self.leader_epoch() => Err(ErrorCode::FENCED_LEADER_EPOCH),
            _ => Err(ErrorCode::UNKNOWN_LEADER_EPOCH),
        }
    }

    pub(crate) fn leader_epoch(&self) -> i32 {
        match self {
            Self::Leader(leader) => leader.epoch(),
            Self::Follower(follower) => follower.leader_epoch(),
        }
    }

    fn partition_epoch(&self) -> i32 {
        match self {
            Self::Leader(leader) => leader.partition_epoch(),
            Self::Follower(follower) => follower.partition_epoch(),
        }
    }
}
