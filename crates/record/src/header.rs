//! The header of a batch: 61 bytes of magic 2, fewer in the formats before it.

use crate::batch_error::BatchError;
use crate::compression::{Compression, UnknownCodec};
use crate::legacy;

/// Bytes of a batch before its records.
pub const BATCH_OVERHEAD: usize = 61;
/// Bytes of a batch that its length field does not count: the base offset and the length itself.
pub const LOG_OVERHEAD: usize = 12;
/// The end of the magic byte: without it, nothing about a batch is known.
pub(crate) const MAGIC_END: usize = 17;
/// The position of the first byte that the checksum covers.
pub(crate) const CRC_COVERS_FROM: usize = 21;
/// The smallest length field that a batch of magic 2 can have.
pub(crate) const LENGTH_MIN: i32 = (BATCH_OVERHEAD - LOG_OVERHEAD) as i32;
/// The smallest length field of any format (a message of magic 0 with neither key nor value).
pub(crate) const LENGTH_MIN_LEGACY: i32 = 14;

/// Stands for "no timestamp".
pub const NO_TIMESTAMP: i64 = -1;
/// Stands for "not from an idempotent producer".
pub const NO_PRODUCER_ID: i64 = -1;
/// Stands for "no producer epoch".
pub const NO_PRODUCER_EPOCH: i16 = -1;
/// Stands for "no sequence number".
pub const NO_SEQUENCE: i32 = -1;
/// Stands for "no leader has appended this batch yet".
pub const NO_PARTITION_LEADER_EPOCH: i32 = -1;

/// The setter of the timestamps of a batch's records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimestampType {
    /// The producer: each record has its own.
    CreateTime,
    /// The broker on append: every record has the batch's max timestamp.
    LogAppendTime,
}

/// The flags of a batch: codec in bits 0-2, then one bit each for timestamp type, transactional, control and
/// delete horizon. Bits 7-15 have no meaning yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Attributes(pub i16);

impl Attributes {
    const CODEC: i16 = 0x07;
    const LOG_APPEND_TIME: i16 = 0x08;
    const TRANSACTIONAL: i16 = 0x10;
    const CONTROL: i16 = 0x20;
    const DELETE_HORIZON: i16 = 0x40;

    /// The codec of the records.
    ///
    /// # Errors
    /// [`UnknownCodec`] for the three numbers without a codec.
    pub fn compression(self) -> Result<Compression, UnknownCodec> {
        Compression::from_id((self.0 & Self::CODEC) as u8)
    }

    /// The setter of the timestamps.
    pub fn timestamp_type(self) -> TimestampType {
        if self.0 & Self::LOG_APPEND_TIME == 0 {
            TimestampType::CreateTime
        } else {
            TimestampType::LogAppendTime
        }
    }

    /// Whether the batch is part of a transaction.
    pub fn is_transactional(self) -> bool {
        self.0 & Self::TRANSACTIONAL != 0
    }

    /// Whether the batch holds a control record: a broker's mark, never shown to applications.
    pub fn is_control(self) -> bool {
        self.0 & Self::CONTROL != 0
    }

    /// Whether the base timestamp is a delete horizon: the time from which the cleaner may remove the batch's
    /// tombstones and markers (KIP-534).
    pub fn has_delete_horizon(self) -> bool {
        self.0 & Self::DELETE_HORIZON != 0
    }

    /// The same with `compression`.
    #[must_use]
    pub fn with_compression(self, compression: Compression) -> Attributes {
        Attributes(self.0 & !Self::CODEC | i16::from(compression.id()))
    }

    /// The same with `timestamp_type`.
    #[must_use]
    pub fn with_timestamp_type(self, timestamp_type: TimestampType) -> Attributes {
        self.with(Self::LOG_APPEND_TIME, timestamp_type == TimestampType::LogAppendTime)
    }

    /// The same, transactional or not.
    #[must_use]
    pub fn with_transactional(self, transactional: bool) -> Attributes {
        self.with(Self::TRANSACTIONAL, transactional)
    }

    /// The same, of a control batch or not.
    #[must_use]
    pub fn with_control(self, control: bool) -> Attributes {
        self.with(Self::CONTROL, control)
    }

    /// The same, with or without a delete horizon.
    #[must_use]
    pub fn with_delete_horizon(self, delete_horizon: bool) -> Attributes {
        self.with(Self::DELETE_HORIZON, delete_horizon)
    }

    /// The attributes without the bits that have no meaning.
    pub(crate) fn known(self) -> Attributes {
        Attributes(self.0 & 0x7f)
    }

    fn with(self, bit: i16, on: bool) -> Attributes {
        Attributes(if on { self.0 | bit } else { self.0 & !bit })
    }
}

/// The header of a batch. The fields have Kafka's names (`DefaultRecordBatch`) and stand in the order of the
/// bytes of magic 2. Fields that a message of magic 0 or 1 lacks have their "no" values; see
/// [`BatchHeader::parse_stored`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchHeader {
    /// The offset of the first record, even if compaction has removed that record.
    pub base_offset: i64,
    /// Bytes of the batch after this field; never below 49 in a parsed header.
    pub length: i32,
    /// The epoch of the leader that appended the batch. Not covered by the checksum.
    pub partition_leader_epoch: i32,
    /// The format: 2, or 0 or 1 if [`BatchHeader::parse_stored`] met a message from before Kafka 0.11.
    pub magic: i8,
    /// CRC-32C of everything from `attributes` to the end of the batch.
    pub crc: u32,
    /// Codec and flags.
    pub attributes: Attributes,
    /// The offset of the last record less the base offset.
    pub last_offset_delta: i32,
    /// The base of the records' timestamps, in ms since the epoch; a delete horizon if the attributes say so.
    pub base_timestamp: i64,
    /// The greatest timestamp of the records, in ms since the epoch; with `LogAppendTime`, the one of all of
    /// them.
    pub max_timestamp: i64,
    /// The idempotent producer that wrote the batch, or [`NO_PRODUCER_ID`].
    pub producer_id: i64,
    /// The producer's epoch.
    pub producer_epoch: i16,
    /// The sequence number of the first record.
    pub base_sequence: i32,
    /// Records in the batch.
    pub records_count: i32,
}

impl BatchHeader {
    /// Parses the header at the front of `bytes`, which need not hold the records. The checksum is not
    /// verified, and no field but the length and the magic is checked.
    ///
    /// # Errors
    /// [`BatchError::Truncated`] below 61 bytes, [`BatchError::Length`] and [`BatchError::Magic`] for a
    /// header that no batch of magic 2 can have.
    pub fn parse(bytes: &[u8]) -> Result<BatchHeader, BatchError> {
        check_opening(bytes)?;
        let Some(bytes) = bytes.first_chunk::<BATCH_OVERHEAD>() else {
            return Err(BatchError::Truncated { have_bytes: bytes.len(), need_bytes: BATCH_OVERHEAD });
        };
        Ok(BatchHeader {
            base_offset: i64::from_be_bytes(field(bytes, 0)),
            length: i32::from_be_bytes(field(bytes, 8)),
            partition_leader_epoch: i32::from_be_bytes(field(bytes, 12)),
            magic: 2,
            crc: u32::from_be_bytes(field(bytes, 17)),
            attributes: Attributes(i16::from_be_bytes(field(bytes, 21))),
            last_offset_delta: i32::from_be_bytes(field(bytes, 23)),
            base_timestamp: i64::from_be_bytes(field(bytes, 27)),
            max_timestamp: i64::from_be_bytes(field(bytes, 35)),
            producer_id: i64::from_be_bytes(field(bytes, 43)),
            producer_epoch: i16::from_be_bytes(field(bytes, 51)),
            base_sequence: i32::from_be_bytes(field(bytes, 53)),
            records_count: i32::from_be_bytes(field(bytes, 57)),
        })
    }

    /// Parses the same from a log, which may be older than Kafka 0.11: messages of magic 0 and 1 are accepted
    /// too, each for a batch. A compressed one contains others and has the offset of the last of them; its
    /// header does not have the offset of the first, so both offsets are the last, and the count of records
    /// is -1.
    ///
    /// # Errors
    /// See [`BatchHeader::parse`]; [`BatchError::Magic`] for other formats.
    pub fn parse_stored(bytes: &[u8]) -> Result<BatchHeader, BatchError> {
        match bytes.get(MAGIC_END - 1) {
            Some(0 | 1) => legacy::parse_header(bytes),
            Some(_) => BatchHeader::parse(bytes),
            // A whole message may be shorter than the header of a batch.
            None => match BatchHeader::parse(bytes) {
                Err(BatchError::Truncated { have_bytes, .. }) => {
                    Err(BatchError::Truncated { have_bytes, need_bytes: MAGIC_END })
                }
                other => other,
            },
        }
    }

    /// The header of the batch of magic 2 that replaces a message of magic 0 or 1 whose first record has that
    /// offset.
    ///
    /// # Panics
    /// If the first record is more than 2147483647 before the last, or above it.
    #[must_use]
    pub fn upgraded(&self, first_offset: i64) -> BatchHeader {
        let delta =
            i32::try_from(self.last_offset() - first_offset).expect("the caller looks at the offsets");
        assert!(delta >= 0, "the first record is not above the last");
        BatchHeader { magic: 2, base_offset: first_offset, last_offset_delta: delta, ..*self }
    }

    /// The header's bytes.
    ///
    /// # Panics
    /// If the magic is not 2: the other formats are never written.
    pub fn to_bytes(&self) -> [u8; BATCH_OVERHEAD] {
        assert_eq!(self.magic, 2, "no other format is written");
        let mut bytes = [0; BATCH_OVERHEAD];
        bytes[0..8].copy_from_slice(&self.base_offset.to_be_bytes());
        bytes[8..12].copy_from_slice(&self.length.to_be_bytes());
        bytes[12..16].copy_from_slice(&self.partition_leader_epoch.to_be_bytes());
        bytes[16] = 2;
        bytes[17..21].copy_from_slice(&self.crc.to_be_bytes());
        bytes[21..23].copy_from_slice(&self.attributes.0.to_be_bytes());
        bytes[23..27].copy_from_slice(&self.last_offset_delta.to_be_bytes());
        bytes[27..35].copy_from_slice(&self.base_timestamp.to_be_bytes());
        bytes[35..43].copy_from_slice(&self.max_timestamp.to_be_bytes());
        bytes[43..51].copy_from_slice(&self.producer_id.to_be_bytes());
        bytes[51..53].copy_from_slice(&self.producer_epoch.to_be_bytes());
        bytes[53..57].copy_from_slice(&self.base_sequence.to_be_bytes());
        bytes[57..61].copy_from_slice(&self.records_count.to_be_bytes());
        bytes
    }

    /// Bytes of the whole batch.
    pub fn size_bytes(&self) -> usize {
        debug_assert!(self.length >= LENGTH_MIN_LEGACY);
        LOG_OVERHEAD + self.length as usize
    }

    /// The offset of the last record. Offsets are outside the checksum, so a reader of a damaged log may see
    /// any number here; the result is at most the greatest offset.
    pub fn last_offset(&self) -> i64 {
        self.base_offset.saturating_add(i64::from(self.last_offset_delta))
    }

    /// The offset after the last record.
    pub fn next_offset(&self) -> i64 {
        self.last_offset().saturating_add(1)
    }

    /// Whether an idempotent producer wrote the batch.
    pub fn has_producer_id(&self) -> bool {
        self.producer_id > NO_PRODUCER_ID
    }

    /// The sequence number of the last record, [`NO_SEQUENCE`] if the batch has none. After 2147483647 comes 0.
    pub fn last_sequence(&self) -> i32 {
        if self.base_sequence == NO_SEQUENCE {
            return NO_SEQUENCE;
        }
        self.base_sequence.wrapping_add(self.last_offset_delta) & i32::MAX
    }

    /// The time from which the cleaner may remove the batch's tombstones and transaction markers, in ms since
    /// the epoch, once it has been set.
    pub fn delete_horizon_ms(&self) -> Option<i64> {
        self.attributes.has_delete_horizon().then_some(self.base_timestamp)
    }

    /// CRC-32C of the part of the header that the checksum covers.
    pub(crate) fn crc_of_covered_part(&self) -> u32 {
        crate::crc::crc32c(&self.to_bytes()[CRC_COVERS_FROM..])
    }
}

/// Checks the bytes up to the magic, as soon as they are there.
fn check_opening(bytes: &[u8]) -> Result<(), BatchError> {
    let Some(opening) = bytes.first_chunk::<LOG_OVERHEAD>() else { return Ok(()) };
    let length = i32::from_be_bytes(field(opening, 8));
    if length < LENGTH_MIN_LEGACY {
        return Err(BatchError::Length(length));
    }
    let Some(&[.., magic]) = bytes.first_chunk::<MAGIC_END>() else { return Ok(()) };
    if magic != 2 {
        return Err(BatchError::Magic(magic as i8));
    }
    if length < LENGTH_MIN {
        return Err(BatchError::Length(length));
    }
    Ok(())
}

/// `N` bytes at a position known at compile time: the bounds check is optimized away.
#[inline(always)]
pub(crate) fn field<const N: usize, const OF: usize>(bytes: &[u8; OF], at: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&bytes[at..at + N]);
    out
}

#[cfg(test)]
mod tests;
