//! Directories of partitions that are deleted or set aside: they are renamed first and removed later.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{DirectoryState, LogDirectory};
use crate::fs;
use crate::names::{DirKind, TopicPartition};
use crate::traps::{self, Trap};

impl LogDirectory {
    /// Directories here that hold no partition in use: being deleted, moved or stray.
    ///
    /// # Errors
    /// The file system's error.
    pub fn leftovers(&self) -> fs::Result<Vec<(DirKind, PathBuf)>> {
        let entries = self.shared.fs.list(&self.shared.path)?;
        let kinds = entries.into_iter().filter(|entry| entry.is_dir);
        let kinds = kinds.map(|entry| (DirKind::of(&entry.name), self.shared.path.join(entry.name)));
        Ok(kinds.filter(|(kind, _)| !matches!(kind, DirKind::Partition(_) | DirKind::Other)).collect())
    }

    /// Renames a partition's directory to the name of one that is being deleted; returns its new path, for
    /// [`LogDirectory::remove`]. `unique_id` is a text that no other has, without dots and hyphens. The log
    /// must have been dropped.
    ///
    /// # Errors
    /// The file system's error.
    pub fn rename_deleted(&self, partition: &TopicPartition, unique_id: &str) -> fs::Result<PathBuf> {
        let path = self.rename_partition(partition, unique_id, "delete")?;
        self.sync_renamed()?;
        Ok(path)
    }

    /// The same for many partitions, each with its unique id, which one sync makes durable. Returns the paths of those
    /// that have their new names, and what failed of the others.
    pub fn rename_all_deleted(
        &self,
        partitions: &[(TopicPartition, String)],
    ) -> (Vec<PathBuf>, Vec<fs::Error>) {
        let (mut paths, mut failures) = (Vec::new(), Vec::new());
        for (partition, unique_id) in partitions {
            match self.rename_partition(partition, unique_id, "delete") {
                Ok(path) => paths.push(path),
                Err(error) => failures.push(error),
            }
        }
        failures.extend(self.sync_renamed().err());
        (paths, failures)
    }

    /// The same for a partition that the cluster does not assign to this directory.
    ///
    /// # Errors
    /// The file system's error.
    pub fn rename_stray(&self, partition: &TopicPartition, unique_id: &str) -> fs::Result<PathBuf> {
        let path = self.rename_partition(partition, unique_id, "stray")?;
        self.sync_renamed()?;
        Ok(path)
    }

    fn rename_partition(&self, partition: &TopicPartition, id: &str, suffix: &str) -> fs::Result<PathBuf> {
        // A directory name has at most 255 bytes. A long topic name is shortened, but not the partition: without it
        // Kafka does not start.
        let unique = format!("-{}.{id}-{suffix}", partition.partition);
        let mut name = partition.topic.clone();
        name.truncate(255 - unique.len());
        let (from, to) =
            (self.shared.path.join(partition.to_string()), self.shared.path.join(name + &unique));
        self.shared.fs.rename(&from, &to)?;
        self.shared.entry_made();
        let known = self.shared.partitions.lock().remove(partition);
        if known.is_none_or(|known| known.noted.is_some()) {
            self.shared.stale.lock().insert(partition.clone());
        }
        Ok(to)
    }

    /// Makes the new names of partitions durable.
    fn sync_renamed(&self) -> fs::Result<()> {
        let last = self.shared.last_entry();
        let synced = traps::unless(Trap::DeletedTopicReturns, || self.shared.sync_entry(last));
        synced.map_err(|error| self.shared.health.meet(error))
    }

    /// Removes a directory that [`LogDirectory::leftovers`] or [`LogDirectory::rename_deleted`] returned.
    /// Large files may take the file system a while.
    ///
    /// # Errors
    /// The file system's error.
    pub fn remove(&self, path: &Path) -> fs::Result<()> {
        self.shared.remove(path)
    }

    /// A remover of such directories in the background, for as long as this one is open.
    pub fn remover(&self) -> Remover {
        Remover(self.shared.clone())
    }
}

/// Removes directories of deleted partitions in the background.
#[derive(Debug)]
pub struct Remover(Arc<DirectoryState>);

impl Remover {
    /// Removes a directory as [`LogDirectory::remove`] does; returns whether it did. Once the log directory
    /// is closed, leftovers are for the next start.
    ///
    /// # Errors
    /// The file system's error.
    pub fn remove(&self, path: &Path) -> fs::Result<bool> {
        let is_closed = self.0.is_closed.lock();
        if !*is_closed {
            self.0.remove(path)?;
        }
        Ok(!*is_closed)
    }
}

impl DirectoryState {
    fn remove(&self, path: &Path) -> fs::Result<()> {
        assert!(path.parent() == Some(&*self.path), "only what is in the log directory is removed");
        self.fs.remove_dir_all(path)
    }
}
