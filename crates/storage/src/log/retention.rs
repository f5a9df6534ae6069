//! Deleting segments that are too old, exceed the size limit, or are below the log start offset.

use std::path::PathBuf;

use record::NO_TIMESTAMP;

use super::{ChangeError, Log};
use crate::fs::{self, Fs};
use crate::names::{SNAPSHOT_SUFFIX, SegmentFile, offset_path};
use crate::segment::{Segment, deleted_path, rename_deleted};
use crate::traps::{self, Trap};

/// The result of a round of retention.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RetentionReport {
    /// Segments deleted.
    pub deleted_segments: usize,
    /// Bytes of batches in them.
    pub deleted_bytes: u64,
    /// The log start offset now.
    pub log_start_offset: i64,
}

/// The files of a deleted segment, which stay under another name until it is time to remove them.
#[derive(Debug)]
pub struct DeletedSegment {
    fs: Fs,
    paths: Vec<PathBuf>,
    /// The time of their deletion, in ms since the epoch.
    deleted_ms: i64,
    /// The time to remove them.
    due_ms: i64,
}

impl DeletedSegment {
    /// Removes the files, which may take a while if they are large: not under the log's lock.
    ///
    /// # Errors
    /// The file system's error.
    pub fn remove(self) -> fs::Result<()> {
        for path in &self.paths {
            self.fs.remove_file_if_exists(path)?;
        }
        Ok(())
    }
}

impl Log {
    /// Deletes the segments that are wholly below the log start offset and, if `delete` is among the
    /// policies, the oldest ones that make the log larger than `retention_bytes` or whose greatest timestamp
    /// is more than `retention_ms` ago. Nothing at or above the high watermark is deleted. The active segment
    /// is closed if it is due, too, together with all others if nothing is to be kept.
    ///
    /// # Errors
    /// [`ChangeError`] if the log cannot be changed.
    pub fn apply_retention(&mut self, now_ms: i64) -> Result<RetentionReport, ChangeError> {
        self.partition.directory.health.check()?;
        let bytes_before = self.size_bytes();
        let mut deleted_segments = self.below_log_start();
        self.delete_first(deleted_segments, now_ms)?;
        if self.config.delete {
            if self.config.retention_bytes == 0 && self.is_active_visible() {
                self.roll_to_delete(now_ms)?;
            }
            let by_size = self.over_size();
            self.delete_first(by_size, now_ms)?;
            deleted_segments += by_size;
            if self.active_expired(now_ms).map_err(|error| self.change_error(error))? {
                self.roll_to_delete(now_ms)?;
            }
            let by_time = self.expired(now_ms).map_err(|error| self.change_error(error))?;
            self.delete_first(by_time, now_ms)?;
            deleted_segments += by_time;
        }
        Ok(RetentionReport {
            deleted_segments,
            deleted_bytes: bytes_before - self.size_bytes(),
            log_start_offset: self.log_start_offset(),
        })
    }

    /// Closes the active segment: the next step then considers it. If the disk has no space for another,
    /// deleting those before it makes some.
    fn roll_to_delete(&mut self, now_ms: i64) -> Result<(), ChangeError> {
        match self.roll(self.end_offset(), now_ms) {
            Err(error) if error.passes() => Ok(()),
            rolled => rolled.map_err(|error| self.change_error(error)),
        }
    }

    /// The files of deleted segments that have been kept for `file_delete_delay_ms`, for the caller to
    /// remove. They are also due if the clock was set back behind their deletion: their age is unknown then,
    /// and they must not fill the disk until the clock has caught up.
    pub fn take_due_deletions(&mut self, now_ms: i64) -> Vec<DeletedSegment> {
        let is_due = |deleted: &mut DeletedSegment| !(deleted.deleted_ms..deleted.due_ms).contains(&now_ms);
        self.deleted.extract_if(.., is_due).collect()
    }

    /// The offset after the segment: nothing of it is at or above this.
    fn end_of(&self, index: usize) -> i64 {
        self.closed.get(index + 1).map_or(self.active.base_offset(), |next| next.base_offset())
    }

    /// The number of first segments that `expire`, one after the other, up to the high watermark.
    fn first_that(&self, mut expire: impl FnMut(usize) -> fs::Result<bool>) -> fs::Result<usize> {
        let high_watermark = self.high_watermark();
        let mut count = 0;
        while count < self.closed.len() && self.end_of(count) <= high_watermark && expire(count)? {
            count += 1;
        }
        Ok(count)
    }

    fn below_log_start(&self) -> usize {
        (0..self.closed.len()).take_while(|index| self.end_of(*index) <= self.log_start_offset()).count()
    }

    fn over_size(&self) -> usize {
        let Ok(retention_bytes) = u64::try_from(self.config.retention_bytes) else { return 0 };
        let mut excess = self.size_bytes().saturating_sub(retention_bytes);
        let fits = |index: usize| {
            let size = u64::from(self.closed[index].size);
            let goes = size <= excess;
            if goes {
                excess -= size;
            }
            Ok(goes)
        };
        self.first_that(fits).expect("no file is asked")
    }

    fn expired(&self, now_ms: i64) -> fs::Result<usize> {
        if self.config.retention_ms < 0 {
            return Ok(0);
        }
        self.first_that(|index| {
            let timestamp = self.closed[index].retention_timestamp()?;
            Ok(now_ms.saturating_sub(timestamp) > self.config.retention_ms)
        })
    }

    /// Whether the active segment, and with it every other, is past its time.
    fn active_expired(&self, now_ms: i64) -> fs::Result<bool> {
        if self.config.retention_ms < 0 || !self.is_active_visible() {
            return Ok(false);
        }
        let timestamp = match self.active.max_timestamp.timestamp {
            NO_TIMESTAMP => self.active.segment.file(SegmentFile::Log)?.modified_ms()?,
            timestamp => timestamp,
        };
        let has_expired = now_ms.saturating_sub(timestamp) > self.config.retention_ms;
        Ok(has_expired && self.expired(now_ms)? == self.closed.len())
    }

    /// Whether the active segment has batches, all of them below the high watermark.
    fn is_active_visible(&self) -> bool {
        self.active.size > 0 && self.high_watermark() >= self.end_offset()
    }

    /// Deletes the first `count` closed segments.
    pub(super) fn delete_first(&mut self, count: usize, now_ms: i64) -> Result<(), ChangeError> {
        match self.delete_together(count, now_ms) {
            Err(ChangeError::Full(_)) if count > 0 => {}
            deleted => return deleted,
        }
        // There is no space for the checkpoint that deleting several at once needs. One by one they need none.
        for _ in 0..count {
            self.flush.sync_deletions()?;
            self.delete_together(1, now_ms)?;
        }
        Ok(())
    }

    fn delete_together(&mut self, count: usize, now_ms: i64) -> Result<(), ChangeError> {
        if count == 0 {
            return Ok(());
        }
        let start_offset = self.end_of(count - 1);
        self.settle_swap(start_offset)?;
        let is_new = self.complete_snapshot(start_offset)?;
        if is_new || start_offset > self.flushed_offset() || self.flush.has_unsynced_roll() {
            // The remaining log can be replayed only from the snapshot at its start.
            self.flush.flush()?;
        }
        // The start moves first, so that readers learn from here on that the records are gone.
        self.raise_log_start(start_offset);
        let directory = &self.partition.directory;
        let is_told = directory.tells_of(&self.partition.name, start_offset);
        let one_by_one = count == 1 && !self.flush.has_unsynced_deletions() && is_told;
        if !one_by_one && !traps::is_on(Trap::DeletionUntold) {
            // A loss of power may undo any of several renames: recovery drops segments below the start in the
            // checkpoint, so that no hole is left between segments. Also, a log that begins above all its checkpointed
            // offsets counts as having lost its beginning.
            let written = directory.checkpoint_log_offsets();
            written.map_err(|error| self.change_error(error))?;
        }
        let segments: Vec<_> = self.closed.to_mut().drain(..count).collect();
        self.flush.deleted_below(start_offset);
        for closed in &segments {
            tracing::info!(partition = %self.partition.name, base_offset = closed.base_offset(), "segment deleted");
            if one_by_one {
                self.delete_log_first(&closed.segment).map_err(|error| self.change_error(error))?;
            }
            self.delete_files(&closed.segment, now_ms).map_err(|error| self.change_error(error))?;
        }
        // Snapshots below the first segment are of no use: nothing below can be replayed.
        let gone: Vec<i64> = self.snapshots.range(..start_offset).copied().collect();
        for offset in gone {
            self.delete_snapshot(offset, now_ms).map_err(|error| self.change_error(error))?;
        }
        Ok(())
    }

    /// Raises the log start offset.
    pub(super) fn raise_log_start(&mut self, log_start_offset: i64) {
        if log_start_offset <= self.log_start_offset() {
            return;
        }
        self.flush.offsets.set_start(log_start_offset);
        if self.epochs.truncate_from_start(log_start_offset) {
            self.flush.epochs_changed(self.epochs.entries());
        }
        self.set_high_watermark(self.high_watermark());
    }

    /// Renames the log file of a segment before its index of aborted transactions, durably: if it came back without the
    /// index, aborted records would be served as committed.
    fn delete_log_first(&self, segment: &Segment) -> fs::Result<()> {
        let fs = &self.partition.directory.fs;
        if !fs.exists(&segment.path(SegmentFile::TxnIndex))? {
            return Ok(());
        }
        segment.close();
        rename_deleted(&self.partition, &segment.path(SegmentFile::Log))?;
        fs.sync_dir(&self.partition.path())
    }

    /// Renames a segment's files to their `.deleted` names, and notes them for removal.
    pub(super) fn delete_files(&mut self, segment: &Segment, now_ms: i64) -> fs::Result<()> {
        segment.rename_deleted()?;
        let paths = SegmentFile::ALL.map(|kind| deleted_path(&segment.path(kind))).to_vec();
        self.remember_deleted(paths, now_ms);
        Ok(())
    }

    pub(super) fn delete_snapshot(&mut self, offset: i64, now_ms: i64) -> fs::Result<()> {
        self.snapshots.remove(&offset);
        let path = offset_path(&self.partition.path(), offset, SNAPSHOT_SUFFIX);
        rename_deleted(&self.partition, &path)?;
        self.remember_deleted(vec![deleted_path(&path)], now_ms);
        Ok(())
    }

    fn remember_deleted(&mut self, paths: Vec<PathBuf>, now_ms: i64) {
        let due_ms = now_ms.saturating_add(self.config.file_delete_delay_ms);
        let fs = self.partition.directory.fs.clone();
        self.deleted.push(DeletedSegment { fs, paths, deleted_ms: now_ms, due_ms });
    }
}
