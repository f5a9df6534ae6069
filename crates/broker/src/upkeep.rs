//! Work beside the requests: retention, compaction, moves between directories, the scrubber, proposals of who is
//! in sync.

pub(crate) mod chores;
pub(crate) mod cleaner;
pub(crate) mod in_sync;
pub(crate) mod moves;
pub(crate) mod scrubber;
pub(crate) mod worker;
