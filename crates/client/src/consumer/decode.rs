//! Fetched bytes, decoded to records.

use std::sync::Arc;

use bytes::Bytes;
use protocol::messages::fetch_response::PartitionData;
use record::{Batch, BatchError, Compression, Record, Scratch, TimestampType};
use runtime::{HashMap, HashSet};

use super::{ConsumeError, ConsumedRecord};
use crate::topic_partition::TopicPartition;

#[cfg(test)]
mod tests;

/// Decodes batches; keeps the buffers of decompression for reuse.
#[derive(Debug)]
pub(super) struct Decoder {
    read_committed: bool,
    decompressed_bytes_max: usize,
    scratch: Scratch,
    /// One allocation for all records of a topic.
    topics: HashMap<String, Arc<str>>,
}

/// The aborted transactions of a fetch, in a walk through its batches.
struct AbortedTransactions {
    /// The transactions that are still ahead, by first offset and producer, in order.
    ahead: std::iter::Peekable<std::vec::IntoIter<(i64, i64)>>,
    /// The producers whose transaction at this point will be aborted.
    producers: HashSet<i64>,
}

impl Decoder {
    pub(super) fn new(read_committed: bool, decompressed_bytes_max: usize) -> Self {
        Decoder {
            read_committed,
            decompressed_bytes_max,
            scratch: Scratch::new(),
            topics: HashMap::default(),
        }
    }

    /// Adds the records from `offset` on to `out`, and returns the offset of the next fetch.
    pub(super) fn decode(
        &mut self,
        at: &TopicPartition,
        offset: i64,
        response: &PartitionData,
        out: &mut Vec<ConsumedRecord>,
    ) -> Result<i64, ConsumeError> {
        let Some(bytes) = response.records.as_bytes() else { return Ok(offset) };
        let before = out.len();
        self.decode_batches(at, offset, bytes, response, out).map_err(|what| {
            out.truncate(before);
            ConsumeError::Corrupt { at: at.clone(), offset, what }
        })
    }

    fn decode_batches(
        &mut self,
        at: &TopicPartition,
        offset: i64,
        bytes: &Bytes,
        response: &PartitionData,
        out: &mut Vec<ConsumedRecord>,
    ) -> Result<i64, String> {
        let topic = self.topics.entry(at.topic.clone()).or_insert_with(|| Arc::from(at.topic.as_str()));
        let topic = Arc::clone(topic);
        let mut aborted = AbortedTransactions::of(response);
        let mut next = offset;
        for batch in record::stored_batches(bytes) {
            let batch = match batch {
                Ok(batch) => batch,
                // Brokers cut an answer at the limit of bytes, even inside a batch.
                Err(BatchError::Truncated { .. }) if next > offset => break,
                Err(error) => return Err(error.to_string()),
            };
            batch.verify_crc().map_err(|error| error.to_string())?;
            let header = *batch.header();
            let is_aborted = aborted.contains(&batch);
            if header.next_offset() > next
                && !header.attributes.is_control()
                && !(self.read_committed && is_aborted)
            {
                let read = BatchContext { topic: &topic, partition: at.partition, from: next, bytes };
                self.decode_batch(&batch, &read, out)?;
            }
            next = next.max(header.next_offset());
        }
        Ok(next)
    }

    fn decode_batch(
        &mut self,
        batch: &Batch<'_>,
        read: &BatchContext<'_>,
        out: &mut Vec<ConsumedRecord>,
    ) -> Result<(), String> {
        let header = *batch.header();
        let is_compressed = header.attributes.compression() != Ok(Compression::None);
        let records = batch.records_decompressed(&mut self.scratch, self.decompressed_bytes_max);
        for record in records.map_err(|error| error.to_string())? {
            let record = record.map_err(|error| error.to_string())?;
            if record.offset < read.from {
                continue;
            }
            // Decompressed bytes are overwritten by the next batch; others stay in the fetched buffer.
            let keep = |part: &[u8]| {
                if is_compressed { Bytes::copy_from_slice(part) } else { read.bytes.slice_ref(part) }
            };
            out.push(read.consumed(&record, &header, keep));
        }
        Ok(())
    }
}

/// The parts that all records of a batch share.
struct BatchContext<'a> {
    topic: &'a Arc<str>,
    partition: i32,
    /// Records before this offset are skipped.
    from: i64,
    /// All fetched bytes.
    bytes: &'a Bytes,
}

impl BatchContext<'_> {
    fn consumed(
        &self,
        record: &Record<'_>,
        header: &record::BatchHeader,
        keep: impl Fn(&[u8]) -> Bytes,
    ) -> ConsumedRecord {
        let headers = record.headers.clone().map(|header| (keep(header.key), header.value.map(&keep)));
        ConsumedRecord {
            topic: Arc::clone(self.topic),
            partition: self.partition,
            offset: record.offset,
            timestamp_ms: record.timestamp,
            is_log_append_time: header.attributes.timestamp_type() == TimestampType::LogAppendTime,
            leader_epoch: header.partition_leader_epoch,
            key: record.key.map(&keep),
            value: record.value.map(&keep),
            headers: headers.collect(),
        }
    }
}

impl AbortedTransactions {
    fn of(response: &PartitionData) -> AbortedTransactions {
        let aborted = response.aborted_transactions.iter().flatten();
        let mut ahead: Vec<(i64, i64)> =
            aborted.map(|aborted| (aborted.first_offset, aborted.producer_id)).collect();
        ahead.sort_unstable();
        AbortedTransactions { ahead: ahead.into_iter().peekable(), producers: HashSet::default() }
    }

    /// Whether the next batch is part of an aborted transaction. The transaction's marker ends it.
    fn contains(&mut self, batch: &Batch<'_>) -> bool {
        let header = batch.header();
        while let Some((_, producer_id)) = self.ahead.next_if(|&(first, _)| first <= header.last_offset()) {
            self.producers.insert(producer_id);
        }
        if header.attributes.is_control() {
            self.producers.remove(&header.producer_id);
            return false;
        }
        header.attributes.is_transactional() && self.producers.contains(&header.producer_id)
    }
}
