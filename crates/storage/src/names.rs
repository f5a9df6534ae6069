//! The names of files and directories in a log directory.
//!
//! Source: Kafka's `LogFileUtils` and `UnifiedLog`.

use std::fmt;
use std::path::{Path, PathBuf};

/// A partition of a topic, which is also the name of its directory: `topic-partition`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicPartition {
    /// The topic's name.
    pub topic: String,
    /// The partition's number, from zero.
    pub partition: i32,
}

impl TopicPartition {
    /// The partition of the future log in a directory of this name, `topic-partition.uniqueId-future`; `None`
    /// for other names.
    pub(crate) fn from_future_dir_name(name: &str) -> Option<TopicPartition> {
        let (partition, _) = name.strip_suffix(FUTURE_DIR_SUFFIX)?.rsplit_once('.')?;
        TopicPartition::from_dir_name(partition)
    }

    /// The partition in a directory of this name; `None` for other names.
    pub fn from_dir_name(name: &str) -> Option<TopicPartition> {
        let (topic, partition) = name.rsplit_once('-')?;
        let all_digits = !partition.is_empty() && partition.bytes().all(|b| b.is_ascii_digit());
        if topic.is_empty() || !all_digits {
            return None;
        }
        Some(TopicPartition { topic: topic.to_owned(), partition: partition.parse().ok()? })
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

/// The kind of a directory within a log directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DirKind {
    /// The log of a partition.
    Partition(TopicPartition),
    /// A partition that is being deleted: `topic.uniqueId-delete`.
    Delete,
    /// A partition that is being moved here from another log directory: `topic-0.uniqueId-future`.
    Future,
    /// A partition that the cluster does not assign to this broker: `topic-0.uniqueId-stray`.
    Stray,
    /// Any other directory.
    Other,
}

impl DirKind {
    /// The kind of a directory of this name.
    pub fn of(name: &str) -> DirKind {
        let has_unique_id = |rest: &str| rest.rsplit_once('.').is_some_and(|(_, id)| !id.is_empty());
        if let Some(rest) = name.strip_suffix("-delete") {
            return if has_unique_id(rest) { DirKind::Delete } else { DirKind::Other };
        }
        if let Some(rest) = name.strip_suffix(FUTURE_DIR_SUFFIX) {
            return if has_unique_id(rest) { DirKind::Future } else { DirKind::Other };
        }
        if let Some(rest) = name.strip_suffix("-stray") {
            return if has_unique_id(rest) { DirKind::Stray } else { DirKind::Other };
        }
        TopicPartition::from_dir_name(name).map_or(DirKind::Other, DirKind::Partition)
    }
}

/// The kinds of file that one segment has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum SegmentFile {
    /// The record batches.
    Log,
    /// Offset to position.
    OffsetIndex,
    /// Timestamp to offset.
    TimeIndex,
    /// Aborted transactions; exists only if there are any.
    TxnIndex,
}

impl SegmentFile {
    pub(crate) const ALL: [SegmentFile; 4] =
        [SegmentFile::Log, SegmentFile::OffsetIndex, SegmentFile::TimeIndex, SegmentFile::TxnIndex];

    pub(crate) fn suffix(self) -> &'static str {
        match self {
            SegmentFile::Log => ".log",
            SegmentFile::OffsetIndex => ".index",
            SegmentFile::TimeIndex => ".timeindex",
            SegmentFile::TxnIndex => ".txnindex",
        }
    }
}

/// The suffix of the directory of a log that is being moved here.
pub(crate) const FUTURE_DIR_SUFFIX: &str = "-future";
/// The suffix of a producer snapshot.
pub(crate) const SNAPSHOT_SUFFIX: &str = ".snapshot";
/// The suffix, after that of its kind, of a file that is about to be removed.
pub(crate) const DELETED_SUFFIX: &str = ".deleted";
/// The suffix, after that of its kind, of a file that compaction is writing.
pub(crate) const CLEANED_SUFFIX: &str = ".cleaned";
/// The suffix, after that of its kind, of a file that is about to replace others.
pub(crate) const SWAP_SUFFIX: &str = ".swap";
/// The suffix of a metadata snapshot that is about to be removed: not a file of the log.
pub(crate) const CHECKPOINT_DELETED_SUFFIX: &str = ".checkpoint.deleted";

/// The path of a file of a segment or snapshot: 20 digits of `offset`, then `suffix`.
pub(crate) fn offset_path(dir: &Path, offset: i64, suffix: &str) -> PathBuf {
    dir.join(format!("{offset:020}{suffix}"))
}

/// The offset in a file name that is 20 digits and `suffix`.
pub(crate) fn offset_of(name: &str, suffix: &str) -> Option<i64> {
    let digits = name.strip_suffix(suffix)?;
    let is_offset = digits.len() == 20 && digits.bytes().all(|b| b.is_ascii_digit());
    if is_offset { digits.parse().ok() } else { None }
}

#[cfg(test)]
mod tests;
