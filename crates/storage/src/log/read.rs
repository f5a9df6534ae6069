//! Reading.

use std::fmt;
use std::sync::Arc;

use record::BatchHeader;

use super::Log;
use crate::fs::{self, File};
use crate::names::SegmentFile;
use crate::scan::{Damage, Headers, ScanError};
use crate::segment::{ClosedList, ClosedSegment, Segment, aborted_transactions};
use crate::txn_index::AbortedTxn;

/// Bytes of a log file to be read or sent without the log's lock.
///
/// Truncating the log, which only a follower does, may shorten the file of a slice that is still held: reading the
/// slice then meets the end of the file. Deleting a segment does no such thing.
#[derive(Clone, Debug)]
pub struct Slice {
    /// The log file, open.
    pub file: File,
    /// The position of the bytes in the file: that of a batch.
    pub position: u64,
    /// The number of bytes. The last batch may be truncated.
    pub len: usize,
    /// The base offset of the first batch: the one with the requested offset or, in a gap, the next.
    pub base_offset: i64,
    /// Whether not even the first batch is whole.
    pub first_batch_incomplete: bool,
}

impl Slice {
    /// Reads the bytes.
    ///
    /// # Errors
    /// The file system's error; `UnexpectedEof` if the log was truncated meanwhile.
    pub fn read(&self) -> fs::Result<Vec<u8>> {
        let mut bytes = vec![0; self.len];
        self.file.read_exact_at(&mut bytes, self.position)?;
        Ok(bytes)
    }
}

/// Why a log cannot be read at an offset.
#[derive(Debug)]
pub enum ReadError {
    /// `OFFSET_OUT_OF_RANGE`.
    OutOfRange {
        /// The offset that was asked for.
        offset: i64,
        /// The first offset that can be read.
        log_start_offset: i64,
        /// The offset after the last that can be read.
        end_offset: i64,
    },
    /// The segment was deleted after the offset was located: locate it again.
    Gone,
    /// `KAFKA_STORAGE_ERROR`: the log is damaged.
    Damaged(Damage),
    /// `KAFKA_STORAGE_ERROR`: the file system failed.
    Fs(fs::Error),
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReadError::OutOfRange { offset, log_start_offset, end_offset } => {
                write!(f, "offset {offset} is not in the log, which has {log_start_offset} to {end_offset}")
            }
            ReadError::Gone => f.write_str("the segment has been deleted"),
            ReadError::Damaged(damage) => damage.fmt(f),
            ReadError::Fs(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ReadError {}

impl From<fs::Error> for ReadError {
    fn from(error: fs::Error) -> Self {
        if error.is_not_found() { ReadError::Gone } else { ReadError::Fs(error) }
    }
}

impl From<ScanError> for ReadError {
    fn from(error: ScanError) -> Self {
        match error {
            ScanError::Fs(error) => error.into(),
            ScanError::Damaged(damage) => ReadError::Damaged(damage),
        }
    }
}

/// An offset to read from, with the log as it was when the offset was located. Reading may wait for the disk and needs
/// no lock.
#[derive(Debug)]
pub struct LocatedOffset {
    offset: i64,
    limit_offset: i64,
    closed: ClosedList,
    /// The segment to start with; the active one comes after the closed ones.
    first: usize,
    active: ActivePart,
}

/// The facts of the active segment that reading needs.
#[derive(Debug)]
struct ActivePart {
    segment: Arc<Segment>,
    /// The place to start looking for the offset.
    from: Place,
    /// The end of the readable part.
    to: Place,
}

/// A position in a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Exactly this position.
    At(u32),
    /// The batch with the offset, or the next one: at the first position or later, but before the second.
    Search(u32, u32),
}

impl Log {
    /// The bytes to read at `offset`, as Kafka counts them: from the batch with the offset to `max_bytes`
    /// further, the last batch possibly truncated, and nothing at or above `limit_offset`, which is a high
    /// watermark, a last stable offset or `i64::MAX`. With `min_one_batch` at least the first batch is whole,
    /// whatever its size. Bytes are of one segment. `None` if there is nothing yet.
    ///
    /// Takes no longer in a large log than in a small one. May wait for the disk if the place is not in the
    /// page cache; see [`Log::locate`].
    ///
    /// # Errors
    /// [`ReadError`] if the offset is not in the log, or the file system fails.
    pub fn read(
        &self,
        offset: i64,
        max_bytes: usize,
        min_one_batch: bool,
        limit_offset: i64,
    ) -> Result<Option<Slice>, ReadError> {
        self.locate(offset, limit_offset)?.slice(max_bytes, min_one_batch)
    }

    /// The first half of [`Log::read`], which needs the lock; [`LocatedOffset::slice`] is the other.
    ///
    /// # Errors
    /// [`ReadError`] if the offset is not in the log, or the file system fails.
    pub fn locate(&self, offset: i64, limit_offset: i64) -> Result<LocatedOffset, ReadError> {
        if offset < self.log_start_offset() || offset > self.end_offset() {
            return Err(ReadError::OutOfRange {
                offset,
                log_start_offset: self.log_start_offset(),
                end_offset: self.end_offset(),
            });
        }
        let limit_offset = limit_offset.min(self.end_offset());
        let after = self.closed.partition_point(|closed| closed.base_offset() <= offset);
        let in_active = offset >= self.active.base_offset();
        Ok(LocatedOffset {
            offset,
            limit_offset,
            closed: self.closed.clone(),
            first: if in_active { self.closed.len() } else { after.saturating_sub(1) },
            active: ActivePart {
                segment: self.active.segment.clone(),
                from: self.place_in_active(offset)?,
                to: self.place_in_active(limit_offset)?,
            },
        })
    }

    /// Locates an offset as [`Log::locate`] does, if memory alone knows the place, which is that of one of
    /// the last batches. `None` for any other, and if there is nothing yet.
    ///
    /// # Errors
    /// [`ReadError`] if the offset is not in the log, or the file system fails.
    pub fn locate_recent(&self, offset: i64, limit_offset: i64) -> Result<Option<LocatedOffset>, ReadError> {
        let limit_offset = limit_offset.min(self.end_offset());
        let is_known = |offset| offset == self.end_offset() || self.active.recent_position(offset).is_some();
        let in_log = (self.log_start_offset()..=self.end_offset()).contains(&offset);
        if in_log && (offset >= limit_offset || !is_known(offset) || !is_known(limit_offset)) {
            return Ok(None);
        }
        self.locate(offset, limit_offset).map(Some)
    }

    /// The place of `offset` in the active segment, known from memory. An exact place is the end, or that of a batch
    /// that starts with the offset.
    fn place_in_active(&self, offset: i64) -> fs::Result<Place> {
        if offset >= self.end_offset() {
            return Ok(Place::At(self.active.size));
        }
        match self.active.recent_position(offset) {
            Some(position) => Ok(Place::At(position)),
            None => Ok(Place::Search(self.active.floor_position(offset)?, self.active.size)),
        }
    }

    /// The aborted transactions that a `read_committed` consumer needs to read the offsets from `from` up to,
    /// not including, `to`.
    ///
    /// # Errors
    /// [`ReadError`] if an index cannot be read.
    pub fn aborted_transactions(&self, from: i64, to: i64) -> Result<Vec<AbortedTxn>, ReadError> {
        let first = self.closed.partition_point(|closed| closed.base_offset() <= from).saturating_sub(1);
        Ok(aborted_transactions(&self.closed[first..], &self.active.segment, from, to)?)
    }
}

impl LocatedOffset {
    /// The second half of [`Log::read`].
    ///
    /// # Errors
    /// [`ReadError`] if the segment cannot be read.
    pub fn slice(&self, max_bytes: usize, min_one_batch: bool) -> Result<Option<Slice>, ReadError> {
        if self.offset >= self.limit_offset {
            return Ok(None);
        }
        for closed in self.closed.get(self.first..).unwrap_or_default() {
            if closed.base_offset() >= self.limit_offset {
                return Ok(None);
            }
            let from = Place::Search(closed.floor_position(self.offset)?, closed.size);
            let to = self.limit_in(closed)?;
            // A segment may end with offsets that no longer have a batch.
            if let Some(slice) = self.slice_of(&closed.segment, from, to, max_bytes, min_one_batch)? {
                return Ok(Some(slice));
            }
        }
        let ActivePart { segment, from, to } = &self.active;
        if segment.base_offset >= self.limit_offset {
            return Ok(None);
        }
        self.slice_of(segment, *from, *to, max_bytes, min_one_batch)
    }

    /// The aborted transactions that a `read_committed` consumer needs to read from the offset up to the
    /// limit.
    ///
    /// # Errors
    /// [`ReadError`] if an index cannot be read.
    pub fn aborted_transactions(&self) -> Result<Vec<AbortedTxn>, ReadError> {
        let closed = self.closed.get(self.first..).unwrap_or_default();
        Ok(aborted_transactions(closed, &self.active.segment, self.offset, self.limit_offset)?)
    }

    /// The end of the readable part in a closed segment.
    fn limit_in(&self, closed: &Arc<ClosedSegment>) -> fs::Result<Place> {
        let next = self.closed.partition_point(|other| other.base_offset() <= closed.base_offset());
        let next_offset =
            self.closed.get(next).map_or(self.active.segment.base_offset, |next| next.base_offset());
        if self.limit_offset >= next_offset {
            return Ok(Place::At(closed.size));
        }
        Ok(Place::Search(closed.floor_position(self.limit_offset)?, closed.size))
    }

    fn slice_of(
        &self,
        segment: &Arc<Segment>,
        from: Place,
        to: Place,
        max_bytes: usize,
        min_one_batch: bool,
    ) -> Result<Option<Slice>, ReadError> {
        let file = segment.file(SegmentFile::Log)?;
        let (position, header) = match from {
            Place::At(position) => (position, None),
            Place::Search(floor, end) => match Headers::new(&file, floor, end).find(self.offset)? {
                Some((position, header)) => (position, Some(header)),
                None => return Ok(None),
            },
        };
        let end = match to {
            Place::At(end) => end,
            Place::Search(floor, end) => {
                let found = Headers::new(&file, floor, end).find(self.limit_offset)?;
                found.map_or(end, |(position, _)| position)
            }
        };
        if position >= end {
            return Ok(None);
        }
        let available = (end - position) as usize;
        let mut first_batch_incomplete = false;
        let mut len = available.min(max_bytes);
        // A place without a header comes from memory, and is that of a batch that begins with the offset.
        let base_offset = header.map_or(self.offset, |header| header.base_offset);
        if len < available {
            let header = match header {
                Some(header) => header,
                None => first_header(&file, position, end)?,
            };
            if min_one_batch {
                len = len.max(header.size_bytes()).min(available);
            }
            first_batch_incomplete = len < header.size_bytes();
        }
        Ok(Some(Slice { file, position: u64::from(position), len, base_offset, first_batch_incomplete }))
    }
}

fn first_header(file: &File, position: u32, end: u32) -> Result<BatchHeader, ScanError> {
    let header = Headers::new(file, position, end).next()?;
    Ok(header.expect("there is a batch").1)
}
