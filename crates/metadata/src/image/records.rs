//! The state as records, for a snapshot.

use protocol::records::{ConfigRecord, FeatureLevelRecord, ProducerIdsRecord, TopicRecord};

use super::Image;
use crate::record::MetadataRecord;

/// `BrokerId` of a block of producer ids that no broker owns, as in Kafka's snapshots.
const NO_BROKER: i32 = -1;

impl Image {
    /// The records that lead from the empty state to this one, in Kafka's order: `metadata.version` comes
    /// first, because it decides how the others are read.
    pub fn records(&self) -> impl Iterator<Item = MetadataRecord> {
        let (version, others): (Vec<_>, Vec<_>) =
            self.features.iter().partition(|(name, _)| &***name == "metadata.version");
        let features = version
            .into_iter()
            .chain(others)
            .map(|(name, level)| FeatureLevelRecord { name: name.clone(), feature_level: *level }.into());
        let passive = &self.passive;
        let brokers = self.brokers.values().map(|broker| MetadataRecord::from((**broker).clone()));
        let controllers = passive.controllers.values().cloned().map(MetadataRecord::from);
        let topics = self.topics.iter().flat_map(|topic| {
            let head = TopicRecord { name: topic.name.clone(), topic_id: topic.id };
            let partitions = (0..).zip(&topic.partitions);
            std::iter::once(head.into())
                .chain(partitions.map(|(number, partition)| partition.record(topic.id, number).into()))
        });
        features
            .chain(brokers)
            .chain(controllers)
            .chain(topics)
            .chain(self.config_records())
            .chain(passive.quotas.values().cloned().map(MetadataRecord::from))
            .chain(self.producer_id_record())
            .chain(passive.acls.values().cloned().map(MetadataRecord::from))
            .chain(passive.scram.values().cloned().map(MetadataRecord::from))
            .chain(passive.tokens.values().cloned().map(MetadataRecord::from))
    }

    fn config_records(&self) -> impl Iterator<Item = MetadataRecord> {
        self.configs.iter().flat_map(|(resource, configs)| {
            configs.iter().map(|(name, value)| {
                ConfigRecord {
                    resource_type: resource.resource_type as i8,
                    resource_name: resource.name.clone(),
                    name: name.as_str().into(),
                    value: Some(value.as_str().into()),
                }
                .into()
            })
        })
    }

    fn producer_id_record(&self) -> Option<MetadataRecord> {
        let next_producer_id = self.next_producer_id;
        (next_producer_id > 0)
            .then(|| ProducerIdsRecord { broker_id: NO_BROKER, broker_epoch: -1, next_producer_id }.into())
    }
}
