//! Compaction: keeping the newest record of each key.
//!
//! [`crate::Log::clean_plan`] selects the segments to clean, under the log's lock for a moment. [`CleanPlan::start`]
//! reads the dirty part and notes the last offset of each key. [`CleanPass::next_group`] writes one new segment after
//! the other, from files that no longer change and without a lock. [`crate::Log::swap`] puts each in the place of the
//! segments that it was made from.
//!
//! Source: Kafka's `Cleaner` and `LogCleanerManager`, KIP-534.

mod filter;
mod offset_map;
mod transactions;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use record::{DecompressError, RecordsError, Scratch, StreamError};

use crate::config::LogConfig;
use crate::flusher::FlushState;
use crate::fs;
use crate::index_file;
use crate::names::{CLEANED_SUFFIX, SWAP_SUFFIX, SegmentFile};
use crate::offline::Offline;
use crate::scan::{Damage, OrderedBatches, ScanError};
use crate::segment::{ClosedList, ClosedSegment, MaxTimestamp, PartitionDir, Segment, aborted_transactions};
use crate::traps::{self, Trap};
use crate::write_error::WriteError;

pub use offset_map::OffsetMap;
use transactions::Transactions;

/// The record that must stay of a producer, so that a replay of the log knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LastRecord {
    /// The batch that ends at this offset.
    Data(i64),
    /// The markers of this epoch.
    Marker(i16),
}

/// Why a log could not be cleaned. It is as it was before the last swap.
#[derive(Debug)]
pub enum CleanError {
    /// A file operation failed.
    Fs(fs::Error),
    /// The log directory has failed.
    Offline(Offline),
    /// A segment is damaged.
    Damaged(Damage),
    /// The records of a batch cannot be read.
    Records(RecordsError),
    /// The records of a batch cannot be decompressed.
    Decompress(DecompressError),
    /// A segment would be larger than a segment can be.
    TooLarge,
    /// The caller wants the pass to end.
    Stopped,
    /// Since the plan was made the log was truncated, its start has moved, or it is no longer in this directory. What
    /// could not be read is gone, and the log is not damaged. Make a new plan.
    Stale,
}

impl fmt::Display for CleanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CleanError::Fs(error) => error.fmt(f),
            CleanError::Offline(offline) => offline.fmt(f),
            CleanError::Damaged(damage) => damage.fmt(f),
            CleanError::Records(error) => error.fmt(f),
            CleanError::Decompress(error) => error.fmt(f),
            CleanError::TooLarge => f.write_str("a compacted segment would be larger than 2 GiB"),
            CleanError::Stopped => f.write_str("the pass was stopped"),
            CleanError::Stale => f.write_str("the log has changed since the pass was planned"),
        }
    }
}

impl std::error::Error for CleanError {}

impl From<fs::Error> for CleanError {
    fn from(error: fs::Error) -> Self {
        CleanError::Fs(error)
    }
}

impl From<Offline> for CleanError {
    fn from(offline: Offline) -> Self {
        CleanError::Offline(offline)
    }
}

impl From<WriteError> for CleanError {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Full(error) => CleanError::Fs(error),
            WriteError::Offline(offline) => CleanError::Offline(offline),
        }
    }
}

impl From<ScanError> for CleanError {
    fn from(error: ScanError) -> Self {
        match error {
            ScanError::Fs(error) => CleanError::Fs(error),
            ScanError::Damaged(damage) => CleanError::Damaged(damage),
        }
    }
}

impl From<RecordsError> for CleanError {
    fn from(error: RecordsError) -> Self {
        CleanError::Records(error)
    }
}

impl From<StreamError> for CleanError {
    fn from(error: StreamError) -> Self {
        match error {
            StreamError::Records(error) => CleanError::Records(error),
            StreamError::Decompress(error) => CleanError::Decompress(error),
        }
    }
}

impl From<DecompressError> for CleanError {
    fn from(error: DecompressError) -> Self {
        CleanError::Decompress(error)
    }
}

/// The function that a pass calls with the number of bytes that it has read or written. It may wait, and may end the
/// pass with [`CleanError::Stopped`].
pub type Throttle<'a> = dyn FnMut(u64) -> Result<(), CleanError> + 'a;

/// The part of a log that could be cleaned at one moment.
pub struct CleanPlan {
    pub(crate) partition: Arc<PartitionDir>,
    pub(crate) config: Arc<LogConfig>,
    pub(crate) flush: Arc<FlushState>,
    pub(crate) closed: ClosedList,
    pub(crate) active: Arc<Segment>,
    /// The number of closed segments that may be cleaned.
    pub(crate) end: usize,
    /// The offset after them.
    pub(crate) end_offset: i64,
    /// The offset below which the log is clean.
    pub(crate) dirty_offset: i64,
    pub(crate) clean_bytes: u64,
    pub(crate) dirty_bytes: u64,
    pub(crate) overdue: bool,
    pub(crate) last_records: BTreeMap<i64, LastRecord>,
    /// The log's generation, which each truncation changes.
    pub(crate) generation: u64,
    pub(crate) log_start_offset: i64,
    pub(crate) now_ms: i64,
}

impl fmt::Debug for CleanPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CleanPlan({}, {}..{})", self.partition.name, self.dirty_offset, self.end_offset)
    }
}

/// The progress of a pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CleanStats {
    /// Bytes read to note the offsets of keys.
    pub map_bytes: u64,
    /// Bytes read to be written again.
    pub read_bytes: u64,
    /// Bytes written.
    pub written_bytes: u64,
    /// Records without a key, which cannot be compacted and are dropped, as in Kafka.
    pub invalid_records: u64,
}

/// A new segment, durable under a temporary name, for [`crate::Log::swap`].
#[derive(Debug)]
pub struct CleanedSegment {
    pub(crate) inputs: Vec<Arc<ClosedSegment>>,
    pub(crate) segment: Arc<Segment>,
    pub(crate) size: u32,
    pub(crate) max_timestamp: MaxTimestamp,
    pub(crate) has_txns: bool,
    /// The log's generation when the pass was planned. Records truncated since then may include the last one of a
    /// key.
    pub(crate) generation: u64,
}

impl CleanedSegment {
    pub(crate) fn cleaned_path(&self, kind: SegmentFile) -> PathBuf {
        self.segment.path_with(kind, CLEANED_SUFFIX)
    }

    pub(crate) fn swap_path(&self, kind: SegmentFile) -> PathBuf {
        self.segment.path_with(kind, SWAP_SUFFIX)
    }
}

/// A pass over a log.
pub struct CleanPass<'m> {
    plan: CleanPlan,
    map: &'m mut OffsetMap,
    transactions: Transactions,
    scratch: Scratch,
    next: usize,
    stats: CleanStats,
}

impl fmt::Debug for CleanPass<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CleanPass({:?}, {:?})", self.plan, self.stats)
    }
}

impl CleanPlan {
    /// The dirty part of the cleanable bytes; zero if there is nothing to clean.
    pub fn dirty_ratio(&self) -> f64 {
        let total = self.clean_bytes + self.dirty_bytes;
        if total == 0 { 0.0 } else { self.dirty_bytes as f64 / total as f64 }
    }

    /// The first dirty offset: everything below is clean.
    pub fn dirty_offset(&self) -> i64 {
        self.dirty_offset
    }

    /// Whether something dirty is older than `max_compaction_lag_ms`.
    pub fn is_overdue(&self) -> bool {
        self.overdue && self.dirty_bytes > 0
    }

    /// Reads the dirty part and notes the last offset of each key in `map`, as far as it has space.
    ///
    /// # Errors
    /// [`CleanError`] if the log cannot be read.
    pub fn start<'m>(
        self,
        map: &'m mut OffsetMap,
        throttle: &mut Throttle<'_>,
    ) -> Result<CleanPass<'m>, CleanError> {
        map.clear();
        let transactions = self.prepare().map_err(|error| self.or_stale(error))?;
        let (scratch, stats) = (Scratch::new(), CleanStats::default());
        let mut cleaning = CleanPass { plan: self, map, transactions, scratch, next: 0, stats };
        match cleaning.fill_map(throttle) {
            Ok(()) => Ok(cleaning),
            Err(error) => Err(cleaning.plan.or_stale(error)),
        }
    }

    fn prepare(&self) -> Result<Transactions, CleanError> {
        // The recovery point distinguishes a gap that cleaning leaves before a segment from a loss.
        self.flush.flush()?;
        self.partition.directory.checkpoint_log_offsets()?;
        self.remove_leftovers()?;
        Ok(Transactions::new(self.aborted(0)?))
    }

    /// Returns the error, or [`CleanError::Stale`] if the log has changed during the pass.
    fn or_stale(&self, error: CleanError) -> CleanError {
        let is_of_log = match error {
            CleanError::Fs(_) | CleanError::Damaged(_) => true,
            CleanError::Records(_) | CleanError::Decompress(_) => true,
            CleanError::Offline(_) | CleanError::TooLarge | CleanError::Stopped | CleanError::Stale => false,
        };
        if is_of_log && self.is_stale() { CleanError::Stale } else { error }
    }

    fn is_stale(&self) -> bool {
        // This waits for a truncation that is under way.
        let _paused = self.flush.pause();
        self.is_truncated() || self.flush.offsets.start() != self.log_start_offset
    }

    /// Whether the log was truncated, moved or closed since the plan was made.
    fn is_truncated(&self) -> bool {
        self.flush.is_retired() || self.flush.generation() != self.generation
    }

    /// Removes the files of an abandoned pass: recovery takes them as a sign that a swap had hardly begun. The
    /// removal is durable before the next swap begins.
    fn remove_leftovers(&self) -> fs::Result<()> {
        let (fs, path) = (&self.partition.directory.fs, &self.partition.path());
        for entry in fs.list(path)?.iter().filter(|entry| entry.name.ends_with(CLEANED_SUFFIX)) {
            fs.remove_file(&path.join(&entry.name))?;
        }
        Ok(())
    }

    /// The aborted transactions of the segments from that index on.
    fn aborted(&self, from: usize) -> Result<Vec<crate::AbortedTxn>, CleanError> {
        let Some(first) = self.closed[..self.end].get(from) else { return Ok(Vec::new()) };
        let closed = &self.closed[from..];
        Ok(aborted_transactions(closed, &self.active, first.base_offset(), self.end_offset)?)
    }

    fn next_base_offset(&self, index: usize) -> i64 {
        self.closed.get(index + 1).map_or(self.active.base_offset, |next| next.base_offset())
    }
}

impl CleanPass<'_> {
    /// Its progress so far.
    pub fn stats(&self) -> CleanStats {
        self.stats
    }

    /// The offset up to which the log is clean once every group has been swapped in.
    pub fn clean_to(&self) -> i64 {
        (self.map.latest_offset() + 1).max(self.plan.dirty_offset)
    }

    /// Notes in the log directory the offset up to which the log is clean. Call it once every group has been swapped
    /// in.
    ///
    /// # Errors
    /// [`CleanError`] if the checkpoint is not written: the next pass then starts where this one started.
    pub fn finish(self) -> Result<CleanStats, CleanError> {
        let flush = self.plan.flush.clone();
        // A truncation comes before this, or after it and lowers the offset again.
        let _paused = flush.pause();
        if self.plan.is_truncated() {
            return Err(CleanError::Stale);
        }
        self.plan.partition.directory.set_cleaned_to(&self.plan.partition.name, self.clean_to())?;
        Ok(self.stats)
    }

    fn fill_map(&mut self, throttle: &mut Throttle<'_>) -> Result<(), CleanError> {
        let start = self.plan.dirty_offset;
        let limits = self.plan.config.decompress_limits();
        let first = (0..self.plan.end).find(|index| self.plan.next_base_offset(*index) > start);
        let first = first.unwrap_or(self.plan.end);
        let mut transactions = Transactions::new(self.plan.aborted(first)?);
        for index in first..self.plan.end {
            let closed = self.plan.closed[index].clone();
            let file = closed.segment.file(SegmentFile::Log)?;
            let offsets = closed.base_offset()..self.plan.next_base_offset(index);
            let mut batches = OrderedBatches::new(&file, closed.size, offsets);
            while let Some(batch) = batches.next()? {
                let bytes = batch.bytes().len() as u64;
                self.stats.map_bytes += bytes;
                throttle(bytes)?;
                let void = transactions.pass(&batch);
                let has_keys = !batch.header().attributes.is_control() || traps::is_on(Trap::MarkerHasKey);
                if !void && has_keys && batch.header().next_offset() > start {
                    let mut records = batch.record_stream(&mut self.scratch, limits)?;
                    while let Some(record) = records.next()? {
                        let Some(key) = record.key.filter(|_| record.offset >= start) else { continue };
                        if !self.map.put(key, record.offset) {
                            return Ok(());
                        }
                    }
                }
                self.map.set_latest_offset(batch.header().last_offset());
            }
            self.map.set_latest_offset(self.plan.next_base_offset(index) - 1);
        }
        Ok(())
    }

    /// Writes the next segment; `None` once all are written. Swap in the one before it first.
    ///
    /// # Errors
    /// [`CleanError`] if the old segments cannot be read, or the new one cannot be written.
    pub fn next_group(&mut self, throttle: &mut Throttle<'_>) -> Result<Option<CleanedSegment>, CleanError> {
        self.write_group(throttle).map_err(|error| self.plan.or_stale(error))
    }

    fn write_group(&mut self, throttle: &mut Throttle<'_>) -> Result<Option<CleanedSegment>, CleanError> {
        let start = self.next;
        let is_reached =
            |index: usize| index < self.plan.end && self.plan.closed[index].base_offset() < self.clean_to();
        if !is_reached(start) {
            return Ok(None);
        }
        let mut size = 0;
        let mut index_bytes = [0; 2];
        let mut end = start;
        while is_reached(end) {
            let closed = &self.plan.closed[end];
            let files = [SegmentFile::OffsetIndex, SegmentFile::TimeIndex];
            let mut grown = index_bytes;
            for (bytes, kind) in grown.iter_mut().zip(files) {
                *bytes += u64::from(index_file::entries_in::<1>(&closed.segment.file(kind)?)?);
            }
            let last = self.plan.next_base_offset(end) - 1;
            let span = last - self.plan.closed[start].base_offset();
            let fits = size + u64::from(closed.size) <= u64::from(self.plan.config.segment_bytes)
                && grown.iter().all(|bytes| *bytes <= u64::from(self.plan.config.segment_index_bytes))
                && (closed.size == 0 || span <= i64::from(i32::MAX));
            if end > start && !fits {
                break;
            }
            (size, index_bytes, end) = (size + u64::from(closed.size), grown, end + 1);
        }
        self.next = end;
        self.rewrite(self.plan.closed[start..end].to_vec(), throttle).map(Some)
    }
}

impl Drop for CleanPass<'_> {
    fn drop(&mut self) {
        self.map.clear();
    }
}

#[cfg(test)]
mod tests;
