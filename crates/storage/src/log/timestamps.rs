//! Looking offsets up by time.

use std::fmt;
use std::sync::Arc;

use record::{Batch, DecompressError, NO_TIMESTAMP, RecordsError, Scratch, TimestampType};

use super::Log;
use crate::fs::{self, File};
use crate::names::SegmentFile;
use crate::scan::{Damage, Headers, ScanError, read_batch};
use crate::segment::Segment;

/// What the records of one batch may come to once they are decompressed. They were validated when
/// they were appended, so that this is a limit for damage only.
const DECOMPRESSED_BYTES_MAX: usize = 1 << 30;

/// An offset found by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimestampOffset {
    /// The record's timestamp, in ms since the epoch.
    pub timestamp: i64,
    /// Its offset.
    pub offset: i64,
    /// The leader epoch of its batch; -1 where that has none.
    pub leader_epoch: i32,
}

/// Why a time could not be looked up.
#[derive(Debug)]
pub enum LookupError {
    /// `KAFKA_STORAGE_ERROR`: the file system failed.
    Fs(fs::Error),
    /// `KAFKA_STORAGE_ERROR`: the log does not hold what it should.
    Damaged(Damage),
    /// `CORRUPT_MESSAGE`: the records of a batch cannot be read.
    Records(RecordsError),
    /// `CORRUPT_MESSAGE`: the records of a batch cannot be decompressed.
    Decompress(DecompressError),
}

impl fmt::Display for LookupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LookupError::Fs(error) => error.fmt(f),
            LookupError::Damaged(damage) => damage.fmt(f),
            LookupError::Records(error) => error.fmt(f),
            LookupError::Decompress(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for LookupError {}

impl From<fs::Error> for LookupError {
    fn from(error: fs::Error) -> Self {
        LookupError::Fs(error)
    }
}

impl From<ScanError> for LookupError {
    fn from(error: ScanError) -> Self {
        match error {
            ScanError::Fs(error) => LookupError::Fs(error),
            ScanError::Damaged(damage) => LookupError::Damaged(damage),
        }
    }
}

impl From<RecordsError> for LookupError {
    fn from(error: RecordsError) -> Self {
        LookupError::Records(error)
    }
}

impl From<DecompressError> for LookupError {
    fn from(error: DecompressError) -> Self {
        LookupError::Decompress(error)
    }
}

/// A segment as looking up by time sees it.
struct Candidate {
    segment: Arc<Segment>,
    size: u32,
    /// Where to begin.
    position: u32,
}

impl Log {
    /// The first record at or above the log start offset whose timestamp is at or above
    /// `timestamp`; `None` where there is none. `scratch` is for batches that are compressed.
    ///
    /// # Errors
    /// [`LookupError`].
    pub fn offset_for_timestamp(
        &self,
        timestamp: i64,
        scratch: &mut Scratch,
    ) -> Result<Option<TimestampOffset>, LookupError> {
        for index in 0..=self.closed.len() {
            if self.max_timestamp_of(index)?.0 < timestamp {
                continue;
            }
            let candidate = self.candidate(index, timestamp)?;
            if let Some(found) = self.search(&candidate, timestamp, scratch)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The record with the greatest timestamp, the first of them where several have it (KIP-734);
    /// `None` where no record has one.
    ///
    /// # Errors
    /// [`LookupError`].
    pub fn max_timestamp(&self, scratch: &mut Scratch) -> Result<Option<TimestampOffset>, LookupError> {
        let mut greatest = (NO_TIMESTAMP, 0, 0);
        for index in 0..=self.closed.len() {
            let (timestamp, offset) = self.max_timestamp_of(index)?;
            if timestamp > greatest.0 {
                greatest = (timestamp, offset, index);
            }
        }
        let (timestamp, offset, index) = greatest;
        if timestamp == NO_TIMESTAMP {
            return Ok(None);
        }
        let candidate = self.candidate_from(index, offset)?;
        self.search(&candidate, timestamp, scratch)
    }

    /// The greatest timestamp of a segment and the last offset of the batch that has it.
    fn max_timestamp_of(&self, index: usize) -> fs::Result<(i64, i64)> {
        let max = match self.closed.get(index) {
            Some(closed) => closed.max_timestamp()?,
            None => self.active.max_timestamp,
        };
        Ok((max.timestamp, max.offset))
    }

    /// Where to look in a segment for a timestamp: everything before is older.
    fn candidate(&self, index: usize, timestamp: i64) -> fs::Result<Candidate> {
        // Entries below the timestamp, not at it: the batch of an entry has its timestamp already.
        let (entry, base_offset) = match self.closed.get(index) {
            Some(closed) => (closed.time_floor(timestamp.saturating_sub(1))?, closed.base_offset()),
            None => (self.active.time_floor(timestamp.saturating_sub(1))?, self.active.base_offset()),
        };
        let offset = entry.map_or(base_offset, |entry| base_offset + i64::from(entry.relative_offset));
        self.candidate_from(index, offset.max(self.log_start_offset))
    }

    fn candidate_from(&self, index: usize, offset: i64) -> fs::Result<Candidate> {
        match self.closed.get(index) {
            Some(closed) => {
                let position = closed.floor_position(offset)?;
                Ok(Candidate { segment: closed.segment.clone(), size: closed.size, position })
            }
            None => {
                let position = self.active.floor_position(offset)?;
                Ok(Candidate { segment: self.active.segment.clone(), size: self.active.size, position })
            }
        }
    }

    /// The first record of a segment, from a place on, at or above a timestamp.
    fn search(
        &self,
        candidate: &Candidate,
        timestamp: i64,
        scratch: &mut Scratch,
    ) -> Result<Option<TimestampOffset>, LookupError> {
        let file = candidate.segment.file(SegmentFile::Log)?;
        let mut headers = Headers::new(&file, candidate.position, candidate.size);
        while let Some((position, header)) = headers.next()? {
            if header.max_timestamp < timestamp || header.last_offset() < self.log_start_offset {
                continue;
            }
            if let Some(found) = self.search_batch(&file, position, &header, timestamp, scratch)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    fn search_batch(
        &self,
        file: &File,
        position: u32,
        header: &record::BatchHeader,
        timestamp: i64,
        scratch: &mut Scratch,
    ) -> Result<Option<TimestampOffset>, LookupError> {
        let leader_epoch = header.partition_leader_epoch;
        // Compaction may have removed the first records, and an old message does not say which they are.
        let has_all = i64::from(header.records_count) == i64::from(header.last_offset_delta) + 1;
        let is_append_time = header.attributes.timestamp_type() == TimestampType::LogAppendTime;
        if header.magic == 2 && has_all && is_append_time {
            let offset = header.base_offset.max(self.log_start_offset);
            return Ok(Some(TimestampOffset { timestamp: header.max_timestamp, offset, leader_epoch }));
        }
        let mut bytes = Vec::new();
        let batch: Batch<'_> = read_batch(file, position, header, &mut bytes)?;
        for record in batch.records_decompressed(scratch, DECOMPRESSED_BYTES_MAX)? {
            let record = record?;
            if record.timestamp >= timestamp && record.offset >= self.log_start_offset {
                let (timestamp, offset) = (record.timestamp, record.offset);
                return Ok(Some(TimestampOffset { timestamp, offset, leader_epoch }));
            }
        }
        Ok(None)
    }
}
