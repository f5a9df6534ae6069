//! The upkeep of a log beside produce and fetch: retention, deletion, closing.

use std::sync::atomic::Ordering;

use protocol::ErrorCode;
use storage::{
    ActiveProducer, ChangeError, CleanPlan, CleanedSegment, DeleteRecordsError, DeletedSegment, Log, Offline,
    SwapOutcome,
};
use tracing::{info, warn};

use super::{News, Replica};

/// The offset that means "up to the high watermark" in a DeleteRecords request.
const TO_HIGH_WATERMARK: i64 = -1;

impl Replica {
    /// Moves the start of the log to `offset`, and returns the new start.
    ///
    /// # Errors
    /// Kafka's error for the partition.
    pub(crate) fn delete_records(&self, offset: i64, now_ms: i64) -> Result<i64, ErrorCode> {
        if !self.rules.load().topic.delete {
            // In a compacted topic, older records are values of keys, not history.
            return Err(ErrorCode::POLICY_VIOLATION);
        }
        let mut state = self.state.lock();
        state.role.leader()?;
        let log = state.log.as_mut().ok_or_else(|| self.gone())?;
        let offset = if offset == TO_HIGH_WATERMARK { log.high_watermark() } else { offset };
        log.delete_records(offset, now_ms).map_err(|error| match error {
            DeleteRecordsError::OutOfRange { .. } => ErrorCode::OFFSET_OUT_OF_RANGE,
            DeleteRecordsError::Change(_) => {
                warn!(partition = self.name(), "records were not deleted: {error}");
                ErrorCode::KAFKA_STORAGE_ERROR
            }
        })?;
        let log_start_offset = log.log_start_offset();
        Ok(state.role.leader()?.low_watermark(log_start_offset))
    }

    /// Deletes segments beyond the limits on age and size.
    pub(crate) fn apply_retention(&self, now_ms: i64) {
        let mut guard = self.lock();
        let Some(log) = guard.as_mut() else { return };
        match log.apply_retention(now_ms) {
            Ok(retained) if retained.deleted_segments > 0 => {
                let (segments, bytes) = (retained.deleted_segments, retained.deleted_bytes);
                let log_start_offset = retained.log_start_offset;
                info!(partition = self.name(), segments, bytes, log_start_offset, "segments deleted");
            }
            Ok(_) => {}
            Err(error) => warn!(partition = self.name(), "retention was not applied: {error}"),
        }
    }

    /// The plan for compacting the log; `None` if its topic is not compacted, or the log is being moved.
    ///
    /// # Errors
    /// The reason why the log cannot be planned for.
    pub(crate) fn clean_plan(&self, now_ms: i64) -> Result<Option<CleanPlan>, ChangeError> {
        if !self.rules.load().topic.compact || self.is_moving() {
            return Ok(None);
        }
        let guard = self.lock();
        guard.as_ref().map(|log| log.clean_plan(log.cleaned_to(), now_ms)).transpose()
    }

    /// The fraction of the log that must be dirty before it is compacted.
    pub(crate) fn min_cleanable_dirty_ratio(&self) -> f64 {
        self.rules.load().topic.min_cleanable_dirty_ratio
    }

    /// Replaces the original segments with a compacted one; `None` if the log is gone, is being moved, or is
    /// no longer compacted. The log is locked for a few renames at a time, and not while this waits for the
    /// disk.
    pub(crate) fn swap(
        &self,
        cleaned: &CleanedSegment,
        now_ms: i64,
    ) -> Option<Result<SwapOutcome, ChangeError>> {
        // A swap that is half done has files under names that a move would not find.
        let _swapping = self.swapping.lock();
        if !self.rules.load().topic.compact || self.is_moving() {
            return None;
        }
        self.swap_in_steps(cleaned, now_ms).transpose()
    }

    fn swap_in_steps(
        &self,
        cleaned: &CleanedSegment,
        now_ms: i64,
    ) -> Result<Option<SwapOutcome>, ChangeError> {
        let begun = self.lock().as_mut().map(|log| log.begin_swap(cleaned)).transpose()?;
        if begun != Some(SwapOutcome::Done) {
            return Ok(begun);
        }
        cleaned.sync_names()?;
        let replaced = self.lock().as_mut().map(|log| log.replace_segments(cleaned, now_ms)).transpose()?;
        if replaced != Some(SwapOutcome::Done) {
            return Ok(replaced);
        }
        cleaned.sync_names()?;
        let finished = self.lock().as_mut().map(|log| log.finish_swap(cleaned)).transpose()?;
        cleaned.sync_names()?;
        Ok(finished.map(|()| SwapOutcome::Done))
    }

    /// Takes the files of deleted segments that are due for removal. Removing them takes no lock.
    pub(crate) fn take_due_deletions(&self, now_ms: i64) -> Vec<DeletedSegment> {
        self.lock().as_mut().map_or_else(Vec::new, |log| log.take_due_deletions(now_ms))
    }

    /// The producers that the log remembers, by id.
    ///
    /// # Errors
    /// Kafka's error if the log is gone.
    pub(crate) fn active_producers(&self) -> Result<Vec<ActiveProducer>, ErrorCode> {
        Ok(self.lock().as_ref().ok_or_else(|| self.gone())?.active_producers())
    }

    /// Removes producers that have been silent for `producer.id.expiration.ms`.
    pub(crate) fn remove_expired_producers(&self, now_ms: i64) {
        if let Some(log) = self.lock().as_mut() {
            log.remove_expired_producers(now_ms);
        }
    }

    /// Starts a flush of records that have been in memory for `flush.ms`.
    pub(crate) fn flush_by_age(&self, steady_ms: i64) {
        let flush_ms = self.rules.load().topic.flush_ms;
        if self.offsets.flushed() >= self.offsets.end() {
            self.unflushed_since_ms.store(steady_ms, Ordering::Relaxed);
        } else if steady_ms.saturating_sub(self.unflushed_since_ms.load(Ordering::Relaxed)) >= flush_ms
            && let Some(log) = self.lock().as_ref()
        {
            log.enqueue_flush();
        }
    }

    /// Drops the log, whose directory has failed. Waiting requests are woken.
    pub(crate) fn fail(&self, offline: &Offline) {
        self.log_dir.load().news().tell(&self.durability, Err(offline));
        drop(self.take_log());
    }

    /// Takes the log away: nothing is appended or read from here on. Waiting requests are woken.
    pub(crate) fn take_log(&self) -> Option<Log> {
        let log = self.lock().take();
        self.durability.end();
        self.watchers.notify(&[News::End, News::HighWatermark]);
        log
    }
}
