//! A log on its way to another log directory (KIP-113, AlterReplicaLogDirs).
//!
//! [`FutureLog`] is a copy of a log that is made while the log is written: segment by segment, as files, in a directory
//! `topic-partition.uniqueId-future` of the target. Once it has everything but the last bytes, [`crate::Log::relocate`]
//! gives it the partition's name, and the log continues in it.
//!
//! A segment is begun only once all before it are whole and durable. After a crash, therefore, all segments but the
//! last are good, and copying continues from there.

mod part;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::checkpoint;
use crate::directory::{DirectoryState, FutureDir, LogDirectory, Offsets, sync_topic_id, write_topic_id};
use crate::flusher::{FlushState, LEADER_EPOCHS_FILE};
use crate::fs::copy::CopyRangeError;
use crate::fs::{self, Mode};
use crate::leader_epochs::EpochEntry;
use crate::names::{FUTURE_DIR_SUFFIX, SNAPSHOT_SUFFIX, SegmentFile, TopicPartition, offset_of, offset_path};
use crate::offline::Offline;
use crate::room::Purpose;
use crate::scan::{ScanError, VerifiedBatches};
use crate::segment::{ClosedList, Segment};
use crate::write_error::WriteError;

pub(crate) use part::Part;

/// The most bytes of a file or directory name.
const NAME_BYTES_MAX: usize = 255;

/// Why a log is not copied further.
#[derive(Debug)]
pub enum CopyError {
    /// The log that is copied cannot be read. Nothing is wrong with the target.
    Source(fs::Error),
    /// The disk of the target is full; it may succeed later.
    Full(fs::Error),
    /// One of the two log directories has failed.
    Offline(Offline),
}

impl fmt::Display for CopyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CopyError::Source(error) | CopyError::Full(error) => error.fmt(f),
            CopyError::Offline(offline) => offline.fmt(f),
        }
    }
}

impl std::error::Error for CopyError {}

impl From<WriteError> for CopyError {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Full(error) => CopyError::Full(error),
            WriteError::Offline(offline) => CopyError::Offline(offline),
        }
    }
}

impl From<Offline> for CopyError {
    fn from(offline: Offline) -> Self {
        CopyError::Offline(offline)
    }
}

/// The result of one turn of copying.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopyProgress {
    /// Bytes copied.
    pub bytes: u64,
    /// Whether the copy has reached the end of its source, up to which it is then durable.
    pub caught_up: bool,
}

/// A log as it was at one moment, to be copied.
#[derive(Clone, Debug)]
pub struct CopySource {
    pub(crate) flush: Arc<FlushState>,
    pub(crate) generation: u64,
    pub(crate) closed: ClosedList,
    pub(crate) active: Arc<Segment>,
    pub(crate) active_size: u32,
    pub(crate) log_start_offset: i64,
    pub(crate) end_offset: i64,
    pub(crate) high_watermark: i64,
    pub(crate) snapshots: BTreeSet<i64>,
    pub(crate) epochs: Vec<EpochEntry>,
}

impl CopySource {
    /// The offset after the last batch.
    pub fn end_offset(&self) -> i64 {
        self.end_offset
    }

    /// A segment, its bytes, and whether it is closed.
    fn segment(&self, index: usize) -> (&Arc<Segment>, u32, bool) {
        match self.closed.get(index) {
            Some(closed) => (&closed.segment, closed.size, true),
            None => (&self.active, self.active_size, false),
        }
    }
}

/// A segment that is copied and durable.
#[derive(Debug)]
struct CopiedSegment {
    /// The segment that it was copied from.
    source: Arc<Segment>,
    size: u32,
}

/// A copy of a log in another log directory, which is to take its place.
#[derive(Debug)]
pub struct FutureLog {
    pub(crate) directory: Arc<DirectoryState>,
    pub(crate) name: TopicPartition,
    pub(crate) path: PathBuf,
    /// The first segments, copied and durable.
    whole: Vec<CopiedSegment>,
    /// The segment after them, as far as it is copied.
    pub(crate) part: Option<Part>,
    /// Segments that an earlier process left and that may be whole, with the bytes of their logs.
    left: BTreeMap<i64, u64>,
    /// The producer snapshots that are here.
    snapshots: BTreeSet<i64>,
    /// The log that it is a copy of, and its generation.
    source: Option<(Arc<FlushState>, u64)>,
    /// The offsets in the checkpoints of the target.
    prepared: Option<Offsets>,
    /// The end of the log as far as it is copied; never below its durable part.
    end_offset: i64,
    /// The offset up to which the copy is durable.
    durable_offset: i64,
    /// A segment of the source that was missing.
    missing: Option<i64>,
}

impl FutureLog {
    /// Whether the directory of a log that is being moved has a name that is not too long (KAFKA-4893).
    pub fn fits(partition: &TopicPartition) -> bool {
        // The name has a unique id of 32 digits between a dot and the suffix.
        partition.to_string().len() + 1 + 32 + FUTURE_DIR_SUFFIX.len() <= NAME_BYTES_MAX
    }

    /// Starts a copy. `unique_id` is a text that no other has, without dots and hyphens.
    ///
    /// # Errors
    /// [`CopyError`] if its directory cannot be created.
    pub fn create(
        directory: &LogDirectory,
        partition: &TopicPartition,
        topic_id: Option<[u8; 16]>,
        unique_id: &str,
    ) -> Result<FutureLog, CopyError> {
        let shared = directory.shared();
        shared.health.check()?;
        shared.check_exists()?;
        let path = shared.path.join(format!("{partition}.{unique_id}{FUTURE_DIR_SUFFIX}"));
        let future = FutureLog::at(shared, partition.clone(), path, BTreeMap::new());
        let made = shared.fs.create_dir_all(&future.path);
        let made = made.and_then(|()| match topic_id {
            Some(topic_id) => write_topic_id(&shared.fs, &future.path, topic_id),
            None => Ok(()),
        });
        made.map_err(|error| future.write_error(error))?;
        Ok(future)
    }

    /// Continues a copy of an earlier process.
    ///
    /// # Errors
    /// [`CopyError`] if its files cannot be read.
    pub fn resume(directory: &LogDirectory, dir: &FutureDir) -> Result<FutureLog, CopyError> {
        let shared = directory.shared();
        shared.health.check()?;
        let mut future = FutureLog::at(shared, dir.partition.clone(), dir.path.clone(), BTreeMap::new());
        let entries = shared.fs.list(&dir.path).map_err(|error| future.write_error(error))?;
        for entry in entries {
            match SegmentFile::ALL
                .into_iter()
                .find_map(|kind| Some((kind, offset_of(&entry.name, kind.suffix())?)))
            {
                Some((SegmentFile::Log, base_offset)) => {
                    future.left.insert(base_offset, entry.len);
                }
                Some(_) => {}
                None if offset_of(&entry.name, SNAPSHOT_SUFFIX).is_some() => {
                    future.write(shared.fs.remove_file(&dir.path.join(&entry.name)))?;
                }
                None => {}
            }
        }
        // All but the last are whole.
        if let Some((last, _)) = future.left.pop_last() {
            future.remove_segment(last)?;
        }
        Ok(future)
    }

    fn at(
        shared: &Arc<DirectoryState>,
        name: TopicPartition,
        path: PathBuf,
        left: BTreeMap<i64, u64>,
    ) -> FutureLog {
        FutureLog {
            directory: shared.clone(),
            name,
            path,
            whole: Vec::new(),
            part: None,
            left,
            snapshots: BTreeSet::new(),
            source: None,
            prepared: None,
            end_offset: 0,
            durable_offset: 0,
            missing: None,
        }
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes of batches that are copied.
    pub fn size_bytes(&self) -> u64 {
        let part = self.part.as_ref().map_or(0, Part::log_bytes);
        self.whole.iter().map(|whole| u64::from(whole.size)).sum::<u64>() + part
    }

    /// The offset up to which the log is copied, or a little less.
    pub fn end_offset(&self) -> i64 {
        self.end_offset
    }

    /// Copies up to about `bytes_max` bytes further and makes them durable. Takes no lock of the log.
    ///
    /// # Errors
    /// [`CopyError`] if the source cannot be read, or the copy cannot be written.
    pub fn copy(&mut self, source: &CopySource, bytes_max: u64) -> Result<CopyProgress, CopyError> {
        self.directory.health.check()?;
        self.follow(source)?;
        let mut bytes = 0;
        loop {
            let (segment, size, is_closed) = source.segment(self.whole.len());
            if self.part.is_none() && is_closed && self.adopt(segment, size)? {
                bytes += u64::from(size);
            } else {
                match self.copy_segment(segment, size, is_closed, bytes_max.saturating_sub(bytes))? {
                    None => return Ok(CopyProgress { bytes, caught_up: false }),
                    Some(copied) => bytes += copied,
                }
                let is_whole = self.part.as_ref().is_none_or(|part| part.log_bytes() == u64::from(size));
                if is_whole && !is_closed {
                    self.end_offset = source.end_offset;
                    self.durable_offset = source.end_offset;
                    return Ok(CopyProgress { bytes, caught_up: true });
                }
            }
            if bytes >= bytes_max {
                self.note_end(source)?;
                return Ok(CopyProgress { bytes, caught_up: false });
            }
        }
    }

    /// Copies a segment, or a part of it, and makes that durable. `None` if retention has deleted it.
    fn copy_segment(
        &mut self,
        source: &Arc<Segment>,
        size: u32,
        is_closed: bool,
        bytes_max: u64,
    ) -> Result<Option<u64>, CopyError> {
        let copied = self.part.as_ref().map_or(0, Part::log_bytes);
        let wanted = u64::from(size).saturating_sub(copied).min(bytes_max);
        let wanted = usize::try_from(wanted).expect("a segment's size fits");
        self.directory.room.admit(&self.directory.fs, wanted, Purpose::Copy).map_err(CopyError::Full)?;
        let mut part = match self.part.take() {
            Some(part) => part,
            None => Part::begin(&self.directory.fs, &self.path, source)
                .map_err(|error| self.range_error(error))?,
        };
        let copied = part.copy(size, bytes_max);
        let copied = copied.and_then(|bytes| {
            let is_whole = part.log_bytes() == u64::from(size);
            if is_whole {
                part.copy_indexes()?;
            }
            part.sync().map_err(CopyRangeError::Write)?;
            Ok((bytes, is_whole))
        });
        let (bytes, is_whole) = match copied {
            Err(CopyRangeError::Read(error))
                if error.is_not_found() && self.missing != Some(source.base_offset) =>
            {
                // It counts as unreadable if it is still missing after the next look at the log.
                self.missing = Some(source.base_offset);
                self.remove_segment(source.base_offset)?;
                return Ok(None);
            }
            copied => copied.map_err(|error| self.range_error(error))?,
        };
        self.missing = None;
        if is_whole && is_closed {
            self.write(self.directory.fs.sync_dir(&self.path))?;
            self.whole.push(CopiedSegment { source: source.clone(), size });
        } else {
            self.part = Some(part);
        }
        Ok(Some(bytes))
    }

    /// Takes over a segment that an earlier process has copied, if it has the right contents.
    fn adopt(&mut self, source: &Arc<Segment>, size: u32) -> Result<bool, CopyError> {
        if self.left.remove(&source.base_offset).is_none() {
            return Ok(false);
        }
        match self.verify(source.base_offset, size) {
            Ok(()) => {}
            Err(ScanError::Damaged(damage)) => {
                tracing::warn!("copied again: {damage}");
                return Ok(false);
            }
            Err(ScanError::Fs(error)) if error.is_not_found() => return Ok(false),
            Err(ScanError::Fs(error)) => return Err(self.write_error(error)),
        }
        self.whole.push(CopiedSegment { source: source.clone(), size });
        Ok(true)
    }

    fn verify(&self, base_offset: i64, size: u32) -> Result<(), ScanError> {
        let fs = &self.directory.fs;
        let open =
            |kind: SegmentFile| fs.open(&offset_path(&self.path, base_offset, kind.suffix()), Mode::Read);
        open(SegmentFile::OffsetIndex)?;
        open(SegmentFile::TimeIndex)?;
        let file = open(SegmentFile::Log)?;
        let mut batches = VerifiedBatches::new(&file, 0, size);
        while batches.next()?.is_some() {}
        Ok(())
    }

    /// Drops copied segments that are no longer in the log.
    fn follow(&mut self, source: &CopySource) -> Result<(), CopyError> {
        let is_same = |(flush, generation): &(Arc<FlushState>, u64)| {
            Arc::ptr_eq(flush, &source.flush) && *generation == source.generation
        };
        if !self.source.as_ref().is_some_and(is_same) {
            let may_go_on = self.source.is_none();
            self.source = Some((source.flush.clone(), source.generation));
            if !may_go_on {
                self.remove_all()?;
            }
        }
        let size_of = |base_offset: &i64| {
            let at = source.closed.binary_search_by_key(base_offset, |closed| closed.base_offset()).ok()?;
            Some(u64::from(source.closed[at].size))
        };
        let stale: Vec<i64> =
            self.left.iter().filter(|(base, size)| size_of(base) != Some(**size)).map(|it| *it.0).collect();
        for base_offset in stale {
            self.left.remove(&base_offset);
            self.remove_segment(base_offset)?;
        }
        let first = source.segment(0).0.base_offset;
        let gone = self.whole.partition_point(|whole| whole.source.base_offset < first);
        for whole in self.whole.drain(..gone).collect::<Vec<_>>() {
            self.remove_segment(whole.source.base_offset)?;
        }
        let same = self.whole.iter().enumerate().take_while(|(index, whole)| {
            let (segment, size, is_closed) = source.segment(*index);
            is_closed && Arc::ptr_eq(segment, &whole.source) && size == whole.size
        });
        let same = same.count();
        for whole in self.whole.split_off(same) {
            self.remove_segment(whole.source.base_offset)?;
        }
        let next = source.segment(self.whole.len()).0;
        if let Some(part) = self.part.take_if(|part| !Arc::ptr_eq(part.source(), next)) {
            self.remove_segment(part.source().base_offset)?;
        }
        Ok(())
    }

    /// Prepares everything but the end of the log, which has been copied: snapshots, leader epochs, and the
    /// offsets in the target's checkpoints, so that a crash right after [`crate::Log::relocate`] loses none
    /// of it.
    ///
    /// # Errors
    /// [`CopyError`] if the source cannot be read, or the target cannot be written.
    pub fn prepare(&mut self, source: &CopySource) -> Result<(), CopyError> {
        let fs = self.directory.fs.clone();
        for offset in self.snapshots.difference(&source.snapshots).copied().collect::<Vec<_>>() {
            self.write(fs.remove_file_if_exists(&offset_path(&self.path, offset, SNAPSHOT_SUFFIX)))?;
            self.snapshots.remove(&offset);
        }
        for offset in source.snapshots.difference(&self.snapshots).copied().collect::<Vec<_>>() {
            let from = offset_path(&source.active.partition.path(), offset, SNAPSHOT_SUFFIX);
            let bytes = match source.active.partition.directory.fs.read(&from) {
                Ok(bytes) => bytes,
                // Retention has deleted it.
                Err(error) if error.is_not_found() => continue,
                Err(error) => return Err(CopyError::Source(error)),
            };
            let file = fs.open(&offset_path(&self.path, offset, SNAPSHOT_SUFFIX), Mode::CreateEmpty);
            let written = file.and_then(|file| file.write_all_at(&bytes, 0).and_then(|()| file.sync_data()));
            self.write(written)?;
            self.snapshots.insert(offset);
        }
        let epochs = self.path.join(LEADER_EPOCHS_FILE);
        self.write(checkpoint::write_leader_epochs(&fs, &epochs, &source.epochs))?;
        self.write(sync_topic_id(&fs, &self.path))?;
        self.write(fs.sync_dir(&self.path))?;
        let prepared = Offsets {
            recovery_point: self.durable_offset,
            log_start_offset: source.log_start_offset,
            high_watermark: source.high_watermark,
        };
        self.write(self.directory.expect(&self.name, prepared))?;
        self.prepared = Some(prepared);
        Ok(())
    }

    /// Whether it is a copy of the log as that is now, but for the last bytes of its active segment.
    pub(crate) fn is_copy_of(&self, source: &CopySource) -> bool {
        let is_same = |(flush, generation): &(Arc<FlushState>, u64)| {
            Arc::ptr_eq(flush, &source.flush) && *generation == source.generation
        };
        let has_segments = self.whole.len() == source.closed.len()
            && self
                .whole
                .iter()
                .zip(&*source.closed)
                .all(|(whole, closed)| Arc::ptr_eq(&whole.source, &closed.segment));
        self.source.as_ref().is_some_and(is_same)
            && has_segments
            && self.left.is_empty()
            && self.part.as_ref().is_some_and(|part| Arc::ptr_eq(part.source(), &source.active))
            && self.snapshots == source.snapshots
            && self.prepared.is_some_and(|prepared| prepared.log_start_offset == source.log_start_offset)
    }

    /// The offset up to which it is durable.
    pub(crate) fn durable_offset(&self) -> i64 {
        self.durable_offset
    }

    /// Abandons the copy: its directory is renamed to the name of one that is being deleted. Returns its new path, for
    /// [`LogDirectory::remove`].
    ///
    /// # Errors
    /// The file system's error.
    pub fn discard(self) -> fs::Result<PathBuf> {
        self.directory.expect_no_more(&self.name);
        self.directory.rename_future_deleted(&self.path)
    }

    /// Notes the offset up to which the log is copied.
    fn note_end(&mut self, source: &CopySource) -> Result<(), CopyError> {
        let next = source.segment(self.whole.len()).0.base_offset;
        let end_offset = match &self.part {
            Some(part) => part.end_offset().map_err(CopyError::Source)?,
            None => next,
        };
        self.end_offset = end_offset.clamp(next, source.end_offset.max(next));
        Ok(())
    }

    /// Removes all that is copied: the log was truncated, and may have other batches at those offsets.
    fn remove_all(&mut self) -> Result<(), CopyError> {
        let whole = std::mem::take(&mut self.whole);
        let part = self.part.take();
        let copied = whole.iter().map(|whole| &whole.source).chain(part.iter().map(Part::source));
        for segment in copied {
            self.remove_segment(segment.base_offset)?;
        }
        (self.end_offset, self.durable_offset, self.prepared) = (0, 0, None);
        for offset in std::mem::take(&mut self.snapshots) {
            let path = offset_path(&self.path, offset, SNAPSHOT_SUFFIX);
            self.write(self.directory.fs.remove_file_if_exists(&path))?;
        }
        Ok(())
    }

    fn remove_segment(&self, base_offset: i64) -> Result<(), CopyError> {
        for kind in SegmentFile::ALL {
            let path = offset_path(&self.path, base_offset, kind.suffix());
            self.write(self.directory.fs.remove_file_if_exists(&path))?;
        }
        Ok(())
    }

    fn write<T>(&self, written: fs::Result<T>) -> Result<T, CopyError> {
        written.map_err(|error| self.write_error(error))
    }

    pub(crate) fn write_error(&self, error: fs::Error) -> CopyError {
        if error.passes() {
            return CopyError::Full(error);
        }
        CopyError::Offline(self.directory.health.fail(error))
    }

    pub(crate) fn range_error(&self, error: CopyRangeError) -> CopyError {
        match error {
            CopyRangeError::Read(error) => CopyError::Source(error),
            CopyRangeError::Write(error) => self.write_error(error),
        }
    }
}

#[cfg(test)]
mod tests;
