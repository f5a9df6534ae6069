//! Fetch at a listener for controllers: brokers follow the metadata log by it (KIP-595).

use std::sync::Arc;
use std::time::Duration;

use metadata::quorum::{LogPart, METADATA_TOPIC_ID, Quorum};
use protocol::messages::FetchResponse;
use protocol::messages::fetch_request::{FetchPartition, FetchRequest};
use protocol::messages::fetch_response::{
    EpochEndOffset, FetchableTopicResponse, LeaderIdAndEpoch, NodeEndpoint, PartitionData, SnapshotId,
};
use protocol::{ErrorCode, Records, Str};
use runtime::task;
use tracing::error;

use super::TOPIC_IDS_SINCE;
use crate::call::Call;
use crate::cluster::{Cluster, Leadership};
use crate::reply::Reply;

/// The most bytes of records in an answer, as in Kafka (`KafkaRaftClient.MAX_FETCH_SIZE_BYTES`).
const RECORDS_BYTES_MAX: usize = 8 << 20;
/// The longest wait for records.
const WAIT_MAX: Duration = Duration::from_secs(30);
/// Versions from here on tell the leader's address.
const ENDPOINTS_SINCE: i16 = 17;

pub(super) fn handle(call: Call<'_>, request: FetchRequest) -> Reply {
    let error = |error_code| FetchResponse { error_code, ..FetchResponse::default() };
    if !call.broker.cluster.is_cluster_id(request.cluster_id.as_deref()) {
        return call.reply(&error(ErrorCode::INCONSISTENT_CLUSTER_ID));
    }
    let Some(asked) = only_partition(&request, call.version()) else {
        return call.reply(&error(ErrorCode::INVALID_REQUEST));
    };
    let (broker, responder) = (Arc::clone(call.broker), call.responder);
    let listener = broker.listener_name(call.peer.listener).clone();
    let wait = u64::try_from(request.max_wait_ms).map(Duration::from_millis);
    Reply::later(async move {
        let answer = match wait {
            Ok(wait) if is_sound(&asked) => answer(&broker.cluster, &asked, wait.min(WAIT_MAX)).await,
            _ => failed(ErrorCode::INVALID_REQUEST),
        };
        let leadership = broker.cluster.leadership();
        responder.frame(&response(answer, responder.version, &leadership, &listener))
    })
}

/// The partition that is asked for, if that is the metadata log alone.
fn only_partition(request: &FetchRequest, version: i16) -> Option<FetchPartition> {
    let [topic] = &request.topics[..] else { return None };
    let [partition] = &topic.partitions[..] else { return None };
    // Kafka's observers have always named it by its id.
    let is_meant = version >= TOPIC_IDS_SINCE && topic.topic_id == METADATA_TOPIC_ID;
    (is_meant && partition.partition == 0).then(|| partition.clone())
}

/// Kafka's conditions for offset and epochs.
fn is_sound(asked: &FetchPartition) -> bool {
    let epochs = 0..=asked.current_leader_epoch;
    asked.fetch_offset >= 0 && epochs.contains(&asked.last_fetched_epoch)
}

async fn answer(cluster: &Arc<Cluster>, asked: &FetchPartition, wait: Duration) -> PartitionData {
    if let Err(error_code) = cluster.leadership().check(asked.current_leader_epoch) {
        return failed(error_code);
    }
    let read = read(cluster, asked).await;
    let is_told = read.high_watermark <= asked.high_watermark;
    if read.error_code.is_error() || !is_empty(&read) || wait.is_zero() || !is_told {
        return read;
    }
    cluster.quorum().wait_for_committed(asked.fetch_offset, wait).await;
    match cluster.leadership().check(asked.current_leader_epoch) {
        Ok(()) => self::read(cluster, asked).await,
        Err(error_code) => failed(error_code),
    }
}

/// Whether there is nothing for the observer to do.
fn is_empty(read: &PartitionData) -> bool {
    let has_records = matches!(&read.records, Records::Bytes(bytes) if !bytes.is_empty());
    !has_records && read.diverging_epoch.epoch < 0 && read.snapshot_id.end_offset < 0
}

async fn read(cluster: &Arc<Cluster>, asked: &FetchPartition) -> PartitionData {
    let (reader, offset, epoch) = (Arc::clone(cluster), asked.fetch_offset, asked.last_fetched_epoch);
    let read = task::spawn_blocking(move || read_blocking(reader.quorum(), offset, epoch));
    // A panic is reported where it happens.
    read.await.unwrap_or_else(|_panic| failed(ErrorCode::UNKNOWN_SERVER_ERROR))
}

fn read_blocking(quorum: &Quorum, offset: i64, last_epoch: i32) -> PartitionData {
    let high_watermark = quorum.status().high_watermark;
    let data = PartitionData { records: Records::Bytes(bytes::Bytes::new()), ..failed(ErrorCode::NONE) };
    let read = quorum.read_for_observer(offset, last_epoch, high_watermark, RECORDS_BYTES_MAX);
    let data = match read {
        Ok(LogPart::Records(None)) => data,
        Ok(LogPart::Records(Some(slice))) => match slice.read() {
            Ok(bytes) => PartitionData { records: Records::Bytes(bytes.into()), ..data },
            Err(problem) => unreadable(&problem),
        },
        Ok(LogPart::Snapshot(id)) => {
            PartitionData { snapshot_id: SnapshotId { end_offset: id.end_offset, epoch: id.epoch }, ..data }
        }
        Ok(LogPart::Diverging(end)) => PartitionData {
            diverging_epoch: EpochEndOffset { epoch: end.epoch, end_offset: end.end_offset },
            ..data
        },
        Err(problem) => unreadable(&problem),
    };
    PartitionData { high_watermark, ..data }
}

fn unreadable(problem: &dyn std::fmt::Display) -> PartitionData {
    error!("the metadata log cannot be read for a broker: {problem}");
    failed(ErrorCode::UNKNOWN_SERVER_ERROR)
}

fn failed(error_code: ErrorCode) -> PartitionData {
    PartitionData { error_code, high_watermark: -1, ..PartitionData::default() }
}

fn response(data: PartitionData, version: i16, leadership: &Leadership, listener: &Str) -> FetchResponse {
    let endpoint = leadership.endpoint(listener).filter(|_| version >= ENDPOINTS_SINCE);
    let node_endpoints = endpoint.map(|(node_id, endpoint)| NodeEndpoint {
        node_id,
        host: endpoint.host.as_str().into(),
        port: i32::from(endpoint.port),
        ..NodeEndpoint::default()
    });
    let partition = PartitionData {
        current_leader: LeaderIdAndEpoch {
            leader_id: leadership.leader_id(),
            leader_epoch: leadership.epoch(),
        },
        ..data
    };
    let topic = FetchableTopicResponse {
        topic_id: METADATA_TOPIC_ID,
        partitions: vec![partition],
        ..FetchableTopicResponse::default()
    };
    FetchResponse {
        responses: vec![topic],
        node_endpoints: node_endpoints.into_iter().collect(),
        ..FetchResponse::default()
    }
}
