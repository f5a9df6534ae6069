//! The committed offsets of one group.

use std::collections::BTreeMap;

use protocol::records::OffsetCommitValue;
use protocol::{Str, Uuid};

use crate::WallMs;

/// The committed offset of a group in one partition, as stored.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CommittedOffset {
    /// The offset of the next record to read.
    pub(crate) offset: i64,
    /// The leader epoch of the last record read, or -1.
    pub(crate) leader_epoch: i32,
    /// The metadata that the client committed with it.
    pub(crate) metadata: Str,
    /// The time of the commit.
    pub(crate) commit_timestamp: WallMs,
    /// The time at which it expires, if the client set one (OffsetCommit before version 5).
    pub(crate) expire_timestamp: Option<WallMs>,
    /// The topic's id at the time of the commit, or zero if it was unknown.
    pub(crate) topic_id: Uuid,
    /// Its offset in `__consumer_offsets`. If a transaction that ended later has a commit too, the one that
    /// was stored last counts.
    pub(crate) record_offset: i64,
}

impl CommittedOffset {
    pub(crate) fn from_value(value: &OffsetCommitValue, record_offset: i64) -> CommittedOffset {
        CommittedOffset {
            offset: value.offset,
            leader_epoch: value.leader_epoch,
            metadata: value.metadata.detached(),
            commit_timestamp: WallMs(value.commit_timestamp),
            expire_timestamp: (value.expire_timestamp != -1).then_some(WallMs(value.expire_timestamp)),
            topic_id: value.topic_id,
            record_offset,
        }
    }

    /// Whether it was committed to another topic than `topic_id`: one of the same name that was deleted
    /// since. Either id may be unknown.
    pub(crate) fn is_of_another_topic(&self, topic_id: Uuid) -> bool {
        self.topic_id != Uuid::ZERO && topic_id != Uuid::ZERO && self.topic_id != topic_id
    }
}

/// Committed offsets by topic and partition. Every topic in it has a partition.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Offsets {
    topics: BTreeMap<Str, BTreeMap<i32, CommittedOffset>>,
}

impl Offsets {
    pub(crate) fn is_empty(&self) -> bool {
        self.topics.is_empty()
    }

    pub(crate) fn get(&self, topic: &str, partition: i32) -> Option<&CommittedOffset> {
        self.topics.get(topic)?.get(&partition)
    }

    pub(crate) fn topic(&self, topic: &str) -> Option<&BTreeMap<i32, CommittedOffset>> {
        self.topics.get(topic)
    }

    pub(crate) fn topics(&self) -> impl Iterator<Item = (&Str, &BTreeMap<i32, CommittedOffset>)> {
        self.topics.iter()
    }

    pub(crate) fn put(&mut self, topic: Str, partition: i32, offset: CommittedOffset) {
        self.topics.entry(topic).or_default().insert(partition, offset);
    }

    pub(crate) fn remove(&mut self, topic: &str, partition: i32) {
        let Some(partitions) = self.topics.get_mut(topic) else { return };
        partitions.remove(&partition);
        if partitions.is_empty() {
            self.topics.remove(topic);
        }
    }
}

/// A partition's offset in a group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct OffsetKey {
    pub(crate) group_id: Str,
    pub(crate) topic: Str,
    pub(crate) partition: i32,
}

/// Offsets committed in open transactions. They take effect when the transaction commits.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct PendingOffsets {
    by_producer: BTreeMap<i64, BTreeMap<OffsetKey, CommittedOffset>>,
    /// The number of open transactions with an offset there.
    open: BTreeMap<OffsetKey, usize>,
}

impl PendingOffsets {
    pub(crate) fn put(&mut self, producer_id: i64, key: OffsetKey, offset: CommittedOffset) {
        let previous = self.by_producer.entry(producer_id).or_default().insert(key.clone(), offset);
        if previous.is_none() {
            *self.open.entry(key).or_default() += 1;
        }
    }

    pub(crate) fn contains(&self, key: &OffsetKey) -> bool {
        self.open.contains_key(key)
    }

    /// The partitions of `group_id` that have a pending offset.
    pub(crate) fn of_group(&self, group_id: &Str) -> impl Iterator<Item = &OffsetKey> {
        let from = OffsetKey { group_id: group_id.clone(), topic: Str::default(), partition: i32::MIN };
        self.open.range(from..).map(|(key, _)| key).take_while(move |key| key.group_id == *group_id)
    }

    /// The partitions of `topic` with a pending offset that was committed to the topic with `topic_id`, or to
    /// one whose id was unknown.
    pub(crate) fn of_topic(&self, topic: &str, topic_id: Uuid) -> impl Iterator<Item = &OffsetKey> {
        self.by_producer
            .values()
            .flatten()
            .filter(move |(key, offset)| *key.topic == *topic && !offset.is_of_another_topic(topic_id))
            .map(|(key, _)| key)
    }

    /// Removes the pending offsets of a partition whose offset was deleted.
    pub(crate) fn remove(&mut self, key: &OffsetKey) {
        if self.open.remove(key).is_none() {
            return;
        }
        self.by_producer.retain(|_, offsets| {
            offsets.remove(key);
            !offsets.is_empty()
        });
    }

    /// Takes the commits of a producer's transaction that has ended.
    pub(crate) fn take(&mut self, producer_id: i64) -> BTreeMap<OffsetKey, CommittedOffset> {
        let ended = self.by_producer.remove(&producer_id).unwrap_or_default();
        for key in ended.keys() {
            let open = self.open.get_mut(key).expect("a pending offset is counted");
            *open -= 1;
            if *open == 0 {
                self.open.remove(key);
            }
        }
        ended
    }
}
