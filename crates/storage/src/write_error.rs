//! A write that failed.

use std::fmt;

use crate::fs;
use crate::offline::Offline;

/// The reason why bytes were not written to disk.
#[derive(Debug)]
pub enum WriteError {
    /// The disk is full, or there was no descriptor left; nothing has changed, and it may succeed later. Kafka:
    /// `KAFKA_STORAGE_ERROR`.
    Full(fs::Error),
    /// The log directory has failed. Kafka: `KAFKA_STORAGE_ERROR`.
    Offline(Offline),
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WriteError::Full(error) => error.fmt(f),
            WriteError::Offline(offline) => offline.fmt(f),
        }
    }
}

impl std::error::Error for WriteError {}

impl From<Offline> for WriteError {
    fn from(offline: Offline) -> Self {
        WriteError::Offline(offline)
    }
}
