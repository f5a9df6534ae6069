//! Message sets of magic 0 and 1, from before Kafka 0.11: read if a log still holds them, never written.
//!
//! A message is a batch of itself, unless it is compressed: then its value is a message set, and the
//! compressed message has the offset of the last message in it. With magic 0, the messages in it have their
//! own offsets. With magic 1 their offsets count from the first, so that a broker that assigns offsets need
//! not rewrite them; only the last is known to be that of the compressed message.
//!
//! Source: `LegacyRecord` and `AbstractLegacyRecordBatch` in Kafka, KIP-31, KIP-32.

use crate::batch_error::BatchError;
use crate::compression::{Compression, DecompressError, Scratch, UnknownCodec};
use crate::crc::crc32;
use crate::header::{
    Attributes, BatchHeader, LENGTH_MIN_LEGACY, LOG_OVERHEAD, NO_PARTITION_LEADER_EPOCH, NO_PRODUCER_EPOCH,
    NO_PRODUCER_ID, NO_SEQUENCE, NO_TIMESTAMP, TimestampType, field,
};
use crate::records::{Headers, Record, RecordFault, Records, RecordsError};

/// The position of the first byte that the checksum covers: the magic.
const CRC_COVERS_FROM: usize = LOG_OVERHEAD + 4;
/// Bytes up to the key of magic 0.
const HEAD_BYTES_V0: usize = LOG_OVERHEAD + 6;
/// The same of magic 1, which has a timestamp there.
const HEAD_BYTES_V1: usize = HEAD_BYTES_V0 + 8;
/// The smallest length field of a message of magic 1.
const LENGTH_MIN_V1: i32 = LENGTH_MIN_LEGACY + 8;
/// The codec, and with magic 1 the timestamp type.
const ATTRIBUTES_KNOWN: [u8; 2] = [0x07, 0x0f];

/// Parses the part before the key of the message at the front of `bytes`, whose magic is 0 or 1.
pub(crate) fn parse_header(bytes: &[u8]) -> Result<BatchHeader, BatchError> {
    let magic = bytes[CRC_COVERS_FROM];
    let (head_bytes, length_min) =
        if magic == 0 { (HEAD_BYTES_V0, LENGTH_MIN_LEGACY) } else { (HEAD_BYTES_V1, LENGTH_MIN_V1) };
    let mut head = [0; HEAD_BYTES_V1];
    let have_bytes = bytes.len().min(head_bytes);
    head[..have_bytes].copy_from_slice(&bytes[..have_bytes]);
    let length = i32::from_be_bytes(field(&head, 8));
    if length < length_min {
        return Err(BatchError::Length(length));
    }
    if have_bytes < head_bytes {
        return Err(BatchError::Truncated { have_bytes, need_bytes: head_bytes });
    }
    let attributes = Attributes(i16::from(head[17] & ATTRIBUTES_KNOWN[usize::from(magic)]));
    let timestamp = if magic == 0 { NO_TIMESTAMP } else { i64::from_be_bytes(field(&head, 18)) };
    let is_single = attributes.compression() == Ok(Compression::None);
    Ok(BatchHeader {
        base_offset: i64::from_be_bytes(field(&head, 0)),
        length,
        partition_leader_epoch: NO_PARTITION_LEADER_EPOCH,
        magic: magic as i8,
        crc: u32::from_be_bytes(field(&head, 12)),
        attributes,
        last_offset_delta: 0,
        base_timestamp: timestamp,
        max_timestamp: timestamp,
        producer_id: NO_PRODUCER_ID,
        producer_epoch: NO_PRODUCER_EPOCH,
        base_sequence: NO_SEQUENCE,
        records_count: if is_single { 1 } else { -1 },
    })
}

/// The checksum of a whole message.
pub(crate) fn checksum(bytes: &[u8]) -> u32 {
    crc32(&bytes[CRC_COVERS_FROM..])
}

/// The records of the message with that header: itself, or the messages compressed in it.
pub(crate) fn records<'s>(
    header: &BatchHeader,
    bytes: &'s [u8],
    scratch: &'s mut Scratch,
    max_bytes: usize,
) -> Result<Records<'s>, DecompressError> {
    let codec = match header.attributes.compression().map_err(DecompressError::UnknownCodec)? {
        Compression::None => return Ok(Records::of_messages(Messages::single(header, bytes))),
        // It came after magic 2, and no reader of the formats before it takes it.
        Compression::Zstd => return Err(DecompressError::UnknownCodec(UnknownCodec(Compression::Zstd.id()))),
        codec => codec,
    };
    let value = message_at(bytes, 0).ok().flatten().and_then(|message| message.value);
    let value = value.ok_or(DecompressError::Malformed(codec))?;
    let set = scratch.decompress_messages(codec, header.magic, value, max_bytes)?;
    Ok(Records::of_messages(Messages::within(header, set)))
}

/// Consecutive messages: a single one, or those in a compressed one.
#[derive(Clone, Debug)]
pub(crate) struct Messages<'a> {
    bytes: &'a [u8],
    at: usize,
    index: u32,
    /// Whether they are in a compressed one.
    is_within: bool,
    /// The base to which the offsets in the bytes are added.
    first_offset: i64,
    /// The lowest offset that the next message can have.
    next_offset: i64,
    /// The offset of the compressed message, an upper bound for those in it.
    last_offset: i64,
    /// The one timestamp of all with `LogAppendTime`.
    append_timestamp: Option<i64>,
}

impl<'a> Messages<'a> {
    /// The message with that header as the only one.
    pub(crate) fn single(header: &BatchHeader, bytes: &'a [u8]) -> Messages<'a> {
        let append_time = header.attributes.timestamp_type() == TimestampType::LogAppendTime;
        Messages {
            bytes,
            at: 0,
            index: 0,
            is_within: false,
            first_offset: 0,
            next_offset: 0,
            last_offset: header.last_offset(),
            append_timestamp: append_time.then_some(header.max_timestamp),
        }
    }

    /// The messages in the one with that header, decompressed.
    fn within(header: &BatchHeader, bytes: &'a [u8]) -> Messages<'a> {
        let mut messages = Messages { is_within: true, ..Messages::single(header, bytes) };
        // An old librdkafka wrote 0 for the offset that the broker assigns, and old brokers kept it.
        if header.magic == 1 && header.last_offset() != 0 {
            let last = last_offset_in(bytes).unwrap_or_default();
            messages.first_offset = header.last_offset().wrapping_sub(last);
        }
        messages
    }

    pub(crate) fn read_next(&mut self) -> Result<Option<Record<'a>>, RecordsError> {
        if !self.is_within && self.index > 0 {
            return Ok(None);
        }
        let index = self.index;
        let fault = |fault| RecordsError::Record { index, fault };
        let Some(message) = message_at(self.bytes, self.at).map_err(fault)? else {
            return match (index, self.is_within) {
                (0, true) => Err(RecordsError::NoMessages),
                (0, false) => Err(fault(RecordFault::Truncated)),
                _ => Ok(None),
            };
        };
        if self.is_within && message.codec != Compression::None.id() {
            return Err(fault(RecordFault::Compressed));
        }
        let offset = message.offset.wrapping_add(self.first_offset);
        // A batch of magic 2 must be able to replace them.
        let is_far = self.last_offset.saturating_sub(offset) > i64::from(i32::MAX);
        if offset < self.next_offset || offset > self.last_offset || is_far {
            return Err(fault(RecordFault::Offset));
        }
        self.next_offset = offset.saturating_add(1);
        self.at = message.end;
        self.index += 1;
        let timestamp = match self.append_timestamp {
            Some(timestamp) if message.magic == 1 => timestamp,
            _ => message.timestamp,
        };
        let (key, value) = (message.key, message.value);
        Ok(Some(Record { offset, timestamp, key, value, headers: Headers::default() }))
    }
}

/// A parsed message.
struct Message<'a> {
    offset: i64,
    magic: u8,
    codec: u8,
    timestamp: i64,
    key: Option<&'a [u8]>,
    value: Option<&'a [u8]>,
    /// The position of the next message.
    end: usize,
}

/// The message at `at`, or `None` if the bytes end inside it, as in a message set that was truncated at a
/// number of bytes.
fn message_at(bytes: &[u8], at: usize) -> Result<Option<Message<'_>>, RecordFault> {
    let Some((length, end)) = extent(bytes, at)? else { return Ok(None) };
    let message = &bytes[at..end];
    let magic = message[CRC_COVERS_FROM];
    let (mut rest, timestamp) = match magic {
        0 => (&message[HEAD_BYTES_V0..], NO_TIMESTAMP),
        1 if length >= LENGTH_MIN_V1 => {
            let timestamp = message[HEAD_BYTES_V0..].first_chunk().expect("the length says so");
            (&message[HEAD_BYTES_V1..], i64::from_be_bytes(*timestamp))
        }
        1 => return Err(RecordFault::Length),
        _ => return Err(RecordFault::Magic),
    };
    let key = take_bytes(&mut rest)?;
    let value = take_bytes(&mut rest)?;
    let offset = i64::from_be_bytes(*message.first_chunk().expect("a message has an offset"));
    let codec = message[CRC_COVERS_FROM + 1] & ATTRIBUTES_KNOWN[0];
    Ok(Some(Message { offset, magic, codec, timestamp, key, value, end }))
}

/// The length field of the message at `at`, and its end.
fn extent(bytes: &[u8], at: usize) -> Result<Option<(i32, usize)>, RecordFault> {
    let Some(opening) = bytes.get(at..).and_then(|rest| rest.first_chunk::<LOG_OVERHEAD>()) else {
        return Ok(None);
    };
    let length = i32::from_be_bytes(field(opening, 8));
    if length < LENGTH_MIN_LEGACY {
        return Err(RecordFault::Length);
    }
    let end = at + LOG_OVERHEAD + length as usize;
    Ok((end <= bytes.len()).then_some((length, end)))
}

/// The last offset in a message set, as its bytes have it.
fn last_offset_in(bytes: &[u8]) -> Option<i64> {
    let (mut at, mut last) = (0, None);
    while let Ok(Some((_, end))) = extent(bytes, at) {
        last = bytes[at..].first_chunk().map(|offset| i64::from_be_bytes(*offset));
        at = end;
    }
    last
}

/// Bytes after their length, -1 for null.
fn take_bytes<'a>(rest: &mut &'a [u8]) -> Result<Option<&'a [u8]>, RecordFault> {
    let (length, after) = rest.split_first_chunk::<4>().ok_or(RecordFault::Length)?;
    *rest = after;
    let Ok(length) = usize::try_from(i32::from_be_bytes(*length)) else { return Ok(None) };
    let (bytes, after) = after.split_at_checked(length).ok_or(RecordFault::Length)?;
    *rest = after;
    Ok(Some(bytes))
}
