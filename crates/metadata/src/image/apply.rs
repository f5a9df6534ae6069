//! The effect of one record on the state.

use std::fmt;
use std::sync::Arc;

use protocol::Uuid;
use protocol::records::{
    BrokerRegistrationChangeRecord, ConfigRecord, PartitionChangeRecord, PartitionRecord,
    RegisterBrokerRecord, RemoveTopicRecord,
};

use super::{ConfigResource, Delta, Image, Partition, ResourceType};
use crate::record::MetadataRecord;

/// A record that contradicts the state to which it is applied: the log is not the one that led to that state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApplyError {
    /// Kafka's name of the record.
    pub record: &'static str,
    /// The contradiction.
    pub reason: String,
}

impl fmt::Display for ApplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} contradicts the state before it: {}", self.record, self.reason)
    }
}

impl std::error::Error for ApplyError {}

type ApplyResult = Result<(), String>;

impl Image {
    /// Applies one record, and adds the changed parts to `delta`.
    ///
    /// The records that begin and end transactions change nothing here: readers of the log hold back the
    /// records between them, see [`crate::replay::Replay`].
    ///
    /// # Errors
    /// [`ApplyError`] if the record contradicts the state, which is then unchanged.
    pub fn apply(&mut self, record: MetadataRecord, delta: &mut Delta) -> Result<(), ApplyError> {
        let name = record.name();
        self.apply_known(record, delta).map_err(|reason| ApplyError { record: name, reason })
    }

    fn apply_known(&mut self, record: MetadataRecord, delta: &mut Delta) -> ApplyResult {
        match record {
            MetadataRecord::Topic(record) => {
                if !self.topics.insert(&record.name, record.topic_id) {
                    return Err(format!("topic {} exists, or its id does", record.name));
                }
                delta.topics.insert(record.topic_id);
                Ok(())
            }
            MetadataRecord::Partition(record) => self.set_partition(record, delta),
            MetadataRecord::PartitionChange(record) => self.change_partition(record, delta),
            MetadataRecord::RemoveTopic(record) => self.remove_topic(&record, delta),
            MetadataRecord::Config(record) => self.set_config(record, delta),
            MetadataRecord::RegisterBroker(record) => {
                delta.brokers.insert(record.broker_id);
                Arc::make_mut(&mut self.brokers).insert(record.broker_id, Arc::new(record));
                Ok(())
            }
            MetadataRecord::UnregisterBroker(record) => {
                delta.brokers.insert(record.broker_id);
                let gone = Arc::make_mut(&mut self.brokers).remove(&record.broker_id);
                gone.map(|_| ()).ok_or_else(|| unknown_broker(record.broker_id))
            }
            MetadataRecord::FenceBroker(record) => {
                self.change_broker(record.id, delta, |broker| broker.fenced = true)
            }
            MetadataRecord::UnfenceBroker(record) => {
                self.change_broker(record.id, delta, |broker| broker.fenced = false)
            }
            MetadataRecord::BrokerRegistrationChange(record) => {
                self.change_broker(record.broker_id, delta, |broker| change_registration(broker, record))
            }
            MetadataRecord::FeatureLevel(record) => {
                delta.features = true;
                let features = Arc::make_mut(&mut self.features);
                if record.feature_level == 0 && &*record.name != "metadata.version" {
                    features.remove(&record.name);
                } else {
                    features.insert(record.name, record.feature_level);
                }
                Ok(())
            }
            MetadataRecord::ProducerIds(record) => {
                delta.producer_ids = true;
                self.next_producer_id = record.next_producer_id;
                Ok(())
            }
            other => {
                self.keep(other);
                Ok(())
            }
        }
    }

    /// Stores records that nothing here reads yet, and accepts those that change no state.
    fn keep(&mut self, record: MetadataRecord) {
        let passive = Arc::make_mut(&mut self.passive);
        match record {
            MetadataRecord::RegisterController(record) => {
                passive.controllers.insert(record.controller_id, record);
            }
            MetadataRecord::UnregisterController(record) => {
                passive.controllers.remove(&record.controller_id);
            }
            MetadataRecord::AccessControlEntry(record) => {
                passive.acls.insert(record.id, record);
            }
            MetadataRecord::RemoveAccessControlEntry(record) => {
                passive.acls.remove(&record.id);
            }
            MetadataRecord::UserScramCredential(record) => {
                passive.scram.insert((record.name.clone(), record.mechanism), record);
            }
            MetadataRecord::RemoveUserScramCredential(record) => {
                passive.scram.remove(&(record.name, record.mechanism));
            }
            MetadataRecord::DelegationToken(record) => {
                passive.tokens.insert(record.token_id.clone(), record);
            }
            MetadataRecord::RemoveDelegationToken(record) => {
                passive.tokens.remove(&record.token_id);
            }
            MetadataRecord::ClientQuota(record) => passive.set_quota(record),
            MetadataRecord::ClearElr(record) => self.clear_elr(&record.topic_name),
            // The record only says that a cluster has left ZooKeeper, as all clusters of Kafka 4 have.
            _ => {}
        }
    }

    fn set_partition(&mut self, record: PartitionRecord, delta: &mut Delta) -> ApplyResult {
        let (topic_id, number) = (record.topic_id, record.partition_id);
        if !self.topics.set_partition(topic_id, number, Partition::new(record)) {
            return Err(unknown_partition(topic_id, number));
        }
        delta.topics.insert(topic_id);
        Ok(())
    }

    fn change_partition(&mut self, record: PartitionChangeRecord, delta: &mut Delta) -> ApplyResult {
        let (topic_id, number) = (record.topic_id, record.partition_id);
        if !self.topics.change_partition(topic_id, number, |partition| partition.change(record)) {
            return Err(unknown_partition(topic_id, number));
        }
        delta.topics.insert(topic_id);
        Ok(())
    }

    fn remove_topic(&mut self, record: &RemoveTopicRecord, delta: &mut Delta) -> ApplyResult {
        let id = record.topic_id;
        let topic = self.topics.remove(id).ok_or_else(|| format!("there is no topic with id {id}"))?;
        // A topic's settings are deleted with it; no record says so.
        let resource = ConfigResource::topic(topic.name.clone());
        if self.configs.remove(&resource).is_some() {
            delta.configs.insert(resource);
        }
        delta.topics.insert(id);
        Ok(())
    }

    fn set_config(&mut self, record: ConfigRecord, delta: &mut Delta) -> ApplyResult {
        let number = record.resource_type;
        let resource_type =
            ResourceType::from_i8(number).ok_or_else(|| format!("resource type {number} is unknown"))?;
        let resource = ConfigResource { resource_type, name: record.resource_name };
        let mut configs = self.configs.get(&resource).cloned().unwrap_or_default();
        let changed = Arc::make_mut(&mut configs);
        match record.value {
            Some(value) => changed.insert(record.name.to_string(), value.to_string()),
            None => changed.remove(&*record.name),
        };
        if configs.is_empty() {
            self.configs.remove(&resource);
        } else {
            self.configs.insert(resource.clone(), configs);
        }
        delta.configs.insert(resource);
        Ok(())
    }

    fn change_broker(
        &mut self,
        id: i32,
        delta: &mut Delta,
        change: impl FnOnce(&mut RegisterBrokerRecord),
    ) -> ApplyResult {
        let brokers = Arc::make_mut(&mut self.brokers);
        let broker = brokers.get_mut(&id).ok_or_else(|| unknown_broker(id))?;
        change(Arc::make_mut(broker));
        delta.brokers.insert(id);
        Ok(())
    }

    /// Clears the eligible leader replicas of one topic or, without a name, of all.
    fn clear_elr(&mut self, topic_name: &str) {
        let cleared: Vec<(Uuid, i32)> = self
            .topics
            .iter()
            .filter(|topic| topic_name.is_empty() || *topic.name == *topic_name)
            .flat_map(|topic| {
                (0..).zip(&topic.partitions).map(|(number, partition)| (topic.id, number, partition))
            })
            .filter(|(_, _, p)| !p.eligible_leader_replicas().is_empty() || !p.last_known_elr().is_empty())
            .map(|(id, number, _)| (id, number))
            .collect();
        for (id, number) in cleared {
            let is_there = self.topics.change_partition(id, number, Partition::clear_elr);
            assert!(is_there, "it was listed just now");
        }
    }
}

fn unknown_broker(id: i32) -> String {
    format!("broker {id} is not registered")
}

fn unknown_partition(topic_id: Uuid, number: i32) -> String {
    format!("there is no partition {number} of the topic with id {topic_id}")
}

/// `Fenced`: 1 fences, -1 unfences, 0 changes nothing (`BrokerRegistrationFencingChange.java`).
fn change_registration(broker: &mut RegisterBrokerRecord, record: BrokerRegistrationChangeRecord) {
    match record.fenced {
        1 => broker.fenced = true,
        -1 => broker.fenced = false,
        _ => {}
    }
    if record.in_controlled_shutdown == 1 {
        broker.in_controlled_shutdown = true;
    }
    if !record.log_dirs.is_empty() {
        broker.log_dirs = record.log_dirs;
    }
    if let Some(cordoned) = record.cordoned_log_dirs {
        broker.cordoned_log_dirs = Some(cordoned);
    }
}
