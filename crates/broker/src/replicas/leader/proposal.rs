//! A change of the ISR that the leader has asked the controller for (AlterPartition, KIP-497).

use metadata::Partition;
use protocol::ErrorCode;

/// A replica in a proposed ISR.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct IsrMember {
    pub(crate) node_id: i32,
    /// The broker epoch that it fetched with, so that the controller knows an earlier incarnation (KIP-903); -1 if it has
    /// not fetched or does not say.
    pub(crate) broker_epoch: i64,
}

/// A proposed ISR. It holds for one state of the partition, by leader epoch and partition epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Proposal {
    number: u32,
    leader_epoch: i32,
    partition_epoch: i32,
    isr: Vec<IsrMember>,
}

/// The controller's answer to a proposal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ProposalAnswer {
    /// The state of the partition from here on. The partition epoch is that of the proposal if nothing had to change.
    Accepted { leader_epoch: i32, partition_epoch: i32, isr: Vec<i32> },
    /// The error of the partition, or of the whole request.
    Rejected(ErrorCode),
}

/// What the leader does after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AfterAnswer {
    /// It goes by the new ISR: the high watermark may rise.
    Committed,
    /// It is as before the proposal, and may make another.
    Dropped,
    /// It makes no other proposal until the metadata tells it more.
    AwaitMetadata,
    /// It sends the same proposal again, see [`super::Leader::send_again`].
    SendAgain,
    /// The answer is to an earlier proposal.
    Late,
}

/// Proposals count as equal that differ only in their number.
#[cfg(test)]
impl std::hash::Hash for Proposal {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (self.leader_epoch, self.partition_epoch, &self.isr).hash(state);
    }
}

impl Proposal {
    /// A proposal to change what the controller has decided.
    pub(super) fn new(number: u32, decided: &Partition, isr: Vec<IsrMember>) -> Self {
        let (leader_epoch, partition_epoch) = (decided.leader_epoch, decided.partition_epoch);
        Self { number, leader_epoch, partition_epoch, isr }
    }

    pub(super) fn renumber(&mut self, number: u32) {
        self.number = number;
    }

    /// Tells it from the leader's other proposals, and from earlier attempts to send it.
    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    pub(crate) fn leader_epoch(&self) -> i32 {
        self.leader_epoch
    }

    pub(crate) fn partition_epoch(&self) -> i32 {
        self.partition_epoch
    }

    pub(crate) fn isr(&self) -> &[IsrMember] {
        &self.isr
    }

    /// Whether it has a replica in the ISR.
    pub(super) fn has(&self, node_id: i32) -> bool {
        self.isr.iter().any(|member| member.node_id == node_id)
    }
}
