//! A record that is checked in passing, because it is too long to be kept.

use crate::records::{RecordFault, record_extent};
use crate::varint::{self, VARINT_BYTES_MAX};

/// The size from which on an unfinished record is checked in pieces. Far more than the numbers at its front
/// take.
pub(super) const LONG_BYTES: usize = 64 << 10;

/// A partly seen record. The rules are those of [`crate::records::record_at`]; of keys, values and headers
/// only their lengths matter.
pub(super) struct LongRecord {
    pub(super) offset_delta: i32,
    pub(super) timestamp_delta: i64,
    pub(super) has_key: bool,
    /// Bytes of the record that have not been seen.
    left_bytes: usize,
    /// Bytes of them in the current field.
    field_bytes: usize,
    /// The field whose length comes next.
    next: Field,
    /// Headers whose values have not started.
    headers_left: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Field {
    Key,
    Value,
    Headers,
    HeaderKey,
    HeaderValue,
    End,
}

impl LongRecord {
    /// Starts the record at the front of `bytes`, which are at least [`LONG_BYTES`] and not all of it. Also
    /// returns the number of bytes seen.
    pub(super) fn begin(bytes: &[u8]) -> Result<(LongRecord, usize), RecordFault> {
        let (body_at, end) = record_extent(bytes, 0)?;
        let (timestamp_delta, at) = varint::read_i64(bytes, body_at + 1).ok_or(RecordFault::Number)?;
        let (offset_delta, at) = varint::read_i32(bytes, at).ok_or(RecordFault::Number)?;
        let record = LongRecord {
            offset_delta,
            timestamp_delta,
            has_key: false,
            left_bytes: end - at,
            field_bytes: 0,
            next: Field::Key,
            headers_left: 0,
        };
        Ok((record, at))
    }

    /// Takes in `bytes`, which follow those seen before. Returns how many were seen, and whether the record
    /// is complete; if it is not, pass the rest again with more bytes after it.
    pub(super) fn pass(&mut self, bytes: &[u8]) -> Result<(usize, bool), RecordFault> {
        let mut at = 0;
        loop {
            let passed = self.field_bytes.min(bytes.len() - at);
            at += passed;
            self.field_bytes -= passed;
            self.left_bytes -= passed;
            if self.field_bytes > 0 {
                return Ok((at, false));
            }
            if self.next == Field::End {
                return if self.left_bytes == 0 { Ok((at, true)) } else { Err(RecordFault::Length) };
            }
            let visible = &bytes[at..bytes.len().min(at + self.left_bytes)];
            if visible.len() < VARINT_BYTES_MAX.min(self.left_bytes) {
                return Ok((at, false));
            }
            let (number, used) = varint::read_i32(visible, 0).ok_or(RecordFault::Number)?;
            at += used;
            self.left_bytes -= used;
            self.take(number)?;
        }
    }

    /// Takes the number in front of the next field.
    fn take(&mut self, number: i32) -> Result<(), RecordFault> {
        if self.next == Field::Headers {
            let count = usize::try_from(number).ok().filter(|count| *count <= self.left_bytes);
            self.headers_left = count.ok_or(RecordFault::HeaderCount)?;
        } else {
            // A length below 0 is that of null.
            self.field_bytes = usize::try_from(number).unwrap_or(0);
            if self.field_bytes > self.left_bytes {
                return Err(RecordFault::Length);
            }
        }
        self.next = match self.next {
            Field::Key => {
                self.has_key = number >= 0;
                Field::Value
            }
            Field::Value => Field::Headers,
            Field::HeaderKey if number < 0 => return Err(RecordFault::HeaderKey),
            Field::HeaderKey => {
                self.headers_left -= 1;
                Field::HeaderValue
            }
            Field::Headers | Field::HeaderValue | Field::End => {
                if self.headers_left == 0 {
                    Field::End
                } else {
                    Field::HeaderKey
                }
            }
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests;
