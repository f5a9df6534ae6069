//! Appending.

use std::fmt;
use std::io::IoSlice;

use record::{BATCH_OVERHEAD, BatchError, BatchHeader, TimestampType, ValidBatch};

use super::{ChangeError, Log};
use crate::fs;
use crate::names::SegmentFile;
use crate::offline::Offline;
use crate::producer_state::{CompletedTxn, Marker, Origin, ProducerError};
use crate::room::Purpose;
use crate::txn_index::{self, AbortedTxn};
use crate::write_error::WriteError;

/// The result of appending one batch, or several together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AppendOutcome {
    /// The offset of the first record.
    pub base_offset: i64,
    /// The offset of the last record.
    pub last_offset: i64,
    /// The timestamp that the broker set, in ms since the epoch; -1 if the producer's timestamps stay.
    pub log_append_time: i64,
    /// The log start offset.
    pub log_start_offset: i64,
    /// Whether the batch was in the log already and nothing was written.
    pub duplicate: bool,
}

/// Why a batch was not appended. Nothing of it is in the log.
#[derive(Debug)]
pub enum AppendError {
    /// The producer may not write this.
    Producer(ProducerError),
    /// `RECORD_LIST_TOO_LARGE`: the batch is larger than a segment.
    TooLarge {
        /// Bytes of the batch.
        size_bytes: usize,
        /// `segment.bytes`.
        segment_bytes: u32,
    },
    /// A batch with offsets of its own begins below the end of the log.
    UnexpectedOffset {
        /// Its first offset.
        base_offset: i64,
        /// The end of the log.
        end_offset: i64,
    },
    /// `CORRUPT_MESSAGE`: bytes that should be batches with offsets of their own are none.
    Batch(BatchError),
    /// There is no offset left after the last record.
    OffsetsExhausted,
    /// `KAFKA_STORAGE_ERROR`: the disk is full, or only its reserve is left, which is not for clients. It may succeed
    /// later. Kafka takes the log directory offline for good and answers the same; clients try again either way.
    Full(fs::Error),
    /// `KAFKA_STORAGE_ERROR`: the log directory has failed.
    Offline(Offline),
}

impl fmt::Display for AppendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AppendError::Producer(error) => error.fmt(f),
            AppendError::TooLarge { size_bytes, segment_bytes } => {
                write!(f, "a batch of {size_bytes} bytes does not fit a segment of {segment_bytes}")
            }
            AppendError::UnexpectedOffset { base_offset, end_offset } => {
                write!(f, "a batch starts at offset {base_offset}, below the end of the log at {end_offset}")
            }
            AppendError::Batch(error) => error.fmt(f),
            AppendError::OffsetsExhausted => f.write_str("the log has no offsets left"),
            AppendError::Full(error) => error.fmt(f),
            AppendError::Offline(offline) => offline.fmt(f),
        }
    }
}

impl std::error::Error for AppendError {}

impl From<Offline> for AppendError {
    fn from(offline: Offline) -> Self {
        AppendError::Offline(offline)
    }
}

impl From<ProducerError> for AppendError {
    fn from(error: ProducerError) -> Self {
        AppendError::Producer(error)
    }
}

impl Log {
    /// Appends a batch at the end of the log as the partition's leader in `leader_epoch`.
    ///
    /// `records` begins with the bytes of the batch that `batch` was validated from; they are
    /// written as they are, behind a header of their own.
    ///
    /// # Errors
    /// [`AppendError`]; nothing is in the log then.
    pub fn append_as_leader(
        &mut self,
        records: &[u8],
        batch: &ValidBatch,
        leader_epoch: i32,
        origin: Origin,
        now_ms: i64,
    ) -> Result<AppendOutcome, AppendError> {
        self.partition.directory.health.check()?;
        let size_bytes = batch.size_bytes();
        assert!(records.len() >= size_bytes, "the bytes are those that were validated");
        self.check_size(size_bytes)?;
        let header = BatchHeader {
            base_offset: self.end_offset(),
            partition_leader_epoch: leader_epoch,
            ..batch.header
        };
        check_offsets(&header)?;
        let marker = Marker::of(&header, &records[..size_bytes]);
        if let Some(batch) = self.producers.check(&header, marker, origin)? {
            return Ok(AppendOutcome {
                base_offset: batch.base_offset(),
                last_offset: batch.last_offset,
                // As in Kafka, the time at which the first of the two was written.
                log_append_time: batch.timestamp,
                log_start_offset: self.log_start_offset(),
                duplicate: true,
            });
        }
        self.admit(size_bytes, origin)?;
        if self.active.must_roll(&header, size_bytes as u64, &self.config, now_ms) {
            self.roll_for(&header, now_ms)?;
        }
        let stamped = header.to_bytes();
        let rest = &records[BATCH_OVERHEAD..size_bytes];
        self.write(&mut [IoSlice::new(&stamped), IoSlice::new(rest)])?;
        self.account(&header, marker)?;
        Ok(self.appended(header.base_offset, &header))
    }

    /// Appends what a follower has fetched in `leader_epoch`. Batches are written as they came, those of magic 0 and 1
    /// too; only their checksums and their place are checked. Gaps between them are those that compaction left. A
    /// truncated last batch, as a fetch may end with, is left out, and so are batches from the first of a later epoch on:
    /// a leader that was deposed may have truncated its log while it sent them (KAFKA-18723). Returns `None` if there is
    /// nothing else.
    ///
    /// A log without a record begins with the first batch even if that starts earlier: the leader's log may start within
    /// it.
    ///
    /// # Errors
    /// [`AppendError`] for the first batch that cannot be appended. None of the batches is in the log then,
    /// unless a file operation failed.
    pub fn append_as_follower(
        &mut self,
        records: &[u8],
        leader_epoch: i32,
        now_ms: i64,
    ) -> Result<Option<AppendOutcome>, AppendError> {
        self.partition.directory.health.check()?;
        self.begin_within(records, now_ms)?;
        self.append_batches(records, leader_epoch, now_ms)
    }

    /// Appends batches that have their offsets and leader epochs, whatever these are. Otherwise as
    /// [`Log::append_as_follower`].
    ///
    /// # Errors
    /// As there.
    pub fn append_with_offsets(
        &mut self,
        records: &[u8],
        now_ms: i64,
    ) -> Result<Option<AppendOutcome>, AppendError> {
        self.partition.directory.health.check()?;
        self.append_batches(records, i32::MAX, now_ms)
    }

    /// Has an empty log start with the first batch, if its start is within.
    fn begin_within(&mut self, records: &[u8], now_ms: i64) -> Result<(), AppendError> {
        let end_offset = self.end_offset();
        if end_offset > self.log_start_offset() {
            return Ok(());
        }
        let Ok(first) = BatchHeader::parse_stored(records) else { return Ok(()) };
        if (first.base_offset.saturating_add(1)..=first.last_offset()).contains(&end_offset) {
            let emptied = self.truncate_fully_and_start_at(first.base_offset.max(0), now_ms);
            emptied.map_err(|error| match error {
                ChangeError::Full(error) => AppendError::Full(error),
                ChangeError::Offline(offline) => AppendError::Offline(offline),
                ChangeError::Damaged(damage) => unreachable!("nothing is read: {damage}"),
            })?;
        }
        Ok(())
    }

    fn append_batches(
        &mut self,
        records: &[u8],
        epoch_max: i32,
        now_ms: i64,
    ) -> Result<Option<AppendOutcome>, AppendError> {
        let Some((base_offset, len)) = self.check_batches(records, epoch_max)? else { return Ok(None) };
        let records = &records[..len];
        let mut run_start = 0;
        let mut position = 0;
        let mut last = None;
        for batch in record::stored_batches(records) {
            let batch = batch.expect("it has been checked");
            let header = *batch.header();
            position += header.size_bytes();
            let run_bytes = (position - run_start) as u64;
            if self.active.must_roll(&header, run_bytes, &self.config, now_ms) {
                let before = position - header.size_bytes();
                self.append_run(&records[run_start..before])?;
                run_start = before;
                if self.active.must_roll(&header, header.size_bytes() as u64, &self.config, now_ms) {
                    self.roll_for(&header, now_ms)?;
                }
            }
            last = Some(header);
        }
        self.append_run(&records[run_start..])?;
        Ok(last.map(|header| self.appended(base_offset, &header)))
    }

    /// The first offset and the length of the whole batches in `records` that are of no later epoch, all of them checked.
    fn check_batches(&self, records: &[u8], epoch_max: i32) -> Result<Option<(i64, usize)>, AppendError> {
        let mut end_offset = self.end_offset();
        let mut first = None;
        let mut len = 0;
        for batch in record::stored_batches(records) {
            let batch = match batch {
                Ok(batch) => batch,
                Err(BatchError::Truncated { .. }) => break,
                Err(error) => return Err(AppendError::Batch(error)),
            };
            let header = batch.header();
            if header.partition_leader_epoch > epoch_max {
                break;
            }
            batch.verify_crc().map_err(AppendError::Batch)?;
            if header.base_offset < end_offset || header.last_offset_delta < 0 {
                return Err(AppendError::UnexpectedOffset { base_offset: header.base_offset, end_offset });
            }
            check_offsets(header)?;
            end_offset = header.next_offset();
            first.get_or_insert(header.base_offset);
            len += header.size_bytes();
        }
        Ok(first.map(|base_offset| (base_offset, len)))
    }

    /// Appends batches that are checked and fit the active segment.
    fn append_run(&mut self, records: &[u8]) -> Result<(), AppendError> {
        if records.is_empty() {
            return Ok(());
        }
        self.partition.directory.room.count(records.len());
        self.write(&mut [IoSlice::new(records)])?;
        for batch in record::stored_batches(records) {
            let batch = batch.expect("it has been checked");
            self.account(batch.header(), Marker::of(batch.header(), batch.bytes()))?;
        }
        Ok(())
    }

    /// Rejects a batch for which the disk has no space. A duplicate is answered before.
    fn admit(&self, size_bytes: usize, origin: Origin) -> Result<(), AppendError> {
        let directory = &self.partition.directory;
        let purpose = match origin {
            Origin::Client => Purpose::Client,
            Origin::Coordinator | Origin::Marker { .. } => Purpose::Own,
            Origin::Replication => {
                directory.room.count(size_bytes);
                return Ok(());
            }
        };
        directory.room.admit(&directory.fs, size_bytes, purpose).map_err(AppendError::Full)
    }

    fn check_size(&self, size_bytes: usize) -> Result<(), AppendError> {
        let segment_bytes = self.config.segment_bytes;
        if size_bytes as u64 > u64::from(segment_bytes) {
            return Err(AppendError::TooLarge { size_bytes, segment_bytes });
        }
        Ok(())
    }

    fn roll_for(&mut self, header: &BatchHeader, now_ms: i64) -> Result<(), AppendError> {
        let empty = (self.active.size == 0).then(|| self.active.segment.clone());
        self.roll(header.base_offset, now_ms).map_err(|error| self.append_error(error))?;
        // An empty segment is rolled only if the offset is too far from its base, and would never get a batch.
        let Some(empty) = empty else { return Ok(()) };
        self.closed.to_mut().pop();
        empty.rename_deleted().map_err(|error| self.append_error(error))
    }

    /// Writes at the end of the active segment, which does not grow by it yet.
    fn write(&mut self, slices: &mut [IoSlice<'_>]) -> Result<(), AppendError> {
        let position = u64::from(self.active.size);
        let written = self
            .active
            .truncate_torn()
            .and_then(|()| self.active.segment.file_to_write(SegmentFile::Log))
            .and_then(|file| {
                file.write_all_vectored_at(slices, position)?;
                self.active.segment.written(SegmentFile::Log, &file)
            });
        written.map_err(|error| {
            self.truncate_unaccounted();
            self.append_error(error)
        })
    }

    /// Truncates what was written after the last batch of the log: at once, because it takes space that a full disk
    /// lacks, or else before the next write.
    fn truncate_unaccounted(&mut self) {
        self.active.torn = true;
        if let Err(error) = self.active.truncate_torn() {
            tracing::debug!(partition = %self.partition.name, "a part of a batch is truncated later: \
                 {error}");
        }
    }

    /// Takes a batch into account that has been written at the end of the active segment.
    fn account(&mut self, header: &BatchHeader, marker: Option<Marker>) -> Result<(), AppendError> {
        let ended = self.producers.ending(header, marker);
        if let Some(txn) = ended.filter(|txn| txn.aborted)
            && let Err(error) = self.write_aborted(txn)
        {
            // Without the entry readers would get aborted records, so the marker does not count as appended.
            self.truncate_unaccounted();
            return Err(self.append_error(error));
        }
        if !self.epochs.knows(header.partition_leader_epoch, header.base_offset) {
            self.assign_epoch_at(header.partition_leader_epoch, header.base_offset);
        }
        self.active.push(header, self.config.index_interval_bytes);
        self.producers.apply(header, marker);
        self.flush.offsets.set_end(header.next_offset());
        self.active.write_due_indexes().map_err(|error| self.append_error(error))
    }

    pub(super) fn write_aborted(&self, txn: CompletedTxn) -> fs::Result<()> {
        let path = self.active.segment.path(SegmentFile::TxnIndex);
        let existed = self.partition.directory.fs.exists(&path)?;
        let file = self.active.segment.create(SegmentFile::TxnIndex)?;
        if !existed {
            // Even if the disk has no space for the entry: for the next one the file exists.
            self.flush.directory_changed();
        }
        txn_index::append(&file, AbortedTxn::from(txn))?;
        self.active.segment.written(SegmentFile::TxnIndex, &file)
    }

    fn append_error(&self, error: fs::Error) -> AppendError {
        match self.write_error(error) {
            WriteError::Full(error) => AppendError::Full(error),
            WriteError::Offline(offline) => AppendError::Offline(offline),
        }
    }

    fn appended(&self, base_offset: i64, last: &BatchHeader) -> AppendOutcome {
        let log_append_time = match last.attributes.timestamp_type() {
            TimestampType::LogAppendTime => last.max_timestamp,
            TimestampType::CreateTime => record::NO_TIMESTAMP,
        };
        AppendOutcome {
            base_offset,
            last_offset: last.last_offset(),
            log_append_time,
            log_start_offset: self.log_start_offset(),
            duplicate: false,
        }
    }
}

impl From<CompletedTxn> for AbortedTxn {
    fn from(txn: CompletedTxn) -> AbortedTxn {
        AbortedTxn {
            producer_id: txn.producer_id,
            first_offset: txn.first_offset,
            last_offset: txn.last_offset,
            last_stable_offset: txn.last_stable_offset,
        }
    }
}

/// Checks that offsets end below the greatest number, so that the log always has an end offset.
fn check_offsets(header: &BatchHeader) -> Result<(), AppendError> {
    assert!(header.last_offset_delta >= 0, "a valid batch has a record");
    if header.base_offset > i64::MAX - 1 - i64::from(header.last_offset_delta) {
        return Err(AppendError::OffsetsExhausted);
    }
    Ok(())
}
