//! Truncating a log at either end.

use std::fmt;
use std::io;
use std::sync::Arc;

use super::{ChangeError, Log};
use crate::directory;
use crate::fs::{self, Operation};
use crate::names::SegmentFile;
use crate::producer_state::ProducerState;
use crate::scan::{Headers, ScanError};
use crate::segment::{ActiveSegment, Segment};
use crate::traps::{self, Trap};

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
    /// Raises the log start offset to `offset`, and deletes the segments that are wholly below. It is durable
    /// with the next checkpoint of log start offsets.
    ///
    /// # Errors
    /// [`DeleteRecordsError`] if `offset` is above the high watermark, or the log cannot be changed.
    pub fn delete_records(&mut self, offset: i64, now_ms: i64) -> Result<(), DeleteRecordsError> {
        let high_watermark = self.high_watermark();
        if offset > high_watermark || offset < 0 {
            return Err(DeleteRecordsError::OutOfRange { offset, high_watermark });
        }
        Ok(self.advance_log_start(offset, now_ms)?)
    }

    /// The same whatever the high watermark is: for a follower of a leader that has done so, and for a log
    /// whose contents are in a snapshot.
    ///
    /// # Errors
    /// [`ChangeError`] if the log cannot be changed.
    ///
    /// # Panics
    /// If `offset` is above the end of the log.
    pub fn advance_log_start(&mut self, offset: i64, now_ms: i64) -> Result<(), ChangeError> {
        assert!(offset <= self.end_offset(), "a log starts at or below its end");
        self.partition.directory.health.check()?;
        self.raise_log_start(offset);
        let end_of = |index: usize| {
            self.closed.get(index + 1).map_or(self.active.base_offset(), |next| next.base_offset())
        };
        let count = (0..self.closed.len()).take_while(|index| end_of(*index) <= offset).count();
        self.delete_first(count, now_ms)
    }

    /// Removes the batches with `offset` or a greater one. The log then ends at `offset`, or below if that is
    /// within a batch or no batch is left before it; it is empty if nothing is left at its start. Records
    /// that a consumer may have read must not be removed: the caller ensures that.
    ///
    /// # Errors
    /// [`ChangeError`] if the log cannot be changed.
    pub fn truncate_to(&mut self, offset: i64, now_ms: i64) -> Result<(), ChangeError> {
        assert!(offset >= 0, "no log has a negative offset");
        self.partition.directory.health.check()?;
        if offset >= self.end_offset() {
            if self.epochs.truncate_from_end(self.end_offset()) {
                self.flush.epochs_changed(self.epochs.entries());
            }
            return Ok(());
        }
        self.settle_swap(i64::MAX)?;
        let flush = self.flush.clone();
        let _paused = flush.pause();
        let first = self.closed.first().map_or(self.active.base_offset(), |closed| closed.base_offset());
        if offset < first.max(self.log_start_offset()) {
            return self.start_anew(offset, now_ms);
        }
        let position = self.truncation_position(offset)?;
        // The exact end of the log is known only once it is truncated, but it is not before the start of that segment.
        let flushed_offset = self.flushed_offset();
        let directory = self.partition.directory.clone();
        let lowered = directory.lower_recovery_point(&flush, self.segment_with(offset).0.base_offset);
        lowered.map_err(|error| self.change_error(error))?;
        self.truncate_at(offset, position, now_ms).map_err(|error| self.half_done(error))?;
        if self.active.end_offset < self.log_start_offset() {
            let emptied = self.start_anew(self.log_start_offset(), now_ms);
            // The batches are truncated already, so on a full disk the truncation is half done.
            return emptied.map_err(|error| match error {
                ChangeError::Full(error) => self.half_done(error.into()),
                error => error,
            });
        }
        self.flush.offsets.set_end(self.active.end_offset);
        if self.epochs.truncate_from_end(self.end_offset()) {
            self.flush.epochs_changed(self.epochs.entries());
        }
        self.flush.truncated(self.active.segment.clone(), self.end_offset(), flushed_offset);
        directory.lower_cleaned_to(&self.partition.name, self.end_offset());
        self.reload_producers(now_ms).map_err(|error| self.half_done(error))
    }

    /// The segment that holds `offset`, which is not below the first, and its size.
    fn segment_with(&self, offset: i64) -> (Arc<Segment>, u32) {
        if offset >= self.active.base_offset() {
            return (self.active.segment.clone(), self.active.size);
        }
        let after = self.closed.partition_point(|closed| closed.base_offset() <= offset);
        let closed = &self.closed[after - 1];
        (closed.segment.clone(), closed.size)
    }

    /// The position of the batch with `offset`, or of the first one above it, in the segment with `offset`.
    fn truncation_position(&self, offset: i64) -> Result<u32, ChangeError> {
        let (segment, size) = self.segment_with(offset);
        let found = segment.file(SegmentFile::Log).map_err(ScanError::Fs).and_then(|file| {
            // Only the index of the active segment is used: a truncation goes back no further than a follower is ahead.
            let is_active = segment.base_offset == self.active.base_offset();
            let floor = if is_active { self.active.floor_position(offset)? } else { 0 };
            Headers::new(&file, floor, size).find(offset)
        });
        let found = found.map_err(|error| self.scan_error(error))?;
        Ok(found.map_or(size, |(position, _)| position))
    }

    /// Truncates the segment that holds `offset` at a position, which makes it the active one.
    fn truncate_at(&mut self, offset: i64, position: u32, now_ms: i64) -> Result<(), ScanError> {
        let mut last = self.active.segment.clone();
        // From the end, so that a crash in between leaves no hole.
        while last.base_offset > offset {
            self.delete_files(&last, now_ms)?;
            let closed = self.closed.to_mut().pop().expect("the first segment is not above it");
            last = closed.segment.clone();
        }
        if last.base_offset < self.active.base_offset() {
            self.partition.directory.fs.sync_dir(&self.partition.path())?;
        }
        let file = last.file_to_write(SegmentFile::Log)?;
        file.truncate(u64::from(position))?;
        // If a loss of power undid it, the segment would reach into those that follow.
        traps::unless(Trap::TruncationUnsynced, || file.sync_data())?;
        let jitter_ms = self.jitter_ms(last.base_offset);
        self.active = ActiveSegment::load(last, position, &self.config, jitter_ms, now_ms)?;
        self.active.sync_truncated_indexes()?;
        Ok(())
    }

    /// The error of a truncation that failed halfway: memory and disk differ. On a full disk that can happen when the
    /// segment or the checkpoint of an emptied log is created, or its files are renamed. Continuing would use a log
    /// without a segment; the reserve keeps space for both, and the next start recovers.
    fn half_done(&self, error: ScanError) -> ChangeError {
        let error = match error {
            ScanError::Fs(error) => error,
            ScanError::Damaged(damage) => fs::Error {
                operation: Operation::Truncate,
                path: damage.path.clone(),
                source: io::Error::new(io::ErrorKind::InvalidData, damage.to_string()),
            },
        };
        ChangeError::Offline(self.partition.directory.health.fail(error))
    }

    /// Reloads the producers as of the end of the log.
    fn reload_producers(&mut self, now_ms: i64) -> Result<(), ScanError> {
        let beyond: Vec<i64> = self.snapshots.range(self.end_offset() + 1..).copied().collect();
        for offset in beyond.into_iter().filter(|_| !traps::is_on(Trap::SnapshotLeft)) {
            self.delete_snapshot(offset, now_ms)?;
        }
        // The index of aborted transactions was truncated, and needs no new entry.
        self.load_producers(self.end_offset(), i64::MAX, now_ms)
    }

    /// Removes everything; the log is empty and starts at `offset`.
    ///
    /// # Errors
    /// [`ChangeError`] if the log cannot be changed.
    pub fn truncate_fully_and_start_at(&mut self, offset: i64, now_ms: i64) -> Result<(), ChangeError> {
        assert!(offset >= 0, "no log has a negative offset");
        self.partition.directory.health.check()?;
        self.settle_swap(i64::MAX)?;
        let flush = self.flush.clone();
        let _paused = flush.pause();
        self.start_anew(offset, now_ms)
    }

    /// The same while syncs are paused.
    fn start_anew(&mut self, offset: i64, now_ms: i64) -> Result<(), ChangeError> {
        let directory = self.partition.directory.clone();
        let (start, end) = (self.log_start_offset(), self.end_offset());
        // A loss of power may undo any of the renames. Segments that it brings back are dropped as being below the
        // start, or verified from their beginning.
        if offset >= end {
            self.flush.offsets.set_start(offset);
        } else {
            self.flush.offsets.set_start(offset.min(start));
            let first = self.closed.first().map_or(self.active.base_offset(), |closed| closed.base_offset());
            // It must not be above the first segment: all of them may be gone.
            self.flush.offsets.lower_flushed(offset.min(first));
        }
        directory.checkpoint_log_offsets().map_err(|error| {
            if offset >= end && !directory::left_starts_alone(&error) {
                // If only some of the checkpoints are written, the next start begins the log there.
                return self.half_done(error.into());
            }
            // On a full disk the log stays as it is, and so must its start: otherwise the next checkpoint would bring
            // back records that were deleted below it.
            self.flush.offsets.set_start(start);
            self.change_error(error)
        })?;
        self.remove_all(offset, now_ms).map_err(|error| self.half_done(error.into()))?;
        self.flush.offsets.set_end(offset);
        self.flush.offsets.set_start(offset);
        self.epochs.clear();
        self.flush.epochs_changed(self.epochs.entries());
        (self.producers, self.producers_from) = (ProducerState::new(offset), offset);
        directory.lower_cleaned_to(&self.partition.name, offset);
        // The log is empty, so all of it is durable.
        self.flush.truncated(self.active.segment.clone(), offset, offset);
        self.flush.offsets.set_high_watermark(offset);
        if !directory.has_checkpointed_start(&self.partition.name, offset) {
            // Only this checkpoint distinguishes a log that begins there from one that has lost its first segments.
            directory.checkpoint_log_offsets().map_err(|error| self.half_done(error.into()))?;
        }
        Ok(())
    }

    fn remove_all(&mut self, offset: i64, now_ms: i64) -> fs::Result<()> {
        self.delete_files(&self.active.segment.clone(), now_ms)?;
        while let Some(closed) = self.closed.to_mut().pop() {
            self.delete_files(&closed.segment, now_ms)?;
        }
        while let Some(snapshot) = self.snapshots.last().copied() {
            self.delete_snapshot(snapshot, now_ms)?;
        }
        // If a loss of power brought them back, they would overlap the batches that follow.
        self.partition.directory.fs.sync_dir(&self.partition.path())?;
        let segment = Segment::new(self.partition.clone(), offset);
        segment.create_files()?;
        self.active = ActiveSegment::new(segment, self.jitter_ms(offset), now_ms);
        Ok(())
    }
}
