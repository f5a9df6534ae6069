//! DeleteRecords (21), versions 0-2: moves the start of logs forward. 2 is flexible.

use protocol::ErrorCode;
use protocol::messages::delete_records_request::DeleteRecordsRequest;
use protocol::messages::delete_records_response::{
    DeleteRecordsPartitionResult, DeleteRecordsResponse, DeleteRecordsTopicResult,
};
use runtime::clock;

use crate::call::Call;
use crate::reply::Reply;

/// The low watermark in a result that is an error.
const NO_LOW_WATERMARK: i64 = -1;

pub(crate) fn handle(call: Call<'_>, request: DeleteRecordsRequest) -> Reply {
    let table = call.broker.replicas.table();
    let topics = request.topics.into_iter().map(|topic| {
        let internal = table.by_name(&topic.name).is_some_and(|topic| topic.is_internal());
        let partitions = topic.partitions.iter().map(|partition| {
            let index = partition.partition_index;
            let log = table.partition(&topic.name, index);
            // A client must not truncate the broker's own state.
            let log =
                log.and_then(|log| if internal { Err(ErrorCode::INVALID_TOPIC_EXCEPTION) } else { Ok(log) });
            let deleted = log.and_then(|log| log.delete_records(partition.offset, clock::now_ms()));
            DeleteRecordsPartitionResult {
                partition_index: index,
                low_watermark: deleted.unwrap_or(NO_LOW_WATERMARK),
                error_code: deleted.err().unwrap_or(ErrorCode::NONE),
            }
        });
        DeleteRecordsTopicResult { partitions: partitions.collect(), name: topic.name }
    });
    call.reply(&DeleteRecordsResponse { topics: topics.collect(), ..DeleteRecordsResponse::default() })
}
