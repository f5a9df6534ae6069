//! Produce (0), versions 3-13.
//!
//! 3 adds batches of magic 2 and the transactional id; 5 the log start offset in the response; 7 zstd; 8
//! errors by record (KIP-467); 10 the current leader in the response (KIP-951); 12 implies AddPartitionsToTxn
//! (KIP-890); 13 names topics by id (KIP-516).
//!
//! Every batch is validated and appended right here, in the order of the request, before the next request of
//! the connection is handled. With acks=all the response then waits until the appended records are on disk;
//! later requests of the connection go on meanwhile.

use std::sync::Arc;
use std::time::Duration;

use protocol::messages::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use protocol::messages::produce_response::{
    BatchIndexAndErrorMessage, PartitionProduceResponse, ProduceResponse, TopicProduceResponse,
};
use protocol::{ErrorCode, Records, Str, Uuid};
use record::Batch;
use runtime::clock;

use crate::call::Call;
use crate::replicas::{AppendedRecords, Refusal, Replica, Topic, TopicTable, Turn};
use crate::reply::{Frame, Reply, Responder};

/// The first version in which topics are named by id.
const TOPIC_IDS_SINCE: i16 = 13;
/// Acknowledge once all in-sync replicas have the records on disk.
const ACKS_ALL: i16 = -1;
/// Do not answer.
const ACKS_NONE: i16 = 0;
/// The client id by which Kafka's own admin tools may write to internal topics.
const ADMIN_CLIENT_ID: &str = "__admin_client";

/// The most records that one response names: a batch of a hundred bytes can have a thousand invalid ones. A
/// producer fails all records of a batch, whichever are named.
const RECORD_ERRORS_MAX: usize = 5000;

/// The least time that a produce waits for this broker's own disk, however short its timeout: the timeout is
/// for other replicas, and Kafka waits for its own disk without one.
const DISK_WAIT_MIN: Duration = Duration::from_secs(10);

/// An append whose acknowledgement waits for the disk.
struct PendingAck {
    topic: usize,
    partition: usize,
    log: Arc<Replica>,
    /// Everything before this offset must be on disk before the acknowledgement.
    end_offset: i64,
}

/// The results of the request's batches so far.
struct SoFar {
    pending: Vec<PendingAck>,
    /// The number of records that the response may still name.
    record_errors_left: usize,
    turn: Turn,
}

pub(crate) fn handle(call: Call<'_>, request: ProduceRequest) -> Reply {
    if request.transactional_id.is_none() && has_transactional_records(&request) {
        return refuse_all(&call, &request, ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
    }
    let timeout_ms = u64::try_from(request.timeout_ms).unwrap_or(0);
    let acks = request.acks;
    let table = call.broker.replicas.table();
    let mut so_far =
        SoFar { pending: Vec::new(), record_errors_left: RECORD_ERRORS_MAX, turn: Turn::begin() };
    let mut responses = Vec::with_capacity(request.topic_data.len());
    for topic_data in request.topic_data {
        let place = responses.len();
        responses.push(append_topic(&call, &table, topic_data, acks, place, &mut so_far));
    }
    let response = ProduceResponse { responses, ..ProduceResponse::default() };
    if acks == ACKS_NONE {
        // Without a response, a client learns of an error only from the end of the connection.
        let failed = partitions(&response).any(|partition| partition.error_code != ErrorCode::NONE);
        return if failed { Reply::Close } else { Reply::Nothing };
    }
    let mut pending = so_far.pending;
    pending.retain(|wait| !wait.log.is_committed(wait.end_offset));
    if pending.is_empty() {
        return call.reply(&response);
    }
    Reply::later(acknowledge(call.responder, response, pending, Duration::from_millis(timeout_ms)))
}

fn partitions(response: &ProduceResponse) -> impl Iterator<Item = &PartitionProduceResponse> {
    response.responses.iter().flat_map(|topic| &topic.partition_responses)
}

/// Waits for the disk and the replicas in sync, then answers for all partitions of the request.
async fn acknowledge(
    responder: Responder,
    mut response: ProduceResponse,
    pending: Vec<PendingAck>,
    timeout: Duration,
) -> Frame {
    let deadline = clock::now() + timeout.max(DISK_WAIT_MIN);
    for wait in pending {
        let left = deadline.saturating_duration_since(clock::now());
        let error = match clock::timeout(left, wait.log.committed(wait.end_offset)).await {
            Ok(Ok(())) => continue,
            Ok(Err(lost)) => lost,
            Err(_elapsed) => ErrorCode::REQUEST_TIMED_OUT,
        };
        let place = &mut response.responses[wait.topic].partition_responses[wait.partition];
        *place = failed(place.index, error);
    }
    responder.frame(&response)
}

fn append_topic(
    call: &Call<'_>,
    table: &TopicTable,
    topic_data: TopicProduceData,
    acks: i16,
    place: usize,
    so_far: &mut SoFar,
) -> TopicProduceResponse {
    let topic = find(call, table, &topic_data);
    let mut partition_responses = Vec::with_capacity(topic_data.partition_data.len());
    for partition_data in topic_data.partition_data {
        let index = partition_data.index;
        let appended = match &topic {
            Ok(topic) => so_far.turn.run(|| append_partition(call, topic, partition_data, acks)),
            Err(error) => Err(Refusal::from(*error)),
        };
        partition_responses.push(match appended {
            Ok((log, appended)) => {
                if acks == ACKS_ALL {
                    let partition = partition_responses.len();
                    so_far.pending.push(PendingAck {
                        topic: place,
                        partition,
                        log,
                        end_offset: appended.last_offset + 1,
                    });
                }
                succeeded(index, &appended)
            }
            Err(mut refusal) => {
                refusal.records.truncate(so_far.record_errors_left);
                so_far.record_errors_left -= refusal.records.len();
                refused(index, refusal)
            }
        });
    }
    // The table's own name is used: the request's is a slice of the receive buffer, and would hold the buffer
    // for as long as the response waits.
    let (name, topic_id) = match &topic {
        Ok(topic) => (topic.name().clone(), topic_data.topic_id),
        Err(_) => (topic_data.name.as_str().into(), topic_data.topic_id),
    };
    TopicProduceResponse { name, topic_id, partition_responses }
}

fn find(call: &Call<'_>, table: &TopicTable, topic_data: &TopicProduceData) -> Result<Arc<Topic>, ErrorCode> {
    let topic = if call.version() >= TOPIC_IDS_SINCE {
        let by_id = (topic_data.topic_id != Uuid::ZERO).then(|| table.by_id(topic_data.topic_id));
        by_id.flatten().ok_or(ErrorCode::UNKNOWN_TOPIC_ID)?
    } else {
        table.by_name(&topic_data.name).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?
    };
    let from_admin = call.client_id.as_deref() == Some(ADMIN_CLIENT_ID);
    if topic.is_internal() && !from_admin {
        return Err(ErrorCode::INVALID_TOPIC_EXCEPTION);
    }
    Ok(Arc::clone(topic))
}

fn append_partition(
    call: &Call<'_>,
    topic: &Topic,
    data: PartitionProduceData,
    acks: i16,
) -> Result<(Arc<Replica>, AppendedRecords), Refusal> {
    let partition = topic.partition(data.index)?;
    if !matches!(acks, -1..=1) {
        return Err(Refusal::from(ErrorCode::INVALID_REQUIRED_ACKS));
    }
    let records = match data.records {
        Records::Bytes(bytes) => bytes,
        // A produce must have records: null is a missing batch.
        _ => {
            return Err(Refusal::new(
                ErrorCode::INVALID_RECORD,
                "the request has no records for this partition",
            ));
        }
    };
    let appended = partition.append_produced(&records, call.version(), acks == ACKS_ALL, clock::now_ms())?;
    Ok((Arc::clone(partition), appended))
}

/// Whether the request has a transactional batch. Such a batch needs the id of its transaction; without it
/// nothing of the request is written, as in Kafka.
fn has_transactional_records(request: &ProduceRequest) -> bool {
    let mut partitions = request.topic_data.iter().flat_map(|topic| &topic.partition_data);
    partitions.any(|data| match &data.records {
        Records::Bytes(bytes) => {
            Batch::parse(bytes).is_ok_and(|batch| batch.header().attributes.is_transactional())
        }
        _ => false,
    })
}

fn refuse_all(call: &Call<'_>, request: &ProduceRequest, error: ErrorCode) -> Reply {
    if request.acks == ACKS_NONE {
        return Reply::Close;
    }
    let responses = request.topic_data.iter().map(|topic| TopicProduceResponse {
        name: topic.name.as_str().into(),
        topic_id: topic.topic_id,
        partition_responses: topic.partition_data.iter().map(|data| failed(data.index, error)).collect(),
    });
    call.reply(&ProduceResponse { responses: responses.collect(), ..ProduceResponse::default() })
}

fn succeeded(index: i32, appended: &AppendedRecords) -> PartitionProduceResponse {
    PartitionProduceResponse {
        index,
        base_offset: appended.base_offset,
        log_append_time_ms: appended.log_append_time_ms,
        log_start_offset: appended.log_start_offset,
        ..PartitionProduceResponse::default()
    }
}

fn failed(index: i32, error_code: ErrorCode) -> PartitionProduceResponse {
    PartitionProduceResponse { index, error_code, base_offset: -1, ..PartitionProduceResponse::default() }
}

fn refused(index: i32, refusal: Refusal) -> PartitionProduceResponse {
    let record_errors = refusal.records.into_iter().map(|(batch_index, message)| BatchIndexAndErrorMessage {
        batch_index,
        batch_index_error_message: Some(Str::fitting(message)),
    });
    PartitionProduceResponse {
        record_errors: record_errors.collect(),
        error_message: refusal.message.map(Str::fitting),
        log_start_offset: refusal.log_start_offset,
        ..failed(index, refusal.error_code)
    }
}
