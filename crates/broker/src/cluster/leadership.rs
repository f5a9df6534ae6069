//! The leadership of the metadata quorum, as this node knows it: who leads, in which epoch, and where it is.

use metadata::quorum::{QuorumStatus, VoterEndpoint, VoterStatus};
use protocol::ErrorCode;

use super::Cluster;

/// The leader's id if there is none.
const NO_LEADER: i32 = -1;

/// The quorum at one moment.
pub(crate) struct Leadership {
    node_id: i32,
    status: QuorumStatus,
}

impl Leadership {
    /// The leader's node id, -1 if nobody leads.
    pub(crate) fn leader_id(&self) -> i32 {
        self.status.leader.map_or(NO_LEADER, |leader| leader.id)
    }

    pub(crate) fn epoch(&self) -> i32 {
        self.status.leader_epoch
    }

    /// Checks that this node leads in the epoch that an observer knows.
    ///
    /// # Errors
    /// Kafka's error for who has to look for another leader, or for a later epoch.
    pub(crate) fn check(&self, epoch: i32) -> Result<(), ErrorCode> {
        if epoch < self.epoch() {
            Err(ErrorCode::FENCED_LEADER_EPOCH)
        } else if epoch > self.epoch() {
            Err(ErrorCode::UNKNOWN_LEADER_EPOCH)
        } else if self.leader_id() != self.node_id {
            Err(ErrorCode::NOT_LEADER_OR_FOLLOWER)
        } else {
            Ok(())
        }
    }

    /// The leader's id, and its address at the listener of that name; `None` if either is not known.
    pub(crate) fn endpoint(&self, listener: &str) -> Option<(i32, &VoterEndpoint)> {
        let leader = self.status.voters.iter().find(|voter| Some(voter.id) == self.status.leader)?;
        let endpoint = leader.endpoints.iter().find(|endpoint| endpoint.name == listener)?;
        Some((leader.id.id, endpoint))
    }
}

impl Cluster {
    /// The quorum's status. This node's own addresses are in it even if the log has none, as in `kraft.version` 0.
    pub(crate) fn quorum_status(&self) -> QuorumStatus {
        let mut status = self.quorum.status();
        let is_this = |voter: &&mut VoterStatus| voter.id.id == self.node_id() && voter.endpoints.is_empty();
        if let Some(this) = status.voters.iter_mut().find(is_this) {
            this.endpoints.clone_from(&self.controller_endpoints);
        }
        status
    }

    pub(crate) fn leadership(&self) -> Leadership {
        Leadership { node_id: self.node_id(), status: self.quorum_status() }
    }

    /// Whether a request that names a cluster means this one. One that names none does.
    pub(crate) fn is_cluster_id(&self, named: Option<&str>) -> bool {
        named.is_none_or(|named| *named == *self.id)
    }
}
