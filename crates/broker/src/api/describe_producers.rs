//! DescribeProducers (61), version 0: the producers that partitions remember (KIP-664).

use std::collections::BTreeSet;

use protocol::messages::DescribeProducersRequest;
use protocol::messages::describe_producers_response::{
    DescribeProducersResponse, PartitionResponse, ProducerState, TopicResponse,
};
use protocol::{ErrorCode, Str};

use crate::call::Call;
use crate::reply::Reply;

pub(crate) fn handle(call: Call<'_>, request: DescribeProducersRequest) -> Reply {
    let table = call.broker.replicas.table();
    // Each partition is answered once, even if it is named twice, so that a short request has no long answer.
    let mut answered = BTreeSet::new();
    let mut is_first = |name: &Str, index: i32| answered.insert((name.clone(), index));
    let topics = request.topics.into_iter().map(|topic| {
        let indexes = topic.partition_indexes.iter().filter(|index| is_first(&topic.name, **index));
        let partitions = indexes.map(|index| {
            let found = table.partition(&topic.name, *index).and_then(|log| log.active_producers());
            let error = found.as_ref().err().copied();
            let active = found.unwrap_or_default().into_iter().map(|producer| ProducerState {
                producer_id: producer.producer_id,
                producer_epoch: i32::from(producer.producer_epoch),
                last_sequence: producer.last_sequence,
                last_timestamp: producer.last_timestamp,
                coordinator_epoch: producer.coordinator_epoch,
                current_txn_start_offset: producer.current_txn_start_offset,
            });
            PartitionResponse {
                partition_index: *index,
                error_code: error.unwrap_or(ErrorCode::NONE),
                error_message: error.map(|code| Str::from_static(code.message())),
                active_producers: active.collect(),
            }
        });
        TopicResponse { partitions: partitions.collect(), name: topic.name }
    });
    call.reply(&DescribeProducersResponse {
        topics: topics.collect(),
        ..DescribeProducersResponse::default()
    })
}
