//! Partitions that could not be opened at first: because a disk was full, once there is room, or because their logs were
//! lost, once that is accepted.

use std::collections::BTreeMap;

use metadata::Image;
use protocol::Uuid;
use tracing::info;

use crate::broker::Broker;
use crate::coordinators::OFFSETS_TOPIC;
use crate::replicas::{PartitionSlot, Topic};

impl Broker {
    /// Tries again to open them. Blocks on the disk.
    pub(crate) fn open_those_without_room(&self) {
        let waiting = self.replicas.dirs().take_without_room();
        if waiting.is_empty() {
            return;
        }
        let _applying = self.replicas.applying();
        self.open_again(&self.image(), waiting);
    }

    /// Tries again to open partitions, by topic id and number. Nothing else is applied meanwhile. Blocks on the disk.
    pub(super) fn open_again(&self, image: &Image, waiting: impl IntoIterator<Item = (Uuid, i32)>) {
        let table = self.replicas.table();
        let mut changed: BTreeMap<Uuid, Vec<PartitionSlot>> = BTreeMap::new();
        for (id, number) in waiting {
            // It may have been deleted since.
            let (Some(topic), Some(here)) = (image.topic_by_id(id), table.by_id(id)) else { continue };
            let index = usize::try_from(number).expect("partitions are numbered from zero");
            let is_missing = here.slots().get(index).is_some_and(PartitionSlot::is_offline);
            if !is_missing || index >= topic.partitions.len() {
                continue;
            }
            let rules = self.rules(image, &topic.name);
            let opened = self.replicas.open(self.to_open(topic, index, &rules));
            let Some(partition) = opened.replica() else { continue };
            info!(partition = partition.name(), "the partition is online");
            let slots = changed.entry(id).or_insert_with(|| here.slots().to_vec());
            if &*topic.name == OFFSETS_TOPIC {
                self.elect_shard(partition, slots.len());
            }
            slots[index] = opened;
        }
        let topics = changed.into_iter().filter_map(|(id, slots)| {
            let here = table.by_id(id)?;
            Some(Topic::new(here.name().clone(), id, slots))
        });
        let topics: Vec<Topic> = topics.collect();
        if !topics.is_empty() {
            self.replicas.change(topics, &[]);
        }
    }
}
