//! The cluster's state as a value: what the metadata records up to some offset come to.
//!
//! An [`Image`] is changed by records alone ([`Image::apply`], a pure function), and a copy costs
//! little however many topics there are, because copies share what they have in common. So readers
//! keep an `Arc<Image>` that never changes under them, and a change makes another.

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

/// `leader` of a partition that has none.
pub const NO_LEADER: i32 = -1;

/// The owner of a configuration. The numbers are those of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(i8)]
pub enum ResourceType {
    /// A topic, by name.
    Topic = 2,
    /// A broker, by number; the empty name is all brokers.
    Broker = 4,
    /// A subscription to clients' metrics, by name.
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

    /// The part of the table of settings that holds those of this type.
    pub(crate) fn scope(self) -> Scope {
        match self {
            Self::Topic => Scope::Topic,
            Self::Broker => Scope::Broker,
            Self::Group | Self::ClientMetrics => Scope::Group,
        }
    }
}

/// Something that has a configuration.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConfigResource {
    /// Its kind.
    pub resource_type: ResourceType,
    /// Its name.
    pub name: Str,
}

impl ConfigResource {
    /// A topic's.
    pub fn topic(name: impl Into<Str>) -> Self {
        Self { resource_type: ResourceType::Topic, name: name.into() }
    }

    /// A broker's.
    pub fn broker(id: i32) -> Self {
        Self { resource_type: ResourceType::Broker, name: id.to_string().into() }
    }

    /// That of all brokers.
    pub fn all_brokers() -> Self {
        Self { resource_type: ResourceType::Broker, name: Str::default() }
    }
}

/// The state of a cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct Image {
    /// The offset of the last record that it contains; -1 before the first.
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

/// The configuration of whatever has none.
static NO_CONFIGS: Configs = Configs::new();

impl Image {
    /// The offset in the metadata log of the last record that this state contains; -1 for the
    /// state before the first record.
    pub fn offset(&self) -> i64 {
        self.offset
    }

    /// Notes that the state contains everything up to `offset`: entries that change nothing move
    /// it as well.
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

    /// The registered brokers, by number. A fenced one takes no part.
    pub fn brokers(&self) -> &BTreeMap<i32, Arc<RegisterBrokerRecord>> {
        &self.brokers
    }

    /// The numbers of the brokers that take part.
    pub fn live_brokers(&self) -> impl Iterator<Item = i32> {
        let live = |broker: &&Arc<RegisterBrokerRecord>| !broker.fenced && !broker.in_controlled_shutdown;
        self.brokers.values().filter(live).map(|broker| broker.broker_id)
    }

    /// Finalized features and their levels, `metadata.version` among them.
    pub fn features(&self) -> impl Iterator<Item = (&Str, i16)> {
        self.features.iter().map(|(name, level)| (name, *level))
    }

    /// The level of one feature; 0 if it is switched off.
    pub fn feature_level(&self, name: &str) -> i16 {
        self.features.get(name).copied().unwrap_or_default()
    }

    /// The first producer id that has not been given out.
    pub fn next_producer_id(&self) -> i64 {
        self.next_producer_id
    }

    /// The settings of `resource` itself.
    pub fn configs(&self, resource: &ConfigResource) -> &Configs {
        self.configs.get(resource).map_or(&NO_CONFIGS, Arc::as_ref)
    }

    /// Everything that has a configuration, with it.
    pub fn all_configs(&self) -> impl Iterator<Item = (&ConfigResource, &Arc<Configs>)> {
        self.configs.iter()
    }

    /// The layers of settings of a topic, or of the broker if `topic` is `None`, as seen by broker `node_id`
    /// that was started with `given`.
    pub fn layers<'a>(&'a self, topic: Option<&str>, node_id: i32, given: &'a Configs) -> Layers<'a> {
        Layers {
            topic: topic.map(|name| self.configs(&ConfigResource::topic(name))),
            broker: self.configs(&ConfigResource::broker(node_id)),
            brokers: self.configs(&ConfigResource::all_brokers()),
            given,
        }
    }

    /// The number of each kind of thing that is kept and not read.
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

    /// The settings of the topic called `name` on broker `node_id` that was started with `given`.
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
