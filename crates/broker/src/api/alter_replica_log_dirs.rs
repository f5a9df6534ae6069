//! AlterReplicaLogDirs (34), versions 1-2: moves partitions to other log directories of this broker
//! (KIP-113). 2 is flexible.
//!
//! The response says that a move has started. DescribeLogDirs shows its progress. The directory of a
//! partition that does not exist here is remembered, and used once the partition is created. A move to the
//! present directory of a partition cancels a running move.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::messages::alter_replica_log_dirs_request::AlterReplicaLogDirsRequest;
use protocol::messages::alter_replica_log_dirs_response::{
    AlterReplicaLogDirPartitionResult, AlterReplicaLogDirTopicResult, AlterReplicaLogDirsResponse,
};
use protocol::{ErrorCode, Str};
use runtime::task;

use crate::broker::Broker;
use crate::call::Call;
use crate::reply::Reply;

/// The target directory of each partition, by topic and number. If a partition is named twice, the last
/// directory counts, as in Kafka.
type TargetDirs = BTreeMap<Str, BTreeMap<i32, Str>>;

pub(crate) fn handle(call: Call<'_>, request: AlterReplicaLogDirsRequest) -> Reply {
    let mut targets = TargetDirs::new();
    for dir in request.dirs {
        for topic in dir.topics {
            let partitions = targets.entry(topic.name).or_default();
            partitions.extend(topic.partitions.into_iter().map(|index| (index, dir.path.clone())));
        }
    }
    let (broker, responder) = (Arc::clone(call.broker), call.responder);
    Reply::later(async move {
        // The move creates directories, and may have to wait for a change of the metadata.
        let altered = task::spawn_blocking(move || alter(&broker, targets)).await;
        let results = altered.unwrap_or_default();
        responder.frame(&AlterReplicaLogDirsResponse { results, ..AlterReplicaLogDirsResponse::default() })
    })
}

fn alter(broker: &Broker, targets: TargetDirs) -> Vec<AlterReplicaLogDirTopicResult> {
    let topics = targets.into_iter().map(|(topic_name, partitions)| {
        let partitions = partitions.into_iter().map(|(partition_index, path)| {
            let altered = broker.moves.alter(&topic_name, partition_index, &path);
            let error_code = altered.err().unwrap_or(ErrorCode::NONE);
            AlterReplicaLogDirPartitionResult { partition_index, error_code }
        });
        let partitions = partitions.collect();
        AlterReplicaLogDirTopicResult { topic_name, partitions }
    });
    topics.collect()
}
