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
    /// The batch at the front of `bytes`; what follows it is not looked at.
    ///
    /// # Errors
    /// As [`BatchHeader::parse`], and [`BatchError::Truncated`] if the records are not all there. The checksum is not
    /// verified.
    pub fn parse(bytes: &'a [u8]) -> Result<Batch<'a>, BatchError> {
        Batch::of(BatchHeader::parse(bytes)?, bytes)
    }

    /// The same for what a log may hold: messages of magic 0 and 1 too, each for a batch.
    ///
    /// # Errors
    /// As [`BatchHeader::parse_stored`], and [`BatchError::Truncated`] if the batch is not all there.
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

    /// What follows the header of magic 2: the records, compressed if the attributes say so.
    ///
    /// # Panics
    /// Where the magic is not 2.
    pub fn body(&self) -> &'a [u8] {
        assert_eq!(self.header.magic, 2, "a message has no body");
        &self.bytes[BATCH_OVERHEAD..]
    }

    /// Compares the checksum in the header with that of the bytes.
    ///
    /// # Errors
    /// [`BatchError::Crc`].
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

    /// The records of an uncompressed batch. Of a compressed one, this reads noise: see
    /// [`Batch::records_decompressed`].
    pub fn records(&self) -> Records<'a> {
        if self.header.magic != 2 {
            return Records::of_messages(legacy::Messages::single(&self.header, self.bytes));
        }
        Records::new(&self.header, self.body())
    }

    /// The records of a batch, whatever its codec, which may come to `max_bytes` once they are decompressed. They stay
    /// in `scratch` until it is used again.
    ///
    /// # Errors
    /// [`DecompressError`].
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

    /// The same records one at a time: what they take in memory is the longest of them and a step of the codec. Those of
    /// messages of magic 0 and 1 are decompressed at once.
    ///
    /// # Errors
    /// [`DecompressError`].
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

/// The batches that stand one after another in `bytes`, as in a segment or a fetch response.
///
/// Ends at the end of the bytes, or after the first error. A cut-off last batch, which a fetch response may hold, is
/// [`BatchError::Truncated`].
pub fn batches(bytes: &[u8]) -> Batches<'_> {
    Batches { bytes, position: 0, ended: false, parse: Batch::parse }
}

/// The same where the bytes are those of a log, which may hold messages of magic 0 and 1.
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
    /// Where the next batch begins: the bytes of the whole batches seen so far.
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
