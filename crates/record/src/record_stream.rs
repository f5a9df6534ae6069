//! The records of a stored batch, decompressed one at a time.

use std::fmt;

use crate::compression::{DecompressError, Progress, Stream};
use crate::header::BatchHeader;
use crate::records::{Bases, Record, RecordFault, Records, RecordsError, record_at, record_extent};

/// The most bytes to which the records of a compressed batch may decompress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecompressLimits {
    /// All of them together, in bytes.
    pub batch_bytes: usize,
    /// Each of them (`max.decompressed.message.bytes`).
    pub record_bytes: usize,
}

/// The reason why the records of a stored batch cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamError {
    /// They cannot be decompressed, or not within the limits.
    Decompress(DecompressError),
    /// The decompressed bytes are not records.
    Records(RecordsError),
}

impl fmt::Display for StreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StreamError::Decompress(error) => error.fmt(f),
            StreamError::Records(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for StreamError {}

impl From<DecompressError> for StreamError {
    fn from(error: DecompressError) -> StreamError {
        StreamError::Decompress(error)
    }
}

impl From<RecordsError> for StreamError {
    fn from(error: RecordsError) -> StreamError {
        StreamError::Records(error)
    }
}

/// The records of a batch, one at a time in memory. It checks the same as [`Records`].
pub struct RecordStream<'s>(Source<'s>);

enum Source<'s> {
    /// Records that are in memory anyway.
    Whole(Records<'s>),
    Compressed(CompressedSource<'s>),
}

struct CompressedSource<'s> {
    bases: Bases,
    records_count: i32,
    stream: Stream<'s>,
    record_bytes_max: usize,
    /// Whether the stream has ended.
    ended: bool,
    index: u32,
    /// Bytes of the record that was returned last.
    given_bytes: usize,
}

impl<'s> RecordStream<'s> {
    pub(crate) fn whole(records: Records<'s>) -> RecordStream<'s> {
        RecordStream(Source::Whole(records))
    }

    pub(crate) fn compressed(
        header: &BatchHeader,
        stream: Stream<'s>,
        limits: DecompressLimits,
    ) -> RecordStream<'s> {
        RecordStream(Source::Compressed(CompressedSource {
            bases: Bases::of(header),
            records_count: header.records_count,
            stream,
            record_bytes_max: limits.record_bytes,
            ended: false,
            index: 0,
            given_bytes: 0,
        }))
    }

    /// The next record, or `None` if there are no more.
    ///
    /// # Errors
    /// [`StreamError`] if it cannot be read; the stream ends there.
    #[expect(clippy::should_implement_trait, reason = "an iterator could not lend what it gives")]
    pub fn next(&mut self) -> Result<Option<Record<'_>>, StreamError> {
        match &mut self.0 {
            Source::Whole(records) => Ok(records.next().transpose()?),
            Source::Compressed(compressed) => compressed.next(),
        }
    }
}

impl CompressedSource<'_> {
    fn next(&mut self) -> Result<Option<Record<'_>>, StreamError> {
        self.stream.window.consume(std::mem::take(&mut self.given_bytes));
        let count = self.records_count;
        if count < 0 {
            return Err(RecordsError::Count(count).into());
        }
        if i64::from(self.index) == i64::from(count) {
            self.drain()?;
            return Ok(None);
        }
        while !self.is_whole()? {
            if self.ended {
                return Err(self.fault(RecordFault::Truncated));
            }
            self.fill()?;
        }
        let index = self.index;
        self.index += 1;
        let unread = self.stream.window.unread();
        let raw = record_at(unread, 0).map_err(|fault| RecordsError::Record { index, fault })?;
        self.given_bytes = raw.end;
        Ok(Some(raw.resolve(self.bases)))
    }

    fn fill(&mut self) -> Result<(), StreamError> {
        self.ended = self.stream.fill()? == Progress::Ended;
        Ok(())
    }

    /// Checks that nothing follows the last record.
    fn drain(&mut self) -> Result<(), StreamError> {
        while !self.ended && self.stream.window.unread().is_empty() {
            self.fill()?;
        }
        if self.stream.window.unread().is_empty() {
            return Ok(());
        }
        Err(RecordsError::TrailingBytes.into())
    }

    /// Whether the next record is all there. Does not wait for one that is beyond the limits.
    fn is_whole(&self) -> Result<bool, StreamError> {
        let unread = self.stream.window.unread();
        let (body_at, end) = match record_extent(unread, 0) {
            Ok(extent) => extent,
            Err(RecordFault::Truncated) => return Ok(false),
            Err(fault) => return Err(self.fault(fault)),
        };
        let (size_bytes, max_bytes) = (end - body_at, self.record_bytes_max);
        if size_bytes > max_bytes {
            return Err(DecompressError::RecordTooLarge { size_bytes, max_bytes }.into());
        }
        self.stream.check_left(end.saturating_sub(unread.len()))?;
        Ok(end <= unread.len())
    }

    fn fault(&self, fault: RecordFault) -> StreamError {
        RecordsError::Record { index: self.index, fault }.into()
    }
}

#[cfg(test)]
mod tests;
