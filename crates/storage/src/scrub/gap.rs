//! Segments that are missing.
//!
//! A segment starts at the end of the one before it. It ends earlier only if compaction has removed batches
//! from its end: in a log that was never compacted the records between are lost.

use record::BatchHeader;

use super::{Fault, FaultReason, ScrubTarget};
use crate::fs;
use crate::index_file;
use crate::names::SegmentFile;
use crate::offset_index::{self, OffsetEntry};
use crate::scan::{Headers, ScanError, checked_floor};

/// Whether a batch has fewer records than offsets: compaction has removed some. Of an old message set that is not known.
pub(super) fn has_holes(header: &BatchHeader) -> bool {
    header.magic == 2 && i64::from(header.records_count) <= i64::from(header.last_offset_delta)
}

impl ScrubTarget {
    /// The missing records between the segment and the next. Only the end of the segment is read if nothing
    /// is missing. A damaged or unreadable segment has no gap here: a scrub reports it.
    pub fn gap(&self) -> Option<Fault> {
        if self.may_end_early {
            return None;
        }
        let next_offset = self.walk(true).ok()?.0;
        if next_offset >= self.next_base_offset {
            return None;
        }
        let (next_offset, has_holes) = self.walk(false).ok()?;
        self.gap_after(next_offset, has_holes)
    }

    /// The same if the batches end before an offset.
    pub(super) fn gap_after(&self, next_offset: i64, has_holes: bool) -> Option<Fault> {
        let next_base_offset = self.next_base_offset;
        if self.may_end_early || has_holes || next_offset >= next_base_offset {
            return None;
        }
        let (path, reason) =
            (self.path(SegmentFile::Log), FaultReason::Gap { next_offset, next_base_offset });
        Some(Fault { path, position: self.size_bytes(), offset: next_offset, reason })
    }

    /// The offset after the last batch, and whether offsets are missing among those that were read: all of them, or
    /// those after the last entry of the index.
    fn walk(&self, only_end: bool) -> Result<(i64, bool), ScanError> {
        let file = self.closed.segment.open_aside(SegmentFile::Log)?;
        let from = if only_end { self.last_indexed(&file)? } else { 0 };
        let mut headers = Headers::new(&file, from, self.closed.size);
        let (mut next_offset, mut has_holes) = (self.base_offset(), false);
        let mut is_first = from > 0;
        while let Some((_, header)) = headers.next()? {
            has_holes |= (!is_first && header.base_offset > next_offset) || self::has_holes(&header);
            next_offset = header.next_offset();
            is_first = false;
        }
        Ok((next_offset, has_holes))
    }

    /// The position in the last entry of the offset index, if a batch starts there.
    fn last_indexed(&self, file: &fs::File) -> fs::Result<u32> {
        let index = self.closed.segment.open_aside(SegmentFile::OffsetIndex)?;
        let Some(last) = index_file::entries_in::<{ offset_index::ENTRY_BYTES }>(&index)?.checked_sub(1)
        else {
            return Ok(0);
        };
        let entry = OffsetEntry::from_bytes(index_file::entry_at(&index, last)?);
        checked_floor(file, entry.position, self.closed.size, i64::MAX)
    }
}
