//! Encoding bytes for a peer.

use bytes::{BufMut, Bytes, BytesMut};

use super::error::{EncodeError, EncodeErrorKind};
use super::reader::MAX_STRING_BYTES;
use super::records::Records;
use super::string::Str;
use super::uuid::Uuid;
use super::varint::{put_uvarint, uvarint_bytes};
use crate::ErrorCode;

/// Longer bytes are sent without copying them; shorter ones are cheaper to copy.
const SPLICE_MIN_BYTES: usize = 1024;

/// A message under construction. Small values are gathered in one buffer; large bytes, and bytes that are not
/// in memory, are noted with their position in it.
#[derive(Debug, Default)]
pub struct Writer {
    buffer: BytesMut,
    splices: Vec<Splice>,
    /// Bytes of all `splices`.
    spliced_bytes: usize,
    /// The number of open tagged fields. The size of a tagged field is known only at its end, so its bytes
    /// have to be in the buffer.
    open_tags: usize,
}

#[derive(Debug)]
struct Splice {
    /// The position in the buffer at which the bytes belong.
    position: usize,
    chunk: Chunk,
}

/// The tagged fields of one struct, while they are being written.
#[derive(Debug)]
pub(crate) struct WrittenTags {
    position: usize,
    count: u8,
}

/// One tagged field, while it is being written.
#[derive(Debug)]
pub(crate) struct WrittenTag {
    start: usize,
}

impl Writer {
    /// Starts with an empty buffer.
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts with a buffer that has room for `capacity` bytes.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { buffer: BytesMut::with_capacity(capacity), ..Self::default() }
    }

    /// Continues in `buffer`, after its contents.
    pub fn with_buffer(buffer: BytesMut) -> Self {
        Self { buffer, ..Self::default() }
    }

    /// The number of bytes written, including those that are not in the buffer.
    pub fn len(&self) -> usize {
        self.buffer.len() + self.spliced_bytes
    }

    /// Whether nothing has been written.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Ends writing.
    pub fn finish(self) -> Frame {
        debug_assert!(self.open_tags == 0, "every tagged field is closed");
        let len = self.len();
        Frame { buffer: self.buffer.freeze(), splices: self.splices, len }
    }

    /// Overwrites four bytes at `position`, which a placeholder holds.
    pub(crate) fn patch_i32(&mut self, position: usize, value: i32) {
        self.buffer[position..position + 4].copy_from_slice(&value.to_be_bytes());
    }

    /// Writes a boolean.
    pub fn bool(&mut self, value: bool) {
        self.buffer.put_u8(u8::from(value));
    }

    /// Writes an 8-bit integer.
    pub fn i8(&mut self, value: i8) {
        self.buffer.put_i8(value);
    }

    /// Writes a 16-bit integer.
    pub fn i16(&mut self, value: i16) {
        self.buffer.put_i16(value);
    }

    /// Writes an unsigned 16-bit integer.
    pub fn u16(&mut self, value: u16) {
        self.buffer.put_u16(value);
    }

    /// Writes a 32-bit integer.
    pub fn i32(&mut self, value: i32) {
        self.buffer.put_i32(value);
    }

    /// Writes an unsigned 32-bit integer of four bytes.
    pub fn u32(&mut self, value: u32) {
        self.buffer.put_u32(value);
    }

    /// Writes a 64-bit integer.
    pub fn i64(&mut self, value: i64) {
        self.buffer.put_i64(value);
    }

    /// Writes a 64-bit floating-point number.
    pub fn f64(&mut self, value: f64) {
        self.buffer.put_f64(value);
    }

    /// Writes a UUID.
    pub fn uuid(&mut self, value: Uuid) {
        self.buffer.put_slice(&value.0);
    }

    /// Writes an error code.
    pub fn error_code(&mut self, value: ErrorCode) {
        self.buffer.put_i16(value.0);
    }

    /// Writes an unsigned integer of up to five bytes.
    pub fn uvarint(&mut self, value: u32) {
        put_uvarint(&mut self.buffer, value);
    }

    /// Writes a length or a count. A message whose length does not fit 31 bits is rejected as a whole, see
    /// [`crate::frame`], so a value truncated here is never sent.
    fn length(&mut self, len: Option<usize>, flexible: bool) {
        let len = len.map(|len| i32::try_from(len).unwrap_or(i32::MAX));
        if flexible {
            self.uvarint(len.map_or(0, |len| len.unsigned_abs() + 1));
        } else {
            self.buffer.put_i32(len.unwrap_or(-1));
        }
    }

    /// Writes text.
    pub fn string(&mut self, field: &'static str, value: &Str, flexible: bool) -> Result<(), EncodeError> {
        self.string_nullable(field, Some(value), flexible)
    }

    /// Writes text that may be null.
    pub fn string_nullable(
        &mut self,
        field: &'static str,
        value: Option<&Str>,
        flexible: bool,
    ) -> Result<(), EncodeError> {
        let text = value.map_or("", Str::as_str);
        if text.len() > MAX_STRING_BYTES {
            return Err(EncodeError { kind: EncodeErrorKind::StringTooLong, field });
        }
        if flexible {
            self.length(value.map(|text| text.len()), true);
        } else {
            let length = value.map_or(-1, |text| text.len() as i16);
            self.buffer.put_i16(length);
        }
        self.buffer.put_slice(text.as_bytes());
        Ok(())
    }

    /// Writes bytes.
    pub fn bytes(&mut self, value: &Bytes, flexible: bool) {
        self.bytes_nullable(Some(value), flexible);
    }

    /// Writes bytes that may be null.
    pub fn bytes_nullable(&mut self, value: Option<&Bytes>, flexible: bool) {
        self.length(value.map(Bytes::len), flexible);
        if let Some(bytes) = value {
            self.put_bytes(bytes);
        }
    }

    /// Writes record batches.
    pub fn records(&mut self, value: &Records, flexible: bool) {
        match value {
            Records::Null => self.length(None, flexible),
            Records::Bytes(bytes) => self.bytes(bytes, flexible),
            Records::External { len } => {
                self.length(Some(*len), flexible);
                self.splice(Chunk::External { len: *len });
            }
        }
    }

    /// Appends bytes without a length.
    pub fn put_bytes(&mut self, bytes: &Bytes) {
        if bytes.len() >= SPLICE_MIN_BYTES && self.open_tags == 0 {
            self.splice(Chunk::Bytes(bytes.clone()));
        } else {
            self.buffer.put_slice(bytes);
        }
    }

    fn splice(&mut self, chunk: Chunk) {
        assert!(self.open_tags == 0, "records are never tagged");
        self.spliced_bytes += chunk.len();
        self.splices.push(Splice { position: self.buffer.len(), chunk });
    }

    /// Writes the count of an array.
    pub fn array_length(&mut self, count: usize, flexible: bool) {
        self.length(Some(count), flexible);
    }

    /// Writes the count of an array that may be null.
    pub fn array_length_nullable(&mut self, count: Option<usize>, flexible: bool) {
        self.length(count, flexible);
    }

    /// Writes the byte before a struct that may be null.
    pub fn presence(&mut self, present: bool) {
        self.buffer.put_i8(if present { 1 } else { -1 });
    }

    /// Writes the marker before a tagged struct that may be null.
    pub fn presence_tagged(&mut self, present: bool) {
        self.uvarint(u32::from(present));
    }

    /// Writes that a struct has no tagged fields.
    pub(crate) fn no_tags(&mut self) {
        self.buffer.put_u8(0);
    }

    /// Starts the tagged fields of a struct.
    pub(crate) fn begin_tags(&mut self) -> WrittenTags {
        let position = self.buffer.len();
        self.buffer.put_u8(0);
        WrittenTags { position, count: 0 }
    }

    /// Starts a tagged field. Tags ascend.
    pub(crate) fn begin_tag(&mut self, tags: &mut WrittenTags, tag: u32) -> WrittenTag {
        tags.count += 1;
        self.open_tags += 1;
        self.uvarint(tag);
        WrittenTag { start: self.buffer.len() }
    }

    /// Ends a tagged field: writes its size before it.
    pub(crate) fn end_tag(&mut self, tag: &WrittenTag) {
        self.open_tags -= 1;
        let start = tag.start;
        let len = self.buffer.len() - start;
        let size = u32::try_from(len).unwrap_or(u32::MAX);
        let prefix = uvarint_bytes(size);
        self.buffer.put_bytes(0, prefix);
        self.buffer.copy_within(start..start + len, start + prefix);
        put_uvarint(&mut &mut self.buffer[start..start + prefix], size);
    }

    /// Ends the tagged fields of a struct.
    pub(crate) fn end_tags(&mut self, tags: &WrittenTags) {
        // One byte holds the count: no schema has as many as 128.
        assert!(tags.count < 0x80, "the count of tagged fields takes one byte");
        self.buffer[tags.position] = tags.count;
    }
}

/// A finished message: the gathered bytes, and those that belong between them.
#[derive(Debug)]
pub struct Frame {
    buffer: Bytes,
    splices: Vec<Splice>,
    len: usize,
}

/// Consecutive bytes of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chunk {
    /// Bytes in memory.
    Bytes(Bytes),
    /// `len` bytes of [`Records::External`].
    External {
        /// The number of bytes.
        len: usize,
    },
}

impl Chunk {
    /// The number of bytes.
    pub fn len(&self) -> usize {
        match self {
            Chunk::Bytes(bytes) => bytes.len(),
            Chunk::External { len } => *len,
        }
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Frame {
    /// The number of bytes of the message, including external ones.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the message has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The message in the order of sending, without copying. Empty chunks of memory are left out; external
    /// ones are not, so that the n-th `External` chunk is the n-th external field.
    pub fn into_chunks(self) -> Vec<Chunk> {
        let mut rest = self.buffer;
        let mut cut = 0;
        let mut chunks = Vec::with_capacity(2 * self.splices.len() + 1);
        for Splice { position, chunk } in self.splices {
            if position > cut {
                chunks.push(Chunk::Bytes(rest.split_to(position - cut)));
                cut = position;
            }
            chunks.push(chunk);
        }
        if !rest.is_empty() {
            chunks.push(Chunk::Bytes(rest));
        }
        chunks
    }

    /// The message as one piece.
    ///
    /// # Panics
    /// If a part of it is external.
    pub fn into_bytes(self) -> Bytes {
        if self.splices.is_empty() {
            return self.buffer;
        }
        let mut whole = BytesMut::with_capacity(self.len);
        for chunk in self.into_chunks() {
            match chunk {
                Chunk::Bytes(bytes) => whole.put_slice(&bytes),
                Chunk::External { .. } => panic!("external records are not in memory"),
            }
        }
        whole.freeze()
    }
}
