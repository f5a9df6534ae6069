//! FetchSnapshot (59), versions 0-1: a part of a snapshot of the metadata, for a broker whose log is too old (KIP-630).
//!
//! 1 brings the directory of the replica and the leader's address (KIP-853).

use std::sync::Arc;

use metadata::quorum::{METADATA_TOPIC, SnapshotId, SnapshotPart, SnapshotReadError};
use protocol::messages::fetch_snapshot_request::{self, FetchSnapshotRequest};
use protocol::messages::fetch_snapshot_response::{
    self, FetchSnapshotResponse, LeaderIdAndEpoch, NodeEndpoint, PartitionSnapshot, TopicSnapshot,
};
use protocol::{ErrorCode, Records};
use runtime::task;
use tracing::error;

use crate::call::Call;
use crate::cluster::Cluster;
use crate::reply::Reply;

/// The most bytes of a snapshot in an answer.
const PART_BYTES_MAX: usize = 1 << 20;
/// Versions from here on tell the leader's address.
const ENDPOINTS_SINCE: i16 = 1;

pub(crate) fn handle(call: Call<'_>, request: FetchSnapshotRequest) -> Reply {
    let error = |error_code| FetchSnapshotResponse { error_code, ..FetchSnapshotResponse::default() };
    if !call.broker.cluster.is_cluster_id(request.cluster_id.as_deref()) {
        return call.reply(&error(ErrorCode::INCONSISTENT_CLUSTER_ID));
    }
    let ([topic], max_bytes) = (&request.topics[..], request.max_bytes) else {
        return call.reply(&error(ErrorCode::INVALID_REQUEST));
    };
    let [asked] = &topic.partitions[..] else {
        return call.reply(&error(ErrorCode::INVALID_REQUEST));
    };
    let (asked, name) = (asked.clone(), topic.name.clone());
    let max_bytes = usize::try_from(max_bytes).unwrap_or(0).min(PART_BYTES_MAX);
    let (broker, responder) = (Arc::clone(call.broker), call.responder);
    let listener = broker.listener_name(call.peer.listener).clone();
    Reply::later(async move {
        let cluster = &broker.cluster;
        let leadership = cluster.leadership();
        let part = match leadership.check(asked.current_leader_epoch) {
            _ if *name != *METADATA_TOPIC || asked.partition != 0 => {
                Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
            }
            Ok(()) => read(cluster, &asked, max_bytes).await,
            Err(error_code) => Err(error_code),
        };
        let leader = LeaderIdAndEpoch { leader_id: leadership.leader_id(), leader_epoch: leadership.epoch() };
        let partition = PartitionSnapshot { current_leader: leader, ..answer(&asked, part) };
        let endpoint = leadership.endpoint(&listener).filter(|_| responder.version >= ENDPOINTS_SINCE);
        let node_endpoints = endpoint.map(|(node_id, endpoint)| NodeEndpoint {
            node_id,
            host: endpoint.host.as_str().into(),
            port: endpoint.port,
        });
        responder.frame(&FetchSnapshotResponse {
            topics: vec![TopicSnapshot { name, partitions: vec![partition] }],
            node_endpoints: node_endpoints.into_iter().collect(),
            ..FetchSnapshotResponse::default()
        })
    })
}

async fn read(
    cluster: &Arc<Cluster>,
    asked: &fetch_snapshot_request::PartitionSnapshot,
    max_bytes: usize,
) -> Result<SnapshotPart, ErrorCode> {
    let id = SnapshotId { end_offset: asked.snapshot_id.end_offset, epoch: asked.snapshot_id.epoch };
    let (reader, position) = (Arc::clone(cluster), asked.position);
    let read = task::spawn_blocking(move || reader.quorum().read_snapshot(id, position, max_bytes));
    match read.await {
        Ok(Ok(part)) => Ok(part),
        Ok(Err(SnapshotReadError::NotFound)) => Err(ErrorCode::SNAPSHOT_NOT_FOUND),
        Ok(Err(SnapshotReadError::OutOfRange)) => Err(ErrorCode::POSITION_OUT_OF_RANGE),
        Ok(Err(SnapshotReadError::Fs(problem))) => {
            error!("a snapshot of the metadata cannot be read for a broker: {problem}");
            Err(ErrorCode::UNKNOWN_SERVER_ERROR)
        }
        // It is reported where it happens.
        Err(_panic) => Err(ErrorCode::UNKNOWN_SERVER_ERROR),
    }
}

fn answer(
    asked: &fetch_snapshot_request::PartitionSnapshot,
    part: Result<SnapshotPart, ErrorCode>,
) -> PartitionSnapshot {
    let id = &asked.snapshot_id;
    let snapshot_id = fetch_snapshot_response::SnapshotId { end_offset: id.end_offset, epoch: id.epoch };
    let answer = PartitionSnapshot {
        index: asked.partition,
        snapshot_id,
        unaligned_records: Records::Bytes(bytes::Bytes::new()),
        ..PartitionSnapshot::default()
    };
    match part {
        Ok(part) => PartitionSnapshot {
            size: i64::try_from(part.size_bytes).unwrap_or(i64::MAX),
            position: asked.position,
            unaligned_records: Records::Bytes(part.bytes.into()),
            ..answer
        },
        Err(error_code) => PartitionSnapshot { error_code, ..answer },
    }
}
