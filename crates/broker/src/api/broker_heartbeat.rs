//! BrokerHeartbeat (63), versions 0-2: a broker shows that it is alive, and learns whether it is fenced (KIP-631).
//!
//! 1 adds log directories that have failed (KIP-858); 2 those that take no new partitions (KIP-1066).

use protocol::messages::{BrokerHeartbeatRequest, BrokerHeartbeatResponse};

use crate::call::Call;
use crate::reply::Reply;

pub(crate) fn handle(call: Call<'_>, request: BrokerHeartbeatRequest) -> Reply {
    call.ask_controller(request, None, |_, error_code| BrokerHeartbeatResponse {
        error_code,
        ..BrokerHeartbeatResponse::default()
    })
}
