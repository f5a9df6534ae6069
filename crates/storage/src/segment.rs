//! The files of one segment.

mod aborted;
mod active;
mod closed_list;
mod expiry;
mod open_files;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;

use crate::directory::DirectoryState;
use crate::fs::{self, File, Mode};
use crate::index_file;
use crate::names::{DELETED_SUFFIX, SWAP_SUFFIX, SegmentFile, TopicPartition, offset_path};
use crate::offset_index::OffsetEntry;
use crate::scan::checked_floor;
use crate::time_index::TimeEntry;

pub(crate) use aborted::aborted_transactions;
pub(crate) use active::ActiveSegment;
pub(crate) use closed_list::ClosedList;
pub(crate) use open_files::OpenFiles;

/// The directory of one partition.
#[derive(Debug)]
pub(crate) struct PartitionDir {
    /// Shared with what the log directory knows of the partition.
    pub(crate) name: Arc<TopicPartition>,
    pub(crate) directory: Arc<DirectoryState>,
}

impl PartitionDir {
    /// The path, built from the names each time: there are many partitions, and few files are opened.
    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path.join(self.name.to_string())
    }
}

/// A segment: its name, and its open files.
///
/// Files are opened when they are first needed and closed when too many are open; see
/// [`open_files`].
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) partition: Arc<PartitionDir>,
    pub(crate) base_offset: i64,
    slots: Slots,
    /// Whether compaction has replaced it: another segment has its name then.
    replaced: AtomicBool,
    /// Whether its files still have the suffix `.swap`: compaction has just put it in the place of others.
    named_swap: AtomicBool,
}

/// The files by kind. `None` if no file is open: most segments are idle.
type Slots = Mutex<Option<Box<[Slot; 4]>>>;

#[derive(Debug, Default)]
struct Slot {
    file: Option<File>,
    /// Whether it was used since the last look at it: it stays open a while longer then.
    used: bool,
    /// Whether the file is known not to exist. Every fetch of a `read_committed` consumer asks for the index of aborted
    /// transactions, which most segments do not have.
    absent: bool,
    /// Whether it was written since it was last synced. It is synced before it is closed, because the error of a
    /// write-back after that would be lost.
    unsynced: bool,
}

/// The outcome of closing a file to free a descriptor.
pub(crate) enum Eviction {
    /// It is closed.
    Closed,
    /// It was used lately.
    Used,
    /// It has to be synced first.
    Unsynced,
}

impl Segment {
    pub(crate) fn new(partition: Arc<PartitionDir>, base_offset: i64) -> Arc<Segment> {
        Segment::with_slots(partition, base_offset, Slots::default())
    }

    /// A segment some of whose files are open and not synced.
    pub(crate) fn with_unsynced(
        partition: Arc<PartitionDir>,
        base_offset: i64,
        files: [Option<File>; 4],
    ) -> Arc<Segment> {
        let open = |file: Option<File>| Slot { unsynced: file.is_some(), used: true, absent: false, file };
        Segment::with_slots(partition, base_offset, Mutex::new(Some(Box::new(files.map(open)))))
    }

    fn with_slots(partition: Arc<PartitionDir>, base_offset: i64, slots: Slots) -> Arc<Segment> {
        let (replaced, named_swap) = (false.into(), false.into());
        Arc::new(Segment { partition, base_offset, slots, replaced, named_swap })
    }

    /// The path of the file of that kind, as it is called now.
    pub(crate) fn path(&self, kind: SegmentFile) -> PathBuf {
        self.path_with(kind, if self.named_swap.load(Ordering::Acquire) { SWAP_SUFFIX } else { "" })
    }

    /// The path of the file of that kind while it has a suffix behind its name.
    pub(crate) fn path_with(&self, kind: SegmentFile, suffix: &str) -> PathBuf {
        let mut path = offset_path(&self.partition.path(), self.base_offset, kind.suffix()).into_os_string();
        path.push(suffix);
        path.into()
    }

    /// Notes that its files have the suffix `.swap`.
    pub(crate) fn set_named_swap(&self) {
        self.named_swap.store(true, Ordering::Release);
    }

    /// Renames files with the suffix `.swap` to their own names.
    pub(crate) fn take_names(&self) -> fs::Result<()> {
        // Under the lock nobody opens a file by a name that is about to change.
        let _slots = self.slots.lock();
        let fs = &self.partition.directory.fs;
        for kind in SegmentFile::ALL {
            let (from, to) = (self.path_with(kind, SWAP_SUFFIX), self.path_with(kind, ""));
            match fs.rename(&from, &to) {
                // Most segments have no index of aborted transactions.
                Err(error) if error.is_not_found() && kind == SegmentFile::TxnIndex => {}
                renamed => renamed?,
            }
        }
        self.named_swap.store(false, Ordering::Release);
        Ok(())
    }

    /// The file of that kind, opened if it is not.
    pub(crate) fn file(self: &Arc<Self>, kind: SegmentFile) -> fs::Result<File> {
        self.get(kind, Mode::Write, false)
    }

    /// The same; `None` if the file does not exist.
    pub(crate) fn file_if_exists(self: &Arc<Self>, kind: SegmentFile) -> fs::Result<Option<File>> {
        if self.slots.lock().as_ref().is_some_and(|slots| slots[kind as usize].absent) {
            return Ok(None);
        }
        match self.file(kind) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The same, to be written: until the next sync it counts as unsynced.
    pub(crate) fn file_to_write(self: &Arc<Self>, kind: SegmentFile) -> fs::Result<File> {
        self.get(kind, Mode::Write, true)
    }

    /// The same, created if it does not exist.
    pub(crate) fn create(self: &Arc<Self>, kind: SegmentFile) -> fs::Result<File> {
        self.get(kind, Mode::Create, true)
    }

    fn get(self: &Arc<Self>, kind: SegmentFile, mode: Mode, to_write: bool) -> fs::Result<File> {
        let file = {
            let mut slots = self.slots.lock();
            let slot = &mut slots.get_or_insert_default()[kind as usize];
            slot.used = true;
            slot.unsynced |= to_write;
            if let Some(file) = &slot.file {
                return Ok(file.clone());
            }
            self.check_not_replaced(kind)?;
            let file = self.partition.directory.fs.open(&self.path(kind), mode);
            slot.file = file.as_ref().ok().cloned();
            slot.absent = file.as_ref().is_err_and(fs::Error::is_not_found);
            drop_slots_if_closed(&mut slots);
            file?
        };
        self.partition.directory.open_files.opened(self, kind)?;
        Ok(file)
    }

    /// Notes that the file was written that [`Segment::file_to_write`] or [`Segment::create`] returned. It counted as
    /// unsynced before, but a sync in between did not cover the write, and may have let the file be closed.
    pub(crate) fn written(self: &Arc<Self>, kind: SegmentFile, file: &File) -> fs::Result<()> {
        let was_closed = {
            let mut slots = self.slots.lock();
            let slot = &mut slots.get_or_insert_default()[kind as usize];
            slot.unsynced = true;
            slot.absent = false;
            slot.file.replace(file.clone()).is_none()
        };
        if was_closed { self.partition.directory.open_files.opened(self, kind) } else { Ok(()) }
    }

    fn check_not_replaced(&self, kind: SegmentFile) -> fs::Result<()> {
        if !self.replaced.load(Ordering::Acquire) {
            return Ok(());
        }
        let source = std::io::ErrorKind::NotFound.into();
        Err(fs::Error { operation: fs::Operation::Open, path: self.path(kind), source })
    }

    /// Opens the file of that kind a second time, to be read in the background.
    pub(crate) fn open_aside(&self, kind: SegmentFile) -> fs::Result<File> {
        // Under the lock its name does not change.
        let _slots = self.slots.lock();
        self.check_not_replaced(kind)?;
        self.partition.directory.fs.open_aside(&self.path(kind))
    }

    /// Syncs the file of that kind if it was written since the last sync.
    pub(crate) fn sync(self: &Arc<Self>, kind: SegmentFile) -> fs::Result<()> {
        let file = {
            let mut slots = self.slots.lock();
            let Some(slot) = slots.as_mut().map(|slots| &mut slots[kind as usize]) else { return Ok(()) };
            if !slot.unsynced {
                return Ok(());
            }
            // Bytes written from here on are for the next sync.
            slot.unsynced = false;
            slot.file.clone()
        };
        // An unsynced file stays open, unless the first attempt to open it failed.
        file.map_or(Ok(()), |file| file.sync_data())
    }

    /// Closes the file of that kind if that is possible.
    pub(crate) fn evict(&self, kind: SegmentFile) -> Eviction {
        let mut slots = self.slots.lock();
        let Some(slot) = slots.as_mut().map(|slots| &mut slots[kind as usize]) else {
            return Eviction::Closed;
        };
        if slot.used {
            slot.used = false;
            return Eviction::Used;
        }
        if slot.unsynced {
            return Eviction::Unsynced;
        }
        slot.file = None;
        drop_slots_if_closed(&mut slots);
        Eviction::Closed
    }

    /// Closes the files that need no sync: nobody may want them for long.
    pub(crate) fn close_synced(&self) {
        let mut slots = self.slots.lock();
        for slot in slots.iter_mut().flat_map(|slots| &mut **slots) {
            if !slot.unsynced {
                slot.file = None;
            }
        }
        drop_slots_if_closed(&mut slots);
    }

    /// Replaces the file of that kind in one step, durably.
    pub(crate) fn replace(&self, kind: SegmentFile, bytes: &[u8]) -> fs::Result<()> {
        let mut slots = self.slots.lock();
        self.partition.directory.fs.replace(&self.path(kind), bytes)?;
        if let Some(slots) = &mut *slots {
            slots[kind as usize] = Slot::default();
        }
        drop_slots_if_closed(&mut slots);
        Ok(())
    }

    /// Closes all files: their names are about to change.
    pub(crate) fn close(&self) {
        *self.slots.lock() = None;
    }

    /// Marks the segment as replaced, so that it opens no more files: their names belong to another segment. Holders of
    /// open files keep them.
    pub(crate) fn replaced(&self) {
        self.replaced.store(true, Ordering::Release);
        self.close();
    }

    /// Creates the three files that every segment has if they are missing, and leaves them closed: until they
    /// are written there is nothing to sync, and most partitions are idle.
    pub(crate) fn touch_files(&self) -> fs::Result<()> {
        for kind in [SegmentFile::Log, SegmentFile::OffsetIndex, SegmentFile::TimeIndex] {
            self.partition.directory.fs.open(&self.path(kind), Mode::Create)?;
        }
        Ok(())
    }

    /// Whether a file was written since it was last synced.
    pub(crate) fn has_unsynced(&self) -> bool {
        self.slots.lock().as_ref().is_some_and(|slots| slots.iter().any(|slot| slot.unsynced))
    }

    /// Creates the three files that every segment has, empty.
    pub(crate) fn create_files(self: &Arc<Self>) -> fs::Result<()> {
        let fs = &self.partition.directory.fs;
        for kind in [SegmentFile::Log, SegmentFile::OffsetIndex, SegmentFile::TimeIndex] {
            fs.remove_file_if_exists(&self.path(kind))?;
            self.create(kind)?;
        }
        fs.remove_file_if_exists(&self.path(SegmentFile::TxnIndex)).map(|_| ())
    }

    /// Renames the files to their `.deleted` names.
    pub(crate) fn rename_deleted(&self) -> fs::Result<()> {
        self.close();
        for kind in SegmentFile::ALL {
            rename_deleted(&self.partition, &self.path(kind))?;
        }
        Ok(())
    }
}

/// Drops the slots if no file is open.
fn drop_slots_if_closed(slots: &mut Option<Box<[Slot; 4]>>) {
    if slots.as_ref().is_some_and(|slots| slots.iter().all(|slot| slot.file.is_none())) {
        *slots = None;
    }
}

/// Renames a file to its `.deleted` name if it exists.
pub(crate) fn rename_deleted(partition: &PartitionDir, path: &Path) -> fs::Result<()> {
    match partition.directory.fs.rename(path, &deleted_path(path)) {
        Err(e) if !e.is_not_found() => Err(e),
        _ => Ok(()),
    }
}

pub(crate) fn deleted_path(path: &Path) -> PathBuf {
    let mut deleted = path.as_os_str().to_owned();
    deleted.push(DELETED_SUFFIX);
    deleted.into()
}

/// The greatest timestamp of a segment, and the last offset of the batch that has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MaxTimestamp {
    /// In ms since the epoch; -1 if no batch has one.
    pub(crate) timestamp: i64,
    pub(crate) offset: i64,
}

/// A segment that takes no more batches.
#[derive(Debug)]
pub(crate) struct ClosedSegment {
    pub(crate) segment: Arc<Segment>,
    /// Bytes of batches.
    pub(crate) size: u32,
    max_timestamp: OnceLock<MaxTimestamp>,
    /// The time that retention compares, once it is confirmed.
    retention_timestamp: OnceLock<i64>,
}

impl ClosedSegment {
    pub(crate) fn new(
        segment: Arc<Segment>,
        size: u32,
        max_timestamp: Option<MaxTimestamp>,
    ) -> ClosedSegment {
        let known = OnceLock::new();
        if let Some(max_timestamp) = max_timestamp {
            known.set(max_timestamp).expect("it is new");
        }
        ClosedSegment { segment, size, max_timestamp: known, retention_timestamp: OnceLock::new() }
    }

    pub(crate) fn base_offset(&self) -> i64 {
        self.segment.base_offset
    }

    /// The same segment in another directory.
    pub(crate) fn moved_to(&self, partition: &Arc<PartitionDir>) -> ClosedSegment {
        let segment = Segment::new(partition.clone(), self.base_offset());
        ClosedSegment::new(segment, self.size, self.max_timestamp.get().copied())
    }

    /// The position to start looking for `offset` from: at or before the batch that has it.
    pub(crate) fn floor_position(&self, offset: i64) -> fs::Result<u32> {
        let Some(relative) = offset.checked_sub(self.base_offset()).and_then(|r| u32::try_from(r).ok())
        else {
            return Ok(0);
        };
        let file = self.segment.file(SegmentFile::OffsetIndex)?;
        let entries = index_file::entries_in::<{ crate::offset_index::ENTRY_BYTES }>(&file)?;
        let not_above = |entry: &_| OffsetEntry::from_bytes(*entry).relative_offset <= relative;
        let entry = index_file::floor(&file, entries, not_above)?;
        let Some(entry) = entry.map(OffsetEntry::from_bytes) else { return Ok(0) };
        checked_floor(&self.segment.file(SegmentFile::Log)?, entry.position, self.size, offset)
    }

    /// The last time index entry that is at or before `timestamp`.
    pub(crate) fn time_floor(&self, timestamp: i64) -> fs::Result<Option<TimeEntry>> {
        let file = self.segment.file(SegmentFile::TimeIndex)?;
        let entries = index_file::entries_in::<{ crate::time_index::ENTRY_BYTES }>(&file)?;
        let not_above = |entry: &_| TimeEntry::from_bytes(*entry).timestamp <= timestamp;
        Ok(index_file::floor(&file, entries, not_above)?.map(TimeEntry::from_bytes))
    }

    /// The greatest timestamp or, if no batch has one, the time of the last write.
    pub(crate) fn largest_timestamp(&self) -> fs::Result<i64> {
        match self.max_timestamp()?.timestamp {
            record::NO_TIMESTAMP => self.segment.file(SegmentFile::Log)?.modified_ms(),
            timestamp => Ok(timestamp),
        }
    }

    /// The greatest timestamp, which closing a segment puts into its time index.
    pub(crate) fn max_timestamp(&self) -> fs::Result<MaxTimestamp> {
        if let Some(known) = self.max_timestamp.get() {
            return Ok(*known);
        }
        let file = self.segment.file(SegmentFile::TimeIndex)?;
        let max = match index_file::entries_in::<{ crate::time_index::ENTRY_BYTES }>(&file)? {
            0 => MaxTimestamp { timestamp: record::NO_TIMESTAMP, offset: self.base_offset() },
            n => {
                let entry = TimeEntry::from_bytes(index_file::entry_at(&file, n - 1)?);
                let offset = self.base_offset() + i64::from(entry.relative_offset);
                MaxTimestamp { timestamp: entry.timestamp, offset }
            }
        };
        Ok(*self.max_timestamp.get_or_init(|| max))
    }
}
