//! Writing batches.

use crate::compression::{Compression, Compressor};
use crate::crc::crc32c;
use crate::header::{
    Attributes, BATCH_OVERHEAD, BatchHeader, CRC_COVERS_FROM, LOG_OVERHEAD, NO_PARTITION_LEADER_EPOCH,
    NO_PRODUCER_EPOCH, NO_PRODUCER_ID, NO_SEQUENCE, NO_TIMESTAMP, TimestampType,
};
use crate::records::{Header, Record};
use crate::varint;

/// Builds one batch of magic 2, record by record.
///
/// The bytes are the same as those of Kafka's `MemoryRecordsBuilder` for the same records.
#[derive(Clone, Debug)]
pub struct BatchBuilder {
    header: BatchHeader,
    /// Space for a header, then the records.
    bytes: Vec<u8>,
    next_offset_delta: i32,
    /// The last offset of the batch that this one replaces, less the base offset.
    replaced_last_offset_delta: Option<i32>,
}

impl BatchBuilder {
    /// An empty batch at offset 0, of no producer, with the records' own timestamps.
    pub fn new(compression: Compression) -> BatchBuilder {
        BatchBuilder {
            header: BatchHeader {
                base_offset: 0,
                length: 0,
                partition_leader_epoch: NO_PARTITION_LEADER_EPOCH,
                magic: 2,
                crc: 0,
                attributes: Attributes::default().with_compression(compression),
                last_offset_delta: -1,
                base_timestamp: NO_TIMESTAMP,
                max_timestamp: NO_TIMESTAMP,
                producer_id: NO_PRODUCER_ID,
                producer_epoch: NO_PRODUCER_EPOCH,
                base_sequence: NO_SEQUENCE,
                records_count: 0,
            },
            bytes: vec![0; BATCH_OVERHEAD],
            next_offset_delta: 0,
            replaced_last_offset_delta: None,
        }
    }

    /// Creates an empty batch that replaces one from which compaction removes records: same offsets,
    /// producer, flags and codec. With a delete horizon, in ms since the epoch, the timestamps count from
    /// that (KIP-534).
    pub fn replacing(original: &BatchHeader, delete_horizon_ms: Option<i64>) -> BatchBuilder {
        let append_time = original.attributes.timestamp_type() == TimestampType::LogAppendTime;
        let header = BatchHeader {
            attributes: original.attributes.with_delete_horizon(delete_horizon_ms.is_some()),
            base_timestamp: delete_horizon_ms.unwrap_or(NO_TIMESTAMP),
            max_timestamp: if append_time { original.max_timestamp } else { NO_TIMESTAMP },
            records_count: 0,
            ..*original
        };
        BatchBuilder {
            header,
            bytes: vec![0; BATCH_OVERHEAD],
            next_offset_delta: 0,
            replaced_last_offset_delta: Some(original.last_offset_delta),
        }
    }

    /// Sets the offset of the first record.
    #[must_use]
    pub fn base_offset(mut self, base_offset: i64) -> BatchBuilder {
        self.header.base_offset = base_offset;
        self
    }

    /// Sets the epoch of the leader.
    #[must_use]
    pub fn partition_leader_epoch(mut self, epoch: i32) -> BatchBuilder {
        self.header.partition_leader_epoch = epoch;
        self
    }

    /// Sets the idempotent producer, its epoch, and the sequence number of the first record.
    #[must_use]
    pub fn producer(mut self, id: i64, epoch: i16, base_sequence: i32) -> BatchBuilder {
        self.header.producer_id = id;
        self.header.producer_epoch = epoch;
        self.header.base_sequence = base_sequence;
        self
    }

    /// Marks the batch as part of a transaction.
    #[must_use]
    pub fn transactional(mut self) -> BatchBuilder {
        self.header.attributes = self.header.attributes.with_transactional(true);
        self
    }

    /// Marks the batch as a control batch.
    #[must_use]
    pub fn control(mut self) -> BatchBuilder {
        self.header.attributes = self.header.attributes.with_control(true);
        self
    }

    /// Gives all records the timestamp `append_time_ms`, as a broker does on a topic with `LogAppendTime`.
    #[must_use]
    pub fn log_append_time(mut self, append_time_ms: i64) -> BatchBuilder {
        self.header.attributes = self.header.attributes.with_timestamp_type(TimestampType::LogAppendTime);
        self.header.max_timestamp = append_time_ms;
        self
    }

    /// Adds a record at the offset after the last one's. `timestamp_ms` is since the epoch.
    ///
    /// # Panics
    /// If the batch grows beyond 2 GiB, which no batch may be: callers bound what they put in one.
    pub fn push(
        &mut self,
        timestamp_ms: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header<'_>],
    ) {
        self.push_fields(self.next_offset_delta, timestamp_ms, key, value, headers.iter().copied());
    }

    /// Adds a record read from a batch, with its offset: compaction does this, which leaves gaps.
    ///
    /// # Panics
    /// If the offset is not after that of the record before it, nor within 2^31 of the base offset.
    pub fn push_record(&mut self, record: &Record<'_>) {
        let offset_delta = record.offset.checked_sub(self.header.base_offset);
        let offset_delta = offset_delta.and_then(|delta| i32::try_from(delta).ok());
        let offset_delta = offset_delta.expect("the offsets of a batch are within 2^31 of its base offset");
        self.push_fields(offset_delta, record.timestamp, record.key, record.value, record.headers.clone());
    }

    fn push_fields<'h>(
        &mut self,
        offset_delta: i32,
        timestamp_ms: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: impl ExactSizeIterator<Item = Header<'h>> + Clone,
    ) {
        assert!(offset_delta >= self.next_offset_delta, "offsets in a batch go up");
        if self.header.records_count == 0 && !self.header.attributes.has_delete_horizon() {
            self.header.base_timestamp = timestamp_ms;
        }
        let timestamp_delta = timestamp_ms.wrapping_sub(self.header.base_timestamp);
        let header_bytes: usize =
            headers.clone().map(|header| bytes_size(Some(header.key)) + bytes_size(header.value)).sum();
        let size = 1
            + varint::size_i64(timestamp_delta)
            + varint::size_i32(offset_delta)
            + bytes_size(key)
            + bytes_size(value)
            + varint::size_i32(headers.len() as i32)
            + header_bytes;
        assert!(self.bytes.len() + size < i32::MAX as usize - 16, "a batch is below 2 GiB");

        varint::write_i32(&mut self.bytes, size as i32);
        self.bytes.push(0);
        varint::write_i64(&mut self.bytes, timestamp_delta);
        varint::write_i32(&mut self.bytes, offset_delta);
        write_bytes(&mut self.bytes, key);
        write_bytes(&mut self.bytes, value);
        varint::write_i32(&mut self.bytes, headers.len() as i32);
        for header in headers {
            write_bytes(&mut self.bytes, Some(header.key));
            write_bytes(&mut self.bytes, header.value);
        }

        self.header.records_count += 1;
        self.header.last_offset_delta = offset_delta;
        self.next_offset_delta = offset_delta + 1;
        if self.header.attributes.timestamp_type() == TimestampType::CreateTime {
            self.header.max_timestamp = self.header.max_timestamp.max(timestamp_ms);
        }
    }

    /// The number of records so far.
    pub fn records_count(&self) -> i32 {
        self.header.records_count
    }

    /// Whether there is no record yet.
    pub fn is_empty(&self) -> bool {
        self.header.records_count == 0
    }

    /// Bytes of the batch so far, before compression.
    pub fn size_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The batch's bytes.
    ///
    /// # Panics
    /// If no record was added.
    pub fn build(mut self) -> Vec<u8> {
        assert!(!self.is_empty(), "a batch holds a record");
        if let Some(delta) = self.replaced_last_offset_delta {
            assert!(delta >= self.header.last_offset_delta, "no record is above the last offset");
            // The last sequence number of the batch is derived from it.
            self.header.last_offset_delta = delta;
        }
        match self.header.attributes.compression().expect("the builder sets the codec") {
            Compression::None => seal(self.header, self.bytes),
            codec => compress_and_seal(self.header, codec.into(), &self.bytes[BATCH_OVERHEAD..]),
        }
    }
}

/// A batch without records that keeps the offsets, the producer and the sequence numbers of another:
/// compaction leaves it in place of a producer's last batch.
pub fn emptied(original: &BatchHeader) -> Vec<u8> {
    let attributes = original.attributes.with_compression(Compression::None).with_delete_horizon(false);
    let header = BatchHeader { attributes, base_timestamp: NO_TIMESTAMP, records_count: 0, ..*original };
    seal(header, vec![0; BATCH_OVERHEAD])
}

/// Builds the batch with that header and those records, compressed.
pub(crate) fn compress_and_seal(mut header: BatchHeader, compressor: Compressor, records: &[u8]) -> Vec<u8> {
    header.attributes = header.attributes.with_compression(compressor.codec);
    let mut bytes = Vec::with_capacity(BATCH_OVERHEAD + records.len() / 2);
    bytes.resize(BATCH_OVERHEAD, 0);
    compressor.compress(records, &mut bytes);
    seal(header, bytes)
}

/// Completes a batch: `bytes` has space for the header, then the body.
fn seal(mut header: BatchHeader, mut bytes: Vec<u8>) -> Vec<u8> {
    header.length = i32::try_from(bytes.len() - LOG_OVERHEAD).expect("a batch is below 2 GiB");
    bytes[..BATCH_OVERHEAD].copy_from_slice(&header.to_bytes());
    let crc = crc32c(&bytes[CRC_COVERS_FROM..]);
    bytes[CRC_COVERS_FROM - 4..CRC_COVERS_FROM].copy_from_slice(&crc.to_be_bytes());
    bytes
}

fn bytes_size(bytes: Option<&[u8]>) -> usize {
    bytes.map_or(1, |bytes| varint::size_i32(bytes.len() as i32) + bytes.len())
}

fn write_bytes(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    match bytes {
        None => varint::write_i32(out, -1),
        Some(bytes) => {
            varint::write_i32(out, bytes.len() as i32);
            out.extend_from_slice(bytes);
        }
    }
}

#[cfg(test)]
mod tests;
