//! The offsets that groups have committed.

use std::collections::BTreeMap;

use protocol::messages::offset_commit_request::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use protocol::messages::offset_delete_request::{
    OffsetDeleteRequest, OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use protocol::messages::offset_fetch_request::{OffsetFetchRequest, OffsetFetchRequestGroup};
use protocol::messages::offset_fetch_response::OffsetFetchResponse;
use protocol::{ErrorCode, Str};

use super::Admin;
use crate::cluster::{Cluster, ClusterError, Lane};
use crate::connection::{Connection, RequestError};
use crate::topic_partition::TopicPartition;

/// The newest versions that name topics by name: offsets committed for a deleted topic can still be seen and
/// deleted.
const OFFSET_COMMIT_VERSION_MAX: i16 = 9;
const OFFSET_FETCH_VERSION_MAX: i16 = 9;

/// The offset at which a group will continue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommittedOffset {
    /// The offset of the next record that the group will read.
    pub offset: i64,
    /// The metadata that the group committed with it.
    pub metadata: String,
}

/// The committer: a member, or no one in particular while the group is empty.
#[derive(Debug, Clone)]
pub(crate) struct Committer<'a> {
    pub(crate) group: &'a str,
    pub(crate) generation: i32,
    pub(crate) member_id: &'a str,
    pub(crate) group_instance_id: Option<&'a str>,
}

impl Admin {
    /// The committed offsets of a group; empty for a group that does not exist.
    ///
    /// # Errors
    /// [`ClusterError::Refused`] with `GROUP_AUTHORIZATION_FAILED` and others.
    pub async fn committed(
        &self,
        group: &str,
    ) -> Result<BTreeMap<TopicPartition, CommittedOffset>, ClusterError> {
        let mut retry = self.cluster.retry();
        loop {
            match fetch_committed(&self.cluster, group).await {
                Ok(committed) => return Ok(committed),
                Err(error) => retry.after(error).await?,
            }
        }
    }

    /// Commits the given offsets for an empty group; a group that does not exist is created.
    ///
    /// # Errors
    /// [`ClusterError::Refused`] with `UNKNOWN_MEMBER_ID` if the group has members, and others.
    pub async fn commit(
        &self,
        group: &str,
        offsets: &BTreeMap<TopicPartition, i64>,
    ) -> Result<(), ClusterError> {
        let committer = Committer { group, generation: -1, member_id: "", group_instance_id: None };
        let mut retry = self.cluster.retry();
        loop {
            match commit(&self.cluster, &committer, offsets, Lane::Prompt).await {
                Ok(()) => return Ok(()),
                Err(error) => retry.after(error).await?,
            }
        }
    }

    /// Deletes a group's committed offsets for a topic.
    ///
    /// # Errors
    /// [`ClusterError::Refused`] with `GROUP_SUBSCRIBED_TO_TOPIC` while a member subscribes to it, with
    /// `GROUP_ID_NOT_FOUND`, and others.
    pub async fn delete_offsets(&self, group: &str, at: &[TopicPartition]) -> Result<(), ClusterError> {
        let mut topics: BTreeMap<&str, Vec<OffsetDeleteRequestPartition>> = BTreeMap::new();
        for at in at {
            let partition = OffsetDeleteRequestPartition { partition_index: at.partition };
            topics.entry(&at.topic).or_default().push(partition);
        }
        let topic = |(name, partitions)| OffsetDeleteRequestTopic { name: Str::from(name), partitions };
        let request = OffsetDeleteRequest {
            group_id: Str::from(group),
            topics: topics.into_iter().map(topic).collect(),
        };
        let mut retry = self.cluster.retry();
        loop {
            let attempt = async {
                let coordinator = self.cluster.coordinator(group, Lane::Prompt).await?;
                let response = coordinator.request(&request).await?;
                ClusterError::check(response.error_code, None)?;
                let mut codes =
                    response.topics.iter().flat_map(|topic| &topic.partitions).map(|p| p.error_code);
                codes.try_for_each(|code| ClusterError::check(code, None))
            };
            match attempt.await {
                Ok(()) => return Ok(()),
                Err(error) => retry.after(error).await?,
            }
        }
    }
}

/// Fetches a group's committed offsets, in one attempt.
pub(crate) async fn fetch_committed(
    cluster: &Cluster,
    group: &str,
) -> Result<BTreeMap<TopicPartition, CommittedOffset>, ClusterError> {
    let coordinator = cluster.coordinator(group, Lane::Prompt).await?;
    let response = ask(&coordinator, group).await?;
    let mut committed = BTreeMap::new();
    let mut add = |topic: &str, partition: i32, offset: i64, metadata: Option<&str>, code: ErrorCode| {
        ClusterError::check(code, None)?;
        if offset >= 0 {
            let metadata = metadata.unwrap_or_default().to_owned();
            committed.insert(TopicPartition::new(topic, partition), CommittedOffset { offset, metadata });
        }
        Ok::<(), ClusterError>(())
    };
    ClusterError::check(response.error_code, None)?;
    for topic in &response.topics {
        for p in &topic.partitions {
            add(&topic.name, p.partition_index, p.committed_offset, p.metadata.as_deref(), p.error_code)?;
        }
    }
    for group in &response.groups {
        ClusterError::check(group.error_code, None)?;
        for topic in &group.topics {
            for p in &topic.partitions {
                add(&topic.name, p.partition_index, p.committed_offset, p.metadata.as_deref(), p.error_code)?;
            }
        }
    }
    Ok(committed)
}

async fn ask(coordinator: &Connection, group: &str) -> Result<OffsetFetchResponse, RequestError> {
    let version = coordinator.version_of::<OffsetFetchRequest>()?;
    let request = if version >= 8 {
        let of_group =
            OffsetFetchRequestGroup { group_id: Str::from(group), topics: None, ..Default::default() };
        OffsetFetchRequest { groups: vec![of_group], ..Default::default() }
    } else {
        OffsetFetchRequest { group_id: Str::from(group), topics: None, ..Default::default() }
    };
    coordinator.request_with(&request, OFFSET_FETCH_VERSION_MAX, std::time::Duration::ZERO).await
}

/// Commits, in one attempt.
pub(crate) async fn commit(
    cluster: &Cluster,
    committer: &Committer<'_>,
    offsets: &BTreeMap<TopicPartition, i64>,
    lane: Lane,
) -> Result<(), ClusterError> {
    let mut topics: BTreeMap<&str, Vec<OffsetCommitRequestPartition>> = BTreeMap::new();
    for (at, &committed_offset) in offsets {
        topics.entry(&at.topic).or_default().push(OffsetCommitRequestPartition {
            partition_index: at.partition,
            committed_offset,
            committed_leader_epoch: -1,
            committed_metadata: Some(Str::new()),
        });
    }
    let topic = |(name, partitions)| OffsetCommitRequestTopic {
        name: Str::from(name),
        partitions,
        ..Default::default()
    };
    let request = OffsetCommitRequest {
        group_id: Str::from(committer.group),
        generation_id_or_member_epoch: committer.generation,
        member_id: Str::from(committer.member_id),
        group_instance_id: committer.group_instance_id.map(Str::from),
        topics: topics.into_iter().map(topic).collect(),
        ..Default::default()
    };
    let coordinator = cluster.coordinator(committer.group, lane).await?;
    let response =
        coordinator.request_with(&request, OFFSET_COMMIT_VERSION_MAX, std::time::Duration::ZERO).await?;
    for topic in &response.topics {
        for partition in &topic.partitions {
            if partition.error_code != ErrorCode::NONE {
                return Err(ClusterError::of_topic(&topic.name, partition.error_code));
            }
        }
    }
    Ok(())
}
