//! The consecutive records of a batch, borrowed from its bytes.

use std::fmt;

use crate::header::{BatchHeader, TimestampType};
use crate::legacy::Messages;
use crate::varint::{self, VARINT_BYTES_MAX};

/// The fewest bytes of a record, its length included: neither key, value nor header.
pub const RECORD_BYTES_MIN: usize = 7;

/// The fault in the bytes of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordFault {
    /// The bytes end before the record does.
    Truncated,
    /// A number whose bits do not fit, or that crosses the end of the record.
    Number,
    /// The record's fields need more or fewer bytes than its length says.
    Length,
    /// A number of headers that is below 0, or larger than the record can hold.
    HeaderCount,
    /// A header without a key.
    HeaderKey,
    /// A message in a compressed one that is of neither magic 0 nor 1.
    Magic,
    /// A message in a compressed one that is compressed itself.
    Compressed,
    /// A message whose offset is not above the one before it, or is above that of the compressed one around
    /// it.
    Offset,
}

/// The reason why the records of a batch cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordsError {
    /// A record is invalid.
    Record {
        /// Its place in the batch, from 0.
        index: u32,
        /// The fault.
        fault: RecordFault,
    },
    /// More bytes than the batch's record count accounts for.
    TrailingBytes,
    /// A record count below 0.
    Count(i32),
    /// A compressed message of magic 0 or 1 that holds none.
    NoMessages,
}

impl fmt::Display for RecordsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RecordsError::Record { index, fault } => {
                let fault = match fault {
                    RecordFault::Truncated => "is longer than the rest of the batch",
                    RecordFault::Number => "has a malformed variable-length number",
                    RecordFault::Length => "has fields that do not fill its length",
                    RecordFault::HeaderCount => "has an impossible header count",
                    RecordFault::HeaderKey => "has a header without a key",
                    RecordFault::Magic => "is of a format that cannot be there",
                    RecordFault::Compressed => "is compressed inside a compressed message",
                    RecordFault::Offset => "has an offset out of order",
                };
                write!(f, "record {index} of the batch {fault}")
            }
            RecordsError::TrailingBytes => write!(f, "bytes are left after the last record of the batch"),
            RecordsError::NoMessages => write!(f, "the compressed message is empty"),
            RecordsError::Count(count) => write!(f, "no batch holds {count} records"),
        }
    }
}

impl std::error::Error for RecordsError {}

/// One record.
#[derive(Clone, Debug)]
pub struct Record<'a> {
    /// Its offset in the partition.
    pub offset: i64,
    /// Its timestamp in ms since the epoch, or [`NO_TIMESTAMP`](crate::NO_TIMESTAMP).
    pub timestamp: i64,
    /// The key, if there is one.
    pub key: Option<&'a [u8]>,
    /// The value; `None` is a tombstone.
    pub value: Option<&'a [u8]>,
    /// The headers.
    pub headers: Headers<'a>,
}

/// A record's headers, in order. Iterating cannot fail: they were checked when the record was read.
#[derive(Clone, Debug, Default)]
pub struct Headers<'a> {
    count: u32,
    bytes: &'a [u8],
}

/// One header of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// The key: UTF-8 by the protocol, though no broker checks that.
    pub key: &'a [u8],
    /// The value, if there is one.
    pub value: Option<&'a [u8]>,
}

impl<'a> Iterator for Headers<'a> {
    type Item = Header<'a>;

    fn next(&mut self) -> Option<Header<'a>> {
        self.count = self.count.checked_sub(1)?;
        let (header, next) = header_at(self.bytes, 0).expect("headers are checked when their record is read");
        self.bytes = &self.bytes[next..];
        Some(header)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.count as usize, Some(self.count as usize))
    }
}

impl ExactSizeIterator for Headers<'_> {}

/// A record relative to the batch's header, as in the batch's bytes.
#[derive(Clone, Copy)]
pub(crate) struct RawRecord<'a> {
    pub(crate) timestamp_delta: i64,
    pub(crate) offset_delta: i32,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
    header_count: u32,
    headers: &'a [u8],
    /// The position of the next record.
    pub(crate) end: usize,
}

/// The bases of the deltas in a batch's records.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Bases {
    offset: i64,
    timestamp: i64,
    /// The one timestamp of all records, with `LogAppendTime`.
    append_timestamp: Option<i64>,
}

impl Bases {
    pub(crate) fn of(header: &BatchHeader) -> Bases {
        let append_time = header.attributes.timestamp_type() == TimestampType::LogAppendTime;
        Bases {
            offset: header.base_offset,
            timestamp: header.base_timestamp,
            append_timestamp: append_time.then_some(header.max_timestamp),
        }
    }
}

impl<'a> RawRecord<'a> {
    pub(crate) fn resolve(self, bases: Bases) -> Record<'a> {
        Record {
            offset: bases.offset.wrapping_add(i64::from(self.offset_delta)),
            timestamp: match bases.append_timestamp {
                Some(timestamp) => timestamp,
                None => bases.timestamp.wrapping_add(self.timestamp_delta),
            },
            key: self.key,
            value: self.value,
            headers: Headers { count: self.header_count, bytes: self.headers },
        }
    }
}

/// The extent of the record at `at`: the position of its fields, and its end.
///
/// [`RecordFault::Truncated`] means that more bytes might complete it.
#[inline(always)]
pub(crate) fn record_extent(bytes: &[u8], at: usize) -> Result<(usize, usize), RecordFault> {
    let Some((length, body_at)) = varint::read_i32(bytes, at) else {
        let cut_short = bytes.len() - at < VARINT_BYTES_MAX;
        return Err(if cut_short { RecordFault::Truncated } else { RecordFault::Number });
    };
    if length < 0 {
        return Err(RecordFault::Length);
    }
    Ok((body_at, body_at + length as usize))
}

/// Reads and checks the record at `at`.
#[inline(always)]
pub(crate) fn record_at(bytes: &[u8], at: usize) -> Result<RawRecord<'_>, RecordFault> {
    let (body_at, end) = record_extent(bytes, at)?;
    // Nothing below can read beyond the record's end.
    let Some(bytes) = bytes.get(..end) else {
        return Err(RecordFault::Truncated);
    };
    // The first byte holds attributes, which no version of Kafka uses.
    let (timestamp_delta, at) = varint::read_i64(bytes, body_at + 1).ok_or(RecordFault::Number)?;
    let (offset_delta, at) = varint::read_i32(bytes, at).ok_or(RecordFault::Number)?;
    let (key, at) = nullable_bytes_at(bytes, at)?;
    let (value, at) = nullable_bytes_at(bytes, at)?;
    let (header_count, at) = varint::read_i32(bytes, at).ok_or(RecordFault::Number)?;
    let headers = &bytes[at..];
    if header_count != 0 {
        check_headers(headers, header_count)?;
    } else if !headers.is_empty() {
        return Err(RecordFault::Length);
    }
    Ok(RawRecord {
        timestamp_delta,
        offset_delta,
        key,
        value,
        header_count: header_count as u32,
        headers,
        end,
    })
}

/// A length, below 0 for null, and that many bytes.
#[inline(always)]
fn nullable_bytes_at(bytes: &[u8], at: usize) -> Result<(Option<&[u8]>, usize), RecordFault> {
    let (length, at) = varint::read_i32(bytes, at).ok_or(RecordFault::Number)?;
    if length < 0 {
        return Ok((None, at));
    }
    let end = at + length as usize;
    match bytes.get(at..end) {
        Some(field) => Ok((Some(field), end)),
        None => Err(RecordFault::Length),
    }
}

/// Checks that `count` headers fill `bytes`.
fn check_headers(bytes: &[u8], count: i32) -> Result<(), RecordFault> {
    if usize::try_from(count).map_or(true, |count| count > bytes.len()) {
        return Err(RecordFault::HeaderCount);
    }
    let mut at = 0;
    for _ in 0..count {
        at = header_at(bytes, at)?.1;
    }
    if at == bytes.len() { Ok(()) } else { Err(RecordFault::Length) }
}

fn header_at(bytes: &[u8], at: usize) -> Result<(Header<'_>, usize), RecordFault> {
    let (key, at) = nullable_bytes_at(bytes, at)?;
    let (value, at) = nullable_bytes_at(bytes, at)?;
    Ok((Header { key: key.ok_or(RecordFault::HeaderKey)?, value }, at))
}

/// Iterator over the records of a batch.
///
/// It ends after the number of records in the header, or after the first error; it also checks that all bytes
/// belong to a record.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    bytes: &'a [u8],
    at: usize,
    index: u32,
    count: i32,
    bases: Bases,
    ended: bool,
    /// Messages of magic 0 and 1, which are read instead of the bytes.
    messages: Option<Messages<'a>>,
}

impl<'a> Records<'a> {
    /// The records in `bytes`, the uncompressed body of the batch with that header.
    pub(crate) fn new(header: &BatchHeader, bytes: &'a [u8]) -> Records<'a> {
        Records {
            bytes,
            at: 0,
            index: 0,
            count: header.records_count,
            bases: Bases::of(header),
            ended: false,
            messages: None,
        }
    }

    /// Messages of magic 0 and 1 as records.
    pub(crate) fn of_messages(messages: Messages<'a>) -> Records<'a> {
        Records {
            bytes: &[],
            at: 0,
            index: 0,
            count: 0,
            bases: Bases::default(),
            ended: false,
            messages: Some(messages),
        }
    }

    fn read_next(&mut self) -> Result<Option<Record<'a>>, RecordsError> {
        if let Some(messages) = &mut self.messages {
            return messages.read_next();
        }
        if self.count < 0 {
            return Err(RecordsError::Count(self.count));
        }
        if i64::from(self.index) == i64::from(self.count) {
            let all_read = self.at == self.bytes.len();
            return if all_read { Ok(None) } else { Err(RecordsError::TrailingBytes) };
        }
        let raw = record_at(self.bytes, self.at)
            .map_err(|fault| RecordsError::Record { index: self.index, fault })?;
        self.at = raw.end;
        self.index += 1;
        Ok(Some(raw.resolve(self.bases)))
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, RecordsError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = self.read_next().transpose();
        self.ended = !matches!(next, Some(Ok(_)));
        next
    }
}
