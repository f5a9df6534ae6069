//! What a partition's directory that a start finds is to the cluster.

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
    /// The topic's id in its `partition.metadata`; `None` where there is no such file.
    pub topic_id: Option<Uuid>,
    /// The id of the log directory.
    pub directory: Uuid,
}

/// What a partition's directory is to the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
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
    /// What a directory is that `broker` has found. `removed` are the topics that the metadata log has removed since its
    /// last snapshot: where one of that name was created at once, a crash may have left the directory of the other.
    ///
    /// Kafka takes a directory whose topic id is unknown for a stray, with another topic's id for one that is offline;
    /// without an id too it is a stray, and here it is the partition's.
    pub fn standing(&self, broker: i32, found: &FoundReplica<'_>, removed: &BTreeSet<Uuid>) -> Standing {
        let topic = self.topic(found.topic);
        let known = topic.and_then(|topic| Some((topic.id, topic.partition(found.partition)?)));
        let Some((expected, partition)) = known else { return Standing::Stray };
        let Some(id) = found.topic_id.filter(|id| *id != expected) else { return Standing::Known };
        let assigned = partition.directory_of(broker);
        let is_elsewhere = is_directory(assigned) && assigned != found.directory;
        if is_elsewhere || removed.contains(&id) {
            return Standing::Stray;
        }
        Standing::OtherTopic { expected }
    }
}
