//! The age of a closed segment, for retention by time.

use record::NO_TIMESTAMP;

use super::{ClosedSegment, MaxTimestamp};
use crate::fs::{self, File};
use crate::names::SegmentFile;
use crate::scan::{Headers, ScanError};

impl ClosedSegment {
    /// The time that retention compares: the greatest timestamp or, if no batch has one, the time of the last
    /// write.
    ///
    /// A time index has no checksum, and it alone does not decide what is deleted or kept: the batches confirm it, or
    /// all of them are read. This happens once.
    pub(crate) fn retention_timestamp(&self) -> fs::Result<i64> {
        if let Some(known) = self.retention_timestamp.get() {
            return Ok(*known);
        }
        let file = self.segment.file(SegmentFile::Log)?;
        let timestamp = match self.confirmed_max_timestamp(&file) {
            Ok(NO_TIMESTAMP) => file.modified_ms()?,
            Ok(timestamp) => timestamp,
            Err(ScanError::Fs(error)) => return Err(error),
            Err(ScanError::Damaged(damage)) => {
                tracing::warn!("retention also uses the time of the last write: {damage}");
                self.max_timestamp()?.timestamp.max(file.modified_ms()?)
            }
        };
        Ok(*self.retention_timestamp.get_or_init(|| timestamp))
    }

    /// The greatest timestamp; -1 if no batch has one.
    fn confirmed_max_timestamp(&self, file: &File) -> Result<i64, ScanError> {
        let max = self.max_timestamp()?;
        if self.is_confirmed(file, max)? {
            return Ok(max.timestamp);
        }
        tracing::warn!(path = %file.path().display(), "its time index is damaged");
        greatest(Headers::new(file, 0, self.size))
    }

    /// Whether the batch that should have the greatest timestamp has it, and no batch after the last entry of the
    /// offset index has a greater one, as when the time index has lost its end.
    fn is_confirmed(&self, file: &File, max: MaxTimestamp) -> Result<bool, ScanError> {
        let end_position = self.floor_position(self.base_offset() + i64::from(u32::MAX))?;
        if greatest(Headers::new(file, end_position, self.size))? > max.timestamp {
            return Ok(false);
        }
        if max.timestamp == NO_TIMESTAMP {
            return Ok(true);
        }
        let position = self.floor_position(max.offset)?;
        let found = Headers::new(file, position, self.size).find(max.offset)?;
        Ok(found.is_some_and(|(_, header)| {
            header.base_offset <= max.offset && header.max_timestamp == max.timestamp
        }))
    }
}

fn greatest(mut headers: Headers<'_>) -> Result<i64, ScanError> {
    let mut greatest = NO_TIMESTAMP;
    while let Some((_, header)) = headers.next()? {
        greatest = greatest.max(header.max_timestamp);
    }
    Ok(greatest)
}
