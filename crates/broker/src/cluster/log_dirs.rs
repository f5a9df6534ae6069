//! Telling the controller of this broker's log directories (KIP-858).

use metadata::controller::Assignment;
use protocol::{ErrorCode, Uuid};

use super::Cluster;

impl Cluster {
    /// Has the controller know in which directories this broker keeps replicas. One that is gone meanwhile is passed over.
    ///
    /// # Errors
    /// Kafka's error if the controller does not know it for sure.
    pub(crate) async fn assign_replicas_to_dirs(&self, assignments: &[Assignment]) -> Result<(), ErrorCode> {
        let request = Assignment::request(self.node_id(), self.broker_epoch(), assignments);
        let response = self.ask(&request).await?;
        if response.error_code.is_error() { Err(response.error_code) } else { Ok(()) }
    }

    /// Has the controller know which directories of this broker have failed.
    ///
    /// # Errors
    /// As [`Cluster::assign_replicas_to_dirs`].
    pub(crate) async fn tell_offline_log_dirs(&self, offline_log_dirs: Vec<Uuid>) -> Result<(), ErrorCode> {
        self.heartbeat(offline_log_dirs).await.map(|_is_fenced| ())
    }
}
