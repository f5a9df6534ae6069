//! The replica of a partition on this broker: its log, who waits for it, and what clients may see.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use arc_swap::ArcSwap;
use coordinator::CoordinatorRecord;
use parking_lot::{Mutex, MutexGuard};
use protocol::{ErrorCode, Str};
use record::{
    Batch, BatchBuilder, Compression, Compressor, InvalidBatch, ProduceRules, Scratch, ValidBatch, validate,
};
use storage::{AppendError, Log, Origin, ProducerError};
use tracing::warn;

use super::append::{Appended, Refusal};
use crate::directories::{Durability, LogDir, Lost};

mod maintenance;
mod offsets;
mod read;
mod relocate;
mod rules;
mod scrub;
mod turn;
mod wake;

pub(crate) use offsets::OffsetSpec;
pub(crate) use read::{Isolation, ReadOutcome, ReadRequest};
pub(crate) use rules::PartitionRules;
use scrub::ScrubRecord;
pub(crate) use scrub::{LastScrub, ScrubNews};
pub(crate) use turn::Turn;
pub(crate) use wake::Watch;
use wake::Watchers;

thread_local! {
    /// What decoding compressed batches needs, once for each thread: validation never waits.
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch::new());
}

/// What the controller has decided of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Leadership {
    pub(crate) leader_epoch: i32,
    /// Replicas in sync, this one included.
    pub(crate) isr_len: usize,
    /// Replicas, in sync or not.
    pub(crate) replicas_len: usize,
}

/// A replica of a partition: its log, and who waits for news of it.
///
/// One lock guards the log. It is held for an append or for finding a place to read, never while
/// a client is waited for and never across an await.
pub(crate) struct Replica {
    topic: Str,
    index: i32,
    leadership: Leadership,
    rules: ArcSwap<PartitionRules>,
    /// None once the partition is deleted or closed.
    log: Mutex<Option<Log>>,
    /// The directory that the log is in.
    log_dir: ArcSwap<LogDir>,
    /// Whether it is moved to another: compaction stays away.
    moving: AtomicBool,
    /// Held while compacted segments take the place of others.
    swapping: Mutex<()>,
    /// The end of the log. With one replica all of it is below the high watermark: a consumer
    /// sees a record as soon as it is appended, as in Kafka.
    end_offset: AtomicI64,
    durability: Arc<Durability>,
    /// When everything was last seen to be on disk, by the steady clock, for `flush.ms`.
    unflushed_since_ms: AtomicI64,
    watchers: Watchers,
    scrub: ScrubRecord,
}

impl Replica {
    /// Leads a partition whose log is open.
    pub(crate) fn lead(
        topic: Str,
        index: i32,
        leadership: Leadership,
        rules: Arc<PartitionRules>,
        mut log: Log,
        log_dir: Arc<LogDir>,
    ) -> Self {
        log.assign_epoch(leadership.leader_epoch);
        log.set_high_watermark(log.end_offset());
        let durability = Arc::new(Durability::new(log.flushed_offset()));
        let (told, news) = (Arc::clone(&durability), Arc::clone(log_dir.news()));
        log.set_flush_listener(Box::new(move |flushed| news.tell(&told, flushed)));
        if log.flushed_offset() < log.end_offset() {
            // A crash left it: it is served at once, and acknowledged as durable once it is.
            log.enqueue_flush();
        }
        Self {
            topic,
            index,
            leadership,
            rules: ArcSwap::new(rules),
            end_offset: AtomicI64::new(log.end_offset()),
            log: Mutex::new(Some(log)),
            log_dir: ArcSwap::new(log_dir),
            moving: AtomicBool::new(false),
            swapping: Mutex::new(()),
            durability,
            unflushed_since_ms: AtomicI64::new(0),
            watchers: Watchers::default(),
            scrub: ScrubRecord::default(),
        }
    }

    /// `topic-index`, for people.
    pub(crate) fn name(&self) -> String {
        format!("{}-{}", self.topic, self.index)
    }

    pub(crate) fn topic(&self) -> &Str {
        &self.topic
    }

    pub(crate) fn index(&self) -> i32 {
        self.index
    }

    /// The directory that the log is in.
    pub(crate) fn log_dir(&self) -> Arc<LogDir> {
        self.log_dir.load_full()
    }

    /// Bytes of batches in the log; none where it is gone.
    pub(crate) fn size_bytes(&self) -> Option<u64> {
        self.lock().as_ref().map(Log::size_bytes)
    }

    /// Its segments and the bytes of batches in them; none where the log is gone.
    pub(crate) fn extent(&self) -> Option<(usize, u64)> {
        self.lock().as_ref().map(|log| (log.segments(), log.size_bytes()))
    }

    /// The offset that the next record gets.
    pub(crate) fn end_offset(&self) -> i64 {
        self.end_offset.load(Ordering::Acquire)
    }

    /// Puts changed settings in force.
    pub(crate) fn set_rules(&self, rules: Arc<PartitionRules>) {
        if let Some(log) = self.log.lock().as_mut() {
            log.set_config(rules.log());
        }
        self.rules.store(rules);
    }

    /// Fences a client that knows an older leader epoch, or a newer one than this broker does
    /// (KIP-320). -1 is the epoch of a client that does not say.
    pub(crate) fn check_leader_epoch(&self, epoch: i32) -> Result<(), ErrorCode> {
        match epoch {
            epoch if epoch == -1 || epoch == self.leadership.leader_epoch => Ok(()),
            epoch if epoch < self.leadership.leader_epoch => Err(ErrorCode::FENCED_LEADER_EPOCH),
            _ => Err(ErrorCode::UNKNOWN_LEADER_EPOCH),
        }
    }

    /// Kafka's error where the log is gone: deleted, closed, or in a directory that has failed.
    fn gone(&self) -> ErrorCode {
        if self.durability.has_failed() {
            ErrorCode::KAFKA_STORAGE_ERROR
        } else {
            ErrorCode::NOT_LEADER_OR_FOLLOWER
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Log>> {
        self.log.lock()
    }

    /// Validates and appends what a producer sent.
    ///
    /// # Errors
    /// Kafka's error; nothing of it is in the log then.
    pub(crate) fn append_produced(
        &self,
        records: &[u8],
        request_version: i16,
        acks_all: bool,
        now_ms: i64,
    ) -> Result<Appended, Refusal> {
        let rules = self.rules.load();
        if acks_all && self.leadership.isr_len < self.in_sync_min(&rules) {
            return Err(Refusal::from(ErrorCode::NOT_ENOUGH_REPLICAS));
        }
        let checks = rules.produce(request_version, now_ms);
        let valid = SCRATCH.with_borrow_mut(|scratch| validate::produce(records, &checks, scratch));
        let batch = valid.map_err(|invalid| {
            let log_start_offset = if tells_log_start(&invalid) { self.log_start_offset() } else { -1 };
            Refusal { log_start_offset, ..Refusal::from(invalid) }
        })?;
        if batch.header.attributes.is_transactional() {
            // No transaction is open for any producer: the coordinator that opens them is not here.
            return Err(Refusal::from(ErrorCode::INVALID_TXN_STATE));
        }
        match rules.recompress(batch.header.attributes.compression().ok()) {
            None => self.append(records, &batch, Origin::Client, acks_all, now_ms),
            Some(compressor) => {
                let (records, batch) = recompress(records, &batch, compressor, &checks)?;
                self.append(&records, &batch, Origin::Client, acks_all, now_ms)
            }
        }
    }

    /// How many replicas must be in sync for acks=all: no more than there are, so that a topic of one replica takes
    /// records whatever the broker's `min.insync.replicas` is.
    fn in_sync_min(&self, rules: &PartitionRules) -> usize {
        let asked_for = usize::try_from(rules.topic.min_insync_replicas).unwrap_or(0);
        asked_for.min(self.leadership.replicas_len)
    }

    /// The bytes that a batch may have (`max.message.bytes`).
    pub(crate) fn max_message_bytes(&self) -> usize {
        usize::try_from(self.rules.load().topic.max_message_bytes).unwrap_or(0)
    }

    /// Appends what the coordinator of the groups in this partition has decided, as one batch.
    ///
    /// # Errors
    /// Kafka's error; nothing of it is in the log then.
    pub(crate) fn append_coordinator_records(
        &self,
        records: &[CoordinatorRecord],
        now_ms: i64,
    ) -> Result<Appended, Refusal> {
        let max_bytes = self.max_message_bytes();
        // Looked at first: no batch can be built that is larger than 2 GiB.
        if records.iter().map(CoordinatorRecord::size).sum::<usize>() > max_bytes {
            return Err(Refusal::from(ErrorCode::MESSAGE_TOO_LARGE));
        }
        let mut builder = BatchBuilder::new(Compression::None);
        for record in records {
            builder.push(now_ms, Some(&record.key), record.value.as_deref(), &[]);
        }
        if builder.size_bytes() > max_bytes {
            return Err(Refusal::from(ErrorCode::MESSAGE_TOO_LARGE));
        }
        let bytes = builder.build();
        let batch = Batch::parse(&bytes).expect("a batch that was built is one");
        self.append(&bytes, &ValidBatch::trusted(&batch), Origin::Coordinator, true, now_ms)
    }

    fn append(
        &self,
        records: &[u8],
        batch: &ValidBatch,
        origin: Origin,
        make_durable: bool,
        now_ms: i64,
    ) -> Result<Appended, Refusal> {
        let flush_messages = self.rules.load().topic.flush_messages;
        let appended = {
            let mut log = self.lock();
            let log = log.as_mut().ok_or_else(|| self.gone())?;
            let appended = log.append_as_leader(records, batch, self.leadership.leader_epoch, origin, now_ms);
            let appended = appended.map_err(|error| self.refusal(&error, log.log_start_offset()))?;
            let end_offset = log.end_offset();
            log.set_high_watermark(end_offset);
            self.end_offset.store(end_offset, Ordering::Release);
            let unflushed = end_offset - self.durability.flushed_offset();
            if unflushed > 0 && (unflushed >= flush_messages && (make_durable || flush_messages > 1)) {
                log.enqueue_flush();
            }
            appended
        };
        self.watchers.notify();
        Ok(Appended {
            base_offset: appended.base_offset,
            last_offset: appended.last_offset,
            log_append_time_ms: appended.log_append_time,
            log_start_offset: appended.log_start_offset,
        })
    }

    /// Kafka's error for an append that the log did not take.
    fn refusal(&self, error: &AppendError, log_start_offset: i64) -> Refusal {
        let error_code = match error {
            AppendError::Producer(producer) => match producer {
                ProducerError::InvalidProducerEpoch { .. } => ErrorCode::INVALID_PRODUCER_EPOCH,
                ProducerError::OutOfOrderSequence { .. } => ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER,
                ProducerError::InvalidTxnState { .. } => ErrorCode::INVALID_TXN_STATE,
                ProducerError::TransactionCoordinatorFenced { .. } => {
                    ErrorCode::TRANSACTION_COORDINATOR_FENCED
                }
            },
            AppendError::TooLarge { .. } => ErrorCode::RECORD_LIST_TOO_LARGE,
            AppendError::Batch(_) => ErrorCode::CORRUPT_MESSAGE,
            AppendError::UnexpectedOffset { .. } | AppendError::OffsetsExhausted => {
                ErrorCode::UNKNOWN_SERVER_ERROR
            }
            AppendError::Full(_) | AppendError::Offline(_) => ErrorCode::KAFKA_STORAGE_ERROR,
        };
        // A full disk tells of itself once, and not with each request.
        if matches!(error, AppendError::Offline(_)) {
            warn!(partition = self.name(), "an append was refused: {error}");
        }
        // Kafka tells the log's start of what is wrong with the batch, and not of what its log could not do.
        let is_of_batch = matches!(error, AppendError::Producer(_));
        let log_start_offset = if is_of_batch { log_start_offset } else { -1 };
        Refusal { log_start_offset, ..Refusal::new(error_code, error.to_string()) }
    }

    /// Whether everything before `end_offset` is as durable as this topic's acknowledgements
    /// promise.
    pub(crate) fn is_durable(&self, end_offset: i64) -> bool {
        !self.rules.load().durable_acks() || self.durability.flushed_offset() >= end_offset
    }

    /// Waits until everything before `end_offset` is that durable.
    ///
    /// # Errors
    /// Kafka's error where it will never be: the disk has failed, or the log was deleted.
    pub(crate) async fn durable(&self, end_offset: i64) -> Result<(), ErrorCode> {
        if self.is_durable(end_offset) {
            return Ok(());
        }
        // What is waited for may have been appended by somebody who did not ask for this.
        if let Some(log) = self.lock().as_ref() {
            log.enqueue_flush();
        }
        self.durability.wait(end_offset).await.map_err(|Lost| self.gone())
    }
}

/// Whether Kafka tells the log's start with the error: it does where the log has looked at the records, except for two
/// errors.
fn tells_log_start(invalid: &InvalidBatch) -> bool {
    let error_code = ErrorCode(invalid.error_code());
    !invalid.is_of_request()
        && !matches!(error_code, ErrorCode::CORRUPT_MESSAGE | ErrorCode::MESSAGE_TOO_LARGE)
}

/// The batch as its topic wants it compressed, which may be larger than what came.
fn recompress(
    records: &[u8],
    batch: &ValidBatch,
    compressor: Compressor,
    checks: &ProduceRules,
) -> Result<(Vec<u8>, ValidBatch), Refusal> {
    let recompressed = SCRATCH.with_borrow_mut(|scratch| {
        batch.recompress(records, compressor, scratch, checks.max_decompressed_bytes)
    });
    let (records, batch) = recompressed.map_err(InvalidBatch::Decompress)?;
    if records.len() > checks.max_message_bytes {
        let (size_bytes, max_bytes) = (records.len(), checks.max_message_bytes);
        return Err(InvalidBatch::TooLarge { size_bytes, max_bytes }.into());
    }
    Ok((records, batch))
}

#[cfg(test)]
mod tests;
