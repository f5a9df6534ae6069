//! Creating the directories of partitions.

use super::DirectoryState;
use crate::fs;
use crate::names::TopicPartition;
use crate::offline::Offline;

/// Why the directory of a partition cannot be created.
#[derive(Debug)]
pub(crate) enum MakeError {
    /// A file operation failed.
    Fs(fs::Error),
    /// The log directory has failed, now or before.
    Offline(Offline),
}

impl From<fs::Error> for MakeError {
    fn from(error: fs::Error) -> Self {
        MakeError::Fs(error)
    }
}

impl DirectoryState {
    /// Creates the directory of a known partition; returns whether it was missing. Takes this log directory
    /// offline if it is gone itself, for instance because its volume was unmounted: created again below the
    /// mount point it would look like a log directory, and be none.
    pub(crate) fn make(&self, partition: &TopicPartition) -> Result<bool, MakeError> {
        let path = self.path.join(partition.to_string());
        if self.is_told_of(partition) && !self.fs.exists(&path)? {
            self.forget_stale(partition)?;
        }
        let made = self.fs.create_dir(&path).map_err(|error| match error {
            gone if gone.is_not_found() => MakeError::Offline(self.health.fail(gone)),
            error => MakeError::Fs(error),
        })?;
        if made {
            self.entry_made();
        } else {
            self.is_back(partition);
        }
        Ok(made)
    }

    /// Fails if the directory itself is gone.
    pub(crate) fn check_exists(&self) -> Result<(), Offline> {
        let gone = match self.fs.exists(&self.path) {
            Ok(true) => return Ok(()),
            Ok(false) => fs::Error {
                operation: fs::Operation::Stat,
                path: self.path.clone(),
                source: std::io::ErrorKind::NotFound.into(),
            },
            Err(error) => error,
        };
        Err(self.health.fail(gone))
    }
}
