//! The controller, as an oracle: it elects from the ISR, and decides proposals.

use std::collections::BTreeMap;
use std::sync::Arc;

use metadata::Partition;
use protocol::ErrorCode;

use super::super::leader::{BrokerState, Proposal, ProposalAnswer};
use super::super::traps::{self, Trap};

/// The state of the partition and of the brokers.
#[derive(Clone, Debug)]
pub(super) struct Controller {
    pub(super) decided: Arc<Partition>,
    /// Brokers that are not fenced, with their epochs.
    pub(super) live: BTreeMap<i32, i64>,
    /// The number of changes so far.
    pub(super) changes: u32,
}

impl Controller {
    /// All brokers are live, and all but the last few in sync; the first leads.
    pub(super) fn new(nodes: i32, laggards: i32) -> Self {
        let mut decided = Partition::default();
        decided.replicas = (0..nodes).collect::<Vec<_>>().into();
        decided.isr = (0..nodes - laggards).collect::<Vec<_>>().into();
        (decided.leader, decided.leader_epoch) = (0, 1);
        Self { decided: Arc::new(decided), live: (0..nodes).map(|id| (id, 0)).collect(), changes: 1 }
    }

    pub(super) fn broker_state(&self, node_id: i32) -> Option<BrokerState> {
        let epoch = *self.live.get(&node_id)?;
        Some(BrokerState { epoch, in_controlled_shutdown: false })
    }

    pub(super) fn isr(&self) -> &[i32] {
        &self.decided.isr
    }

    fn change(&mut self, leader: i32, isr: Vec<i32>) {
        let mut decided = Partition::clone(&self.decided);
        if leader != decided.leader {
            (decided.leader, decided.leader_epoch) = (leader, decided.leader_epoch + 1);
        }
        decided.isr = isr.into();
        decided.partition_epoch += 1;
        self.changes += 1;
        self.decided = Arc::new(decided);
    }

    /// Takes a broker out; another that is in sync leads.
    pub(super) fn fence(&mut self, node_id: i32) {
        self.live.remove(&node_id);
        self.changes += 1;
        let others = self.isr().iter().copied().filter(|member| *member != node_id);
        let others: Vec<i32> = others.collect();
        let isr = if others.is_empty() { self.isr().to_vec() } else { others };
        let successor = isr.iter().copied().find(|member| self.live.contains_key(member)).unwrap_or(-1);
        let leader = if self.decided.leader == node_id { successor } else { self.decided.leader };
        if leader != self.decided.leader || isr.len() != self.isr().len() {
            self.change(leader, isr);
        }
    }

    /// Lets a broker take part; it leads if it is in sync and nobody does.
    pub(super) fn unfence(&mut self, node_id: i32, broker_epoch: i64) {
        self.live.insert(node_id, broker_epoch);
        self.changes += 1;
        if self.decided.leader < 0 && self.isr().contains(&node_id) {
            let isr = self.isr().to_vec();
            self.change(node_id, isr);
        }
    }

    /// Whether a replica may be elected in the place of the leader.
    pub(super) fn may_elect(&self, node_id: i32) -> bool {
        self.decided.leader != node_id && self.live.contains_key(&node_id) && self.isr().contains(&node_id)
    }

    pub(super) fn elect(&mut self, node_id: i32) {
        let isr = self.isr().to_vec();
        self.change(node_id, isr);
    }

    /// Decides a proposal.
    pub(super) fn alter(&mut self, proposal: &Proposal) -> ProposalAnswer {
        if proposal.leader_epoch() != self.decided.leader_epoch {
            return ProposalAnswer::Rejected(ErrorCode::FENCED_LEADER_EPOCH);
        }
        if proposal.partition_epoch() != self.decided.partition_epoch {
            return ProposalAnswer::Rejected(ErrorCode::INVALID_UPDATE_VERSION);
        }
        let is_eligible = |member: &super::super::leader::IsrMember| {
            let epoch = self.live.get(&member.node_id);
            epoch.is_some_and(|epoch| {
                member.broker_epoch == -1
                    || member.broker_epoch == *epoch
                    || traps::is_on(Trap::StaleBrokerJoins)
            })
        };
        if !proposal.isr().iter().all(is_eligible) {
            return ProposalAnswer::Rejected(ErrorCode::INELIGIBLE_REPLICA);
        }
        let isr: Vec<i32> = proposal.isr().iter().map(|member| member.node_id).collect();
        self.change(self.decided.leader, isr.clone());
        ProposalAnswer::Accepted {
            leader_epoch: self.decided.leader_epoch,
            partition_epoch: self.decided.partition_epoch,
            isr,
        }
    }
}
