//! The topics and partitions of this broker, by name and by id.

mod shared_map;

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use parking_lot::Mutex;
use protocol::{ErrorCode, Str, Uuid};

use super::replica::Replica;
use shared_map::SharedMap;

/// A topic with the replicas of its partitions that are on this broker.
pub(crate) struct Topic {
    name: Str,
    id: Uuid,
    internal: bool,
    partitions: Vec<PartitionSlot>,
}

/// A partition, as far as it is on this broker.
#[derive(Clone)]
pub(crate) enum PartitionSlot {
    /// Its log is open.
    Open(Arc<Replica>),
    /// Its log could not be opened, or its directory has failed.
    Offline,
    /// This broker has no replica of it.
    Elsewhere,
}

impl PartitionSlot {
    /// The replica, if its log is open.
    pub(crate) fn replica(&self) -> Option<&Arc<Replica>> {
        match self {
            Self::Open(replica) => Some(replica),
            Self::Offline | Self::Elsewhere => None,
        }
    }

    /// Whether there is a replica whose log is not open.
    pub(crate) fn is_offline(&self) -> bool {
        matches!(self, Self::Offline)
    }
}

impl Topic {
    pub(crate) fn new(name: Str, id: Uuid, partitions: Vec<PartitionSlot>) -> Self {
        let internal = metadata::controller::is_internal_topic(&name);
        Self { name, id, internal, partitions }
    }

    pub(crate) fn name(&self) -> &Str {
        &self.name
    }

    pub(crate) fn id(&self) -> Uuid {
        self.id
    }

    /// Whether the broker keeps its own state in the topic: clients cannot write to it.
    pub(crate) fn is_internal(&self) -> bool {
        self.internal
    }

    /// The partition with that number.
    ///
    /// # Errors
    /// UNKNOWN_TOPIC_OR_PARTITION if it does not exist, KAFKA_STORAGE_ERROR if its log could not be opened,
    /// NOT_LEADER_OR_FOLLOWER if it is on other brokers.
    pub(crate) fn partition(&self, index: i32) -> Result<&Arc<Replica>, ErrorCode> {
        let slot = usize::try_from(index).ok().and_then(|index| self.partitions.get(index));
        match slot.ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)? {
            PartitionSlot::Open(replica) => Ok(replica),
            PartitionSlot::Offline => Err(ErrorCode::KAFKA_STORAGE_ERROR),
            PartitionSlot::Elsewhere => Err(ErrorCode::NOT_LEADER_OR_FOLLOWER),
        }
    }

    /// All partitions by number, whether their logs are open or not.
    pub(crate) fn slots(&self) -> &[PartitionSlot] {
        &self.partitions
    }

    /// The partitions whose logs are open.
    pub(crate) fn partitions(&self) -> impl Iterator<Item = &Arc<Replica>> {
        self.partitions.iter().filter_map(PartitionSlot::replica)
    }
}

/// All topics at one moment. It is immutable: a request sees one table from its start to its end.
#[derive(Default)]
pub(crate) struct TopicTable {
    by_name: SharedMap<Str, Arc<Topic>>,
    by_id: SharedMap<Uuid, Arc<Topic>>,
}

impl TopicTable {
    pub(crate) fn by_name(&self, name: &str) -> Option<&Arc<Topic>> {
        self.by_name.get(name)
    }

    pub(crate) fn by_id(&self, id: Uuid) -> Option<&Arc<Topic>> {
        self.by_id.get(&id)
    }

    /// One partition of the topic called `name`.
    ///
    /// # Errors
    /// As [`Topic::partition`].
    pub(crate) fn partition(&self, name: &str, index: i32) -> Result<&Arc<Replica>, ErrorCode> {
        self.by_name(name).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?.partition(index)
    }

    /// All topics, in no particular order.
    pub(crate) fn topics(&self) -> impl Iterator<Item = &Arc<Topic>> {
        self.by_name.values()
    }

    /// All partitions, in no particular order.
    pub(crate) fn partitions(&self) -> impl Iterator<Item = &Arc<Replica>> {
        self.topics().flat_map(|topic| topic.partitions())
    }
}

/// The present table. Reading it takes no lock.
#[derive(Default)]
pub(crate) struct Topics {
    table: ArcSwap<TopicTable>,
    changing: Mutex<()>,
}

impl Topics {
    /// The present table.
    pub(crate) fn table(&self) -> Guard<Arc<TopicTable>> {
        self.table.load()
    }

    /// Replaces the table with one that has `added` and lacks `removed`. The cost depends on these, and
    /// little on the rest of the table.
    pub(crate) fn change(&self, added: Vec<Topic>, removed: &[Uuid]) {
        if added.is_empty() && removed.is_empty() {
            return;
        }
        let _one_at_a_time = self.changing.lock();
        let before = self.table.load();
        let mut by_name = before.by_name.clone();
        let mut by_id = before.by_id.clone();
        for id in removed {
            if let Some(topic) = by_id.remove(id) {
                by_name.remove(topic.name());
            }
        }
        for topic in added {
            let topic = Arc::new(topic);
            by_name.insert(topic.name.clone(), Arc::clone(&topic));
            by_id.insert(topic.id, topic);
        }
        self.table.store(Arc::new(TopicTable { by_name, by_id }));
    }
}
