//! BrokerHeartbeat (KIP-631, KIP-858).

use protocol::ErrorCode;
use protocol::messages::{BrokerHeartbeatRequest, BrokerHeartbeatResponse};

use super::brokers::registered;
use super::{Controller, Decision};
use crate::image::Image;

impl Controller {
    /// Takes the log directories offline that a broker reports to have failed.
    ///
    /// The only broker of a cluster has nobody to hand its partitions to: a request to fence it or to shut it down in
    /// a controlled way is an INVALID_REQUEST.
    pub fn broker_heartbeat(
        &self,
        image: &Image,
        request: &BrokerHeartbeatRequest,
    ) -> Decision<BrokerHeartbeatResponse> {
        let refuse = |error_code| {
            (BrokerHeartbeatResponse { error_code, ..BrokerHeartbeatResponse::default() }, Vec::new())
        };
        let broker = match registered(image, request.broker_id, request.broker_epoch) {
            Ok(broker) => broker,
            Err(error_code) => return refuse(error_code),
        };
        if request.want_fence || request.want_shut_down {
            return refuse(ErrorCode::INVALID_REQUEST);
        }
        let response = BrokerHeartbeatResponse {
            // The epoch of a broker is the offset of its registration.
            is_caught_up: request.current_metadata_offset >= broker.broker_epoch,
            is_fenced: broker.fenced,
            ..BrokerHeartbeatResponse::default()
        };
        (response, self.directories_offline(image, broker, &request.offline_log_dirs))
    }
}
