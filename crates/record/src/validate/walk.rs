//! The walk over a batch's records: one pass, in place, no allocation unless a record is at fault.

use super::long_record::{LONG_BYTES, LongRecord};
use super::{InvalidBatch, ProduceRules, RECORD_ERRORS_MAX, RecordError, Rejection};
use crate::compression::{DecompressError, Progress, Stream};
use crate::header::{BatchHeader, NO_TIMESTAMP, TimestampType};
use crate::records::{RecordFault, RecordsError, record_at, record_extent};

/// The progress of the check of a batch's records, and its findings.
pub(super) struct Walk {
    /// Records checked so far; also the offset delta that the next one must have.
    index: i32,
    records_count: i32,
    base_timestamp: i64,
    /// The greatest timestamp so far, or -1 if all of them are before that: Kafka has no smaller one in a
    /// header.
    max_timestamp: i64,
    timestamps: TimestampRule,
    /// The earliest timestamp that needs no second look.
    earliest_ms: i64,
    /// The latest timestamp that needs none.
    latest_ms: i64,
    keys_required: bool,
    /// Bytes that a record of a compressed batch may have.
    max_record_bytes: usize,
    /// The current record, if it is too long to be kept.
    long: Option<LongRecord>,
    errors: Vec<RecordError>,
    timestamp_rejected: bool,
}

/// The accepted timestamps.
#[derive(Clone, Copy)]
enum TimestampRule {
    /// Those from `earliest_ms` to `latest_ms`, and no timestamp.
    Within,
    /// Any: the broker sets its own.
    Any,
    /// None, because the batch claims that the broker has set them.
    Refused,
}

impl Walk {
    pub(super) fn new(header: &BatchHeader, rules: &ProduceRules) -> Walk {
        let (timestamps, earliest_ms, latest_ms) =
            match (header.attributes.timestamp_type(), rules.timestamp_type) {
                (TimestampType::LogAppendTime, _) => (TimestampRule::Refused, i64::MAX, i64::MIN),
                (TimestampType::CreateTime, TimestampType::LogAppendTime) => {
                    (TimestampRule::Any, i64::MIN, i64::MAX)
                }
                (TimestampType::CreateTime, TimestampType::CreateTime) => (
                    TimestampRule::Within,
                    rules.now_ms.saturating_sub(rules.timestamp_before_max_ms),
                    rules.now_ms.saturating_add(rules.timestamp_after_max_ms),
                ),
            };
        Walk {
            index: 0,
            records_count: header.records_count,
            base_timestamp: header.base_timestamp,
            max_timestamp: NO_TIMESTAMP,
            timestamps,
            earliest_ms,
            latest_ms,
            keys_required: rules.compacted,
            max_record_bytes: rules.max_record_bytes,
            long: None,
            errors: Vec::new(),
            timestamp_rejected: false,
        }
    }

    /// Checks the records of an uncompressed batch.
    pub(super) fn whole(&mut self, bytes: &[u8]) -> Result<(), InvalidBatch> {
        let checked = self.advance(bytes, usize::MAX)?;
        if self.index < self.records_count {
            return Err(self.malformed(RecordFault::Truncated));
        }
        if checked != bytes.len() {
            return Err(InvalidBatch::Records(RecordsError::TrailingBytes));
        }
        Ok(())
    }

    /// Checks the records of a compressed batch as they are decompressed. Checked records are not kept, nor
    /// is one that is longer than [`LONG_BYTES`]; one that cannot fit the limits is rejected before it is
    /// decompressed.
    pub(super) fn stream(&mut self, mut stream: Stream<'_>) -> Result<(), InvalidBatch> {
        loop {
            let progress = stream.fill().map_err(InvalidBatch::Decompress)?;
            let checked = self.advance_in_pieces(stream.window.unread(), &stream)?;
            stream.window.consume(checked);
            if self.index == self.records_count && !stream.window.unread().is_empty() {
                return Err(InvalidBatch::Records(RecordsError::TrailingBytes));
            }
            if progress == Progress::Ended {
                break;
            }
        }
        if self.index < self.records_count {
            return Err(self.malformed(RecordFault::Truncated));
        }
        Ok(())
    }

    /// Checks records and the start of a long one. Returns the number of bytes checked.
    fn advance_in_pieces(&mut self, bytes: &[u8], stream: &Stream<'_>) -> Result<usize, InvalidBatch> {
        let mut at = 0;
        loop {
            if let Some(long) = &mut self.long {
                let passed = long.pass(&bytes[at..]);
                let (seen, complete) = passed.map_err(|fault| self.malformed(fault))?;
                at += seen;
                if !complete {
                    return Ok(at);
                }
                let long = self.long.take().expect("it has just passed");
                self.accept(long.offset_delta, !long.has_key, long.timestamp_delta)?;
            }
            at += self.advance(&bytes[at..], self.max_record_bytes)?;
            let rest = &bytes[at..];
            if self.index == self.records_count || !self.fits(rest, stream)? || rest.len() < LONG_BYTES {
                return Ok(at);
            }
            let (long, seen) = LongRecord::begin(rest).map_err(|fault| self.malformed(fault))?;
            at += seen;
            self.long = Some(long);
        }
    }

    /// Whether the record that starts with `bytes` is within the limits; `false` if its length is not there
    /// yet.
    fn fits(&self, bytes: &[u8], stream: &Stream<'_>) -> Result<bool, InvalidBatch> {
        let (body_at, end) = match record_extent(bytes, 0) {
            Ok(extent) => extent,
            Err(RecordFault::Truncated) => return Ok(false),
            Err(fault) => return Err(self.malformed(fault)),
        };
        self.check_length(end - body_at, self.max_record_bytes)?;
        stream.check_left(end - bytes.len()).map_err(InvalidBatch::Decompress)?;
        Ok(true)
    }

    fn check_length(&self, size_bytes: usize, max_bytes: usize) -> Result<(), InvalidBatch> {
        if size_bytes <= max_bytes {
            return Ok(());
        }
        Err(InvalidBatch::Decompress(DecompressError::RecordTooLarge { size_bytes, max_bytes }))
    }

    /// Checks records until all are checked or no whole one is left, and returns the number of bytes checked.
    /// Each record may have `max_bytes`, without its length.
    fn advance(&mut self, bytes: &[u8], max_bytes: usize) -> Result<usize, InvalidBatch> {
        let mut at = 0;
        while self.index < self.records_count {
            let record = match record_at(bytes, at) {
                Ok(record) => record,
                Err(RecordFault::Truncated) => break,
                Err(fault) => return Err(self.malformed(fault)),
            };
            if record.end - at > max_bytes {
                let (body_at, end) = record_extent(bytes, at).expect("the record has just been read");
                self.check_length(end - body_at, max_bytes)?;
            }
            self.accept(record.offset_delta, record.key.is_none(), record.timestamp_delta)?;
            at = record.end;
        }
        Ok(at)
    }

    /// Takes in the next record, which can be read.
    #[inline(always)]
    fn accept(&mut self, offset_delta: i32, no_key: bool, timestamp_delta: i64) -> Result<(), InvalidBatch> {
        if offset_delta != self.index {
            return Err(InvalidBatch::OffsetDelta { index: self.index as u32, offset_delta });
        }
        self.check(no_key, timestamp_delta);
        self.index += 1;
        Ok(())
    }

    /// Checks a record against the topic's settings.
    #[inline(always)]
    fn check(&mut self, no_key: bool, timestamp_delta: i64) {
        let (timestamp, beyond) = self.base_timestamp.overflowing_add(timestamp_delta);
        let within = !beyond && self.earliest_ms <= timestamp && timestamp <= self.latest_ms;
        if !within || (no_key && self.keys_required) {
            self.check_exception(no_key, timestamp);
        }
        self.max_timestamp = self.max_timestamp.max(timestamp);
    }

    /// Checks a record that the usual bounds do not cover.
    #[cold]
    #[inline(never)]
    fn check_exception(&mut self, no_key: bool, timestamp_ms: i64) {
        let rejection = match self.timestamps {
            _ if no_key && self.keys_required => Rejection::NoKey,
            TimestampRule::Any => return,
            // No two numbers that overflow come to this.
            TimestampRule::Within if timestamp_ms == NO_TIMESTAMP => return,
            TimestampRule::Within => Rejection::Timestamp {
                timestamp_ms,
                earliest_ms: self.earliest_ms,
                latest_ms: self.latest_ms,
            },
            TimestampRule::Refused => Rejection::TimestampType,
        };
        self.timestamp_rejected |= rejection != Rejection::NoKey;
        if self.errors.len() < RECORD_ERRORS_MAX {
            self.errors.push(RecordError { batch_index: self.index, rejection });
        }
    }

    #[cold]
    fn malformed(&self, fault: RecordFault) -> InvalidBatch {
        InvalidBatch::Records(RecordsError::Record { index: self.index as u32, fault })
    }

    /// The greatest timestamp, or -1 if all of them are before that.
    pub(super) fn finish(self) -> Result<i64, InvalidBatch> {
        debug_assert_eq!(self.index, self.records_count);
        if self.timestamp_rejected {
            return Err(InvalidBatch::RejectedTimestamps(self.errors));
        }
        if !self.errors.is_empty() {
            return Err(InvalidBatch::RejectedRecords(self.errors));
        }
        Ok(self.max_timestamp)
    }
}
