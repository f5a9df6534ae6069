//! Completing a log once its segments are in order: epochs, producers, and what has to be durable.

use super::Log;
use super::open::{OpenError, RecoveryReport};
use crate::directory::Offsets;
use crate::fs;
use crate::leader_epochs::LeaderEpochs;
use crate::names::{self, SegmentFile};
use crate::scan::{Damage, DamageReason};
use crate::traps::{self, Trap};
use crate::write_error::WriteError;

impl Log {
    /// The steps once the segments are in order.
    pub(super) fn complete(
        &mut self,
        epochs: Option<&LeaderEpochs>,
        offsets: Offsets,
        report: &RecoveryReport,
        lacked_indexes: bool,
        now_ms: i64,
    ) -> Result<(), OpenError> {
        if offsets.log_start_offset > self.end_offset() {
            return self.begin_above_end(offsets.log_start_offset, report.clean, now_ms);
        }
        if epochs.is_none() {
            self.epochs = self.epochs_of_batches()?;
        }
        if !report.clean {
            self.complete_first_epochs()?;
        }
        self.epochs.truncate_from_end(self.end_offset());
        self.epochs.truncate_from_start(self.log_start_offset());
        if epochs != Some(&self.epochs) {
            self.flush.epochs_changed(self.epochs.entries());
        }
        let first = self.closed.first().map_or(self.active.base_offset(), |closed| closed.base_offset());
        let txns_from = if report.clean { i64::MAX } else { offsets.recovery_point };
        // Segments become durable before they are deleted, so the log is durable at least up to the first one.
        let durable = if report.clean { self.end_offset() } else { offsets.recovery_point.max(first) };
        if !report.clean {
            self.remove_snapshots_below(first)?;
        }
        traps::unless(Trap::SnapshotTrusted, || self.remove_snapshots_above(durable))?;
        if !report.clean {
            let unsynced = self.snapshots.range(offsets.recovery_point..).copied();
            self.flush.found_unsynced(unsynced);
            // Its indexes were truncated, too: entries that a loss of power brings back may fit other batches by then.
            self.flush.unsynced(vec![self.active.segment.clone()]);
        }
        self.load_producers(self.end_offset(), txns_from, now_ms)?;
        if report.clean {
            // After a crash the newest snapshot may not be durable, and an older one may be the only record of a
            // producer.
            self.remove_stray_snapshots()?;
        }
        let is_empty = self.end_offset() == self.log_start_offset();
        if !report.clean && (!is_empty || report.truncation.is_some()) {
            self.flush.directory_changed();
            let written = self.write_snapshot(self.end_offset()).map_err(|error| self.write_error(error));
            self.unless_full(written)?;
        }
        if report.truncation.is_some() {
            self.sync_truncation()?;
            // Recovered batches may wait for this sync: the recovery point does not move before.
            let flushed = self.flush.flush().map(drop);
            self.unless_full(flushed)?;
        } else if lacked_indexes {
            // The next start does not check indexes that exist.
            let flushed = self.flush.flush().map(drop);
            self.unless_full(flushed)?;
        }
        Ok(())
    }

    /// Empties a log that ends below its start, so that it begins there, with a warning, as Kafka does: a crash
    /// interrupted a truncation, or took the batches that were appended after records were deleted up to its end. A log
    /// that was closed cleanly cannot end there, so either the offset or the log is wrong.
    fn begin_above_end(&mut self, log_start_offset: i64, clean: bool, now_ms: i64) -> Result<(), OpenError> {
        let end_offset = self.end_offset();
        if clean {
            let reason = DamageReason::EndsBelowStart { log_start_offset, end_offset };
            let path = self.active.segment.path(SegmentFile::Log);
            return Err(OpenError::Damaged(Damage { path, position: u64::from(self.active.size), reason }));
        }
        let (partition, bytes) = (&self.partition.name, self.size_bytes());
        tracing::warn!(
            %partition,
            bytes,
            "the log ends at offset {end_offset}, below its log start offset {log_start_offset}: all its \
             segments are deleted, and it continues at {log_start_offset}; records that were appended \
             there may be lost"
        );
        Ok(self.truncate_fully_and_start_at(log_start_offset, now_ms)?)
    }

    /// Ignores a full disk: the first flush that finds space makes the recovered batches durable, and until then no new
    /// batch counts as durable. The log can be read meanwhile.
    fn unless_full(&self, made: Result<(), WriteError>) -> Result<(), WriteError> {
        match made {
            Err(WriteError::Full(error)) => {
                tracing::warn!(partition = %self.partition.name, "opened all the same: {error}");
                Ok(())
            }
            made => made,
        }
    }

    /// Removes the producer snapshots below the first segment: they are of a log that was emptied.
    fn remove_snapshots_below(&mut self, first: i64) -> fs::Result<()> {
        let kept = self.snapshots.split_off(&first);
        for stale in std::mem::replace(&mut self.snapshots, kept) {
            let path = names::offset_path(&self.partition.path(), stale, names::SNAPSHOT_SUFFIX);
            self.partition.directory.fs.remove_file(&path)?;
        }
        Ok(())
    }

    /// Ignores producer snapshots above an offset: they may have batches that are gone. The snapshot at the
    /// start of a segment stays until it is rewritten: it explains a gap before the segment, should this
    /// recovery be interrupted.
    fn remove_snapshots_above(&mut self, offset: i64) -> fs::Result<()> {
        let stale = self.snapshots.split_off(&(offset + 1));
        for stale in stale.into_iter().filter(|offset| !self.begins_segment(*offset)) {
            let path = names::offset_path(&self.partition.path(), stale, names::SNAPSHOT_SUFFIX);
            self.partition.directory.fs.remove_file(&path)?;
        }
        Ok(())
    }
}
