//! Work beside the requests: retention, compaction, moves between directories, the scrubber.

pub(crate) mod chores;
pub(crate) mod cleaner;
pub(crate) mod moves;
pub(crate) mod scrubber;
pub(crate) mod worker;
