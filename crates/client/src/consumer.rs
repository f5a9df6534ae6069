//! Reading partitions.
//!
//! A consumer reads the partitions that it is given, each from its own position, and remembers nothing
//! between runs; a group does ([`crate::GroupConsumer`]). One fetch per broker is in flight at a time, and
//! the next is sent before the records of the last are returned.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use protocol::ErrorCode;
use runtime::clock::Instant;
use runtime::task::JoinHandle;
use runtime::{clock, random, task};

use crate::admin::OffsetSpec;
use crate::backoff::Backoff;
use crate::cluster::{Cluster, ClusterError};
use crate::topic_partition::TopicPartition;
use decode::Decoder;
use fetch::{FetchAnswer, FetchedPartition};

mod decode;
mod fetch;
#[cfg(test)]
mod tests;

/// The options of a consumer.
#[derive(Debug, Clone)]
pub struct ConsumerOptions {
    /// Whether to leave out records of transactions that are not committed.
    pub read_committed: bool,
    /// The time that a broker waits for [`ConsumerOptions::bytes_min`] before it answers.
    pub wait: Duration,
    /// The bytes that make a broker answer at once.
    pub bytes_min: i32,
    /// The most bytes of an answer, unless its first batch alone is larger.
    pub bytes_max: i32,
    /// The same limit for each partition.
    pub partition_bytes_max: i32,
    /// The most bytes to which a batch may decompress.
    pub decompressed_bytes_max: usize,
    /// The offset to continue from if a position is not in the log (any more); `None` fails with
    /// [`ConsumeError::OutOfRange`].
    pub reset: Option<OffsetSpec>,
}

impl Default for ConsumerOptions {
    fn default() -> Self {
        ConsumerOptions {
            read_committed: false,
            wait: Duration::from_millis(500),
            bytes_min: 1,
            bytes_max: 16 << 20,
            partition_bytes_max: 1 << 20,
            decompressed_bytes_max: 256 << 20,
            reset: None,
        }
    }
}

/// The position from which to read a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Position {
    /// At this offset.
    Offset(i64),
    /// At an offset that the broker knows. A timestamp later than all records is the end.
    Spec(OffsetSpec),
}

/// A record that was read.
///
/// The key and the value are slices of the fetched bytes: keeping one keeps all of them in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumedRecord {
    /// Its topic.
    pub topic: Arc<str>,
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// Milliseconds since the epoch, or -1.
    pub timestamp_ms: i64,
    /// Whether the broker set the timestamp on append, and not the producer.
    pub is_log_append_time: bool,
    /// The epoch of the leader that appended it.
    pub leader_epoch: i32,
    /// The key.
    pub key: Option<Bytes>,
    /// The value; `None` is a tombstone.
    pub value: Option<Bytes>,
    /// The headers, in order.
    pub headers: Vec<(Bytes, Option<Bytes>)>,
}

/// The failure of a consumer.
#[derive(Debug)]
pub enum ConsumeError {
    /// The position is not in the log (any more), and the options do not say where to continue.
    OutOfRange {
        /// The partition.
        at: TopicPartition,
        /// The position.
        offset: i64,
    },
    /// The bytes that the broker sent cannot be read.
    Corrupt {
        /// The partition.
        at: TopicPartition,
        /// The position.
        offset: i64,
        /// The fault.
        what: String,
    },
    /// The cluster does not answer, or rejects a request.
    Cluster(ClusterError),
}

impl fmt::Display for ConsumeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConsumeError::OutOfRange { at, offset } => {
                write!(f, "{at} does not have the offset {offset} (any more)")
            }
            ConsumeError::Corrupt { at, offset, what } => {
                write!(f, "the data of {at} at offset {offset} cannot be read: {what}")
            }
            ConsumeError::Cluster(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ConsumeError {}

impl From<ClusterError> for ConsumeError {
    fn from(error: ClusterError) -> Self {
        ConsumeError::Cluster(error)
    }
}

/// Reads partitions.
#[derive(Debug)]
pub struct Consumer {
    cluster: Cluster,
    options: ConsumerOptions,
    partitions: BTreeMap<TopicPartition, State>,
    /// The fetches in flight: at most one for each broker.
    fetches: FuturesUnordered<JoinHandle<FetchAnswer>>,
    fetching_from: Vec<i32>,
    decoder: Decoder,
    /// Records that were fetched and not returned yet.
    ready: Vec<ConsumedRecord>,
    /// The time since which nothing could be fetched.
    failing_since: Option<Instant>,
}

#[derive(Debug)]
struct State {
    position: Position,
    /// The offset after the last record that can be read, as of the last fetch.
    end_offset: Option<i64>,
    backoff: Backoff,
    not_before: Option<Instant>,
}

impl Drop for Consumer {
    fn drop(&mut self) {
        for fetch in &self.fetches {
            fetch.abort();
        }
    }
}

impl Consumer {
    /// A consumer that reads nothing yet.
    pub fn new(cluster: Cluster, options: ConsumerOptions) -> Consumer {
        Consumer {
            cluster,
            decoder: Decoder::new(options.read_committed, options.decompressed_bytes_max),
            options,
            partitions: BTreeMap::new(),
            fetches: FuturesUnordered::new(),
            fetching_from: Vec::new(),
            ready: Vec::new(),
            failing_since: None,
        }
    }

    /// Reads these partitions from now on, and no others.
    pub fn assign(&mut self, partitions: impl IntoIterator<Item = (TopicPartition, Position)>) {
        self.ready.clear();
        self.partitions = partitions.into_iter().map(|(at, position)| (at, State::new(position))).collect();
    }

    /// Continues a partition that it reads already from another position.
    pub fn seek(&mut self, at: &TopicPartition, position: Position) {
        if let Some(state) = self.partitions.get_mut(at) {
            *state = State::new(position);
            self.ready.retain(|record| record.partition != at.partition || *record.topic != at.topic);
        }
    }

    /// The offset of the next record of a partition to be returned, once it is known.
    pub fn position(&self, at: &TopicPartition) -> Option<i64> {
        match self.partitions.get(at)?.position {
            Position::Offset(offset) => Some(offset),
            Position::Spec(_) => None,
        }
    }

    /// The offset after the last record that can be read, as of the last fetch.
    pub fn end_offset(&self, at: &TopicPartition) -> Option<i64> {
        self.partitions.get(at)?.end_offset
    }

    /// The next records of any partitions, in order within each; empty if `patience` runs out first.
    ///
    /// Dropping the future loses nothing.
    ///
    /// # Errors
    /// [`ConsumeError`] if retrying has not helped for as long as the cluster's options say.
    pub async fn poll(&mut self, patience: Duration) -> Result<Vec<ConsumedRecord>, ConsumeError> {
        let deadline = clock::now() + patience;
        loop {
            if !self.ready.is_empty() {
                return Ok(std::mem::take(&mut self.ready));
            }
            self.find_positions().await?;
            self.send_fetches().await?;
            let next_attempt = self.partitions.values().filter_map(|state| state.not_before).min();
            let fetched = tokio::select! {
                biased;
                Some(fetched) = self.fetches.next() => fetched,
                () = clock::sleep_until(next_attempt.unwrap_or(deadline).min(deadline)) => {
                    if clock::now() >= deadline {
                        return Ok(Vec::new());
                    }
                    continue;
                }
            };
            self.take(fetched.map_err(|_| ClusterError::NoBroker)?)?;
            if !self.ready.is_empty() {
                self.send_fetches().await?;
            }
        }
    }

    /// Looks up the offsets of positions that are not one yet.
    async fn find_positions(&mut self) -> Result<(), ConsumeError> {
        let spec = |(at, state): (&TopicPartition, &State)| match state.position {
            Position::Spec(spec) => Some((at.clone(), spec)),
            Position::Offset(_) => None,
        };
        let specs: BTreeMap<TopicPartition, OffsetSpec> = self.partitions.iter().filter_map(spec).collect();
        if specs.is_empty() {
            return Ok(());
        }
        let mut found = crate::admin::list_offsets(&self.cluster, &specs).await?;
        let beyond = found.iter().filter(|(_, offset)| offset.is_none());
        let ends: BTreeMap<_, _> = beyond.map(|(at, _)| (at.clone(), OffsetSpec::Latest)).collect();
        if !ends.is_empty() {
            found.extend(crate::admin::list_offsets(&self.cluster, &ends).await?);
        }
        for (at, offset) in found {
            if let (Some(state), Some(offset)) = (self.partitions.get_mut(&at), offset) {
                state.position = Position::Offset(offset.offset);
            }
        }
        Ok(())
    }

    /// Sends a fetch to every leader that has none in flight.
    async fn send_fetches(&mut self) -> Result<(), ConsumeError> {
        let now = clock::now();
        let mut due: fetch::Positions = Vec::new();
        for (at, state) in &mut self.partitions {
            state.not_before = state.not_before.filter(|&not_before| not_before > now);
            if let (Position::Offset(offset), None) = (state.position, state.not_before) {
                due.push((at.clone(), offset));
            }
        }
        let mut by_leader: BTreeMap<i32, fetch::Positions> = BTreeMap::new();
        for (at, offset) in due {
            let leader = match self.cluster.topic(&at.topic).await {
                Ok(topic) => topic.leader_of(at.partition),
                Err(error) => Err(error),
            };
            match leader {
                Ok(leader) if self.fetching_from.contains(&leader) => {}
                Ok(leader) => by_leader.entry(leader).or_default().push((at, offset)),
                Err(error) => self.failed([&at], error)?,
            }
        }
        for (leader, positions) in by_leader {
            self.fetching_from.push(leader);
            let fetch = fetch::run(self.cluster.clone(), self.options.clone(), leader, positions);
            self.fetches.push(task::spawn(fetch));
        }
        Ok(())
    }

    /// Takes in the answer of a fetch.
    fn take(&mut self, fetched: FetchAnswer) -> Result<(), ConsumeError> {
        self.fetching_from.retain(|&leader| leader != fetched.leader);
        match fetched.outcome {
            Ok(partitions) => partitions.into_iter().try_for_each(|partition| self.take_partition(partition)),
            Err(error) => self.failed(fetched.positions.iter().map(|(at, _)| at), error),
        }
    }

    fn take_partition(&mut self, partition: FetchedPartition) -> Result<(), ConsumeError> {
        let FetchedPartition { at, offset, response } = partition;
        let Some(state) = self.partitions.get_mut(&at) else { return Ok(()) };
        if state.position != Position::Offset(offset) {
            // It was moved while the fetch was in flight.
            return Ok(());
        }
        match response.error_code {
            ErrorCode::NONE => {}
            ErrorCode::OFFSET_OUT_OF_RANGE => {
                let reset = self.options.reset.ok_or(ConsumeError::OutOfRange { at, offset })?;
                state.position = Position::Spec(reset);
                return Ok(());
            }
            code => return self.failed([&at], ClusterError::of_topic(&at.topic, code)),
        }
        self.failing_since = None;
        state.backoff.reset();
        let readable =
            if self.options.read_committed { response.last_stable_offset } else { response.high_watermark };
        state.end_offset = Some(readable).filter(|&end| end >= 0);
        let next = self.decoder.decode(&at, offset, &response, &mut self.ready)?;
        state.position = Position::Offset(next);
        Ok(())
    }

    /// Makes partitions wait before they are fetched again, or gives up.
    fn failed<'a>(
        &mut self,
        partitions: impl IntoIterator<Item = &'a TopicPartition>,
        error: ClusterError,
    ) -> Result<(), ConsumeError> {
        let since = *self.failing_since.get_or_insert_with(clock::now);
        if !error.is_retriable() || since.elapsed() > self.cluster.options().retry_for {
            return Err(error.into());
        }
        tracing::debug!(%error, "fetching again");
        self.cluster.forget();
        for at in partitions {
            if let Some(state) = self.partitions.get_mut(at) {
                state.not_before = Some(clock::now() + state.backoff.next_wait(random::u64()));
            }
        }
        Ok(())
    }
}

impl State {
    fn new(position: Position) -> State {
        State { position, end_offset: None, backoff: Backoff::default(), not_before: None }
    }
}
