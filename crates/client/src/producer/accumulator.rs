//! Records that wait to be sent, in batches by partition. Pure: it is given the time.

use std::collections::VecDeque;
use std::time::Duration;

use record::{BatchBuilder, Compression};
use runtime::HashMap;
use runtime::clock::Instant;
use runtime::{clock, random};
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::NewRecord;
use super::delivery::{Delivery, Outcome};
use super::identity::Sequence;
use super::partitioner::partition_of_key;
use crate::backoff::Backoff;
use crate::topic_partition::TopicPartition;

#[cfg(test)]
mod tests;

/// Batches of every partition with records.
#[derive(Debug)]
pub(super) struct Accumulator {
    linger: Duration,
    batch_bytes: usize,
    compression: Compression,
    topics: HashMap<String, TopicQueues>,
}

#[derive(Debug, Default)]
struct TopicQueues {
    /// The queues by partition.
    queues: Vec<Queue>,
    /// The partition of records without a key until a batch is full: batches are fewer and larger than in
    /// turns.
    sticky: Option<i32>,
}

/// The batches of one partition.
#[derive(Debug, Default)]
struct Queue {
    /// The batch that takes records.
    open: Option<Batch>,
    /// Batches that are full or were flushed, oldest first. One that is to be sent again is the first.
    closed: VecDeque<Batch>,
    /// The batch in flight; until it has settled, no other may overtake it.
    in_flight: Option<watch::Receiver<Option<Outcome>>>,
    /// The sequence that the partition's next batch continues; `None` if it has to start a new one.
    sequence: Option<Sequence>,
}

/// Records that are sent together.
#[derive(Debug)]
pub(super) struct Batch {
    /// The records; `None` once they are sealed.
    builder: Option<BatchBuilder>,
    /// The bytes to send, the same each time, with their sequence.
    pub(super) sealed: Option<(bytes::Bytes, Option<Sequence>)>,
    pub(super) records: i32,
    /// The time of its first record.
    pub(super) created: Instant,
    /// The earliest time for another attempt after a failure.
    not_before: Option<Instant>,
    pub(super) backoff: Backoff,
    /// Whether an attempt ended without an answer, so that the batch may be in the log.
    pub(super) may_be_delivered: bool,
    outcome: watch::Sender<Option<Outcome>>,
    /// Its share of the buffer.
    room: Option<OwnedSemaphorePermit>,
}

/// The result of [`Accumulator::append`].
#[derive(Debug)]
pub(super) struct AppendResult {
    pub(super) delivery: Delivery,
    /// Whether the sender must look again: a batch is full, or there is a first deadline.
    pub(super) is_due: bool,
}

impl Accumulator {
    pub(super) fn new(linger: Duration, batch_bytes: usize, compression: Compression) -> Self {
        Accumulator { linger, batch_bytes, compression, topics: HashMap::default() }
    }

    /// Adds a record of at most `bytes` to the batch of its partition.
    pub(super) fn append(
        &mut self,
        record: &NewRecord<'_>,
        bytes: usize,
        partitions: u32,
        room: OwnedSemaphorePermit,
        now: Instant,
    ) -> AppendResult {
        if !self.topics.contains_key(record.topic) {
            self.topics.insert(record.topic.to_owned(), TopicQueues::default());
        }
        let batch_bytes = self.batch_bytes;
        let topic = self.topics.get_mut(record.topic).expect("it was just inserted");
        let partition = topic.partition_of(record, bytes, batch_bytes, partitions);
        let queue = topic.queue(partition);
        let mut is_due = false;
        if queue.open.as_ref().is_some_and(|open| !open.has_room(bytes, batch_bytes)) {
            queue.closed.extend(queue.open.take());
            is_due = true;
        }
        is_due |= queue.open.is_none();
        let open = queue.open.get_or_insert_with(|| Batch::new(self.compression, now));
        AppendResult { delivery: open.push(record, room), is_due }
    }

    /// Closes every batch, and returns one delivery of each that has not settled.
    pub(super) fn close_batches(&mut self) -> Vec<Delivery> {
        let mut unsettled = Vec::new();
        for queue in self.topics.values_mut().flat_map(|topic| &mut topic.queues) {
            queue.closed.extend(queue.open.take());
            let waiting = queue.closed.iter().map(|batch| batch.outcome.subscribe());
            unsettled.extend(waiting.chain(queue.in_flight.clone()).map(|outcome| Delivery::new(outcome, 0)));
        }
        unsettled
    }

    /// Takes the batches that are due at `now`: at most one of each partition, and none of a partition with
    /// one in flight.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<(TopicPartition, Batch)> {
        let mut due = Vec::new();
        let linger = self.linger;
        for (name, topic) in &mut self.topics {
            for (partition, queue) in (0..).zip(&mut topic.queues) {
                if queue.due_at(linger).is_some_and(|at| at <= now)
                    && let Some(batch) = queue.closed.pop_front().or_else(|| queue.open.take())
                {
                    queue.in_flight = Some(batch.outcome.subscribe());
                    due.push((TopicPartition::new(name.as_str(), partition), batch));
                }
            }
        }
        due
    }

    /// The time at which the next batch is due, if any waits.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let queues = self.topics.values().flat_map(|topic| &topic.queues);
        queues.filter_map(|queue| queue.due_at(self.linger)).min()
    }

    /// The sequence that the next batch of a partition continues.
    pub(super) fn sequence(&self, at: &TopicPartition) -> Option<Sequence> {
        let topic = self.topics.get(&at.topic)?;
        topic.queues.get(usize::try_from(at.partition).ok()?)?.sequence
    }

    /// Ends a batch that was in flight. The next batch continues `next`.
    pub(super) fn settle(
        &mut self,
        at: &TopicPartition,
        batch: Batch,
        outcome: Outcome,
        next: Option<Sequence>,
    ) {
        let queue = self.in_flight(at);
        queue.in_flight = None;
        queue.sequence = next;
        // Release the buffer first, then report the outcome; the receiver may be gone.
        drop(batch.room);
        let _ = batch.outcome.send(Some(outcome));
    }

    /// Puts a batch that was in flight back, to be sent again no sooner than `not_before`.
    pub(super) fn put_back(&mut self, at: &TopicPartition, mut batch: Batch, not_before: Instant) {
        let queue = self.in_flight(at);
        queue.in_flight = None;
        batch.not_before = Some(not_before);
        queue.closed.push_front(batch);
    }

    fn in_flight(&mut self, at: &TopicPartition) -> &mut Queue {
        let topic = self.topics.get_mut(&at.topic).expect("a batch under way came from a queue");
        let queue = topic.queue(at.partition);
        assert!(queue.in_flight.is_some(), "a batch is under way from {at}");
        queue
    }
}

impl TopicQueues {
    fn queue(&mut self, partition: i32) -> &mut Queue {
        let index = usize::try_from(partition).expect("partitions count from 0");
        if self.queues.len() <= index {
            self.queues.resize_with(index + 1, Queue::default);
        }
        &mut self.queues[index]
    }

    fn partition_of(
        &mut self,
        record: &NewRecord<'_>,
        bytes: usize,
        batch_bytes: usize,
        partitions: u32,
    ) -> i32 {
        if let Some(partition) = record.partition {
            return partition;
        }
        if let Some(key) = record.key {
            return partition_of_key(key, partitions);
        }
        if let Some(sticky) = self.sticky
            && self.queue(sticky).open.as_ref().is_some_and(|open| open.has_room(bytes, batch_bytes))
        {
            return sticky;
        }
        let chosen = random::u64() % u64::from(partitions.max(1));
        let chosen = i32::try_from(chosen).expect("a partition's number has 31 bits");
        self.sticky = Some(chosen);
        chosen
    }
}

impl Queue {
    /// The earliest time for the next batch; `None` if there is none, or one is in flight.
    fn due_at(&self, linger: Duration) -> Option<Instant> {
        if self.in_flight.is_some() {
            return None;
        }
        match (self.closed.front(), &self.open) {
            (Some(closed), _) => Some(closed.not_before.unwrap_or(closed.created)),
            (None, Some(open)) => Some(open.created + linger),
            (None, None) => None,
        }
    }
}

impl Batch {
    fn new(compression: Compression, now: Instant) -> Batch {
        Batch {
            builder: Some(BatchBuilder::new(compression)),
            sealed: None,
            records: 0,
            created: now,
            not_before: None,
            backoff: Backoff::default(),
            may_be_delivered: false,
            outcome: watch::Sender::new(None),
            room: None,
        }
    }

    fn has_room(&self, bytes: usize, batch_bytes: usize) -> bool {
        let size = self.builder.as_ref().map_or(batch_bytes, BatchBuilder::size_bytes);
        size + bytes <= batch_bytes
    }

    fn push(&mut self, record: &NewRecord<'_>, room: OwnedSemaphorePermit) -> Delivery {
        let builder = self.builder.as_mut().expect("an open batch is not sealed");
        let timestamp_ms = record.timestamp_ms.unwrap_or_else(clock::now_ms);
        builder.push(timestamp_ms, record.key, record.value, record.headers);
        match &mut self.room {
            Some(held) => held.merge(room),
            None => self.room = Some(room),
        }
        let index = i64::from(self.records);
        self.records += 1;
        Delivery::new(self.outcome.subscribe(), index)
    }

    /// The bytes to send. They are built once, with `sequence`: the broker recognises a batch that is sent
    /// again only if it is the same.
    pub(super) fn seal(&mut self, sequence: Option<Sequence>) -> bytes::Bytes {
        if let Some(builder) = self.builder.take() {
            let builder = match sequence {
                Some(Sequence { identity, next }) => {
                    builder.producer(identity.producer_id, identity.producer_epoch, next)
                }
                None => builder,
            };
            self.sealed = Some((builder.build().into(), sequence));
        }
        let (bytes, _) = self.sealed.as_ref().expect("it was sealed now or before");
        bytes.clone()
    }
}
