//! The log directories of this broker: open existing logs, place new ones, and delete others.
//!
//! Nothing here knows what a log is used for.

mod duplicates;
mod durability;
mod error;
mod log_dir;
mod lost;
mod open;
mod place;
mod recovery;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;
use protocol::Uuid;
use runtime::{clock, random, task};
use storage::{Log, LogConfig, LogDirectory, OpenError, OpenLog, RecoveryReport, TopicPartition};
use tokio::sync::mpsc;
use tracing::{error, info, warn};

use duplicates::Duplicate;
use lost::LostLog;

pub(crate) use durability::{Durability, DurabilityLoss};
pub use error::DirectoryError;
pub(crate) use log_dir::LogDir;
pub(crate) use lost::Roll;
pub(crate) use open::connections_max;
pub use open::{Directories, SurveyReport, survey};
pub use recovery::Recovery;

/// All log directories of this broker, and the state of the logs in them.
pub(crate) struct LogDirs {
    /// In the order of `log.dirs`.
    dirs: Vec<Arc<LogDir>>,
    /// The index of the one with the metadata log.
    metadata: usize,
    cluster_id: String,
    /// Partitions that exist in more than one directory, until the metadata decides between the copies.
    duplicates: Mutex<Vec<Duplicate>>,
    /// Partitions whose logs are missing or misplaced, by topic id and number.
    lost: Mutex<BTreeMap<(Uuid, i32), LostLog>>,
    /// The indexes of failed directories. `None` once somebody follows them.
    failures: Mutex<Option<mpsc::UnboundedReceiver<usize>>>,
    /// Partitions that could not be opened because a disk was full: topic ids and numbers.
    without_room: Mutex<BTreeSet<(Uuid, i32)>>,
    /// Whether a directory that was used before was not closed cleanly.
    was_unclean: bool,
    /// The results of opening the logs.
    recovery: Mutex<Recovery>,
}

/// A log to open or create.
pub(crate) struct LogToOpen {
    pub(crate) partition: TopicPartition,
    pub(crate) topic_id: Uuid,
    /// The directory to which the controller assigns it.
    pub(crate) directory: Uuid,
    /// The directory that a client chose for it, if the log does not exist yet.
    pub(crate) preferred: Option<Arc<LogDir>>,
    pub(crate) config: Arc<LogConfig>,
}

/// A log to delete, and the directory that it is in.
pub(crate) type LogToDelete = (TopicPartition, Arc<LogDirectory>);

impl LogDirs {
    /// All directories, working or not, in the order of `log.dirs`.
    pub(crate) fn all(&self) -> &[Arc<LogDir>] {
        &self.dirs
    }

    /// The directories of `log.dirs`.
    pub(crate) fn partition_dirs(&self) -> impl Iterator<Item = &Arc<LogDir>> {
        self.dirs.iter().filter(|dir| dir.holds_partitions())
    }

    /// The ids of the directories of `log.dirs` that work.
    pub(crate) fn online_ids(&self) -> Vec<Uuid> {
        self.partition_dirs().filter(|dir| dir.is_online()).map(|dir| dir.id()).collect()
    }

    /// The ids of the directories of `log.dirs` that have failed.
    pub(crate) fn offline_ids(&self) -> Vec<Uuid> {
        self.partition_dirs().filter(|dir| !dir.is_online()).map(|dir| dir.id()).collect()
    }

    /// The directory of the metadata log.
    pub(crate) fn metadata_dir(&self) -> &Arc<LogDir> {
        &self.dirs[self.metadata]
    }

    /// The id of the cluster that the directories belong to.
    pub(crate) fn cluster_id(&self) -> &str {
        &self.cluster_id
    }

    /// The receiver of failed directories' indexes in [`LogDirs::all`]. Can be taken once.
    pub(crate) fn take_failures(&self) -> mpsc::UnboundedReceiver<usize> {
        self.failures.lock().take().expect("failures are followed by one")
    }

    /// The directory that already has a partition.
    pub(crate) fn find(&self, partition: &TopicPartition) -> Option<&Arc<LogDir>> {
        self.partition_dirs().find(|dir| dir.holds(partition))
    }

    /// Opens a log, and returns it with its directory. If it cannot be opened, the reason is logged and the
    /// partition is offline; the others serve.
    pub(crate) fn open_log(&self, log: LogToOpen) -> Option<(Log, Arc<LogDir>)> {
        let LogToOpen { partition, topic_id, directory, preferred, config } = log;
        let dir = match self.place(&partition, topic_id.0, directory, preferred.as_ref()) {
            Ok(dir) => dir,
            Err(reason) => {
                error!(%partition, "the partition is offline: {reason}");
                return None;
            }
        };
        let open = OpenLog {
            partition: partition.clone(),
            topic_id: Some(topic_id.0),
            config,
            now_ms: clock::now_ms(),
            jitter_seed: random::u64(),
            accept_damage: false,
        };
        match Log::open(&*dir.working()?, open) {
            Ok((log, recovered)) => {
                self.recovery.lock().add(&recovered);
                log_recovery(&partition, &recovered);
                Some((log, Arc::clone(dir)))
            }
            Err(problem) => {
                error!(%partition, "the partition is offline: {problem}");
                if matches!(&problem, OpenError::Fs(error) if error.passes()) {
                    self.without_room.lock().insert((topic_id, partition.partition));
                }
                None
            }
        }
    }

    /// The results of opening the logs so far; `None` if all directories were closed cleanly.
    pub(crate) fn recovery(&self) -> Option<Recovery> {
        self.was_unclean.then(|| *self.recovery.lock())
    }

    /// Takes the partitions that could not be opened because a disk was full, so that they are tried again.
    pub(crate) fn take_without_room(&self) -> BTreeSet<(Uuid, i32)> {
        std::mem::take(&mut *self.without_room.lock())
    }

    /// The directory that has a partition of that topic, if it works. A directory of another topic with the
    /// same name does not count.
    pub(crate) fn find_of_topic(&self, partition: &TopicPartition, topic: Uuid) -> Option<Arc<LogDirectory>> {
        self.find(partition)?
            .working()
            .filter(|directory| directory.topic_id(partition).ok().flatten().is_none_or(|id| id == topic.0))
    }

    /// Deletes logs that are closed. Their names are free at once; their files are removed a little later.
    pub(crate) fn delete(&self, logs: Vec<LogToDelete>) {
        let mut by_dir: Vec<(Arc<LogDirectory>, Vec<TopicPartition>)> = Vec::new();
        for (name, directory) in logs {
            match by_dir.iter_mut().find(|(known, _)| Arc::ptr_eq(known, &directory)) {
                Some((_, names)) => names.push(name),
                None => by_dir.push((directory, vec![name])),
            }
        }
        for (directory, names) in by_dir {
            // Comes first, so that a partition of the same name that is created later is not missed.
            if let Err(problem) = directory.forget(&names) {
                warn!("the checkpoints still have deleted partitions: {problem}");
            }
            let names: Vec<_> = names.into_iter().map(|name| (name, unique_id())).collect();
            let (paths, failures) = directory.rename_all_deleted(&names);
            for problem in failures {
                error!("files of deleted partitions are still there: {problem}");
            }
            remove_later(&directory, paths);
        }
    }

    /// Writes recovery points and log start offsets, so that a restart after a crash scans less.
    pub(crate) fn checkpoint(&self) {
        self.dirs.iter().for_each(|dir| dir.checkpoint());
    }

    /// Closes the directories, whose logs are already closed.
    pub(crate) fn close(&self, broker_epoch: i64) {
        self.dirs.iter().for_each(|dir| dir.close(broker_epoch));
    }
}

fn log_recovery(partition: &TopicPartition, report: &RecoveryReport) {
    if let Some(truncation) = &report.truncation {
        let bytes = truncation.bytes;
        if truncation.only_zeros {
            info!(%partition, bytes, "zeros after the last batch were truncated");
        } else {
            warn!(%partition, bytes, "the end of the log was truncated: {}", truncation.damage);
        }
    }
    if report.scanned_bytes > 0 {
        let bytes = report.scanned_bytes;
        info!(%partition, bytes, "the log was checked from its recovery point");
    }
}

/// A suffix that tells a directory from others of the same partition.
pub(crate) fn unique_id() -> String {
    format!("{:016x}{:016x}", random::u64(), random::u64())
}

/// Removes directories in the background.
pub(crate) fn remove_later(directory: &LogDirectory, paths: Vec<PathBuf>) {
    if paths.is_empty() {
        return;
    }
    // The remover does not keep the directory open.
    let remover = directory.remover();
    drop(task::spawn_blocking(move || {
        for path in paths {
            match remover.remove(&path) {
                Ok(true) => {}
                Ok(false) => break,
                Err(problem) => warn!("deleted files are still on the disk: {problem}"),
            }
        }
    }));
}
