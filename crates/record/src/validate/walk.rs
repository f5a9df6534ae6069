//! The walk over a batch's records: one pass, in place, no allocation unless a record is at fault.

use super::{InvalidBatch, ProduceRules, RECORD_ERRORS_MAX, RecordError, Rejection};
use crate::compression::{Progress, Stream};
use crate::header::{BatchHeader, NO_TIMESTAMP, TimestampType};
use crate::records::{RecordFault, RecordsError, record_at};

/// How far the records have been checked, and what has been found.
pub(super) struct Walk {
    /// Records checked so far, and so the offset delta that the next one must have.
    index: i32,
    records_count: i32,
    base_timestamp: i64,
    /// The greatest timestamp so far, or -1 if all of them are before that: Kafka has no smaller one in a header.
    max_timestamp: i64,
    timestamps: TimestampRule,
    /// The earliest timestamp that needs no second look.
    earliest_ms: i64,
    /// The latest that needs none.
    latest_ms: i64,
    keys_required: bool,
    errors: Vec<RecordError>,
    timestamp_rejected: bool,
}

/// What timestamps are accepted.
#[derive(Clone, Copy)]
enum TimestampRule {
    /// Those from `earliest_ms` to `latest_ms`, and none at all.
    Within,
    /// Any: the broker sets its own.
    Any,
    /// None, for the batch claims that the broker has set them.
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
            errors: Vec::new(),
            timestamp_rejected: false,
        }
    }

    /// Checks the records of an uncompressed batch.
    pub(super) fn whole(&mut self, bytes: &[u8]) -> Result<(), InvalidBatch> {
        let checked = self.advance(bytes)?;
        if self.index < self.records_count {
            return Err(self.malformed(RecordFault::Truncated));
        }
        if checked != bytes.len() {
            return Err(InvalidBatch::Records(RecordsError::TrailingBytes));
        }
        Ok(())
    }

    /// Checks the records of a compressed batch as they are decompressed.
    pub(super) fn stream(&mut self, mut stream: Stream<'_>) -> Result<(), InvalidBatch> {
        loop {
            let progress = stream.fill().map_err(InvalidBatch::Decompress)?;
            let checked = self.advance(stream.window.unread())?;
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

    /// Checks records until there are as many as there should be or no whole one is left, and says how many bytes they
    /// took.
    fn advance(&mut self, bytes: &[u8]) -> Result<usize, InvalidBatch> {
        let mut at = 0;
        while self.index < self.records_count {
            let record = match record_at(bytes, at) {
                Ok(record) => record,
                Err(RecordFault::Truncated) => break,
                Err(fault) => return Err(self.malformed(fault)),
            };
            if record.offset_delta != self.index {
                let index = self.index as u32;
                return Err(InvalidBatch::OffsetDelta { index, offset_delta: record.offset_delta });
            }
            self.check(record.key.is_none(), record.timestamp_delta);
            self.index += 1;
            at = record.end;
        }
        Ok(at)
    }

    /// Checks what the topic's settings say of a record.
    #[inline(always)]
    fn check(&mut self, no_key: bool, timestamp_delta: i64) {
        let (timestamp, beyond) = self.base_timestamp.overflowing_add(timestamp_delta);
        let within = !beyond && self.earliest_ms <= timestamp && timestamp <= self.latest_ms;
        if !within || (no_key && self.keys_required) {
            self.check_exception(no_key, timestamp);
        }
        self.max_timestamp = self.max_timestamp.max(timestamp);
    }

    /// A record that the usual bounds do not cover.
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
