//! The producer snapshot at the start of a log that is about to lose its first segments.

use std::ops::Range;
use std::sync::Arc;

use super::recovery::read_marker;
use super::txn_recovery::producers_at_or_before;
use super::{ChangeError, Log};
use crate::fs;
use crate::names::{SNAPSHOT_SUFFIX, SegmentFile, offset_path};
use crate::producer_state::{CompletedTxn, ProducerState};
use crate::scan::{Headers, ScanError};
use crate::segment::Segment;

impl Log {
    /// Ensures that there is a producer snapshot at the start of a segment, built from the batches before it
    /// if a recovery had no space to write one. Returns whether there was none: it is not durable yet. If
    /// those batches are damaged there is still none, and they may be deleted as if there were.
    ///
    /// # Errors
    /// [`ChangeError`] if it cannot be written: the batches before must stay, since nothing else has their
    /// producers.
    pub(super) fn complete_snapshot(&mut self, base_offset: i64) -> Result<bool, ChangeError> {
        if self.snapshots.contains(&base_offset) {
            return Ok(false);
        }
        let state = match self.producers_at(base_offset) {
            Ok(state) => state,
            Err(ScanError::Fs(error)) => return Err(self.change_error(error)),
            Err(ScanError::Damaged(damage)) => {
                tracing::warn!("producer state is known only from {base_offset} on: {damage}");
                return Ok(false);
            }
        };
        self.replace_snapshot(&state, base_offset).map_err(|error| self.change_error(error))?;
        Ok(true)
    }

    /// Removes the producer snapshots at which no segment begins, except the newest: each shutdown leaves one, and only
    /// the newest is ever used.
    pub(super) fn remove_stray_snapshots(&mut self) -> fs::Result<()> {
        let newest = self.snapshots.last().copied();
        let stray = |offset: &i64| Some(*offset) != newest && !self.begins_segment(*offset);
        let stray: Vec<i64> = self.snapshots.iter().copied().filter(stray).collect();
        for offset in stray {
            let path = offset_path(&self.partition.path(), offset, SNAPSHOT_SUFFIX);
            self.partition.directory.fs.remove_file_if_exists(&path)?;
            self.snapshots.remove(&offset);
        }
        Ok(())
    }

    /// Whether a segment begins at an offset.
    pub(super) fn begins_segment(&self, offset: i64) -> bool {
        self.active.base_offset() == offset
            || self.closed.binary_search_by_key(&offset, |closed| closed.base_offset()).is_ok()
    }

    /// The producers at the start of a segment, as the batches below it leave them.
    fn producers_at(&self, offset: i64) -> Result<ProducerState, ScanError> {
        let mut segments = self.all_segments();
        segments.truncate(segments.partition_point(|(segment, _)| segment.base_offset < offset));
        let first = segments.first().map_or(offset, |(segment, _)| segment.base_offset);
        let (from, mut state) = producers_at_or_before(&self.partition, &self.snapshots, offset, first)?;
        replay(&segments, from..i64::MAX, &mut state, |_| {})?;
        Ok(state)
    }
}

/// Applies the batches with these offsets, and calls `ended` for each transaction that they end. Reads nothing beyond
/// the last of the offsets: later batches may be torn.
pub(super) fn replay(
    segments: &[(Arc<Segment>, u32)],
    offsets: Range<i64>,
    state: &mut ProducerState,
    mut ended: impl FnMut(CompletedTxn),
) -> Result<(), ScanError> {
    let (mut bytes, mut next_offset) = (Vec::new(), offsets.start);
    for (index, (segment, size)) in segments.iter().enumerate() {
        if segments.get(index + 1).is_some_and(|(next, _)| next.base_offset <= offsets.start) {
            continue;
        }
        let file = segment.file(SegmentFile::Log)?;
        let mut headers = Headers::new(&file, 0, *size);
        while next_offset < offsets.end {
            let Some((position, header)) = headers.next()? else { break };
            if header.base_offset >= offsets.end {
                return Ok(());
            }
            next_offset = header.next_offset();
            if header.base_offset >= offsets.start {
                let marker = read_marker(&file, position, &header, &mut bytes)?;
                state.apply(&header, marker).into_iter().for_each(&mut ended);
            }
        }
    }
    Ok(())
}
