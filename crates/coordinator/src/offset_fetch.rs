//! OffsetFetch: the committed offsets of a group.

use protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use protocol::messages::{OffsetFetchRequest, OffsetFetchResponse};
use protocol::{ErrorCode, Str, Uuid};

use crate::group::Group;
use crate::offsets::{CommittedOffset, OffsetKey};
use crate::{GroupCoordinator, Now};

/// The offset that means "nothing is committed".
const INVALID_OFFSET: i64 = -1;

/// The first version in which a response has an error of its own, beside those of the partitions.
const TOP_LEVEL_ERROR_VERSION: i16 = 2;

/// The first version in which a request names several groups.
const BATCH_VERSION: i16 = 8;

impl GroupCoordinator {
    /// OffsetFetch for one group, versions 1 to 10; see [`offset_fetch_groups`].
    ///
    /// The host has set the names and the ids of the topics in every version, and `id_of` returns the ids of
    /// all others: zero for a topic that does not exist. The response has names and ids. Offsets committed to
    /// an earlier topic of the same name are left out, if they are still stored.
    ///
    /// An unknown group has no committed offsets, which is not an error. With `require_stable`, a partition
    /// reports that an open transaction may yet change its offset (KIP-447).
    ///
    /// # Errors
    /// Kafka's error for the group if the request names a member that it does not have.
    pub fn offset_fetch(
        &self,
        request: &OffsetFetchRequestGroup,
        require_stable: bool,
        now: Now,
        id_of: impl Fn(&str) -> Uuid,
    ) -> Result<OffsetFetchResponseGroup, ErrorCode> {
        if let Some(group) = self.unserved_group(&request.group_id) {
            group.validate_offset_fetch(request.member_id.as_ref(), request.member_epoch, now.steady)?;
        }
        let group = self.groups.get(&request.group_id);
        let topics = match &request.topics {
            Some(topics) => {
                topics.iter().map(|topic| self.fetch_topic(request, group, topic, require_stable)).collect()
            }
            None => {
                group.map_or_else(Vec::new, |group| self.fetch_all(request, group, require_stable, id_of))
            }
        };
        Ok(OffsetFetchResponseGroup { group_id: request.group_id.clone(), topics, ..Default::default() })
    }

    fn fetch_topic(
        &self,
        request: &OffsetFetchRequestGroup,
        group: Option<&Group>,
        topic: &OffsetFetchRequestTopics,
        require_stable: bool,
    ) -> OffsetFetchResponseTopics {
        let committed = group.and_then(|group| group.offsets.topic(&topic.name));
        let partitions = topic.partition_indexes.iter().map(|&partition| {
            let offset = committed.and_then(|partitions| partitions.get(&partition));
            let offset = offset.filter(|offset| !offset.is_of_another_topic(topic.topic_id));
            self.fetch_partition(request, &topic.name, partition, offset, require_stable)
        });
        OffsetFetchResponseTopics {
            name: topic.name.clone(),
            topic_id: topic.topic_id,
            partitions: partitions.collect(),
        }
    }

    fn fetch_all(
        &self,
        request: &OffsetFetchRequestGroup,
        group: &Group,
        require_stable: bool,
        id_of: impl Fn(&str) -> Uuid,
    ) -> Vec<OffsetFetchResponseTopics> {
        let topics = group.offsets.topics().map(|(name, committed)| {
            let topic_id = id_of(name);
            let current = committed.iter().filter(|(_, offset)| !offset.is_of_another_topic(topic_id));
            let partitions = current.map(|(&partition, offset)| {
                self.fetch_partition(request, name, partition, Some(offset), require_stable)
            });
            OffsetFetchResponseTopics { name: name.clone(), topic_id, partitions: partitions.collect() }
        });
        topics.filter(|topic| !topic.partitions.is_empty()).collect()
    }

    fn fetch_partition(
        &self,
        request: &OffsetFetchRequestGroup,
        topic: &Str,
        partition: i32,
        offset: Option<&CommittedOffset>,
        require_stable: bool,
    ) -> OffsetFetchResponsePartitions {
        let nothing = OffsetFetchResponsePartitions {
            partition_index: partition,
            committed_offset: INVALID_OFFSET,
            committed_leader_epoch: -1,
            metadata: Some(Str::default()),
            error_code: ErrorCode::NONE,
        };
        let key = OffsetKey { group_id: request.group_id.clone(), topic: topic.clone(), partition };
        if require_stable && self.pending_offsets.contains(&key) {
            return OffsetFetchResponsePartitions {
                error_code: ErrorCode::UNSTABLE_OFFSET_COMMIT,
                ..nothing
            };
        }
        let Some(offset) = offset else { return nothing };
        OffsetFetchResponsePartitions {
            committed_offset: offset.offset,
            committed_leader_epoch: offset.leader_epoch,
            metadata: Some(offset.metadata.clone()),
            ..nothing
        }
    }
}

/// The groups in a request of any version: before version 8 there is one.
pub fn offset_fetch_groups(request: OffsetFetchRequest, api_version: i16) -> Vec<OffsetFetchRequestGroup> {
    if api_version >= BATCH_VERSION {
        return request.groups;
    }
    let topic = |topic: OffsetFetchRequestTopic| OffsetFetchRequestTopics {
        name: topic.name,
        partition_indexes: topic.partition_indexes,
        ..Default::default()
    };
    vec![OffsetFetchRequestGroup {
        group_id: request.group_id,
        topics: request.topics.map(|topics| topics.into_iter().map(topic).collect()),
        ..Default::default()
    }]
}

/// The response for the groups of [`offset_fetch_groups`].
pub fn offset_fetch_response(groups: Vec<OffsetFetchResponseGroup>, api_version: i16) -> OffsetFetchResponse {
    if api_version >= BATCH_VERSION {
        return OffsetFetchResponse { groups, ..Default::default() };
    }
    assert_eq!(groups.len(), 1, "before version 8 a request is about one group");
    let partition = |partition: OffsetFetchResponsePartitions| OffsetFetchResponsePartition {
        partition_index: partition.partition_index,
        committed_offset: partition.committed_offset,
        committed_leader_epoch: partition.committed_leader_epoch,
        metadata: partition.metadata,
        error_code: partition.error_code,
    };
    let mut response = OffsetFetchResponse::default();
    for group in groups {
        response.error_code = group.error_code;
        response.topics = group
            .topics
            .into_iter()
            .map(|topic| OffsetFetchResponseTopic {
                name: topic.name,
                partitions: topic.partitions.into_iter().map(partition).collect(),
            })
            .collect();
    }
    response
}

/// The response for a group whose request fails as a whole. Version 1 can only report it for each partition.
pub fn offset_fetch_error(
    group: &OffsetFetchRequestGroup,
    error_code: ErrorCode,
    api_version: i16,
) -> OffsetFetchResponseGroup {
    let group_id = group.group_id.clone();
    if api_version >= TOP_LEVEL_ERROR_VERSION {
        return OffsetFetchResponseGroup { group_id, error_code, ..Default::default() };
    }
    let partition = |&partition_index: &i32| OffsetFetchResponsePartitions {
        partition_index,
        committed_offset: INVALID_OFFSET,
        committed_leader_epoch: -1,
        metadata: Some(Str::default()),
        error_code,
    };
    let topics = group.topics.iter().flatten().map(|topic| OffsetFetchResponseTopics {
        name: topic.name.clone(),
        topic_id: topic.topic_id,
        partitions: topic.partition_indexes.iter().map(partition).collect(),
    });
    OffsetFetchResponseGroup { group_id, topics: topics.collect(), ..Default::default() }
}
