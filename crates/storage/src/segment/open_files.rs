//! A bound on the files that the segments of a log directory keep open.
//!
//! A node may have far more segments than descriptors. Files are opened on use and noted here in
//! that order; when there are too many the oldest that was not used since it was last looked at
//! is closed (the clock algorithm). Readers and the flusher hold clones of a [`crate::fs::File`],
//! so closing here never takes a file from under anyone.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::{Eviction, Segment};
use crate::fs;
use crate::names::SegmentFile;

/// The number of files to look at for one that can be closed without a sync.
const LOOKS_MAX: usize = 64;

/// The open files of a log directory, the longest open first.
///
/// Lock order: this before the slot of a segment, never the other way round.
#[derive(Debug)]
pub(crate) struct OpenFiles {
    max: usize,
    files: Mutex<VecDeque<(Weak<Segment>, SegmentFile)>>,
}

impl OpenFiles {
    pub(crate) fn new(max: usize) -> OpenFiles {
        OpenFiles { max: max.max(1), files: Mutex::default() }
    }

    /// Notes that a segment has opened a file, and closes another if there are too many.
    ///
    /// # Errors
    /// The error of syncing a file to close it: its bytes may be lost.
    pub(crate) fn opened(&self, segment: &Arc<Segment>, kind: SegmentFile) -> fs::Result<()> {
        let unsynced = {
            let mut files = self.files.lock();
            let unsynced = if files.len() < self.max { None } else { make_room(&mut files, self.max - 1) };
            files.push_back((Arc::downgrade(segment), kind));
            unsynced
        };
        let Some((segment, kind)) = unsynced else { return Ok(()) };
        if let Err(e) = segment.sync(kind) {
            // Nobody waits for the result of this sync, so the directory is taken offline here.
            let offline = segment.partition.directory.health.fail(e);
            return Err(fs::Error {
                operation: offline.cause().operation,
                path: offline.cause().path.clone(),
                source: offline.cause().source.kind().into(),
            });
        }
        segment.evict(kind);
        Ok(())
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.files.lock().iter().filter(|(segment, _)| segment.strong_count() > 0).count()
    }
}

/// Closes files until no more than `max` are open. Returns the one that has to be synced first, now off the
/// list, if no other was found.
fn make_room(
    files: &mut VecDeque<(Weak<Segment>, SegmentFile)>,
    max: usize,
) -> Option<(Arc<Segment>, SegmentFile)> {
    for _ in 0..LOOKS_MAX.max(files.len().min(2 * LOOKS_MAX)) {
        if files.len() <= max {
            return None;
        }
        let (weak, kind) = files.pop_front()?;
        let Some(segment) = weak.upgrade() else { continue };
        match segment.evict(kind) {
            Eviction::Closed => {}
            Eviction::Used | Eviction::Unsynced => files.push_back((weak, kind)),
        }
    }
    let (weak, kind) = files.pop_front()?;
    weak.upgrade().map(|segment| (segment, kind))
}
