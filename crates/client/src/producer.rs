//! Sending records.
//!
//! Records for one partition gather in a batch until it is full or has lingered long enough. One batch of a
//! partition is in flight at a time, so records keep their order within a partition, even if a batch is sent
//! again; several partitions proceed at once.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use record::{Compression, Header};
use runtime::task::JoinHandle;
use runtime::{clock, task};
use tokio::sync::{Notify, Semaphore};

use crate::cluster::{Cluster, ClusterError};
use accumulator::Accumulator;

pub use delivery::{Delivery, ProduceError, RecordMetadata};
pub use partitioner::partition_of_key;

mod accumulator;
mod delivery;
mod identity;
mod partitioner;
mod sender;
#[cfg(test)]
mod tests;

/// The acknowledgement that a batch waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acks {
    /// None: a batch counts as delivered once it is written to the socket.
    None,
    /// The leader has appended it.
    Leader,
    /// All in-sync replicas have it.
    All,
}

impl Acks {
    fn as_i16(self) -> i16 {
        match self {
            Acks::None => 0,
            Acks::Leader => 1,
            Acks::All => -1,
        }
    }
}

/// The options of a producer.
#[derive(Debug, Clone)]
pub struct ProducerOptions {
    /// The acknowledgement that makes a batch count as delivered.
    pub acks: Acks,
    /// The codec of its batches.
    pub compression: Compression,
    /// Whether the broker recognises a batch that is sent again, so that it is in the log once. Needs
    /// [`Acks::All`].
    pub idempotent: bool,
    /// The time that a batch which is not full waits for more records.
    pub linger: Duration,
    /// The size of a full batch, before compression. A larger record has a batch of its own.
    pub batch_bytes: usize,
    /// The largest record that is accepted, and about the largest request that is sent.
    pub request_bytes_max: usize,
    /// The most bytes of records that may wait to be delivered; beyond it [`Producer::send`] waits too.
    pub buffer_bytes: usize,
    /// The time that a batch may take from its first record to its acknowledgement, retries included.
    pub delivery_timeout: Duration,
    /// The time that a leader may wait for its followers.
    pub replication_timeout: Duration,
    /// Whether to create a topic that does not exist, if the brokers allow it.
    pub create_topics: bool,
}

impl Default for ProducerOptions {
    fn default() -> Self {
        ProducerOptions {
            acks: Acks::All,
            compression: Compression::None,
            idempotent: true,
            linger: Duration::from_millis(5),
            batch_bytes: 64 << 10,
            request_bytes_max: 1 << 20,
            buffer_bytes: 32 << 20,
            delivery_timeout: Duration::from_secs(120),
            replication_timeout: Duration::from_secs(30),
            create_topics: true,
        }
    }
}

/// A record to send.
#[derive(Debug, Clone, Copy, Default)]
pub struct NewRecord<'a> {
    /// The topic.
    pub topic: &'a str,
    /// The partition; `None` leaves it to the key, or to chance if there is no key.
    pub partition: Option<i32>,
    /// The key.
    pub key: Option<&'a [u8]>,
    /// The value; `None` is a tombstone.
    pub value: Option<&'a [u8]>,
    /// The headers, in order.
    pub headers: &'a [Header<'a>],
    /// Milliseconds since the epoch; `None` is now.
    pub timestamp_ms: Option<i64>,
}

/// The reason why a record was not accepted.
#[derive(Debug)]
pub enum SendError {
    /// The record is larger than [`ProducerOptions::request_bytes_max`].
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// Its topic or partition cannot be found.
    Cluster(ClusterError),
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SendError::TooLarge { bytes, bytes_max } => {
                write!(f, "a record of {bytes} bytes is larger than the limit of {bytes_max}")
            }
            SendError::Cluster(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for SendError {}

/// Sends records. Dropping it gives up the records that have not been delivered; see [`Producer::flush`].
#[derive(Debug)]
pub struct Producer {
    shared: Arc<ProducerCore>,
    sender: JoinHandle<()>,
}

#[derive(Debug)]
struct ProducerCore {
    cluster: Cluster,
    options: ProducerOptions,
    accumulator: Mutex<Accumulator>,
    /// Wakes the sender if a batch may be due.
    wake: Notify,
    /// The free bytes of the buffer.
    buffer: Arc<Semaphore>,
}

impl Drop for Producer {
    fn drop(&mut self) {
        self.sender.abort();
    }
}

impl Producer {
    /// A producer for `cluster`.
    ///
    /// # Panics
    /// If `options` have idempotence without [`Acks::All`]: a lost batch could not be told from a delivered
    /// one.
    pub fn new(cluster: Cluster, options: ProducerOptions) -> Producer {
        assert!(!options.idempotent || options.acks == Acks::All, "idempotence needs Acks::All");
        let buffer = Arc::new(Semaphore::new(options.buffer_bytes.min(Semaphore::MAX_PERMITS)));
        let accumulator =
            Mutex::new(Accumulator::new(options.linger, options.batch_bytes, options.compression));
        let shared = Arc::new(ProducerCore { cluster, options, accumulator, wake: Notify::new(), buffer });
        let sender = task::spawn(sender::run(Arc::clone(&shared)));
        Producer { shared, sender }
    }

    /// Sends a record in the background. Waits only while the buffer is full or the topic has to be looked
    /// up; the returned [`Delivery`] reports the outcome, and may be ignored.
    ///
    /// # Errors
    /// [`SendError`] if the record was not accepted.
    pub async fn send(&self, record: &NewRecord<'_>) -> Result<Delivery, SendError> {
        let options = &self.shared.options;
        let bytes = size_bound(record);
        if bytes > options.request_bytes_max {
            return Err(SendError::TooLarge { bytes, bytes_max: options.request_bytes_max });
        }
        let topic = self.shared.cluster.topic_or_create(record.topic, options.create_topics).await;
        let topic = topic.map_err(SendError::Cluster)?;
        if let Some(partition) = record.partition
            && topic.partitions.iter().all(|known| known.index != partition)
        {
            let partitions = topic.partitions.len();
            let topic = record.topic.to_owned();
            return Err(SendError::Cluster(ClusterError::UnknownPartition { topic, partition, partitions }));
        }
        // More than the whole buffer would wait for ever.
        let wanted = u32::try_from(bytes.min(options.buffer_bytes)).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.shared.buffer).acquire_many_owned(wanted).await;
        let room = room.expect("the buffer is never closed");
        let partitions = u32::try_from(topic.partitions.len()).unwrap_or(u32::MAX);
        let mut accumulator = self.shared.accumulator.lock();
        let appended = accumulator.append(record, bytes, partitions, room, clock::now());
        drop(accumulator);
        if appended.is_due {
            self.shared.wake.notify_one();
        }
        Ok(appended.delivery)
    }

    /// Waits until every record sent so far has been delivered or given up.
    pub async fn flush(&self) {
        let unsettled = self.shared.accumulator.lock().close_batches();
        self.shared.wake.notify_one();
        for delivery in unsettled {
            // The sender of the record learns of failures.
            let _ = delivery.settled().await;
        }
    }
}

/// The most bytes that a record takes in a batch of its own, before compression.
fn size_bound(record: &NewRecord<'_>) -> usize {
    const VARINT: usize = 5;
    let length = |bytes: Option<&[u8]>| bytes.map_or(0, <[u8]>::len) + VARINT;
    let headers: usize =
        record.headers.iter().map(|header| length(Some(header.key)) + length(header.value)).sum();
    // Length, attributes, timestamp (up to ten bytes), offset and the count of headers.
    record::BATCH_OVERHEAD
        + 2 * VARINT
        + 1
        + 10
        + VARINT
        + length(record.key)
        + length(record.value)
        + headers
}
