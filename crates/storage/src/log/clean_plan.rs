//! The part of a log that compaction may clean.

use std::sync::Arc;

use super::{ChangeError, Log};
use crate::clean::{CleanPlan, LastRecord};
use crate::names::SegmentFile;
use crate::scan::Headers;
use crate::segment::ClosedSegment;
use crate::traps::{self, Trap};

impl Log {
    /// The offset up to which it is clean, as the last whole pass noted it in the log directory.
    pub fn cleaned_to(&self) -> Option<i64> {
        self.partition.directory.cleaned_to(&self.partition.name)
    }

    /// Plans compaction of this log, of which everything below `cleaned_to` is clean already, if that is
    /// known. It excludes everything at or above the last stable offset, the active segment, and segments
    /// younger than `min_compaction_lag_ms`. A log that was just opened waits for its high watermark.
    ///
    /// # Errors
    /// [`ChangeError`] if the log cannot be read.
    pub fn clean_plan(&self, cleaned_to: Option<i64>, now_ms: i64) -> Result<CleanPlan, ChangeError> {
        self.partition.directory.health.check()?;
        let valid = |offset: &i64| (self.log_start_offset()..=self.end_offset()).contains(offset);
        let dirty_offset = cleaned_to.filter(valid).unwrap_or(self.log_start_offset());
        let dirty_from = self.floor_segment(dirty_offset);
        let undecided = traps::is_on(Trap::UndecidedCleaned);
        let stable = if undecided { self.end_offset() } else { self.last_stable_offset() };
        // If a transaction ended before the snapshot that the producers were loaded from, they do not say whether its
        // marker is below the high watermark.
        let is_known = self.high_watermark() >= self.producers_from || undecided;
        let mut end = if is_known { self.floor_segment(stable) } else { 0 };
        let lag_ms = self.config.min_compaction_lag_ms;
        if lag_ms > 0 {
            for (index, closed) in self.closed.iter().enumerate().take(end).skip(dirty_from) {
                let largest_ms = closed.largest_timestamp().map_err(|error| self.change_error(error))?;
                if largest_ms > now_ms.saturating_sub(lag_ms) {
                    end = index;
                    break;
                }
            }
        }
        let dirty_from = dirty_from.min(end);
        let bytes = |closed: &[Arc<ClosedSegment>]| closed.iter().map(|closed| u64::from(closed.size)).sum();
        let end_offset = self.closed.get(end).map_or(self.active.base_offset(), |next| next.base_offset());
        Ok(CleanPlan {
            partition: self.partition.clone(),
            config: self.config.clone(),
            flush: self.flush.clone(),
            closed: self.closed.clone(),
            active: self.active.segment.clone(),
            end,
            end_offset,
            dirty_offset: dirty_offset.min(end_offset),
            clean_bytes: bytes(&self.closed[..dirty_from]),
            dirty_bytes: bytes(&self.closed[dirty_from..end]),
            overdue: self.is_overdue(&self.closed[dirty_from..end], now_ms)?,
            last_records: self.last_records(),
            generation: self.flush.generation(),
            log_start_offset: self.log_start_offset(),
            now_ms,
        })
    }

    /// The index of the closed segment that would hold `offset`, or the number of closed segments if that is the active
    /// one.
    fn floor_segment(&self, offset: i64) -> usize {
        if offset >= self.active.base_offset() {
            return self.closed.len();
        }
        self.closed.partition_point(|closed| closed.base_offset() <= offset).saturating_sub(1)
    }

    /// Whether a segment began more than `max_compaction_lag_ms` ago.
    fn is_overdue(&self, dirty: &[Arc<ClosedSegment>], now_ms: i64) -> Result<bool, ChangeError> {
        let until = now_ms.saturating_sub(self.config.max_compaction_lag_ms.max(0));
        if until <= 0 {
            return Ok(false);
        }
        for closed in dirty {
            let file = closed.segment.file(SegmentFile::Log).map_err(|error| self.change_error(error))?;
            let first = Headers::new(&file, 0, closed.size).next().map_err(|error| self.scan_error(error))?;
            if first.is_some_and(|(_, header)| header.max_timestamp > 0 && header.max_timestamp < until) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The last record of each producer, which has to stay.
    fn last_records(&self) -> std::collections::BTreeMap<i64, LastRecord> {
        let producers = self.producers.producers().iter();
        let last = producers.map(|(producer_id, producer)| {
            let last = match producer.batches().last() {
                Some(batch) => LastRecord::Data(batch.last_offset),
                None => LastRecord::Marker(producer.epoch),
            };
            (*producer_id, last)
        });
        last.collect()
    }
}
