//! Cutting a log at either end.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::active::Active;
use super::{ChangeError, Log};
use crate::names::SegmentFile;
use crate::producer_state::ProducerState;
use crate::scan::Headers;
use crate::segment::Segment;

/// Why the records below an offset were not deleted.
#[derive(Debug)]
pub enum DeleteRecordsError {
    /// `OFFSET_OUT_OF_RANGE`: the offset is above the high watermark, or below zero.
    OutOfRange {
        /// The offset.
        offset: i64,
        /// The high watermark.
        high_watermark: i64,
    },
    /// `KAFKA_STORAGE_ERROR`.
    Change(ChangeError),
}

impl fmt::Display for DeleteRecordsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DeleteRecordsError::OutOfRange { offset, high_watermark } => {
                write!(f, "records are deleted up to the high watermark at {high_watermark}, not to {offset}")
            }
            DeleteRecordsError::Change(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for DeleteRecordsError {}

impl From<ChangeError> for DeleteRecordsError {
    fn from(error: ChangeError) -> Self {
        DeleteRecordsError::Change(error)
    }
}

impl Log {
    /// Makes `offset` the log start offset where it is above it, and deletes the segments that are
    /// wholly below. It is durable with the next checkpoint of log start offsets.
    ///
    /// # Errors
    /// [`DeleteRecordsError`].
    pub fn delete_records(&mut self, offset: i64, now_ms: i64) -> Result<(), DeleteRecordsError> {
        let high_watermark = self.high_watermark();
        if offset > high_watermark || offset < 0 {
            return Err(DeleteRecordsError::OutOfRange { offset, high_watermark });
        }
        Ok(self.advance_log_start(offset, now_ms)?)
    }

    /// The same whatever the high watermark is: for a follower of a leader that has done so, and
    /// for a log whose contents a snapshot holds.
    ///
    /// # Errors
    /// [`ChangeError`].
    ///
    /// # Panics
    /// Where `offset` is above the end of the log.
    pub fn advance_log_start(&mut self, offset: i64, now_ms: i64) -> Result<(), ChangeError> {
        assert!(offset <= self.end_offset, "a log starts at or below its end");
        self.partition.directory.health.check()?;
        self.raise_log_start(offset);
        let end_of = |index: usize| {
            self.closed.get(index + 1).map_or(self.active.base_offset(), |next| next.base_offset())
        };
        let count = (0..self.closed.len()).take_while(|index| end_of(*index) <= offset).count();
        self.delete_first(count, now_ms)
    }

    /// Removes the batches that hold `offset` or a greater one. The log then ends at `offset` or,
    /// where that is within a batch or no batch is left before it, below. Nothing that a consumer
    /// may have read may be removed: the caller knows what that is.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub fn truncate_to(&mut self, offset: i64, now_ms: i64) -> Result<(), ChangeError> {
        assert!(offset >= 0, "no log has a negative offset");
        self.partition.directory.health.check()?;
        if offset >= self.end_offset {
            if self.epochs.truncate_from_end(self.end_offset) {
                self.flush.epochs_changed(self.epochs.entries());
            }
            return Ok(());
        }
        let first = self.closed.first().map_or(self.active.base_offset(), |closed| closed.base_offset());
        if offset < first {
            return self.truncate_fully_and_start_at(offset, now_ms);
        }
        let flush = self.flush.clone();
        let _paused = flush.pause();
        let directory = self.partition.directory.clone();
        // Where exactly the log will end is known once it is cut, and not before the segment begins.
        let flushed_offset = self.flushed_offset();
        let at_least = self.base_of_segment_with(offset);
        directory.lower_recovery_point(&flush, at_least).map_err(|error| self.change_error(error))?;
        let (segment, size) = self.remove_segments_from(offset, now_ms)?;
        let cut = self.cut_position(&segment, size, offset)?;
        let file = segment.file_to_write(SegmentFile::Log).map_err(|error| self.change_error(error))?;
        file.truncate(u64::from(cut)).map_err(|error| self.change_error(error))?;
        let jitter_ms = self.jitter_ms(segment.base_offset);
        let loaded = Active::load(segment, cut, &self.config, jitter_ms, now_ms);
        self.active = loaded.map_err(|error| self.scan_error(error))?;
        let end_offset = self.active.end_offset;
        self.end_offset = end_offset;
        self.log_start_offset = self.log_start_offset.min(end_offset);
        self.flush.log_start_offset.store(self.log_start_offset, Ordering::Release);
        if self.epochs.truncate_from_end(end_offset) {
            self.flush.epochs_changed(self.epochs.entries());
        }
        self.flush.truncated(self.active.segment.clone(), end_offset, flushed_offset);
        self.reload_producers(now_ms)
    }

    /// The base offset of the segment that holds `offset`, which is not below the first.
    fn base_of_segment_with(&self, offset: i64) -> i64 {
        if offset >= self.active.base_offset() {
            return self.active.base_offset();
        }
        let after = self.closed.partition_point(|closed| closed.base_offset() <= offset);
        self.closed[after - 1].base_offset()
    }

    /// Removes the segments above the one that holds `offset`; gives that one and its size.
    fn remove_segments_from(&mut self, offset: i64, now_ms: i64) -> Result<(Arc<Segment>, u32), ChangeError> {
        let mut last = (self.active.segment.clone(), self.active.size);
        // From the end, so that a crash in between leaves no hole.
        while last.0.base_offset > offset {
            self.delete_files(&last.0, now_ms).map_err(|error| self.change_error(error))?;
            let closed = Arc::make_mut(&mut self.closed).pop().expect("the first segment is not above it");
            last = (closed.segment.clone(), closed.size);
        }
        if last.0.base_offset < self.active.base_offset() {
            let synced = self.partition.directory.fs.sync_dir(&self.partition.path);
            synced.map_err(|error| self.change_error(error))?;
        }
        Ok(last)
    }

    /// Where the batch begins that holds `offset` or is the first above it.
    fn cut_position(&self, segment: &Arc<Segment>, size: u32, offset: i64) -> Result<u32, ChangeError> {
        let file = segment.file(SegmentFile::Log).map_err(|error| self.change_error(error))?;
        // From the segment's start where it is not the active one, whose index is at hand.
        let floor = if segment.base_offset == self.active.base_offset() {
            self.active.floor_position(offset).map_err(|error| self.change_error(error))?
        } else {
            0
        };
        let found = Headers::new(&file, floor, size).find(offset).map_err(|error| self.scan_error(error))?;
        Ok(found.map_or(size, |(position, _)| position))
    }

    /// Brings the producers back to what they were at the end of the log.
    fn reload_producers(&mut self, now_ms: i64) -> Result<(), ChangeError> {
        let beyond: Vec<i64> = self.snapshots.range(self.end_offset + 1..).copied().collect();
        for offset in beyond {
            self.delete_snapshot(offset, now_ms).map_err(|error| self.change_error(error))?;
        }
        // An index of aborted transactions that was cut needs no entry again.
        self.load_producers(self.end_offset, i64::MAX, now_ms).map_err(|error| self.scan_error(error))
    }

    /// Removes everything; the log is empty and starts at `offset`.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub fn truncate_fully_and_start_at(&mut self, offset: i64, now_ms: i64) -> Result<(), ChangeError> {
        assert!(offset >= 0, "no log has a negative offset");
        self.partition.directory.health.check()?;
        let flush = self.flush.clone();
        let _paused = flush.pause();
        let directory = self.partition.directory.clone();
        directory.lower_recovery_point(&flush, offset).map_err(|error| self.change_error(error))?;
        self.remove_all(offset, now_ms).map_err(|error| self.change_error(error))?;
        self.end_offset = offset;
        self.log_start_offset = offset;
        self.flush.log_start_offset.store(offset, Ordering::Release);
        self.epochs.clear();
        self.flush.epochs_changed(self.epochs.entries());
        self.producers = ProducerState::new(offset);
        // Nothing is left that could be lost.
        self.flush.truncated(self.active.segment.clone(), offset, offset);
        Ok(())
    }

    fn remove_all(&mut self, offset: i64, now_ms: i64) -> crate::fs::Result<()> {
        self.delete_files(&self.active.segment.clone(), now_ms)?;
        while let Some(closed) = Arc::make_mut(&mut self.closed).pop() {
            self.delete_files(&closed.segment, now_ms)?;
        }
        while let Some(snapshot) = self.snapshots.last().copied() {
            self.delete_snapshot(snapshot, now_ms)?;
        }
        let segment = Segment::new(self.partition.clone(), offset);
        segment.create_files()?;
        self.active = Active::new(segment, self.jitter_ms(offset), now_ms);
        Ok(())
    }
}
