//! DeleteGroups, and the offsets of deleted topics.

use std::collections::BTreeSet;

use protocol::messages::DeleteGroupsResponse;
use protocol::messages::delete_groups_response::DeletableGroupResult;
use protocol::records::{ShareSnapshotKey, coordinator_key};
use protocol::{ErrorCode, Str, Uuid};

use crate::classic::State;
use crate::group::{Group, GroupType};
use crate::{
    Append, CoordinatorRecord, DeletedTopic, GroupCoordinator, Now, Output, Reply, Token, partition_for,
};

/// The state of a share group in `__share_group_state` for one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareState {
    /// The group.
    pub group_id: Str,
    /// The topic that it reads.
    pub topic_id: Uuid,
    /// The partition of it.
    pub partition: i32,
}

impl ShareState {
    /// The partition of `__share_group_state` for the state, if that topic has `partitions`.
    pub fn stored_in(&self, partitions: i32) -> i32 {
        partition_for(&format!("{}:{}:{}", self.group_id, self.topic_id, self.partition), partitions)
    }

    /// The record that deletes the state.
    pub fn tombstone(&self) -> CoordinatorRecord {
        let key = ShareSnapshotKey {
            group_id: self.group_id.clone(),
            topic_id: self.topic_id,
            partition: self.partition,
        };
        let key = coordinator_key::encode(&key).expect("names that were stored fit");
        CoordinatorRecord { key, value: None }
    }
}

impl GroupCoordinator {
    pub(crate) fn delete_groups(&mut self, token: Token, group_ids: &[Str], now: Now) -> Output {
        let mut records = Vec::new();
        let mut results = Vec::new();
        for group_id in group_ids.iter().collect::<BTreeSet<_>>() {
            let error_code = self.delete_group(group_id, now, &mut records).err().unwrap_or_default();
            results.push(DeletableGroupResult { group_id: group_id.clone(), error_code });
        }
        let reply = Reply::DeleteGroups(DeleteGroupsResponse { results, ..Default::default() });
        match Append::deletion(records, self.settings.deletion_batch_max_bytes) {
            Some(append) => Output::append(Some(append.with_reply(token, reply))),
            None => Output::reply(token, reply),
        }
    }

    fn delete_group(
        &self,
        group_id: &Str,
        now: Now,
        records: &mut Vec<CoordinatorRecord>,
    ) -> Result<(), ErrorCode> {
        let group = self.groups.get(group_id).ok_or(ErrorCode::GROUP_ID_NOT_FOUND)?;
        let (is_empty, tombstones) = match &group.of_type {
            GroupType::Classic(classic) => {
                (classic.state() == State::Empty, vec![CoordinatorRecord::group_tombstone(group_id)])
            }
            GroupType::Unserved(unserved) => (unserved.is_empty(now.steady), unserved.tombstones()),
        };
        if !is_empty {
            return Err(ErrorCode::NON_EMPTY_GROUP);
        }
        self.delete_offsets_of(group_id, group, records);
        // Comes last, so that a group that was deleted only in part is still there to be deleted again.
        records.extend(tombstones);
        Ok(())
    }

    /// The states of share groups in `__share_group_state`, which the host deletes before the groups: nobody
    /// would know of them afterwards. A group that cannot be deleted has none here.
    pub fn share_states(&self, group_ids: &[Str], now: Now) -> Vec<ShareState> {
        let mut states = Vec::new();
        for group_id in group_ids.iter().collect::<BTreeSet<_>>() {
            let Some(group) = self.unserved_group(group_id).filter(|group| group.is_empty(now.steady)) else {
                continue;
            };
            states.extend(group.share_partitions().map(|(topic_id, partition)| ShareState {
                group_id: group_id.clone(),
                topic_id,
                partition,
            }));
        }
        states
    }

    fn delete_offsets_of(&self, group_id: &Str, group: &Group, records: &mut Vec<CoordinatorRecord>) {
        for (topic, partitions) in group.offsets.topics() {
            for &partition in partitions.keys() {
                records.push(CoordinatorRecord::offset_tombstone(group_id, topic, partition));
            }
        }
        for pending in self.pending_offsets.of_group(group_id) {
            if group.offsets.get(&pending.topic, pending.partition).is_none() {
                let (topic, partition) = (&pending.topic, pending.partition);
                records.push(CoordinatorRecord::offset_tombstone(group_id, topic, partition));
            }
        }
    }

    /// The records that delete the offsets of deleted topics. If they are not stored, the offsets stay, and
    /// still name their topic.
    pub(crate) fn forget_offsets_of(&self, topics: &[DeletedTopic]) -> Option<Append> {
        let mut records = Vec::new();
        for topic in topics {
            for (group_id, group) in &self.groups {
                for (&partition, offset) in group.offsets.topic(&topic.name).into_iter().flatten() {
                    if !offset.is_of_another_topic(topic.id) {
                        records.push(CoordinatorRecord::offset_tombstone(group_id, &topic.name, partition));
                    }
                }
            }
            for key in self.pending_offsets.of_topic(&topic.name, topic.id) {
                records.push(CoordinatorRecord::offset_tombstone(&key.group_id, &topic.name, key.partition));
            }
        }
        Append::deletion(records, self.settings.deletion_batch_max_bytes)
    }
}
