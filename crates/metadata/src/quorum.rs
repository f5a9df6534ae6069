//! Agreement on metadata records: openraft over the metadata log.
//!
//! One metadata record is one entry is one offset of `__cluster_metadata-0`; the term of an entry
//! is its leader epoch. A vote and an entry are on disk before anyone is told of them. The state is
//! rebuilt at a start from the newest snapshot and the log after it.
//!
//! One node alone is a quorum of one. It elects itself at each start without waiting: no timer of
//! openraft runs.

mod async_runtime;
mod batches;
mod checkpoint;
#[cfg(test)]
mod crash;
mod log_store;
mod network;
mod raft;
mod start;
mod state_machine;
mod status;
mod survey;
mod vote;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::StreamExt;
use protocol::EncodeError;
use protocol::records::{BeginTransactionRecord, EndTransactionRecord};
use runtime::task;
use storage::fs::Fs;
use tokio::sync::{Mutex, watch};

pub use batches::BatchFault;
pub use checkpoint::CheckpointError;
pub use raft::{VoterEndpoint, VoterId};
pub use start::{QuorumConfig, StartError, check_room};
pub use status::{QuorumStatus, VoterStatus};
pub use survey::{Survey, is_formatted, survey, survey_in};
pub use vote::VoteError;

use crate::image::{ApplyError, Delta, Image};
use crate::level;
use crate::record::MetadataRecord;
use log_store::LogStore;
use raft::{EntryRecord, Types, offset};
use state_machine::{Observer, Published, StateMachine};

/// The topic whose only partition is the metadata log.
pub const METADATA_TOPIC: &str = "__cluster_metadata";

/// Bytes that stay free for the metadata log, in the directory that it shares with topics: when
/// topics have filled the disk, a proposal is refused and the quorum goes on.
const RESERVED_BYTES: u64 = 1 << 20;

/// Bytes that one decision may take in the log, as in Kafka (`KafkaRaftClient.MAX_BATCH_SIZE_BYTES`).
const DECISION_BYTES_MAX: usize = 8 << 20;

/// Bytes of a record in the log beside its value: the header of its batch and its own.
const RECORD_OVERHEAD_BYTES: usize = 100;

/// The quorum, as the broker that is its leader uses it.
pub struct Quorum {
    raft: openraft::Raft<Types, StateMachine>,
    published: Arc<Published>,
    observer: Observer,
    writer: Mutex<Writer>,
    store: LogStore,
    fs: Fs,
    dir: PathBuf,
    /// The bytes of a segment of the log, which no entry may exceed.
    segment_bytes: usize,
    bytes_between_snapshots: u64,
    stopped: AtomicBool,
    /// Why it has ended by itself.
    ended: watch::Sender<Option<String>>,
}

/// The one that proposes.
#[derive(Debug)]
struct Writer {
    /// The state with everything that was proposed: decisions build on each other without waiting
    /// for the disk.
    proposed: Image,
}

impl Writer {
    /// Takes over the state as it was applied, where that has everything that was proposed. It is the same, but what
    /// two states have come to on their own they do not share: each would take its own memory.
    fn catch_up(&mut self, applied: &Image) {
        if self.proposed.offset() == applied.offset() {
            self.proposed = applied.clone();
        }
    }
}

/// Why a decision was not made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubmitError {
    /// The disk is full. Nothing was changed, and it may succeed later. Kafka:
    /// `KAFKA_STORAGE_ERROR`.
    DiskFull,
    /// The log cannot hold a record: a text is longer than its field. Nothing was changed. Kafka:
    /// `UNKNOWN_SERVER_ERROR`.
    Unencodable {
        /// Kafka's name of the record.
        record: &'static str,
        /// The field, and what is wrong with it.
        error: EncodeError,
    },
    /// The records take more bytes than one decision may, or one of them more than a segment has. Nothing was changed. Kafka: `RECORD_LIST_TOO_LARGE`.
    TooLarge {
        /// Bytes that they would take in the log.
        size_bytes: usize,
        /// Bytes that they may take.
        max_bytes: usize,
    },
    /// The records contradict the state: whoever decided is wrong. Nothing was changed. Kafka:
    /// `UNKNOWN_SERVER_ERROR`.
    Contradiction(ApplyError),
    /// The quorum has stopped, because its log failed or by [`Quorum::shutdown`]. Whether the
    /// decision stands is not known before the next start. Kafka: `NOT_CONTROLLER`.
    Stopped(String),
}

impl fmt::Display for SubmitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DiskFull => f.write_str("the disk with the metadata log is full: free some space"),
            Self::Unencodable { record, error } => write!(f, "a {record} cannot be written: {error}"),
            Self::TooLarge { size_bytes, max_bytes } => write!(
                f,
                "the change takes {size_bytes} bytes of the metadata log, and one may take {max_bytes}: split the \
                 request"
            ),
            Self::Contradiction(error) => error.fmt(f),
            Self::Stopped(reason) => write!(f, "the metadata quorum has stopped: {reason}"),
        }
    }
}

impl std::error::Error for SubmitError {}

impl Quorum {
    /// The state as of the last record that was applied. Costs no lock.
    pub fn image(&self) -> Arc<Image> {
        self.published.image.load_full()
    }

    /// The state, for who waits for changes. States in between may be passed over.
    pub fn watch(&self) -> watch::Receiver<Arc<Image>> {
        self.published.watch.subscribe()
    }

    /// Decides something, and makes it true.
    ///
    /// `decide` is given the state with every decision before this one, and returns an answer and
    /// the records that make it true. What the finalised `metadata.version` cannot express of them
    /// is left out ([`level::express`]). Records of one decision count together or not at all. When
    /// this returns they are on disk, applied, and the observer of [`Quorum::start`] has seen them;
    /// so has it for an answer without records, as far as that built on earlier ones.
    ///
    /// Decisions are made one at a time; waiting for the disk is shared. A decision that meets a full disk while it is
    /// written waits until there is room, even if nobody waits for it any more; those after it fail at once.
    ///
    /// # Errors
    /// [`SubmitError`].
    pub async fn submit<R>(
        &self,
        decide: impl FnOnce(&Image) -> (R, Vec<MetadataRecord>),
    ) -> Result<R, SubmitError> {
        let mut writer = self.writer.lock().await;
        writer.catch_up(&self.image());
        let (answer, records) = decide(&writer.proposed);
        let level = level::of_decision(&records, &writer.proposed);
        let records: Vec<_> =
            records.into_iter().filter_map(|record| level::express(record, level)).collect();
        if records.is_empty() {
            let seen = writer.proposed.offset();
            drop(writer);
            self.wait_for(seen).await?;
            return Ok(answer);
        }
        let records = EntryRecord::of_decision(together(records, level), level);
        self.check_space(self.check_size(&records)?)?;
        let proposed = propose(&writer.proposed, &records).map_err(SubmitError::Contradiction)?;
        let last = proposed.offset();
        // Dropped here, this future has sent nothing; once it is sent the state follows at once.
        let mut results = self.raft.client_write_many(records).await.map_err(|error| self.ended_by(error))?;
        writer.proposed = proposed;
        drop(writer);
        let mut index = None;
        while let Some(result) = results.next().await {
            let written =
                result.map_err(|error| self.ended_by(error))?.map_err(|error| self.ended_by(error))?;
            index = Some(written.log_id.index);
        }
        assert_eq!(index.map(offset), Some(last), "nobody else proposes to a quorum of one");
        self.writer.lock().await.catch_up(&self.image());
        self.snapshot_when_due().await?;
        Ok(answer)
    }

    /// Waits until the record at `offset` is applied.
    async fn wait_for(&self, offset: i64) -> Result<(), SubmitError> {
        if self.stopped.load(Ordering::Acquire) {
            return Err(SubmitError::Stopped("it was shut down".to_owned()));
        }
        if self.image().offset() >= offset {
            return Ok(());
        }
        if self.store.lacks_room() {
            return Err(SubmitError::DiskFull);
        }
        let index = u64::try_from(offset).expect("it was proposed");
        self.raft
            .wait(None)
            .applied_index_at_least(Some(index), "an answer's base")
            .await
            .map_err(|error| self.ended_by(error))?;
        Ok(())
    }

    /// Refuses what the log could not take: it is too late once it is proposed, because a log that fails ends the
    /// quorum. Returns the bytes that the records take.
    fn check_size(&self, records: &[EntryRecord]) -> Result<usize, SubmitError> {
        let within = |size_bytes, max_bytes| {
            if size_bytes > max_bytes { Err(SubmitError::TooLarge { size_bytes, max_bytes }) } else { Ok(()) }
        };
        let (mut size_bytes, mut batch_bytes) = (0, 0);
        for EntryRecord { record, version, ends_batch } in records {
            let encoded = record.encode(*version);
            let encoded =
                encoded.map_err(|error| SubmitError::Unencodable { record: record.name(), error })?;
            let record_bytes = RECORD_OVERHEAD_BYTES + encoded.len();
            batch_bytes += record_bytes;
            within(batch_bytes, self.segment_bytes)?;
            size_bytes += record_bytes;
            batch_bytes = if *ends_batch { 0 } else { batch_bytes };
        }
        within(size_bytes, DECISION_BYTES_MAX)?;
        Ok(size_bytes)
    }

    fn check_space(&self, size_bytes: usize) -> Result<(), SubmitError> {
        if self.store.lacks_room() {
            return Err(SubmitError::DiskFull);
        }
        let needed_bytes = RESERVED_BYTES + size_bytes as u64;
        match self.fs.space(&self.dir) {
            Ok(space) if space.total_bytes > 0 && space.usable_bytes < needed_bytes => {
                Err(SubmitError::DiskFull)
            }
            // What cannot be asked will fail where it matters.
            _ => Ok(()),
        }
    }

    async fn snapshot_when_due(&self) -> Result<(), SubmitError> {
        if self.store.unsnapshotted_bytes() < self.bytes_between_snapshots {
            return Ok(());
        }
        self.snapshot().await
    }

    /// Has a snapshot of the state written, and the log before it deleted, in the background.
    ///
    /// # Errors
    /// [`SubmitError::Stopped`].
    pub async fn snapshot(&self) -> Result<(), SubmitError> {
        self.raft.trigger().snapshot().await.map_err(|error| self.ended_by(error))
    }

    /// Notes that the quorum goes on no more, though nobody has stopped it.
    fn ended_by(&self, reason: impl fmt::Display) -> SubmitError {
        let reason = reason.to_string();
        if !self.stopped.load(Ordering::Acquire) {
            self.ended.send_if_modified(|ended| ended.replace(reason.clone()).is_none());
        }
        SubmitError::Stopped(reason)
    }

    /// Waits until the quorum has ended by itself, because its log failed or because acting on a record panicked, and
    /// somebody has met with it; returns why. Nothing can be decided from then on.
    pub async fn ended(&self) -> String {
        let mut ended = self.ended.subscribe();
        match ended.wait_for(Option::is_some).await {
            Ok(reason) => reason.clone().unwrap_or_default(),
            Err(_) => unreachable!("the sender is in self"),
        }
    }

    /// Stops the quorum and closes its log cleanly.
    ///
    /// # Errors
    /// Where the log cannot be closed; the next start is then one after a crash.
    pub async fn shutdown(&self) -> Result<(), storage::ChangeError> {
        self.stopped.store(true, Ordering::Release);
        self.store.stop_waiting();
        if let Err(error) = self.raft.shutdown().await {
            tracing::error!(%error, "the metadata quorum did not stop in order");
        }
        // A change that is acted on is acted on to its end.
        let observer = self.observer.clone();
        let ended = task::spawn_blocking(move || drop(observer.lock().take())).await;
        ended.expect("taking it does not panic");
        self.store.close()
    }
}

impl fmt::Debug for Quorum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Quorum({}, at offset {})", self.dir.display(), self.image().offset())
    }
}

/// Records that count together: more than one are put in a transaction, if the level has those.
/// Otherwise they share a batch, see [`EntryRecord::of_decision`].
fn together(records: Vec<MetadataRecord>, level: i16) -> Vec<MetadataRecord> {
    if records.len() == 1 || !level::has_transactions(level) {
        return records;
    }
    let begin = std::iter::once(BeginTransactionRecord::default().into());
    let end = std::iter::once(EndTransactionRecord::default().into());
    begin.chain(records).chain(end).collect()
}

/// The state with `records`, which stand together, applied.
fn propose(image: &Image, records: &[EntryRecord]) -> Result<Image, ApplyError> {
    let mut proposed = image.clone();
    let mut delta = Delta::default();
    for EntryRecord { record, .. } in records {
        if !matches!(record, MetadataRecord::BeginTransaction(_) | MetadataRecord::EndTransaction(_)) {
            proposed.apply(record.clone(), &mut delta)?;
        }
    }
    let count = i64::try_from(records.len()).expect("a decision is small");
    proposed.advance_to(image.offset() + count);
    Ok(proposed)
}

#[cfg(test)]
mod tests;
