//! The leader epochs after a crash.

use record::BatchHeader;

use super::Log;
use crate::leader_epochs::{EpochEntry, LeaderEpochs};
use crate::names::SegmentFile;
use crate::scan::{Headers, ScanError};

impl Log {
    /// The leader epochs as the batches of all segments say.
    pub(super) fn epochs_of_batches(&self) -> Result<LeaderEpochs, ScanError> {
        self.epochs_below(i64::MAX)
    }

    /// Completes the leader epochs if they start above the log: records were deleted, which the file of epochs
    /// reflects, and a loss of power has brought them back.
    pub(super) fn complete_first_epochs(&mut self) -> Result<(), ScanError> {
        let first = self.epochs.entries().first().map_or(i64::MAX, |entry| entry.start_offset);
        if first > self.log_start_offset() && self.first_batch_has_epoch()? {
            let mut epochs = self.epochs_below(first)?;
            for entry in self.epochs.entries() {
                epochs.assign(*entry);
            }
            self.epochs = epochs;
        }
        Ok(())
    }

    /// Whether the first batch has a leader epoch: those of old logs have none.
    fn first_batch_has_epoch(&self) -> Result<bool, ScanError> {
        // Compaction may leave segments without a batch.
        let with_batches = self.all_segments().into_iter().find(|(_, size)| *size > 0);
        let Some((segment, size)) = with_batches else { return Ok(false) };
        let first = Headers::new(&segment.file(SegmentFile::Log)?, 0, size).next()?;
        Ok(first.is_some_and(|(_, header)| header.partition_leader_epoch >= 0))
    }

    /// The leader epochs of the batches that begin below an offset.
    fn epochs_below(&self, offset: i64) -> Result<LeaderEpochs, ScanError> {
        let mut epochs = LeaderEpochs::default();
        for (segment, size) in self.all_segments() {
            let file = segment.file(SegmentFile::Log)?;
            let mut headers = Headers::new(&file, 0, size);
            while let Some((_, header)) = headers.next()? {
                if header.base_offset >= offset {
                    return Ok(epochs);
                }
                note_epoch(&mut epochs, &header);
            }
        }
        Ok(epochs)
    }
}

/// Notes the epoch of a batch if it is above the known ones.
pub(crate) fn note_epoch(epochs: &mut LeaderEpochs, header: &BatchHeader) {
    let BatchHeader { partition_leader_epoch: epoch, base_offset: start_offset, .. } = *header;
    if epoch >= 0 && epochs.latest().is_none_or(|latest| epoch > latest.epoch) {
        epochs.assign(EpochEntry { epoch, start_offset });
    }
}
