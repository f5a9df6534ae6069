//! ListOffsets (2), versions 1-11.
//!
//! 1 returns one offset for a timestamp; 2 adds isolation levels; 4 leader epochs; 7 the offset of the
//! greatest timestamp (KIP-734); 8 to 11 offsets of tiered storage (KIP-405, KIP-1005, KIP-1023).

use std::collections::BTreeSet;

use protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};
use protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsResponse, ListOffsetsTopicResponse,
};
use protocol::{ErrorCode, Str};

use crate::call::Call;
use crate::replicas::{Isolation, OffsetSpec, Turn};
use crate::reply::Reply;

/// The first version that returns leader epochs.
const LEADER_EPOCHS_SINCE: i16 = 4;
/// The first version whose clients know OFFSET_NOT_AVAILABLE.
const OFFSET_NOT_AVAILABLE_SINCE: i16 = 5;
/// The replica id of a client.
const CONSUMER: i32 = -1;
/// The timestamp and the offset in an answer that has none.
const NOWHERE: i64 = -1;

pub(crate) fn handle(call: Call<'_>, request: ListOffsetsRequest) -> Reply {
    // A replica sees all of the log, whatever level it names.
    let is_consumer = request.replica_id == CONSUMER;
    let isolation = Isolation::of(request.isolation_level).map(|level| is_consumer.then_some(level));
    let version = call.version();
    let repeated = repeated(&request.topics);
    let mut refused = BTreeSet::new();
    let turn = Turn::begin();
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().filter_map(|partition| {
            let index = partition.partition_index;
            if repeated.contains(&(&topic.name, index)) {
                let first = refused.insert((&topic.name, index));
                return first.then(|| refuse(index, ErrorCode::INVALID_REQUEST));
            }
            Some(match isolation {
                Some(isolation) => turn.run(|| find(&call, &topic.name, partition, isolation, version)),
                None => refuse(index, ErrorCode::INVALID_REQUEST),
            })
        });
        ListOffsetsTopicResponse { partitions: partitions.collect(), name: topic.name.clone() }
    });
    call.reply(&ListOffsetsResponse { topics: topics.collect(), ..ListOffsetsResponse::default() })
}

/// The partitions that a request names more than once. Each has one answer, which is an error.
fn repeated(topics: &[ListOffsetsTopic]) -> BTreeSet<(&Str, i32)> {
    let mut seen = BTreeSet::new();
    let asked = topics.iter().flat_map(|topic| {
        topic.partitions.iter().map(move |partition| (&topic.name, partition.partition_index))
    });
    asked.filter(|partition| !seen.insert(*partition)).collect()
}

fn refuse(partition_index: i32, error_code: ErrorCode) -> ListOffsetsPartitionResponse {
    ListOffsetsPartitionResponse {
        partition_index,
        error_code,
        timestamp: NOWHERE,
        offset: NOWHERE,
        leader_epoch: -1,
    }
}

fn find(
    call: &Call<'_>,
    topic: &Str,
    partition: &ListOffsetsPartition,
    isolation: Option<Isolation>,
    version: i16,
) -> ListOffsetsPartitionResponse {
    let index = partition.partition_index;
    let table = call.broker.replicas.table();
    let found = table.partition(topic, index).and_then(|log| {
        let spec = OffsetSpec::of(partition.timestamp, version).ok_or(ErrorCode::UNSUPPORTED_VERSION)?;
        log.check_leads(partition.current_leader_epoch)?;
        log.find_offset(spec, isolation)
    });
    let (error_code, found) = match found {
        Ok(found) => (ErrorCode::NONE, found),
        Err(ErrorCode::OFFSET_NOT_AVAILABLE) if version < OFFSET_NOT_AVAILABLE_SINCE => {
            (ErrorCode::LEADER_NOT_AVAILABLE, None)
        }
        Err(error) => (error, None),
    };
    let (timestamp, offset, leader_epoch) =
        found.map_or((NOWHERE, NOWHERE, -1), |found| (found.timestamp_ms, found.offset, found.leader_epoch));
    let leader_epoch = if version >= LEADER_EPOCHS_SINCE { leader_epoch } else { -1 };
    ListOffsetsPartitionResponse { partition_index: index, error_code, timestamp, offset, leader_epoch }
}
