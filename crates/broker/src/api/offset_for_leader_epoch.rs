//! OffsetForLeaderEpoch (23), versions 2-4: returns the end offset of an epoch in the leader's log, from
//! which a reader learns whether records that it has read were truncated (KIP-101, KIP-320).

use protocol::ErrorCode;
use protocol::messages::offset_for_leader_epoch_request::OffsetForLeaderEpochRequest;
use protocol::messages::offset_for_leader_epoch_response::{
    EpochEndOffset, OffsetForLeaderEpochResponse, OffsetForLeaderTopicResult,
};

use crate::call::Call;
use crate::reply::Reply;

pub(crate) fn handle(call: Call<'_>, request: OffsetForLeaderEpochRequest) -> Reply {
    let table = call.broker.replicas.table();
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|asked| {
            let found = table.partition(&topic.topic, asked.partition).and_then(|log| {
                log.check_leads(asked.current_leader_epoch)?;
                Ok(log.end_of_epoch(asked.leader_epoch))
            });
            let end = found.ok().flatten();
            EpochEndOffset {
                error_code: found.err().unwrap_or(ErrorCode::NONE),
                partition: asked.partition,
                leader_epoch: end.map_or(-1, |(epoch, _)| epoch),
                end_offset: end.map_or(-1, |(_, offset)| offset),
            }
        });
        OffsetForLeaderTopicResult { partitions: partitions.collect(), topic: topic.topic }
    });
    call.reply(&OffsetForLeaderEpochResponse {
        topics: topics.collect(),
        ..OffsetForLeaderEpochResponse::default()
    })
}
