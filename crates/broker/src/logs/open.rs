//! Opening the log directories at a start, and checking that they belong together.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use metadata::quorum::METADATA_TOPIC;
use metadata::settings::BrokerConfig;
use parking_lot::Mutex;
use protocol::Uuid;
use runtime::random;
use storage::fs::Fs;
use storage::{LogDirectory, MetaProperties, OpenDirectory, OpenDirectoryError, TopicPartition};
use tokio::sync::mpsc;
use tracing::error;

use super::Logs;
use super::duplicates::duplicates;
use crate::log_dir::LogDir;
use crate::start::StartError;

/// Segment files that may be open at once, in all directories, where the process may have enough descriptors. A closed
/// one is opened again when it is read.
const OPEN_FILES_MAX: usize = 4096;

/// The same where it may not: half of its descriptors are for connections, and for files that replies hold beyond
/// that.
fn open_files_max() -> usize {
    OPEN_FILES_MAX.min(runtime::descriptors_max() / 2)
}

/// Descriptors for all else: listeners, locks, what the runtime has, files that are written anew or read aside, those that
/// replies hold, and the console.
const OTHERS: usize = 48;
/// Connections for which there are descriptors in any case: a process with fewer serves nobody.
const CONNECTIONS_MIN: usize = 8;

/// Connections that leave the descriptors alone that files need: segments and indexes can then always be opened.
pub(crate) fn connections_max() -> usize {
    runtime::descriptors_max().saturating_sub(open_files_max() + OTHERS).max(CONNECTIONS_MIN)
}

/// The version of `meta.properties` that is written, and the latest that is read.
const META_PROPERTIES_VERSION: i32 = 1;

/// A directory on its way to being open.
pub(super) struct Opening {
    path: PathBuf,
    holds_partitions: bool,
    /// With what its `meta.properties` say; none where it does not work.
    pub(super) open: Option<(LogDirectory, Option<MetaProperties>)>,
}

impl Logs {
    /// Opens the log directories and starts the threads that flush them. One that cannot be read is offline and the
    /// others serve, save that of the metadata log.
    ///
    /// # Errors
    /// [`StartError`] with what to do about it.
    pub(crate) fn open(config: &BrokerConfig, fs: &Fs) -> Result<Self, StartError> {
        let mut opening = open_all(config, fs)?;
        let metadata_path = absolute(&config.metadata_log_dir);
        let metadata = opening.iter().position(|dir| dir.path == metadata_path);
        let metadata = metadata.expect("the directory of the metadata log is one of those opened");
        check_identified(&opening)?;
        check_metadata_log(&opening, metadata)?;
        let duplicates = Mutex::new(duplicates(&opening));
        let was_unclean =
            opening.iter().filter_map(|dir| dir.open.as_ref()).any(|(directory, properties)| {
                !directory.was_clean()
                    && properties.as_ref().is_some_and(|before| before.cluster_id.is_some())
            });
        let cluster_id = identify(&mut opening, metadata, config.node_id)?;
        let (failed, failures) = mpsc::unbounded_channel();
        let mut dirs = Vec::new();
        for (index, dir) in opening.into_iter().enumerate() {
            let Opening { path, holds_partitions, open } = dir;
            dirs.push(Arc::new(match open {
                None => LogDir::offline(path),
                Some((directory, properties)) => {
                    let failed = failed.clone();
                    // Nobody listens once the broker stops.
                    let listener = move |_: &storage::Offline| {
                        let _ = failed.send(index);
                    };
                    directory.set_failure_listener(Box::new(listener));
                    directory.set_reserved_bytes(u64::try_from(config.log_dir_reserved_bytes).unwrap_or(0));
                    let id = properties.and_then(|properties| properties.directory_id);
                    LogDir::online(path, Uuid(id.unwrap_or_default()), holds_partitions, directory)?
                }
            }));
        }
        let failures = Mutex::new(Some(failures));
        Ok(Self {
            dirs,
            metadata,
            cluster_id,
            duplicates,
            failures,
            without_room: Mutex::default(),
            was_unclean,
            recovery: Mutex::default(),
        })
    }
}

/// The path as clients are told it.
fn absolute(path: &str) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| PathBuf::from(path));
    path.components().filter(|component| *component != Component::CurDir).collect()
}

fn open_all(config: &BrokerConfig, fs: &Fs) -> Result<Vec<Opening>, StartError> {
    let mut paths: Vec<(PathBuf, bool)> = config.log_dirs.iter().map(|dir| (absolute(dir), true)).collect();
    let metadata = absolute(&config.metadata_log_dir);
    if paths.iter().all(|(path, _)| *path != metadata) {
        paths.push((metadata.clone(), false));
    }
    let open_files_max = open_files_max() / paths.len();
    let mut opening = Vec::new();
    for (path, holds_partitions) in paths {
        let open = match open_one(fs, &path, open_files_max) {
            Ok(open) => Some(open),
            // What another process has, or what is damaged, is for people to mend before anything starts.
            Err(StartError::Directory(OpenDirectoryError::Fs(cause)) | StartError::Fs(cause))
                if path != metadata =>
            {
                error!("the log directory {} is offline: {cause}", path.display());
                None
            }
            Err(problem) => return Err(problem),
        };
        opening.push(Opening { path, holds_partitions, open });
    }
    if !opening.iter().any(|dir| dir.holds_partitions && dir.open.is_some()) {
        return Err(StartError::NoLogDir);
    }
    Ok(opening)
}

fn open_one(
    fs: &Fs,
    path: &Path,
    open_files_max: usize,
) -> Result<(LogDirectory, Option<MetaProperties>), StartError> {
    let open = OpenDirectory { fs: fs.clone(), path: path.to_owned(), open_files_max };
    let directory = LogDirectory::open(open).map_err(StartError::Directory)?;
    let properties = directory.meta_properties().map_err(|problem| match problem {
        storage::CheckpointError::Fs(cause) => StartError::Fs(cause),
        malformed => StartError::MetaProperties(malformed),
    })?;
    Ok((directory, properties))
}

/// Refuses a directory that was used and does not say by whom any more: a new name would make it another's.
fn check_identified(opening: &[Opening]) -> Result<(), StartError> {
    for dir in opening {
        let Some((directory, properties)) = &dir.open else { continue };
        let version = properties.as_ref().map_or(0, |properties| properties.version);
        if version > META_PROPERTIES_VERSION {
            return Err(StartError::MetaPropertiesVersion { dir: dir.path.clone(), version });
        }
        let is_named = properties.as_ref().is_some_and(|properties| properties.cluster_id.is_some());
        if !is_named && !directory.partitions().is_empty() {
            return Err(StartError::NoMetaProperties(dir.path.clone()));
        }
    }
    Ok(())
}

/// Checks that the metadata log is where it is looked for, and nowhere else: a new one would know no topic, and all
/// partitions would be set aside as strays.
fn check_metadata_log(opening: &[Opening], metadata: usize) -> Result<(), StartError> {
    let log = TopicPartition { topic: METADATA_TOPIC.to_owned(), partition: 0 };
    for (index, dir) in opening.iter().enumerate() {
        let Some((directory, properties)) = &dir.open else { continue };
        let elsewhere = index != metadata && directory.holds(&log);
        let found_new = index != metadata
            && properties.as_ref().is_some_and(|properties| properties.cluster_id.is_some())
            && opening[metadata].open.as_ref().is_some_and(|(directory, _)| !directory.holds(&log));
        if elsewhere || found_new {
            let (found, expected) = (dir.path.clone(), opening[metadata].path.clone());
            return Err(StartError::MetadataLogElsewhere { found, expected, has_log: elsewhere });
        }
    }
    let has_log = opening[metadata].open.as_ref().is_some_and(|(directory, _)| directory.holds(&log));
    for dir in opening {
        let Some((directory, properties)) = &dir.open else { continue };
        if !has_log && !directory.partitions().is_empty() {
            let used_zookeeper = properties.as_ref().is_some_and(|properties| properties.version == 0);
            return Err(StartError::NoMetadataLog { dir: dir.path.clone(), used_zookeeper });
        }
    }
    Ok(())
}

/// Reads who wrote the directories, and makes those that are new this node's. Gives the cluster's id.
fn identify(opening: &mut [Opening], metadata: usize, node_id: i32) -> Result<String, StartError> {
    let known =
        |dir: &Opening| dir.open.as_ref().and_then(|(_, properties)| properties.as_ref()?.cluster_id.clone());
    let cluster_id = known(&opening[metadata]).or_else(|| opening.iter().find_map(known));
    let cluster_id = cluster_id.unwrap_or_else(|| Uuid(random::uuid_bytes()).to_string());
    let mut ids = BTreeSet::new();
    for Opening { path, open, .. } in opening.iter() {
        let Some((_, before)) = open else { continue };
        let before_cluster = before.as_ref().and_then(|before| before.cluster_id.clone());
        if let Some(found) =
            before.as_ref().and_then(|before| before.node_id).filter(|found| *found != node_id)
        {
            return Err(StartError::NodeId { dir: path.display().to_string(), found, given: node_id });
        }
        if let Some(found) = before_cluster.filter(|found| *found != cluster_id) {
            return Err(StartError::ClusterId { dir: path.clone(), found, cluster_id });
        }
        if let Some(id) = before.as_ref().and_then(|before| before.directory_id)
            && !ids.insert(id)
        {
            return Err(StartError::DirectoryIdTwice { dir: path.clone(), id: Uuid(id) });
        }
    }
    // Nothing is written before all of them belong together.
    for (directory, properties) in opening.iter_mut().filter_map(|dir| dir.open.as_mut()) {
        let directory_id = properties.as_ref().and_then(|before| before.directory_id);
        let directory_id = directory_id.unwrap_or_else(random::uuid_bytes);
        let complete = MetaProperties {
            version: META_PROPERTIES_VERSION,
            cluster_id: Some(cluster_id.clone()),
            node_id: Some(node_id),
            directory_id: Some(directory_id),
        };
        if properties.as_ref() != Some(&complete) {
            directory.write_meta_properties(&complete).map_err(StartError::Fs)?;
        }
        *properties = Some(complete);
    }
    Ok(cluster_id)
}
