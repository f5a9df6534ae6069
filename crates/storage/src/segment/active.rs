//! The segment that is being written.

use std::sync::Arc;

use record::{BatchHeader, NO_TIMESTAMP};

use super::{MaxTimestamp, Segment};
use crate::config::LogConfig;
use crate::fs;
use crate::index_file::IndexTail;
use crate::names::SegmentFile;
use crate::offset_index::{self, OffsetEntry};
use crate::scan::checked_floor;
use crate::time_index::{self, TimeEntry};
use crate::traps::{self, Trap};

/// The number of batches whose positions are remembered, so that reading at the end needs no search.
const RECENT_MAX: usize = 16;

/// The segment that is being written, with its end and its indexes.
#[derive(Debug)]
pub(crate) struct ActiveSegment {
    pub(crate) segment: Arc<Segment>,
    /// Bytes of batches: the position of the next one.
    pub(crate) size: u32,
    /// The offset after the last batch, or the base offset if there is none.
    pub(crate) end_offset: i64,
    pub(crate) max_timestamp: MaxTimestamp,
    pub(crate) offset_index: IndexTail<{ offset_index::ENTRY_BYTES }>,
    pub(crate) time_index: IndexTail<{ time_index::ENTRY_BYTES }>,
    /// The position in the last offset index entry; 0 if there is none.
    pub(crate) last_indexed_position: u32,
    /// The timestamp in the last time index entry; -1 if there is none.
    pub(crate) last_indexed_timestamp: i64,
    /// The max timestamp of the first batch; -1 if that has none.
    pub(crate) first_timestamp: Option<i64>,
    /// The time when it was created or, after a restart, opened. It is lowered to the time of an earlier append, so
    /// that a clock that was set back does not keep the segment open for longer.
    created_ms: i64,
    /// The amount by which its `segment_ms` is shortened.
    pub(crate) jitter_ms: i64,
    /// Whether a failed write may have left bytes after the last batch.
    pub(crate) torn: bool,
    /// `None` until a batch is appended: most partitions are idle.
    recent: Option<Box<RecentBatches>>,
}

/// The first offsets and the positions of the last batches, in a ring.
#[derive(Debug)]
struct RecentBatches {
    batches: [(i64, u32); RECENT_MAX],
    next: usize,
}

impl RecentBatches {
    fn push(&mut self, base_offset: i64, position: u32) {
        self.batches[self.next] = (base_offset, position);
        self.next = (self.next + 1) % RECENT_MAX;
    }
}

impl ActiveSegment {
    /// An empty segment whose files have been created.
    pub(crate) fn new(segment: Arc<Segment>, jitter_ms: i64, now_ms: i64) -> ActiveSegment {
        let base_offset = segment.base_offset;
        ActiveSegment {
            segment,
            size: 0,
            end_offset: base_offset,
            max_timestamp: MaxTimestamp { timestamp: NO_TIMESTAMP, offset: base_offset },
            offset_index: IndexTail::default(),
            time_index: IndexTail::default(),
            last_indexed_position: 0,
            last_indexed_timestamp: NO_TIMESTAMP,
            first_timestamp: None,
            created_ms: now_ms,
            jitter_ms,
            torn: false,
            recent: None,
        }
    }

    pub(crate) fn base_offset(&self) -> i64 {
        self.segment.base_offset
    }

    /// Whether a batch goes into a new segment. `bytes` are those of the batch and of those before
    /// it that are not written yet.
    pub(crate) fn must_roll(
        &mut self,
        header: &BatchHeader,
        bytes: u64,
        config: &LogConfig,
        now_ms: i64,
    ) -> bool {
        if self.offset_overflows(header) {
            return true;
        }
        if self.size == 0 && bytes == header.size_bytes() as u64 {
            return false;
        }
        self.created_ms = self.created_ms.min(now_ms);
        let waited_ms = match self.first_timestamp {
            Some(first) if first >= 0 => header.max_timestamp.saturating_sub(first),
            _ => now_ms.saturating_sub(self.created_ms),
        };
        let offset_entries_max = config.segment_index_bytes / offset_index::ENTRY_BYTES as u32;
        let time_entries_max = config.segment_index_bytes / time_index::ENTRY_BYTES as u32;
        u64::from(self.size) + bytes > u64::from(config.segment_bytes)
            || waited_ms > config.segment_ms - self.jitter_ms
            || self.offset_index.len() >= offset_entries_max
            // One entry is reserved for that which closing the segment adds.
            || self.time_index.len() + 1 >= time_entries_max
    }

    /// Whether the batch has an offset that an index entry of this segment cannot hold.
    pub(crate) fn offset_overflows(&self, header: &BatchHeader) -> bool {
        header.last_offset() - self.base_offset() > i64::from(i32::MAX)
    }

    /// Accounts for a batch that has been written at the end.
    pub(crate) fn push(&mut self, header: &BatchHeader, index_interval_bytes: u32) {
        let position = self.size;
        self.index(position, header, index_interval_bytes);
        self.size += header.size_bytes() as u32;
        self.end_offset = header.next_offset();
        let recent = || Box::new(RecentBatches { batches: [(-1, 0); RECENT_MAX], next: 0 });
        self.recent.get_or_insert_with(recent).push(header.base_offset, position);
    }

    /// Adds the index entries for a batch if they are due. That depends on the log alone, so that a rebuilt
    /// index is the same.
    pub(crate) fn index(&mut self, position: u32, header: &BatchHeader, index_interval_bytes: u32) {
        if position == 0 {
            self.first_timestamp = Some(header.max_timestamp);
        }
        if header.max_timestamp > self.max_timestamp.timestamp {
            self.max_timestamp =
                MaxTimestamp { timestamp: header.max_timestamp, offset: header.last_offset() };
        }
        if position - self.last_indexed_position > index_interval_bytes {
            let relative_offset = self.relative(header.last_offset());
            self.offset_index.push(OffsetEntry { relative_offset, position }.to_bytes());
            self.last_indexed_position = position;
            self.index_timestamp();
        }
    }

    /// Adds the greatest timestamp so far to the time index if it is missing there.
    fn index_timestamp(&mut self) {
        let MaxTimestamp { timestamp, offset } = self.max_timestamp;
        if timestamp > self.last_indexed_timestamp {
            let relative_offset = self.relative(offset);
            self.time_index.push(TimeEntry { timestamp, relative_offset }.to_bytes());
            self.last_indexed_timestamp = timestamp;
        }
    }

    fn relative(&self, offset: i64) -> u32 {
        u32::try_from(offset - self.base_offset()).expect("a segment has offsets of 31 bits")
    }

    /// Writes the gathered index entries if there are enough, or `all` of them.
    pub(crate) fn write_indexes(&mut self, all: bool) -> fs::Result<()> {
        if self.offset_index.is_due() || (all && self.offset_index.is_dirty()) {
            let file = self.segment.file_to_write(SegmentFile::OffsetIndex)?;
            self.offset_index.write(&file)?;
            self.segment.written(SegmentFile::OffsetIndex, &file)?;
        }
        if self.time_index.is_due() || (all && self.time_index.is_dirty()) {
            let file = self.segment.file_to_write(SegmentFile::TimeIndex)?;
            self.time_index.write(&file)?;
            self.segment.written(SegmentFile::TimeIndex, &file)?;
        }
        Ok(())
    }

    /// Writes the gathered index entries if there are enough. On a full disk they stay in memory, and the next call
    /// tries again.
    pub(crate) fn write_due_indexes(&mut self) -> fs::Result<()> {
        match self.write_indexes(false) {
            Err(error) if error.passes() => Ok(()),
            written => written,
        }
    }

    /// Writes everything that is only in memory, so that the files are complete.
    pub(crate) fn finish(&mut self) -> fs::Result<()> {
        self.truncate_torn()?;
        self.index_timestamp();
        self.write_indexes(true)
    }

    /// The whole contents of the offset and the time index of a complete segment, of which nothing has been written
    /// yet.
    pub(crate) fn index_bytes(&mut self) -> (&[u8], &[u8]) {
        self.index_timestamp();
        (self.offset_index.unwritten_bytes(), self.time_index.unwritten_bytes())
    }

    /// Truncates what a failed write left.
    pub(crate) fn truncate_torn(&mut self) -> fs::Result<()> {
        if self.torn && !traps::is_on(Trap::HalfBatchStays) {
            let file = self.segment.file_to_write(SegmentFile::Log)?;
            file.truncate(u64::from(self.size))?;
            self.segment.written(SegmentFile::Log, &file)?;
            self.torn = false;
        }
        Ok(())
    }

    /// The position of the batch whose first offset is `offset`, if that is one of the last.
    pub(crate) fn recent_position(&self, offset: i64) -> Option<u32> {
        let batches = &self.recent.as_ref()?.batches;
        batches.iter().find(|(recent, _)| *recent == offset).map(|(_, position)| *position)
    }

    /// Forgets the positions of the last batches.
    pub(crate) fn forget_recent(&mut self) {
        self.recent = None;
    }

    /// The position to start looking for `offset` from: at or before the batch that has it.
    pub(crate) fn floor_position(&self, offset: i64) -> fs::Result<u32> {
        let Some(relative) = offset.checked_sub(self.base_offset()).and_then(|r| u32::try_from(r).ok())
        else {
            return Ok(0);
        };
        let not_above = |entry: &_| OffsetEntry::from_bytes(*entry).relative_offset <= relative;
        let entry = self.offset_index.floor(|| self.segment.file(SegmentFile::OffsetIndex), not_above)?;
        let Some(entry) = entry.map(OffsetEntry::from_bytes) else { return Ok(0) };
        checked_floor(&self.segment.file(SegmentFile::Log)?, entry.position, self.size, offset)
    }

    /// The last time index entry that is at or before `timestamp`.
    pub(crate) fn time_floor(&self, timestamp: i64) -> fs::Result<Option<TimeEntry>> {
        let not_above = |entry: &_| TimeEntry::from_bytes(*entry).timestamp <= timestamp;
        let entry = self.time_index.floor(|| self.segment.file(SegmentFile::TimeIndex), not_above)?;
        Ok(entry.map(TimeEntry::from_bytes))
    }
}
