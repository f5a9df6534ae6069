//! ListGroups (16), versions 0-5: the groups that this broker coordinates.
//!
//! 4 filters by state (KIP-518); 5 by type (KIP-848).

use protocol::ErrorCode;
use protocol::messages::{ListGroupsRequest, ListGroupsResponse};

use crate::call::Call;
use crate::coordinators::reply_behind;
use crate::reply::Reply;

pub(crate) fn handle(call: Call<'_>, request: ListGroupsRequest) -> Reply {
    match call.broker.groups.look_everywhere(|coordinator, now| coordinator.list_groups(&request, now)) {
        Err(error_code) => call.reply(&failed(error_code)),
        Ok(looked) => {
            let (groups, barriers): (Vec<_>, Vec<_>) = looked.into_iter().unzip();
            let groups = groups.into_iter().flatten().collect();
            let response = ListGroupsResponse { groups, ..ListGroupsResponse::default() };
            reply_behind(call.responder, barriers, response, failed)
        }
    }
}

fn failed(error_code: ErrorCode) -> ListGroupsResponse {
    ListGroupsResponse { error_code, ..ListGroupsResponse::default() }
}
