//! LeaveGroup (13), versions 0-5: members leave a group.
//!
//! 3 lets several leave in one request, static ones by their instance id (KIP-345); 5 the reason
//! (KIP-800).

use coordinator::GroupRequest;
use protocol::ErrorCode;
use protocol::messages::{LeaveGroupRequest, LeaveGroupResponse};

use crate::call::Call;
use crate::reply::Reply;

pub(crate) fn handle(call: Call<'_>, request: LeaveGroupRequest) -> Reply {
    let context = call.request_context();
    let group_id = request.group_id.clone();
    let asked = call.broker.groups.ask(&group_id, GroupRequest::LeaveGroup(context, request));
    match asked {
        Err(error_code) => call.reply(&failed(error_code)),
        Ok(pending) => pending.answer(call.responder, failed),
    }
}

fn failed(error_code: ErrorCode) -> LeaveGroupResponse {
    LeaveGroupResponse { error_code, ..LeaveGroupResponse::default() }
}
