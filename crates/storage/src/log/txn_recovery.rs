//! The index of aborted transactions after a crash, and where it is lost.

use std::sync::Arc;

use super::Log;
use super::active::Active;
use super::recovery::read_marker;
use super::snapshot_completion::replay;
use crate::fs::{self, Mode};
use crate::names::{SNAPSHOT_SUFFIX, SegmentFile, offset_path};
use crate::producer_state::ProducerState;
use crate::producer_state::snapshot::{self, SnapshotError};
use crate::scan::{Headers, ScanError};
use crate::segment::Segment;
use crate::txn_index::{self, AbortedTxn};

impl Active {
    /// Cuts the entries whose marker is at `below` or above, and what a crash left after them. An
    /// entry that is torn within an offset may look like any other: the last that stays has its
    /// marker in the part of the log that was walked so far, and what was written before it is whole. Says whether
    /// all that was cut are entries of markers at `below` or above, which are made again one by one.
    pub(super) fn cut_txn_index(&self, below: i64) -> Result<bool, ScanError> {
        let Some(file) = self.segment.file_if_exists(SegmentFile::TxnIndex)? else { return Ok(true) };
        self.segment.file_to_write(SegmentFile::TxnIndex)?;
        let all = txn_index::read(&file)?;
        let is_whole = file.len()? == (all.len() * txn_index::ENTRY_BYTES) as u64;
        let mut keep = txn_index::can_be_right(&file, below)?;
        while let Some(last) = keep.last() {
            if self.has_abort_marker(last)? {
                break;
            }
            keep.pop();
        }
        file.truncate((keep.len() * txn_index::ENTRY_BYTES) as u64)?;
        self.segment.written(SegmentFile::TxnIndex, &file)?;
        Ok(is_whole && all[keep.len()..].iter().all(|txn| txn.last_offset >= below))
    }

    fn has_abort_marker(&self, txn: &AbortedTxn) -> Result<bool, ScanError> {
        if txn.last_offset < self.base_offset() {
            return Ok(false);
        }
        let file = self.segment.file(SegmentFile::Log)?;
        let floor = self.floor_position(txn.last_offset)?;
        let found = Headers::new(&file, floor.min(self.size), self.size).find(txn.last_offset)?;
        let Some((position, header)) = found else { return Ok(false) };
        let marker = read_marker(&file, position, &header, &mut Vec::new())?;
        let is_its = header.base_offset == txn.last_offset && header.producer_id == txn.producer_id;
        Ok(is_its && marker.is_some_and(|marker| !marker.commit))
    }
}

impl Segment {
    /// Whether the index of aborted transactions, which exists, holds nothing else.
    pub(super) fn has_sound_txn_index(&self) -> fs::Result<bool> {
        let file = self.partition.directory.fs.open(&self.path(SegmentFile::TxnIndex), Mode::Read)?;
        let sound = txn_index::can_be_right(&file, i64::MAX)?.len() * txn_index::ENTRY_BYTES;
        Ok(file.len()? == sound as u64)
    }
}

impl Log {
    /// Makes the index of aborted transactions of these segments anew, in the place of what it holds, and durable.
    pub(super) fn replace_txn_indexes(&mut self, base_offsets: &[i64]) -> Result<(), ScanError> {
        for base_offset in base_offsets {
            let all = self.all_segments();
            let at = all.iter().position(|(segment, _)| segment.base_offset == *base_offset);
            let Some(at) = at else { continue };
            let path = all[at].0.path(SegmentFile::TxnIndex);
            tracing::warn!(path = %path.display(), "made anew from the log: it held what is no aborted transaction");
            let aborted = self.aborted_in(&all[..=at])?;
            let file = all[at].0.create(SegmentFile::TxnIndex)?;
            file.truncate(0)?;
            for txn in aborted {
                txn_index::append(&file, txn)?;
            }
            all[at].0.written(SegmentFile::TxnIndex, &file)?;
            all[at].0.sync(SegmentFile::TxnIndex)?;
        }
        Ok(())
    }

    pub(super) fn all_segments(&self) -> Vec<(Arc<Segment>, u32)> {
        let closed = self.closed.iter().map(|closed| (closed.segment.clone(), closed.size));
        closed.chain([(self.active.segment.clone(), self.active.size)]).collect()
    }

    /// Makes the index of aborted transactions anew for those of these segments that have none. A
    /// segment without aborted transactions has no such file: only where its other indexes are
    /// missing, too, is that a loss.
    pub(super) fn rebuild_txn_indexes(&mut self, base_offsets: &[i64]) -> Result<(), ScanError> {
        for base_offset in base_offsets {
            let all = self.all_segments();
            let at = all.iter().position(|(segment, _)| segment.base_offset == *base_offset);
            let Some(at) = at.filter(|at| !has_txn_index(&all[*at].0)) else { continue };
            let aborted = self.aborted_in(&all[..=at])?;
            if aborted.is_empty() {
                continue;
            }
            let file = all[at].0.create(SegmentFile::TxnIndex)?;
            for txn in aborted {
                txn_index::append(&file, txn)?;
            }
            all[at].0.written(SegmentFile::TxnIndex, &file)?;
            self.flush.directory_changed();
        }
        Ok(())
    }

    /// The transactions that a marker in the last of these segments aborts.
    fn aborted_in(&self, segments: &[(Arc<Segment>, u32)]) -> Result<Vec<AbortedTxn>, ScanError> {
        let last = segments.last().expect("there is a segment").0.base_offset;
        let (from, mut state) = self.producers_at_or_before(last, segments[0].0.base_offset)?;
        let mut aborted = Vec::new();
        replay(segments, from, &mut state, |txn| {
            if txn.aborted && txn.last_offset >= last {
                aborted.push(AbortedTxn::from(txn));
            }
        })?;
        Ok(aborted)
    }

    /// The producers at the newest snapshot at or below an offset, and its own offset.
    pub(super) fn producers_at_or_before(
        &self,
        offset: i64,
        first: i64,
    ) -> Result<(i64, ProducerState), ScanError> {
        for at in self.snapshots.range(..=offset).rev() {
            let path = offset_path(&self.partition.path(), *at, SNAPSHOT_SUFFIX);
            match snapshot::read(&self.partition.directory.fs, &path, *at) {
                Ok(snapshot) => return Ok((*at, snapshot.state)),
                Err(SnapshotError::Fs(error)) if !error.is_not_found() => return Err(error.into()),
                Err(_) => {}
            }
        }
        Ok((first, ProducerState::new(first)))
    }
}

fn has_txn_index(segment: &Segment) -> bool {
    segment.partition.directory.fs.exists(&segment.path(SegmentFile::TxnIndex)).unwrap_or(true)
}
