//! The status of a partition's directory that a broker finds at its start.

use std::collections::BTreeSet;

use protocol::Uuid;

use super::Image;
use super::directories::is_directory;

/// A partition's directory in a log directory.
#[derive(Clone, Copy, Debug)]
pub struct FoundReplica<'a> {
    /// The topic's name, from the name of the directory.
    pub topic: &'a str,
    /// The partition's number.
    pub partition: i32,
    /// The topic's id in its `partition.metadata`; `None` if the file does not exist.
    pub topic_id: Option<Uuid>,
    /// The id of the log directory.
    pub directory: Uuid,
}

/// The status of a partition's directory in the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplicaStatus {
    /// It holds the log of a partition.
    Known,
    /// It belongs to no partition here: its topic was deleted, or was created again elsewhere.
    Stray,
    /// It has the name of a partition, and the id of another topic. Either may be wrong, and the records may
    /// be the partition's.
    OtherTopic {
        /// The id of the topic of that name.
        expected: Uuid,
    },
}

impl Image {
    /// The status of a directory that `broker` has found. `removed` are the topics that were removed since
    /// the last snapshot of the metadata log: if a topic of the same name was created right after a deletion,
    /// a crash may have left the directory of the deleted one.
    ///
    /// Kafka takes a directory with an unknown topic id for a stray, and takes one with another topic's id
    /// offline. A directory without an id is a stray there, and belongs to the partition here.
    pub fn replica_status(
        &self,
        broker: i32,
        found: &FoundReplica<'_>,
        removed: &BTreeSet<Uuid>,
    ) -> ReplicaStatus {
        let topic = self.topic(found.topic);
        let known = topic.and_then(|topic| Some((topic.id, topic.partition(found.partition)?)));
        let Some((expected, partition)) = known else { return ReplicaStatus::Stray };
        let Some(id) = found.topic_id.filter(|id| *id != expected) else { return ReplicaStatus::Known };
        let assigned = partition.directory_of(broker);
        let is_elsewhere = is_directory(assigned) && assigned != found.directory;
        if is_elsewhere || removed.contains(&id) {
            return ReplicaStatus::Stray;
        }
        ReplicaStatus::OtherTopic { expected }
    }
}
