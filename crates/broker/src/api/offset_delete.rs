//! OffsetDelete (47), version 0: deletes the offsets of partitions that a group no longer reads (KIP-496).

use coordinator::GroupRequest;
use metadata::Image;
use protocol::messages::offset_delete_request::{OffsetDeleteRequest, OffsetDeleteRequestTopic};
use protocol::messages::offset_delete_response::{
    OffsetDeleteResponse, OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use protocol::{ErrorCode, Str};

use crate::call::Call;
use crate::reply::Reply;
use runtime::HashMap;

pub(crate) fn handle(call: Call<'_>, mut request: OffsetDeleteRequest) -> Reply {
    let (known, refused) = split(&call.broker.image(), std::mem::take(&mut request.topics));
    // The coordinator is asked even if no partition is left: the group may be one whose offsets cannot be
    // deleted.
    request.topics = known;
    let group_id = request.group_id.clone();
    let asked = call.broker.groups.ask(&group_id, GroupRequest::OffsetDelete(request));
    match asked {
        Err(error_code) => call.reply(&failed(error_code)),
        Ok(pending) => pending.answer_with(call.responder, move |response| merge(response, refused), failed),
    }
}

/// Separates the partitions that exist from those that do not.
fn split(
    image: &Image,
    topics: Vec<OffsetDeleteRequestTopic>,
) -> (Vec<OffsetDeleteRequestTopic>, Vec<OffsetDeleteResponseTopic>) {
    let (mut known, mut refused) = (Vec::new(), Vec::new());
    for mut topic in topics {
        let found = image.topic(&topic.name);
        let exists = |index: i32| found.is_some_and(|found| found.partition(index).is_some());
        let indexes = topic.partitions.iter().map(|partition| partition.partition_index);
        let unknown = indexes.filter(|index| !exists(*index)).map(|partition_index| {
            let error_code = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
            OffsetDeleteResponsePartition { partition_index, error_code }
        });
        let unknown: Vec<_> = unknown.collect();
        if found.is_none() || !unknown.is_empty() {
            refused.push(OffsetDeleteResponseTopic { name: topic.name.clone(), partitions: unknown });
        }
        topic.partitions.retain(|partition| exists(partition.partition_index));
        if !topic.partitions.is_empty() {
            known.push(topic);
        }
    }
    (known, refused)
}

/// Adds the answers for partitions that were rejected before the coordinator was asked.
fn merge(
    mut response: OffsetDeleteResponse,
    refused: Vec<OffsetDeleteResponseTopic>,
) -> OffsetDeleteResponse {
    if response.error_code != ErrorCode::NONE {
        return response;
    }
    let place = |(place, topic): (usize, &OffsetDeleteResponseTopic)| (topic.name.clone(), place);
    let mut places: HashMap<Str, usize> = response.topics.iter().enumerate().map(place).collect();
    for topic in refused {
        let next = response.topics.len();
        let place = *places.entry(topic.name.clone()).or_insert(next);
        match response.topics.get_mut(place) {
            Some(known) => known.partitions.extend(topic.partitions),
            None => response.topics.push(topic),
        }
    }
    response
}

fn failed(error_code: ErrorCode) -> OffsetDeleteResponse {
    OffsetDeleteResponse { error_code, ..OffsetDeleteResponse::default() }
}
