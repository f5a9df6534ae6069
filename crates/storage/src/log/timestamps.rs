//! Looking offsets up by time.

use std::fmt;
use std::sync::Arc;

use record::{
    Batch, DecompressError, DecompressLimits, NO_TIMESTAMP, RecordsError, Scratch, StreamError, TimestampType,
};

use super::Log;
use crate::fs::{self, File};
use crate::names::SegmentFile;
use crate::scan::{Damage, Headers, ScanError, read_batch};
use crate::segment::{ClosedList, ClosedSegment, MaxTimestamp, Segment};
use crate::time_index::TimeEntry;

/// An offset found by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimestampOffset {
    /// The record's timestamp, in ms since the epoch.
    pub timestamp: i64,
    /// Its offset.
    pub offset: i64,
    /// The leader epoch of its batch; -1 if that has none.
    pub leader_epoch: i32,
}

/// Why a time could not be looked up.
#[derive(Debug)]
pub enum LookupError {
    /// `KAFKA_STORAGE_ERROR`: the file system failed.
    Fs(fs::Error),
    /// `KAFKA_STORAGE_ERROR`: the log is damaged.
    Damaged(Damage),
    /// `CORRUPT_MESSAGE`: the records of a batch cannot be read.
    Records(RecordsError),
    /// The records of a batch cannot be decompressed. `INVALID_RECORD` if one of them is larger than
    /// `max.decompressed.message.bytes`, `CORRUPT_MESSAGE` otherwise.
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

impl From<StreamError> for LookupError {
    fn from(error: StreamError) -> Self {
        match error {
            StreamError::Records(error) => LookupError::Records(error),
            StreamError::Decompress(error) => LookupError::Decompress(error),
        }
    }
}

impl From<DecompressError> for LookupError {
    fn from(error: DecompressError) -> Self {
        LookupError::Decompress(error)
    }
}

/// A look-up by time, with the log as it was when the look-up began. The rest of it reads files and needs no lock.
#[derive(Debug)]
pub struct LocatedTime {
    query: TimeQuery,
    log_start_offset: i64,
    limits: DecompressLimits,
    closed: ClosedList,
    active_max: MaxTimestamp,
    /// `None` if the active segment has no candidate.
    active: Option<Candidate>,
}

#[derive(Clone, Copy, Debug)]
enum TimeQuery {
    /// The first record at or above that timestamp.
    AtOrAbove(i64),
    /// The first record with the greatest timestamp.
    Greatest,
}

/// A segment as looking up by time sees it.
#[derive(Debug)]
struct Candidate {
    segment: Arc<Segment>,
    size: u32,
    /// The position to start at.
    position: u32,
}

impl Log {
    /// Both halves of looking up a timestamp at once.
    #[cfg(test)]
    pub(crate) fn offset_for_timestamp(
        &self,
        timestamp: i64,
        scratch: &mut Scratch,
    ) -> Result<Option<TimestampOffset>, LookupError> {
        self.locate_timestamp(timestamp)?.find(scratch)
    }

    /// Both halves of looking up the greatest timestamp at once.
    #[cfg(test)]
    pub(crate) fn max_timestamp(
        &self,
        scratch: &mut Scratch,
    ) -> Result<Option<TimestampOffset>, LookupError> {
        self.locate_max_timestamp()?.find(scratch)
    }

    /// Locates the first record at or above the log start offset whose timestamp is at or above `timestamp`.
    /// This half needs the lock; [`LocatedTime::find`] is the other.
    ///
    /// # Errors
    /// [`LookupError`] if a file cannot be read or is damaged.
    pub fn locate_timestamp(&self, timestamp: i64) -> Result<LocatedTime, LookupError> {
        let active = (self.active.max_timestamp.timestamp >= timestamp).then(|| {
            let entry = self.active.time_floor(timestamp.saturating_sub(1))?;
            self.active_from(after_entry(entry, self.active.base_offset(), self.log_start_offset()))
        });
        self.located_time(TimeQuery::AtOrAbove(timestamp), active)
    }

    /// Locates the record with the greatest timestamp, the first of them if several have it (KIP-734). This
    /// half needs the lock, likewise.
    ///
    /// # Errors
    /// [`LookupError`] if a file cannot be read or is damaged.
    pub fn locate_max_timestamp(&self) -> Result<LocatedTime, LookupError> {
        let max = self.active.max_timestamp;
        let active = (max.timestamp != NO_TIMESTAMP).then(|| self.active_from(max.offset));
        self.located_time(TimeQuery::Greatest, active)
    }

    fn located_time(
        &self,
        query: TimeQuery,
        active: Option<fs::Result<Candidate>>,
    ) -> Result<LocatedTime, LookupError> {
        Ok(LocatedTime {
            query,
            log_start_offset: self.log_start_offset(),
            limits: self.config.decompress_limits(),
            closed: self.closed.clone(),
            active_max: self.active.max_timestamp,
            active: active.transpose()?,
        })
    }

    fn active_from(&self, offset: i64) -> fs::Result<Candidate> {
        let position = self.active.floor_position(offset)?;
        Ok(Candidate { segment: self.active.segment.clone(), size: self.active.size, position })
    }
}

/// The position in a segment to start looking for a timestamp: everything before is older.
fn after_entry(entry: Option<TimeEntry>, base_offset: i64, log_start_offset: i64) -> i64 {
    let offset = entry.map_or(base_offset, |entry| base_offset + i64::from(entry.relative_offset));
    offset.max(log_start_offset)
}

fn closed_from(closed: &ClosedSegment, offset: i64) -> fs::Result<Candidate> {
    let position = closed.floor_position(offset)?;
    Ok(Candidate { segment: closed.segment.clone(), size: closed.size, position })
}

impl LocatedTime {
    /// The record; `None` if there is none. `scratch` is for compressed batches.
    ///
    /// # Errors
    /// [`LookupError`] if a file cannot be read; one that is not found was deleted meanwhile: locate again.
    pub fn find(&self, scratch: &mut Scratch) -> Result<Option<TimestampOffset>, LookupError> {
        match self.query {
            TimeQuery::AtOrAbove(timestamp) => self.find_at_or_above(timestamp, scratch),
            TimeQuery::Greatest => self.find_greatest(scratch),
        }
    }

    fn find_at_or_above(
        &self,
        timestamp: i64,
        scratch: &mut Scratch,
    ) -> Result<Option<TimestampOffset>, LookupError> {
        for closed in self.closed.iter() {
            if closed.max_timestamp()?.timestamp < timestamp {
                continue;
            }
            // The entry is one below the timestamp, not at it: the batch of an entry already has its timestamp.
            let entry = closed.time_floor(timestamp.saturating_sub(1))?;
            let offset = after_entry(entry, closed.base_offset(), self.log_start_offset);
            if let Some(found) = self.search(&closed_from(closed, offset)?, timestamp, scratch)? {
                return Ok(Some(found));
            }
        }
        let active = self.active.as_ref();
        active.map_or(Ok(None), |active| self.search(active, timestamp, scratch))
    }

    fn find_greatest(&self, scratch: &mut Scratch) -> Result<Option<TimestampOffset>, LookupError> {
        let mut greatest = MaxTimestamp { timestamp: NO_TIMESTAMP, offset: 0 };
        let mut segment = None;
        for closed in self.closed.iter() {
            let max = closed.max_timestamp()?;
            if max.timestamp > greatest.timestamp {
                (greatest, segment) = (max, Some(closed));
            }
        }
        if self.active_max.timestamp > greatest.timestamp {
            let active = self.active.as_ref().expect("it has a timestamp");
            return self.search(active, self.active_max.timestamp, scratch);
        }
        let Some(closed) = segment else { return Ok(None) };
        self.search(&closed_from(closed, greatest.offset)?, greatest.timestamp, scratch)
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
        let mut records = batch.record_stream(scratch, self.limits)?;
        while let Some(record) = records.next()? {
            if record.timestamp >= timestamp && record.offset >= self.log_start_offset {
                let (timestamp, offset) = (record.timestamp, record.offset);
                return Ok(Some(TimestampOffset { timestamp, offset, leader_epoch }));
            }
        }
        Ok(None)
    }
}
