//! The task that sends a producer's batches.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use protocol::messages::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use protocol::messages::produce_response::{PartitionProduceResponse, ProduceResponse};
use protocol::{ErrorCode, Records, Str, Uuid};
use runtime::clock::Instant;
use runtime::{clock, random};

use super::accumulator::Batch;
use super::delivery::{ProduceError, RecordMetadata};
use super::identity::{self, Identity, Sequence};
use super::{Acks, ProducerCore};
use crate::cluster::{ClusterError, Lane};
use crate::connection::Connection;
use crate::topic_partition::TopicPartition;

/// The newest version that names topics by name, for brokers that give them no ids.
const VERSION_MAX_WITHOUT_IDS: i16 = 12;

type Batches = Vec<(TopicPartition, Batch)>;

/// The ids of the topics in a request, as of its creation.
type TopicIds = BTreeMap<String, Uuid>;

/// The sender's work in progress.
enum Work {
    Identify,
    FindLeaders(Batches),
    Send(i32, Batches),
}

/// The result of the sender's work.
enum WorkResult {
    Identified(Result<Identity, ClusterError>),
    /// The attempts to deliver batches.
    Attempted(Vec<(TopicPartition, Batch, Attempt)>),
}

/// One attempt to deliver a batch.
enum Attempt {
    /// It was not sent, because its leader was unknown; now it is known.
    NotYet,
    Acknowledged {
        offset: Option<i64>,
        log_append_time_ms: Option<i64>,
    },
    Failed(Arc<ClusterError>),
}

/// Sends batches as they become due, for as long as the producer lives.
pub(super) async fn run(shared: Arc<ProducerCore>) {
    let mut identity = None;
    let mut identifying = false;
    let mut under_way = FuturesUnordered::new();
    loop {
        let ready = identity.is_some() || !shared.options.idempotent;
        let next_due = shared.accumulator.lock().next_due();
        if ready {
            let due = shared.accumulator.lock().take_due(clock::now());
            for work in plan(&shared, due, identity) {
                under_way.push(work.run(Arc::clone(&shared)));
            }
        } else if !identifying && next_due.is_some_and(|at| at <= clock::now()) {
            identifying = true;
            under_way.push(Work::Identify.run(Arc::clone(&shared)));
        }
        let next_due = shared.accumulator.lock().next_due().filter(|_| ready || !identifying);
        tokio::select! {
            biased;
            () = shared.wake.notified() => {}
            () = sleep_until(next_due) => {}
            Some(done) = under_way.next() => match done {
                WorkResult::Identified(outcome) => {
                    identifying = false;
                    identity = outcome.map_err(|error| fail_all(&shared, &Arc::new(error))).ok();
                }
                WorkResult::Attempted(attempts) => {
                    for (at, batch, attempt) in attempts {
                        let lost = settle(&shared, &at, batch, attempt);
                        // The partitions that still use the old identity keep it.
                        identity = identity.filter(|current| lost != Some(*current));
                    }
                }
            },
        }
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => clock::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// Seals the batches that are due and groups them by leader.
fn plan(shared: &ProducerCore, due: Batches, identity: Option<Identity>) -> Vec<Work> {
    let view = shared.cluster.view();
    let mut leaderless = Vec::new();
    let mut by_leader: BTreeMap<i32, Vec<(usize, Batches)>> = BTreeMap::new();
    for (at, mut batch) in due {
        let leader = view.topic(&at.topic).and_then(|topic| topic.leader_of(at.partition).ok());
        let known = leader.filter(|leader| view.brokers.contains_key(leader));
        let Some(leader) = known else {
            leaderless.push((at, batch));
            continue;
        };
        let sequence = shared.accumulator.lock().sequence(&at).or(identity.map(Sequence::first));
        let bytes = batch.seal(sequence).len();
        let requests = by_leader.entry(leader).or_default();
        match requests.last_mut() {
            Some((size, batches)) if *size + bytes <= shared.options.request_bytes_max => {
                *size += bytes;
                batches.push((at, batch));
            }
            _ => requests.push((bytes, vec![(at, batch)])),
        }
    }
    let send = |(leader, requests): (i32, Vec<(usize, Batches)>)| {
        requests.into_iter().map(move |(_, batches)| Work::Send(leader, batches))
    };
    let find = (!leaderless.is_empty()).then(|| Work::FindLeaders(leaderless));
    by_leader.into_iter().flat_map(send).chain(find).collect()
}

impl Work {
    async fn run(self, shared: Arc<ProducerCore>) -> WorkResult {
        match self {
            Work::Identify => WorkResult::Identified(identity::request(&shared.cluster).await),
            Work::FindLeaders(batches) => {
                let found = find_leaders(&shared, &batches).await.map_err(Arc::new);
                let attempt = || match &found {
                    Ok(()) => Attempt::NotYet,
                    Err(error) => Attempt::Failed(Arc::clone(error)),
                };
                WorkResult::Attempted(batches.into_iter().map(|(at, batch)| (at, batch, attempt())).collect())
            }
            Work::Send(leader, batches) => WorkResult::Attempted(send(&shared, leader, batches).await),
        }
    }
}

async fn find_leaders(shared: &ProducerCore, batches: &Batches) -> Result<(), ClusterError> {
    for (at, _) in batches {
        shared.cluster.topic(&at.topic).await?.leader_of(at.partition)?;
    }
    Ok(())
}

/// Sends batches to the broker that leads their partitions.
async fn send(shared: &ProducerCore, leader: i32, batches: Batches) -> Vec<(TopicPartition, Batch, Attempt)> {
    let view = shared.cluster.view();
    let id_of = |at: &TopicPartition| view.topic(&at.topic).map_or(Uuid::ZERO, |topic| topic.id);
    let ids: TopicIds = batches.iter().map(|(at, _)| (at.topic.clone(), id_of(at))).collect();
    let exchange = async {
        let connection = shared.cluster.broker(leader, Lane::Prompt).await?;
        exchange(shared, &connection, &batches, &ids).await
    };
    let answer = exchange.await.map_err(Arc::new);
    let attempt = |(at, batch): (TopicPartition, Batch)| {
        let attempt = match &answer {
            Ok(None) => Attempt::Acknowledged { offset: None, log_append_time_ms: None },
            Ok(Some(response)) => attempt_in(response, &ids, &at),
            Err(error) => Attempt::Failed(Arc::clone(error)),
        };
        (at, batch, attempt)
    };
    batches.into_iter().map(attempt).collect()
}

/// The broker's answer, or `None` if none was requested.
async fn exchange(
    shared: &ProducerCore,
    connection: &Connection,
    batches: &Batches,
    ids: &TopicIds,
) -> Result<Option<ProduceResponse>, ClusterError> {
    let mut topics: BTreeMap<&str, TopicProduceData> = BTreeMap::new();
    let mut version_max = i16::MAX;
    for (at, batch) in batches {
        let topic_id = ids[&at.topic];
        if topic_id == Uuid::ZERO {
            version_max = VERSION_MAX_WITHOUT_IDS;
        }
        let (bytes, _) = batch.sealed.as_ref().expect("what is sent is sealed");
        let name = Str::from(&at.topic);
        let topic = topics.entry(&at.topic).or_insert_with(|| TopicProduceData {
            name,
            topic_id,
            ..Default::default()
        });
        topic
            .partition_data
            .push(PartitionProduceData { index: at.partition, records: Records::Bytes(bytes.clone()) });
    }
    let timeout = shared.options.replication_timeout;
    let request = ProduceRequest {
        transactional_id: None,
        acks: shared.options.acks.as_i16(),
        timeout_ms: i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX),
        topic_data: topics.into_values().collect(),
    };
    if shared.options.acks == Acks::None {
        connection.send_unanswered(&request, version_max).await?;
        return Ok(None);
    }
    Ok(Some(connection.request_with(&request, version_max, timeout).await?))
}

/// A response's outcome for one partition.
fn attempt_in(response: &ProduceResponse, ids: &TopicIds, at: &TopicPartition) -> Attempt {
    let is_topic =
        |name: &Str, topic_id: Uuid| *name == at.topic || (name.is_empty() && topic_id == ids[&at.topic]);
    let partition = response
        .responses
        .iter()
        .filter(|topic| is_topic(&topic.name, topic.topic_id))
        .flat_map(|topic| &topic.partition_responses)
        .find(|partition| partition.index == at.partition);
    let Some(partition) = partition else {
        let message = Some("the broker's answer leaves out the partition".to_owned());
        return Attempt::Failed(Arc::new(ClusterError::Refused {
            code: ErrorCode::UNKNOWN_SERVER_ERROR,
            message,
        }));
    };
    match partition.error_code {
        ErrorCode::NONE => Attempt::Acknowledged {
            offset: Some(partition.base_offset).filter(|&offset| offset >= 0),
            log_append_time_ms: Some(partition.log_append_time_ms).filter(|&time| time >= 0),
        },
        // An earlier attempt was appended after all.
        ErrorCode::DUPLICATE_SEQUENCE_NUMBER => {
            Attempt::Acknowledged { offset: None, log_append_time_ms: None }
        }
        code => {
            let message = message_of(partition).map(ToOwned::to_owned);
            Attempt::Failed(Arc::new(ClusterError::Refused { code, message }))
        }
    }
}

fn message_of(partition: &PartitionProduceResponse) -> Option<&str> {
    let of_record =
        partition.record_errors.iter().find_map(|error| error.batch_index_error_message.as_deref());
    of_record.or(partition.error_message.as_deref()).filter(|message| !message.is_empty())
}

/// Ends a batch, or puts it back to be sent again. Returns the identity that can no longer be used, because
/// nobody knows which of its sequence numbers the broker has seen.
fn settle(
    shared: &ProducerCore,
    at: &TopicPartition,
    mut batch: Batch,
    attempt: Attempt,
) -> Option<Identity> {
    let sequence = batch.sealed.as_ref().and_then(|(_, sequence)| *sequence);
    let cause = match attempt {
        Attempt::Acknowledged { offset, log_append_time_ms } => {
            let next = sequence.map(|sequence| sequence.after(batch.records));
            let acknowledged = RecordMetadata { at: at.clone(), offset, log_append_time_ms };
            shared.accumulator.lock().settle(at, batch, Ok(acknowledged), next);
            return None;
        }
        Attempt::NotYet => {
            shared.accumulator.lock().put_back(at, batch, clock::now());
            return None;
        }
        Attempt::Failed(cause) => cause,
    };
    batch.may_be_delivered |= leaves_in_doubt(&cause);
    let in_time = batch.created.elapsed() < shared.options.delivery_timeout;
    if cause.is_retriable() && in_time {
        shared.cluster.forget_topic(&at.topic);
        let wait = batch.backoff.next_wait(random::u64());
        tracing::debug!(partition = %at, %cause, wait_ms = wait.as_millis(), "sending a batch again");
        shared.accumulator.lock().put_back(at, batch, clock::now() + wait);
        return None;
    }
    let lost = sequence.filter(|_| batch.may_be_delivered || is_out_of_sequence(&cause));
    let next = if lost.is_some() { None } else { sequence };
    fail(shared, at, batch, cause, next);
    lost.map(|sequence| sequence.identity)
}

/// Whether the batch may have been appended although it was not acknowledged.
fn leaves_in_doubt(cause: &ClusterError) -> bool {
    match cause {
        ClusterError::Request(error) => error.is_retriable(),
        ClusterError::Refused { code, .. } => {
            matches!(*code, ErrorCode::REQUEST_TIMED_OUT | ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND)
        }
        _ => false,
    }
}

/// Whether the broker's state of the producer differs from ours.
fn is_out_of_sequence(cause: &ClusterError) -> bool {
    let codes = [
        ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER,
        ErrorCode::UNKNOWN_PRODUCER_ID,
        ErrorCode::INVALID_PRODUCER_EPOCH,
        ErrorCode::INVALID_PRODUCER_ID_MAPPING,
    ];
    cause.code().is_some_and(|code| codes.contains(&code))
}

fn fail(
    shared: &ProducerCore,
    at: &TopicPartition,
    batch: Batch,
    cause: Arc<ClusterError>,
    next: Option<Sequence>,
) {
    let may_be_delivered = batch.may_be_delivered;
    let error = ProduceError::Failed { at: at.clone(), cause, may_be_delivered };
    shared.accumulator.lock().settle(at, batch, Err(error), next);
}

/// Fails all due batches, since the cluster gives no identity.
fn fail_all(shared: &ProducerCore, cause: &Arc<ClusterError>) {
    let due = shared.accumulator.lock().take_due(clock::now());
    for (at, batch) in due {
        fail(shared, &at, batch, Arc::clone(cause), None);
    }
}
