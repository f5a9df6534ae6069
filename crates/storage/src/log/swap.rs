//! Putting a cleaned segment in the place of those that it was made from.
//!
//! It goes in three steps, each of which holds the log's lock for a few renames. Between them the directory is synced
//! without it ([`CleanedSegment::sync_names`]), so that appends and reads do not wait for the disk. A crash at any step
//! leaves a log that opening completes: up to the first sync the old segments count, from there on the new one.

use std::sync::Arc;

use super::{ChangeError, Log};
use crate::clean::CleanedSegment;
use crate::fs;
use crate::names::{CLEANED_SUFFIX, SWAP_SUFFIX, SegmentFile};
use crate::segment::{ClosedSegment, Segment};
use crate::traps::{self, Trap};

/// The outcome of swapping in a compacted segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SwapOutcome {
    /// It is part of the log.
    Done,
    /// The segments that it was made from are not in the log any more, or the log was truncated: the new segment was
    /// removed.
    Stale,
}

/// A swap that has begun.
#[derive(Debug)]
pub(super) struct Swap {
    /// The new segment.
    segment: Arc<Segment>,
    /// Whether it is in the log. Its files still have the suffix `.swap`.
    installed: bool,
}

impl Log {
    /// Replaces the segments that `cleaned` was made from, in one go: for callers that need no lock.
    ///
    /// # Errors
    /// [`ChangeError`] if a file cannot be renamed or synced.
    pub fn swap(&mut self, cleaned: &CleanedSegment, now_ms: i64) -> Result<SwapOutcome, ChangeError> {
        if self.begin_swap(cleaned)? == SwapOutcome::Stale {
            return Ok(SwapOutcome::Stale);
        }
        cleaned.sync_names()?;
        if self.replace_segments(cleaned, now_ms)? == SwapOutcome::Stale {
            return Ok(SwapOutcome::Stale);
        }
        cleaned.sync_names()?;
        self.finish_swap(cleaned)?;
        cleaned.sync_names()?;
        Ok(SwapOutcome::Done)
    }

    /// The first step: gives the new files the suffix `.swap`, which says that they are complete.
    /// [`CleanedSegment::sync_names`] follows.
    ///
    /// # Errors
    /// [`ChangeError`] if a file cannot be renamed.
    pub fn begin_swap(&mut self, cleaned: &CleanedSegment) -> Result<SwapOutcome, ChangeError> {
        self.partition.directory.health.check()?;
        // Abandoning an earlier swap removes the files that have its names, which may be the new ones.
        let withdraws = self.swapping.as_ref().is_some_and(|swap| !swap.installed);
        self.settle_swap(i64::MAX)?;
        if withdraws || self.place_of(cleaned).is_none() {
            return self.discard(cleaned);
        }
        let fs = &self.partition.directory.fs;
        for kind in cleaned.kinds() {
            let renamed = fs.rename(&cleaned.cleaned_path(kind), &cleaned.swap_path(kind));
            // Once a name has changed, only recovery leads back.
            renamed.map_err(|error| self.offline(error))?;
        }
        self.swapping = Some(Box::new(Swap { segment: cleaned.segment.clone(), installed: false }));
        Ok(SwapOutcome::Done)
    }

    /// The second step: the new segment replaces the old ones. Readers of these continue with the files that
    /// they hold. [`CleanedSegment::sync_names`] follows.
    ///
    /// # Errors
    /// [`ChangeError`] if a file cannot be renamed.
    pub fn replace_segments(
        &mut self,
        cleaned: &CleanedSegment,
        now_ms: i64,
    ) -> Result<SwapOutcome, ChangeError> {
        self.partition.directory.health.check()?;
        let begun = self.is_swapping(cleaned);
        let Some(at) = self.place_of(cleaned).filter(|_| begun) else {
            self.swapping = None;
            return self.discard(cleaned);
        };
        for input in &cleaned.inputs {
            input.segment.replaced();
            self.delete_files(&input.segment, now_ms).map_err(|error| self.offline(error))?;
        }
        cleaned.segment.set_named_swap();
        let closed = ClosedSegment::new(cleaned.segment.clone(), cleaned.size, Some(cleaned.max_timestamp));
        self.closed.to_mut().splice(at..at + cleaned.inputs.len(), [Arc::new(closed)]);
        self.swapping = Some(Box::new(Swap { segment: cleaned.segment.clone(), installed: true }));
        for input in &cleaned.inputs[1..] {
            if self.snapshots.contains(&input.base_offset()) {
                self.delete_snapshot(input.base_offset(), now_ms).map_err(|error| self.offline(error))?;
            }
        }
        Ok(SwapOutcome::Done)
    }

    /// The last step, once none of the old names can come back: the new files take their names.
    /// [`CleanedSegment::sync_names`] follows.
    ///
    /// # Errors
    /// [`ChangeError`] if a file cannot be renamed.
    pub fn finish_swap(&mut self, cleaned: &CleanedSegment) -> Result<(), ChangeError> {
        self.partition.directory.health.check()?;
        if self.is_swapping(cleaned) {
            self.swapping = None;
            cleaned.segment.take_names().map_err(|error| self.offline(error))?;
        }
        Ok(())
    }

    /// Ends an unfinished swap before segments below an offset are truncated or deleted. If its segment is not in place
    /// yet, the swap is abandoned, so that it does not bring back what is about to be removed.
    pub(super) fn settle_swap(&mut self, below: i64) -> Result<(), ChangeError> {
        let Some(swap) = self.swapping.take_if(|swap| swap.segment.base_offset < below) else {
            return Ok(());
        };
        if swap.installed {
            let synced = self.partition.directory.fs.sync_dir(&self.partition.path());
            if let Err(error) = synced {
                if error.passes() {
                    self.swapping = Some(swap);
                }
                return Err(self.change_error(error));
            }
        }
        self.settle(&swap).map_err(|error| self.offline(error))
    }

    fn settle(&self, swap: &Swap) -> fs::Result<()> {
        let (fs, path) = (&self.partition.directory.fs, &self.partition.path());
        if swap.installed {
            swap.segment.take_names()?;
        } else {
            self.withdraw(&swap.segment)?;
        }
        fs.sync_dir(path)
    }

    /// Removes the files of an abandoned swap. Recovery would take a rest of them for a swap that was nearly done, so a
    /// file with the earlier suffix, the sign of one that had hardly begun, stays until the others are durably gone.
    fn withdraw(&self, segment: &Segment) -> fs::Result<()> {
        let (fs, path) = (&self.partition.directory.fs, &self.partition.path());
        let sign = segment.path_with(SegmentFile::Log, CLEANED_SUFFIX);
        fs.rename(&segment.path_with(SegmentFile::Log, SWAP_SUFFIX), &sign)?;
        fs.sync_dir(path)?;
        for kind in SegmentFile::ALL {
            fs.remove_file_if_exists(&segment.path_with(kind, SWAP_SUFFIX))?;
        }
        fs.sync_dir(path)?;
        fs.remove_file(&sign)
    }

    fn is_swapping(&self, cleaned: &CleanedSegment) -> bool {
        self.swapping.as_ref().is_some_and(|swap| Arc::ptr_eq(&swap.segment, &cleaned.segment))
    }

    /// The place of the segments that it was made from; `None` if they have changed, or the log was
    /// truncated: the lost part may have had the last record of a key that it lacks.
    fn place_of(&self, cleaned: &CleanedSegment) -> Option<usize> {
        if cleaned.generation != self.flush.generation() {
            return None;
        }
        let first = cleaned.inputs[0].base_offset();
        let at = self.closed.partition_point(|closed| closed.base_offset() < first);
        let current = self.closed.get(at..at + cleaned.inputs.len())?;
        let same = current.iter().zip(&cleaned.inputs).all(|(current, input)| Arc::ptr_eq(current, input));
        same.then_some(at)
    }

    /// Removes the files of a segment that has not become part of the log.
    fn discard(&self, cleaned: &CleanedSegment) -> Result<SwapOutcome, ChangeError> {
        let fs = &cleaned.segment.partition.directory.fs;
        for kind in SegmentFile::ALL {
            for path in [cleaned.cleaned_path(kind), cleaned.swap_path(kind)] {
                fs.remove_file_if_exists(&path).map_err(|error| self.change_error(error))?;
            }
        }
        Ok(SwapOutcome::Stale)
    }

    pub(super) fn offline(&self, error: fs::Error) -> ChangeError {
        ChangeError::Offline(self.partition.directory.health.fail(error))
    }
}

impl CleanedSegment {
    /// Makes the names durable that the last step gave. Needs no lock.
    ///
    /// # Errors
    /// [`ChangeError`]: the swap ends here, and the next change of the log settles it.
    pub fn sync_names(&self) -> Result<(), ChangeError> {
        let partition = &self.segment.partition;
        let synced = traps::unless(Trap::SwapUnsynced, || partition.directory.fs.sync_dir(&partition.path()));
        match synced {
            // The partition was deleted, or has moved.
            Err(error) if error.is_not_found() => Ok(()),
            synced => synced.map_err(|error| partition.directory.write_error(error).into()),
        }
    }

    fn kinds(&self) -> impl Iterator<Item = SegmentFile> + use<> {
        let has_txns = self.has_txns;
        SegmentFile::ALL.into_iter().filter(move |kind| has_txns || *kind != SegmentFile::TxnIndex)
    }
}
