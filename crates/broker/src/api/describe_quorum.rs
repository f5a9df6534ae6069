//! DescribeQuorum (55), versions 0-2: the metadata quorum, and the progress of its voters (KIP-595).
//!
//! 1 adds the times of the voters' last fetches (KIP-836); 2 the ids of their directories and their addresses
//! (KIP-853).

use metadata::quorum::{METADATA_TOPIC, QuorumStatus};
use protocol::messages::DescribeQuorumRequest;
use protocol::messages::describe_quorum_response::{
    DescribeQuorumResponse, Listener, Node, PartitionData, ReplicaState, TopicData,
};
use protocol::{ErrorCode, Str, Uuid};
use runtime::clock;

use crate::call::Call;
use crate::reply::Reply;

/// The first version with the voters' directories and addresses.
const DIRECTORIES_SINCE: i16 = 2;

pub(crate) fn handle(call: Call<'_>, request: DescribeQuorumRequest) -> Reply {
    let status = call.broker.cluster.quorum_status();
    let with_directories = call.version() >= DIRECTORIES_SINCE;
    let is_metadata_log = matches!(&request.topics[..], [topic] if &*topic.topic_name == METADATA_TOPIC
        && matches!(&topic.partitions[..], [partition] if partition.partition_index == 0));
    let topics = request.topics.iter().map(|topic| TopicData {
        topic_name: topic.topic_name.clone(),
        partitions: topic
            .partitions
            .iter()
            .map(|asked| {
                if is_metadata_log {
                    return described(&status, with_directories, clock::now_ms());
                }
                PartitionData {
                    partition_index: asked.partition_index,
                    error_code: ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
                    error_message: Some(Str::from_static(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION.message())),
                    ..PartitionData::default()
                }
            })
            .collect(),
    });
    call.reply(&DescribeQuorumResponse {
        topics: topics.collect(),
        nodes: if is_metadata_log && with_directories { nodes(&status) } else { Vec::new() },
        ..DescribeQuorumResponse::default()
    })
}

fn described(status: &QuorumStatus, with_directories: bool, now_ms: i64) -> PartitionData {
    let voters = status.voters.iter().map(|voter| {
        // A leader counts as having just fetched from itself.
        let seen_ms = if Some(voter.id) == status.leader { now_ms } else { -1 };
        ReplicaState {
            replica_id: voter.id.id,
            replica_directory_id: if with_directories { voter.id.directory_id } else { Uuid::ZERO },
            log_end_offset: voter.log_end_offset.unwrap_or(-1),
            last_fetch_timestamp: seen_ms,
            last_caught_up_timestamp: seen_ms,
        }
    });
    PartitionData {
        partition_index: 0,
        leader_id: status.leader.map_or(-1, |leader| leader.id),
        leader_epoch: status.leader_epoch,
        high_watermark: status.high_watermark,
        current_voters: voters.collect(),
        ..PartitionData::default()
    }
}

fn nodes(status: &QuorumStatus) -> Vec<Node> {
    let nodes = status.voters.iter().map(|voter| Node {
        node_id: voter.id.id,
        listeners: voter
            .endpoints
            .iter()
            .map(|endpoint| Listener {
                name: endpoint.name.as_str().into(),
                host: endpoint.host.as_str().into(),
                port: endpoint.port,
            })
            .collect(),
    });
    nodes.collect()
}
