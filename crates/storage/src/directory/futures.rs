//! Logs that are being moved to a log directory from another (KIP-113).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{DirectoryState, LogDirectory, NotedOffsets, Offsets, PartitionState, read_topic_id};
use crate::flusher::FlushState;
use crate::fs::{self, Fs};
use crate::names::{FUTURE_DIR_SUFFIX, SegmentFile, TopicPartition, offset_of};

/// A directory `topic-partition.uniqueId-future`: a log that is being moved here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FutureDir {
    /// The partition whose log it is to become.
    pub partition: TopicPartition,
    /// The id of its topic, as the 16 bytes of a UUID; `None` if it cannot be read.
    pub topic_id: Option<[u8; 16]>,
    /// The directory.
    pub path: PathBuf,
}

impl FutureDir {
    /// The log that is being moved to a directory of this name in `dir`; `None` if it is no such name.
    pub(super) fn find(fs: &Fs, dir: &Path, name: &str) -> Option<FutureDir> {
        let partition = TopicPartition::from_future_dir_name(name)?;
        let path = dir.join(name);
        let topic_id = read_topic_id(fs, &path).ok().flatten();
        Some(FutureDir { partition, topic_id, path })
    }
}

impl LogDirectory {
    /// The logs that were being moved here when the last process ended and are neither resumed nor deleted yet, in the
    /// order of their partitions.
    pub fn futures(&self) -> Vec<FutureDir> {
        self.shared.futures.lock().values().flatten().cloned().collect()
    }

    /// The one of them that is to become the log of this partition of the topic with this id.
    pub fn future_of(&self, partition: &TopicPartition, topic_id: [u8; 16]) -> Option<FutureDir> {
        let futures = self.shared.futures.lock();
        futures.get(partition)?.iter().find(|future| future.topic_id == Some(topic_id)).cloned()
    }

    /// Renames a log that was being moved here to the name of one that is being deleted; returns its new
    /// path, for [`LogDirectory::remove`].
    ///
    /// # Errors
    /// The file system's error.
    pub fn rename_future_deleted(&self, future: &FutureDir) -> fs::Result<PathBuf> {
        self.shared.rename_future_deleted(&future.path)
    }

    /// Promotes a future log to the log of its partition, although nothing says that it is complete, because
    /// its source is gone. It is verified when it is opened.
    ///
    /// # Errors
    /// The file system's error.
    pub fn promote_future(&self, future: &FutureDir) -> fs::Result<()> {
        let path = self.shared.path.join(future.partition.to_string());
        self.shared.begin_use()?;
        self.shared.fs.rename(&future.path, &path)?;
        self.shared.fs.sync_dir(&self.shared.path).map_err(|error| self.shared.health.meet(error))?;
        self.shared.forget_future(&future.path);
        self.shared.partitions.lock().insert(Arc::new(future.partition.clone()), PartitionState::default());
        self.shared.is_back(&future.partition);
        Ok(())
    }

    /// Whether a partition's log here is as long as the copy in `other`, judged by their files. After a move to here
    /// that copy is then obsolete.
    ///
    /// # Errors
    /// The file system's error.
    pub fn has_all_of(&self, partition: &TopicPartition, other: &LogDirectory) -> fs::Result<bool> {
        let last = |directory: &LogDirectory| -> fs::Result<Option<(i64, u64)>> {
            let entries = directory.fs().list(&directory.path().join(partition.to_string()))?;
            let logs = entries
                .iter()
                .filter_map(|entry| Some((offset_of(&entry.name, SegmentFile::Log.suffix())?, entry.len)));
            Ok(logs.max())
        };
        Ok(last(self)? >= last(other)?)
    }

    /// The offset up to which the log of a partition is clean, as noted by compaction.
    pub fn cleaned_to(&self, partition: &TopicPartition) -> Option<i64> {
        self.shared.cleaned_to(partition)
    }

    /// Notes the offset up to which the log of a partition here is clean.
    ///
    /// # Errors
    /// The file system's error.
    pub fn set_cleaned_to(&self, partition: &TopicPartition, offset: i64) -> fs::Result<()> {
        self.shared.set_cleaned_to(partition, offset)
    }
}

impl DirectoryState {
    /// Forgets a log that was being moved here: its directory has another name.
    pub(crate) fn forget_future(&self, path: &Path) {
        let name = path.file_name().and_then(|name| name.to_str());
        let Some(partition) = name.and_then(TopicPartition::from_future_dir_name) else { return };
        let mut futures = self.futures.lock();
        if let Some(of_it) = futures.get_mut(&partition) {
            of_it.retain(|future| future.path != path);
            if of_it.is_empty() {
                futures.remove(&partition);
            }
        }
    }

    pub(crate) fn rename_future_deleted(&self, path: &Path) -> fs::Result<PathBuf> {
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name
            .and_then(|name| name.strip_suffix(FUTURE_DIR_SUFFIX))
            .expect("it is the name of a future log");
        let deleted = self.path.join(format!("{name}-delete"));
        self.fs.rename(path, &deleted)?;
        self.forget_future(path);
        self.fs.sync_dir(&self.path).map_err(|error| self.health.meet(error))?;
        Ok(deleted)
    }

    /// Writes the offsets of a log that is about to arrive to the checkpoint files.
    pub(crate) fn expect(&self, partition: &TopicPartition, offsets: Offsets) -> fs::Result<()> {
        self.begin_use()?;
        self.is_back(partition);
        self.arriving.lock().insert(partition.clone(), offsets);
        self.checkpoint_log_offsets()
    }

    /// Forgets a log that was expected.
    pub(crate) fn expect_no_more(&self, partition: &TopicPartition) {
        self.arriving.lock().remove(partition);
    }

    /// Notes that an expected log has arrived and is open.
    pub(crate) fn arrived(&self, log: Arc<FlushState>) {
        let name = log.partition.name.clone();
        let mut partitions = self.partitions.lock();
        let offsets = self.arriving.lock().remove(&*name).expect("the checkpoints have it");
        let written = (offsets.recovery_point, offsets.log_start_offset);
        let mut known = PartitionState { log: Some(log), ..PartitionState::default() };
        known.note(NotedOffsets { offsets, written: [written; 2] });
        let before = partitions.insert(name, known);
        assert!(before.is_none(), "a partition has one log in a directory");
    }

    /// Notes that a log has moved to another directory.
    pub(crate) fn departed(&self, partition: &TopicPartition) {
        self.partitions.lock().remove(partition);
        self.stale.lock().insert(partition.clone());
    }
}
