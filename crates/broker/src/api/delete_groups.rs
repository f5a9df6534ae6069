//! DeleteGroups (42), versions 0-2: forgets groups without members, and their offsets (KIP-229).

use std::collections::BTreeMap;

use coordinator::Reply as CoordinatorReply;
use protocol::messages::delete_groups_request::DeleteGroupsRequest;
use protocol::messages::delete_groups_response::{DeletableGroupResult, DeleteGroupsResponse};
use protocol::{ErrorCode, Str};

use crate::call::Call;
use crate::groups::Pending;
use crate::reply::Reply;

pub(crate) fn handle(call: Call<'_>, request: DeleteGroupsRequest) -> Reply {
    let groups = &call.broker.groups;
    let mut by_partition: BTreeMap<i32, Vec<Str>> = BTreeMap::new();
    for group_id in request.groups_names {
        by_partition.entry(groups.partition_for(&group_id)).or_default().push(group_id);
    }
    let asked: Vec<(Vec<Str>, Result<Pending, ErrorCode>)> = by_partition
        .into_values()
        .map(|names| {
            let asked =
                groups.ask(&names[0], |coordinator, token, _now| coordinator.delete_groups(token, &names));
            (names, asked)
        })
        .collect();
    let responder = call.responder;
    Reply::later(async move {
        let mut results = Vec::new();
        for (names, asked) in asked {
            let settled = match asked {
                Ok(pending) => pending.settled().await,
                Err(error) => Err(error),
            };
            match settled {
                Ok(CoordinatorReply::DeleteGroups(response)) => results.extend(response.results),
                Ok(other) => unreachable!("a deletion is answered by {other:?}"),
                Err(error_code) => results
                    .extend(names.into_iter().map(|group_id| DeletableGroupResult { group_id, error_code })),
            }
        }
        responder.frame(&DeleteGroupsResponse { results, ..DeleteGroupsResponse::default() })
    })
}
