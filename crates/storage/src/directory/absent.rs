//! Partitions that had records and whose directories are missing.
//!
//! The checkpoint files name them. Creating such a partition again, empty, would lose its records silently:
//! check here before opening logs.

use std::sync::atomic::Ordering;

use super::{DirectoryState, HIGH_WATERMARKS_FILE, LogDirectory, NotedOffsets, Offsets, PartitionState};
use crate::fs;
use crate::names::TopicPartition;
use crate::traps::{self, Trap};

/// A partition that had records and has no directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AbsentPartition {
    /// The partition.
    pub partition: TopicPartition,
    /// The first offset that could be read.
    pub log_start_offset: i64,
    /// The offset up to which it had records at least.
    pub end_offset: i64,
    /// Whether they were durable, so that no loss of power explains that the directory is gone.
    pub was_durable: bool,
}

impl AbsentPartition {
    fn new(partition: &TopicPartition, offsets: Offsets) -> AbsentPartition {
        let Offsets { recovery_point, log_start_offset, high_watermark } = offsets;
        let end_offset = recovery_point.max(high_watermark).max(log_start_offset);
        let was_durable = recovery_point > 0;
        AbsentPartition { partition: partition.clone(), log_start_offset, end_offset, was_durable }
    }
}

impl LogDirectory {
    /// The partitions that had records here, as the checkpoint files say, and have no directory, in order.
    pub fn absent(&self) -> Vec<AbsentPartition> {
        let absent = self.shared.absent.lock();
        absent.iter().map(|(name, offsets)| AbsentPartition::new(name, *offsets)).collect()
    }

    /// Removes the offsets of partitions from the checkpoint files, because their directories are about to be
    /// deleted, or are gone and not missed: a later partition of the same name did not have those records.
    /// Costs nothing if there are none.
    ///
    /// # Errors
    /// The file system's error.
    ///
    /// # Panics
    /// If the log of one is open.
    pub fn forget(&self, partitions: &[TopicPartition]) -> fs::Result<()> {
        let mut is_told = false;
        {
            let mut known = self.shared.partitions.lock();
            let mut absent = self.shared.absent.lock();
            for name in partitions {
                is_told |= absent.remove(name).is_some();
                let Some(known) = known.get_mut(name) else { continue };
                assert!(known.log.is_none(), "the log of {name} is open");
                is_told |= known.forget_offsets();
            }
        }
        if !is_told {
            return Ok(());
        }
        traps::unless(Trap::DeletedPartitionMissed, || self.shared.forget(partitions))
    }

    /// Whether, since the last call, records have become durable in a log for which the checkpoints have none: a loss
    /// of its directory would go unnoticed.
    pub fn take_untold(&self) -> bool {
        self.shared.untold.swap(false, Ordering::AcqRel)
    }
}

impl PartitionState {
    /// Forgets the offsets. Returns whether there were any.
    fn forget_offsets(&mut self) -> bool {
        let noted = self.noted();
        self.note(NotedOffsets { offsets: Offsets::default(), ..noted });
        noted != NotedOffsets::default()
    }
}

impl DirectoryState {
    /// Notes that a log that was durable up to `from` has become durable up to `to`.
    pub(crate) fn note_durable(&self, from: i64, to: i64) {
        if from == 0 && to > 0 {
            self.untold.store(true, Ordering::Release);
        }
    }

    /// Notes that an absent partition has its directory again.
    pub(crate) fn is_back(&self, partition: &TopicPartition) {
        self.absent.lock().remove(partition);
    }

    /// Writes the checkpoint files, and removes these partitions from the cleaner's.
    pub(super) fn forget(&self, partitions: &[TopicPartition]) -> fs::Result<()> {
        self.forget_cleaned(partitions)?;
        self.checkpoint_log_offsets()?;
        self.write(HIGH_WATERMARKS_FILE, |offsets| offsets.high_watermark)
    }
}
