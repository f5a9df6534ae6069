//! The files of text, and the names of files.

use std::path::Path;

use crate::checkpoint::{self, CheckpointError};
use crate::directory::{self, MetaProperties};
use crate::fs::Fs;
use crate::leader_epochs::EpochEntry;
use crate::names;

/// The base offset in the name of a segment's file; `None` if it does not have that suffix, which is `.log`
/// or that of an index.
pub fn base_offset_of(name: &str, suffix: &str) -> Option<i64> {
    names::offset_of(name, suffix)
}

/// Reads a `leader-epoch-checkpoint`; empty if it does not exist.
///
/// # Errors
/// [`CheckpointError`] if it cannot be read or parsed.
pub fn read_leader_epochs(fs: &Fs, path: &Path) -> Result<Vec<EpochEntry>, CheckpointError> {
    checkpoint::read_leader_epochs(fs, path)
}

/// Reads the `partition.metadata` of a partition's directory; `None` if it does not exist, or if a crash has
/// torn it, so that the next start writes it again.
///
/// # Errors
/// [`CheckpointError`] if it cannot be read or parsed.
pub fn read_topic_id(fs: &Fs, dir: &Path) -> Result<Option<[u8; 16]>, CheckpointError> {
    directory::read_topic_id(fs, dir)
}

/// Reads the `meta.properties` of a log directory; `None` if it does not exist.
///
/// # Errors
/// [`CheckpointError`] if it cannot be read or parsed.
pub fn read_meta_properties(fs: &Fs, dir: &Path) -> Result<Option<MetaProperties>, CheckpointError> {
    directory::read_meta_properties(fs, dir)
}
