//! The index of aborted transactions after a crash, and after its loss.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::recovery::read_marker;
use super::snapshot_completion::replay;
use crate::fs::{self, Mode};
use crate::names::{SNAPSHOT_SUFFIX, SegmentFile, offset_path};
use crate::producer_state::ProducerState;
use crate::producer_state::snapshot::{self, SnapshotError};
use crate::scan::{Headers, ScanError};
use crate::segment::{ActiveSegment, ClosedSegment, PartitionDir, Segment};
use crate::txn_index::{self, AbortedTxn};

impl ActiveSegment {
    /// Removes the entries whose marker is at `below` or above, and leftovers of a crash after them. An entry
    /// that is torn within an offset may look like any other: the last one that stays has its marker in the
    /// part of the log that was walked so far, and everything written before it is complete. Returns whether
    /// all removed entries have markers at `below` or above, which are added again one by one; otherwise it
    /// removes nothing.
    pub(super) fn truncate_txn_index(
        &self,
        before: &[Arc<ClosedSegment>],
        below: i64,
    ) -> Result<bool, ScanError> {
        let Some(file) = self.segment.file_if_exists(SegmentFile::TxnIndex)? else { return Ok(true) };
        let all = txn_index::read(&file)?;
        let is_whole = file.len()? == (all.len() * txn_index::ENTRY_BYTES) as u64;
        let mut keep = txn_index::can_be_right(&file, below)?;
        while let Some(last) = keep.last() {
            if self.has_abort_marker(last)? {
                break;
            }
            keep.pop();
        }
        if !is_whole || all[keep.len()..].iter().any(|txn| txn.last_offset < below) {
            return Ok(false);
        }
        for txn in &keep {
            let floor = |offset| self.floor_position(offset);
            if !is_aborted_here(&self.segment, self.size, txn, floor, before)? {
                return Ok(false);
            }
        }
        self.segment.file_to_write(SegmentFile::TxnIndex)?;
        file.truncate((keep.len() * txn_index::ENTRY_BYTES) as u64)?;
        self.segment.written(SegmentFile::TxnIndex, &file)?;
        Ok(true)
    }

    fn has_abort_marker(&self, txn: &AbortedTxn) -> Result<bool, ScanError> {
        has_abort_marker(&self.segment, self.size, txn, |offset| self.floor_position(offset))
    }
}

impl ClosedSegment {
    /// Whether each entry of its index of aborted transactions is of one that the log has. An entry that cannot be
    /// compared because a batch is damaged counts as right: the damage shows when the batch is read.
    pub(super) fn has_right_txn_index(&self, before: &[Arc<ClosedSegment>]) -> Result<bool, ScanError> {
        let Some(file) = self.segment.file_if_exists(SegmentFile::TxnIndex)? else { return Ok(true) };
        for txn in txn_index::read(&file)? {
            let floor = |offset| self.floor_position(offset);
            match is_aborted_here(&self.segment, self.size, &txn, floor, before) {
                Ok(true) | Err(ScanError::Damaged(_)) => {}
                wrong => return wrong,
            }
        }
        Ok(true)
    }
}

/// Whether a segment of this size has the marker that aborts a transaction, and the transaction's part in it
/// starts at the entry's offset. `floor` gives the position to look for an offset from, and `before` are the
/// segments before it.
fn is_aborted_here(
    segment: &Arc<Segment>,
    size: u32,
    txn: &AbortedTxn,
    floor: impl Fn(i64) -> fs::Result<u32>,
    before: &[Arc<ClosedSegment>],
) -> Result<bool, ScanError> {
    // A reader stops at an entry whose last stable offset covers the offsets that it reads.
    let is_stable_too_far = txn.last_stable_offset > txn.last_offset + 1;
    if is_stable_too_far || !has_abort_marker(segment, size, txn, &floor)? {
        return Ok(false);
    }
    let (segment, size, position) = if txn.first_offset >= segment.base_offset {
        (segment, size, floor(txn.first_offset)?)
    } else {
        let after = before.partition_point(|closed| closed.base_offset() <= txn.first_offset);
        // The segment that held it may be deleted.
        let Some(closed) = after.checked_sub(1).map(|index| &before[index]) else { return Ok(true) };
        (&closed.segment, closed.size, closed.floor_position(txn.first_offset)?)
    };
    let file = segment.file(SegmentFile::Log)?;
    let found = Headers::new(&file, position.min(size), size).find(txn.first_offset)?;
    let Some((_, header)) = found else { return Ok(true) };
    // Compaction leaves gaps.
    let is_gap = header.base_offset > txn.first_offset;
    let is_its = header.base_offset == txn.first_offset
        && header.producer_id == txn.producer_id
        && header.attributes.is_transactional();
    Ok(is_gap || is_its)
}

fn has_abort_marker(
    segment: &Arc<Segment>,
    size: u32,
    txn: &AbortedTxn,
    floor: impl Fn(i64) -> fs::Result<u32>,
) -> Result<bool, ScanError> {
    if txn.last_offset < segment.base_offset {
        return Ok(false);
    }
    let file = segment.file(SegmentFile::Log)?;
    let position = floor(txn.last_offset)?.min(size);
    let found = Headers::new(&file, position, size).find(txn.last_offset)?;
    let Some((position, header)) = found else { return Ok(false) };
    let marker = read_marker(&file, position, &header, &mut Vec::new())?;
    let is_its = header.base_offset == txn.last_offset && header.producer_id == txn.producer_id;
    // If compaction removes a marker but has to keep its batch, it empties the batch.
    let is_emptied = header.attributes.is_control() && header.records_count == 0;
    Ok(is_its && (is_emptied || marker.is_some_and(|marker| !marker.commit)))
}

impl Segment {
    /// Whether the index of aborted transactions, which exists, holds only entries that can be right.
    pub(super) fn has_sound_txn_index(&self) -> fs::Result<bool> {
        let file = self.partition.directory.fs.open(&self.path(SegmentFile::TxnIndex), Mode::Read)?;
        let sound = txn_index::can_be_right(&file, i64::MAX)?.len() * txn_index::ENTRY_BYTES;
        Ok(file.len()? == sound as u64)
    }

    fn has_txn_index(&self) -> fs::Result<bool> {
        self.partition.directory.fs.exists(&self.path(SegmentFile::TxnIndex))
    }
}

/// Rebuilds the index of aborted transactions of the last of these segments from its markers below an offset.
/// It replaces an existing one in one step, and is durable: a file that exists is complete. If there is
/// neither a file nor such a marker, there is none afterwards.
pub(super) fn make_txn_index(
    segments: &[(Arc<Segment>, u32)],
    snapshots: &BTreeSet<i64>,
    below: i64,
    accept_damage: bool,
) -> Result<(), ScanError> {
    let last = &segments.last().expect("there is a segment").0;
    let first = segments[0].0.base_offset;
    let (from, mut state) = producers_at_or_before(&last.partition, snapshots, last.base_offset, first)?;
    let mut entries = Vec::new();
    let replayed = replay(segments, from..below, &mut state, |txn| {
        if txn.aborted && txn.last_offset >= last.base_offset {
            entries.extend(AbortedTxn::from(txn).to_bytes());
        }
    });
    match replayed {
        // The batches that follow are lost.
        Err(ScanError::Damaged(_)) if accept_damage => {}
        replayed => replayed?,
    }
    if !entries.is_empty() || last.has_txn_index()? {
        last.replace(SegmentFile::TxnIndex, &entries)?;
    }
    Ok(())
}

/// The producers at the newest snapshot at or below an offset, and its own offset.
pub(super) fn producers_at_or_before(
    partition: &PartitionDir,
    snapshots: &BTreeSet<i64>,
    offset: i64,
    first: i64,
) -> Result<(i64, ProducerState), ScanError> {
    for at in snapshots.range(..=offset).rev() {
        let path = offset_path(&partition.path(), *at, SNAPSHOT_SUFFIX);
        match snapshot::read(&partition.directory.fs, &path, *at) {
            Ok(snapshot) => return Ok((*at, snapshot.state)),
            Err(SnapshotError::Fs(error)) if !error.is_not_found() => return Err(error.into()),
            Err(_) => {}
        }
    }
    Ok((first, ProducerState::new(first)))
}
