//! The log of one partition.
//!
//! | step of its life | file |
//! |---|---|
//! | opening | `contents` and `listing` look at the directory, `open` decides what is verified |
//! | recovery | `recovery`, `epoch_recovery`, `txn_recovery`, `swap_recovery`; `completion` and `snapshot_completion` finish |
//! | writing | `append`; the flusher of the directory makes it durable |
//! | reading | `read` by offset, `timestamps` by time; both give slices that need no lock |
//! | ends that move | `truncate` at either end, `retention` deletes segments |
//! | compaction | `clean_plan` says what may be cleaned, `swap` puts the result in place |
//! | the rest | `relocate` continues in another directory, `scrub` lists what is verified at leisure |

mod append;
mod clean_plan;
mod completion;
mod contents;
mod epoch_recovery;
mod listing;
mod open;
mod open_error;
mod read;
mod recovery;
mod relocate;
mod retention;
mod scrub;
mod snapshot_completion;
mod swap;
mod swap_recovery;
mod timestamps;
mod truncate;
mod txn_recovery;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use crate::config::LogConfig;
use crate::flusher::{FlushListener, FlushState};
use crate::fs;
use crate::leader_epochs::{EpochEndOffset, EpochEntry, LeaderEpochs};
use crate::log_offsets::LogOffsets;
use crate::names::{SNAPSHOT_SUFFIX, SegmentFile, TopicPartition, offset_path};
use crate::offline::Offline;
use crate::producer_state::{ProducerState, snapshot};
use crate::scan::{Damage, ScanError};
use crate::segment::{ActiveSegment, ClosedList, ClosedSegment, PartitionDir, Segment};
use crate::traps::{self, Trap};
use crate::write_error::WriteError;

pub use append::{AppendError, AppendOutcome};
#[cfg(test)]
pub(crate) use epoch_recovery::note_epoch;
pub use open::{OpenError, OpenLog, RecoveryReport};
pub use read::{LocatedOffset, ReadError, Slice};
pub use recovery::Truncation;
pub use relocate::{PausedSyncs, Syncs};
pub use retention::{DeletedSegment, RetentionReport};
pub use swap::SwapOutcome;
pub use timestamps::{LocatedTime, LookupError, TimestampOffset};
pub use truncate::DeleteRecordsError;

/// The log of one partition: segments in a directory, and what is known of the batches in them.
///
/// Writes take `&mut self`; the broker has one lock for each partition. Reads give slices that
/// need no lock: they hold the file open.
///
/// Nothing written is durable before it is flushed: [`Log::enqueue_flush`] leaves that to the log
/// directory's [`crate::Flusher`], [`Log::flush`] does it at once.
///
/// Dropping a log leaves it as a crash would; [`Log::close`] is the clean way.
pub struct Log {
    partition: Arc<PartitionDir>,
    /// Shared by the partitions of a topic.
    config: Arc<LogConfig>,
    topic_id: Option<[u8; 16]>,
    jitter_seed: u64,
    flush: Arc<FlushState>,
    /// Segments before the active one, in order. Readers share the list as it was.
    closed: ClosedList,
    active: ActiveSegment,
    epochs: LeaderEpochs,
    producers: ProducerState,
    /// The offset of the snapshot that the producers were loaded from. They do not say whether the marker of a
    /// transaction that ended below it is above the high watermark.
    producers_from: i64,
    /// The offsets of the producer snapshots in the directory.
    snapshots: BTreeSet<i64>,
    deleted: Vec<DeletedSegment>,
    swapping: Option<Box<swap::Swap>>,
}

/// Why a log could not be changed.
#[derive(Debug)]
pub enum ChangeError {
    /// The disk is full, or there was no descriptor left; nothing has changed, and it may succeed later. Kafka:
    /// `KAFKA_STORAGE_ERROR`.
    Full(fs::Error),
    /// The log directory has failed. Kafka: `KAFKA_STORAGE_ERROR`.
    Offline(Offline),
    /// The log is damaged. Kafka: `KAFKA_STORAGE_ERROR`.
    Damaged(Damage),
}

impl fmt::Display for ChangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ChangeError::Full(error) => error.fmt(f),
            ChangeError::Offline(offline) => offline.fmt(f),
            ChangeError::Damaged(damage) => damage.fmt(f),
        }
    }
}

impl std::error::Error for ChangeError {}

impl From<WriteError> for ChangeError {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Full(error) => ChangeError::Full(error),
            WriteError::Offline(offline) => ChangeError::Offline(offline),
        }
    }
}

impl From<Offline> for ChangeError {
    fn from(offline: Offline) -> Self {
        ChangeError::Offline(offline)
    }
}

/// A producer that a log remembers, for DescribeProducers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActiveProducer {
    /// Its id.
    pub producer_id: i64,
    /// Its epoch.
    pub producer_epoch: i16,
    /// The last sequence number it wrote in that epoch; -1 if it wrote none.
    pub last_sequence: i32,
    /// The timestamp of what it wrote last, in ms since the epoch.
    pub last_timestamp: i64,
    /// The epoch of the coordinator that wrote its last marker; -1 if there is none.
    pub coordinator_epoch: i32,
    /// The first offset of its open transaction; -1 if none is open.
    pub current_txn_start_offset: i64,
}

impl Log {
    /// The partition whose log it is.
    pub fn partition(&self) -> &TopicPartition {
        &self.partition.name
    }

    /// The topic's id, as the 16 bytes of a UUID, if the directory has one.
    pub fn topic_id(&self) -> Option<[u8; 16]> {
        self.topic_id
    }

    /// The first offset that may be read.
    pub fn log_start_offset(&self) -> i64 {
        self.flush.offsets.start()
    }

    /// The offset that the next batch gets.
    pub fn end_offset(&self) -> i64 {
        self.flush.offsets.end()
    }

    /// The offset up to which the log is durable: batches below it survive a loss of power. It is also the log's
    /// recovery point.
    pub fn flushed_offset(&self) -> i64 {
        self.flush.offsets.flushed()
    }

    /// Its offsets, which can be read without access to the log: also those that it has in another directory.
    pub fn offsets(&self) -> &Arc<LogOffsets> {
        &self.flush.offsets
    }

    /// Bytes of batches.
    pub fn size_bytes(&self) -> u64 {
        self.closed.iter().map(|closed| u64::from(closed.size)).sum::<u64>() + u64::from(self.active.size)
    }

    /// The number of segments, never zero.
    pub fn segments(&self) -> usize {
        self.closed.len() + 1
    }

    /// The settings.
    pub fn config(&self) -> &LogConfig {
        &self.config
    }

    /// Changes the settings. They apply to what is appended, rolled and deleted from here on.
    pub fn set_config(&mut self, config: impl Into<Arc<LogConfig>>) {
        self.config = config.into();
    }

    /// The latest leader epoch that has a batch or was assigned.
    pub fn latest_epoch(&self) -> Option<i32> {
        self.epochs.latest().map(|entry| entry.epoch)
    }

    /// All leader epochs, the oldest first.
    pub fn leader_epochs(&self) -> &[EpochEntry] {
        self.epochs.entries()
    }

    /// Notes that a leader epoch begins at the end of the log: its leader has been elected, whether
    /// or not it appends.
    pub fn assign_epoch(&mut self, epoch: i32) {
        self.assign_epoch_at(epoch, self.end_offset());
    }

    /// The end of a leader epoch, as OffsetForLeaderEpoch answers it (KIP-279).
    pub fn end_offset_for_epoch(&self, epoch: i32) -> EpochEndOffset {
        self.epochs.end_offset_for(epoch, self.end_offset())
    }

    /// The leader epoch that a batch at `offset` has.
    pub fn epoch_for_offset(&self, offset: i64) -> Option<i32> {
        self.epochs.epoch_for_offset(offset)
    }

    fn assign_epoch_at(&mut self, epoch: i32, start_offset: i64) {
        if epoch >= 0 && self.epochs.assign(EpochEntry { epoch, start_offset }) {
            self.flush.epochs_changed(self.epochs.entries());
        }
    }

    /// Sets the high watermark: transactions that ended below it are stable, segments below it may be deleted, and
    /// checkpoints hold it. It is never below the start of the log nor above its end.
    pub fn set_high_watermark(&mut self, high_watermark: i64) {
        let high_watermark = high_watermark.min(self.end_offset()).max(self.log_start_offset());
        self.flush.offsets.set_high_watermark(high_watermark);
        self.producers.on_high_watermark(high_watermark);
    }

    /// The high watermark that was last set.
    pub fn high_watermark(&self) -> i64 {
        self.flush.offsets.high_watermark()
    }

    /// The offset below which every transaction is decided, and never above the high watermark:
    /// how far a `read_committed` consumer may read. A transaction that began below the start of the log is undecided
    /// from there on.
    pub fn last_stable_offset(&self) -> i64 {
        let high_watermark = self.high_watermark();
        let unstable =
            self.producers.first_unstable_offset().map(|offset| offset.max(self.log_start_offset()));
        unstable.map_or(high_watermark, |offset| offset.min(high_watermark))
    }

    /// The producers that are remembered, by id.
    pub fn active_producers(&self) -> Vec<ActiveProducer> {
        let producers = self.producers.producers().iter();
        let active = producers.map(|(producer_id, producer)| ActiveProducer {
            producer_id: *producer_id,
            producer_epoch: producer.epoch,
            last_sequence: producer.batches().last().map_or(-1, |batch| batch.last_sequence),
            last_timestamp: producer.last_timestamp,
            coordinator_epoch: producer.coordinator_epoch,
            current_txn_start_offset: producer.txn_first_offset.unwrap_or(-1),
        });
        active.collect()
    }

    /// Forgets producers that have written nothing for `producer_id_expiration_ms`. Returns their number.
    pub fn remove_expired_producers(&mut self, now_ms: i64) -> usize {
        self.producers.remove_expired(now_ms, self.config.producer_id_expiration_ms)
    }

    /// The time of the last write of the producer with the oldest open transaction, in ms since the epoch. If that is
    /// long past, the transaction is hanging.
    pub fn oldest_open_txn_timestamp(&self) -> Option<i64> {
        self.producers.oldest_open_txn_timestamp()
    }

    /// Makes the flush thread sync everything that is appended so far. Costs next to nothing if the log is in
    /// its queue already.
    pub fn enqueue_flush(&self) {
        self.flush.enqueue();
    }

    /// Sets the listener that the flusher calls each time it has synced the log. Call it once.
    pub fn set_flush_listener(&self, listener: FlushListener) {
        self.flush.set_listener(listener);
    }

    /// Makes everything appended so far durable. Returns the offset up to which the log is.
    ///
    /// # Errors
    /// [`WriteError`]: unless the disk is full nothing may try again.
    pub fn flush(&self) -> Result<i64, WriteError> {
        self.flush.flush()
    }

    /// Closes the log so that opening it reads nothing but the ends of its files. The log
    /// directory's [`crate::LogDirectory::close`] completes it.
    ///
    /// # Errors
    /// [`ChangeError`]; the log is then as after a crash.
    pub fn close(mut self) -> Result<(), ChangeError> {
        self.partition.directory.health.check()?;
        if self.flush.is_void() && !self.active.torn || traps::is_on(Trap::CloseUnsynced) {
            // The next start recreates what a loss of power takes of an empty log.
            self.partition.directory.closed(&self.flush, true);
            return Ok(());
        }
        if self.end_offset() == 0 {
            self.flush.forget_epochs();
        }
        self.settle_swap(i64::MAX)?;
        self.finish().map_err(|error| self.change_error(error))?;
        self.flush.flush()?;
        self.partition.directory.closed(&self.flush, true);
        Ok(())
    }

    /// Writes everything that is only in memory.
    fn finish(&mut self) -> fs::Result<()> {
        self.active.finish()?;
        // The next start does not check the indexes.
        self.active.segment.sync(SegmentFile::OffsetIndex)?;
        self.active.segment.sync(SegmentFile::TimeIndex)?;
        self.write_snapshot(self.end_offset())
    }

    /// Writes a producer snapshot at `offset`, below which no batch will be appended any more, if there is
    /// none. An empty log needs none.
    fn write_snapshot(&mut self, offset: i64) -> fs::Result<()> {
        assert!(offset >= self.end_offset(), "every batch is accounted for");
        let is_empty = offset == self.log_start_offset() && self.producers.producers().is_empty();
        if is_empty && self.snapshots.is_empty() {
            return Ok(());
        }
        let state = std::mem::take(&mut self.producers);
        let written = self.write_snapshot_of(&state, offset);
        self.producers = state;
        written
    }

    /// Writes a snapshot of these producers at `offset` if there is none.
    fn write_snapshot_of(&mut self, state: &ProducerState, offset: i64) -> fs::Result<()> {
        if self.snapshots.contains(&offset) {
            return Ok(());
        }
        let path = offset_path(&self.partition.path(), offset, SNAPSHOT_SUFFIX);
        snapshot::write(&self.partition.directory.fs, &path, state)?;
        self.snapshots.insert(offset);
        self.flush.snapshot_written(offset);
        Ok(())
    }

    /// Replaces a snapshot at `offset` by one of these producers. At every moment one of the two exists.
    fn replace_snapshot(&mut self, state: &ProducerState, offset: i64) -> fs::Result<()> {
        if self.snapshots.contains(&offset) {
            return Ok(());
        }
        let (fs, bytes) = (&self.partition.directory.fs, snapshot::encode(state));
        let path = offset_path(&self.partition.path(), offset, SNAPSHOT_SUFFIX);
        match fs.read(&path) {
            Ok(older) if older == bytes => {}
            Ok(_) => fs.replace(&path, &bytes)?,
            Err(error) if error.is_not_found() => snapshot::write(fs, &path, state)?,
            Err(error) => return Err(error),
        }
        self.snapshots.insert(offset);
        self.flush.snapshot_written(offset);
        Ok(())
    }

    /// Closes the active segment and opens one at `base_offset`.
    pub(crate) fn roll(&mut self, base_offset: i64, now_ms: i64) -> fs::Result<()> {
        assert!(base_offset >= self.end_offset(), "a segment begins at the end of the log");
        let segment = Segment::new(self.partition.clone(), base_offset);
        let made = segment.create_files().and_then(|()| self.active.finish());
        let made = made.and_then(|()| self.write_snapshot(base_offset));
        if let Err(error) = made {
            // The next start would take the empty segment for the last one.
            for kind in SegmentFile::ALL {
                let _ = self.partition.directory.fs.remove_file_if_exists(&segment.path(kind));
            }
            // Until the directory is synced, a loss of power may bring it back while the segment before it continues.
            self.flush.directory_changed();
            return Err(error);
        }
        let active = ActiveSegment::new(segment.clone(), self.jitter_ms(base_offset), now_ms);
        let last = std::mem::replace(&mut self.active, active);
        self.flush.rolled(last.segment.clone(), segment);
        let closed = ClosedSegment::new(last.segment, last.size, Some(last.max_timestamp));
        self.closed.to_mut().push(Arc::new(closed));
        self.flush.offsets.set_end(base_offset);
        // The flusher makes the closed segment durable, which moves the recovery point.
        self.flush.enqueue();
        Ok(())
    }

    /// The amount by which the `segment_ms` of a segment is shortened: always the same for one segment.
    fn jitter_ms(&self, base_offset: i64) -> i64 {
        let max = self.config.segment_jitter_ms.min(self.config.segment_ms);
        if max <= 0 {
            return 0;
        }
        // One step of SplitMix64.
        let mut mixed = self.jitter_seed ^ (base_offset as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % max as u64) as i64
    }

    fn change_error(&self, error: fs::Error) -> ChangeError {
        self.write_error(error).into()
    }

    fn write_error(&self, error: fs::Error) -> WriteError {
        self.partition.directory.write_error(error)
    }

    fn scan_error(&self, error: ScanError) -> ChangeError {
        match error {
            ScanError::Fs(error) => self.change_error(error),
            ScanError::Damaged(damage) => ChangeError::Damaged(damage),
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        // After a clean close this changes nothing.
        self.partition.directory.closed_if_open(&self.flush);
        // Its directory may be about to be renamed, and a sync that did not find it would count as failed.
        let _paused = self.flush.pause();
        self.flush.retire();
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Log({}, {}..{})", self.partition.name, self.log_start_offset(), self.end_offset())
    }
}

#[cfg(test)]
mod tests;
