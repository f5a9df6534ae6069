//! Offsets in the checkpoint files of partitions that no longer have a directory.
//!
//! A partition that is created again must not find them after a crash: they would say that batches of it are
//! missing, or deleted, that never existed.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{CLEANER_OFFSETS_FILE, DirectoryState, PartitionState};
use crate::checkpoint;
use crate::fs;
use crate::names::TopicPartition;

/// The names in `checkpointed` that have no directory.
pub(super) fn names<'a>(
    checkpointed: impl IntoIterator<Item = &'a BTreeMap<TopicPartition, i64>>,
    partitions: &BTreeMap<Arc<TopicPartition>, PartitionState>,
) -> impl Iterator<Item = TopicPartition> {
    let names = checkpointed.into_iter().flat_map(BTreeMap::keys);
    names.filter(|name| !partitions.contains_key(*name)).cloned()
}

impl DirectoryState {
    /// Whether the checkpoint files may name a partition that has no directory.
    pub(super) fn is_told_of(&self, partition: &TopicPartition) -> bool {
        self.absent.lock().contains_key(partition) || self.stale.lock().contains(partition)
    }

    /// Removes a partition whose directory is about to be created from the checkpoint files. It counts as one of the
    /// directory's partitions already, without offsets.
    pub(crate) fn forget_stale(&self, partition: &TopicPartition) -> fs::Result<()> {
        self.absent.lock().remove(partition);
        self.forget(std::slice::from_ref(partition))?;
        self.stale.lock().clear();
        Ok(())
    }

    /// Removes partitions from the cleaner's checkpoint.
    pub(super) fn forget_cleaned(&self, partitions: &[TopicPartition]) -> fs::Result<()> {
        let mut cleaned_to = self.cleaned_to.lock();
        let offsets = self.cleaner_offsets(&mut cleaned_to);
        let before = offsets.len();
        for name in partitions {
            offsets.remove(name);
        }
        if offsets.len() < before {
            let path = self.path.join(CLEANER_OFFSETS_FILE);
            checkpoint::write_offsets(&self.fs, &path, offsets.iter())?;
        }
        Ok(())
    }
}
