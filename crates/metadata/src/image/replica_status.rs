//! The standing of a partition's directory, found at a start, in the cluster.

use std::collections::BTreeSet;

use protocol::Uuid;

use super::Image;
use super::directories::is_directory;

/// A partition's directory in a log directory.
#[derive(Clone, Copy, Debug)]
pub struct FoundReplica<'a> {
    /// The topic's name, from that of the directory.
    pub topic: &'a str,
    /// The partition's number.
    pub partition: i32,
    /// The topic's id in its `partition.metadata`; `None` if the file does not exist.
    pub topic_id: Option<Uuid>,
    /// The id of the log directory.
    pub directory: Uuid,
}

/// The standing of a partition's directory in the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplicaStatus {
    /// It has the log of a partition.
    Known,
    /// It is of no partition here: of a topic that was deleted, or one that has been created again elsewhere.
    Stray,
    /// It has the place of a partition, and says that it belongs to another topic. One of the two is wrong, and the
    /// records may be the partition's.
    OtherTopic {
        /// The id of the topic of that name.
        expected: Uuid,
    },
}

impl Image {
    /// The standing of a directory that `broker` has found. `removed` are the topics that the metadata log
    /// has removed since its last snapshot: if one of that name was created at once, a crash may have left
    /// the directory of the other.
    ///
    /// Kafka takes a directory whose topic id is unknown for a stray, and one with another topic's id for
    /// offline; a directory without an id is a stray there, and the partition's here.
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
