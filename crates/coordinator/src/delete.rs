//! DeleteGroups, and what becomes of the offsets of deleted topics.

use std::collections::BTreeSet;

use protocol::messages::DeleteGroupsResponse;
use protocol::messages::delete_groups_response::DeletableGroupResult;
use protocol::{ErrorCode, Str, Uuid};

use crate::classic::State;
use crate::group::{Group, GroupType};
use crate::{Append, CoordinatorRecord, GroupCoordinator, Output, Reply, Token};

/// A topic that is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeletedTopic {
    /// Its name.
    pub name: Str,
    /// Its id. Offsets of a later topic of the same name have another.
    pub id: Uuid,
}

impl GroupCoordinator {
    /// DeleteGroups, versions 0 to 2, of the groups that live in this partition.
    pub fn delete_groups(&mut self, token: Token, group_ids: &[Str]) -> Output {
        self.assert_ready();
        let mut records = Vec::new();
        let mut results = Vec::new();
        for group_id in group_ids.iter().collect::<BTreeSet<_>>() {
            let error_code = self.delete_group(group_id, &mut records).err().unwrap_or_default();
            results.push(DeletableGroupResult { group_id: group_id.clone(), error_code });
        }
        let reply = Reply::DeleteGroups(DeleteGroupsResponse { results, ..Default::default() });
        match Append::deletion(records, self.settings.deletion_batch_max_bytes) {
            Some(append) => self.given_out(Output::append(append.with_reply(token, reply))),
            None => Output::reply(token, reply),
        }
    }

    fn delete_group(&self, group_id: &Str, records: &mut Vec<CoordinatorRecord>) -> Result<(), ErrorCode> {
        let group = self.groups.get(group_id).ok_or(ErrorCode::GROUP_ID_NOT_FOUND)?;
        let GroupType::Classic(classic) = &group.of_type;
        if classic.state() != State::Empty {
            return Err(ErrorCode::NON_EMPTY_GROUP);
        }
        self.delete_offsets_of(group_id, group, records);
        // Last, so that a group of which only a part was deleted is still there to be deleted again.
        records.push(CoordinatorRecord::group_tombstone(group_id));
        Ok(())
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

    /// Forgets the offsets of topics that were deleted. There is no reply; if the append fails, the
    /// offsets stay, and say of which topic they are.
    pub fn topics_deleted(&mut self, topics: &[DeletedTopic]) -> Output {
        self.assert_ready();
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
        let append = Append::deletion(records, self.settings.deletion_batch_max_bytes);
        self.given_out(Output { append, ..Output::default() })
    }
}
