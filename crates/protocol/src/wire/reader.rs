//! Decoding bytes from a peer.

use bytes::Bytes;

use super::error::{DecodeError, DecodeErrorKind};
use super::records::Records;
use super::string::Str;
use super::uuid::Uuid;
use super::varint::{UvarintError, get_uvarint};
use crate::ErrorCode;

/// The bytes of memory that the decoded values may take for each byte received. The densest of honest
/// messages, in which names have six letters and everything nullable is null, take no more.
const MEMORY_FACTOR: usize = 12;

/// The bytes of memory that even the smallest input may take, so that short names do not count against it.
const MEMORY_FLOOR_BYTES: usize = 16 * 1024;

/// The bytes that the allocator takes for each array beside its elements.
const ALLOCATION_OVERHEAD_BYTES: usize = 16;

/// More tagged fields than any struct of any version has; Kafka itself has no struct with more than ten.
const MAX_TAGS: u32 = 256;

/// The longest string, in bytes: lengths were 16 bits before they were compact.
pub(super) const MAX_STRING_BYTES: usize = i16::MAX as usize;

/// A position in received bytes, with a budget of memory.
///
/// Three rules keep an attacker from making a small input expensive. A count is checked against the remaining
/// bytes before anything is reserved for it. Memory for elements is charged to a limit that depends on the
/// size of the input, because an element may be larger in memory than on the wire. Strings and bytes are
/// slices of the input and cost nothing.
///
/// The methods that read a value take the name of the field, and fail with it if the bytes end too early or
/// are not of the type.
#[derive(Clone, Debug)]
pub struct Reader {
    bytes: Bytes,
    /// The next byte to read. At most `end`.
    position: usize,
    /// The end of the input, or of the current tagged field. At most `bytes.len()`.
    end: usize,
    /// Bytes of memory that elements may still take.
    memory: usize,
}

/// The tagged fields of one struct, while they are being read.
#[derive(Debug)]
pub(crate) struct Tags {
    name: &'static str,
    left: u32,
    last: Option<u32>,
    /// The end of the current tagged field.
    tag_end: usize,
    /// The end of the part that contains the struct.
    outer_end: usize,
}

impl Reader {
    /// Starts to read `bytes`.
    pub fn new(bytes: Bytes) -> Self {
        let memory = bytes.len().saturating_mul(MEMORY_FACTOR).saturating_add(MEMORY_FLOOR_BYTES);
        Self::with_memory_limit(bytes, memory)
    }

    /// Starts to read `bytes`, whose elements may take `memory` bytes: for input that this cluster has
    /// written itself, and must be able to read again.
    pub fn with_memory_limit(bytes: Bytes, memory: usize) -> Self {
        let end = bytes.len();
        Self { bytes, position: 0, end, memory }
    }

    /// The number of bytes left.
    pub fn remaining(&self) -> usize {
        self.end - self.position
    }

    /// The number of bytes read.
    pub fn position(&self) -> usize {
        self.position
    }

    /// The bytes left, without reading them.
    pub fn rest(&self) -> Bytes {
        self.bytes.slice(self.position..self.end)
    }

    /// Ends reading.
    ///
    /// # Errors
    /// An error if bytes are left.
    pub fn finish(&self) -> Result<(), DecodeError> {
        if self.remaining() > 0 { Err(self.error(DecodeErrorKind::TrailingBytes, "message")) } else { Ok(()) }
    }

    #[cold]
    pub(crate) fn error(&self, kind: DecodeErrorKind, field: &'static str) -> DecodeError {
        DecodeError { kind, field, offset: self.position }
    }

    #[cold]
    pub(crate) fn unsupported_version(&self, name: &'static str) -> DecodeError {
        self.error(DecodeErrorKind::UnsupportedVersion, name)
    }

    fn unread(&self) -> &[u8] {
        &self.bytes[self.position..self.end]
    }

    #[inline]
    fn array_of<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], DecodeError> {
        match self.unread().first_chunk::<N>() {
            Some(&chunk) => {
                self.position += N;
                Ok(chunk)
            }
            None => Err(self.error(DecodeErrorKind::Truncated, field)),
        }
    }

    fn slice(&mut self, field: &'static str, len: usize) -> Result<Bytes, DecodeError> {
        if len > self.remaining() {
            return Err(self.error(DecodeErrorKind::Truncated, field));
        }
        let slice = self.bytes.slice(self.position..self.position + len);
        self.position += len;
        Ok(slice)
    }

    /// Reads a boolean: any byte but zero is true, as in Kafka.
    pub fn bool(&mut self, field: &'static str) -> Result<bool, DecodeError> {
        Ok(self.i8(field)? != 0)
    }

    /// Reads an 8-bit integer.
    #[inline]
    pub fn i8(&mut self, field: &'static str) -> Result<i8, DecodeError> {
        Ok(i8::from_be_bytes(self.array_of(field)?))
    }

    /// Reads a 16-bit integer.
    #[inline]
    pub fn i16(&mut self, field: &'static str) -> Result<i16, DecodeError> {
        Ok(i16::from_be_bytes(self.array_of(field)?))
    }

    /// Reads an unsigned 16-bit integer.
    pub fn u16(&mut self, field: &'static str) -> Result<u16, DecodeError> {
        Ok(u16::from_be_bytes(self.array_of(field)?))
    }

    /// Reads a 32-bit integer.
    #[inline]
    pub fn i32(&mut self, field: &'static str) -> Result<i32, DecodeError> {
        Ok(i32::from_be_bytes(self.array_of(field)?))
    }

    /// Reads an unsigned 32-bit integer of four bytes.
    pub fn u32(&mut self, field: &'static str) -> Result<u32, DecodeError> {
        Ok(u32::from_be_bytes(self.array_of(field)?))
    }

    /// Reads a 64-bit integer.
    #[inline]
    pub fn i64(&mut self, field: &'static str) -> Result<i64, DecodeError> {
        Ok(i64::from_be_bytes(self.array_of(field)?))
    }

    /// Reads a 64-bit floating-point number.
    pub fn f64(&mut self, field: &'static str) -> Result<f64, DecodeError> {
        Ok(f64::from_be_bytes(self.array_of(field)?))
    }

    /// Reads a UUID.
    #[inline]
    pub fn uuid(&mut self, field: &'static str) -> Result<Uuid, DecodeError> {
        Ok(Uuid(self.array_of(field)?))
    }

    /// Reads an error code.
    pub fn error_code(&mut self, field: &'static str) -> Result<ErrorCode, DecodeError> {
        Ok(ErrorCode(self.i16(field)?))
    }

    /// Reads an unsigned integer of up to five bytes.
    #[inline]
    pub fn uvarint(&mut self, field: &'static str) -> Result<u32, DecodeError> {
        match get_uvarint(self.unread()) {
            Ok((value, len)) => {
                self.position += len;
                Ok(value)
            }
            Err(UvarintError::Truncated) => Err(self.error(DecodeErrorKind::Truncated, field)),
            Err(UvarintError::TooLong) => Err(self.error(DecodeErrorKind::VarintTooLong, field)),
        }
    }

    /// Reads a compact length: one more than it, so that zero is null.
    fn compact_length(&mut self, field: &'static str) -> Result<Option<usize>, DecodeError> {
        Ok(self.uvarint(field)?.checked_sub(1).map(|len| len as usize))
    }

    fn plain_length(&self, field: &'static str, length: i32) -> Result<Option<usize>, DecodeError> {
        match usize::try_from(length) {
            Ok(len) => Ok(Some(len)),
            Err(_) if length == -1 => Ok(None),
            Err(_) => Err(self.error(DecodeErrorKind::NegativeLength, field)),
        }
    }

    /// Reads the length of bytes or the count of an array.
    fn length(&mut self, field: &'static str, flexible: bool) -> Result<Option<usize>, DecodeError> {
        if flexible {
            return self.compact_length(field);
        }
        let length = self.i32(field)?;
        self.plain_length(field, length)
    }

    /// Reads text.
    pub fn string(&mut self, field: &'static str, flexible: bool) -> Result<Str, DecodeError> {
        match self.string_nullable(field, flexible)? {
            Some(text) => Ok(text),
            None => Err(self.error(DecodeErrorKind::Null, field)),
        }
    }

    /// Reads text that may be null.
    pub fn string_nullable(
        &mut self,
        field: &'static str,
        flexible: bool,
    ) -> Result<Option<Str>, DecodeError> {
        let length = if flexible {
            self.compact_length(field)?
        } else {
            let length = i32::from(self.i16(field)?);
            self.plain_length(field, length)?
        };
        let Some(len) = length else { return Ok(None) };
        if len > MAX_STRING_BYTES {
            return Err(self.error(DecodeErrorKind::StringTooLong, field));
        }
        let bytes = self.slice(field, len)?;
        match Str::try_from(bytes) {
            Ok(text) => Ok(Some(text)),
            Err(_) => Err(self.error(DecodeErrorKind::NotUtf8, field)),
        }
    }

    /// Reads bytes, as a slice of the input.
    pub fn bytes(&mut self, field: &'static str, flexible: bool) -> Result<Bytes, DecodeError> {
        match self.bytes_nullable(field, flexible)? {
            Some(bytes) => Ok(bytes),
            None => Err(self.error(DecodeErrorKind::Null, field)),
        }
    }

    /// Reads bytes that may be null, as a slice of the input.
    pub fn bytes_nullable(
        &mut self,
        field: &'static str,
        flexible: bool,
    ) -> Result<Option<Bytes>, DecodeError> {
        match self.length(field, flexible)? {
            Some(len) => self.slice(field, len).map(Some),
            None => Ok(None),
        }
    }

    /// Reads record batches, as a slice of the input.
    pub fn records(
        &mut self,
        field: &'static str,
        flexible: bool,
        nullable: bool,
    ) -> Result<Records, DecodeError> {
        match self.bytes_nullable(field, flexible)? {
            Some(bytes) => Ok(Records::Bytes(bytes)),
            None if nullable => Ok(Records::Null),
            None => Err(self.error(DecodeErrorKind::Null, field)),
        }
    }

    /// Reads the byte before a struct that may be null: negative for null, as in Kafka.
    pub fn is_present(&mut self, field: &'static str) -> Result<bool, DecodeError> {
        Ok(self.i8(field)? >= 0)
    }

    /// Reads the marker before a tagged struct that may be null: zero for null.
    pub fn is_present_tagged(&mut self, field: &'static str) -> Result<bool, DecodeError> {
        Ok(self.uvarint(field)? != 0)
    }

    /// Reads an array whose elements take at least `min_bytes` each.
    pub fn array<T>(
        &mut self,
        field: &'static str,
        flexible: bool,
        min_bytes: usize,
        read: impl FnMut(&mut Reader) -> Result<T, DecodeError>,
    ) -> Result<Vec<T>, DecodeError> {
        match self.length(field, flexible)? {
            Some(count) => self.elements(field, count, min_bytes, read),
            None => Err(self.error(DecodeErrorKind::Null, field)),
        }
    }

    /// Reads an array that may be null and whose elements take at least `min_bytes` each.
    pub fn array_nullable<T>(
        &mut self,
        field: &'static str,
        flexible: bool,
        min_bytes: usize,
        read: impl FnMut(&mut Reader) -> Result<T, DecodeError>,
    ) -> Result<Option<Vec<T>>, DecodeError> {
        match self.length(field, flexible)? {
            Some(count) => self.elements(field, count, min_bytes, read).map(Some),
            None => Ok(None),
        }
    }

    fn elements<T>(
        &mut self,
        field: &'static str,
        count: usize,
        min_bytes: usize,
        mut read: impl FnMut(&mut Reader) -> Result<T, DecodeError>,
    ) -> Result<Vec<T>, DecodeError> {
        self.charge(field, count, min_bytes, size_of::<T>())?;
        let mut elements = Vec::with_capacity(count);
        for _ in 0..count {
            elements.push(read(self)?);
        }
        Ok(elements)
    }

    /// Takes the memory of `count` elements from the limit, if the remaining bytes can hold them at all.
    fn charge(
        &mut self,
        field: &'static str,
        count: usize,
        min_bytes: usize,
        size: usize,
    ) -> Result<(), DecodeError> {
        if count > self.remaining() / min_bytes.max(1) {
            return Err(self.error(DecodeErrorKind::Truncated, field));
        }
        if count == 0 {
            return Ok(());
        }
        let bytes = count.checked_mul(size).and_then(|bytes| bytes.checked_add(ALLOCATION_OVERHEAD_BYTES));
        match bytes.and_then(|bytes| self.memory.checked_sub(bytes)) {
            Some(left) => {
                self.memory = left;
                Ok(())
            }
            None => Err(self.error(DecodeErrorKind::TooMuchMemory, field)),
        }
    }

    /// Starts the tagged fields of the struct `name`.
    pub(crate) fn tags(&mut self, name: &'static str) -> Result<Tags, DecodeError> {
        let left = self.uvarint(name)?;
        // A tagged field takes two bytes at least.
        if left as usize > self.remaining() / 2 {
            return Err(self.error(DecodeErrorKind::Truncated, name));
        }
        if left > MAX_TAGS {
            return Err(self.error(DecodeErrorKind::TooManyTags, name));
        }
        Ok(Tags { name, left, last: None, tag_end: self.position, outer_end: self.end })
    }

    /// Ends the current tagged field, starts the next one and returns its tag. Until the next call the input
    /// ends with that field.
    pub(crate) fn next_tag(&mut self, tags: &mut Tags) -> Result<Option<u32>, DecodeError> {
        if self.position != tags.tag_end {
            return Err(self.error(DecodeErrorKind::TagSize, tags.name));
        }
        self.end = tags.outer_end;
        if tags.left == 0 {
            return Ok(None);
        }
        tags.left -= 1;
        let tag = self.uvarint(tags.name)?;
        if tags.last.is_some_and(|last| tag <= last) {
            return Err(self.error(DecodeErrorKind::TagOrder, tags.name));
        }
        tags.last = Some(tag);
        let size = self.uvarint(tags.name)? as usize;
        if size > self.remaining() {
            return Err(self.error(DecodeErrorKind::Truncated, tags.name));
        }
        tags.tag_end = self.position + size;
        self.end = tags.tag_end;
        Ok(Some(tag))
    }

    /// Skips the tagged field that [`Self::next_tag`] has started.
    pub(crate) fn skip_tag(&mut self, tags: &Tags) {
        self.position = tags.tag_end;
    }

    /// Skips all tagged fields of the struct `name`, which knows none.
    pub(crate) fn skip_tags(&mut self, name: &'static str) -> Result<(), DecodeError> {
        let mut tags = self.tags(name)?;
        while self.next_tag(&mut tags)?.is_some() {
            self.skip_tag(&tags);
        }
        Ok(())
    }
}
