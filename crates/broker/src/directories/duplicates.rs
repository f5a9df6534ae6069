//! Partitions that are in two directories, because of a crash at the end of a move.

use std::collections::BTreeMap;
use std::path::Path;

use metadata::Image;
use protocol::Uuid;
use storage::TopicPartition;
use tracing::{info, warn};

use super::error::DirectoryError;
use super::log_dir::LogDir;
use super::open::CandidateDir;
use super::{LogDirs, remove_later, unique_id};

/// A partition that exists in more than one directory.
pub(super) struct Duplicate {
    partition: TopicPartition,
    topic_id: Option<[u8; 16]>,
    /// The indexes of the directories.
    dirs: Vec<usize>,
}

/// Finds the partitions of one topic that are in more than one directory: each copy has offsets of its own. A
/// directory of another topic with the same name is set aside later.
pub(super) fn duplicates(candidates: &[CandidateDir]) -> Vec<Duplicate> {
    if candidates.iter().filter(|dir| dir.open.is_some()).count() < 2 {
        // A single directory has every name once, and may have very many.
        return Vec::new();
    }
    let mut found: BTreeMap<(TopicPartition, Option<[u8; 16]>), Vec<usize>> = BTreeMap::new();
    for (index, dir) in candidates.iter().enumerate() {
        let Some((directory, _)) = &dir.open else { continue };
        for partition in directory.partitions() {
            let topic_id = directory.topic_id(&partition).ok().flatten();
            found.entry((partition, topic_id)).or_default().push(index);
        }
    }
    let several = found.into_iter().filter(|(_, dirs)| dirs.len() > 1);
    several.map(|((partition, topic_id), dirs)| Duplicate { partition, topic_id, dirs }).collect()
}

impl Duplicate {
    /// Picks the right directory, given the ids of all directories. A move tells the controller the target
    /// before the log gets its name there, and deletes nothing at the source before that name is durable: the
    /// directory that the controller assigns is complete. Returns `None` if the topic is gone: all copies are
    /// then set aside.
    ///
    /// # Errors
    /// [`DirectoryError::PartitionTwice`] if the controller assigns the partition to neither.
    fn right(
        &self,
        image: &Image,
        node_id: i32,
        dirs: &[(&Path, Uuid)],
    ) -> Result<Option<usize>, DirectoryError> {
        let Self { partition, topic_id, dirs: places } = self;
        let topic = image.topic(&partition.topic).filter(|topic| topic_id.is_none_or(|id| id == topic.id.0));
        let Some(known) = topic.and_then(|topic| topic.partition(partition.partition)) else {
            return Ok(None);
        };
        let directory = known.directory_of(node_id);
        let right = places.iter().find(|place| dirs[**place].1 == directory);
        right.copied().map(Some).ok_or_else(|| {
            let dirs = [places[0], places[1]].map(|place| dirs[place].0.to_owned());
            DirectoryError::PartitionTwice { partition: partition.clone(), dirs }
        })
    }
}

/// Checks that the right directory is known for every partition that is in two.
///
/// # Errors
/// [`DirectoryError::PartitionTwice`] if it is not.
pub(super) fn check(candidates: &[CandidateDir], image: &Image, node_id: i32) -> Result<(), DirectoryError> {
    let dirs: Vec<_> = candidates.iter().map(|dir| (dir.path(), dir.id())).collect();
    duplicates(candidates).iter().try_for_each(|duplicate| duplicate.right(image, node_id, &dirs).map(drop))
}

impl LogDirs {
    /// Settles the directory of each partition that is in two.
    ///
    /// # Errors
    /// [`DirectoryError::PartitionTwice`] if the controller assigns a partition to neither.
    pub(crate) fn settle(&self, image: &Image, node_id: i32) -> Result<(), DirectoryError> {
        let ids: Vec<_> = self.dirs.iter().map(|dir| (dir.path(), dir.id())).collect();
        for duplicate in std::mem::take(&mut *self.duplicates.lock()) {
            let Some(right) = duplicate.right(image, node_id, &ids)? else { continue };
            for stale in duplicate.dirs.iter().filter(|stale| **stale != right) {
                remove_stale(&duplicate.partition, &self.dirs[*stale], &self.dirs[right])?;
            }
        }
        Ok(())
    }
}

fn remove_stale(partition: &TopicPartition, stale: &LogDir, right: &LogDir) -> Result<(), DirectoryError> {
    let (Some(directory), Some(other)) = (stale.working(), right.working()) else { return Ok(()) };
    let path = directory.path().display();
    if other.has_all_of(partition, &directory).map_err(DirectoryError::Fs)? {
        let deleted = directory.rename_deleted(partition, &unique_id()).map_err(DirectoryError::Fs)?;
        info!(%partition, "it was moved from {path} to {}", other.path().display());
        remove_later(&directory, vec![deleted]);
    } else {
        // After a power failure the copy may have more than was durable in the other.
        let aside = directory.rename_stray(partition, &unique_id()).map_err(DirectoryError::Fs)?;
        warn!(
            %partition,
            "it is in {}; the copy in {path} was set aside in {}",
            other.path().display(),
            aside.display()
        );
    }
    Ok(())
}
