//! The checks of a leader before it appends a producer's records, and its changes to them.
//!
//! The rules are Kafka's (`ProduceRequest.validateRecords`, `UnifiedLog.analyzeAndValidateRecords`, `LogValidator`,
//! `DefaultRecordBatch`, `DefaultRecord`, of 4.3), in Kafka's order, so that a batch with two faults gets the same
//! error. Batches that Kafka accepts but could not itself read back or clean are rejected:
//!
//! | fault | error here | in Kafka |
//! |---|---|---|
//! | offset deltas other than 0, 1, 2, … | `INVALID_RECORD` | stored (uncompressed), or `UNKNOWN_SERVER_ERROR` (compressed) |
//! | a timestamp beyond an `i64` | `INVALID_TIMESTAMP` | stored as another |
//! | the `LogAppendTime` bit on a topic with `CreateTime` | `INVALID_TIMESTAMP` | the records' timestamps change |
//! | the delete-horizon bit | `INVALID_RECORD` | stored, and the cleaner takes the base timestamp for a horizon |
//! | transactional without a producer id; an epoch below 0 with one | `INVALID_RECORD` | stored |
//! | a codec number above 4 | `UNSUPPORTED_COMPRESSION_TYPE` | `UNKNOWN_SERVER_ERROR` |
//! | bytes that the codec cannot decode | `INVALID_RECORD` | `UNKNOWN_SERVER_ERROR` |
//! | bytes after the end of a compressed stream | `INVALID_RECORD` | stored by most codecs, ignored by consumers |
//! | a second stream of framed snappy | `INVALID_RECORD` | stored, and read by Java alone |
//! | an lz4 frame whose checksum or size of the content is wrong | `INVALID_RECORD` | stored, and rejected by librdkafka |
//! | wrong record lengths in a compressed batch | `INVALID_RECORD` | stored, and consumers fail on it |

mod long_record;
mod walk;

use std::fmt;

use crate::batch::Batch;
use crate::batch_error::BatchError;
use crate::builder::compress_and_seal;
use crate::compression::{Compression, Compressor, DecompressError, Scratch, UnknownCodec};
use crate::crc;
use crate::header::{
    BATCH_OVERHEAD, BatchHeader, LENGTH_MIN_LEGACY, LOG_OVERHEAD, MAGIC_END, NO_PRODUCER_ID, TimestampType,
};
use crate::records::RecordsError;
use walk::Walk;

/// The topic's settings and the request's version, as far as they affect validity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProduceRules {
    /// The version of the produce request.
    pub request_version: i16,
    /// The wall clock, in ms since the epoch.
    pub now_ms: i64,
    /// `max.message.bytes`: the limit for the batch as received.
    pub max_message_bytes: usize,
    /// The limit for the records of a compressed batch once they are decompressed, all of them together.
    pub max_decompressed_bytes: usize,
    /// `max.decompressed.message.bytes`: the limit for each record of a compressed batch.
    pub max_record_bytes: usize,
    /// Whether `cleanup.policy` includes `compact`, which makes keys mandatory.
    pub compacted: bool,
    /// `message.timestamp.type`.
    pub timestamp_type: TimestampType,
    /// `message.timestamp.before.max.ms`: how far a record's timestamp may lie in the past.
    pub timestamp_before_max_ms: i64,
    /// `message.timestamp.after.max.ms`: how far a record's timestamp may lie in the future.
    pub timestamp_after_max_ms: i64,
}

/// A batch that may be appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ValidBatch {
    /// The header to store. It differs from the received one in its attributes, max timestamp and checksum if
    /// the broker sets these; the log sets base offset and leader epoch ([`ValidBatch::stamp`]).
    pub header: BatchHeader,
}

impl ValidBatch {
    /// A batch that this process built, which needs no check.
    pub fn trusted(batch: &Batch<'_>) -> ValidBatch {
        ValidBatch { header: *batch.header() }
    }

    /// Bytes of the batch. Only so many of the validated bytes are to be stored.
    pub fn size_bytes(&self) -> usize {
        self.header.size_bytes()
    }

    /// The header's bytes with the batch's position in the log. They replace the first 61 of the received
    /// bytes; the rest is stored unchanged.
    pub fn stamp(&self, base_offset: i64, partition_leader_epoch: i32) -> [u8; BATCH_OVERHEAD] {
        BatchHeader { base_offset, partition_leader_epoch, ..self.header }.to_bytes()
    }

    /// Recompresses the batch, for a topic whose `compression.type` is not that of the producer. `bytes` are
    /// those that were validated. The result may be larger than the received batch, and Kafka compares it
    /// with `max.message.bytes` once more.
    ///
    /// # Errors
    /// [`DecompressError`] if the records cannot be decompressed, which is impossible after a validation
    /// under the same limit.
    pub fn recompress(
        &self,
        bytes: &[u8],
        compressor: Compressor,
        scratch: &mut Scratch,
        max_decompressed_bytes: usize,
    ) -> Result<(Vec<u8>, ValidBatch), DecompressError> {
        let body = &bytes[BATCH_OVERHEAD..self.size_bytes()];
        let records = match self.header.attributes.compression().map_err(DecompressError::UnknownCodec)? {
            Compression::None => body,
            came_as => scratch.decompress(came_as, body, max_decompressed_bytes)?,
        };
        let bytes = compress_and_seal(self.header, compressor, records);
        scratch.trim();
        let header = *Batch::parse(&bytes).expect("what was sealed parses").header();
        Ok((bytes, ValidBatch { header }))
    }
}

/// The reason why a batch may not be appended. Each has the name of Kafka's error beside it;
/// [`InvalidBatch::error_code`] returns its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvalidBatch {
    /// `INVALID_RECORD`: there is no whole batch.
    NoBatch,
    /// `INVALID_RECORD`: there is more than one batch.
    MoreThanOneBatch,
    /// `CORRUPT_MESSAGE`: the length or the magic is impossible, or the checksum is wrong.
    Corrupt(BatchError),
    /// `INVALID_RECORD`: the batch is in a format from before Kafka 0.11 (magic 0 or 1).
    OldMagic(i8),
    /// `UNSUPPORTED_COMPRESSION_TYPE`: zstd in a produce request before version 7.
    ZstdBeforeVersion7,
    /// `UNSUPPORTED_COMPRESSION_TYPE`: a codec number that names no codec.
    UnknownCodec(UnknownCodec),
    /// `INVALID_RECORD`: the base offset is not 0.
    BaseOffset(i64),
    /// `MESSAGE_TOO_LARGE`: the batch exceeds `max.message.bytes`.
    TooLarge {
        /// Bytes of the batch.
        size_bytes: usize,
        /// Bytes that it may have.
        max_bytes: usize,
    },
    /// `INVALID_RECORD`: there is no record, or the last offset does not match their number.
    Count {
        /// Records by the header.
        records_count: i32,
        /// The last offset by the header.
        last_offset_delta: i32,
    },
    /// `INVALID_RECORD`: a control batch, which only brokers write.
    Control,
    /// `INVALID_RECORD`: the delete horizon is set, which only the cleaner does.
    DeleteHorizon,
    /// `INVALID_RECORD`: a producer id, epoch or base sequence that do not go together.
    Producer {
        /// The producer id.
        producer_id: i64,
        /// Its epoch.
        producer_epoch: i16,
        /// The sequence number of the first record.
        base_sequence: i32,
    },
    /// `INVALID_RECORD`: transactional, and without a producer id.
    TransactionalWithoutProducer,
    /// `MESSAGE_TOO_LARGE` if the decompressed records together are larger than allowed, so that a producer
    /// splits the batch; else `INVALID_RECORD`: one of them is too large, or they cannot be decompressed.
    Decompress(DecompressError),
    /// `INVALID_RECORD`: the records cannot be read.
    Records(RecordsError),
    /// `INVALID_RECORD`: a record's offset delta is not its position in the batch.
    OffsetDelta {
        /// The record's position, from 0.
        index: u32,
        /// Its offset delta.
        offset_delta: i32,
    },
    /// `INVALID_RECORD`: records that can be read but not accepted; see [`RECORD_ERRORS_MAX`].
    RejectedRecords(Vec<RecordError>),
    /// `INVALID_TIMESTAMP`: the same, and at least one of them has an invalid timestamp.
    RejectedTimestamps(Vec<RecordError>),
}

/// The most records that an error lists: the first in the batch. A producer fails the others along with them,
/// and without a limit the answer to a batch of many small records would be many times its size.
pub const RECORD_ERRORS_MAX: usize = 1000;

/// A record that is not accepted; a produce response lists it from version 8 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordError {
    /// The record's position in the batch, from 0.
    pub batch_index: i32,
    /// The reason.
    pub rejection: Rejection,
}

/// The reason why a record is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// The topic is compacted and the record has no key.
    NoKey,
    /// The timestamp is outside the limits of the topic's settings.
    Timestamp {
        /// The record's timestamp, in ms since the epoch.
        timestamp_ms: i64,
        /// The earliest that is allowed.
        earliest_ms: i64,
        /// The latest that is allowed.
        latest_ms: i64,
    },
    /// The batch claims that the broker set its timestamps, which a producer may not.
    TimestampType,
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rejection::NoKey => write!(f, "a compacted topic accepts no record without a key"),
            Rejection::Timestamp { timestamp_ms, earliest_ms, latest_ms } => {
                write!(f, "the timestamp {timestamp_ms} is not within [{earliest_ms}, {latest_ms}]")
            }
            Rejection::TimestampType => write!(f, "a producer may not set the timestamp type LogAppendTime"),
        }
    }
}

impl InvalidBatch {
    /// The number of Kafka's error.
    pub fn error_code(&self) -> i16 {
        const CORRUPT_MESSAGE: i16 = 2;
        const MESSAGE_TOO_LARGE: i16 = 10;
        const INVALID_TIMESTAMP: i16 = 32;
        const UNSUPPORTED_COMPRESSION_TYPE: i16 = 76;
        const INVALID_RECORD: i16 = 87;
        match self {
            InvalidBatch::Corrupt(_) => CORRUPT_MESSAGE,
            InvalidBatch::TooLarge { .. } => MESSAGE_TOO_LARGE,
            InvalidBatch::Decompress(DecompressError::TooLarge { .. }) => MESSAGE_TOO_LARGE,
            InvalidBatch::ZstdBeforeVersion7 | InvalidBatch::UnknownCodec(_) => UNSUPPORTED_COMPRESSION_TYPE,
            InvalidBatch::RejectedTimestamps(_) => INVALID_TIMESTAMP,
            _ => INVALID_RECORD,
        }
    }

    /// Whether Kafka finds the fault before it asks any log (`ProduceRequest.validateRecords`).
    pub fn is_of_request(&self) -> bool {
        matches!(
            self,
            InvalidBatch::NoBatch
                | InvalidBatch::MoreThanOneBatch
                | InvalidBatch::OldMagic(_)
                | InvalidBatch::ZstdBeforeVersion7
        )
    }

    /// The records at fault, for the produce response; empty if the batch itself is at fault.
    pub fn record_errors(&self) -> &[RecordError] {
        match self {
            InvalidBatch::RejectedRecords(errors) | InvalidBatch::RejectedTimestamps(errors) => errors,
            _ => &[],
        }
    }
}

impl fmt::Display for InvalidBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InvalidBatch::NoBatch => write!(f, "there is no whole record batch"),
            InvalidBatch::MoreThanOneBatch => write!(f, "there is more than one record batch"),
            InvalidBatch::Corrupt(error) => error.fmt(f),
            InvalidBatch::OldMagic(magic) => {
                write!(f, "the record batch has magic {magic}; only magic 2 is accepted")
            }
            InvalidBatch::ZstdBeforeVersion7 => {
                write!(f, "produce requests before version 7 may not use zstd")
            }
            InvalidBatch::UnknownCodec(error) => error.fmt(f),
            InvalidBatch::BaseOffset(offset) => {
                write!(f, "the base offset of the batch is {offset}, not 0")
            }
            InvalidBatch::TooLarge { size_bytes, max_bytes } => {
                write!(f, "the batch has {size_bytes} bytes; the limit is {max_bytes}")
            }
            InvalidBatch::Decompress(error) => error.fmt(f),
            InvalidBatch::Count { records_count, last_offset_delta } => {
                write!(f, "{records_count} records do not end at offset {last_offset_delta} of the batch")
            }
            InvalidBatch::Control => write!(f, "a producer may not write control records"),
            InvalidBatch::DeleteHorizon => write!(f, "a producer may not set a delete horizon"),
            InvalidBatch::Producer { producer_id, producer_epoch, base_sequence } => write!(
                f,
                "producer id {producer_id}, epoch {producer_epoch} and sequence {base_sequence} do not go together"
            ),
            InvalidBatch::TransactionalWithoutProducer => {
                write!(f, "a transactional batch needs a producer id")
            }
            InvalidBatch::Records(error) => error.fmt(f),
            InvalidBatch::OffsetDelta { index, offset_delta } => {
                write!(f, "record {index} of the batch has the offset delta {offset_delta}")
            }
            InvalidBatch::RejectedRecords(errors) | InvalidBatch::RejectedTimestamps(errors) => {
                write!(f, "{} records of the batch are not accepted", errors.len())?;
                errors.first().map_or(Ok(()), |first| {
                    write!(f, ", first record {}: {}", first.batch_index, first.rejection)
                })
            }
        }
    }
}

impl std::error::Error for InvalidBatch {}

/// Checks the records of one partition in a produce request.
///
/// There must be exactly one batch. Bytes after it that do not make up a whole batch are ignored, as in
/// Kafka; see [`ValidBatch::size_bytes`].
///
/// # Errors
/// [`InvalidBatch`] for the first rule that the batch breaks, in Kafka's order.
pub fn produce(
    bytes: &[u8],
    rules: &ProduceRules,
    scratch: &mut Scratch,
) -> Result<ValidBatch, InvalidBatch> {
    let batch = only_batch(bytes, rules)?;
    let header = batch.header();
    if header.base_offset != 0 {
        return Err(InvalidBatch::BaseOffset(header.base_offset));
    }
    if header.size_bytes() > rules.max_message_bytes {
        let max_bytes = rules.max_message_bytes;
        return Err(InvalidBatch::TooLarge { size_bytes: header.size_bytes(), max_bytes });
    }
    batch.verify_crc().map_err(InvalidBatch::Corrupt)?;
    let compression = header.attributes.compression().map_err(InvalidBatch::UnknownCodec)?;
    check_header(header)?;

    let mut walk = Walk::new(header, rules);
    match compression {
        Compression::None => walk.whole(batch.body())?,
        codec => {
            let walked = walk.stream(scratch.open(codec, batch.body(), rules.max_decompressed_bytes));
            scratch.trim();
            walked?;
        }
    }
    let max_timestamp = walk.finish()?;
    Ok(ValidBatch { header: stored_header(header, max_timestamp, rules) })
}

/// The one batch in `bytes`.
fn only_batch<'a>(bytes: &'a [u8], rules: &ProduceRules) -> Result<Batch<'a>, InvalidBatch> {
    let (batch, rest) = match Batch::parse(bytes) {
        Ok(batch) => (batch, &bytes[batch.bytes().len()..]),
        Err(BatchError::Truncated { .. }) => return Err(InvalidBatch::NoBatch),
        // A truncated batch of an old format counts as no batch: Kafka looks at the magic last.
        Err(BatchError::Magic(magic @ 0..=1)) if whole_batch_bytes(bytes).is_some() => {
            return Err(InvalidBatch::OldMagic(magic));
        }
        Err(BatchError::Magic(0..=1)) => return Err(InvalidBatch::NoBatch),
        Err(error) => return Err(InvalidBatch::Corrupt(error)),
    };
    if rules.request_version < 7 && batch.header().attributes.compression() == Ok(Compression::Zstd) {
        return Err(InvalidBatch::ZstdBeforeVersion7);
    }
    match Batch::parse(rest) {
        Ok(_) => Err(InvalidBatch::MoreThanOneBatch),
        Err(BatchError::Truncated { .. }) => Ok(batch),
        Err(BatchError::Magic(0..=1)) if whole_batch_bytes(rest).is_some() => {
            Err(InvalidBatch::MoreThanOneBatch)
        }
        Err(BatchError::Magic(0..=1)) => Ok(batch),
        Err(error) => Err(InvalidBatch::Corrupt(error)),
    }
}

/// Bytes of the batch of any format at the front of `bytes`, if it is all there.
fn whole_batch_bytes(bytes: &[u8]) -> Option<usize> {
    let opening = bytes.first_chunk::<MAGIC_END>()?;
    let length = i32::from_be_bytes([opening[8], opening[9], opening[10], opening[11]]);
    let size = usize::try_from(length).ok()? + LOG_OVERHEAD;
    (length >= LENGTH_MIN_LEGACY && size <= bytes.len()).then_some(size)
}

/// Checks the header by itself.
fn check_header(header: &BatchHeader) -> Result<(), InvalidBatch> {
    let &BatchHeader { records_count, last_offset_delta, producer_id, producer_epoch, base_sequence, .. } =
        header;
    if records_count <= 0 || i64::from(last_offset_delta) + 1 != i64::from(records_count) {
        return Err(InvalidBatch::Count { records_count, last_offset_delta });
    }
    if header.attributes.is_control() {
        return Err(InvalidBatch::Control);
    }
    let producer_fits = match producer_id {
        NO_PRODUCER_ID => true,
        _ => producer_id >= 0 && producer_epoch >= 0 && base_sequence >= 0,
    };
    if !producer_fits {
        return Err(InvalidBatch::Producer { producer_id, producer_epoch, base_sequence });
    }
    if header.attributes.is_transactional() && !header.has_producer_id() {
        return Err(InvalidBatch::TransactionalWithoutProducer);
    }
    if header.attributes.has_delete_horizon() {
        return Err(InvalidBatch::DeleteHorizon);
    }
    Ok(())
}

/// The header with the max timestamp for the log, and a matching checksum. `max_timestamp` is that of the
/// records: the producer's header cannot be trusted.
fn stored_header(header: &BatchHeader, max_timestamp: i64, rules: &ProduceRules) -> BatchHeader {
    let max_timestamp = match rules.timestamp_type {
        TimestampType::CreateTime => max_timestamp,
        TimestampType::LogAppendTime => rules.now_ms,
    };
    let attributes = header.attributes.with_timestamp_type(rules.timestamp_type);
    if attributes == header.attributes && max_timestamp == header.max_timestamp {
        return *header;
    }
    // A broker that writes the attributes leaves out those that it does not know.
    let mut stored = BatchHeader { attributes: attributes.known(), max_timestamp, ..*header };
    let body_bytes = header.size_bytes() - BATCH_OVERHEAD;
    let (old_part, new_part) = (header.crc_of_covered_part(), stored.crc_of_covered_part());
    stored.crc = crc::replace_head(header.crc, old_part, new_part, body_bytes);
    stored
}

#[cfg(test)]
mod tests;
