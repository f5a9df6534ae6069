//! The cluster's state as a value: the result of all metadata records up to some offset.
//!
//! Only records change an [`Image`] ([`Image::apply`], a pure function). A copy costs little however many
//! topics there are, because copies share what they have in common. Readers keep an `Arc<Image>` that never
//! changes under them, and a change creates another.

mod apply;
mod delta;
pub mod directories;
mod few;
mod passive_records;
mod records;
mod replica_status;
mod sorted_map;
mod topics;

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::records::RegisterBrokerRecord;
use protocol::{Str, Uuid};
use settings::{BrokerConfig, Configs, InvalidSetting, Layers, Scope, TopicConfig};

pub use apply::ApplyError;
pub use delta::{Change, Delta};
pub use few::Few;
pub use replica_status::{FoundReplica, ReplicaStatus};
pub use sorted_map::SortedMap;
pub use topics::{Partition, Topic, Topics};

use passive_records::PassiveRecords;

/// `leader` of a partition without a leader.
pub const NO_LEADER: i32 = -1;

/// The type of a resource. The numbers are those of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(i8)]
pub enum ResourceType {
    /// A topic, by name.
    Topic = 2,
    /// A broker, by number; the empty name means all brokers.
    Broker = 4,
    /// A client metrics subscription, by name.
    ClientMetrics = 16,
    /// A group, by name.
    Group = 32,
}

impl ResourceType {
    /// The type with that number.
    pub fn from_i8(number: i8) -> Option<Self> {
        [Self::Topic, Self::Broker, Self::ClientMetrics, Self::Group]
            .into_iter()
            .find(|known| *known as i8 == number)
    }

    /// The part of the table of settings for this type.
    pub(crate) fn scope(self) -> Scope {
        match self {
            Self::Topic => Scope::Topic,
            Self::Broker => Scope::Broker,
            Self::Group | Self::ClientMetrics => Scope::Group,
        }
    }
}

/// A resource, which can have a configuration.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConfigResource {
    /// Its type.
    pub resource_type: ResourceType,
    /// Its name.
    pub name: Str,
}

impl ConfigResource {
    /// A topic.
    pub fn topic(name: impl Into<Str>) -> Self {
        Self { resource_type: ResourceType::Topic, name: name.into() }
    }

    /// A broker.
    pub fn broker(id: i32) -> Self {
        Self { resource_type: ResourceType::Broker, name: id.to_string().into() }
    }

    /// All brokers: the owner of their cluster-wide configuration.
    pub fn all_brokers() -> Self {
        Self { resource_type: ResourceType::Broker, name: Str::default() }
    }
}

/// The state of a cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct Image {
    /// The offset of the last record in this state; -1 before the first.
    offset: i64,
    topics: Topics,
    configs: SortedMap<ConfigResource, Arc<Configs>>,
    brokers: Arc<BTreeMap<i32, Arc<RegisterBrokerRecord>>>,
    features: Arc<BTreeMap<Str, i16>>,
    next_producer_id: i64,
    passive: Arc<PassiveRecords>,
}

impl Default for Image {
    fn default() -> Self {
        Self {
            offset: -1,
            topics: Topics::default(),
            configs: SortedMap::default(),
            brokers: Arc::default(),
            features: Arc::default(),
            next_producer_id: 0,
            passive: Arc::default(),
        }
    }
}

/// The configuration of a resource without one.
static NO_CONFIGS: Configs = Configs::new();

impl Image {
    /// The offset in the metadata log of the last record in this state; -1 for the state before the first
    /// record.
    pub fn offset(&self) -> i64 {
        self.offset
    }

    /// Records that the state contains everything up to `offset`: entries that change nothing advance it as
    /// well.
    pub fn advance_to(&mut self, offset: i64) {
        assert!(offset >= self.offset, "offsets of the metadata log ascend");
        self.offset = offset;
    }

    /// The topics.
    pub fn topics(&self) -> &Topics {
        &self.topics
    }

    /// The topic called `name`.
    pub fn topic(&self, name: &str) -> Option<&Arc<Topic>> {
        self.topics.by_name(name)
    }

    /// The topic with that id.
    pub fn topic_by_id(&self, id: Uuid) -> Option<&Arc<Topic>> {
        self.topics.by_id(id)
    }

    /// One partition of the topic called `name`.
    pub fn partition(&self, name: &str, partition: i32) -> Option<&Arc<Partition>> {
        self.topic(name)?.partition(partition)
    }

    /// The registered brokers, by number, including fenced ones.
    pub fn brokers(&self) -> &BTreeMap<i32, Arc<RegisterBrokerRecord>> {
        &self.brokers
    }

    /// The numbers of the brokers that are not fenced.
    pub fn live_brokers(&self) -> impl Iterator<Item = i32> {
        let live = |broker: &&Arc<RegisterBrokerRecord>| !broker.fenced && !broker.in_controlled_shutdown;
        self.brokers.values().filter(live).map(|broker| broker.broker_id)
    }

    /// The finalized features and their levels, including `metadata.version`.
    pub fn features(&self) -> impl Iterator<Item = (&Str, i16)> {
        self.features.iter().map(|(name, level)| (name, *level))
    }

    /// The level of one feature; 0 if it is disabled.
    pub fn feature_level(&self, name: &str) -> i16 {
        self.features.get(name).copied().unwrap_or_default()
    }

    /// The first producer id that was not allocated.
    pub fn next_producer_id(&self) -> i64 {
        self.next_producer_id
    }

    /// The settings of `resource` itself.
    pub fn configs(&self, resource: &ConfigResource) -> &Configs {
        self.configs.get(resource).map_or(&NO_CONFIGS, Arc::as_ref)
    }

    /// All resources with a configuration of their own.
    pub fn all_configs(&self) -> impl Iterator<Item = (&ConfigResource, &Arc<Configs>)> {
        self.configs.iter()
    }

    /// The layers of settings of a topic, or of the broker if `topic` is `None`, for broker `node_id` that
    /// was started with `given`.
    pub fn layers<'a>(&'a self, topic: Option<&str>, node_id: i32, given: &'a Configs) -> Layers<'a> {
        Layers {
            topic: topic.map(|name| self.configs(&ConfigResource::topic(name))),
            broker: self.configs(&ConfigResource::broker(node_id)),
            brokers: self.configs(&ConfigResource::all_brokers()),
            given,
        }
    }

    /// The number of each kind of record that is kept and not read.
    pub(crate) fn kept_counts(&self) -> Vec<(&'static str, usize)> {
        let with_configs = |resource_type| {
            self.configs.iter().filter(|(resource, _)| resource.resource_type == resource_type).count()
        };
        vec![
            ("client metrics subscriptions", with_configs(ResourceType::ClientMetrics)),
            ("groups with settings", with_configs(ResourceType::Group)),
            ("ACLs", self.passive.acls.len()),
            ("SCRAM credentials", self.passive.scram.len()),
            ("delegation tokens", self.passive.tokens.len()),
            ("quotas", self.passive.quotas.len()),
        ]
    }

    /// The settings of the topic `name` on broker `node_id` that was started with `given`.
    pub fn topic_config(&self, name: &str, node_id: i32, given: &Configs) -> TopicConfig {
        TopicConfig::resolve(&self.layers(Some(name), node_id, given))
    }

    /// The settings of broker `node_id` that was started with `given`.
    ///
    /// # Errors
    /// [`InvalidSetting`] if listeners or directories cannot be parsed.
    pub fn broker_config(&self, node_id: i32, given: &Configs) -> Result<BrokerConfig, InvalidSetting> {
        BrokerConfig::resolve(&self.layers(None, node_id, given))
    }
}

#[cfg(test)]
mod tests;
