//! Taking records in: all of the partition's at the start, the coordinator's own once they are stored.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use protocol::records::{GroupMetadataKey, OffsetCommitKey, coordinator_value};
use protocol::{DecodeError, Str};

use crate::classic::ClassicGroup;
use crate::group::{Group, GroupType};
use crate::offsets::{CommittedOffset, OffsetKey};
use crate::records::Key;
use crate::timers::Timer;
use crate::unserved::{UnservedGroup, UnservedKey, UnservedRecord};
use crate::{CoordinatorRecord, GroupCoordinator, Now, Settings};

/// A batch that is not idempotent, or a record of one.
const NO_PRODUCER_ID: i64 = -1;

/// A record as the log has it. Control records are not among them; see [`Loading::end_transaction`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRecord {
    /// The record's offset.
    pub offset: i64,
    /// The producer id of the batch if the batch is transactional, else -1. What a transaction wrote
    /// counts from its end on.
    pub producer_id: i64,
    /// The key. Every record of the topic has one.
    pub key: Option<Bytes>,
    /// The value, or `None` for a tombstone.
    pub value: Option<Bytes>,
}

impl StoredRecord {
    pub(crate) fn new(offset: i64, record: CoordinatorRecord) -> StoredRecord {
        StoredRecord { offset, producer_id: NO_PRODUCER_ID, key: Some(record.key), value: record.value }
    }
}

/// Whether a record was taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replayed {
    /// It was.
    Applied,
    /// It is of a type that this coordinator does not know, of a later Kafka. It stays in the log, and in
    /// [`SkippedRecords`].
    Skipped,
}

/// How many records of which types were left alone. Groups in them are not known to this coordinator.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SkippedRecords {
    /// Records by the type that their keys begin with.
    pub by_type: BTreeMap<i16, u64>,
}

/// A record that is not what `__consumer_offsets` holds.
#[derive(Debug, PartialEq)]
pub struct ReplayError {
    /// The record's offset.
    pub offset: i64,
    /// What is wrong with it.
    pub reason: ReplayErrorReason,
}

/// What is wrong with a record.
#[derive(Debug, PartialEq)]
pub enum ReplayErrorReason {
    /// It has no key.
    NoKey,
    /// The key is not what its type says.
    Key(DecodeError),
    /// The value is not what its version says.
    Value(DecodeError),
    /// A group has a member id or a group instance id twice.
    DuplicateMember,
}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the record at offset {} of the group's partition ", self.offset)?;
        match &self.reason {
            ReplayErrorReason::NoKey => write!(f, "has no key"),
            ReplayErrorReason::Key(error) => write!(f, "has an unreadable key: {error}"),
            ReplayErrorReason::Value(error) => write!(f, "has an unreadable value: {error}"),
            ReplayErrorReason::DuplicateMember => write!(f, "has a member twice"),
        }
    }
}

impl std::error::Error for ReplayError {}

/// A coordinator that is still taking in its partition, and can therefore not be asked anything.
#[derive(Debug)]
pub struct Loading {
    pub(crate) coordinator: GroupCoordinator,
}

impl Loading {
    /// Begins with nothing.
    pub fn new(settings: Settings) -> Loading {
        Loading { coordinator: GroupCoordinator::new(settings) }
    }

    /// Takes in the next record of the log.
    ///
    /// # Errors
    /// When the record is not what the topic holds. What came before it stays taken in.
    pub fn replay(&mut self, record: StoredRecord) -> Result<Replayed, ReplayError> {
        self.coordinator.replay(record)
    }

    /// Takes in the end of a transaction: the control record of the batch's producer id.
    pub fn end_transaction(&mut self, producer_id: i64, committed: bool) {
        let pending = self.coordinator.pending_offsets.take(producer_id);
        if !committed {
            return;
        }
        for (key, offset) in pending {
            let group = self.coordinator.group_with_offsets(&key.group_id);
            let stored_later = group
                .offsets
                .get(&key.topic, key.partition)
                .is_some_and(|current| current.record_offset > offset.record_offset);
            if !stored_later {
                group.offsets.put(key.topic, key.partition, offset);
            }
        }
    }

    /// How many groups there are so far, and how many offsets they have committed.
    pub fn counts(&self) -> (usize, usize) {
        let groups = &self.coordinator.groups;
        (
            groups.len(),
            groups
                .values()
                .map(|group| group.offsets.topics().map(|(_, offsets)| offsets.len()).sum::<usize>())
                .sum(),
        )
    }

    /// The log has been taken in to its end: the coordinator is ready. Every member's session starts
    /// anew now, since no one could send a heartbeat in the meantime.
    pub fn loaded(self, now: Now) -> GroupCoordinator {
        let mut coordinator = self.coordinator;
        let next = now.steady.after(coordinator.settings.offsets_retention_check_interval_ms);
        coordinator.timers.schedule(Timer::Expiration, next);
        coordinator.drop_all_vacant();
        let group_ids: Vec<Str> = coordinator.groups.keys().cloned().collect();
        for group_id in group_ids {
            let mut replies = Vec::new();
            match &mut coordinator.groups.get_mut(&group_id).expect("listed above").of_type {
                GroupType::Unserved(group) => group.begin_after_load(now.steady),
                GroupType::Classic(_) => {
                    let operation = coordinator.operation(&group_id, &mut replies, now);
                    operation.expect("a classic group").begin_after_load();
                }
            }
            assert!(replies.is_empty(), "no one has asked anything yet");
        }
        coordinator
    }
}

impl GroupCoordinator {
    pub(crate) fn replay(&mut self, record: StoredRecord) -> Result<Replayed, ReplayError> {
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
                return Ok(Replayed::Skipped);
            }
        }
        Ok(Replayed::Applied)
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

    fn replay_group(&mut self, group: ClassicGroup) {
        let group_id = group.group_id.clone();
        let of_type = GroupType::Classic(group);
        match self.groups.get_mut(&group_id) {
            Some(existing) => existing.of_type = of_type,
            None => drop(self.groups.insert(group_id, Group { of_type, offsets: Default::default() })),
        }
    }

    /// The group is gone, but not offsets that were not deleted with it: a group that changed its type
    /// leaves such a tombstone, and still has them.
    fn replay_group_tombstone(&mut self, group_id: &Str) {
        if let Some(GroupType::Classic(group)) = self.groups.get(group_id).map(|group| &group.of_type) {
            assert_eq!(group.awaiting_join(), 0, "only empty groups are deleted");
            group.cancel_timers(&mut self.timers);
        }
        self.remove_group(group_id);
    }

    /// What the log has of a group is the type that it has now: its first record of another type replaces it.
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
            // Its offsets came first, or all that is left of it is this tombstone.
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

    /// The group, made if need be: offsets alone are a group.
    fn group_with_offsets(&mut self, group_id: &Str) -> &mut Group {
        self.groups.entry(group_id.clone()).or_insert_with(|| Group::with_offsets_only(group_id.clone()))
    }
}
