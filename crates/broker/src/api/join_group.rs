//! JoinGroup (11), versions 0-9: a member joins a group, or rejoins for a rebalance.
//!
//! 1 adds the rebalance timeout; 4 member ids that must be requested first (KIP-394); 5 static members
//! (KIP-345); 7 the protocol type; 8 the reason; 9 members that need no assignment (KIP-814).

use coordinator::GroupRequest;
use protocol::messages::{JoinGroupRequest, JoinGroupResponse};
use protocol::{ErrorCode, Str};

use crate::call::Call;
use crate::reply::Reply;

pub(crate) fn handle(call: Call<'_>, request: JoinGroupRequest) -> Reply {
    let context = call.request_context();
    let (group_id, member_id) = (request.group_id.clone(), request.member_id.clone());
    let version = call.version();
    let failed = move |error_code| failed(version, member_id, error_code);
    let asked = call.broker.groups.ask(&group_id, GroupRequest::JoinGroup(context, request));
    match asked {
        Err(error_code) => call.reply(&failed(error_code)),
        Ok(pending) => pending.answer(call.responder, failed),
    }
}

fn failed(version: i16, member_id: Str, error_code: ErrorCode) -> JoinGroupResponse {
    // The protocol name can be null from version 7 on.
    let protocol_name = if version >= 7 { None } else { Some(Str::default()) };
    JoinGroupResponse {
        error_code,
        member_id,
        generation_id: -1,
        protocol_name,
        ..JoinGroupResponse::default()
    }
}
