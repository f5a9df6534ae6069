//! A batch as a view over its bytes.

use crate::batch_error::BatchError;
use crate::compression::{Compression, DecompressError, Scratch};
use crate::crc::crc32c;
use crate::header::{BATCH_OVERHEAD, BatchHeader, CRC_COVERS_FROM};
use crate::legacy;
use crate::record_stream::{DecompressLimits, RecordStream};
use crate::records::Records;

/// One whole batch: its header, parsed, and its bytes.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    header: BatchHeader,
    /// Exactly `header.size_bytes()` of them.
    bytes: &'a [u8],
}

impl<'a> Batch<'a> {
    /// Parses the batch at the front of `bytes`; bytes after it are ignored. The checksum is not verified.
    ///
    /// # Errors
    /// See [`BatchHeader::parse`]; [`BatchError::Truncated`] also if the records are not all there.
    pub fn parse(bytes: &'a [u8]) -> Result<Batch<'a>, BatchError> {
        Batch::of(BatchHeader::parse(bytes)?, bytes)
    }

    /// Parses the same from a log, which may also hold messages of magic 0 and 1; each counts as a batch.
    ///
    /// # Errors
    /// See [`BatchHeader::parse_stored`]; [`BatchError::Truncated`] also if the batch is not all there.
    pub fn parse_stored(bytes: &'a [u8]) -> Result<Batch<'a>, BatchError> {
        Batch::of(BatchHeader::parse_stored(bytes)?, bytes)
    }

    fn of(header: BatchHeader, bytes: &'a [u8]) -> Result<Batch<'a>, BatchError> {
        let Some(batch) = bytes.get(..header.size_bytes()) else {
            return Err(BatchError::Truncated { have_bytes: bytes.len(), need_bytes: header.size_bytes() });
        };
        Ok(Batch { header, bytes: batch })
    }

    /// The header.
    pub fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// The whole batch.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The bytes after the header of magic 2: the records, compressed if the attributes say so.
    ///
    /// # Panics
    /// If the magic is not 2.
    pub fn body(&self) -> &'a [u8] {
        assert_eq!(self.header.magic, 2, "a message has no body");
        &self.bytes[BATCH_OVERHEAD..]
    }

    /// Compares the checksum in the header with that of the bytes.
    ///
    /// # Errors
    /// [`BatchError::Crc`] if they differ.
    pub fn verify_crc(&self) -> Result<(), BatchError> {
        let computed = match self.header.magic {
            2 => crc32c(&self.bytes[CRC_COVERS_FROM..]),
            _ => legacy::checksum(self.bytes),
        };
        if computed == self.header.crc {
            Ok(())
        } else {
            Err(BatchError::Crc { stored: self.header.crc, computed })
        }
    }

    /// The records of an uncompressed batch. For a compressed one the result is noise: see
    /// [`Batch::records_decompressed`].
    pub fn records(&self) -> Records<'a> {
        if self.header.magic != 2 {
            return Records::of_messages(legacy::Messages::single(&self.header, self.bytes));
        }
        Records::new(&self.header, self.body())
    }

    /// The records of a batch, whatever its codec, which may decompress to `max_bytes`. They stay in
    /// `scratch` until it is used again.
    ///
    /// # Errors
    /// [`DecompressError`] if they cannot be decompressed, or not within `max_bytes`.
    pub fn records_decompressed<'s>(
        &self,
        scratch: &'s mut Scratch,
        max_bytes: usize,
    ) -> Result<Records<'s>, DecompressError>
    where
        'a: 's,
    {
        if self.header.magic != 2 {
            return legacy::records(&self.header, self.bytes, scratch, max_bytes);
        }
        let body = match self.header.attributes.compression().map_err(DecompressError::UnknownCodec)? {
            Compression::None => self.body(),
            codec => scratch.decompress(codec, self.body(), max_bytes)?,
        };
        Ok(Records::new(&self.header, body))
    }

    /// The same records one at a time: only the longest of them and one step of the codec are in memory.
    /// Those of messages of magic 0 and 1 are decompressed at once.
    ///
    /// # Errors
    /// [`DecompressError`] if the codec is unknown, or if messages of magic 0 or 1 cannot be decompressed within the
    /// limits.
    pub fn record_stream<'s>(
        &self,
        scratch: &'s mut Scratch,
        limits: DecompressLimits,
    ) -> Result<RecordStream<'s>, DecompressError>
    where
        'a: 's,
    {
        if self.header.magic != 2 {
            let records = legacy::records(&self.header, self.bytes, scratch, limits.batch_bytes)?;
            return Ok(RecordStream::whole(records));
        }
        Ok(match self.header.attributes.compression().map_err(DecompressError::UnknownCodec)? {
            Compression::None => RecordStream::whole(Records::new(&self.header, self.body())),
            codec => {
                let stream = scratch.open(codec, self.body(), limits.batch_bytes);
                RecordStream::compressed(&self.header, stream, limits)
            }
        })
    }
}

/// The consecutive batches in `bytes`, as in a segment or a fetch response.
///
/// The iterator ends at the end of the bytes, or after the first error. A truncated last batch, which a fetch
/// response may hold, is [`BatchError::Truncated`].
pub fn batches(bytes: &[u8]) -> Batches<'_> {
    Batches { bytes, position: 0, ended: false, parse: Batch::parse }
}

/// The same for the bytes of a log, which may hold messages of magic 0 and 1.
pub fn stored_batches(bytes: &[u8]) -> Batches<'_> {
    Batches { bytes, position: 0, ended: false, parse: Batch::parse_stored }
}

/// Iterator over consecutive batches; see [`batches`] and [`stored_batches`].
#[derive(Clone, Debug)]
pub struct Batches<'a> {
    bytes: &'a [u8],
    position: usize,
    ended: bool,
    parse: fn(&'a [u8]) -> Result<Batch<'a>, BatchError>,
}

impl Batches<'_> {
    /// The position of the next batch: the bytes of the whole batches seen so far.
    pub fn position(&self) -> usize {
        self.position
    }
}

impl<'a> Iterator for Batches<'a> {
    type Item = Result<Batch<'a>, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = &self.bytes[self.position..];
        if self.ended || rest.is_empty() {
            return None;
        }
        let batch = (self.parse)(rest);
        match &batch {
            Ok(batch) => self.position += batch.bytes.len(),
            Err(_) => self.ended = true,
        }
        Some(batch)
    }
}
