//! The contents of the partitions in log directories: sizes, producers, and the groups and transactions of
//! the internal topics.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use protocol::records::{
    ConsumerGroupMetadataKey, GroupMetadataKey, OffsetCommitKey, ShareGroupMetadataKey,
    StreamsGroupMetadataKey, TransactionLogKey, TransactionLogValue, coordinator_key, coordinator_value,
};
use record::control::EndTransactionMarker;
use record::{Batch, Record, Scratch};
use storage::fs::{self, Fs};
use storage::inspect::{self, Batches, FileKind, Region, base_offset_of};
use storage::{DirKind, TopicPartition};

/// The most bytes to which the records of one batch may decompress: only brokers write to the internal
/// topics.
const DECOMPRESSED_BYTES_MAX: usize = 1 << 30;

/// The states of a transaction that has not ended, with their numbers in the transaction log.
const UNFINISHED: [(i8, &str); 4] =
    [(1, "ongoing"), (2, "being committed"), (3, "being aborted"), (7, "being fenced")];

/// The kinds of groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum GroupKind {
    /// The classic protocol.
    Classic,
    /// The protocol of KIP-848.
    Consumer,
    /// Share groups.
    Share,
    /// The protocol of Kafka Streams.
    Streams,
}

/// The contents of all directories.
#[derive(Debug, Default)]
pub(super) struct Contents {
    pub(super) partitions: usize,
    pub(super) segments: usize,
    pub(super) bytes: u64,
    /// Segments that begin with a message of magic 0 or 1.
    pub(super) old_segments: usize,
    /// Groups by their kind.
    groups: BTreeSet<(GroupKind, String)>,
    /// Committed offsets: group, topic and partition.
    offsets: BTreeSet<(String, String, i32)>,
    /// Offsets of transactions that have not ended, by producer.
    pending_offsets: BTreeMap<i64, Vec<(String, String, i32)>>,
    /// Producers in the newest snapshot of each partition.
    pub(super) producers: usize,
    /// Partitions in whose newest snapshot a transaction is open.
    pub(super) partitions_with_open_transactions: usize,
    /// Transactional ids, each with the state of its last transaction.
    transactional_ids: BTreeMap<String, i8>,
    /// Places of the internal topics that cannot be read.
    pub(super) damaged: usize,
}

impl Contents {
    /// Reads the directories.
    ///
    /// # Errors
    /// The error of the file system, if a file cannot be read.
    pub(super) fn of(dirs: &[PathBuf]) -> fs::Result<Contents> {
        let (fs, mut contents) = (Fs::real(), Contents::default());
        for dir in dirs {
            for entry in fs.list(dir)?.into_iter().filter(|entry| entry.is_dir) {
                let DirKind::Partition(name) = DirKind::of(&entry.name) else { continue };
                if name.topic != metadata::quorum::METADATA_TOPIC {
                    contents.partition(&fs, &dir.join(&entry.name), &name)?;
                }
            }
        }
        Ok(contents)
    }

    /// The number of groups of a kind.
    pub(super) fn groups(&self, kind: GroupKind) -> usize {
        self.groups.iter().filter(|(of, _)| *of == kind).count()
    }

    /// The number of groups that have committed an offset.
    pub(super) fn groups_with_offsets(&self) -> usize {
        self.offsets.iter().map(|(group, _, _)| group).collect::<BTreeSet<_>>().len()
    }

    /// The number of committed offsets.
    pub(super) fn offsets(&self) -> usize {
        self.offsets.len()
    }

    /// The number of transactional ids.
    pub(super) fn transactional_ids(&self) -> usize {
        self.transactional_ids.len()
    }

    /// The transactional ids whose transaction has not ended, with its state.
    pub(super) fn unfinished(&self) -> Vec<(&str, &'static str)> {
        let found = self.transactional_ids.iter().filter_map(|(id, state)| {
            let (_, name) = UNFINISHED.iter().find(|(number, _)| number == state)?;
            Some((id.as_str(), *name))
        });
        found.collect()
    }

    fn partition(&mut self, fs: &Fs, dir: &Path, name: &TopicPartition) -> fs::Result<()> {
        self.partitions += 1;
        let mut newest_snapshot = None;
        for entry in fs.list(dir)? {
            let path = dir.join(&entry.name);
            if base_offset_of(&entry.name, ".log").is_some() {
                self.segments += 1;
                self.bytes += entry.len;
                self.segment(fs, &path, &name.topic)?;
            } else if FileKind::of(&entry.name) == Some(FileKind::ProducerSnapshot)
                && entry.name.ends_with(".snapshot")
            {
                newest_snapshot = Some(path);
            }
        }
        let Some(snapshot) = newest_snapshot else { return Ok(()) };
        if let Ok(producers) = inspect::read_producers(fs, &snapshot)? {
            self.producers += producers.len();
            let is_open = producers.iter().any(|producer| producer.current_txn_first_offset.is_some());
            self.partitions_with_open_transactions += usize::from(is_open);
        }
        Ok(())
    }

    fn segment(&mut self, fs: &Fs, path: &Path, topic: &str) -> fs::Result<()> {
        let mut batches = Batches::open(fs, path)?;
        let is_internal = matches!(topic, "__consumer_offsets" | "__transaction_state");
        let (mut scratch, mut is_first) = (Scratch::new(), true);
        while let Some((_, region)) = batches.next_region()? {
            let is_readable = match region {
                Region::Batch(batch, Ok(())) => {
                    self.old_segments += usize::from(is_first && batch.header().magic < 2);
                    !is_internal || self.batch(&batch, topic, &mut scratch)
                }
                Region::Zeros { .. } => true,
                _ => false,
            };
            if !is_internal {
                break;
            }
            is_first = false;
            self.damaged += usize::from(!is_readable);
        }
        Ok(())
    }

    /// Takes in the records of a batch of an internal topic. Returns whether they could be read.
    fn batch(&mut self, batch: &Batch<'_>, topic: &str, scratch: &mut Scratch) -> bool {
        let header = *batch.header();
        let Ok(records) = batch.records_decompressed(scratch, DECOMPRESSED_BYTES_MAX) else { return false };
        for record in records {
            let Ok(record) = record else { return false };
            if header.attributes.is_control() {
                self.end_transaction(header.producer_id, &record);
                continue;
            }
            let producer_id = header.attributes.is_transactional().then_some(header.producer_id);
            let taken = match topic {
                "__consumer_offsets" => self.group_record(&record, producer_id),
                _ => self.transaction_record(&record),
            };
            if taken.is_err() {
                return false;
            }
        }
        true
    }

    /// Applies the offsets of a transaction if it was committed.
    fn end_transaction(&mut self, producer_id: i64, record: &Record<'_>) {
        let pending = self.pending_offsets.remove(&producer_id).unwrap_or_default();
        if EndTransactionMarker::read(record).is_ok_and(|marker| marker.committed) {
            self.offsets.extend(pending);
        }
    }

    fn group_record(
        &mut self,
        record: &Record<'_>,
        producer_id: Option<i64>,
    ) -> Result<(), protocol::DecodeError> {
        let key = Bytes::copy_from_slice(record.key.unwrap_or_default());
        let (record_type, rest) = coordinator_key::split(key)?;
        let (kind, group) = match record_type {
            0 | 1 => {
                let OffsetCommitKey { group, topic, partition } = coordinator_key::decode_rest(rest)?;
                let key = (group.to_string(), topic.to_string(), partition);
                match (record.value, producer_id) {
                    (None, _) => drop(self.offsets.remove(&key)),
                    (Some(_), None) => drop(self.offsets.insert(key)),
                    (Some(_), Some(id)) => self.pending_offsets.entry(id).or_default().push(key),
                }
                return Ok(());
            }
            2 => (GroupKind::Classic, coordinator_key::decode_rest::<GroupMetadataKey>(rest)?.group),
            3 => (
                GroupKind::Consumer,
                coordinator_key::decode_rest::<ConsumerGroupMetadataKey>(rest)?.group_id,
            ),
            11 => (GroupKind::Share, coordinator_key::decode_rest::<ShareGroupMetadataKey>(rest)?.group_id),
            17 => {
                (GroupKind::Streams, coordinator_key::decode_rest::<StreamsGroupMetadataKey>(rest)?.group_id)
            }
            // Members and assignments, which start afresh.
            _ => return Ok(()),
        };
        let group = (kind, group.to_string());
        if record.value.is_some() {
            self.groups.insert(group)
        } else {
            self.groups.remove(&group)
        };
        Ok(())
    }

    fn transaction_record(&mut self, record: &Record<'_>) -> Result<(), protocol::DecodeError> {
        let key = Bytes::copy_from_slice(record.key.unwrap_or_default());
        let (record_type, rest) = coordinator_key::split(key)?;
        if record_type != 0 {
            return Ok(());
        }
        let id = coordinator_key::decode_rest::<TransactionLogKey>(rest)?.transactional_id.to_string();
        match record.value {
            None => drop(self.transactional_ids.remove(&id)),
            Some(value) => {
                let value = coordinator_value::decode::<TransactionLogValue>(Bytes::copy_from_slice(value))?;
                self.transactional_ids.insert(id, value.transaction_status);
            }
        }
        Ok(())
    }
}
