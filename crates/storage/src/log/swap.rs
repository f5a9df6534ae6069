//! Putting a cleaned segment in the place of those that it was made from.

use std::sync::Arc;

use super::{ChangeError, Log};
use crate::clean::Cleaned;
use crate::fs;
use crate::names::SegmentFile;
use crate::segment::Closed;

/// What became of a cleaned segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Swapped {
    /// It is part of the log.
    Done,
    /// The segments that it was made from are not in the log any more: it was thrown away.
    Stale,
}

impl Log {
    /// Replaces the segments that `cleaned` was made from. Readers of the old ones go on with the
    /// files that they hold.
    ///
    /// A crash at any step leaves a log that opening completes: up to the first sync of the
    /// directory the old segments count, from there on the new one.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub fn swap(&mut self, cleaned: &Cleaned, now_ms: i64) -> Result<Swapped, ChangeError> {
        self.partition.directory.health.check()?;
        let first = cleaned.inputs[0].base_offset();
        let at = self.closed.partition_point(|closed| closed.base_offset() < first);
        let current = self.closed.get(at..at + cleaned.inputs.len()).unwrap_or_default();
        let unchanged = current.len() == cleaned.inputs.len()
            && current.iter().zip(&cleaned.inputs).all(|(current, input)| Arc::ptr_eq(current, input));
        if !unchanged {
            cleaned.discard().map_err(|error| self.change_error(error))?;
            return Ok(Swapped::Stale);
        }
        let replaced = at..at + cleaned.inputs.len();
        // Once a name has changed there is no way back but through recovery.
        self.swap_files(cleaned, now_ms)
            .map_err(|error| ChangeError::Offline(self.partition.directory.health.fail(error)))?;
        let closed = Closed::new(cleaned.segment.clone(), cleaned.size, Some(cleaned.max_timestamp));
        Arc::make_mut(&mut self.closed).splice(replaced, [Arc::new(closed)]);
        Ok(Swapped::Done)
    }

    fn swap_files(&mut self, cleaned: &Cleaned, now_ms: i64) -> fs::Result<()> {
        let partition = self.partition.clone();
        let fs = &partition.directory.fs;
        for kind in cleaned.kinds() {
            fs.rename(&cleaned.cleaned_path(kind), &cleaned.swap_path(kind))?;
        }
        fs.sync_dir(&partition.path)?;
        for input in &cleaned.inputs {
            input.segment.replaced();
            self.delete_files(&input.segment, now_ms)?;
        }
        // None of the old may come back beside the new.
        fs.sync_dir(&partition.path)?;
        for kind in cleaned.kinds() {
            fs.rename(&cleaned.swap_path(kind), &cleaned.segment.path(kind))?;
        }
        fs.sync_dir(&partition.path)?;
        for input in &cleaned.inputs[1..] {
            if self.snapshots.contains(&input.base_offset()) {
                self.delete_snapshot(input.base_offset(), now_ms)?;
            }
        }
        Ok(())
    }
}

impl Cleaned {
    fn kinds(&self) -> impl Iterator<Item = SegmentFile> + use<> {
        let has_txns = self.has_txns;
        SegmentFile::ALL.into_iter().filter(move |kind| has_txns || *kind != SegmentFile::TxnIndex)
    }

    fn discard(&self) -> fs::Result<()> {
        for kind in SegmentFile::ALL {
            self.segment.partition.directory.fs.remove_file_if_exists(&self.cleaned_path(kind))?;
        }
        Ok(())
    }
}
