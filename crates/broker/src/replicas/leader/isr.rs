//! Changes of the ISR: what a leader proposes to the controller, and does by its answer (AlterPartition, KIP-497).

use std::sync::Arc;

use metadata::Partition;
use protocol::ErrorCode;

use super::super::traps::{self, Trap};
use super::proposal::{AfterAnswer, IsrMember, Proposal, ProposalAnswer};
use super::remote_replica::{RemoteReplica, UNKNOWN_BROKER_EPOCH};
use super::{InSyncRules, Leader};

/// The answer to a produce with acks=all, as far as replication decides it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Acknowledgement {
    /// Replicas in sync lack the records.
    Outstanding,
    /// All replicas in sync have them.
    Complete,
    /// The same, but fewer are in sync by now than `min.insync.replicas`: NOT_ENOUGH_REPLICAS_AFTER_APPEND.
    TooFewReplicas,
}

impl Leader {
    /// Whether all replicas in sync have fetched from `offset` on in this epoch.
    fn have_all_in_sync(&self, offset: i64) -> bool {
        let in_sync = |it: &&RemoteReplica| self.is_in_maximal_isr(it.node_id());
        let mut counted = self.followers.iter().filter(in_sync);
        counted.all(|it| it.end_offset() >= offset) || traps::is_on(Trap::InheritedAcknowledged)
    }

    fn maximal_isr_len(&self) -> usize {
        let is_added = |member: &&IsrMember| !self.decided.isr.contains(&member.node_id);
        let added = self.proposal.iter().flat_map(|proposal| proposal.isr()).filter(is_added);
        self.decided.isr.len() + added.count()
    }

    /// The answer to a produce with acks=all whose records end at `required_offset`.
    ///
    /// The high watermark alone does not tell, other than in Kafka: a new leader has that of the leader before it, which
    /// counted itself by what was not on its disk. It may have lost that since and be in sync still, so each replica in sync
    /// says in this epoch that it has the records (ADR 10).
    pub(crate) fn acknowledgement(
        &self,
        required_offset: i64,
        high_watermark: i64,
        min_in_sync: usize,
    ) -> Acknowledgement {
        if high_watermark < required_offset || !self.have_all_in_sync(required_offset) {
            Acknowledgement::Outstanding
        } else if self.maximal_isr_len() < self.effective_min(min_in_sync) {
            Acknowledgement::TooFewReplicas
        } else {
            Acknowledgement::Complete
        }
    }

    /// The proposal to take a follower into the ISR, if it may join: it has all that is committed, also by the leaders
    /// before this one, and no proposal is in flight. `broker_epoch` is this broker's.
    pub(crate) fn expand(
        &mut self,
        node_id: i32,
        high_watermark: i64,
        broker_epoch: i64,
    ) -> Option<&Proposal> {
        let follower = self.follower(node_id)?;
        let end_offset = follower.end_offset();
        // What is between the high watermark and the start of the epoch may be committed: its leader knew.
        let has_epoch = end_offset >= self.epoch_start || traps::is_on(Trap::ExpandedByHighWatermark);
        let is_due = !self.decided.isr.contains(&node_id)
            && follower.may_join()
            && end_offset >= high_watermark
            && has_epoch;
        if !is_due || self.proposal.is_some() {
            return None;
        }
        let isr = self.decided.isr.iter().copied().chain([node_id]);
        Some(self.propose(isr.collect(), broker_epoch))
    }

    /// The proposal to take followers out of the ISR that lag behind, if there are any and no proposal is in flight.
    pub(crate) fn shrink(
        &mut self,
        end_offset: i64,
        rules: &InSyncRules,
        broker_epoch: i64,
        now_ms: i64,
    ) -> Option<&Proposal> {
        if self.proposal.is_some() || self.followers.is_empty() {
            return None;
        }
        let keeps_up = |node_id: &i32| {
            let caught_up = |it: &RemoteReplica| it.is_caught_up(end_offset, now_ms, rules.max_lag_ms);
            *node_id == self.node_id || self.follower(*node_id).is_some_and(caught_up)
        };
        let isr: Vec<i32> = self.decided.isr.iter().copied().filter(keeps_up).collect();
        (isr.len() < self.decided.isr.len()).then(|| self.propose(isr, broker_epoch))
    }

    fn propose(&mut self, isr: Vec<i32>, broker_epoch: i64) -> &Proposal {
        let epoch_of = |node_id| match self.follower(node_id) {
            // Not heard of in this epoch: if it is gone the partition's epoch tells the controller.
            Some(follower) => follower.broker_epoch().unwrap_or(UNKNOWN_BROKER_EPOCH),
            None => broker_epoch,
        };
        let isr = isr.into_iter().map(|node_id| IsrMember { node_id, broker_epoch: epoch_of(node_id) });
        let isr = isr.collect();
        self.proposals = self.proposals.wrapping_add(1);
        let proposal = Proposal::new(self.proposals, &self.decided, isr);
        self.proposal.insert(Box::new(proposal))
    }

    /// The proposal in flight.
    pub(crate) fn proposal(&self) -> Option<&Proposal> {
        self.proposal.as_deref()
    }

    /// The proposal in flight under a new number, to be sent again. An answer to an earlier attempt is late then: what it
    /// says of a replica that may not join need not be true of this attempt. The controller takes attempts in the order in
    /// which they were sent.
    pub(crate) fn send_again(&mut self) -> Option<&Proposal> {
        let proposal = self.proposal.as_deref_mut()?;
        if !traps::is_on(Trap::EarlierAnswerTaken) {
            self.proposals = self.proposals.wrapping_add(1);
            proposal.renumber(self.proposals);
        }
        Some(proposal)
    }

    /// Takes the controller's answer to a proposal. A request that was not answered is sent again, see
    /// [`Leader::send_again`].
    pub(crate) fn answered(&mut self, number: u32, answer: ProposalAnswer) -> AfterAnswer {
        if self.proposal.as_ref().is_none_or(|proposal| proposal.number() != number) {
            return AfterAnswer::Late;
        }
        match answer {
            ProposalAnswer::Accepted { leader_epoch, partition_epoch, isr }
                if leader_epoch == self.epoch() && partition_epoch >= self.decided.partition_epoch =>
            {
                let mut decided = Partition::clone(&self.decided);
                (decided.isr, decided.partition_epoch) = (isr.into(), partition_epoch);
                self.decided = Arc::new(decided);
                self.proposal = None;
                AfterAnswer::Committed
            }
            ProposalAnswer::Accepted { .. } => AfterAnswer::AwaitMetadata,
            ProposalAnswer::Rejected(error_code) => self.rejected(error_code),
        }
    }

    fn rejected(&mut self, error_code: ErrorCode) -> AfterAnswer {
        match error_code {
            // The controller says that it knows of nothing later and that it has not done it: no other will.
            ErrorCode::OPERATION_NOT_ATTEMPTED | ErrorCode::INELIGIBLE_REPLICA => {
                self.proposal = None;
                AfterAnswer::Dropped
            }
            // It may have been done, or the leader has not heard of something else: until it hears, it counts.
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
            | ErrorCode::UNKNOWN_TOPIC_ID
            | ErrorCode::FENCED_LEADER_EPOCH
            | ErrorCode::INVALID_UPDATE_VERSION
            | ErrorCode::INVALID_REQUEST
            | ErrorCode::NEW_LEADER_ELECTED => AfterAnswer::AwaitMetadata,
            _ => AfterAnswer::SendAgain,
        }
    }
}
