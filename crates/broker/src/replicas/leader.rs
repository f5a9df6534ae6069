//! The leader's part of a partition. Pure: the controller's decisions, the fetches of followers, the end of the log and the
//! time in; the ISR to propose, and how far consumers may read out.
//!
//! | question | file |
//! |---|---|
//! | what a follower has, and whether it keeps up | `remote_replica` |
//! | who is to be in the ISR, and what the controller answers; when acks=all is satisfied | `isr`, `proposal` |
//! | whether a reader's log diverges from this one | `divergence` |

mod divergence;
mod isr;
mod proposal;
mod remote_replica;

use std::sync::Arc;

use metadata::Partition;
use protocol::ErrorCode;

pub(crate) use divergence::divergence;
pub(crate) use isr::Acknowledgement;
#[cfg(test)]
pub(crate) use proposal::IsrMember;
pub(crate) use proposal::{AfterAnswer, Proposal, ProposalAnswer};
use remote_replica::RemoteReplica;
pub(crate) use remote_replica::{BrokerState, FollowerFetch};

use super::traps::{self, Trap};

/// The leader of a partition: this broker, in one epoch after the other.
#[derive(Debug, Clone)]
pub(crate) struct Leader {
    node_id: i32,
    /// The controller's latest decision, shared with the metadata unless the answer to a proposal told of it first.
    decided: Arc<Partition>,
    /// The end of the log when the leader's epoch began.
    epoch_start: i64,
    /// A change of the ISR that the controller has not answered: one at a time.
    proposal: Option<Box<Proposal>>,
    /// The number of proposals so far.
    proposals: u32,
    /// The other replicas, in sync or not.
    followers: Box<[RemoteReplica]>,
}

/// The measure of being in sync.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InSyncRules {
    /// `min.insync.replicas`.
    pub(crate) min_in_sync: usize,
    /// `replica.lag.time.max.ms`.
    pub(crate) max_lag_ms: i64,
}

/// A fetch by a broker that the leader does not know as a replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoReplica;

impl Leader {
    /// A leader whose epoch begins at the end of the log. It knows nothing of its followers yet.
    pub(crate) fn new(node_id: i32, decided: Arc<Partition>, end_offset: i64, now_ms: i64) -> Self {
        let others = decided.replicas.iter().filter(|replica| **replica != node_id);
        let followers = others.map(|other| RemoteReplica::new(*other, decided.isr.contains(other), now_ms));
        let followers = followers.collect();
        Self { node_id, decided, epoch_start: end_offset, proposal: None, proposals: 0, followers }
    }

    pub(crate) fn epoch(&self) -> i32 {
        self.decided.leader_epoch
    }

    pub(crate) fn partition_epoch(&self) -> i32 {
        self.decided.partition_epoch
    }

    /// Whether there are other replicas. One that is alone needs no time and no rules.
    pub(crate) fn has_followers(&self) -> bool {
        !self.followers.is_empty()
    }

    /// The brokers that the other replicas are on.
    pub(crate) fn followers(&self) -> impl Iterator<Item = i32> {
        self.followers.iter().map(RemoteReplica::node_id)
    }

    /// Goes by a decision of the controller. What is known of followers stays known in the same epoch only: in a
    /// later one they may have truncated their logs.
    ///
    /// A decision that changes the partition ends the proposal in flight: it was accepted, and is part of the
    /// decision, or never will be. One that the answer to a proposal told of already comes again from the metadata; the
    /// next proposal may be under way by then and still counts. Kafka drops it there.
    pub(crate) fn decide(&mut self, decided: Arc<Partition>, end_offset: i64, now_ms: i64) {
        if decided.partition_epoch < self.decided.partition_epoch {
            return;
        }
        let before = std::mem::replace(self, Self::new(self.node_id, decided, end_offset, now_ms));
        self.proposals = before.proposals;
        let same_epoch = before.epoch() == self.epoch();
        for follower in &mut self.followers {
            if let Some(known) = before.followers.iter().find(|known| known.node_id() == follower.node_id()) {
                follower.inherit(known, same_epoch);
            }
        }
        if same_epoch {
            self.epoch_start = before.epoch_start;
            if before.decided.partition_epoch == self.decided.partition_epoch {
                self.proposal = before.proposal;
            }
        }
    }

    /// Takes note of the brokers that followers are on, as the metadata has them; `None` stands for one that is fenced or
    /// not registered.
    pub(crate) fn set_brokers(&mut self, state: impl Fn(i32) -> Option<BrokerState>) {
        for follower in &mut self.followers {
            follower.set_broker(state(follower.node_id()));
        }
    }

    /// Whether so many replicas are in sync as acks=all asks for by `min.insync.replicas`. It asks for no more than
    /// there are, so that a topic of one replica takes records whatever the broker's setting is.
    pub(crate) fn has_in_sync(&self, min: usize) -> bool {
        self.decided.isr.len() >= self.effective_min(min)
    }

    fn effective_min(&self, min: usize) -> usize {
        min.min(self.decided.replicas.len())
    }

    /// Checks that a broker has a replica of the partition.
    ///
    /// # Errors
    /// [`NoReplica`] if it has none, as far as this leader knows.
    pub(crate) fn check_replica(&self, node_id: i32) -> Result<(), NoReplica> {
        if self.follower(node_id).is_some() { Ok(()) } else { Err(NoReplica) }
    }

    fn follower(&self, node_id: i32) -> Option<&RemoteReplica> {
        self.followers.iter().find(|follower| follower.node_id() == node_id)
    }

    /// Notes what a follower's fetch says: it has everything before the offset that it fetches from. `end_offset` is the
    /// end of the leader's log when the fetch was read, and the fetch is one that does not diverge.
    ///
    /// # Errors
    /// NOT_LEADER_OR_FOLLOWER for a fetch that the broker sent before it was registered again (KIP-903).
    pub(crate) fn fetched(
        &mut self,
        fetch: &FollowerFetch,
        end_offset: i64,
        now_ms: i64,
    ) -> Result<(), ErrorCode> {
        let mut followers = self.followers.iter_mut();
        match followers.find(|follower| follower.node_id() == fetch.node_id) {
            Some(follower) => follower.fetched(fetch, end_offset, now_ms),
            None => Ok(()),
        }
    }

    /// The high watermark of a log that ends at `end_offset`: all replicas in sync have what is below, those included
    /// that a proposal takes in (KIP-497). It also waits for a follower that keeps up and may join, or that one would
    /// run after it for good. It never goes back from `before`, whoever comes into sync, and stands still while fewer
    /// replicas are in sync than `min.insync.replicas` (KIP-966).
    pub(crate) fn high_watermark(
        &self,
        before: i64,
        end_offset: i64,
        rules: &InSyncRules,
        now_ms: i64,
    ) -> i64 {
        if self.followers.is_empty() {
            return end_offset.max(before);
        }
        if !self.has_in_sync(rules.min_in_sync) {
            return before;
        }
        let counts = |follower: &&RemoteReplica| {
            self.is_in_maximal_isr(follower.node_id())
                || follower.is_caught_up(end_offset, now_ms, rules.max_lag_ms) && follower.may_join()
        };
        let counted = self.followers.iter().filter(counts);
        counted.fold(end_offset, |least, follower| least.min(follower.end_offset())).max(before)
    }

    /// Whether a replica is in sync by the controller's decision or by the proposal in flight, which may be accepted
    /// already.
    fn is_in_maximal_isr(&self, node_id: i32) -> bool {
        let proposed = self.proposal.as_ref().is_some_and(|proposal| proposal.has(node_id));
        self.decided.isr.contains(&node_id) || proposed && !traps::is_on(Trap::CommittedIsrCounts)
    }

    /// Checks that the high watermark has reached the start of the epoch. Until then a leader may know of less than
    /// the one before it had told clients, and answers nothing that depends on the end.
    ///
    /// # Errors
    /// OFFSET_NOT_AVAILABLE.
    pub(crate) fn check_settled(&self, high_watermark: i64) -> Result<(), ErrorCode> {
        let is_settled = high_watermark >= self.epoch_start;
        if is_settled { Ok(()) } else { Err(ErrorCode::OFFSET_NOT_AVAILABLE) }
    }

    /// The low watermark of a log that starts at `log_start_offset`: no replica on a live broker has records below.
    pub(crate) fn low_watermark(&self, log_start_offset: i64) -> i64 {
        let live = self.followers.iter().filter(|follower| follower.is_live());
        live.fold(log_start_offset, |least, follower| least.min(follower.log_start_offset()))
    }
}

/// Leaders count as equal that differ only in how many proposals they made.
#[cfg(test)]
impl std::hash::Hash for Leader {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        let decided = &self.decided;
        (decided.leader_epoch, decided.partition_epoch, &*decided.isr).hash(state);
        (self.epoch_start, &self.proposal, &self.followers).hash(state);
    }
}

/// A decision of the controller on a partition with these replicas in leader epoch 0.
#[cfg(test)]
pub(crate) fn decision(replicas: &[i32], isr: &[i32]) -> Arc<Partition> {
    let mut decided = Partition::default();
    decided.replicas = replicas.to_vec().into();
    decided.isr = isr.to_vec().into();
    Arc::new(decided)
}

/// Broker 0, and a partition that it alone has.
#[cfg(test)]
pub(crate) fn lone_replica() -> (i32, Arc<Partition>) {
    (0, decision(&[0], &[0]))
}

#[cfg(test)]
mod tests;
