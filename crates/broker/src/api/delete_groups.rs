//! DeleteGroups (42), versions 0-2: deletes groups without members, and their offsets (KIP-229).
//!
//! This includes groups of protocols that are not served: their records, which Kafka wrote, are deleted.

use std::collections::BTreeMap;
use std::sync::Arc;

use coordinator::{CoordinatorRecord, GroupRequest};
use protocol::messages::delete_groups_request::DeleteGroupsRequest;
use protocol::messages::delete_groups_response::{DeletableGroupResult, DeleteGroupsResponse};
use protocol::{ErrorCode, Str};
use runtime::clock;

use crate::broker::Broker;
use crate::call::Call;
use crate::coordinators::{Barrier, PendingReply};
use crate::reply::Reply;

/// The topic that stores the progress of share groups.
const SHARE_STATE_TOPIC: &str = "__share_group_state";

/// The groups of one partition that are to be deleted.
struct Deletion {
    names: Vec<Str>,
    /// The barriers that must be durable before the groups are deleted.
    before: Result<Vec<Barrier>, ErrorCode>,
    /// The request to their coordinator, if there is no barrier to wait for.
    asked: Option<Result<PendingReply, ErrorCode>>,
}

pub(crate) fn handle(call: Call<'_>, request: DeleteGroupsRequest) -> Reply {
    let mut by_partition: BTreeMap<i32, Vec<Str>> = BTreeMap::new();
    for group_id in request.groups_names {
        by_partition.entry(call.broker.groups.partition_for(&group_id)).or_default().push(group_id);
    }
    let begin = |names: Vec<Str>| {
        let before = delete_share_states(call.broker, &names);
        let waits = !before.as_ref().is_ok_and(Vec::is_empty);
        let asked = if waits { None } else { Some(delete(call.broker, &names)) };
        Deletion { names, before, asked }
    };
    let deletions: Vec<Deletion> = by_partition.into_values().map(begin).collect();
    let (responder, broker) = (call.responder, Arc::clone(call.broker));
    Reply::later(async move {
        let mut results = Vec::new();
        for Deletion { names, before, asked } in deletions {
            match finish(&broker, &names, before, asked).await {
                Ok(response) => results.extend(response.results),
                Err(error_code) => results
                    .extend(names.into_iter().map(|group_id| DeletableGroupResult { group_id, error_code })),
            }
        }
        responder.frame(&DeleteGroupsResponse { results, ..DeleteGroupsResponse::default() })
    })
}

fn delete(broker: &Broker, names: &[Str]) -> Result<PendingReply, ErrorCode> {
    broker.groups.ask(&names[0], GroupRequest::DeleteGroups(names.to_vec()))
}

async fn finish(
    broker: &Broker,
    names: &[Str],
    before: Result<Vec<Barrier>, ErrorCode>,
    asked: Option<Result<PendingReply, ErrorCode>>,
) -> Result<DeleteGroupsResponse, ErrorCode> {
    for barrier in before? {
        barrier.passed().await?;
    }
    let pending = asked.unwrap_or_else(|| delete(broker, names))?;
    pending.settled().await
}

/// Deletes the state of share groups in `__share_group_state`. It goes before the group, as in Kafka:
/// otherwise it would fence a later share group of the same name. Returns the barriers that must be durable
/// before the group is deleted.
fn delete_share_states(broker: &Broker, names: &[Str]) -> Result<Vec<Barrier>, ErrorCode> {
    let (states, _) =
        broker.groups.look(&names[0], |coordinator, now| coordinator.share_states(names, now))?;
    let table = broker.replicas.table();
    let Some(topic) = table.by_name(SHARE_STATE_TOPIC).filter(|_| !states.is_empty()) else {
        return Ok(Vec::new());
    };
    let partitions = i32::try_from(topic.slots().len()).unwrap_or(i32::MAX);
    let mut records: BTreeMap<i32, Vec<CoordinatorRecord>> = BTreeMap::new();
    for state in &states {
        records.entry(state.stored_in(partitions)).or_default().push(state.tombstone());
    }
    let mut barriers = Vec::new();
    for (partition, records) in records {
        let log = topic.partition(partition).map_err(|_offline| ErrorCode::COORDINATOR_NOT_AVAILABLE)?;
        let epoch = log.leading_epoch().ok_or(ErrorCode::COORDINATOR_NOT_AVAILABLE)?;
        log.append_coordinator_records(&records, epoch, clock::now_ms())
            .map_err(|_refused| ErrorCode::COORDINATOR_NOT_AVAILABLE)?;
        barriers.push(Barrier::at_end_of(log));
    }
    Ok(barriers)
}
