//! The known part of a cluster: its brokers and some of its topics.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::messages::MetadataResponse;
use protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use protocol::{ErrorCode, Uuid};

use super::ClusterError;

/// A cluster at one moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ClusterView {
    /// The cluster's id, if the broker gives one.
    pub cluster_id: Option<String>,
    /// The broker that takes changes of topics, if the metadata names one.
    pub controller_id: Option<i32>,
    /// The brokers by id.
    pub brokers: BTreeMap<i32, Broker>,
    topics: BTreeMap<String, Arc<Topic>>,
}

/// A broker and its address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broker {
    /// `node.id`.
    pub id: i32,
    /// The host that it advertises.
    pub host: String,
    /// The port that it advertises.
    pub port: i32,
    /// `broker.rack`.
    pub rack: Option<String>,
}

impl Broker {
    /// `host:port`.
    pub fn address(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

/// A topic and its partitions.
#[derive(Debug, Clone, PartialEq)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// Its id; [`Uuid::ZERO`] if the broker is too old to tell.
    pub id: Uuid,
    /// Whether it is one of Kafka's own.
    pub is_internal: bool,
    /// Its partitions by index, from 0.
    pub partitions: Vec<Partition>,
}

/// A partition and its replicas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// Its number within the topic.
    pub index: i32,
    /// The broker that leads it; `None` if none does.
    pub leader: Option<i32>,
    /// The epoch of that leader; -1 if the broker does not report it.
    pub leader_epoch: i32,
    /// The brokers that have a replica.
    pub replicas: Vec<i32>,
    /// Those of the replicas that are in sync.
    pub isr: Vec<i32>,
}

impl Topic {
    /// The broker that leads `partition`.
    ///
    /// # Errors
    /// [`ClusterError::UnknownPartition`] if the topic has fewer partitions; [`ClusterError::NoLeader`] while
    /// it has no leader.
    pub fn leader_of(&self, partition: i32) -> Result<i32, ClusterError> {
        let found = self.partitions.iter().find(|p| p.index == partition);
        let found = found.ok_or_else(|| ClusterError::UnknownPartition {
            topic: self.name.clone(),
            partition,
            partitions: self.partitions.len(),
        })?;
        found.leader.ok_or_else(|| ClusterError::NoLeader { topic: self.name.clone(), partition })
    }

    /// The number of replicas of its partitions.
    pub fn replication_factor(&self) -> usize {
        self.partitions.iter().map(|partition| partition.replicas.len()).max().unwrap_or(0)
    }
}

impl ClusterView {
    /// The known topics, by name.
    pub fn topics(&self) -> impl Iterator<Item = &Arc<Topic>> {
        self.topics.values()
    }

    /// A topic, if it is known.
    pub fn topic(&self, name: &str) -> Option<Arc<Topic>> {
        self.topics.get(name).cloned()
    }

    /// The view with the contents of a response added. `all` says that the response lists every topic.
    pub(super) fn with(&self, response: &MetadataResponse, all: bool) -> ClusterView {
        let mut topics = if all { BTreeMap::new() } else { self.topics.clone() };
        for topic in &response.topics {
            let Some(name) = topic.name.as_deref() else { continue };
            if topic.error_code == ErrorCode::NONE {
                topics.insert(name.to_owned(), Arc::new(Topic::from_response(name, topic)));
            } else {
                topics.remove(name);
            }
        }
        ClusterView {
            cluster_id: response.cluster_id.as_deref().map(ToOwned::to_owned),
            controller_id: Some(response.controller_id).filter(|&id| id >= 0),
            brokers: response
                .brokers
                .iter()
                .map(|broker| (broker.node_id, Broker::from_response(broker)))
                .collect(),
            topics,
        }
    }

    pub(super) fn without_topics(&self) -> ClusterView {
        ClusterView { topics: BTreeMap::new(), ..self.clone() }
    }

    pub(super) fn without_topic(&self, name: &str) -> ClusterView {
        let mut view = self.clone();
        view.topics.remove(name);
        view
    }
}

impl Broker {
    fn from_response(broker: &MetadataResponseBroker) -> Broker {
        Broker {
            id: broker.node_id,
            host: broker.host.to_string(),
            port: broker.port,
            rack: broker.rack.as_deref().map(ToOwned::to_owned),
        }
    }
}

impl Topic {
    fn from_response(name: &str, topic: &MetadataResponseTopic) -> Topic {
        let mut partitions: Vec<Partition> = topic.partitions.iter().map(Partition::from_response).collect();
        partitions.sort_by_key(|partition| partition.index);
        Topic { name: name.to_owned(), id: topic.topic_id, is_internal: topic.is_internal, partitions }
    }
}

impl Partition {
    fn from_response(partition: &MetadataResponsePartition) -> Partition {
        Partition {
            index: partition.partition_index,
            leader: Some(partition.leader_id).filter(|&id| id >= 0),
            leader_epoch: partition.leader_epoch,
            replicas: partition.replica_nodes.clone(),
            isr: partition.isr_nodes.clone(),
        }
    }
}
