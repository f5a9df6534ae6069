//! OffsetCommit (8), versions 2-10: stores the offsets up to which a group has read.
//!
//! 2 to 4 can set the retention time; 6 adds the leader epoch (KIP-320); 7 static members (KIP-345); 9 the
//! members of KIP-848; 10 names topics by id (KIP-848).

use coordinator::GroupRequest;
use metadata::Image;
use protocol::messages::offset_commit_request::{OffsetCommitRequest, OffsetCommitRequestTopic};
use protocol::messages::offset_commit_response::{
    OffsetCommitResponse, OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use protocol::{ErrorCode, Str, Uuid};

use crate::call::Call;
use crate::reply::Reply;
use runtime::HashMap;

/// The first version in which topics are named by id.
const TOPIC_IDS_SINCE: i16 = 10;

pub(crate) fn handle(call: Call<'_>, mut request: OffsetCommitRequest) -> Reply {
    let version = call.version();
    let (known, refused) = split(&call.broker.image(), std::mem::take(&mut request.topics), version);
    if known.is_empty() {
        return call.reply(&finish(OffsetCommitResponse { topics: refused, ..Default::default() }, version));
    }
    request.topics = known;
    let all = answer_all(&request, ErrorCode::NONE);
    let context = call.request_context();
    let group_id = request.group_id.clone();
    let asked = call.broker.groups.ask(&group_id, GroupRequest::OffsetCommit(context, request));
    let failed_refused = refused.clone();
    let failed = move |error_code| {
        let topics = all.into_iter().map(|topic| with_error(topic, error_code)).collect();
        finish(merge(OffsetCommitResponse { topics, ..Default::default() }, failed_refused), version)
    };
    match asked {
        // Kafka makes a client that commits too early find its coordinator again.
        Err(error_code) => call.reply(&failed(error_code)),
        Ok(pending) => pending.answer_with(
            call.responder,
            move |response| finish(merge(response, refused), version),
            failed,
        ),
    }
}

/// Separates the topics that exist, with both name and id set, from those that do not.
fn split(
    image: &Image,
    topics: Vec<OffsetCommitRequestTopic>,
    version: i16,
) -> (Vec<OffsetCommitRequestTopic>, Vec<OffsetCommitResponseTopic>) {
    let (mut known, mut refused) = (Vec::new(), Vec::new());
    for mut topic in topics {
        let by_id = version >= TOPIC_IDS_SINCE;
        let found = if by_id { image.topic_by_id(topic.topic_id) } else { image.topic(&topic.name) };
        let error = if by_id { ErrorCode::UNKNOWN_TOPIC_ID } else { ErrorCode::UNKNOWN_TOPIC_OR_PARTITION };
        let Some(found) = found else {
            let indexes = topic.partitions.iter().map(|partition| partition.partition_index);
            refused.push(refuse(topic.name, topic.topic_id, indexes, error));
            continue;
        };
        let exists = |index: i32| found.partition(index).is_some();
        let unknown = topic.partitions.iter().map(|partition| partition.partition_index);
        let unknown: Vec<i32> = unknown.filter(|index| !exists(*index)).collect();
        if !unknown.is_empty() {
            let error = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
            refused.push(refuse(found.name.clone(), found.id, unknown.into_iter(), error));
        }
        topic.partitions.retain(|partition| exists(partition.partition_index));
        if !topic.partitions.is_empty() {
            known.push(OffsetCommitRequestTopic { name: found.name.clone(), topic_id: found.id, ..topic });
        }
    }
    (known, refused)
}

fn refuse(
    name: Str,
    topic_id: Uuid,
    partitions: impl Iterator<Item = i32>,
    error_code: ErrorCode,
) -> OffsetCommitResponseTopic {
    let partitions =
        partitions.map(|partition_index| OffsetCommitResponsePartition { partition_index, error_code });
    OffsetCommitResponseTopic { name, topic_id, partitions: partitions.collect() }
}

fn answer_all(request: &OffsetCommitRequest, error_code: ErrorCode) -> Vec<OffsetCommitResponseTopic> {
    let topics = request.topics.iter().map(|topic| {
        let indexes = topic.partitions.iter().map(|partition| partition.partition_index);
        refuse(topic.name.clone(), topic.topic_id, indexes, error_code)
    });
    topics.collect()
}

fn with_error(mut topic: OffsetCommitResponseTopic, error_code: ErrorCode) -> OffsetCommitResponseTopic {
    topic.partitions.iter_mut().for_each(|partition| partition.error_code = error_code);
    topic
}

/// Adds the answers for topics that were rejected before the coordinator was asked.
fn merge(
    mut response: OffsetCommitResponse,
    refused: Vec<OffsetCommitResponseTopic>,
) -> OffsetCommitResponse {
    if refused.is_empty() {
        return response;
    }
    let place =
        |(place, topic): (usize, &OffsetCommitResponseTopic)| ((topic.name.clone(), topic.topic_id.0), place);
    let mut places: HashMap<_, usize> = response.topics.iter().enumerate().map(place).collect();
    for topic in refused {
        let next = response.topics.len();
        let place = *places.entry((topic.name.clone(), topic.topic_id.0)).or_insert(next);
        match response.topics.get_mut(place) {
            Some(known) => known.partitions.extend(topic.partitions),
            None => response.topics.push(topic),
        }
    }
    response
}

/// Removes the fields that the version does not have: it names topics either by name or by id.
fn finish(mut response: OffsetCommitResponse, version: i16) -> OffsetCommitResponse {
    for topic in &mut response.topics {
        if version >= TOPIC_IDS_SINCE {
            topic.name = Str::default();
        } else {
            topic.topic_id = Uuid::ZERO;
        }
    }
    response
}
