//! The records of coordinators, to and from the log, and their faults.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use protocol::DecodeError;

/// The producer id of a record that is not part of a transaction.
pub(crate) const NO_PRODUCER_ID: i64 = -1;

/// One record for a partition of a coordinator. It has no headers; its timestamp is the time of the append.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoordinatorRecord {
    /// The key, which says what the record is about. The topic is compacted by it.
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

/// A record as stored in the log. Control records are excluded; see
/// [`LoadingShard::end_transaction`](crate::LoadingShard::end_transaction).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRecord {
    /// The record's offset.
    pub offset: i64,
    /// The producer id of the batch if it is transactional, else -1. The record takes effect when the
    /// transaction ends.
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

/// The outcome of replaying a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplayOutcome {
    /// The record is now part of the state.
    Applied,
    /// The record has an unknown type, of a later Kafka. It stays in the log, and is counted in
    /// [`SkippedRecords`].
    Skipped,
}

/// The number of skipped records of each type. This coordinator does not know groups that only such records
/// name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SkippedRecords {
    /// Records by the type that their keys begin with.
    pub by_type: BTreeMap<i16, u64>,
}

/// A record that does not belong in `__consumer_offsets`.
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
    /// The key does not decode as its type.
    Key(DecodeError),
    /// The value does not decode as its version.
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
