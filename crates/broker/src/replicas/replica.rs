//! The replica of a partition on this broker: its log, the requests that wait for it, and the records that
//! clients can see.
//!
//! | task | file |
//! |---|---|
//! | appending, as the leader | here; `super::leader` decides the high watermark, `super::append` names the outcome |
//! | leading or following, as the controller decides | `leadership`; `super::role` |
//! | acknowledging; proposing who is in sync | `commit`; `isr` |
//! | reading, looking up offsets | `read`, `offsets` |
//! | waking fetches that wait | `wake`; for those who wait for the disk see `crate::directories::Durability` |
//! | changing settings | `rules` |
//! | retention, deletion, closing | `maintenance` |
//! | moving, scrubbing | `relocate`, `scrub` |

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64};
use std::time::Duration;

use arc_swap::ArcSwap;
use coordinator::CoordinatorRecord;
use metadata::Partition;
use parking_lot::{MappedMutexGuard, Mutex, MutexGuard};
use protocol::{ErrorCode, Str};
use record::{
    Batch, BatchBuilder, Compression, Compressor, InvalidBatch, ProduceRules, Scratch, ValidBatch, validate,
};
use runtime::clock;
use storage::{AppendError, Log, LogOffsets, Origin, ProducerError};
use tracing::warn;

use super::append::{AppendedRecords, Refusal};
use super::role::Role;
use crate::directories::{Durability, LogDir};

mod commit;
mod isr;
mod leadership;
mod maintenance;
mod offsets;
mod read;
mod relocate;
mod rules;
mod scrub;
mod turn;
mod wake;

use leadership::LeadingEpoch;
pub(crate) use offsets::OffsetSpec;
pub(crate) use read::{FetchingBroker, FetchingReplica, Isolation, ReadOutcome, ReadRequest};
pub(crate) use rules::PartitionRules;
use scrub::ScrubRecord;
pub(crate) use scrub::{LastScrub, ScrubNews};
pub(crate) use turn::Turn;
use wake::Watchers;
pub(crate) use wake::{News, Watch};

thread_local! {
    /// The memory for decompressing batches, one for each thread: validation never waits.
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch::new());
}

/// A replica of a partition: its log, and the requests that wait for it.
///
/// One lock guards the log. It is held for an append, or for finding a place to read; never while a client is
/// waited for, and never across an await.
pub(crate) struct Replica {
    node_id: i32,
    topic: Str,
    index: i32,
    rules: ArcSwap<PartitionRules>,
    state: Mutex<State>,
    leading_epoch: LeadingEpoch,
    /// The log's offsets, which are read without the lock.
    offsets: Arc<LogOffsets>,
    /// The directory that the log is in.
    log_dir: ArcSwap<LogDir>,
    /// Whether the log is being moved to another directory: compaction then leaves it alone.
    moving: AtomicBool,
    /// Held while compacted segments replace others.
    swapping: Mutex<()>,
    durability: Arc<Durability>,
    /// The time at which everything was last seen on disk, on the steady clock, for `flush.ms`.
    unflushed_since_ms: AtomicI64,
    watchers: Watchers,
    scrub: ScrubRecord,
}

/// The part of a replica that its lock guards.
struct State {
    /// `None` once the partition is deleted or closed.
    log: Option<Log>,
    role: Role,
}

impl Replica {
    /// A replica whose log is open, in the role that the controller has decided.
    pub(crate) fn new(
        topic: Str,
        index: i32,
        (node_id, decided): (i32, Arc<Partition>),
        rules: Arc<PartitionRules>,
        mut log: Log,
        log_dir: Arc<LogDir>,
    ) -> Self {
        let role = Role::new(node_id, &decided, log.end_offset(), clock::steady_ms());
        let leading_epoch = LeadingEpoch::of(&role);
        if let Role::Leader(leader) = &role {
            log.assign_epoch(leader.epoch());
        }
        let offsets = Arc::clone(log.offsets());
        let durability = Arc::new(Durability::new(Arc::clone(&offsets)));
        let (told, news) = (Arc::clone(&durability), Arc::clone(log_dir.news()));
        log.set_flush_listener(Box::new(move |flushed| news.tell(&told, flushed)));
        if log.flushed_offset() < log.end_offset() {
            // A crash may have left records that are not on disk: they are served at once, and are durable
            // after this flush.
            log.enqueue_flush();
        }
        let mut state = State { log: Some(log), role };
        state.raise_high_watermark(&rules);
        Self {
            node_id,
            topic,
            index,
            rules: ArcSwap::new(rules),
            state: Mutex::new(state),
            leading_epoch,
            offsets,
            log_dir: ArcSwap::new(log_dir),
            moving: AtomicBool::new(false),
            swapping: Mutex::new(()),
            durability,
            unflushed_since_ms: AtomicI64::new(0),
            watchers: Watchers::default(),
            scrub: ScrubRecord::default(),
        }
    }

    /// The partition as `topic-index`, for people.
    pub(crate) fn name(&self) -> String {
        format!("{}-{}", self.topic, self.index)
    }

    pub(crate) fn topic(&self) -> &Str {
        &self.topic
    }

    pub(crate) fn index(&self) -> i32 {
        self.index
    }

    /// The log's directory.
    pub(crate) fn log_dir(&self) -> Arc<LogDir> {
        self.log_dir.load_full()
    }

    /// The bytes of batches in the log; `None` if the log is gone.
    pub(crate) fn size_bytes(&self) -> Option<u64> {
        self.lock().as_ref().map(Log::size_bytes)
    }

    /// The number of segments, and the bytes of batches in them; `None` if the log is gone.
    pub(crate) fn extent(&self) -> Option<(usize, u64)> {
        self.lock().as_ref().map(|log| (log.segments(), log.size_bytes()))
    }

    /// The offset of the next record.
    pub(crate) fn end_offset(&self) -> i64 {
        self.offsets.end()
    }

    /// Puts changed settings in force.
    pub(crate) fn set_rules(&self, rules: Arc<PartitionRules>) {
        if let Some(log) = self.lock().as_mut() {
            log.set_config(rules.log());
        }
        self.rules.store(rules);
    }

    /// Kafka's error if the log is gone: deleted, closed, or in a directory that has failed.
    fn gone(&self) -> ErrorCode {
        if self.durability.has_failed() {
            ErrorCode::KAFKA_STORAGE_ERROR
        } else {
            ErrorCode::NOT_LEADER_OR_FOLLOWER
        }
    }

    /// Locks the log.
    fn lock(&self) -> MappedMutexGuard<'_, Option<Log>> {
        MutexGuard::map(self.state.lock(), |state| &mut state.log)
    }

    /// Locks the log, or returns `None` if others hold it for that long.
    fn try_lock_for(&self, time: Duration) -> Option<MappedMutexGuard<'_, Option<Log>>> {
        Some(MutexGuard::map(self.state.try_lock_for(time)?, |state| &mut state.log))
    }

    /// Validates and appends a batch from a producer.
    ///
    /// # Errors
    /// Kafka's error; nothing of the batch is in the log then.
    pub(crate) fn append_produced(
        &self,
        records: &[u8],
        request_version: i16,
        acks_all: bool,
        now_ms: i64,
    ) -> Result<AppendedRecords, Refusal> {
        let epoch = self.leading_epoch().ok_or(ErrorCode::NOT_LEADER_OR_FOLLOWER)?;
        let rules = self.rules.load();
        if acks_all && !self.has_in_sync(rules.topic.min_insync_replicas) {
            return Err(Refusal::from(ErrorCode::NOT_ENOUGH_REPLICAS));
        }
        let checks = rules.produce(request_version, now_ms);
        let valid = SCRATCH.with_borrow_mut(|scratch| validate::produce(records, &checks, scratch));
        let batch = valid.map_err(|invalid| {
            let log_start_offset = if tells_log_start(&invalid) { self.log_start_offset() } else { -1 };
            Refusal { log_start_offset, ..Refusal::from(invalid) }
        })?;
        if batch.header.attributes.is_transactional() {
            // No producer has an open transaction, since there is no transaction coordinator.
            return Err(Refusal::from(ErrorCode::INVALID_TXN_STATE));
        }
        match rules.recompress(batch.header.attributes.compression().ok()) {
            None => self.append(records, &batch, epoch, Origin::Client, acks_all, now_ms),
            Some(compressor) => {
                let (records, batch) = recompress(records, &batch, compressor, &checks)?;
                self.append(&records, &batch, epoch, Origin::Client, acks_all, now_ms)
            }
        }
    }

    /// Whether enough replicas are in sync for acks=all, see [`super::leader::Leader::has_in_sync`].
    fn has_in_sync(&self, min: i32) -> bool {
        let min = usize::try_from(min).unwrap_or(0);
        // The leader is always in sync: with a minimum of 1 its lock is not needed.
        min <= 1 || self.state.lock().role.leader().is_ok_and(|leader| leader.has_in_sync(min))
    }

    /// The largest batch, in bytes (`max.message.bytes`).
    pub(crate) fn max_message_bytes(&self) -> usize {
        usize::try_from(self.rules.load().topic.max_message_bytes).unwrap_or(0)
    }

    /// Appends the records of the coordinator in this partition, as one batch.
    ///
    /// # Errors
    /// Kafka's error; none of the records is in the log then.
    pub(crate) fn append_coordinator_records(
        &self,
        records: &[CoordinatorRecord],
        epoch: i32,
        now_ms: i64,
    ) -> Result<AppendedRecords, Refusal> {
        let max_bytes = self.max_message_bytes();
        // Checked first: no batch larger than 2 GiB can be built.
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
        self.append(&bytes, &ValidBatch::trusted(&batch), epoch, Origin::Coordinator, true, now_ms)
    }

    fn append(
        &self,
        records: &[u8],
        batch: &ValidBatch,
        epoch: i32,
        origin: Origin,
        make_durable: bool,
        now_ms: i64,
    ) -> Result<AppendedRecords, Refusal> {
        let rules = self.rules.load();
        let flush_messages = rules.topic.flush_messages;
        let (appended, raised) = {
            let mut state = self.state.lock();
            state.leader_in(epoch)?;
            let log = state.log.as_mut().ok_or_else(|| self.gone())?;
            let appended = log.append_as_leader(records, batch, epoch, origin, now_ms);
            let appended = appended.map_err(|error| self.refusal(&error, log.log_start_offset()))?;
            let unflushed = log.end_offset() - log.flushed_offset();
            if unflushed > 0 && (unflushed >= flush_messages && (make_durable || flush_messages > 1)) {
                log.enqueue_flush();
            }
            (appended, state.raise_high_watermark(&rules))
        };
        self.watchers.notify(if raised { &[News::End, News::HighWatermark] } else { &[News::End] });
        Ok(AppendedRecords {
            base_offset: appended.base_offset,
            last_offset: appended.last_offset,
            log_append_time_ms: appended.log_append_time,
            log_start_offset: appended.log_start_offset,
        })
    }

    /// Kafka's error for an append that the log rejects.
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
        // A full disk is reported once, not for each request.
        if matches!(error, AppendError::Offline(_)) {
            warn!(partition = self.name(), "an append was rejected: {error}");
        }
        // Kafka reports the log start offset when the batch is invalid, but not when the log could not store
        // it.
        let is_of_batch = matches!(error, AppendError::Producer(_));
        let log_start_offset = if is_of_batch { log_start_offset } else { -1 };
        Refusal { log_start_offset, ..Refusal::new(error_code, error.to_string()) }
    }
}

/// Whether Kafka reports the log start offset with the error: it does if the log has read the records, except
/// for two errors.
fn tells_log_start(invalid: &InvalidBatch) -> bool {
    let error_code = ErrorCode(invalid.error_code());
    !invalid.is_of_request()
        && !matches!(error_code, ErrorCode::CORRUPT_MESSAGE | ErrorCode::MESSAGE_TOO_LARGE)
}

/// The batch in the compression of its topic. It may be larger than before.
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
