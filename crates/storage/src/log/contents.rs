//! The contents of a partition's directory when its log is opened.

use super::listing::{self, Listing};
use super::open::{OpenError, OpenLog};
use super::recovery::Truncation;
use super::swap_recovery;
use crate::checkpoint::{self, CheckpointError};
use crate::directory::{self, Offsets};
use crate::flusher::LEADER_EPOCHS_FILE;
use crate::leader_epochs::LeaderEpochs;
use crate::segment::PartitionDir;

/// The contents of a partition's directory, once leftovers are removed.
pub(super) struct Contents {
    pub(super) topic_id: Option<[u8; 16]>,
    pub(super) listing: Listing,
    /// The truncation of the whole log, if its first segments are lost.
    pub(super) lost_start: Option<Truncation>,
    /// The leader epochs; `None` if their file is damaged.
    pub(super) epochs: Option<LeaderEpochs>,
}

impl Contents {
    /// The contents of a directory that was just created: only the topic's id, which this writes.
    pub(super) fn make(partition: &PartitionDir, topic_id: Option<[u8; 16]>) -> Result<Contents, OpenError> {
        if let Some(topic_id) = topic_id {
            directory::write_topic_id(&partition.directory.fs, &partition.path(), topic_id)?;
        }
        let (listing, epochs) = (Listing::default(), Some(LeaderEpochs::default()));
        Ok(Contents { topic_id, listing, lost_start: None, epochs })
    }

    pub(super) fn read(
        partition: &PartitionDir,
        open: &OpenLog,
        offsets: Offsets,
        clean: bool,
    ) -> Result<Contents, OpenError> {
        let topic_id = check_topic_id(partition, open.topic_id)?;
        swap_recovery::complete_swaps(partition)?;
        let mut listing = listing::list(partition)?;
        let mut lost_start = None;
        if !clean {
            listing::drop_below(partition, &mut listing, offsets.log_start_offset)?;
            listing::drop_snapshots_of_nothing(partition, &mut listing)?;
            if !open.accept_damage && !partition.directory.lacks_recovery_points {
                lost_start = listing::drop_without_start(partition, &mut listing, offsets)?;
            }
        }
        Ok(Contents { topic_id, listing, lost_start, epochs: read_epochs(partition)? })
    }
}

/// The topic id of the directory, written if it has none.
fn check_topic_id(
    partition: &PartitionDir,
    expected: Option<[u8; 16]>,
) -> Result<Option<[u8; 16]>, OpenError> {
    let fs = &partition.directory.fs;
    match (directory::read_topic_id(fs, &partition.path())?, expected) {
        (Some(found), Some(expected)) if found != expected => Err(OpenError::TopicId { found, expected }),
        (Some(found), _) => Ok(Some(found)),
        (None, Some(expected)) => {
            directory::write_topic_id(fs, &partition.path(), expected)?;
            Ok(Some(expected))
        }
        (None, None) => Ok(None),
    }
}

/// The leader epochs in the checkpoint; `None` if that is damaged.
fn read_epochs(partition: &PartitionDir) -> Result<Option<LeaderEpochs>, OpenError> {
    let path = partition.path().join(LEADER_EPOCHS_FILE);
    match checkpoint::read_leader_epochs(&partition.directory.fs, &path) {
        Ok(entries) => Ok(Some(LeaderEpochs::from_entries(&entries))),
        Err(CheckpointError::Fs(error)) => Err(error.into()),
        Err(error) => {
            tracing::warn!("rebuilt from the log: {error}");
            Ok(None)
        }
    }
}
