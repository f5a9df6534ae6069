//! The heartbeats of this broker: they keep its session with the controller, which fences it otherwise.

use std::time::Duration;

use protocol::messages::BrokerHeartbeatRequest;
use protocol::{ErrorCode, Uuid};
use runtime::clock;
use tracing::{debug, info, warn};

use super::Cluster;

impl Cluster {
    /// Sends a heartbeat every `broker.heartbeat.interval.ms`, until this future is dropped.
    pub(crate) async fn send_heartbeats(&self) {
        let interval = u64::try_from(self.config.broker_heartbeat_interval_ms).unwrap_or(0).max(1);
        let mut was_fenced = false;
        loop {
            clock::sleep(Duration::from_millis(interval)).await;
            match self.heartbeat(Vec::new()).await {
                Ok(is_fenced) if is_fenced != was_fenced => {
                    was_fenced = is_fenced;
                    if is_fenced {
                        warn!(
                            "the controller has fenced this broker, because it had no heartbeat of it in time"
                        );
                    } else {
                        info!("this broker is not fenced any more");
                    }
                }
                Ok(_) => {}
                // The reason is in the log already.
                Err(problem) => debug!("the controller did not take a heartbeat: {}", problem.message()),
            }
        }
    }

    /// Sends a heartbeat with the ids of log directories that have failed. Returns whether this broker is fenced.
    ///
    /// # Errors
    /// Kafka's error if the controller does not answer in time, or does not know this broker in its epoch.
    pub(crate) async fn heartbeat(&self, offline_log_dirs: Vec<Uuid>) -> Result<bool, ErrorCode> {
        let request = BrokerHeartbeatRequest {
            broker_id: self.node_id(),
            broker_epoch: self.broker_epoch(),
            current_metadata_offset: self.image().offset(),
            offline_log_dirs,
            ..BrokerHeartbeatRequest::default()
        };
        let response = self.ask(&request).await?;
        if response.error_code.is_error() { Err(response.error_code) } else { Ok(response.is_fenced) }
    }
}
