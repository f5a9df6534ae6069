//! Control records: a broker's own marks in a log, which applications never see.
//!
//! The key has a version and a type, both `i16`. The value depends on the type; those of the quorum's marks
//! are messages of the protocol, encoded at version 0 with no version before them, and are bytes here.
//! Formats: `ControlRecordType`, `EndTransactionMarker`, `ControlRecordUtils` in Kafka's source.

use std::fmt;

use crate::builder::BatchBuilder;
use crate::compression::Compression;
use crate::header::NO_SEQUENCE;
use crate::records::Record;

/// The type of a control record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ControlType {
    /// The end of a transaction whose records are void.
    Abort,
    /// The end of a transaction whose records hold.
    Commit,
    /// A new leader of the quorum: `LeaderChangeMessage`.
    LeaderChange,
    /// The beginning of a snapshot: `SnapshotHeaderRecord`.
    SnapshotHeader,
    /// The end of a snapshot: `SnapshotFooterRecord`.
    SnapshotFooter,
    /// The version of the quorum's protocol: `KRaftVersionRecord`.
    KRaftVersion,
    /// The voters of the quorum: `VotersRecord`.
    KRaftVoters,
}

/// The version of keys and of transaction markers that is written. Higher ones are read as this one, since
/// they may only add to it.
const VERSION: i16 = 0;

/// Bytes that cannot be a control record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ControlError {
    /// No key, or one too short for a version and a type.
    Key,
    /// A version below 0.
    Version(i16),
    /// The value of a transaction's mark is too short, or there is none.
    Value,
    /// A mark that is not the end of a transaction.
    NotEndOfTransaction,
}

impl fmt::Display for ControlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ControlError::Key => write!(f, "the key of a control record is missing or too short"),
            ControlError::Version(version) => write!(f, "no control record has the version {version}"),
            ControlError::Value => write!(f, "the value of a transaction marker is missing or too short"),
            ControlError::NotEndOfTransaction => write!(f, "the control record does not end a transaction"),
        }
    }
}

impl std::error::Error for ControlError {}

impl ControlType {
    /// The type with that number; `None` for an unknown one, which readers ignore.
    pub fn from_id(id: i16) -> Option<ControlType> {
        Some(match id {
            0 => ControlType::Abort,
            1 => ControlType::Commit,
            2 => ControlType::LeaderChange,
            3 => ControlType::SnapshotHeader,
            4 => ControlType::SnapshotFooter,
            5 => ControlType::KRaftVersion,
            6 => ControlType::KRaftVoters,
            _ => return None,
        })
    }

    /// The type's number.
    pub fn id(self) -> i16 {
        self as i16
    }

    /// The type of the record; `None` for an unknown one.
    ///
    /// # Errors
    /// [`ControlError::Key`] if there is no key, or a short one; [`ControlError::Version`] for a version
    /// below 0.
    pub fn of(record: &Record<'_>) -> Result<Option<ControlType>, ControlError> {
        let key = record.key.and_then(<[u8]>::first_chunk::<4>).ok_or(ControlError::Key)?;
        let version = i16::from_be_bytes([key[0], key[1]]);
        if version < 0 {
            return Err(ControlError::Version(version));
        }
        Ok(ControlType::from_id(i16::from_be_bytes([key[2], key[3]])))
    }

    /// The key of such a record.
    fn key(self) -> [u8; 4] {
        let ([v0, v1], [t0, t1]) = (VERSION.to_be_bytes(), self.id().to_be_bytes());
        [v0, v1, t0, t1]
    }
}

/// A control batch of one record. The caller sets its offset, its producer and its transaction.
pub fn batch(control_type: ControlType, value: &[u8], timestamp_ms: i64) -> BatchBuilder {
    let mut builder = BatchBuilder::new(Compression::None).control();
    push(&mut builder, control_type, value, timestamp_ms);
    builder
}

/// Adds a control record to a control batch; the head of a snapshot has several.
pub fn push(builder: &mut BatchBuilder, control_type: ControlType, value: &[u8], timestamp_ms: i64) {
    builder.push(timestamp_ms, Some(&control_type.key()), Some(value), &[]);
}

/// The mark at the end of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndTransactionMarker {
    /// Whether the transaction was committed.
    pub committed: bool,
    /// The epoch of the transaction coordinator that decided.
    pub coordinator_epoch: i32,
}

impl EndTransactionMarker {
    /// The batch that ends the transaction of the producer.
    pub fn batch(self, producer_id: i64, producer_epoch: i16, timestamp_ms: i64) -> BatchBuilder {
        let control_type = if self.committed { ControlType::Commit } else { ControlType::Abort };
        let mut value = [0; 6];
        value[..2].copy_from_slice(&VERSION.to_be_bytes());
        value[2..].copy_from_slice(&self.coordinator_epoch.to_be_bytes());
        batch(control_type, &value, timestamp_ms)
            .producer(producer_id, producer_epoch, NO_SEQUENCE)
            .transactional()
    }

    /// Reads the marker from its record.
    ///
    /// # Errors
    /// [`ControlError`] if the record is not a valid marker of the end of a transaction.
    pub fn read(record: &Record<'_>) -> Result<EndTransactionMarker, ControlError> {
        let committed = match ControlType::of(record)? {
            Some(ControlType::Commit) => true,
            Some(ControlType::Abort) => false,
            _ => return Err(ControlError::NotEndOfTransaction),
        };
        let value = record.value.and_then(<[u8]>::first_chunk::<6>).ok_or(ControlError::Value)?;
        let version = i16::from_be_bytes([value[0], value[1]]);
        if version < 0 {
            return Err(ControlError::Version(version));
        }
        let coordinator_epoch = i32::from_be_bytes([value[2], value[3], value[4], value[5]]);
        Ok(EndTransactionMarker { committed, coordinator_epoch })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Batch;
    use crate::records::Headers;

    fn record<'a>(key: Option<&'a [u8]>, value: Option<&'a [u8]>) -> Record<'a> {
        Record { offset: 0, timestamp: 0, key, value, headers: Headers::default() }
    }

    #[test]
    fn the_end_of_a_transaction_round_trips() {
        for committed in [true, false] {
            let marker = EndTransactionMarker { committed, coordinator_epoch: 1_000_000 };
            let bytes =
                marker.batch(77, 3, 1_700_000_000_000).base_offset(12).partition_leader_epoch(4).build();
            let batch = Batch::parse(&bytes).unwrap();
            let header = batch.header();
            assert!(header.attributes.is_control() && header.attributes.is_transactional());
            assert_eq!((header.producer_id, header.producer_epoch), (77, 3));
            assert_eq!((header.base_sequence, header.last_sequence()), (NO_SEQUENCE, NO_SEQUENCE));
            let record = batch.records().next().unwrap().unwrap();
            assert_eq!(record.key, Some(&[0, 0, 0, u8::from(committed)][..]));
            assert_eq!(EndTransactionMarker::read(&record), Ok(marker));
        }
    }

    #[test]
    fn every_type_round_trips_and_unknown_ones_are_none() {
        for id in 0..7 {
            let control_type = ControlType::from_id(id).unwrap();
            assert_eq!(control_type.id(), id);
            assert_eq!(ControlType::of(&record(Some(&control_type.key()), None)), Ok(Some(control_type)));
        }
        for id in [-1, 7, 0x100] {
            let key = [[0, 0], i16::to_be_bytes(id)].concat();
            assert_eq!(ControlType::of(&record(Some(&key), None)), Ok(None));
        }
    }

    #[test]
    fn newer_versions_are_read_and_what_cannot_be_is_refused() {
        let commit = [0, 9, 0, 1, 5, 5];
        let value = [0, 3, 0, 0, 0, 8, 1];
        let marker = EndTransactionMarker { committed: true, coordinator_epoch: 8 };
        assert_eq!(EndTransactionMarker::read(&record(Some(&commit), Some(&value))), Ok(marker));

        let read = |key, value| EndTransactionMarker::read(&record(key, value)).unwrap_err();
        assert_eq!(read(None, Some(&value)), ControlError::Key);
        assert_eq!(read(Some(&commit[..3]), Some(&value)), ControlError::Key);
        assert_eq!(read(Some(&[0xff, 0xff, 0, 1]), Some(&value)), ControlError::Version(-1));
        assert_eq!(read(Some(&[0, 0, 0, 2]), Some(&value)), ControlError::NotEndOfTransaction);
        assert_eq!(read(Some(&commit), None), ControlError::Value);
        assert_eq!(read(Some(&commit), Some(&value[..5])), ControlError::Value);
        assert_eq!(read(Some(&commit), Some(&[0x80, 0, 0, 0, 0, 8])), ControlError::Version(i16::MIN));
    }
}
