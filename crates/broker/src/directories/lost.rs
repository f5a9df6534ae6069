//! Partitions whose logs are missing or misplaced: the directory is gone, or belongs to another topic.
//!
//! If such a partition were created again, empty, its records would be lost silently. It stays offline
//! instead, until its directory is restored and the broker restarted, or until somebody accepts the loss: in
//! Kafka's terms, by an unclean election of its leader.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use metadata::image::{FoundReplica, ReplicaStatus};
use metadata::quorum::METADATA_TOPIC;
use metadata::{Delta, Image};
use protocol::Uuid;
use storage::{AbsentPartition, LogDirectory, TopicPartition};
use tracing::{error, warn};

use super::log_dir::LogDir;
use super::{LogDirs, remove_later, unique_id};

/// A partition whose log is missing or misplaced.
pub(super) struct LostLog {
    partition: TopicPartition,
    dir: Arc<LogDir>,
    why: Why,
}

enum Why {
    /// It had records, and its directory is missing.
    Absent(AbsentPartition),
    /// Its directory has the id of another topic.
    OtherTopic { found: Uuid, expected: Uuid },
}

impl fmt::Display for LostLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (dir, name) = (self.dir.path().display(), &self.partition);
        match &self.why {
            Why::Absent(AbsentPartition { log_start_offset, end_offset, .. }) => write!(
                f,
                "it had records from offset {log_start_offset} up to {end_offset}, but {dir}/{name} is \
                 missing"
            ),
            Why::OtherTopic { found, expected } => write!(
                f,
                "{dir}/{name}/partition.metadata has the topic id {found}, but the topic has {expected}"
            ),
        }
    }
}

impl LostLog {
    /// The remedies, as whole sentences.
    fn mend(&self) -> String {
        let first = match &self.why {
            Why::Absent(_) => "Restore the directory and restart the broker",
            Why::OtherTopic { .. } => {
                "If the records are this topic's, remove that file and restart the \
                 broker"
            }
        };
        let TopicPartition { topic, partition } = &self.partition;
        format!(
            "{first}; or accept that they are lost: kafka-leader-election.sh --election-type unclean --topic {topic} \
             --partition {partition}; or delete the topic."
        )
    }
}

/// The cluster's state, by which a start checks which logs are there.
pub(crate) struct Roll<'a> {
    pub(crate) image: &'a Image,
    pub(crate) node_id: i32,
    /// The topics that were removed since the last snapshot of the metadata log.
    pub(crate) removed_topics: &'a BTreeSet<Uuid>,
}

impl Roll<'_> {
    fn replica_status(
        &self,
        dir: &LogDir,
        directory: &LogDirectory,
        partition: &TopicPartition,
    ) -> (ReplicaStatus, Uuid) {
        if partition.topic == METADATA_TOPIC {
            return (ReplicaStatus::Known, Uuid::ZERO);
        }
        // If it cannot be read, the opening of the log reports that.
        let topic_id = directory.topic_id(partition).ok().flatten().map(Uuid);
        let TopicPartition { topic, partition } = partition;
        let found = FoundReplica { topic, partition: *partition, topic_id, directory: dir.id() };
        (self.image.replica_status(self.node_id, &found, self.removed_topics), topic_id.unwrap_or_default())
    }

    /// The topic's id, if the cluster has the partition and assigns it to this directory, or to none.
    fn topic_id_in(&self, dir: &LogDir, partition: &TopicPartition) -> Option<Uuid> {
        let topic = self.image.topic(&partition.topic)?;
        let assigned = topic.partition(partition.partition)?.directory_of(self.node_id);
        let is_here = assigned == dir.id() || !metadata::image::directories::is_directory(assigned);
        is_here.then_some(topic.id)
    }
}

impl LogDirs {
    /// Checks the logs in all directories: sets aside directories that belong to no partition, removes what
    /// earlier deletions left behind, and records the partitions whose logs are lost.
    pub(crate) fn call_roll(&self, roll: &Roll<'_>) {
        for dir in self.dirs.iter() {
            let Some(directory) = dir.working() else { continue };
            let mut strays = Vec::new();
            for partition in directory.partitions() {
                match roll.replica_status(dir, &directory, &partition) {
                    (ReplicaStatus::Known, _) => {}
                    (ReplicaStatus::Stray, _) => strays.push(partition),
                    (ReplicaStatus::OtherTopic { expected }, found) => {
                        let why = Why::OtherTopic { found, expected };
                        self.lose(expected, LostLog { partition, dir: Arc::clone(dir), why });
                    }
                }
            }
            set_aside(&directory, &strays);
            let leftovers = directory.leftovers().unwrap_or_default().into_iter();
            let deleted = leftovers.filter(|(kind, _)| *kind == storage::DirKind::Delete);
            remove_later(&directory, deleted.map(|(_, path)| path).collect());
        }
        for dir in self.partition_dirs() {
            self.miss(roll, dir);
        }
    }

    /// Records the partitions that had records in a directory and are not there any more.
    fn miss(&self, roll: &Roll<'_>, dir: &Arc<LogDir>) {
        let Some(directory) = dir.working() else { return };
        let mut forgotten = Vec::new();
        for absent in directory.absent() {
            let partition = absent.partition.clone();
            let is_there = self.find(&partition).is_some();
            let Some(topic_id) = roll.topic_id_in(dir, &partition).filter(|_| !is_there) else {
                forgotten.push(partition);
                continue;
            };
            if directory.future_of(&partition, topic_id.0).is_some() {
                // The copy replaces the log.
                continue;
            }
            if absent.was_durable {
                self.lose(topic_id, LostLog { partition, dir: Arc::clone(dir), why: Why::Absent(absent) });
            } else {
                let (from, to) = (absent.log_start_offset, absent.end_offset);
                let path = dir.path().display();
                warn!(
                    %partition,
                    "{path} has no directory for it: it is created again, empty. Its records from offset \
                     {from} up to {to}, none of which was known to be durable, are lost"
                );
            }
        }
        if let Err(problem) = directory.forget(&forgotten) {
            warn!("the checkpoints still have lost partitions: {problem}");
        }
    }

    fn lose(&self, topic_id: Uuid, lost: LostLog) {
        self.lost.lock().insert((topic_id, lost.partition.partition), lost);
    }

    /// The partitions whose logs are lost, by topic id and number.
    pub(crate) fn lost(&self) -> Vec<(Uuid, i32)> {
        self.lost.lock().keys().copied().collect()
    }

    /// The reason why the log of a partition must not be opened.
    pub(super) fn why_lost(&self, topic_id: Uuid, partition: i32) -> Option<String> {
        self.lost.lock().get(&(topic_id, partition)).map(|lost| format!("{lost}. {}", lost.mend()))
    }

    /// The lost partitions that have a leader again: their loss was accepted, and they are created again.
    pub(crate) fn accept_losses(&self, image: &Image, delta: &Delta) -> Vec<(Uuid, i32)> {
        let mut lost = self.lost.lock();
        let is_accepted = |(topic_id, number): &(Uuid, i32)| {
            let partition = image.topic_by_id(*topic_id).and_then(|topic| topic.partition(*number));
            delta.topics.contains(topic_id) && partition.is_some_and(|partition| partition.has_leader())
        };
        let accepted: Vec<_> = lost.keys().copied().filter(is_accepted).collect();
        for key in &accepted {
            let Some(lost) = lost.remove(key) else { continue };
            error!(partition = %lost.partition, "its records are given up, and it starts again, empty: \
                 {lost}");
            lost.clear();
        }
        accepted
    }

    /// Removes the lost partitions of a deleted topic.
    pub(crate) fn forget_lost(&self, topic_id: Uuid) {
        let mut lost = self.lost.lock();
        let keys: Vec<_> = lost.keys().copied().filter(|(id, _)| *id == topic_id).collect();
        keys.iter().filter_map(|key| lost.remove(key)).for_each(|lost| lost.clear());
    }
}

impl LostLog {
    /// Moves away what would stand in the way of another partition of that name.
    fn clear(&self) {
        let Some(directory) = self.dir.working() else { return };
        match &self.why {
            Why::Absent(_) => {
                if let Err(problem) = directory.forget(std::slice::from_ref(&self.partition)) {
                    warn!(partition = %self.partition, "the checkpoints still have its offsets: {problem}");
                }
            }
            Why::OtherTopic { .. } => set_aside(&directory, std::slice::from_ref(&self.partition)),
        }
    }
}

/// Sets aside directories that are no partitions of this cluster.
fn set_aside(directory: &LogDirectory, strays: &[TopicPartition]) {
    if strays.is_empty() {
        return;
    }
    // Comes first, so that a partition of the same name that is created later is not missed.
    if let Err(problem) = directory.forget(strays) {
        warn!("the checkpoints still have partitions that were set aside: {problem}");
    }
    for partition in strays {
        match directory.rename_stray(partition, &unique_id()) {
            Ok(path) => warn!(
                "{partition} is not a partition of this cluster: its files were set aside in {}",
                path.display()
            ),
            Err(problem) => error!("the files of the unknown {partition} stay where they are: {problem}"),
        }
    }
}
