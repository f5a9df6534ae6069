//! The `.snapshot` file: the producers of a partition up to the offset in its name.
//!
//! Source: Kafka's `ProducerSnapshot.json`: i16 version 1, u32 CRC-32C of everything after it, i32 count,
//! then 46 bytes a producer.
//!
//! Two parts follow the array here. Kafka verifies the checksum of all bytes, reads the array and ignores the
//! rest.
//!
//! - i64, the end of the last batch below the snapshot. It is below the snapshot's own offset only if batches
//!   that brought their offsets left a gap; after a crash this distinguishes such a gap before a segment from
//!   the lost end of the segment before it.
//! - i32 count, then 32 bytes for each remembered batch that is not the last of its producer. Kafka's format
//!   has only the last ones, so that after a restart an earlier batch sent again is rejected as out of order,
//!   and a producer that then bumps its epoch writes it twice.

use std::path::Path;

use super::{BATCHES_MAX, BatchEntry, Producer, ProducerState};
use crate::fs::{self, Fs, Mode};

const VERSION: i16 = 1;
const HEADER_BYTES: usize = 6;
const PRODUCER_BYTES: usize = 46;
const BATCH_BYTES: usize = 32;

/// Why a snapshot cannot be used. An older one, or the log itself, takes its place.
#[derive(Debug)]
pub(crate) enum SnapshotError {
    Fs(fs::Error),
    Corrupt(&'static str),
}

/// The bytes of a snapshot.
pub(crate) fn encode(state: &ProducerState) -> Vec<u8> {
    let producers = state.producers();
    let mut bytes = Vec::with_capacity(HEADER_BYTES + 4 + producers.len() * PRODUCER_BYTES);
    bytes.extend_from_slice(&VERSION.to_be_bytes());
    bytes.extend_from_slice(&[0; 4]);
    let count = i32::try_from(producers.len()).expect("a partition has fewer than 2^31 producers");
    bytes.extend_from_slice(&count.to_be_bytes());
    for (producer_id, producer) in producers {
        let none = BatchEntry { last_sequence: -1, last_offset: -1, offset_delta: 0, timestamp: -1 };
        let last = producer.batches().last().copied().unwrap_or(none);
        bytes.extend_from_slice(&producer_id.to_be_bytes());
        bytes.extend_from_slice(&producer.epoch.to_be_bytes());
        bytes.extend_from_slice(&last.last_sequence.to_be_bytes());
        bytes.extend_from_slice(&last.last_offset.to_be_bytes());
        bytes.extend_from_slice(&last.offset_delta.to_be_bytes());
        bytes.extend_from_slice(&producer.last_timestamp.to_be_bytes());
        bytes.extend_from_slice(&producer.coordinator_epoch.to_be_bytes());
        bytes.extend_from_slice(&producer.txn_first_offset.unwrap_or(-1).to_be_bytes());
    }
    bytes.extend_from_slice(&state.batches_end_offset().to_be_bytes());
    encode_earlier_batches(state, &mut bytes);
    let crc = crc_fast::crc32_iscsi(&bytes[HEADER_BYTES..]);
    bytes[2..HEADER_BYTES].copy_from_slice(&crc.to_be_bytes());
    bytes
}

fn encode_earlier_batches(state: &ProducerState, bytes: &mut Vec<u8>) {
    let earlier = |producer: &Producer| producer.batches().len().saturating_sub(1);
    let count: usize = state.producers().values().map(|producer| earlier(producer)).sum();
    bytes.extend_from_slice(&(count as i32).to_be_bytes());
    for (producer_id, producer) in state.producers() {
        for batch in &producer.batches()[..earlier(producer)] {
            bytes.extend_from_slice(&producer_id.to_be_bytes());
            bytes.extend_from_slice(&batch.last_sequence.to_be_bytes());
            bytes.extend_from_slice(&batch.last_offset.to_be_bytes());
            bytes.extend_from_slice(&batch.offset_delta.to_be_bytes());
            bytes.extend_from_slice(&batch.timestamp.to_be_bytes());
        }
    }
}

/// The contents of a snapshot.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Snapshot {
    /// The producers.
    pub(crate) state: ProducerState,
    /// Whether it has the end of the last batch before it, which Kafka's snapshots do not.
    pub(crate) says_end: bool,
}

/// Decodes the bytes of a snapshot with `offset` in its name.
pub(crate) fn decode(bytes: &[u8], offset: i64) -> Result<Snapshot, SnapshotError> {
    let corrupt = SnapshotError::Corrupt;
    let mut fields = Fields(bytes);
    let version = fields.take().map(i16::from_be_bytes).ok_or(corrupt("it is truncated"))?;
    if version != VERSION {
        return Err(corrupt("its version is unknown"));
    }
    let crc = fields.take().map(u32::from_be_bytes).ok_or(corrupt("it is truncated"))?;
    if crc != crc_fast::crc32_iscsi(fields.0) {
        return Err(corrupt("its checksum is wrong"));
    }
    let count = fields.take().map(i32::from_be_bytes).ok_or(corrupt("it is truncated"))?;
    let mut producers = Vec::new();
    for _ in 0..count {
        producers.push(decode_producer(&mut fields).ok_or(corrupt("it is truncated"))?);
    }
    // Bytes after the array that another program may have written are ignored.
    let (batches_end_offset, earlier) = match decode_own(fields) {
        Some((end_offset, earlier)) => (Some(end_offset), earlier),
        None => (None, Vec::new()),
    };
    let mut state = ProducerState::new(batches_end_offset.unwrap_or(offset));
    for (producer_id, mut producer, last) in producers {
        let of_this = earlier.iter().filter(|(id, _)| *id == producer_id).map(|(_, batch)| batch);
        for batch in of_this.take(BATCHES_MAX - 1).chain(&last) {
            producer.push(*batch);
        }
        state.load(producer_id, producer);
    }
    Ok(Snapshot { state, says_end: batches_end_offset.is_some() })
}

fn decode_producer(fields: &mut Fields<'_>) -> Option<(i64, Producer, Option<BatchEntry>)> {
    let mut producer = Producer::new();
    let producer_id = fields.take().map(i64::from_be_bytes)?;
    producer.epoch = fields.take().map(i16::from_be_bytes)?;
    let last_sequence = fields.take().map(i32::from_be_bytes)?;
    let last_offset = fields.take().map(i64::from_be_bytes)?;
    let offset_delta = fields.take().map(i32::from_be_bytes)?;
    let timestamp = fields.take().map(i64::from_be_bytes)?;
    producer.last_timestamp = timestamp;
    producer.coordinator_epoch = fields.take().map(i32::from_be_bytes)?;
    producer.txn_first_offset = fields.take().map(i64::from_be_bytes).map(|o| (o >= 0).then_some(o))?;
    let last = BatchEntry { last_sequence, last_offset, offset_delta, timestamp };
    Some((producer_id, producer, (last_offset >= 0).then_some(last)))
}

fn decode_own(mut fields: Fields<'_>) -> Option<(i64, Vec<(i64, BatchEntry)>)> {
    let batches_end_offset = fields.take().map(i64::from_be_bytes)?;
    let count = fields.take().map(i32::from_be_bytes)?;
    if usize::try_from(count).ok()?.checked_mul(BATCH_BYTES) != Some(fields.0.len()) {
        return None;
    }
    let mut batches = Vec::new();
    for _ in 0..count {
        let producer_id = fields.take().map(i64::from_be_bytes)?;
        let last_sequence = fields.take().map(i32::from_be_bytes)?;
        let last_offset = fields.take().map(i64::from_be_bytes)?;
        let offset_delta = fields.take().map(i32::from_be_bytes)?;
        let timestamp = fields.take().map(i64::from_be_bytes)?;
        batches.push((producer_id, BatchEntry { last_sequence, last_offset, offset_delta, timestamp }));
    }
    Some((batches_end_offset, batches))
}

/// Writes a snapshot, not yet durable: what a crash leaves of it fails its checksum.
pub(crate) fn write(fs: &Fs, path: &Path, state: &ProducerState) -> fs::Result<()> {
    fs.open(path, Mode::CreateEmpty)?.write_all_at(&encode(state), 0)
}

/// Reads a snapshot whose name says `offset`.
pub(crate) fn read(fs: &Fs, path: &Path, offset: i64) -> Result<Snapshot, SnapshotError> {
    let bytes = fs.read(path).map_err(SnapshotError::Fs)?;
    decode(&bytes, offset)
}

/// The bytes that are not yet read.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*field)
    }
}

#[cfg(test)]
mod tests;
