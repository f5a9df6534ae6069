//! Heartbeat (12), versions 0-4: a member shows that it is alive, and learns whether to rejoin.
//!
//! 3 adds static members (KIP-345).

use protocol::ErrorCode;
use protocol::messages::{HeartbeatRequest, HeartbeatResponse};

use crate::call::Call;
use crate::coordinators::reply_behind;
use crate::reply::Reply;

pub(crate) fn handle(call: Call<'_>, request: HeartbeatRequest) -> Reply {
    let looked =
        call.broker.groups.look(&request.group_id, |coordinator, now| coordinator.heartbeat(&request, now));
    match looked {
        Ok((response, barrier)) => reply_behind(call.responder, vec![barrier], response, failed),
        // A member need not do anything while its coordinator loads.
        Err(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS) => call.reply(&failed(ErrorCode::NONE)),
        Err(error_code) => call.reply(&failed(error_code)),
    }
}

fn failed(error_code: ErrorCode) -> HeartbeatResponse {
    HeartbeatResponse { error_code, ..HeartbeatResponse::default() }
}
