//! The log directory of this broker: opens the logs of partitions, flushes, retains, deletes and
//! closes them.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

use metadata::settings::BrokerConfig;
use parking_lot::Mutex;
use protocol::Str;
use runtime::{clock, random, task};
use storage::fs::Fs;
use storage::{Log, LogDirectory, OpenDirectory, OpenLog, TopicPartition};
use tracing::{error, info, warn};

use crate::partition::{Leadership, Partition, PartitionRules};
use crate::start::StartError;
use crate::topics::{PartitionSlot, TopicTable};

/// Segment files that may be open at once, where the process may have enough descriptors. A closed
/// one is opened again when it is read.
const OPEN_FILES_MAX: usize = 4096;

/// The same where it may not: half of its descriptors are for connections, and for files that
/// replies hold beyond that.
fn open_files_max() -> usize {
    OPEN_FILES_MAX.min(runtime::descriptors_max() / 2)
}

/// The logs of this broker. With several `log.dirs` there would be one of these for each.
pub(crate) struct Logs {
    /// None once it is closed.
    directory: Mutex<Option<Arc<LogDirectory>>>,
    flushing: Mutex<Option<JoinHandle<()>>>,
}

/// What is known of a partition before its log is open.
pub(crate) struct PartitionToOpen {
    pub(crate) topic: Str,
    pub(crate) topic_id: [u8; 16],
    pub(crate) index: i32,
    pub(crate) leadership: Leadership,
    /// The same for all partitions of a topic, and shared by them.
    pub(crate) rules: Arc<PartitionRules>,
}

impl Logs {
    /// Opens the log directory and starts the thread that flushes it.
    ///
    /// # Errors
    /// [`StartError`] with what to do about it.
    pub(crate) fn open(config: &BrokerConfig) -> Result<Self, StartError> {
        let [path] = config.log_dirs.as_slice() else {
            return Err(StartError::SeveralLogDirs(config.log_dirs.clone()));
        };
        let path = PathBuf::from(path);
        let open = OpenDirectory { fs: Fs::real(), path, open_files_max: open_files_max() };
        let directory = LogDirectory::open(open).map_err(StartError::Directory)?;
        let flusher = directory.flusher();
        let flushing =
            task::spawn_thread("milena-flush", move || flusher.run()).map_err(StartError::Thread)?;
        Ok(Self { directory: Mutex::new(Some(Arc::new(directory))), flushing: Mutex::new(Some(flushing)) })
    }

    /// The directory; none once it is closed.
    pub(crate) fn directory(&self) -> Option<Arc<LogDirectory>> {
        self.directory.lock().clone()
    }

    /// Opens the log of a partition, or says in the log why it cannot be: it is offline then, and
    /// the others serve.
    pub(crate) fn open_partition(&self, partition: PartitionToOpen) -> PartitionSlot {
        let directory = self.directory()?;
        let PartitionToOpen { topic, topic_id, index, leadership, rules } = partition;
        let name = TopicPartition { topic: topic.to_string(), partition: index };
        let open = OpenLog {
            partition: name.clone(),
            topic_id: Some(topic_id),
            config: rules.log(),
            now_ms: clock::now_ms(),
            jitter_seed: random::u64(),
            accept_damage: false,
        };
        match Log::open(&directory, open) {
            Ok((log, recovered)) => {
                if let Some(cut) = &recovered.cut {
                    let bytes = cut.bytes;
                    warn!(partition = %name, bytes, "the end of the log was cut: {}", cut.damage);
                }
                if recovered.scanned_bytes > 0 {
                    let bytes = recovered.scanned_bytes;
                    info!(partition = %name, bytes, "the log was checked from its recovery point on");
                }
                Some(Arc::new(Partition::lead(topic, index, leadership, rules, log)))
            }
            Err(problem) => {
                error!(partition = %name, "the partition is offline: {problem}");
                None
            }
        }
    }

    /// Deletes the log of a partition. Its files are gone from its name at once and from the disk
    /// a little later.
    pub(crate) fn delete_partition(&self, partition: &Partition) {
        let Some(directory) = self.directory() else { return };
        let name = TopicPartition { topic: partition.topic().to_string(), partition: partition.index() };
        drop(partition.take_log());
        let unique_id = format!("{:016x}{:016x}", random::u64(), random::u64());
        match directory.rename_deleted(&name, &unique_id) {
            Ok(path) => remove_later(directory, path),
            Err(problem) => error!(partition = %name, "the partition's files are still there: {problem}"),
        }
    }

    /// Sets aside directories of partitions that the cluster does not know, and removes what
    /// earlier deletions left behind.
    pub(crate) fn clean_up(&self, is_known: impl Fn(&TopicPartition, Option<[u8; 16]>) -> bool) {
        let Some(directory) = self.directory() else { return };
        for partition in directory.partitions() {
            let topic_id = directory.topic_id(&partition).ok().flatten();
            if is_known(&partition, topic_id) {
                continue;
            }
            let unique_id = format!("{:016x}{:016x}", random::u64(), random::u64());
            match directory.rename_stray(&partition, &unique_id) {
                Ok(path) => warn!(
                    "{partition} is no partition of this cluster: its files were set aside in {}",
                    path.display()
                ),
                Err(problem) => error!("the files of the unknown {partition} stay where they are: {problem}"),
            }
        }
        for (kind, path) in directory.leftovers().unwrap_or_default() {
            if kind == storage::DirKind::Delete {
                remove_later(Arc::clone(&directory), path);
            }
        }
    }

    /// Writes recovery points and log start offsets, so that a restart after a crash scans less.
    pub(crate) fn checkpoint(&self) {
        let Some(directory) = self.directory() else { return };
        let written =
            directory.checkpoint_log_offsets().and_then(|()| directory.checkpoint_high_watermarks());
        if let Err(problem) = written {
            error!("the checkpoints were not written: {problem}");
        }
    }

    /// Closes all logs, so that the next start reads nothing but the ends of their files.
    pub(crate) fn close(&self, table: &TopicTable, broker_epoch: i64) {
        for partition in table.partitions() {
            if let Some(log) = partition.take_log()
                && let Err(problem) = log.close()
            {
                warn!(partition = partition.name(), "the log was not closed cleanly: {problem}");
            }
        }
        let Some(directory) = self.directory.lock().take() else { return };
        directory.flusher().stop();
        if let Some(flushing) = self.flushing.lock().take()
            && flushing.join().is_err()
        {
            error!("the thread that flushes ended by a panic");
        }
        let Some(directory) = Arc::into_inner(directory) else {
            // A removal in the background still has it; the next start is one after a crash.
            warn!("the log directory is still in use: the next start checks the logs again");
            return;
        };
        match directory.close(broker_epoch) {
            Ok(true) => {}
            Ok(false) => warn!("not all logs were closed cleanly: the next start checks them again"),
            Err(problem) => warn!("the next start checks the logs again: {problem}"),
        }
    }
}

/// Removes a directory without making anybody wait for it.
fn remove_later(directory: Arc<LogDirectory>, path: PathBuf) {
    drop(task::spawn_blocking(move || {
        if let Err(problem) = directory.remove(&path) {
            warn!("deleted files are still on the disk: {problem}");
        }
    }));
}
