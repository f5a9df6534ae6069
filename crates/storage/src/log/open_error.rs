//! Why a log cannot be opened.

use std::fmt;

use super::ChangeError;
use crate::checkpoint::CheckpointError;
use crate::directory::MakeError;
use crate::fs;
use crate::offline::Offline;
use crate::scan::{Damage, ScanError};
use crate::write_error::WriteError;

/// Why a log cannot be opened. Its files are as they were, except for leftovers that were removed.
#[derive(Debug)]
pub enum OpenError {
    /// A file operation failed.
    Fs(fs::Error),
    /// The log directory has failed.
    Offline(Offline),
    /// Durable data are damaged or missing.
    Damaged(Damage),
    /// A file of text is damaged.
    Checkpoint(CheckpointError),
    /// The directory belongs to another topic: one of the same name that was deleted.
    TopicId {
        /// The id in the directory.
        found: [u8; 16],
        /// The id of the topic.
        expected: [u8; 16],
    },
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenError::Fs(error) => error.fmt(f),
            OpenError::Offline(offline) => offline.fmt(f),
            OpenError::Damaged(damage) => damage.fmt(f),
            OpenError::Checkpoint(error) => error.fmt(f),
            OpenError::TopicId { found, expected } => {
                let (found, expected) = (crate::uuid::encode(*found), crate::uuid::encode(*expected));
                write!(f, "the directory belongs to the topic with id {found}, not {expected}")
            }
        }
    }
}

impl std::error::Error for OpenError {}

impl From<fs::Error> for OpenError {
    fn from(error: fs::Error) -> Self {
        OpenError::Fs(error)
    }
}

impl From<MakeError> for OpenError {
    fn from(error: MakeError) -> Self {
        match error {
            MakeError::Fs(error) => OpenError::Fs(error),
            MakeError::Offline(offline) => OpenError::Offline(offline),
        }
    }
}

impl From<Offline> for OpenError {
    fn from(offline: Offline) -> Self {
        OpenError::Offline(offline)
    }
}

impl From<CheckpointError> for OpenError {
    fn from(error: CheckpointError) -> Self {
        match error {
            CheckpointError::Fs(error) => OpenError::Fs(error),
            malformed => OpenError::Checkpoint(malformed),
        }
    }
}

impl From<ScanError> for OpenError {
    fn from(error: ScanError) -> Self {
        match error {
            ScanError::Fs(error) => OpenError::Fs(error),
            ScanError::Damaged(damage) => OpenError::Damaged(damage),
        }
    }
}

impl From<WriteError> for OpenError {
    fn from(error: WriteError) -> Self {
        ChangeError::from(error).into()
    }
}

impl From<ChangeError> for OpenError {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Full(error) => OpenError::Fs(error),
            ChangeError::Offline(offline) => OpenError::Offline(offline),
            ChangeError::Damaged(damage) => OpenError::Damaged(damage),
        }
    }
}
