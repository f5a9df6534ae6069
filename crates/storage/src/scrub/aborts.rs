//! Whether the index of aborted transactions has those that a segment shows.

use std::collections::BTreeSet;

use record::BatchHeader;

use super::{Fault, FaultReason, ScrubTarget};
use crate::fs::File;
use crate::names::{SNAPSHOT_SUFFIX, SegmentFile, offset_path};
use crate::producer_state::{Marker, snapshot};
use crate::scan::read_batch;
use crate::txn_index;

/// The aborted transactions that a segment shows: those with an abort marker in it, and with data in it or, according
/// to the producer snapshot at its start, before it. Compaction may have removed data before it, and the entry with it:
/// a marker that compaction finds without its data has a delete horizon from then on (KIP-534).
pub(super) struct Aborts {
    /// The offsets of the markers in the index; `None` if there is no index.
    entries: Option<BTreeSet<i64>>,
    /// Producers with data of a transaction that has not ended.
    open: BTreeSet<i64>,
    /// Producers with a transaction that was open when the segment began.
    open_before: BTreeSet<i64>,
    /// The first marker that has no entry.
    lost: Option<i64>,
    bytes: Vec<u8>,
}

impl Aborts {
    pub(super) fn new(segment: &ScrubTarget) -> Aborts {
        let file = segment.closed.segment.open_aside(SegmentFile::TxnIndex);
        let entries = file.and_then(|file| txn_index::read(&file)).ok();
        let entries = entries.map(|entries| entries.iter().map(|txn| txn.last_offset).collect());
        let open_before = open_at(segment).unwrap_or_default();
        Aborts { entries, open: BTreeSet::new(), open_before, lost: None, bytes: Vec::new() }
    }

    /// Takes a whole batch into account. Call it for all batches in their order.
    pub(super) fn batch(&mut self, file: &File, position: u32, header: &BatchHeader) {
        if !header.has_producer_id() {
            return;
        }
        if !header.attributes.is_control() {
            if header.attributes.is_transactional() && header.records_count > 0 {
                self.open.insert(header.producer_id);
            }
            return;
        }
        let was_open_before =
            self.open_before.remove(&header.producer_id) && header.delete_horizon_ms().is_none();
        let was_open = self.open.remove(&header.producer_id) || was_open_before;
        let is_known = self.entries.as_ref().is_some_and(|known| known.contains(&header.base_offset));
        if !was_open || is_known || self.lost.is_some() {
            return;
        }
        let Ok(batch) = read_batch(file, position, header, &mut self.bytes) else { return };
        if Marker::of(header, batch.bytes()).is_some_and(|marker| !marker.commit) {
            self.lost = Some(header.base_offset);
        }
    }

    /// The fault of the index.
    pub(super) fn end(self, segment: &ScrubTarget) -> Option<Fault> {
        let marker = self.lost?;
        let reason = match self.entries {
            None => FaultReason::Missing,
            Some(_) => FaultReason::Index(format!("the transaction that ends at offset {marker} is missing")),
        };
        let (path, offset) = (segment.path(SegmentFile::TxnIndex), segment.base_offset());
        Some(Fault { path, position: 0, offset, reason })
    }
}

/// The producers with an open transaction at the start of a segment; `None` if no snapshot has them.
fn open_at(segment: &ScrubTarget) -> Option<BTreeSet<i64>> {
    let (partition, base_offset) = (&segment.closed.segment.partition, segment.base_offset());
    let path = offset_path(&partition.path(), base_offset, SNAPSHOT_SUFFIX);
    let state = snapshot::read(&partition.directory.fs, &path, base_offset).ok()?.state;
    let open = state.producers().iter().filter(|(_, producer)| producer.txn_first_offset.is_some());
    Some(open.map(|(producer_id, _)| *producer_id).collect())
}
