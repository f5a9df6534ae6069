//! Continuing in another log directory (KIP-113).

use std::sync::Arc;

use parking_lot::MutexGuard;

use super::Log;
use crate::flusher::FlushState;
use crate::future::{CopyError, CopySource, FutureLog, Part};
use crate::segment::{PartitionDir, Segment};
use crate::write_error::WriteError;

/// The most bytes that may be left to copy when a log moves: they are copied under its lock.
const REST_BYTES_MAX: u64 = 1 << 20;

/// The syncs of a log, which can be held back without its lock.
#[derive(Debug)]
pub struct Syncs(Arc<FlushState>);

/// Syncs that are held back. No batch becomes durable while this lives.
pub struct PausedSyncs<'a> {
    flush: &'a FlushState,
    _syncing: MutexGuard<'a, ()>,
}

impl Syncs {
    /// Waits for a sync that is under way and keeps the next from starting.
    ///
    /// The holder of the log's lock may be waiting for a sync, so the holder of this may only try to take that lock.
    pub fn pause(&self) -> PausedSyncs<'_> {
        PausedSyncs { _syncing: self.0.pause(), flush: &self.0 }
    }

    /// Makes everything appended so far durable. Returns the offset up to which the log is.
    ///
    /// # Errors
    /// [`WriteError`]: unless the disk is full nothing may try again.
    pub fn flush(&self) -> Result<i64, WriteError> {
        self.0.flush()
    }
}

impl Log {
    /// Its syncs.
    pub fn syncs(&self) -> Syncs {
        Syncs(self.flush.clone())
    }

    /// The log as it is now, to be copied.
    pub fn copy_source(&self) -> CopySource {
        CopySource {
            flush: self.flush.clone(),
            generation: self.flush.generation(),
            closed: self.closed.clone(),
            active: self.active.segment.clone(),
            active_size: self.active.size,
            log_start_offset: self.log_start_offset(),
            end_offset: self.end_offset(),
            high_watermark: self.high_watermark(),
            snapshots: self.snapshots.clone(),
            epochs: self.epochs.entries().to_vec(),
        }
    }

    /// Continues in the directory of `future`, which takes the partition's name there. Returns whether it
    /// does: the copy must have caught up and been prepared, and little have been appended since.
    ///
    /// Waits for no sync. Durable batches are durable in the new place except for its name, which becomes
    /// durable before anything else: the next flush syncs it first. The old directory has to stay until then;
    /// it keeps its name, and the caller deletes it. The new log has no flush listener.
    ///
    /// # Errors
    /// [`CopyError`] if the last bytes cannot be copied; the log stays where it is.
    pub fn relocate(&mut self, future: &mut FutureLog, paused: &PausedSyncs<'_>) -> Result<bool, CopyError> {
        assert!(std::ptr::eq(paused.flush, &*self.flush), "the syncs of this log are paused");
        self.partition.directory.health.check()?;
        future.directory.health.check()?;
        // A segment that is being swapped in does not have its names yet.
        let is_ready = self.swapping.is_none()
            && future.is_copy_of(&self.copy_source())
            && self.flushed_offset() <= future.durable_offset();
        let Some(part) = future.part.as_mut().filter(|_| is_ready) else { return Ok(false) };
        if u64::from(self.active.size) - part.log_bytes() > REST_BYTES_MAX {
            return Ok(false);
        }
        self.active.write_indexes(true).map_err(|error| self.write_error(error))?;
        let files = copy_rest(part, self.active.size);
        let files = files.map_err(|error| future.range_error(error))?;
        let path = future.directory.path.join(self.partition.name.to_string());
        let directory = future.directory.clone();
        // Once the name may have changed, only recovery leads back.
        let renamed = directory.fs.rename(&future.path, &path);
        renamed.map_err(|error| CopyError::Offline(directory.health.fail(error)))?;
        directory.forget_future(&future.path);
        let partition = Arc::new(PartitionDir { name: self.partition.name.clone(), directory });
        let active = Segment::with_unsynced(partition.clone(), self.active.base_offset(), files);
        self.go_on_in(partition, active);
        Ok(true)
    }

    fn go_on_in(&mut self, partition: Arc<PartitionDir>, active: Arc<Segment>) {
        // The flushed offset stays as it is: the new name is not durable yet.
        let flush = Arc::new(FlushState::new(&active, self.flush.offsets.clone()));
        flush.epochs_changed(self.epochs.entries());
        partition.directory.entry_made();
        flush.created(partition.directory.last_entry());
        self.flush.retire();
        self.partition.directory.departed(&self.partition.name);
        partition.directory.arrived(flush.clone());
        self.closed =
            self.closed.iter().map(|closed| Arc::new(closed.moved_to(&partition))).collect::<Vec<_>>().into();
        self.active.segment = active;
        // Bytes that a failed write left at the end were not copied.
        self.active.torn = false;
        // Files of deleted segments go along with the old directory.
        self.deleted.clear();
        // The copied segments have their own names.
        self.swapping = None;
        self.flush = flush;
        self.partition = partition;
    }
}

fn copy_rest(
    part: &mut Part,
    size: u32,
) -> Result<[Option<crate::fs::File>; 4], crate::fs::copy::CopyRangeError> {
    part.copy(size, u64::MAX)?;
    part.copy_indexes()?;
    part.files()
}
