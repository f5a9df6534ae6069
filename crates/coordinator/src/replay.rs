//! Replay of a group coordinator's records: the only way in which its stored state changes.

use bytes::Bytes;
use protocol::Str;
use protocol::records::{GroupMetadataKey, OffsetCommitKey, coordinator_value};

use crate::classic::ClassicGroup;
use crate::group::{Group, GroupType};
use crate::offsets::{CommittedOffset, OffsetKey};
use crate::record::NO_PRODUCER_ID;
use crate::records::Key;
use crate::unserved::{UnservedGroup, UnservedKey, UnservedRecord};
use crate::{GroupCoordinator, ReplayError, ReplayErrorReason, ReplayOutcome, StoredRecord};

impl GroupCoordinator {
    pub(crate) fn replay_record(&mut self, record: StoredRecord) -> Result<ReplayOutcome, ReplayError> {
        let offset = record.offset;
        let error = |reason| ReplayError { offset, reason };
        let key = record.key.ok_or_else(|| error(ReplayErrorReason::NoKey))?;
        match Key::decode(key).map_err(|it| error(ReplayErrorReason::Key(it)))? {
            Key::OffsetCommit(key) => {
                let value = record.value.map(coordinator_value::decode).transpose();
                let value = value.map_err(|it| error(ReplayErrorReason::Value(it)))?;
                let committed = value.map(|value| CommittedOffset::from_value(&value, offset));
                self.replay_offset(&key, committed, record.producer_id);
            }
            Key::GroupMetadata(GroupMetadataKey { group }) => match record.value {
                None => self.replay_group_tombstone(&group),
                Some(value) => {
                    let value = coordinator_value::decode(value);
                    let value = value.map_err(|it| error(ReplayErrorReason::Value(it)))?;
                    let group = ClassicGroup::from_value(group.detached(), value)
                        .map_err(|_| error(ReplayErrorReason::DuplicateMember))?;
                    self.replay_group(group);
                }
            },
            Key::Unserved(key) => self.replay_unserved(&key, record.value),
            Key::Other(record_type) => {
                *self.skipped.by_type.entry(record_type).or_default() += 1;
                return Ok(ReplayOutcome::Skipped);
            }
        }
        Ok(ReplayOutcome::Applied)
    }

    fn replay_offset(&mut self, key: &OffsetCommitKey, offset: Option<CommittedOffset>, producer_id: i64) {
        let key = OffsetKey {
            group_id: key.group.detached(),
            topic: key.topic.detached(),
            partition: key.partition,
        };
        let Some(offset) = offset else {
            self.pending_offsets.remove(&key);
            if let Some(group) = self.groups.get_mut(&key.group_id) {
                group.offsets.remove(&key.topic, key.partition);
            }
            return;
        };
        let group = self.group_with_offsets(&key.group_id);
        if producer_id == NO_PRODUCER_ID {
            group.offsets.put(key.topic, key.partition, offset);
        } else {
            self.pending_offsets.put(producer_id, key, offset);
        }
    }

    fn replay_group(&mut self, mut stored: ClassicGroup) {
        let group_id = stored.group_id.clone();
        self.replayed_groups.insert(group_id.clone());
        let Group { of_type, offsets } =
            self.groups.remove(&group_id).unwrap_or_else(|| Group::with_offsets_only(group_id.clone()));
        if let GroupType::Classic(before) = of_type {
            stored.keep_unstored_of(before);
        }
        self.groups.insert(group_id, Group { of_type: GroupType::Classic(stored), offsets });
    }

    /// The group is gone, but offsets that were not deleted with it stay: a group that has changed its type
    /// leaves such a tombstone, and still has its offsets.
    fn replay_group_tombstone(&mut self, group_id: &Str) {
        if let Some(GroupType::Classic(group)) = self.groups.get(group_id).map(|group| &group.of_type) {
            assert_eq!(group.awaiting_join(), 0, "only empty groups are deleted");
            group.cancel_timers(&mut self.timers);
        }
        self.remove_group(group_id);
    }

    /// Replays a record of a group of another protocol. A group's records have its present type: the first
    /// record of another type replaces the group.
    fn replay_unserved(&mut self, key: &UnservedKey, value: Option<Bytes>) {
        let Some(value) = value else { return self.replay_unserved_tombstone(key) };
        let unserved = || UnservedGroup::new(key.group_id.clone(), key.protocol);
        let new = || Group { of_type: GroupType::Unserved(unserved()), offsets: Default::default() };
        let group = self.groups.entry(key.group_id.clone()).or_insert_with(new);
        if !matches!(&group.of_type, GroupType::Unserved(group) if group.protocol == key.protocol) {
            group.of_type = GroupType::Unserved(unserved());
        }
        if let GroupType::Unserved(group) = &mut group.of_type {
            group.apply(key, UnservedRecord::decode(key, value));
        }
    }

    fn replay_unserved_tombstone(&mut self, key: &UnservedKey) {
        let Some(group) = self.groups.get_mut(&key.group_id) else { return };
        match &mut group.of_type {
            GroupType::Unserved(group) if group.protocol != key.protocol => {}
            // Its offsets came first, or only this tombstone is left of it.
            GroupType::Classic(group) if group.stored => {}
            _ if key.is_of_group() => self.remove_group(&key.group_id),
            GroupType::Unserved(group) => group.apply_tombstone(key),
            GroupType::Classic(_) => {}
        }
    }

    fn remove_group(&mut self, group_id: &Str) {
        if let Some(group) = self.groups.remove(group_id)
            && !group.offsets.is_empty()
        {
            self.group_with_offsets(&group_id.detached()).offsets = group.offsets;
        }
    }

    /// The group of an offset, which is created if it does not exist: offsets alone are a group.
    fn group_with_offsets(&mut self, group_id: &Str) -> &mut Group {
        self.groups.entry(group_id.clone()).or_insert_with(|| Group::with_offsets_only(group_id.clone()))
    }

    /// Applies what a transaction has committed, or drops it if the transaction aborted.
    pub(crate) fn replay_end_of_transaction(&mut self, producer_id: i64, committed: bool) {
        let pending = self.pending_offsets.take(producer_id);
        if !committed {
            return;
        }
        for (key, offset) in pending {
            let group = self.group_with_offsets(&key.group_id);
            let stored_later = group
                .offsets
                .get(&key.topic, key.partition)
                .is_some_and(|current| current.record_offset > offset.record_offset);
            if !stored_later {
                group.offsets.put(key.topic, key.partition, offset);
            }
        }
    }
}
