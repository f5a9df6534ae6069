//! The start offset of each leader epoch of a partition.
//!
//! Source: Kafka's `LeaderEpochFileCache` (KIP-101, KIP-279).

/// A leader epoch and the offset of its first batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochEntry {
    /// The epoch, not negative.
    pub epoch: i32,
    /// The offset at which it begins, not negative.
    pub start_offset: i64,
}

/// A leader epoch and the offset after its last batch: the answer of OffsetForLeaderEpoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochEndOffset {
    /// The largest epoch that is not above the requested one; -1 if there is none.
    pub epoch: i32,
    /// The offset at which the next epoch starts, or the end of the log; -1 if there is no such epoch.
    pub end_offset: i64,
}

impl EpochEndOffset {
    /// The answer for an unknown epoch.
    pub const UNDEFINED: EpochEndOffset = EpochEndOffset { epoch: -1, end_offset: -1 };
}

/// The leader epochs of one partition, in memory.
///
/// Invariant: both epochs and start offsets rise strictly.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LeaderEpochs {
    entries: Vec<EpochEntry>,
}

impl LeaderEpochs {
    /// The epochs of a checkpoint file. Entries that break the invariant give way to later ones.
    pub(crate) fn from_entries(entries: &[EpochEntry]) -> LeaderEpochs {
        let mut epochs = LeaderEpochs::default();
        for entry in entries {
            epochs.assign(*entry);
        }
        epochs
    }

    pub(crate) fn entries(&self) -> &[EpochEntry] {
        &self.entries
    }

    pub(crate) fn latest(&self) -> Option<EpochEntry> {
        self.entries.last().copied()
    }

    /// Whether a batch of `epoch` at `offset` is of the latest epoch already known.
    pub(crate) fn knows(&self, epoch: i32, offset: i64) -> bool {
        self.latest().is_some_and(|latest| latest.epoch == epoch && latest.start_offset <= offset)
    }

    /// Notes that an epoch begins at an offset, and removes entries that contradict it. Returns whether anything
    /// changed.
    pub(crate) fn assign(&mut self, entry: EpochEntry) -> bool {
        assert!(entry.epoch >= 0 && entry.start_offset >= 0, "a leader epoch is assigned: {entry:?}");
        if self.knows(entry.epoch, entry.start_offset) {
            return false;
        }
        let contradicts = |e: &EpochEntry| e.epoch >= entry.epoch || e.start_offset >= entry.start_offset;
        while self.entries.last().is_some_and(contradicts) {
            self.entries.pop();
        }
        if self.entries.is_empty() {
            // Most partitions have one epoch, and there are many partitions.
            self.entries.reserve_exact(1);
        }
        self.entries.push(entry);
        true
    }

    /// Forgets the epochs that begin at `end_offset` or later. Returns whether there were any.
    pub(crate) fn truncate_from_end(&mut self, end_offset: i64) -> bool {
        let before = self.entries.len();
        self.entries.retain(|entry| entry.start_offset < end_offset);
        self.entries.len() < before
    }

    /// Forgets the epochs that end at `start_offset` or before; the one that holds it begins there. Returns whether
    /// anything changed.
    pub(crate) fn truncate_from_start(&mut self, start_offset: i64) -> bool {
        let begun = self.entries.partition_point(|entry| entry.start_offset <= start_offset);
        if begun == 0 {
            return false;
        }
        self.entries.drain(..begun - 1);
        let moved = self.entries[0].start_offset != start_offset;
        self.entries[0].start_offset = start_offset;
        begun > 1 || moved
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }

    /// The largest epoch that is not above `epoch`, and its end. An epoch below the first known one ends at
    /// the start of that; one above the latest is undefined.
    pub(crate) fn end_offset_for(&self, epoch: i32, log_end_offset: i64) -> EpochEndOffset {
        let Some(latest) = self.latest() else { return EpochEndOffset::UNDEFINED };
        if epoch < 0 || epoch > latest.epoch {
            return EpochEndOffset::UNDEFINED;
        }
        if epoch == latest.epoch {
            return EpochEndOffset { epoch, end_offset: log_end_offset };
        }
        let higher = self.entries.partition_point(|entry| entry.epoch <= epoch);
        let end_offset = self.entries[higher].start_offset;
        let epoch = if higher == 0 { epoch } else { self.entries[higher - 1].epoch };
        EpochEndOffset { epoch, end_offset }
    }

    /// The epoch that `offset` was, or would be, written in.
    pub(crate) fn epoch_for_offset(&self, offset: i64) -> Option<i32> {
        let begun = self.entries.partition_point(|entry| entry.start_offset <= offset);
        Some(self.entries[begun.checked_sub(1)?].epoch)
    }
}

#[cfg(test)]
mod tests;
