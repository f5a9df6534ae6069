//! The parts of the state that a change affects.

use std::collections::BTreeSet;
use std::sync::Arc;

use protocol::Uuid;

use super::{ConfigResource, Image, Partition, Topic};

/// The parts that records have changed, without their values: compare the two states for those.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delta {
    /// Topics that were created, changed or deleted.
    pub topics: BTreeSet<Uuid>,
    /// The resources whose configuration changed.
    pub configs: BTreeSet<ConfigResource>,
    /// Brokers whose registration changed.
    pub brokers: BTreeSet<i32>,
    /// Whether a feature's level changed.
    pub features: bool,
    /// Whether producer ids were allocated.
    pub producer_ids: bool,
}

impl Delta {
    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Adds the parts that other records changed.
    pub(crate) fn add(&mut self, other: Delta) {
        let Delta { topics, configs, brokers, features, producer_ids } = other;
        self.topics.extend(topics);
        self.configs.extend(configs);
        self.brokers.extend(brokers);
        self.features |= features;
        self.producer_ids |= producer_ids;
    }
}

/// The state before and after a change.
#[derive(Clone, Debug)]
pub struct Change {
    /// Before.
    pub old: Arc<Image>,
    /// After.
    pub new: Arc<Image>,
    /// Their differences.
    pub delta: Delta,
}

impl Change {
    /// Adds the next change.
    pub(crate) fn extend(&mut self, later: Change) {
        self.new = later.new;
        self.delta.add(later.delta);
    }

    /// The deleted topics, in their last state.
    pub fn deleted_topics(&self) -> impl Iterator<Item = &Arc<Topic>> {
        let is_gone = |topic: &&Arc<Topic>| self.new.topic_by_id(topic.id).is_none();
        self.delta.topics.iter().filter_map(|id| self.old.topic_by_id(*id)).filter(is_gone)
    }

    /// The new and changed partitions, including those of new topics: the topic, the number, the partition
    /// before, the partition now.
    pub fn changed_partitions(
        &self,
    ) -> impl Iterator<Item = (&Arc<Topic>, i32, Option<&Arc<Partition>>, &Arc<Partition>)> {
        self.delta.topics.iter().filter_map(|id| self.new.topic_by_id(*id)).flat_map(|topic| {
            let old = self.old.topic_by_id(topic.id);
            (0..).zip(&topic.partitions).filter_map(move |(number, new)| {
                let old = old.and_then(|topic| topic.partition(number));
                let same = old.is_some_and(|old| Arc::ptr_eq(old, new));
                (!same).then_some((topic, number, old, new))
            })
        })
    }
}

/// Queries about a change, for tests.
#[cfg(test)]
impl Change {
    /// The new topics, with all their partitions.
    pub(crate) fn created_topics(&self) -> impl Iterator<Item = &Arc<Topic>> {
        let is_new = |topic: &&Arc<Topic>| self.old.topic_by_id(topic.id).is_none();
        self.delta.topics.iter().filter_map(|id| self.new.topic_by_id(*id)).filter(is_new)
    }
}
