//! The segments that a scrub reads.

use std::sync::Arc;

use super::Log;
use crate::scrub::ScrubTarget;

impl Log {
    /// The first closed segment that begins at `offset` or later.
    pub fn closed_segment_from(&self, offset: i64) -> Option<ScrubTarget> {
        let index = self.closed.partition_point(|closed| closed.base_offset() < offset);
        let closed = Arc::clone(self.closed.get(index)?);
        let next = self.closed.get(index + 1);
        let next_base_offset = next.map_or(self.active.base_offset(), |next| next.base_offset());
        // Compaction leaves gaps, which stay if a topic is no longer compacted.
        let is_compacted =
            self.config.compact || self.partition.directory.cleaned_to(&self.partition.name).is_some();
        let may_end_early = is_compacted || next_base_offset <= self.log_start_offset();
        Some(ScrubTarget { closed, next_base_offset, may_end_early })
    }

    /// Whether the segment is still part of the log, and still closed.
    pub fn has_segment(&self, segment: &ScrubTarget) -> bool {
        let index = self.closed.partition_point(|closed| closed.base_offset() < segment.base_offset());
        self.closed.get(index).is_some_and(|closed| Arc::ptr_eq(closed, &segment.closed))
    }
}
