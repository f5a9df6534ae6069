//! Walking the batches of a log file by their headers.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;

use record::{Batch, BatchError, BatchHeader};

use crate::fs::{self, File};
use crate::traps::{self, Trap};

/// Bytes of one read if batches are small: many headers.
const PAGE_BYTES: usize = 4096;

/// Bytes of one read if batches are larger than that: one header.
const HEADER_BYTES: usize = 128;

/// A damaged place in a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The file.
    pub path: PathBuf,
    /// The position in it, in bytes.
    pub position: u64,
    /// The fault there.
    pub reason: DamageReason,
}

/// The fault at a place in a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DamageReason {
    /// There is no batch.
    Batch(BatchError),
    /// The offsets of a batch are not above those before it, or below those of its segment.
    Offset {
        /// The batch's base offset.
        found: i64,
        /// The least that it could be.
        expected: i64,
    },
    /// The log ends here although bytes after this were durable.
    Missing {
        /// The offset up to which the log was durable.
        durable_offset: i64,
    },
    /// The log ends here, below its start.
    EndsBelowStart {
        /// The log start offset in the checkpoint.
        log_start_offset: i64,
        /// The offset at which the log ends.
        end_offset: i64,
    },
    /// A segment is longer than a segment can be.
    TooLong,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is damaged at byte {}: ", self.path.display(), self.position)?;
        match &self.reason {
            DamageReason::Batch(error) => error.fmt(f),
            DamageReason::Offset { found, expected } => {
                write!(f, "a batch has the offset {found}, but at least {expected} was expected")
            }
            DamageReason::Missing { durable_offset } => {
                write!(f, "the log ends early: it was durable up to offset {durable_offset}")
            }
            DamageReason::EndsBelowStart { log_start_offset, end_offset } => write!(
                f,
                "the log ends at offset {end_offset}, but starts at {log_start_offset} according to \
                 log-start-offset-checkpoint"
            ),
            DamageReason::TooLong => f.write_str("no segment is longer"),
        }
    }
}

/// Why a walk ended before the end.
#[derive(Debug)]
pub(crate) enum ScanError {
    Fs(fs::Error),
    Damaged(Damage),
}

impl From<fs::Error> for ScanError {
    fn from(error: fs::Error) -> Self {
        ScanError::Fs(error)
    }
}

/// The headers of the batches of a file, in order. Nothing else is checked.
pub(crate) struct Headers<'a> {
    file: &'a File,
    /// The position of the next batch.
    position: u32,
    /// The end of the last one.
    end: u32,
    page: [u8; PAGE_BYTES],
    page_position: u32,
    page_bytes: usize,
    /// Whether the last batch left nothing of a page for the next.
    is_sparse: bool,
}

impl<'a> Headers<'a> {
    /// The batches from `position`, at which one begins, to `end`, at which one ends.
    pub(crate) fn new(file: &'a File, position: u32, end: u32) -> Headers<'a> {
        let page = [0; PAGE_BYTES];
        Headers { file, position, end, page, page_position: 0, page_bytes: 0, is_sparse: false }
    }

    /// The next batch: its position and its header.
    pub(crate) fn next(&mut self) -> Result<Option<(u32, BatchHeader)>, ScanError> {
        if self.position >= self.end {
            return Ok(None);
        }
        let left = (self.end - self.position) as usize;
        let in_page = self.position.wrapping_sub(self.page_position) as usize;
        let has_header = in_page + record::BATCH_OVERHEAD <= self.page_bytes;
        let start = if self.page_bytes > 0 && self.position >= self.page_position && has_header {
            in_page
        } else {
            let len = if self.is_sparse { HEADER_BYTES } else { PAGE_BYTES }.min(left);
            self.page_bytes = self.file.read_at(&mut self.page[..len], u64::from(self.position))?;
            self.page_position = self.position;
            0
        };
        let parsed = BatchHeader::parse_stored(&self.page[start..self.page_bytes]).and_then(|header| {
            let need_bytes = header.size_bytes();
            if need_bytes > left {
                return Err(BatchError::Truncated { have_bytes: left, need_bytes });
            }
            Ok(header)
        });
        let header = parsed.map_err(|error| ScanError::Damaged(self.damage(DamageReason::Batch(error))))?;
        let position = self.position;
        self.position += header.size_bytes() as u32;
        self.is_sparse = header.size_bytes() >= PAGE_BYTES;
        Ok(Some((position, header)))
    }

    /// The first batch with `offset` or a greater one. If none has it, the one before is verified: if it is
    /// damaged, its header may have too low an end.
    pub(crate) fn find(&mut self, offset: i64) -> Result<Option<(u32, BatchHeader)>, ScanError> {
        let mut before = None;
        let found = loop {
            match self.next()? {
                Some((position, header)) if header.last_offset() < offset => {
                    before = Some((position, header));
                }
                found => break found,
            }
        };
        let is_held = found.is_some_and(|(_, header)| header.base_offset <= offset);
        if let (false, Some((position, header))) = (is_held, before) {
            let mut bytes = Vec::new();
            let batch = read_batch(self.file, position, &header, &mut bytes)?;
            batch.verify_crc().map_err(|error| damaged_batch(self.file, position, error))?;
        }
        Ok(found)
    }

    /// Damage at the position of the next batch.
    fn damage(&self, reason: DamageReason) -> Damage {
        Damage { path: self.file.path().to_owned(), position: u64::from(self.position), reason }
    }
}

/// The position to start looking for `offset` from: `position`, from an offset index, if the log has a batch
/// there that is not above it, and otherwise the start. An index has no checksum; a damaged one would lead a
/// reader past batches unnoticed.
pub(crate) fn checked_floor(file: &File, position: u32, end: u32, offset: i64) -> fs::Result<u32> {
    if position == 0 || position >= end {
        return Ok(0);
    }
    match Headers::new(file, position, end).next() {
        Ok(Some((_, header))) if header.base_offset <= offset => Ok(position),
        Ok(_) | Err(ScanError::Damaged(_)) => {
            tracing::warn!(path = %file.path().display(), "its offset index is damaged");
            Ok(0)
        }
        Err(ScanError::Fs(error)) => Err(error),
    }
}

/// Reads the batch at `position`, whose header a walk gave.
pub(crate) fn read_batch<'a>(
    file: &File,
    position: u32,
    header: &BatchHeader,
    bytes: &'a mut Vec<u8>,
) -> Result<Batch<'a>, ScanError> {
    bytes.resize(header.size_bytes(), 0);
    file.read_exact_at(bytes, u64::from(position))?;
    Batch::parse_stored(bytes).map_err(|error| damaged_batch(file, position, error))
}

fn damaged_batch(file: &File, position: u32, error: BatchError) -> ScanError {
    let (path, reason) = (file.path().to_owned(), DamageReason::Batch(error));
    ScanError::Damaged(Damage { path, position: u64::from(position), reason })
}

/// Bytes of one read if every byte is checked: they are still in the processor's cache when their checksum is
/// computed.
const BUFFER_BYTES: usize = 256 << 10;

/// Whether a file holds nothing but zeros from a position to its end, and something at all.
pub(crate) fn only_zeros_from(file: &File, mut position: u64) -> fs::Result<bool> {
    let end = file.len()?;
    if position >= end {
        return Ok(false);
    }
    let mut buffer = vec![0; BUFFER_BYTES];
    while position < end {
        let read = file.read_at(&mut buffer, position)?;
        if read == 0 || buffer[..read].iter().any(|byte| *byte != 0) {
            return Ok(false);
        }
        position += read as u64;
    }
    Ok(true)
}

/// The batches of a file whose checksums are verified, in order.
pub(crate) struct VerifiedBatches<'a> {
    file: &'a File,
    /// The position of the next batch.
    position: u32,
    /// The end of the file.
    end: u32,
    /// Bytes of the file from `buffer_position` on.
    buffer: Vec<u8>,
    buffer_position: u32,
}

impl<'a> VerifiedBatches<'a> {
    /// The batches from `position` to the end of the file, which may be torn.
    pub(crate) fn new(file: &'a File, position: u32, end: u32) -> VerifiedBatches<'a> {
        VerifiedBatches { file, position, end, buffer: Vec::new(), buffer_position: position }
    }

    /// The position of the next batch.
    pub(crate) fn position(&self) -> u32 {
        self.position
    }

    /// The next batch. Do not call it after damage.
    pub(crate) fn next(&mut self) -> Result<Option<Batch<'_>>, ScanError> {
        if self.position >= self.end {
            return Ok(None);
        }
        if let Err(error) = self.load()? {
            let reason = DamageReason::Batch(error);
            let path = self.file.path().to_owned();
            return Err(ScanError::Damaged(Damage { path, position: u64::from(self.position), reason }));
        }
        let start = (self.position - self.buffer_position) as usize;
        let batch = Batch::parse_stored(&self.buffer[start..]).expect("it has just been parsed");
        self.position += batch.bytes().len() as u32;
        Ok(Some(batch))
    }

    /// Loads the next batch into the buffer and verifies it.
    fn load(&mut self) -> fs::Result<Result<(), BatchError>> {
        loop {
            let error = match self.parse() {
                Ok(_) if traps::is_on(Trap::TornBatchServed) => return Ok(Ok(())),
                Ok(batch) => return Ok(batch.verify_crc()),
                Err(error) => error,
            };
            let BatchError::Truncated { need_bytes, .. } = error else { return Ok(Err(error)) };
            if !self.fill(need_bytes)? {
                return Ok(Err(error));
            }
        }
    }

    fn parse(&self) -> Result<Batch<'_>, BatchError> {
        let start = (self.position - self.buffer_position) as usize;
        Batch::parse_stored(self.buffer.get(start..).unwrap_or_default())
    }

    /// Reads so that the buffer has `need_bytes` from the next batch on. Returns whether it does; it does not
    /// if the file is too short.
    fn fill(&mut self, need_bytes: usize) -> fs::Result<bool> {
        let left = (self.end - self.position) as usize;
        if need_bytes > left {
            return Ok(false);
        }
        let len = need_bytes.max(BUFFER_BYTES).min(left);
        self.buffer.resize(len, 0);
        let read = self.file.read_at(&mut self.buffer, u64::from(self.position))?;
        self.buffer.truncate(read);
        self.buffer_position = self.position;
        Ok(read >= need_bytes)
    }

    /// Skips the batch of the last error, if its length is known. Returns whether it was.
    pub(crate) fn skip_damaged(&mut self) -> bool {
        let Ok(batch) = self.parse() else { return false };
        self.position += batch.bytes().len() as u32;
        true
    }
}

/// The batches of a closed segment, verified. No checksum covers their offsets, which must rise and be of the segment.
pub(crate) struct OrderedBatches<'a> {
    batches: VerifiedBatches<'a>,
    /// The lowest offset that the next batch may begin with.
    next_offset: i64,
    /// The start of the next segment.
    end_offset: i64,
}

impl<'a> OrderedBatches<'a> {
    /// The batches of a file of `size` bytes, between the first offset of its segment and that of the next.
    pub(crate) fn new(file: &'a File, size: u32, offsets: Range<i64>) -> OrderedBatches<'a> {
        let batches = VerifiedBatches::new(file, 0, size);
        OrderedBatches { batches, next_offset: offsets.start, end_offset: offsets.end }
    }

    /// The next batch. Do not call it after damage.
    pub(crate) fn next(&mut self) -> Result<Option<Batch<'_>>, ScanError> {
        let (position, path) = (self.batches.position(), self.batches.file.path());
        let Some(batch) = self.batches.next()? else { return Ok(None) };
        let (found, expected) = (batch.header().base_offset, self.next_offset);
        let is_of_segment = (expected..self.end_offset).contains(&found)
            && (0..self.end_offset - found).contains(&i64::from(batch.header().last_offset_delta));
        if !is_of_segment {
            let reason = DamageReason::Offset { found, expected };
            return Err(ScanError::Damaged(Damage { path: path.into(), position: position.into(), reason }));
        }
        self.next_offset = batch.header().next_offset();
        Ok(Some(batch))
    }
}

#[cfg(test)]
mod tests;
