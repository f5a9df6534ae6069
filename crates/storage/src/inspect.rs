//! Reading the files of a log directory one by one, to show what they hold.
//!
//! Nothing is changed, no lock is taken, and damage does not end the reading: it is reported with its position, and
//! reading continues at the next whole batch. Memory holds one batch, or one page of an index, at a time.

use std::path::Path;

use record::{BATCH_OVERHEAD, Batch, BatchError, BatchHeader};

use crate::fs::{self, File, Fs, Mode};
use crate::names::{SNAPSHOT_SUFFIX, SegmentFile};
use crate::offset_index::{self, OffsetEntry};
use crate::producer_state::snapshot::{self, SnapshotError};
use crate::scan::only_zeros_from;
use crate::time_index::{self, TimeEntry};
use crate::txn_index::{self, AbortedTxn};

/// The least bytes that a batch of any format has.
const MESSAGE_BYTES_MIN: usize = 26;
/// Bytes that are searched at a time for a batch after damage.
const SEARCH_BYTES: usize = 1 << 20;

/// Bytes of an index that are read at a time.
const PAGE_BYTES: u64 = 4096;

/// The kind of a file of a log directory, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// Record batches: a segment, or a snapshot of the metadata.
    Batches,
    /// Offset to position.
    OffsetIndex,
    /// Timestamp to offset.
    TimeIndex,
    /// Aborted transactions.
    TxnIndex,
    /// The producers of a partition.
    ProducerSnapshot,
    /// Lines of text: checkpoints, properties.
    Text,
}

impl FileKind {
    /// The kind of a file of this name; `None` if it is of no such kind. A file that is being written, replaced or
    /// deleted is of the kind that it was or will be.
    pub fn of(name: &str) -> Option<FileKind> {
        let plain = [".deleted", ".cleaned", ".swap", ".part", ".tmp"]
            .iter()
            .find_map(|suffix| name.strip_suffix(suffix))
            .unwrap_or(name);
        let ends = |kind: SegmentFile| plain.ends_with(kind.suffix());
        Some(if ends(SegmentFile::Log) || plain.ends_with(".checkpoint") {
            FileKind::Batches
        } else if ends(SegmentFile::OffsetIndex) {
            FileKind::OffsetIndex
        } else if ends(SegmentFile::TimeIndex) {
            FileKind::TimeIndex
        } else if ends(SegmentFile::TxnIndex) {
            FileKind::TxnIndex
        } else if plain.ends_with(SNAPSHOT_SUFFIX) {
            FileKind::ProducerSnapshot
        } else if plain.ends_with("-checkpoint")
            || ["meta.properties", "partition.metadata", "quorum-state", ".kafka_cleanshutdown"]
                .contains(&plain)
        {
            FileKind::Text
        } else {
            return None;
        })
    }
}

/// A region of a file of batches.
#[derive(Debug)]
pub enum Region<'a> {
    /// A whole batch, and whether its checksum is right.
    Batch(Batch<'a>, Result<(), BatchError>),
    /// Bytes that are no batch, up to the next one or the end of the file.
    Damage {
        /// The fault of the first of them.
        error: BatchError,
        /// The number of bytes.
        bytes: u64,
    },
    /// Zeros up to the end of the file: space that was allocated ahead of the records (`log.preallocate`), and that a
    /// killed process has not returned. No record was there.
    Zeros {
        /// The number of bytes.
        bytes: u64,
    },
}

/// The batches of a file, and the regions between them.
#[derive(Debug)]
pub struct Batches {
    file: File,
    position: u64,
    end: u64,
    bytes: Vec<u8>,
}

impl Batches {
    /// Opens a file of batches.
    ///
    /// # Errors
    /// The file system's error.
    pub fn open(fs: &Fs, path: &Path) -> fs::Result<Batches> {
        let file = fs.open(path, Mode::Read)?;
        let end = file.len()?;
        Ok(Batches { file, position: 0, end, bytes: Vec::new() })
    }

    /// The next region and its position; `None` at the end of the file.
    ///
    /// # Errors
    /// The file system's error.
    pub fn next_region(&mut self) -> fs::Result<Option<(u64, Region<'_>)>> {
        if self.position >= self.end {
            return Ok(None);
        }
        let position = self.position;
        match self.load(position)? {
            Ok(len) => {
                self.position += len as u64;
                let batch = Batch::parse_stored(&self.bytes).expect("it has just been parsed");
                let checked = batch.verify_crc();
                Ok(Some((position, Region::Batch(batch, checked))))
            }
            Err(BatchError::Length(0)) if only_zeros_from(&self.file, position)? => {
                self.position = self.end;
                Ok(Some((position, Region::Zeros { bytes: self.end - position })))
            }
            Err(error) => {
                self.position = self.search(position + 1)?;
                Ok(Some((position, Region::Damage { error, bytes: self.position - position })))
            }
        }
    }

    /// Loads the batch at a position into the buffer and returns its length.
    fn load(&mut self, position: u64) -> fs::Result<Result<usize, BatchError>> {
        let left = usize::try_from(self.end - position).unwrap_or(usize::MAX);
        let mut head = [0; BATCH_OVERHEAD];
        let read = self.file.read_at(&mut head[..BATCH_OVERHEAD.min(left)], position)?;
        let header = match BatchHeader::parse_stored(&head[..read]) {
            Ok(header) => header,
            Err(error) => return Ok(Err(error)),
        };
        let need_bytes = header.size_bytes();
        if need_bytes > left {
            return Ok(Err(BatchError::Truncated { have_bytes: left, need_bytes }));
        }
        self.bytes.resize(need_bytes, 0);
        let read = self.file.read_at(&mut self.bytes, position)?;
        if read < need_bytes {
            return Ok(Err(BatchError::Truncated { have_bytes: read, need_bytes }));
        }
        Ok(Ok(need_bytes))
    }

    /// The position of the next batch whose checksum is right, or the end of the file.
    fn search(&mut self, mut from: u64) -> fs::Result<u64> {
        let mut chunk = vec![0; SEARCH_BYTES];
        while from < self.end {
            let read = self.file.read_at(&mut chunk, from)?;
            let Some(last) = read.checked_sub(MESSAGE_BYTES_MIN) else { break };
            for start in 0..=last {
                let may_be = BatchHeader::parse_stored(&chunk[start..read]).is_ok_and(|header| {
                    header.base_offset >= 0 && header.last_offset_delta >= 0 && header.records_count >= -1
                });
                let position = from + start as u64;
                if may_be && self.load(position)?.is_ok() {
                    let batch = Batch::parse_stored(&self.bytes).expect("it has just been parsed");
                    if batch.verify_crc().is_ok() {
                        return Ok(position);
                    }
                }
            }
            from += last as u64 + 1;
        }
        Ok(self.end)
    }

    /// The offset of the last record of the batch at a position; `None` if none starts there.
    ///
    /// # Errors
    /// The file system's error.
    pub fn last_offset_at(&self, position: u64) -> fs::Result<Option<i64>> {
        let mut head = [0; BATCH_OVERHEAD];
        let read = self.file.read_at(&mut head, position)?;
        Ok(BatchHeader::parse_stored(&head[..read]).ok().map(|header| header.last_offset()))
    }
}

/// An entry of an index, with offsets counted from the base offset that the caller knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IndexEntry {
    /// Of an offset index: the last offset of a batch, and its position.
    Offset {
        /// The offset.
        offset: i64,
        /// The position in the segment, in bytes.
        position: u64,
    },
    /// Of a time index: the greatest timestamp so far, and the offset that has it.
    Time {
        /// In ms since the epoch.
        timestamp: i64,
        /// The offset.
        offset: i64,
    },
    /// Of a transaction index.
    Txn(AbortedTxn),
}

impl IndexEntry {
    /// Whether an index may have this entry right after `last`: entries rise.
    pub fn follows(self, last: IndexEntry) -> bool {
        match (last, self) {
            (
                IndexEntry::Offset { offset: last, position: from },
                IndexEntry::Offset { offset: next, position: to },
            ) => next > last && to > from,
            (
                IndexEntry::Time { timestamp: last, offset: from },
                IndexEntry::Time { timestamp: next, offset: to },
            ) => next > last && to >= from,
            (IndexEntry::Txn(last), IndexEntry::Txn(next)) => next.last_offset > last.last_offset,
            _ => false,
        }
    }
}

/// The entries of an index, in the order of the file.
#[derive(Debug)]
pub struct IndexEntries {
    file: File,
    kind: FileKind,
    base_offset: i64,
    position: u64,
    end: u64,
    /// The last page read.
    page: Vec<u8>,
    /// The used bytes of it.
    used: usize,
}

impl IndexEntries {
    /// Opens an index of the segment with this base offset.
    ///
    /// # Errors
    /// The file system's error.
    ///
    /// # Panics
    /// If the kind is not that of an index.
    pub fn open(fs: &Fs, path: &Path, kind: FileKind, base_offset: i64) -> fs::Result<IndexEntries> {
        IndexEntries::of(fs.open(path, Mode::Read)?, kind, base_offset)
    }

    /// The entries of an index that is open.
    pub(crate) fn of(file: File, kind: FileKind, base_offset: i64) -> fs::Result<IndexEntries> {
        entry_bytes(kind);
        let end = file.len()?;
        Ok(IndexEntries { file, kind, base_offset, position: 0, end, page: Vec::new(), used: 0 })
    }

    /// The next entry, and its position in the file.
    ///
    /// # Errors
    /// The file system's error.
    pub fn next_entry(&mut self) -> fs::Result<Option<(u64, IndexEntry)>> {
        let (position, len) = (self.position, entry_bytes(self.kind));
        if position + len as u64 > self.end {
            return Ok(None);
        }
        if self.used == self.page.len() {
            let entries = (self.end - position).min(PAGE_BYTES) as usize / len;
            self.page.resize(entries * len, 0);
            self.used = self.page.len();
            self.file.read_exact_at(&mut self.page, position)?;
            self.used = 0;
        }
        let mut bytes = [0; txn_index::ENTRY_BYTES];
        bytes[..len].copy_from_slice(&self.page[self.used..self.used + len]);
        self.used += len;
        self.position += len as u64;
        let entry = match self.kind {
            FileKind::OffsetIndex => {
                let bytes = *bytes.first_chunk().expect("the buffer is longer");
                let OffsetEntry { relative_offset, position } = OffsetEntry::from_bytes(bytes);
                let offset = self.base_offset.saturating_add(i64::from(relative_offset));
                IndexEntry::Offset { offset, position: u64::from(position) }
            }
            FileKind::TimeIndex => {
                let bytes = *bytes.first_chunk().expect("the buffer is longer");
                let TimeEntry { timestamp, relative_offset } = TimeEntry::from_bytes(bytes);
                let offset = self.base_offset.saturating_add(i64::from(relative_offset));
                IndexEntry::Time { timestamp, offset }
            }
            _ => IndexEntry::Txn(AbortedTxn::from_bytes(&bytes)),
        };
        Ok(Some((position, entry)))
    }

    /// Whether only zeros follow from the entry at a position on, and there are several of them: space that
    /// Kafka allocates ahead, and that a killed process has not returned.
    ///
    /// # Errors
    /// The file system's error.
    pub fn only_zeros_from(&self, position: u64) -> fs::Result<bool> {
        let is_room = position > 0 || self.end >= 2 * entry_bytes(self.kind) as u64;
        // Most entries are not zero, which a first small read shows.
        let mut entry = [1; txn_index::ENTRY_BYTES];
        let read = self.file.read_at(&mut entry[..entry_bytes(self.kind)], position)?;
        let is_zero = entry[..read].iter().all(|byte| *byte == 0);
        Ok(is_room && is_zero && only_zeros_from(&self.file, position)?)
    }

    /// The length of its file in bytes.
    pub fn size_bytes(&self) -> u64 {
        self.end
    }

    /// Bytes at the end that are less than an entry.
    pub fn trailing_bytes(&self) -> u64 {
        self.end % entry_bytes(self.kind) as u64
    }
}

fn entry_bytes(kind: FileKind) -> usize {
    match kind {
        FileKind::OffsetIndex => offset_index::ENTRY_BYTES,
        FileKind::TimeIndex => time_index::ENTRY_BYTES,
        FileKind::TxnIndex => txn_index::ENTRY_BYTES,
        other => panic!("{other:?} is no index"),
    }
}

/// A producer as a snapshot has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotProducer {
    /// Its id.
    pub producer_id: i64,
    /// Its epoch.
    pub producer_epoch: i16,
    /// The epoch of the coordinator that wrote its last marker; -1 if there is none.
    pub coordinator_epoch: i32,
    /// The time of its last write, in ms since the epoch.
    pub last_timestamp: i64,
    /// The start of its open transaction.
    pub current_txn_first_offset: Option<i64>,
    /// The last sequence number and offset that it wrote; `None` if only a marker is known.
    pub last_batch: Option<(i32, i64)>,
}

/// The producers in a snapshot; the inner error is the reason why its bytes are not a snapshot.
///
/// # Errors
/// The file system's error.
pub fn read_producers(fs: &Fs, path: &Path) -> fs::Result<Result<Vec<SnapshotProducer>, &'static str>> {
    let snapshot = match snapshot::read(fs, path, 0) {
        Ok(snapshot) => snapshot,
        Err(SnapshotError::Fs(error)) => return Err(error),
        Err(SnapshotError::Corrupt(reason)) => return Ok(Err(reason)),
    };
    let producers = snapshot.state.producers().iter().map(|(producer_id, producer)| SnapshotProducer {
        producer_id: *producer_id,
        producer_epoch: producer.epoch,
        coordinator_epoch: producer.coordinator_epoch,
        last_timestamp: producer.last_timestamp,
        current_txn_first_offset: producer.txn_first_offset,
        last_batch: producer.batches().last().map(|batch| (batch.last_sequence, batch.last_offset)),
    });
    Ok(Ok(producers.collect()))
}

pub use index_check::{IndexCheck, IndexFault};
pub use text::{base_offset_of, read_leader_epochs, read_meta_properties, read_topic_id};

mod index_check;
mod text;

#[cfg(test)]
mod tests;
