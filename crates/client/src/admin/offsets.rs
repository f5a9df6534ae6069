//! The offsets of partitions.

use std::collections::BTreeMap;

use protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};
use protocol::messages::list_offsets_response::ListOffsetsPartitionResponse;
use protocol::{ErrorCode, Str};

use super::Admin;
use crate::cluster::{Cluster, ClusterError, Lane};
use crate::topic_partition::TopicPartition;

/// The time that a broker may take to look offsets up.
const LIST_TIMEOUT_MS: i32 = 30_000;

/// The offset to look up in a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OffsetSpec {
    /// The first that is still there.
    Earliest,
    /// The end of the log: the offset of the next record.
    Latest,
    /// The first record whose timestamp, in ms since the epoch, is at least this one.
    Timestamp(i64),
    /// The record with the greatest timestamp.
    MaxTimestamp,
}

impl OffsetSpec {
    /// Its number in ListOffsets.
    fn as_timestamp(self) -> i64 {
        match self {
            OffsetSpec::Earliest => -2,
            OffsetSpec::Latest => -1,
            OffsetSpec::MaxTimestamp => -3,
            OffsetSpec::Timestamp(timestamp_ms) => timestamp_ms,
        }
    }
}

/// An offset of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListedOffset {
    /// The offset.
    pub offset: i64,
    /// The timestamp of its record, if the request was about one.
    pub timestamp_ms: Option<i64>,
}

impl Admin {
    /// The requested offset of each partition, or `None` if no record is as late as the timestamp.
    ///
    /// # Errors
    /// [`ClusterError`] if any of the requests fails.
    pub async fn list_offsets(
        &self,
        specs: &BTreeMap<TopicPartition, OffsetSpec>,
    ) -> Result<BTreeMap<TopicPartition, Option<ListedOffset>>, ClusterError> {
        list_offsets(&self.cluster, specs).await
    }

    /// The same offset of every partition of a topic, by partition.
    ///
    /// # Errors
    /// See [`Admin::list_offsets`].
    pub async fn topic_offsets(
        &self,
        topic: &str,
        spec: OffsetSpec,
    ) -> Result<BTreeMap<i32, Option<ListedOffset>>, ClusterError> {
        let partitions = self.cluster.topic(topic).await?;
        let specs =
            partitions.partitions.iter().map(|p| (TopicPartition::new(topic, p.index), spec)).collect();
        let listed = self.list_offsets(&specs).await?;
        Ok(listed.into_iter().map(|(at, offset)| (at.partition, offset)).collect())
    }
}

pub(crate) async fn list_offsets(
    cluster: &Cluster,
    specs: &BTreeMap<TopicPartition, OffsetSpec>,
) -> Result<BTreeMap<TopicPartition, Option<ListedOffset>>, ClusterError> {
    let mut listed = BTreeMap::new();
    let mut retry = cluster.retry();
    loop {
        let missing = specs.iter().filter(|(at, _)| !listed.contains_key(*at));
        let missing: Vec<(&TopicPartition, OffsetSpec)> = missing.map(|(at, spec)| (at, *spec)).collect();
        if missing.is_empty() {
            return Ok(listed);
        }
        if let Err(error) = ask_leaders(cluster, &missing, &mut listed).await {
            retry.after(error).await?;
        }
    }
}

/// Asks each leader once for the `missing` offsets, and adds its answers to `listed`.
async fn ask_leaders(
    cluster: &Cluster,
    missing: &[(&TopicPartition, OffsetSpec)],
    listed: &mut BTreeMap<TopicPartition, Option<ListedOffset>>,
) -> Result<(), ClusterError> {
    let mut by_leader: BTreeMap<i32, Vec<(&TopicPartition, OffsetSpec)>> = BTreeMap::new();
    for &(at, spec) in missing {
        let leader = cluster.topic(&at.topic).await?.leader_of(at.partition)?;
        by_leader.entry(leader).or_default().push((at, spec));
    }
    let mut failed = None;
    for (leader, specs) in by_leader {
        let request = request(&specs);
        let response = cluster.broker(leader, Lane::Prompt).await?.request(&request).await?;
        for topic in &response.topics {
            for partition in &topic.partitions {
                let at = TopicPartition::new(topic.name.as_str(), partition.partition_index);
                match offset(&at, partition) {
                    Ok(offset) => {
                        listed.insert(at, offset);
                    }
                    Err(error) => failed = Some(error),
                }
            }
        }
        let unanswered = specs.iter().find(|(at, _)| !listed.contains_key(*at));
        if let (Some((at, _)), None) = (unanswered, &failed) {
            let message = Some(format!("the broker's answer leaves out {at}"));
            return Err(ClusterError::Refused { code: ErrorCode::UNKNOWN_SERVER_ERROR, message });
        }
    }
    failed.map_or(Ok(()), Err)
}

fn request(specs: &[(&TopicPartition, OffsetSpec)]) -> ListOffsetsRequest {
    let mut topics: BTreeMap<&str, Vec<ListOffsetsPartition>> = BTreeMap::new();
    for (at, spec) in specs {
        topics.entry(&at.topic).or_default().push(ListOffsetsPartition {
            partition_index: at.partition,
            current_leader_epoch: -1,
            timestamp: spec.as_timestamp(),
        });
    }
    let topic = |(name, partitions)| ListOffsetsTopic { name: Str::from(name), partitions };
    ListOffsetsRequest {
        replica_id: -1,
        isolation_level: 0,
        topics: topics.into_iter().map(topic).collect(),
        timeout_ms: LIST_TIMEOUT_MS,
    }
}

fn offset(
    at: &TopicPartition,
    response: &ListOffsetsPartitionResponse,
) -> Result<Option<ListedOffset>, ClusterError> {
    if response.error_code != ErrorCode::NONE {
        return Err(ClusterError::of_topic(&at.topic, response.error_code));
    }
    let listed = ListedOffset {
        offset: response.offset,
        timestamp_ms: Some(response.timestamp).filter(|&timestamp_ms| timestamp_ms >= 0),
    };
    Ok(Some(listed).filter(|listed| listed.offset >= 0))
}
