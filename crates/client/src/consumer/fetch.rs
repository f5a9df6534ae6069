//! One fetch from one broker.

use std::collections::BTreeMap;

use protocol::messages::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use protocol::messages::fetch_response::{FetchResponse, PartitionData};
use protocol::{Str, Uuid};

use super::ConsumerOptions;
use crate::cluster::{Cluster, ClusterError, Lane};
use crate::topic_partition::TopicPartition;

/// The newest version that names topics by name, for brokers that give them no ids.
const VERSION_MAX_WITHOUT_IDS: i16 = 12;

/// Partitions and the offsets to read them from.
pub(super) type Positions = Vec<(TopicPartition, i64)>;

/// The answer of a fetch.
#[derive(Debug)]
pub(super) struct FetchAnswer {
    pub(super) leader: i32,
    /// The requested positions.
    pub(super) positions: Positions,
    pub(super) outcome: Result<Vec<FetchedPartition>, ClusterError>,
}

/// A fetch's answer for one partition.
#[derive(Debug)]
pub(super) struct FetchedPartition {
    pub(super) at: TopicPartition,
    /// The requested offset.
    pub(super) offset: i64,
    pub(super) response: PartitionData,
}

/// Fetches from `leader`. Without a fetch session (KIP-227): a client reads few partitions, and every broker
/// understands a request that names them all.
pub(super) async fn run(
    cluster: Cluster,
    options: ConsumerOptions,
    leader: i32,
    positions: Positions,
) -> FetchAnswer {
    let view = cluster.view();
    let id_of = |at: &TopicPartition| view.topic(&at.topic).map_or(Uuid::ZERO, |topic| topic.id);
    let ids: BTreeMap<&str, Uuid> = positions.iter().map(|(at, _)| (at.topic.as_str(), id_of(at))).collect();
    let version_max =
        if ids.values().any(|&id| id == Uuid::ZERO) { VERSION_MAX_WITHOUT_IDS } else { i16::MAX };
    let request = request(&options, &positions, &ids);
    let exchange = async {
        let connection = cluster.broker(leader, Lane::Fetch).await?;
        let response = connection.request_with(&request, version_max, options.wait).await?;
        ClusterError::check(response.error_code, None)?;
        Ok(response)
    };
    let outcome = exchange.await.map(|response| sort_out(response, &positions, &ids));
    drop(ids);
    FetchAnswer { leader, positions, outcome }
}

fn request(options: &ConsumerOptions, positions: &Positions, ids: &BTreeMap<&str, Uuid>) -> FetchRequest {
    let mut topics: BTreeMap<&str, Vec<FetchPartition>> = BTreeMap::new();
    for (at, offset) in positions {
        topics.entry(&at.topic).or_default().push(FetchPartition {
            partition: at.partition,
            fetch_offset: *offset,
            partition_max_bytes: options.partition_bytes_max,
            ..Default::default()
        });
    }
    let topic = |(name, partitions)| FetchTopic { topic: Str::from(name), topic_id: ids[name], partitions };
    FetchRequest {
        max_wait_ms: i32::try_from(options.wait.as_millis()).unwrap_or(i32::MAX),
        min_bytes: options.bytes_min,
        max_bytes: options.bytes_max,
        isolation_level: i8::from(options.read_committed),
        topics: topics.into_iter().map(topic).collect(),
        ..Default::default()
    }
}

/// Each requested partition with its answer, without those that the answer leaves out.
fn sort_out(
    response: FetchResponse,
    positions: &Positions,
    ids: &BTreeMap<&str, Uuid>,
) -> Vec<FetchedPartition> {
    let mut fetched = Vec::new();
    for topic in response.responses {
        let asked = |at: &TopicPartition| {
            topic.topic == at.topic || (topic.topic.is_empty() && topic.topic_id == ids[at.topic.as_str()])
        };
        for response in topic.partitions {
            let asked =
                positions.iter().find(|(at, _)| at.partition == response.partition_index && asked(at));
            if let Some((at, offset)) = asked {
                fetched.push(FetchedPartition { at: at.clone(), offset: *offset, response });
            }
        }
    }
    fetched
}
