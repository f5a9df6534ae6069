//! Bringing what is in memory, and the indexes, in line with the batches of a log.

use std::sync::Arc;

use record::{Batch, BatchError, BatchHeader};

use super::Log;
use crate::config::LogConfig;
use crate::fs::{self, File};
use crate::index_file::{self, IndexTail};
use crate::names::{SNAPSHOT_SUFFIX, SegmentFile, offset_path};
use crate::offset_index::{self, OffsetEntry};
use crate::producer_state::snapshot::{self, SnapshotError};
use crate::producer_state::{Marker, ProducerState};
use crate::scan::{Damage, DamageReason, Headers, ScanError, VerifiedBatches, only_zeros_from, read_batch};
use crate::segment::{ActiveSegment, MaxTimestamp, Segment};
use crate::time_index::{self, TimeEntry};
use crate::traps::{self, Trap};
use crate::txn_index;

/// The reason that zeros are no batch.
const ZEROS: DamageReason = DamageReason::Batch(BatchError::Length(0));

/// The result of verifying the part of a log that may be torn.
#[derive(Debug, Default)]
pub(super) struct Verification {
    pub(super) scanned_bytes: u64,
    pub(super) truncation: Option<Truncation>,
}

/// The place at which a log was truncated because a batch was incomplete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Truncation {
    /// The damage there.
    pub damage: Damage,
    /// The number of bytes removed.
    pub bytes: u64,
    /// Whether whole batches followed. After a loss of power that happens if blocks reached the disk out of order;
    /// otherwise data was lost.
    pub batches_followed: bool,
    /// Whether only zeros were removed: space that was allocated ahead of the records (`log.preallocate`), or a file
    /// that had grown when the power failed. No record was there.
    pub only_zeros: bool,
}

impl ActiveSegment {
    /// The active segment of a closed log: only the ends of its files are read. `None` if the indexes do not
    /// match the log.
    pub(super) fn open_closed(
        segment: Arc<Segment>,
        size: u32,
        config: &LogConfig,
        jitter_ms: i64,
        now_ms: i64,
    ) -> Result<Option<ActiveSegment>, ScanError> {
        // Opened without the intent to write, they can be closed again without a sync.
        let offset_file = segment.file(SegmentFile::OffsetIndex)?;
        let time_file = segment.file(SegmentFile::TimeIndex)?;
        let mut active = ActiveSegment::new(segment, jitter_ms, now_ms);
        let offset_entries = index_file::entries_in::<{ offset_index::ENTRY_BYTES }>(&offset_file)?;
        let time_entries = index_file::entries_in::<{ time_index::ENTRY_BYTES }>(&time_file)?;
        active.offset_index = IndexTail::new(offset_entries);
        active.time_index = IndexTail::new(time_entries);
        if time_entries > 0 {
            active.set_last_time(TimeEntry::from_bytes(index_file::entry_at(&time_file, time_entries - 1)?));
        }
        let last = match offset_entries {
            0 => None,
            n => Some(OffsetEntry::from_bytes(index_file::entry_at(&offset_file, n - 1)?)),
        };
        let fits = last.is_none_or(|last| last.position < size) && (time_entries > 0 || offset_entries == 0);
        if !fits || !active.resume(last, size)? {
            return Ok(None);
        }
        active.rebuild(size, i64::MAX, config)?;
        let has_max = active.max_timestamp.offset < active.end_offset.max(active.base_offset() + 1);
        Ok(has_max.then_some(active))
    }

    /// The active segment of a log whose first `size` bytes hold whole batches. Index entries that can be right are
    /// kept, the others are rebuilt from the log.
    pub(super) fn load(
        segment: Arc<Segment>,
        size: u32,
        config: &LogConfig,
        jitter_ms: i64,
        now_ms: i64,
    ) -> Result<ActiveSegment, ScanError> {
        let mut active = ActiveSegment::from_indexes(segment, size, i64::MAX, jitter_ms, now_ms)?;
        active.rebuild(size, i64::MAX, config)?;
        if let Some(file) = active.segment.file_if_exists(SegmentFile::TxnIndex)? {
            active.segment.file_to_write(SegmentFile::TxnIndex)?;
            txn_index::truncate(&file, active.end_offset)?;
            active.segment.written(SegmentFile::TxnIndex, &file)?;
        }
        Ok(active)
    }

    /// Rebuilds the offset and the time index of a closed segment, each in one step: a file that exists is
    /// complete. Returns the greatest timestamp.
    pub(super) fn make_indexes(
        segment: &Arc<Segment>,
        size: u32,
        config: &LogConfig,
        now_ms: i64,
    ) -> Result<MaxTimestamp, ScanError> {
        let mut active = ActiveSegment::new(segment.clone(), 0, now_ms);
        let file = segment.file(SegmentFile::Log)?;
        let mut headers = Headers::new(&file, 0, size);
        while let Some((position, header)) = headers.next()? {
            active.check_order(&file, position, &header).map_err(ScanError::Damaged)?;
            active.push(&header, config.index_interval_bytes);
        }
        let (offsets, times) = active.index_bytes();
        let fs = &segment.partition.directory.fs;
        fs.replace(&segment.path(SegmentFile::OffsetIndex), offsets)?;
        fs.replace(&segment.path(SegmentFile::TimeIndex), times)?;
        Ok(active.max_timestamp)
    }

    /// Opens a segment with the index entries that can be right and that are of batches below `below` within the first
    /// `size` bytes.
    pub(super) fn from_indexes(
        segment: Arc<Segment>,
        size: u32,
        below: i64,
        jitter_ms: i64,
        now_ms: i64,
    ) -> Result<ActiveSegment, ScanError> {
        let offset_file = segment.create(SegmentFile::OffsetIndex)?;
        let time_file = segment.create(SegmentFile::TimeIndex)?;
        let (offset_bytes, time_bytes) = (read_all(&offset_file)?, read_all(&time_file)?);
        let below = if traps::is_on(Trap::IndexTrusted) { i64::MAX } else { below };
        let mut offset_entries = offset_index::valid_prefix(&offset_bytes, size);
        let below = u32::try_from(below.saturating_sub(segment.base_offset).max(0)).unwrap_or(u32::MAX);
        let relative = |entry: &_| OffsetEntry::from_bytes(*entry).relative_offset;
        offset_entries = &offset_entries[..offset_entries.partition_point(|entry| relative(entry) < below)];
        // A time entry has the greatest timestamp up to some offset entry at or above its own offset.
        // Everything above the last time entry is rebuilt, so that none is missing.
        let bound = offset_entries.last().map_or(0, |entry| relative(entry) + 1);
        let mut time_entries = time_index::valid_prefix(&time_bytes, bound);
        let last_time = time_entries.last().map(|entry| TimeEntry::from_bytes(*entry));
        let bound = last_time.map_or(0, |entry| u64::from(entry.relative_offset) + 1);
        let keep = offset_entries.partition_point(|entry| u64::from(relative(entry)) < bound);
        offset_entries = &offset_entries[..keep];
        if keep == 0 {
            time_entries = &[];
        }
        let mut active = ActiveSegment::new(segment, jitter_ms, now_ms);
        let last = offset_entries.last().map(|entry| OffsetEntry::from_bytes(*entry));
        if let Some(entry) = time_entries.last() {
            active.set_last_time(TimeEntry::from_bytes(*entry));
        }
        if !active.resume(last, size)? {
            active = ActiveSegment::new(active.segment.clone(), jitter_ms, now_ms);
            (offset_entries, time_entries) = (&[], &[]);
        }
        active.keep_entries(offset_entries.len(), time_entries.len(), &offset_file, &time_file)?;
        Ok(active)
    }

    /// Truncates the index files to their first entries.
    fn keep_entries(
        &mut self,
        offsets: usize,
        times: usize,
        offset_file: &File,
        time_file: &File,
    ) -> fs::Result<()> {
        self.offset_index = IndexTail::new(offsets as u32);
        self.time_index = IndexTail::new(times as u32);
        for (kind, file, bytes) in [
            (SegmentFile::OffsetIndex, offset_file, offsets * offset_index::ENTRY_BYTES),
            (SegmentFile::TimeIndex, time_file, times * time_index::ENTRY_BYTES),
        ] {
            if file.len()? != bytes as u64 {
                file.truncate(bytes as u64)?;
                self.segment.written(kind, file)?;
            }
        }
        Ok(())
    }

    /// Makes the truncation of the index files durable. A loss of power that undid it would bring back entries of
    /// batches that are gone, and they may fit the batches in their place.
    pub(super) fn sync_truncated_indexes(&self) -> fs::Result<()> {
        self.segment.sync(SegmentFile::OffsetIndex)?;
        self.segment.sync(SegmentFile::TimeIndex)
    }

    fn set_last_time(&mut self, entry: TimeEntry) {
        let offset = self.base_offset() + i64::from(entry.relative_offset);
        self.max_timestamp = MaxTimestamp { timestamp: entry.timestamp, offset };
        self.last_indexed_timestamp = entry.timestamp;
    }

    /// Continues at the last offset index entry. Returns whether the log has the batch that it names.
    fn resume(&mut self, last: Option<OffsetEntry>, size: u32) -> Result<bool, ScanError> {
        let Some(last) = last else { return Ok(true) };
        let file = self.segment.file(SegmentFile::Log)?;
        let first = match Headers::new(&file, 0, size).next() {
            Ok(Some((_, first))) => first,
            Ok(None) | Err(ScanError::Damaged(_)) => return Ok(false),
            Err(error) => return Err(error),
        };
        self.first_timestamp = Some(first.max_timestamp);
        match Headers::new(&file, last.position, size).next() {
            Ok(Some((_, header))) => {
                self.last_indexed_position = last.position;
                self.size = last.position;
                Ok(header.last_offset() - self.base_offset() == i64::from(last.relative_offset))
            }
            Ok(None) | Err(ScanError::Damaged(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Walks the batches from the end so far to `file_size`, as long as they begin below `below`,
    /// and takes them into account.
    pub(super) fn rebuild(
        &mut self,
        file_size: u32,
        below: i64,
        config: &LogConfig,
    ) -> Result<(), ScanError> {
        let file = self.segment.file(SegmentFile::Log)?;
        let mut headers = Headers::new(&file, self.size, file_size);
        // The walk ends at that offset: later batches may be torn.
        while self.end_offset < below {
            let Some((position, header)) = headers.next()? else { break };
            if header.base_offset >= below {
                break;
            }
            self.check_order(&file, position, &header).map_err(ScanError::Damaged)?;
            self.push(&header, config.index_interval_bytes);
            self.write_due_indexes()?;
        }
        self.forget_recent();
        Ok(())
    }

    /// Verifies the batches from the end so far and takes them into account; truncates the file at an
    /// incomplete one, unless that is below an offset up to which all were durable.
    pub(super) fn verify(
        &mut self,
        file_size: u32,
        durable_below: i64,
        config: &LogConfig,
        mut each: impl FnMut(&BatchHeader),
    ) -> Result<Verification, ScanError> {
        let (start, walked_to) = (self.size, self.end_offset);
        let file = if start < file_size {
            // Bytes that a killed process wrote may be only in memory.
            self.segment.file_to_write(SegmentFile::Log)?
        } else {
            self.segment.file(SegmentFile::Log)?
        };
        let mut batches = VerifiedBatches::new(&file, start, file_size);
        let mut damage = loop {
            let position = batches.position();
            let header = match batches.next() {
                Ok(Some(batch)) => *batch.header(),
                Ok(None) => break None,
                Err(ScanError::Damaged(damage))
                    if traps::is_on(Trap::ZerosAreTheEnd) && damage.reason == ZEROS =>
                {
                    break None;
                }
                Err(ScanError::Damaged(damage)) => break Some(damage),
                Err(error) => return Err(error),
            };
            if let Err(damage) = self.check_order(&file, position, &header) {
                // The wrong offset, which no checksum covers, is then that of a durable batch before this one: of the
                // last batch that was walked, or of the one right after it.
                let walked_too_far = self.size == start && walked_to > durable_below;
                if walked_too_far || (walked_to..durable_below).contains(&header.base_offset) {
                    return Err(ScanError::Damaged(damage));
                }
                break Some(damage);
            }
            each(&header);
            self.push(&header, config.index_interval_bytes);
            self.write_due_indexes()?;
        };
        self.forget_recent();
        let scanned_bytes = u64::from(self.size - start);
        if let Some(damage) = damage.take_if(|_| self.end_offset < durable_below) {
            return Err(ScanError::Damaged(damage));
        }
        let truncation = match damage {
            Some(damage) => {
                let only_zeros = damage.reason == ZEROS && only_zeros_from(&file, u64::from(self.size))?;
                let batches_followed =
                    !only_zeros && batches.skip_damaged() && matches!(batches.next(), Ok(Some(_)));
                Some(Truncation {
                    damage,
                    bytes: u64::from(file_size - self.size),
                    batches_followed,
                    only_zeros,
                })
            }
            None => None,
        };
        if truncation.is_some() {
            file.truncate(u64::from(self.size))?;
            self.segment.written(SegmentFile::Log, &file)?;
        }
        Ok(Verification { scanned_bytes, truncation })
    }

    /// Whether a batch may follow those so far.
    fn check_order(&self, file: &File, position: u32, header: &BatchHeader) -> Result<(), Damage> {
        let (found, expected) = (header.base_offset, self.end_offset);
        if found >= expected && header.last_offset_delta >= 0 && !self.offset_overflows(header) {
            return Ok(());
        }
        let reason = DamageReason::Offset { found, expected };
        Err(Damage { path: file.path().to_owned(), position: u64::from(position), reason })
    }
}

impl Log {
    /// Makes a truncation durable: dropped segments do not come back at the next loss of power, when the log has other
    /// batches at their offsets. Needs no disk space.
    pub(super) fn sync_truncation(&self) -> fs::Result<()> {
        self.active.sync_truncated_indexes()?;
        self.active.segment.sync(SegmentFile::Log)?;
        self.active.segment.sync(SegmentFile::TxnIndex)?;
        self.partition.directory.fs.sync_dir(&self.partition.path())
    }

    pub(super) fn all_segments(&self) -> Vec<(Arc<Segment>, u32)> {
        let closed = self.closed.iter().map(|closed| (closed.segment.clone(), closed.size));
        closed.chain([(self.active.segment.clone(), self.active.size)]).collect()
    }

    /// Loads the producers as of `end_offset` from the newest snapshot at or below it and the batches since.
    /// Transactions aborted at `txns_from` or above are added to the index of their segment.
    pub(super) fn load_producers(
        &mut self,
        end_offset: i64,
        txns_from: i64,
        now_ms: i64,
    ) -> Result<(), ScanError> {
        let (from, mut state) = self.newest_snapshot(end_offset)?;
        state.remove_expired(now_ms, self.config.producer_id_expiration_ms);
        let mut bytes = Vec::new();
        for index in 0..=self.closed.len() {
            let (segment, size, floor) = match self.closed.get(index) {
                Some(closed) => {
                    let next =
                        self.closed.get(index + 1).map_or(self.active.base_offset(), |n| n.base_offset());
                    if next <= from {
                        continue;
                    }
                    (closed.segment.clone(), closed.size, closed.floor_position(from)?)
                }
                None => (self.active.segment.clone(), self.active.size, self.active.floor_position(from)?),
            };
            if segment.base_offset >= end_offset || from >= end_offset {
                break;
            }
            if txns_from < segment.base_offset && from < segment.base_offset {
                // The snapshot was removed, since it may not have been durable, but the batches before the segment may
                // be deleted before the next snapshot is written.
                self.replace_snapshot(&state, segment.base_offset)?;
            }
            let file = segment.file(SegmentFile::Log)?;
            let mut headers = Headers::new(&file, floor, size);
            while let Some((position, header)) = headers.next()? {
                if header.base_offset < from {
                    continue;
                }
                let marker = read_marker(&file, position, &header, &mut bytes)?;
                let completed = state.apply(&header, marker);
                if let Some(txn) = completed.filter(|txn| txn.aborted && txn.last_offset >= txns_from) {
                    let file = segment.create(SegmentFile::TxnIndex)?;
                    txn_index::append(&file, txn.into())?;
                    segment.written(SegmentFile::TxnIndex, &file)?;
                }
            }
        }
        (self.producers, self.producers_from) = (state, from);
        self.producers.on_high_watermark(self.high_watermark());
        Ok(())
    }

    /// The newest snapshot at or below an offset that can be read, and its own offset; those that
    /// cannot are removed.
    fn newest_snapshot(&mut self, end_offset: i64) -> Result<(i64, ProducerState), ScanError> {
        let fs = &self.partition.directory.fs;
        while let Some(offset) = self.snapshots.range(..=end_offset).next_back().copied() {
            let path = offset_path(&self.partition.path(), offset, SNAPSHOT_SUFFIX);
            match snapshot::read(fs, &path, offset) {
                Ok(snapshot) => return Ok((offset, snapshot.state)),
                Err(SnapshotError::Fs(error)) if !error.is_not_found() => return Err(error.into()),
                Err(SnapshotError::Fs(_)) => {}
                Err(SnapshotError::Corrupt(reason)) => {
                    tracing::warn!(path = %path.display(), "producer snapshot not used: {reason}");
                    fs.remove_file(&path)?;
                }
            }
            self.snapshots.remove(&offset);
        }
        let first = self.closed.first().map_or(self.active.base_offset(), |closed| closed.base_offset());
        Ok((first, ProducerState::new(first)))
    }
}

/// Reads the batch at a position if it ends a transaction.
pub(super) fn read_marker(
    file: &File,
    position: u32,
    header: &BatchHeader,
    bytes: &mut Vec<u8>,
) -> Result<Option<Marker>, ScanError> {
    if !header.attributes.is_control() || !header.has_producer_id() {
        return Ok(None);
    }
    let batch: Batch<'_> = read_batch(file, position, header, bytes)?;
    Ok(Marker::of(header, batch.bytes()))
}

fn read_all(file: &File) -> fs::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(file.len()?).expect("an index fits in memory")];
    let read = file.read_at(&mut bytes, 0)?;
    bytes.truncate(read);
    Ok(bytes)
}
