//! Records of coordinators on their way to the log and back, and how they can be wrong.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use protocol::DecodeError;

/// The producer id of a record that is not part of a transaction.
pub(crate) const NO_PRODUCER_ID: i64 = -1;

/// One record for a partition of a coordinator. It has no headers; its timestamp is the time of the append.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoordinatorRecord {
    /// The key: what the record is about. The topic is compacted by it.
    pub key: Bytes,
    /// The value, or `None` for a tombstone.
    pub value: Option<Bytes>,
}

impl CoordinatorRecord {
    /// The bytes of key and value.
    pub fn size(&self) -> usize {
        self.key.len() + self.value.as_ref().map_or(0, Bytes::len)
    }
}

/// A record as the log has it. Control records are not among them; see [`LoadingShard::end_transaction`](crate::LoadingShard::end_transaction).
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
pub enum ReplayOutcome {
    /// It was.
    Applied,
    /// It is of a type that this coordinator does not know, of a later Kafka. It stays in the log, and in
    /// [`SkippedRecords`].
    Skipped,
}

/// The number of records of each type that were left alone. Groups in them are not known to this coordinator.
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
    /// The fault.
    pub reason: ReplayErrorReason,
}

/// The fault of a record.
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
