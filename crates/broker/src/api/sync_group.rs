//! SyncGroup (14), versions 0-5: the leader sends the assignments, and every member receives its own.
//!
//! 3 adds static members (KIP-345); 5 the protocol's type and name.

use coordinator::GroupRequest;
use protocol::ErrorCode;
use protocol::messages::{SyncGroupRequest, SyncGroupResponse};

use crate::call::Call;
use crate::reply::Reply;

pub(crate) fn handle(call: Call<'_>, request: SyncGroupRequest) -> Reply {
    let context = call.request_context();
    let group_id = request.group_id.clone();
    let asked = call.broker.groups.ask(&group_id, GroupRequest::SyncGroup(context, request));
    match asked {
        // The coordinator has lost the rebalance that the member is part of: it must rejoin.
        Err(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS) => call.reply(&failed(ErrorCode::REBALANCE_IN_PROGRESS)),
        Err(error_code) => call.reply(&failed(error_code)),
        Ok(pending) => pending.answer(call.responder, failed),
    }
}

fn failed(error_code: ErrorCode) -> SyncGroupResponse {
    SyncGroupResponse { error_code, ..SyncGroupResponse::default() }
}
