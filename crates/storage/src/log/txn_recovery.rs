//! The index of aborted transactions after a crash, and where it is lost.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::active::Active;
use super::recovery::read_marker;
use super::snapshot_completion::replay;
use crate::fs::{self, Mode};
use crate::names::{SNAPSHOT_SUFFIX, SegmentFile, offset_path};
use crate::producer_state::ProducerState;
use crate::producer_state::snapshot::{self, SnapshotError};
use crate::scan::{Headers, ScanError};
use crate::segment::{PartitionDir, Segment};
use crate::txn_index::{self, AbortedTxn};

impl Active {
    /// Cuts the entries whose marker is at `below` or above, and what a crash left after them. An
    /// entry that is torn within an offset may look like any other: the last that stays has its
    /// marker in the part of the log that was walked so far, and what was written before it is whole. Says whether
    /// all that was cut are entries of markers at `below` or above, which are made again one by one; where they are
    /// not it cuts nothing.
    pub(super) fn cut_txn_index(&self, below: i64) -> Result<bool, ScanError> {
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
        self.segment.file_to_write(SegmentFile::TxnIndex)?;
        file.truncate((keep.len() * txn_index::ENTRY_BYTES) as u64)?;
        self.segment.written(SegmentFile::TxnIndex, &file)?;
        Ok(true)
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

    fn has_txn_index(&self) -> fs::Result<bool> {
        self.partition.directory.fs.exists(&self.path(SegmentFile::TxnIndex))
    }
}

/// Makes the index of aborted transactions of the last of these segments anew, from its markers below an offset. It
/// takes the place of what is there in one step, and is durable: a file that is there is whole. Where there is neither
/// a file nor such a marker there is none afterwards.
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
        // What follows is lost.
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
