//! The state of a partition's idempotent and transactional producers.
//!
//! Checks come before a batch is written and change nothing; [`ProducerState::apply`] follows once it is.
//! Source: Kafka's `ProducerStateManager`, `ProducerAppendInfo` and `ProducerStateEntry`.

pub(crate) mod snapshot;

use std::collections::BTreeMap;
use std::fmt;

use record::control::EndTransactionMarker;
use record::{Batch, BatchHeader, NO_PRODUCER_EPOCH, NO_SEQUENCE, NO_TIMESTAMP};

/// The number of batches of a producer that are remembered, so that duplicates are recognised: Kafka's producer has at
/// most five requests in flight.
pub(crate) const BATCHES_MAX: usize = 5;

/// The origin of a batch to append, which determines the checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A produce request: producer epoch and sequence are checked.
    Client,
    /// A coordinator of this broker, whose batches have no sequence: the producer epoch is checked.
    Coordinator,
    /// A transaction marker, under the rules of this transaction version (KIP-890): from version 2
    /// on its producer epoch must be above the last one.
    Marker {
        /// `transaction.version` of the WriteTxnMarkers request.
        transaction_version: i16,
    },
    /// A leader or this log's own past: nothing is checked again.
    Replication,
}

/// The contents of an end-of-transaction marker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Marker {
    pub(crate) commit: bool,
    pub(crate) coordinator_epoch: i32,
    pub(crate) timestamp: i64,
}

impl Marker {
    /// Reads the marker of a batch, whose header is given and need not be that in `bytes`; `None` if it ends
    /// no transaction.
    pub(crate) fn of(header: &BatchHeader, bytes: &[u8]) -> Option<Marker> {
        if !header.attributes.is_control() || !header.has_producer_id() {
            return None;
        }
        let record = Batch::parse(bytes).ok()?.records().next()?.ok()?;
        let EndTransactionMarker { committed, coordinator_epoch } =
            EndTransactionMarker::read(&record).ok()?;
        Some(Marker { commit: committed, coordinator_epoch, timestamp: record.timestamp })
    }
}

/// Why a producer may not append. Beside each stands the name of Kafka's error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProducerError {
    /// `INVALID_PRODUCER_EPOCH`: a newer incarnation of the producer has written.
    InvalidProducerEpoch {
        /// The producer.
        producer_id: i64,
        /// The epoch in the batch.
        epoch: i16,
        /// The epoch last seen.
        current_epoch: i16,
    },
    /// `OUT_OF_ORDER_SEQUENCE_NUMBER`: batches before this one are missing.
    OutOfOrderSequence {
        /// The producer.
        producer_id: i64,
        /// The first sequence number of the batch.
        sequence: i32,
        /// The last sequence number of the epoch so far; -1 if there is none.
        last_sequence: i32,
    },
    /// `INVALID_TXN_STATE`: a batch outside a transaction while the producer has one open.
    InvalidTxnState {
        /// The producer.
        producer_id: i64,
    },
    /// `TRANSACTION_COORDINATOR_FENCED`: a newer transaction coordinator has written a marker.
    TransactionCoordinatorFenced {
        /// The producer.
        producer_id: i64,
        /// The coordinator epoch in the marker.
        coordinator_epoch: i32,
        /// The coordinator epoch last seen.
        current_coordinator_epoch: i32,
    },
}

impl fmt::Display for ProducerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProducerError::InvalidProducerEpoch { producer_id, epoch, current_epoch } => {
                write!(
                    f,
                    "producer {producer_id} writes with epoch {epoch}, but its epoch is \
                     {current_epoch}"
                )
            }
            ProducerError::OutOfOrderSequence { producer_id, sequence, last_sequence } => {
                write!(f, "producer {producer_id} sends sequence {sequence} after {last_sequence}")
            }
            ProducerError::InvalidTxnState { producer_id } => {
                write!(f, "producer {producer_id} has a transaction open and writes outside of it")
            }
            ProducerError::TransactionCoordinatorFenced {
                producer_id,
                coordinator_epoch,
                current_coordinator_epoch,
            } => write!(
                f,
                "the marker for producer {producer_id} is of coordinator epoch {coordinator_epoch}, \
                 last seen is {current_coordinator_epoch}"
            ),
        }
    }
}

impl std::error::Error for ProducerError {}

/// The remembered facts of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct BatchEntry {
    pub(crate) last_sequence: i32,
    pub(crate) last_offset: i64,
    pub(crate) offset_delta: i32,
    pub(crate) timestamp: i64,
}

impl BatchEntry {
    fn first_sequence(&self) -> i32 {
        // After 2147483647 comes 0, so before 0 comes 2147483647.
        self.last_sequence.wrapping_sub(self.offset_delta) & i32::MAX
    }

    pub(crate) fn base_offset(&self) -> i64 {
        self.last_offset - i64::from(self.offset_delta)
    }
}

/// A producer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Producer {
    pub(crate) epoch: i16,
    pub(crate) coordinator_epoch: i32,
    pub(crate) last_timestamp: i64,
    /// The start of its open transaction.
    pub(crate) txn_first_offset: Option<i64>,
    /// The last batches of this epoch, oldest first; the first `batches_len` of them.
    batches: [BatchEntry; BATCHES_MAX],
    batches_len: u8,
}

impl Producer {
    fn new() -> Producer {
        Producer {
            epoch: NO_PRODUCER_EPOCH,
            coordinator_epoch: -1,
            last_timestamp: NO_TIMESTAMP,
            txn_first_offset: None,
            batches: Default::default(),
            batches_len: 0,
        }
    }

    pub(crate) fn batches(&self) -> &[BatchEntry] {
        &self.batches[..usize::from(self.batches_len)]
    }

    fn set_epoch(&mut self, epoch: i16) {
        if self.epoch != epoch {
            self.epoch = epoch;
            self.batches_len = 0;
        }
    }

    pub(crate) fn push(&mut self, batch: BatchEntry) {
        if usize::from(self.batches_len) == BATCHES_MAX {
            self.batches.copy_within(1.., 0);
            self.batches_len -= 1;
        }
        self.batches[usize::from(self.batches_len)] = batch;
        self.batches_len += 1;
    }

    fn last_sequence(&self) -> i32 {
        self.batches().last().map_or(NO_SEQUENCE, |batch| batch.last_sequence)
    }

    fn is_expired(&self, now_ms: i64, expiration_ms: i64) -> bool {
        self.txn_first_offset.is_none() && now_ms.saturating_sub(self.last_timestamp) >= expiration_ms
    }
}

/// A transaction that a marker has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CompletedTxn {
    pub(crate) producer_id: i64,
    pub(crate) first_offset: i64,
    /// The offset of the marker.
    pub(crate) last_offset: i64,
    pub(crate) aborted: bool,
    /// The last stable offset once this transaction is over.
    pub(crate) last_stable_offset: i64,
}

/// The producers of one partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ProducerState {
    /// Boxed: a node of the map has space for eleven values, and most partitions have few producers.
    producers: BTreeMap<i64, Box<Producer>>,
    /// Open transactions: first offset to producer.
    ongoing: BTreeMap<i64, i64>,
    /// Transactions that have ended at an offset that may not be replicated: first offset to last.
    unreplicated: BTreeMap<i64, i64>,
    /// The end of the last batch that is accounted for.
    batches_end_offset: i64,
}

impl ProducerState {
    pub(crate) fn new(batches_end_offset: i64) -> ProducerState {
        ProducerState { batches_end_offset, ..ProducerState::default() }
    }

    /// Checks whether a batch may be appended, given its marker if it is a control batch. Returns the batch in the log
    /// that it repeats, or `None` if it is new.
    pub(crate) fn check(
        &self,
        header: &BatchHeader,
        marker: Option<Marker>,
        origin: Origin,
    ) -> Result<Option<BatchEntry>, ProducerError> {
        if !header.has_producer_id() || origin == Origin::Replication {
            return Ok(None);
        }
        let new = Producer::new();
        let producer = self.producers.get(&header.producer_id).map_or(&new, |producer| &**producer);
        if header.attributes.is_control() {
            return check_marker(producer, header, marker, origin).map(|()| None);
        }
        if origin == Origin::Client
            && let Some(batch) = duplicate(producer, header)
        {
            return Ok(Some(batch));
        }
        if header.producer_epoch < producer.epoch {
            return Err(invalid_epoch(producer, header));
        }
        if origin == Origin::Client {
            check_sequence(producer, header)?;
        }
        if producer.txn_first_offset.is_some() && !header.attributes.is_transactional() {
            return Err(ProducerError::InvalidTxnState { producer_id: header.producer_id });
        }
        Ok(None)
    }

    /// Accounts for a batch that is in the log. Returns the transaction that it ended.
    pub(crate) fn apply(&mut self, header: &BatchHeader, marker: Option<Marker>) -> Option<CompletedTxn> {
        let ended = self.ending(header, marker);
        self.batches_end_offset = header.next_offset();
        if !header.has_producer_id() {
            return None;
        }
        let is_control = header.attributes.is_control();
        if is_control && marker.is_none() {
            // Compaction has emptied the marker: its whole transaction is gone.
            return None;
        }
        let producer = self.producers.entry(header.producer_id).or_insert_with(|| Box::new(Producer::new()));
        producer.set_epoch(header.producer_epoch);
        let Some(marker) = marker.filter(|_| is_control) else {
            producer.last_timestamp = header.max_timestamp;
            producer.push(BatchEntry {
                last_sequence: header.last_sequence(),
                last_offset: header.last_offset(),
                offset_delta: header.last_offset_delta,
                timestamp: header.max_timestamp,
            });
            if header.attributes.is_transactional() && producer.txn_first_offset.is_none() {
                producer.txn_first_offset = Some(header.base_offset);
                self.ongoing.insert(header.base_offset, header.producer_id);
            }
            return None;
        };
        producer.coordinator_epoch = marker.coordinator_epoch;
        producer.last_timestamp = marker.timestamp;
        let first_offset = producer.txn_first_offset.take()?;
        self.ongoing.remove(&first_offset);
        self.unreplicated.insert(first_offset, header.base_offset);
        ended
    }

    /// The transaction that a batch would end, were it accounted for.
    pub(crate) fn ending(&self, header: &BatchHeader, marker: Option<Marker>) -> Option<CompletedTxn> {
        let marker = marker.filter(|_| header.has_producer_id() && header.attributes.is_control())?;
        let first_offset = self.producers.get(&header.producer_id)?.txn_first_offset?;
        let mut undecided = self.ongoing.keys().filter(|ongoing| **ongoing != first_offset);
        Some(CompletedTxn {
            producer_id: header.producer_id,
            first_offset,
            last_offset: header.base_offset,
            aborted: !marker.commit,
            last_stable_offset: undecided.next().copied().unwrap_or(header.base_offset + 1),
        })
    }

    /// The first offset of the oldest open transaction.
    pub(crate) fn first_undecided_offset(&self) -> Option<i64> {
        self.ongoing.first_key_value().map(|(first_offset, _)| *first_offset)
    }

    /// The first offset that is undecided, or decided by a marker that may not be replicated.
    pub(crate) fn first_unstable_offset(&self) -> Option<i64> {
        let unreplicated = self.unreplicated.first_key_value().map(|(first_offset, _)| *first_offset);
        match (self.first_undecided_offset(), unreplicated) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// Forgets the ended transactions whose marker is below the high watermark.
    pub(crate) fn on_high_watermark(&mut self, high_watermark: i64) {
        if !self.unreplicated.is_empty() {
            self.unreplicated.retain(|_, last_offset| *last_offset >= high_watermark);
        }
    }

    /// Forgets the producers that have written nothing for `expiration_ms`. Returns their number.
    pub(crate) fn remove_expired(&mut self, now_ms: i64, expiration_ms: i64) -> usize {
        let before = self.producers.len();
        self.producers.retain(|_, producer| !producer.is_expired(now_ms, expiration_ms));
        before - self.producers.len()
    }

    pub(crate) fn batches_end_offset(&self) -> i64 {
        self.batches_end_offset
    }

    pub(crate) fn producers(&self) -> &BTreeMap<i64, Box<Producer>> {
        &self.producers
    }

    /// The time of the last write of the producer with the oldest open transaction, in ms since the epoch.
    pub(crate) fn oldest_open_txn_timestamp(&self) -> Option<i64> {
        let (_, producer_id) = self.ongoing.first_key_value()?;
        self.producers.get(producer_id).map(|producer| producer.last_timestamp)
    }

    fn load(&mut self, producer_id: i64, producer: Producer) {
        if let Some(first_offset) = producer.txn_first_offset {
            self.ongoing.insert(first_offset, producer_id);
        }
        self.producers.insert(producer_id, Box::new(producer));
    }
}

/// The batch of the producer that has the same epoch and the same sequence numbers.
fn duplicate(producer: &Producer, header: &BatchHeader) -> Option<BatchEntry> {
    if header.producer_epoch != producer.epoch {
        return None;
    }
    let (first, last) = (header.base_sequence, header.last_sequence());
    let same = |batch: &&BatchEntry| batch.first_sequence() == first && batch.last_sequence == last;
    producer.batches().iter().find(same).copied()
}

fn invalid_epoch(producer: &Producer, header: &BatchHeader) -> ProducerError {
    ProducerError::InvalidProducerEpoch {
        producer_id: header.producer_id,
        epoch: header.producer_epoch,
        current_epoch: producer.epoch,
    }
}

fn check_sequence(producer: &Producer, header: &BatchHeader) -> Result<(), ProducerError> {
    let first = header.base_sequence;
    let last_sequence = if producer.epoch == NO_PRODUCER_EPOCH {
        // The producer is unknown, perhaps because retention has removed all its batches: it may continue with any
        // sequence (KIP-360).
        return Ok(());
    } else if header.producer_epoch == producer.epoch {
        producer.last_sequence()
    } else {
        NO_SEQUENCE
    };
    let follows = if last_sequence == i32::MAX { first == 0 } else { first == last_sequence + 1 };
    if follows {
        return Ok(());
    }
    Err(ProducerError::OutOfOrderSequence { producer_id: header.producer_id, sequence: first, last_sequence })
}

fn check_marker(
    producer: &Producer,
    header: &BatchHeader,
    marker: Option<Marker>,
    origin: Origin,
) -> Result<(), ProducerError> {
    let epoch = header.producer_epoch;
    let strict = matches!(origin, Origin::Marker { transaction_version } if transaction_version >= 2);
    // A marker of the same epoch without an open transaction is a retry of one whose response was lost (KAFKA-19999).
    let again = epoch == producer.epoch && (producer.txn_first_offset.is_none() || epoch == i16::MAX);
    if epoch < producer.epoch || (strict && epoch == producer.epoch && !again) {
        return Err(invalid_epoch(producer, header));
    }
    let coordinator_epoch = marker.map_or(-1, |marker| marker.coordinator_epoch);
    if marker.is_some() && producer.coordinator_epoch > coordinator_epoch {
        return Err(ProducerError::TransactionCoordinatorFenced {
            producer_id: header.producer_id,
            coordinator_epoch,
            current_coordinator_epoch: producer.coordinator_epoch,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
