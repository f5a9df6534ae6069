//! Comparing an index with the batches of its segment.

use std::collections::BTreeMap;
use std::path::Path;

use record::BatchHeader;

use super::{FileKind, IndexEntries, IndexEntry};
use crate::fs::{self, Fs};
use crate::txn_index::AbortedTxn;

/// An index that is followed along the batches of its segment. Only its first fault is reported: mending that mends
/// all.
#[derive(Debug)]
pub struct IndexCheck {
    entries: IndexEntries,
    /// The next entry to compare, and its position.
    due: Option<(u64, IndexEntry)>,
    /// The greatest timestamp of the batches so far.
    max_timestamp: i64,
    /// The starts of the open transactions in the segment so far, by producer. For an index of aborted
    /// transactions only.
    open: BTreeMap<i64, i64>,
    fault: Option<IndexFault>,
}

/// A fault in an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexFault {
    /// Its position in the file, in bytes.
    pub position: u64,
    /// The fault, as a sentence without its full stop.
    pub what: String,
}

impl IndexCheck {
    /// Opens an index of the segment with this base offset.
    ///
    /// # Errors
    /// The file system's error.
    ///
    /// # Panics
    /// If the kind is not that of an index.
    pub fn open(fs: &Fs, path: &Path, kind: FileKind, base_offset: i64) -> fs::Result<IndexCheck> {
        Ok(IndexCheck::of(IndexEntries::open(fs, path, kind, base_offset)?))
    }

    /// The check of an index that is open.
    pub(crate) fn of(entries: IndexEntries) -> IndexCheck {
        let mut check =
            IndexCheck { entries, due: None, max_timestamp: -1, open: BTreeMap::new(), fault: None };
        check.advance();
        check
    }

    /// The length of its file in bytes.
    pub(crate) fn size_bytes(&self) -> u64 {
        self.entries.size_bytes()
    }

    /// Compares the entries of a batch with it. Batches come in their order.
    pub fn batch(&mut self, position: u64, header: &BatchHeader) {
        self.compare(position, header);
        if self.entries.kind != FileKind::TxnIndex || !header.has_producer_id() {
            return;
        }
        if header.attributes.is_control() {
            self.open.remove(&header.producer_id);
        } else if header.attributes.is_transactional() {
            self.open.entry(header.producer_id).or_insert(header.base_offset);
        }
    }

    fn compare(&mut self, position: u64, header: &BatchHeader) {
        let before = self.max_timestamp;
        self.max_timestamp = before.max(header.max_timestamp);
        while let Some((at, entry)) = self.due {
            match entry {
                IndexEntry::Offset { position: to, .. } if to > position => return,
                // One entry may stand for several batches that were appended together, with the position of the first
                // and the offset of the last.
                IndexEntry::Offset { offset, position: to }
                    if to < position || offset < header.base_offset =>
                {
                    return self.fault(at, format!("no batch up to offset {offset} starts at {to}"));
                }
                IndexEntry::Time { offset, .. } if offset > header.last_offset() => return,
                // A search starts at the offset of the last entry that is not above its timestamp.
                IndexEntry::Time { timestamp, offset }
                    if timestamp < before || timestamp > self.max_timestamp =>
                {
                    let what = format!("{timestamp} is not the greatest timestamp up to offset {offset}");
                    return self.fault(at, what);
                }
                IndexEntry::Txn(txn) if txn.last_offset > header.last_offset() => return,
                IndexEntry::Txn(txn)
                    if txn.first_offset >= txn.last_offset
                        || (header.base_offset, header.producer_id) != (txn.last_offset, txn.producer_id)
                        || !header.attributes.is_control() =>
                {
                    return self.fault(at, "the entry is not of a transaction that is aborted here");
                }
                // Readers would see data of the transaction before its entry.
                IndexEntry::Txn(txn)
                    if self.open.get(&txn.producer_id).is_some_and(|at| *at < txn.first_offset) =>
                {
                    return self.fault(at, "the entry starts after its transaction");
                }
                // A reader would stop here and miss later entries.
                IndexEntry::Txn(txn) if txn.last_stable_offset > self.stable_at(&txn) => {
                    return self.fault(at, "the entry's last stable offset is too high");
                }
                _ => {}
            }
            self.advance();
        }
    }

    /// The highest possible last stable offset once a transaction is over.
    fn stable_at(&self, txn: &AbortedTxn) -> i64 {
        let others = self.open.iter().filter(|(producer_id, _)| **producer_id != txn.producer_id);
        others.map(|(_, first_offset)| *first_offset).min().unwrap_or(i64::MAX).min(txn.last_offset + 1)
    }

    /// Checks the rest of the index after the last batch, which ends before `next_offset`. Returns the first fault of
    /// the index.
    pub fn end(mut self, next_offset: i64) -> Option<IndexFault> {
        if let Some((at, _)) = self.due {
            let what = format!("the entry is beyond the end of the segment, offset {next_offset}");
            self.fault(at, what);
        }
        match self.entries.trailing_bytes() {
            0 => {}
            bytes => self.fault(0, format!("{bytes} bytes at the end are no entry")),
        }
        self.fault
    }

    fn fault(&mut self, position: u64, what: impl Into<String>) {
        self.fault.get_or_insert_with(|| IndexFault { position, what: what.into() });
        self.due = None;
    }

    fn advance(&mut self) {
        let last = self.due.take();
        match self.entries.next_entry() {
            Ok(due) => self.due = due,
            Err(error) => return self.fault(0, error.to_string()),
        }
        if let (Some((_, last)), Some((at, next))) = (last, self.due)
            && !next.follows(last)
        {
            self.fault(at, "the entry is not above the one before it");
        }
    }
}
