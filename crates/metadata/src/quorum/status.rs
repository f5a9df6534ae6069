//! How the quorum stands, for those who ask.

use openraft::rt::WatchReceiver;

use super::Quorum;
use super::raft::{VoterEndpoint, VoterId, epoch, offset};

/// How the quorum stands at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuorumStatus {
    /// The voter that leads; none while nobody does.
    pub leader: Option<VoterId>,
    /// The leader's epoch.
    pub leader_epoch: i32,
    /// The offset behind the last record that is committed.
    pub high_watermark: i64,
    /// All voters.
    pub voters: Vec<VoterStatus>,
}

/// How one voter stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VoterStatus {
    /// Which.
    pub id: VoterId,
    /// Where it can be reached, as the voters know it.
    pub endpoints: Vec<VoterEndpoint>,
    /// The offset behind the last record in its log; none where this node does not know.
    pub log_end_offset: Option<i64>,
}

impl Quorum {
    /// How the quorum stands, as this node sees it.
    pub fn status(&self) -> QuorumStatus {
        let metrics = self.raft.metrics().borrow_watched().clone();
        let end = |index: u64| offset(index) + 1;
        let membership = metrics.membership_config.membership().clone();
        let voters = membership.voter_ids().map(|id| {
            let is_this = id == metrics.id;
            VoterStatus {
                id,
                endpoints: membership.get_node(&id).map(|node| node.endpoints.clone()).unwrap_or_default(),
                log_end_offset: metrics.last_log_index.filter(|_| is_this).map(end),
            }
        });
        QuorumStatus {
            leader: metrics.current_leader,
            leader_epoch: epoch(metrics.current_term),
            high_watermark: metrics.last_applied.map_or(0, |applied| end(applied.index)),
            voters: voters.collect(),
        }
    }
}
