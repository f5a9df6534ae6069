//! DescribeGroups (15), versions 0-6: states, members and assignments of groups.
//!
//! 3 adds authorized operations (KIP-430); 4 static members (KIP-345); 6 an error for a group that does not
//! exist, which earlier versions call dead (KIP-1043).

use protocol::ErrorCode;
use protocol::messages::describe_groups_request::DescribeGroupsRequest;
use protocol::messages::describe_groups_response::{DescribeGroupsResponse, DescribedGroup};

use crate::call::Call;
use crate::cluster::GROUP_OPERATIONS;
use crate::coordinators::{Repeats, reply_behind};
use crate::reply::Reply;

pub(crate) fn handle(call: Call<'_>, request: DescribeGroupsRequest) -> Reply {
    let version = call.version();
    let mut barriers = Vec::new();
    let mut repeats = Repeats::default();
    let groups = request.groups.iter().map(|group_id| {
        let look = || {
            call.broker
                .groups
                .look(group_id, |coordinator, _now| coordinator.describe_group(group_id, version))
        };
        let admitted = repeats.admits(group_id);
        let looked = if admitted { look() } else { Err(ErrorCode::INVALID_REQUEST) };
        let mut described = match looked {
            Ok((described, barrier)) => {
                barriers.push(barrier);
                repeats.tell_members(&described);
                described
            }
            Err(error_code) => {
                DescribedGroup { error_code, group_id: group_id.clone(), ..DescribedGroup::default() }
            }
        };
        if request.include_authorized_operations && described.error_code == ErrorCode::NONE {
            described.authorized_operations = GROUP_OPERATIONS;
        }
        described
    });
    let response = DescribeGroupsResponse { groups: groups.collect(), ..DescribeGroupsResponse::default() };
    let names = request.groups;
    reply_behind(call.responder, barriers, response, move |error_code| {
        let failed = |group_id| DescribedGroup { error_code, group_id, ..DescribedGroup::default() };
        let groups = names.into_iter().map(failed).collect();
        DescribeGroupsResponse { groups, ..DescribeGroupsResponse::default() }
    })
}
