//! The status of the quorum.

use openraft::rt::WatchReceiver;

use super::Quorum;
use super::raft::{VoterEndpoint, VoterId, epoch, offset};

/// The status of the quorum at one moment.
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

/// The status of one voter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VoterStatus {
    /// Its id.
    pub id: VoterId,
    /// Its addresses, as the voters know them.
    pub endpoints: Vec<VoterEndpoint>,
    /// The offset after the last record in its log; `None` if this node does not know it.
    pub log_end_offset: Option<i64>,
}

impl Quorum {
    /// The status of the quorum, as this node sees it.
    pub fn status(&self) -> QuorumStatus {
        let metrics = self.raft.metrics().borrow_watched().clone();
        let end = |index: u64| offset(index) + 1;
        let membership = metrics.membership_config.membership().clone();
        let voters = membership.voter_ids().map(|id| {
            let is_this = id == metrics.id;
            let followers = metrics.replication.as_ref();
            let matched = followers.and_then(|followers| followers.get(&id)).cloned().flatten();
            VoterStatus {
                id,
                endpoints: membership.get_node(&id).map(|node| node.endpoints.clone()).unwrap_or_default(),
                log_end_offset: if is_this {
                    metrics.last_log_index.map(end)
                } else {
                    matched.map(|matched| end(matched.index))
                },
            }
        });
        QuorumStatus {
            leader: metrics.current_leader,
            leader_epoch: epoch(metrics.current_term),
            // The metrics follow what is applied a little later.
            high_watermark: metrics
                .last_applied
                .map_or(0, |applied| end(applied.index))
                .max(self.image().offset() + 1),
            voters: voters.collect(),
        }
    }
}
