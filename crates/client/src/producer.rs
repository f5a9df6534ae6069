//! Sending records.
//!
//! Records for one partition gather in a batch until it is full or has lingered long enough. One
//! batch of a partition is under way at a time, so the order within a partition is that of the
//! calls, also where a batch is sent again; several partitions proceed at once.

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

pub use delivery::{Acknowledged, Delivery, ProduceError};
pub use partitioner::partition_of_key;

mod accumulator;
mod delivery;
mod identity;
mod partitioner;
mod sender;
#[cfg(test)]
mod tests;

/// When a broker acknowledges a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acks {
    /// Never: a batch counts as delivered once it is written to the socket.
    None,
    /// When the leader has appended it.
    Leader,
    /// When all in-sync replicas have it.
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

/// How a producer sends.
#[derive(Debug, Clone)]
pub struct ProducerOptions {
    /// When a batch counts as delivered.
    pub acks: Acks,
    /// The codec of its batches.
    pub compression: Compression,
    /// Whether a batch that is sent again is recognised by the broker, so that it stands in the log
    /// once. Needs [`Acks::All`].
    pub idempotent: bool,
    /// How long a batch that is not full waits for more records.
    pub linger: Duration,
    /// When a batch is full, before compression. A larger record has a batch of its own.
    pub batch_bytes: usize,
    /// The largest record that is accepted, and about the largest request that is sent.
    pub request_bytes_max: usize,
    /// How many bytes of records may wait to be delivered; then [`Producer::send`] waits as well.
    pub buffer_bytes: usize,
    /// How long a batch may take from its first record to its acknowledgement, retries included.
    pub delivery_timeout: Duration,
    /// How long a leader may wait for its followers.
    pub replication_timeout: Duration,
    /// Whether a topic that does not exist is created, where the brokers allow it.
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

/// A record to be sent.
#[derive(Debug, Clone, Copy, Default)]
pub struct NewRecord<'a> {
    /// The topic.
    pub topic: &'a str,
    /// The partition; `None` leaves it to the key, or to chance where there is no key.
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

/// Why a record was not taken.
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

/// Sends records. Dropping it gives up what has not been delivered; see [`Producer::flush`].
#[derive(Debug)]
pub struct Producer {
    shared: Arc<Shared>,
    sender: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    cluster: Cluster,
    options: ProducerOptions,
    accumulator: Mutex<Accumulator>,
    /// Tells the sender that a batch may be due.
    wake: Notify,
    /// Bytes that may still be taken.
    buffer: Arc<Semaphore>,
}

impl Drop for Producer {
    fn drop(&mut self) {
        self.sender.abort();
    }
}

impl Producer {
    /// A producer to `cluster`.
    ///
    /// # Panics
    /// Where `options` ask for idempotence without [`Acks::All`]: nothing would tell a lost batch from
    /// a delivered one.
    pub fn new(cluster: Cluster, options: ProducerOptions) -> Producer {
        assert!(
            !options.idempotent || options.acks == Acks::All,
            "idempotence needs the acknowledgement of all"
        );
        let buffer = Arc::new(Semaphore::new(options.buffer_bytes.min(Semaphore::MAX_PERMITS)));
        let accumulator =
            Mutex::new(Accumulator::new(options.linger, options.batch_bytes, options.compression));
        let shared = Arc::new(Shared { cluster, options, accumulator, wake: Notify::new(), buffer });
        let sender = task::spawn(sender::run(Arc::clone(&shared)));
        Producer { shared, sender }
    }

    /// Takes a record. Waits only while the buffer is full or the topic has to be looked up; what comes
    /// back tells when it has been delivered, and need not be waited for.
    ///
    /// # Errors
    /// [`SendError`]: the record was not taken.
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

    /// Waits until every record taken so far has been delivered or given up.
    pub async fn flush(&self) {
        let unsettled = self.shared.accumulator.lock().close_batches();
        self.shared.wake.notify_one();
        for delivery in unsettled {
            // Whoever sent the records is told of failures.
            let _ = delivery.settled().await;
        }
    }
}

/// How many bytes a record takes in a batch of its own, at most and before compression.
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
