//! The entries of partitions in a log directory, and how far they are durable.

use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::DirectoryState;
use crate::fs;
use crate::traps::{self, Trap};

/// Counts the changes of a log directory's entries, so that one sync covers every change that was made before it began.
#[derive(Debug)]
pub(crate) struct Entries {
    made: AtomicU64,
    /// The number up to which they are durable. Held during a sync.
    synced: Mutex<u64>,
}

/// The number of the entries that existed when the directory was opened.
const FOUND: u64 = 1;

impl Entries {
    /// The entries of a log directory that is being opened.
    pub(super) fn new(are_durable: bool) -> Entries {
        Entries { made: FOUND.into(), synced: Mutex::new(if are_durable { FOUND } else { 0 }) }
    }
}

impl DirectoryState {
    /// Notes that an entry was created or renamed.
    pub(crate) fn entry_made(&self) {
        self.entries.made.fetch_add(1, Ordering::AcqRel);
    }

    /// The number of the last entry that was created, or of those that existed before.
    pub(crate) fn last_entry(&self) -> u64 {
        self.entries.made.load(Ordering::Acquire)
    }

    /// Makes an entry durable, and with it all that were created before.
    pub(crate) fn sync_entry(&self, entry: u64) -> fs::Result<()> {
        let mut synced = self.entries.synced.lock();
        let is_any_enough = traps::is_on(Trap::EarlierSyncCounts) && *synced > 0;
        if *synced >= entry || is_any_enough {
            return Ok(());
        }
        // This sync may miss entries that are created from here on.
        let made = self.last_entry();
        self.fs.sync_dir(&self.path)?;
        *synced = made;
        Ok(())
    }
}
