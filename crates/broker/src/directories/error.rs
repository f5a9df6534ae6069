//! The errors of log directories, and what to do about each.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use protocol::Uuid;
use storage::{CheckpointError, OpenDirectoryError, TopicPartition};

/// The reason why a broker cannot use its log directories.
#[derive(Debug)]
pub enum DirectoryError {
    /// No log directory works.
    NoLogDir,
    /// The log directory cannot be opened.
    Open(OpenDirectoryError),
    /// The log directory's `meta.properties` cannot be read.
    MetaProperties(CheckpointError),
    /// A log directory holds partitions and no `meta.properties` that names the cluster.
    NoMetaProperties(PathBuf),
    /// A log directory has a `meta.properties` of an unsupported version.
    MetaPropertiesVersion {
        /// The directory.
        dir: PathBuf,
        /// The version.
        version: i32,
    },
    /// A log directory holds partitions, and no directory has a metadata log for them.
    NoMetadataLog {
        /// The directory.
        dir: PathBuf,
        /// Whether it was written by a Kafka with ZooKeeper.
        used_zookeeper: bool,
    },
    /// The log directory cannot be written.
    Fs(storage::fs::Error),
    /// The log directory belongs to another node.
    NodeId {
        /// The directory.
        dir: String,
        /// The node that wrote it.
        found: i32,
        /// `node.id`.
        given: i32,
    },
    /// A log directory belongs to another cluster.
    ClusterId {
        /// The directory.
        dir: PathBuf,
        /// The cluster that wrote it.
        found: String,
        /// The cluster of the other directories.
        cluster_id: String,
    },
    /// Two log directories have the same id: one is a copy of the other.
    DirectoryIdTwice {
        /// The second.
        dir: PathBuf,
        /// `directory.id`.
        id: Uuid,
    },
    /// A partition is in two log directories.
    PartitionTwice {
        /// The partition.
        partition: TopicPartition,
        /// The directories.
        dirs: [PathBuf; 2],
    },
    /// The metadata log is not in the directory that was used before.
    MetadataLogElsewhere {
        /// A directory that was used before.
        found: PathBuf,
        /// The directory that should have the metadata log.
        expected: PathBuf,
        /// Whether the metadata log is in `found`.
        has_log: bool,
    },
    /// The metadata in the log directory cannot be read.
    Metadata(metadata::StartError),
    /// The system refuses a thread for flushing the log directory.
    Thread(io::Error),
}

impl fmt::Display for DirectoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoLogDir => f.write_str("no directory of log.dirs works"),
            Self::Open(error @ OpenDirectoryError::Locked(_)) => {
                write!(f, "{error}: stop the broker that uses it, or set log.dirs to another directory")
            }
            Self::Open(OpenDirectoryError::Fs(error)) | Self::Fs(error) => {
                write!(f, "{error}{}", mend(error.source.kind()))
            }
            Self::Open(error) => error.fmt(f),
            Self::MetaProperties(error) => error.fmt(f),
            Self::Metadata(error) => error.fmt(f),
            Self::Thread(error) => write!(f, "cannot start a thread: {error}"),
            Self::NodeId { dir, found, given } => write!(
                f,
                "the log directory {dir} belongs to node {found}, but node.id is {given}: set \
                 node.id={found}, or log.dirs to another directory"
            ),
            Self::NoMetaProperties(dir) => write!(
                f,
                "the log directory {} has partitions, but its meta.properties is missing or names no \
                 cluster: restore that file, or set log.dirs to another directory",
                dir.display()
            ),
            Self::MetaPropertiesVersion { dir, version } => write!(
                f,
                "the meta.properties of the log directory {} has version {version}, which a later Kafka \
                 wrote: start that Kafka on it, or set log.dirs to another directory",
                dir.display()
            ),
            Self::NoMetadataLog { dir, used_zookeeper } => no_metadata_log(dir, *used_zookeeper, f),
            Self::ClusterId { dir, found, cluster_id } => write!(
                f,
                "the log directory {} belongs to cluster {found}, but the others to {cluster_id}: remove it \
                 from log.dirs",
                dir.display()
            ),
            Self::DirectoryIdTwice { dir, id } => write!(
                f,
                "the log directory {} has the same directory.id as another, {id}, so one is a copy of the \
                 other: remove the copy from log.dirs",
                dir.display()
            ),
            Self::PartitionTwice { partition, dirs: [first, second] } => write!(
                f,
                "{partition} exists in both {} and {}, and the metadata assigns it to neither. Delete the \
                 stale copy: the one in the directory that failed or was restored",
                first.display(),
                second.display()
            ),
            Self::MetadataLogElsewhere { found, expected, has_log } => {
                metadata_log_elsewhere(found, expected, *has_log, f)
            }
        }
    }
}

impl std::error::Error for DirectoryError {}

fn no_metadata_log(dir: &Path, used_zookeeper: bool, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let dir = dir.display();
    if used_zookeeper {
        return write!(
            f,
            "the log directory {dir} is of a Kafka with ZooKeeper: have Kafka 3.9 migrate it to KRaft \
             first, or set log.dirs to another directory"
        );
    }
    write!(
        f,
        "the log directory {dir} has partitions, but there is no metadata log: restore __cluster_metadata-0 \
         from a backup, or set log.dirs to another directory"
    )
}

fn metadata_log_elsewhere(
    found: &Path,
    expected: &Path,
    has_log: bool,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    let what = if has_log { "has the metadata log" } else { "was used before" };
    write!(
        f,
        "the log directory {} {what}, but the metadata log is expected in {}: set metadata.log.dir to the \
         directory with __cluster_metadata-0",
        found.display(),
        expected.display()
    )
}

/// The remedy for a log directory that cannot be used.
fn mend(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::PermissionDenied => {
            ": start it as the user who owns the files, or set log.dirs to another directory"
        }
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::NotADirectory => {
            ": set log.dirs to a writable directory"
        }
        io::ErrorKind::StorageFull => ": free some space, or set log.dirs to a directory on another disk",
        _ => "",
    }
}
