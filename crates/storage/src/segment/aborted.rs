//! The aborted transactions of neighbouring segments.

use std::sync::Arc;

use super::{ClosedSegment, Segment};
use crate::fs;
use crate::names::SegmentFile;
use crate::txn_index::{self, AbortedTxn};

/// The aborted transactions that a `read_committed` consumer needs to read the offsets from `from` up to, not
/// including, `to`. The first of the segments is the one that has `from`.
pub(crate) fn aborted_transactions(
    closed: &[Arc<ClosedSegment>],
    active: &Arc<Segment>,
    from: i64,
    to: i64,
) -> fs::Result<Vec<AbortedTxn>> {
    let mut aborted = Vec::new();
    for segment in closed.iter().map(|closed| &closed.segment).chain([active]) {
        let Some(file) = segment.file_if_exists(SegmentFile::TxnIndex)? else { continue };
        for txn in txn_index::read(&file)? {
            if txn.last_offset >= from && txn.first_offset < to {
                aborted.push(txn);
            }
            if txn.last_stable_offset >= to {
                return Ok(aborted);
            }
        }
    }
    Ok(aborted)
}
