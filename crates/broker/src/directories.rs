//! The log directories of this broker: opens the logs of partitions where they are, places new ones,
//! deletes and closes them.

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
use protocol::{Str, Uuid};
use runtime::{clock, random, task};
use storage::{Log, LogDirectory, OpenError, OpenLog, TopicPartition};
use tokio::sync::mpsc;
use tracing::{error, info, warn};

use crate::beside;
use crate::replicas::{Leadership, PartitionRules, PartitionSlot, Replica, Topic, TopicTable};
use duplicates::Duplicate;
use lost::LostLog;

pub(crate) use durability::{Durability, FlushNews, Lost};
pub use error::DirectoryError;
pub(crate) use log_dir::LogDir;
pub(crate) use lost::Roll;
pub(crate) use open::connections_max;
pub use open::{Directories, Surveyed, survey};
pub use recovery::Recovery;

/// The logs of this broker.
pub(crate) struct Logs {
    /// In the order of `log.dirs`.
    dirs: Vec<Arc<LogDir>>,
    /// Which of them has the metadata log.
    metadata: usize,
    cluster_id: String,
    /// Partitions that were found in more than one directory, until it is settled where they are.
    duplicates: Mutex<Vec<Duplicate>>,
    /// Partitions whose logs are not where they should be, by topic id and number.
    lost: Mutex<BTreeMap<(Uuid, i32), LostLog>>,
    /// Which directories have failed. None once it is followed.
    failures: Mutex<Option<mpsc::UnboundedReceiver<usize>>>,
    /// Partitions that could not be opened because a disk was full: topic ids and numbers.
    without_room: Mutex<BTreeSet<(Uuid, i32)>>,
    /// Whether a directory that was used before was not closed cleanly.
    was_unclean: bool,
    /// What the logs that were opened had lost or to be checked.
    recovery: Mutex<Recovery>,
}

/// What is known of a partition before its log is open.
pub(crate) struct PartitionToOpen {
    pub(crate) topic: Str,
    pub(crate) topic_id: [u8; 16],
    pub(crate) index: i32,
    /// The directory that the controller knows it in.
    pub(crate) directory: Uuid,
    /// The directory in which a client wants it to be made, where it is not anywhere yet.
    pub(crate) preferred: Option<Arc<LogDir>>,
    pub(crate) leadership: Leadership,
    /// The same for all partitions of a topic, and shared by them.
    pub(crate) rules: Arc<PartitionRules>,
}

impl Logs {
    /// All directories, working or not, in the order of `log.dirs`.
    pub(crate) fn dirs(&self) -> &[Arc<LogDir>] {
        &self.dirs
    }

    /// Those of `log.dirs`.
    pub(crate) fn partition_dirs(&self) -> impl Iterator<Item = &Arc<LogDir>> {
        self.dirs.iter().filter(|dir| dir.holds_partitions())
    }

    /// The ids of those of `log.dirs` that work.
    pub(crate) fn online_ids(&self) -> Vec<Uuid> {
        self.partition_dirs().filter(|dir| dir.is_online()).map(|dir| dir.id()).collect()
    }

    /// The directory of the metadata log.
    pub(crate) fn metadata_dir(&self) -> &Arc<LogDir> {
        &self.dirs[self.metadata]
    }

    /// The id of the cluster that the directories belong to.
    pub(crate) fn cluster_id(&self) -> &str {
        &self.cluster_id
    }

    /// What says which directories fail, by their places in [`Logs::dirs`]. Once.
    pub(crate) fn take_failures(&self) -> mpsc::UnboundedReceiver<usize> {
        self.failures.lock().take().expect("failures are followed by one")
    }

    /// The directory that has a partition already.
    pub(crate) fn find(&self, partition: &TopicPartition) -> Option<&Arc<LogDir>> {
        self.partition_dirs().find(|dir| dir.holds(partition))
    }

    /// Opens the log of a partition, or says in the log why it cannot be: it is offline then, and
    /// the others serve.
    pub(crate) fn open_partition(&self, partition: PartitionToOpen) -> PartitionSlot {
        let PartitionToOpen { topic, topic_id, index, directory, preferred, leadership, rules } = partition;
        let name = TopicPartition { topic: topic.to_string(), partition: index };
        let dir = match self.place(&name, topic_id, directory, preferred.as_ref()) {
            Ok(dir) => dir,
            Err(reason) => {
                error!(partition = %name, "the partition is offline: {reason}");
                return None;
            }
        };
        let open = OpenLog {
            partition: name.clone(),
            topic_id: Some(topic_id),
            config: rules.log(),
            now_ms: clock::now_ms(),
            jitter_seed: random::u64(),
            accept_damage: false,
        };
        match Log::open(&*dir.working()?, open) {
            Ok((log, recovered)) => {
                self.recovery.lock().add(&recovered);
                if let Some(cut) = &recovered.cut {
                    let bytes = cut.bytes;
                    if cut.only_zeros {
                        info!(partition = %name, bytes, "zeros that followed the last batch were removed");
                    } else {
                        warn!(partition = %name, bytes, "the end of the log was cut: {}", cut.damage);
                    }
                }
                if recovered.scanned_bytes > 0 {
                    let bytes = recovered.scanned_bytes;
                    info!(partition = %name, bytes, "the log was checked from its recovery point on");
                }
                Some(Arc::new(Replica::lead(topic, index, leadership, rules, log, Arc::clone(dir))))
            }
            Err(problem) => {
                error!(partition = %name, "the partition is offline: {problem}");
                if matches!(&problem, OpenError::Fs(error) if error.passes()) {
                    self.without_room.lock().insert((Uuid(topic_id), index));
                }
                None
            }
        }
    }

    /// What the logs opened so far came to; none where all directories were closed cleanly.
    pub(crate) fn recovery(&self) -> Option<Recovery> {
        self.was_unclean.then(|| *self.recovery.lock())
    }

    /// The partitions that could not be opened because a disk was full, to be tried again.
    pub(crate) fn take_without_room(&self) -> BTreeSet<(Uuid, i32)> {
        std::mem::take(&mut *self.without_room.lock())
    }

    /// Deletes the logs of the partitions of topics. Their files are gone from their names at once and from the disk a
    /// little later.
    pub(crate) fn delete_topics(&self, topics: &[Arc<Topic>]) {
        let mut by_dir: Vec<(Arc<LogDirectory>, Vec<TopicPartition>)> = Vec::new();
        for topic in topics {
            self.forget_lost(topic.id());
            for (number, slot) in (0..).zip(topic.slots()) {
                let name = TopicPartition { topic: topic.name().to_string(), partition: number };
                let dir = match slot {
                    Some(partition) => {
                        drop(partition.take_log());
                        partition.log_dir().working()
                    }
                    // It was offline, and its files would stand in the way of another topic of that name.
                    None => self.find(&name).and_then(|dir| dir.working()).filter(|directory| {
                        directory.topic_id(&name).ok().flatten().is_none_or(|id| id == topic.id().0)
                    }),
                };
                let Some(directory) = dir else { continue };
                match by_dir.iter_mut().find(|(known, _)| Arc::ptr_eq(known, &directory)) {
                    Some((_, names)) => names.push(name),
                    None => by_dir.push((directory, vec![name])),
                }
            }
        }
        for (directory, names) in by_dir {
            // First, so that a partition of that name which is made later is not missed.
            if let Err(problem) = directory.forget(&names) {
                warn!("the checkpoints tell of partitions that are deleted: {problem}");
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

    /// Closes all logs, so that the next start reads nothing but the ends of their files.
    pub(crate) fn close(&self, table: &TopicTable, broker_epoch: i64) {
        close_logs(table.partitions().cloned().collect());
        self.dirs.iter().for_each(|dir| dir.close(broker_epoch));
    }
}

/// Closes logs, several at a time: each waits for the disk a few times.
fn close_logs(partitions: Vec<Arc<Replica>>) {
    beside::map(partitions, |partition| {
        if let Some(log) = partition.take_log()
            && let Err(problem) = log.close()
        {
            warn!(partition = partition.name(), "the log was not closed cleanly: {problem}");
        }
    });
}

/// What tells a directory from others of the same partition.
pub(crate) fn unique_id() -> String {
    format!("{:016x}{:016x}", random::u64(), random::u64())
}

/// Removes directories without making anybody wait for it.
pub(crate) fn remove_later(directory: &LogDirectory, paths: Vec<PathBuf>) {
    if paths.is_empty() {
        return;
    }
    // It does not keep the directory open.
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
