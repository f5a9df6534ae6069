//! The brokers that may lead, and the changes that follow for partitions when a broker comes or goes.

use protocol::records::PartitionChangeRecord;

use super::Controller;
use super::partition_change::PartitionChange;
use crate::image::directories::is_online;
use crate::image::{Image, Partition, Topic};
use crate::record::MetadataRecord;

/// The brokers that may lead partitions: those that are active, as they will be after the decision.
#[derive(Clone, Copy, Debug)]
pub(super) struct Electorate<'a> {
    image: &'a Image,
    joining: Option<i32>,
    leaving: Option<i32>,
}

impl<'a> Electorate<'a> {
    /// The active brokers: registered, not fenced, and not in controlled shutdown.
    pub(super) fn new(image: &'a Image) -> Self {
        Self { image, joining: None, leaving: None }
    }

    /// One broker alone, which is about to be active.
    ///
    /// Nothing has changed for the others: if one of them could lead a partition without a leader, its log is lost.
    pub(super) fn only_joining(image: &'a Image, broker: i32) -> Self {
        Self { joining: Some(broker), ..Self::new(image) }
    }

    /// The active brokers without one.
    pub(super) fn without(image: &'a Image, broker: i32) -> Self {
        Self { leaving: Some(broker), ..Self::new(image) }
    }

    /// Whether a broker is alive and its replica of a partition is in a directory that works.
    pub(super) fn may_lead(&self, partition: &Partition, broker: i32) -> bool {
        let Some(registration) = self.image.brokers().get(&broker) else { return false };
        let is_elector = match self.joining {
            Some(joining) => joining == broker,
            None => is_active(self.image, broker) && self.leaving != Some(broker),
        };
        is_elector && is_online(partition.directory_of(broker), &registration.log_dirs)
    }
}

/// Whether a broker takes part: it is registered, not fenced, and not in controlled shutdown.
pub(super) fn is_active(image: &Image, broker: i32) -> bool {
    let registration = image.brokers().get(&broker);
    registration.is_some_and(|it| !it.fenced && !it.in_controlled_shutdown)
}

impl Controller {
    /// Decides a change of one partition.
    pub(super) fn change_partition(
        &self,
        electorate: &Electorate<'_>,
        (topic, partition_id, partition): (&Topic, i32, &Partition),
        change: impl FnOnce(PartitionChange<'_>) -> PartitionChange<'_>,
    ) -> Option<MetadataRecord> {
        let rules = self.election_rules(electorate.image, topic);
        let change = change(PartitionChange::new(partition, rules));
        let record = change.decide(|broker| electorate.may_lead(partition, broker))?;
        Some(PartitionChangeRecord { topic_id: topic.id, partition_id, ..record }.into())
    }

    /// Decides a change of all partitions that it concerns.
    pub(super) fn change_partitions(
        &self,
        electorate: &Electorate<'_>,
        concerns: impl Fn(&Partition) -> bool,
        change: impl Fn(PartitionChange<'_>) -> PartitionChange<'_>,
    ) -> Vec<MetadataRecord> {
        let mut records = Vec::new();
        for topic in electorate.image.topics().iter() {
            let partitions = (0..).zip(&topic.partitions).filter(|(_, partition)| concerns(partition));
            for (partition_id, partition) in partitions {
                let decided = self.change_partition(electorate, (topic, partition_id, partition), &change);
                records.extend(decided);
            }
        }
        records
    }

    /// Takes a broker out of the ISR of its partitions, and elects others to lead them.
    pub(super) fn leave_partitions(&self, image: &Image, broker: i32) -> Vec<MetadataRecord> {
        self.change_partitions(
            &Electorate::without(image, broker),
            |partition| partition.isr.contains(&broker),
            |change| change.without_isr_member(broker),
        )
    }
}
