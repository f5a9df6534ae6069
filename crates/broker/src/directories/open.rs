//! Opens the log directories at a start, and checks that they belong together.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use metadata::quorum::{self, METADATA_TOPIC, QuorumConfig, Survey};
use parking_lot::Mutex;
use protocol::Uuid;
use runtime::random;
use settings::BrokerConfig;
use storage::fs::Fs;
use storage::{LogDirectory, MetaProperties, OpenDirectory, OpenDirectoryError, TopicPartition};
use tokio::sync::mpsc;
use tracing::error;
use tracing::subscriber::NoSubscriber;

use super::LogDirs;
use super::duplicates::{self, duplicates};
use super::error::DirectoryError;
use super::log_dir::LogDir;

/// The most segment files that are open at once, in all directories, if the process may have enough
/// descriptors. A file that was closed is opened again for a read.
const OPEN_FILES_MAX: usize = 4096;

/// The limit on open segment files in this process: at most half of its descriptors, which leaves the others
/// to connections, and to files that replies still hold.
fn open_files_max() -> usize {
    OPEN_FILES_MAX.min(runtime::descriptors_max() / 2)
}

/// Descriptors for everything else: listeners, locks, files that are rewritten or read for other purposes,
/// files that replies hold, and the console.
const OTHERS: usize = 36;
/// Connections that are accepted even if there are too few descriptors: a process with fewer would serve
/// nobody.
const CONNECTIONS_MIN: usize = 8;

/// The most connections that leave enough descriptors for files: segments and indexes can then always be
/// opened. Called before the logs of partitions are open, which have descriptors of their own.
pub(crate) fn connections_max() -> usize {
    connections_beside(open_files_max(), runtime::descriptors_max(), runtime::descriptors_open())
}

/// The same in a process that may have `max` descriptors and starts with `open` of them: the runtime's, and
/// inherited ones.
fn connections_beside(files: usize, max: usize, open: usize) -> usize {
    max.saturating_sub(files + open + OTHERS).max(CONNECTIONS_MIN)
}

/// The file that a broker locks in each of its directories.
const LOCK_FILE: &str = ".lock";

/// The version of `meta.properties` that is written, and the latest that is read.
const META_PROPERTIES_VERSION: i32 = 1;

/// The directories of a node.
#[derive(Clone, Debug)]
pub struct Directories {
    /// `log.dirs`.
    pub log_dirs: Vec<String>,
    /// `metadata.log.dir`, or the first of `log.dirs`.
    pub metadata_log_dir: String,
}

impl Directories {
    /// The directories in a node's settings.
    pub(crate) fn of(config: &BrokerConfig) -> Self {
        Self { log_dirs: config.log_dirs.clone(), metadata_log_dir: config.metadata_log_dir.clone() }
    }

    /// Returns each path once, absolute, with whether it holds partitions; and the index of the one with the
    /// metadata log.
    fn paths(&self) -> (Vec<(PathBuf, bool)>, usize) {
        let mut paths: Vec<_> = self.log_dirs.iter().map(|dir| (absolute(dir), true)).collect();
        let metadata = absolute(&self.metadata_log_dir);
        let found = paths.iter().position(|(path, _)| *path == metadata);
        let place = found.unwrap_or_else(|| {
            paths.push((metadata, false));
            paths.len() - 1
        });
        (paths, place)
    }
}

/// A directory that a start has tried to open.
pub(super) struct CandidateDir {
    path: PathBuf,
    holds_partitions: bool,
    /// The directory with the contents of its `meta.properties`; `None` if it does not work.
    pub(super) open: Option<(LogDirectory, Option<MetaProperties>)>,
}

impl LogDirs {
    /// Opens the log directories and starts their flush threads. A directory that cannot be read is offline
    /// and the others serve, unless it is the one of the metadata log.
    ///
    /// # Errors
    /// [`DirectoryError`] with what to do about it.
    pub(crate) fn open(config: &BrokerConfig, fs: &Fs) -> Result<Self, DirectoryError> {
        let opened = open_dirs(&Directories::of(config), config.node_id, fs)?;
        let duplicates = Mutex::new(duplicates(&opened.dirs));
        let (failed, failures) = mpsc::unbounded_channel();
        let mut dirs = Vec::new();
        for (index, dir) in opened.dirs.into_iter().enumerate() {
            let CandidateDir { path, holds_partitions, open } = dir;
            dirs.push(Arc::new(match open {
                None => LogDir::offline(path),
                Some((directory, properties)) => {
                    let failed = failed.clone();
                    // After a stop nobody receives it.
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
            metadata: opened.metadata,
            cluster_id: opened.cluster_id,
            duplicates,
            lost: Mutex::default(),
            failures,
            without_room: Mutex::default(),
            was_unclean: opened.was_unclean,
            recovery: Mutex::default(),
        })
    }
}

impl CandidateDir {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Its `directory.id`, or zero if it does not work.
    pub(super) fn id(&self) -> Uuid {
        let properties = self.open.as_ref().and_then(|(_, properties)| properties.as_ref());
        Uuid(properties.and_then(|properties| properties.directory_id).unwrap_or_default())
    }
}

/// Directories that are open and belong together.
struct OpenedDirs {
    dirs: Vec<CandidateDir>,
    /// The index of the directory with the metadata log.
    metadata: usize,
    cluster_id: String,
    /// Whether a directory that was used before was not closed cleanly.
    was_unclean: bool,
}

/// Opens the directories of a node, and writes the node's identity into new ones.
fn open_dirs(directories: &Directories, node_id: i32, fs: &Fs) -> Result<OpenedDirs, DirectoryError> {
    let (paths, metadata) = directories.paths();
    let mut candidates = open_all(paths, metadata, fs)?;
    check_identified(&candidates)?;
    check_metadata_log(&candidates, metadata)?;
    let was_unclean = candidates.iter().filter_map(|dir| dir.open.as_ref()).any(|(directory, properties)| {
        !directory.was_clean() && properties.as_ref().is_some_and(|before| before.cluster_id.is_some())
    });
    let cluster_id = identify(&mut candidates, metadata, node_id)?;
    Ok(OpenedDirs { dirs: candidates, metadata, cluster_id, was_unclean })
}

/// The state that a start would find in the directories.
#[derive(Clone, Debug)]
pub struct SurveyReport {
    /// The state of the metadata.
    pub survey: Survey,
    /// The reasons why the node cannot start from there, one sentence each; empty if it can.
    pub refusals: Vec<String>,
}

/// Reads the directories of node `node_id` with the code of a start, and changes nothing.
///
/// # Errors
/// [`DirectoryError`] with what to do about it.
pub fn survey(directories: &Directories, node_id: i32, fs: &Fs) -> Result<SurveyReport, DirectoryError> {
    for (path, _) in directories.paths().0 {
        check_unlocked(&path, fs)?;
    }
    // A real start logs the findings when it opens the directories.
    tracing::subscriber::with_default(NoSubscriber::new(), || {
        let opened = open_dirs(directories, node_id, &fs.overlay())?;
        let metadata = &opened.dirs[opened.metadata];
        let (directory, _) = metadata.open.as_ref().expect("a start without it has failed");
        quorum::check_room(directory).map_err(DirectoryError::Metadata)?;
        let config = QuorumConfig::of_node(node_id, metadata.id());
        let survey = quorum::survey_in(&config, directory).map_err(DirectoryError::Metadata)?;
        let refusals = survey.refusals(node_id, directories.log_dirs.len());
        if refusals.is_empty() {
            duplicates::check(&opened.dirs, &survey.image, node_id)?;
        }
        Ok(SurveyReport { survey, refusals })
    })
}

/// Checks that no other process uses a directory, without creating a file there.
fn check_unlocked(path: &Path, fs: &Fs) -> Result<(), DirectoryError> {
    let lock = path.join(LOCK_FILE);
    // Another reason why it cannot be locked is reported when the directory is opened.
    match fs.exists(&lock).and_then(|exists| if exists { fs.lock(&lock).map(Some) } else { Ok(None) }) {
        Ok(Some(None)) => Err(DirectoryError::Open(OpenDirectoryError::Locked(path.to_owned()))),
        _ => Ok(()),
    }
}

/// The absolute path, as clients see it.
fn absolute(path: &str) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| PathBuf::from(path));
    path.components().filter(|component| *component != Component::CurDir).collect()
}

fn open_all(
    paths: Vec<(PathBuf, bool)>,
    metadata: usize,
    fs: &Fs,
) -> Result<Vec<CandidateDir>, DirectoryError> {
    let open_files_max = open_files_max() / paths.len();
    let mut candidates = Vec::new();
    for (place, (path, holds_partitions)) in paths.into_iter().enumerate() {
        let open = match open_one(fs, &path, open_files_max) {
            Ok(open) => Some(open),
            // If another process uses the directory, or it is damaged, a person must act before anything
            // starts.
            Err(DirectoryError::Open(OpenDirectoryError::Fs(cause)) | DirectoryError::Fs(cause))
                if place != metadata =>
            {
                error!("the log directory {} is offline: {cause}", path.display());
                None
            }
            Err(problem) => return Err(problem),
        };
        candidates.push(CandidateDir { path, holds_partitions, open });
    }
    if !candidates.iter().any(|dir| dir.holds_partitions && dir.open.is_some()) {
        return Err(DirectoryError::NoLogDir);
    }
    Ok(candidates)
}

fn open_one(
    fs: &Fs,
    path: &Path,
    open_files_max: usize,
) -> Result<(LogDirectory, Option<MetaProperties>), DirectoryError> {
    let open = OpenDirectory { fs: fs.clone(), path: path.to_owned(), open_files_max };
    let directory = LogDirectory::open(open).map_err(DirectoryError::Open)?;
    let properties = directory.meta_properties().map_err(|problem| match problem {
        storage::CheckpointError::Fs(cause) => DirectoryError::Fs(cause),
        malformed => DirectoryError::MetaProperties(malformed),
    })?;
    Ok((directory, properties))
}

/// Rejects a used directory that has lost its identity: with a new one it would become another directory.
fn check_identified(candidates: &[CandidateDir]) -> Result<(), DirectoryError> {
    for dir in candidates {
        let Some((directory, properties)) = &dir.open else { continue };
        let version = properties.as_ref().map_or(0, |properties| properties.version);
        if version > META_PROPERTIES_VERSION {
            return Err(DirectoryError::MetaPropertiesVersion { dir: dir.path.clone(), version });
        }
        let is_named = properties.as_ref().is_some_and(|properties| properties.cluster_id.is_some());
        if !is_named && !directory.partitions().is_empty() {
            return Err(DirectoryError::NoMetaProperties(dir.path.clone()));
        }
    }
    Ok(())
}

/// Checks that the metadata log is in the expected directory, and in no other. A new metadata log would know
/// no topic, and all partitions would be set aside as strays.
fn check_metadata_log(candidates: &[CandidateDir], metadata: usize) -> Result<(), DirectoryError> {
    let log = TopicPartition { topic: METADATA_TOPIC.to_owned(), partition: 0 };
    for (index, dir) in candidates.iter().enumerate() {
        let Some((directory, properties)) = &dir.open else { continue };
        let elsewhere = index != metadata && directory.holds(&log);
        let found_new = index != metadata
            && properties.as_ref().is_some_and(|properties| properties.cluster_id.is_some())
            && candidates[metadata]
                .open
                .as_ref()
                .is_some_and(|(directory, _)| !directory.holds(&log) && !quorum::is_formatted(directory));
        if elsewhere || found_new {
            let (found, expected) = (dir.path.clone(), candidates[metadata].path.clone());
            return Err(DirectoryError::MetadataLogElsewhere { found, expected, has_log: elsewhere });
        }
    }
    let has_log = candidates[metadata].open.as_ref().is_some_and(|(directory, _)| directory.holds(&log));
    for dir in candidates {
        let Some((directory, properties)) = &dir.open else { continue };
        if !has_log && !directory.partitions().is_empty() {
            let used_zookeeper = properties.as_ref().is_some_and(|properties| properties.version == 0);
            return Err(DirectoryError::NoMetadataLog { dir: dir.path.clone(), used_zookeeper });
        }
    }
    Ok(())
}

/// Reads the identity of each directory, and writes this node's into new ones. Returns the cluster's id.
fn identify(
    candidates: &mut [CandidateDir],
    metadata: usize,
    node_id: i32,
) -> Result<String, DirectoryError> {
    let known = |dir: &CandidateDir| {
        dir.open.as_ref().and_then(|(_, properties)| properties.as_ref()?.cluster_id.clone())
    };
    let cluster_id = known(&candidates[metadata]).or_else(|| candidates.iter().find_map(known));
    let cluster_id = cluster_id.unwrap_or_else(|| Uuid(random::uuid_bytes()).to_string());
    let mut ids = BTreeSet::new();
    for CandidateDir { path, open, .. } in candidates.iter() {
        let Some((_, before)) = open else { continue };
        let before_cluster = before.as_ref().and_then(|before| before.cluster_id.clone());
        if let Some(found) =
            before.as_ref().and_then(|before| before.node_id).filter(|found| *found != node_id)
        {
            return Err(DirectoryError::NodeId { dir: path.display().to_string(), found, given: node_id });
        }
        if let Some(found) = before_cluster.filter(|found| *found != cluster_id) {
            return Err(DirectoryError::ClusterId { dir: path.clone(), found, cluster_id });
        }
        if let Some(id) = before.as_ref().and_then(|before| before.directory_id)
            && !ids.insert(id)
        {
            return Err(DirectoryError::DirectoryIdTwice { dir: path.clone(), id: Uuid(id) });
        }
    }
    // Nothing is written before all directories are known to belong together.
    for (directory, properties) in candidates.iter_mut().filter_map(|dir| dir.open.as_mut()) {
        let directory_id = properties.as_ref().and_then(|before| before.directory_id);
        let directory_id = directory_id.unwrap_or_else(random::uuid_bytes);
        let complete = MetaProperties {
            version: META_PROPERTIES_VERSION,
            cluster_id: Some(cluster_id.clone()),
            node_id: Some(node_id),
            directory_id: Some(directory_id),
        };
        if properties.as_ref() != Some(&complete) {
            directory.write_meta_properties(&complete).map_err(DirectoryError::Fs)?;
        }
        *properties = Some(complete);
    }
    Ok(cluster_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_and_inherited_descriptors_theirs() {
        assert_eq!(connections_beside(80, 160, 14), 30);
        assert_eq!(connections_beside(80, 160, 30), 14);
        assert_eq!(connections_beside(80, 160, 200), CONNECTIONS_MIN);
        assert_eq!(connections_beside(4096, usize::MAX, 14), usize::MAX - 4096 - 14 - OTHERS);
    }
}
