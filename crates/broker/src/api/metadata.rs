//! Metadata (3), versions 0-13.
//!
//! 1 adds the controller, racks and internal topics; 4 lets the client forbid auto-creation; 5 adds offline
//! replicas; 7 leader epochs; 8 authorized operations; 9 is flexible; 10 adds topic ids; 12 requests by topic
//! id; 13 an error for the whole response (KIP-1102).
//!
//! Versions 0-3 stay: kafka-python and aiokafka still send them (KAFKA-18648).
//!
//! Kafka answers a first request for a topic that it is about to create with UNKNOWN_TOPIC_OR_PARTITION, so
//! that the client retries; Milena creates the topic and answers.

use std::sync::Arc;

use metadata::controller::{check_topic_name, is_internal_topic};
use metadata::{Image, Partition, Topic};
use protocol::messages::metadata_request::MetadataRequest;
use protocol::messages::metadata_response::{
    MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use protocol::{ErrorCode, Str, Uuid};
use runtime::{HashMap, HashSet};

use crate::broker::Broker;
use crate::call::Call;
use crate::cluster::{self, CLUSTER_OPERATIONS, OPERATIONS_NOT_ASKED, TOPIC_OPERATIONS};
use crate::reply::Reply;

/// The last version in which an empty list means all topics.
const EMPTY_MEANS_ALL_UNTIL: i16 = 0;
/// The first version in which a topic can be named by its id.
const TOPIC_IDS_SINCE: i16 = 12;

/// The numbers of partitions and of requested topics from which an answer is built beside the runtime's
/// workers.
const MANY_PARTITIONS: usize = 2000;
const MANY_TOPICS: usize = 500;

/// The topics of a request.
enum TopicSelection {
    All,
    Some(Vec<TopicRef>),
}

/// A topic as a request names it.
enum TopicRef {
    Name(Str),
    Id(Uuid),
}

pub(crate) fn handle(call: Call<'_>, request: MetadataRequest) -> Reply {
    let version = call.version();
    let Some(topics) = selection(&request, version) else {
        return refuse(&call, &request);
    };
    let question = Question {
        listener: call.broker.listener_name(call.peer.listener).clone(),
        topic_operations: if request.include_topic_authorized_operations {
            TOPIC_OPERATIONS
        } else {
            OPERATIONS_NOT_ASKED
        },
        cluster_operations: if request.include_cluster_authorized_operations {
            CLUSTER_OPERATIONS
        } else {
            OPERATIONS_NOT_ASKED
        },
        topics,
    };
    let image = call.broker.image();
    let missing = question.missing(&image);
    let create = request.allow_auto_topic_creation && call.broker.config.auto_create_topics_enable;
    if missing.is_empty() || !create {
        if question.is_large(&image) {
            return call.reply_aside(move |broker| question.answer(broker, &broker.image(), &[]));
        }
        return call.reply(&question.answer(call.broker, &image, &[]));
    }
    let (broker, responder) = (Arc::clone(call.broker), call.responder);
    Reply::later(async move {
        let failed = broker.cluster.auto_create_topics(missing).await;
        responder.frame(&question.answer(&broker, &broker.image(), &failed))
    })
}

/// The requested topics; `None` if a topic has neither name nor id.
fn selection(request: &MetadataRequest, version: i16) -> Option<TopicSelection> {
    let Some(topics) = &request.topics else { return Some(TopicSelection::All) };
    if topics.is_empty() && version <= EMPTY_MEANS_ALL_UNTIL {
        return Some(TopicSelection::All);
    }
    let mut seen = HashSet::default();
    let distinct = topics.iter().filter(|topic| seen.insert((topic.topic_id, topic.name.clone())));
    let refs = distinct.map(|topic| {
        if topic.topic_id != Uuid::ZERO {
            // The format has ids before they have a meaning (KAFKA-10774).
            return (version >= TOPIC_IDS_SINCE).then_some(TopicRef::Id(topic.topic_id));
        }
        topic.name.clone().map(TopicRef::Name)
    });
    refs.collect::<Option<Vec<_>>>().map(TopicSelection::Some)
}

/// The part of a request that is kept while its topics are created.
struct Question {
    listener: Str,
    topic_operations: i32,
    cluster_operations: i32,
    topics: TopicSelection,
}

impl Question {
    /// The names in the request that no topic has.
    fn missing(&self, image: &Image) -> Vec<Str> {
        let TopicSelection::Some(refs) = &self.topics else { return Vec::new() };
        let names = refs.iter().filter_map(|topic| match topic {
            TopicRef::Name(name) => Some(name),
            TopicRef::Id(_) => None,
        });
        names.filter(|name| image.topic(name).is_none()).cloned().collect()
    }

    /// Whether the answer may be so large that it would delay those of other connections.
    fn is_large(&self, image: &Image) -> bool {
        match &self.topics {
            TopicSelection::All => image.topics().partition_count() > MANY_PARTITIONS,
            TopicSelection::Some(refs) => refs.len() > MANY_TOPICS,
        }
    }

    fn answer(&self, broker: &Broker, image: &Image, failed: &[(Str, ErrorCode)]) -> MetadataResponse {
        let failed: HashMap<&Str, ErrorCode> = failed.iter().map(|(name, error)| (name, *error)).collect();
        let topics = match &self.topics {
            TopicSelection::All => image.topics().iter().map(|topic| self.describe(image, topic)).collect(),
            TopicSelection::Some(refs) => {
                refs.iter().map(|topic| self.describe_ref(image, topic, &failed)).collect()
            }
        };
        let nodes = cluster::live_nodes(image, &self.listener).into_iter();
        let brokers = nodes.map(|node| MetadataResponseBroker {
            node_id: node.id,
            host: node.host,
            port: node.port,
            rack: node.rack,
        });
        MetadataResponse {
            brokers: brokers.collect(),
            cluster_id: Some(broker.cluster.id().clone()),
            controller_id: broker.cluster.controller_id(),
            topics,
            cluster_authorized_operations: self.cluster_operations,
            ..MetadataResponse::default()
        }
    }

    fn describe_ref(
        &self,
        image: &Image,
        topic: &TopicRef,
        failed: &HashMap<&Str, ErrorCode>,
    ) -> MetadataResponseTopic {
        match topic {
            TopicRef::Name(name) => match image.topic(name) {
                Some(topic) => self.describe(image, topic),
                None => {
                    let known = failed.get(name).copied();
                    self.unknown(Some(name.clone()), Uuid::ZERO, known.unwrap_or_else(|| name_error(name)))
                }
            },
            TopicRef::Id(id) => match image.topic_by_id(*id) {
                Some(topic) => self.describe(image, topic),
                None => self.unknown(None, *id, ErrorCode::UNKNOWN_TOPIC_ID),
            },
        }
    }

    fn unknown(&self, name: Option<Str>, topic_id: Uuid, error_code: ErrorCode) -> MetadataResponseTopic {
        let is_internal = name.as_deref().is_some_and(is_internal_topic);
        MetadataResponseTopic { error_code, name, topic_id, is_internal, ..MetadataResponseTopic::default() }
    }

    fn describe(&self, image: &Image, topic: &Topic) -> MetadataResponseTopic {
        let partitions = topic.partitions.iter().enumerate();
        MetadataResponseTopic {
            error_code: ErrorCode::NONE,
            name: Some(topic.name.clone()),
            topic_id: topic.id,
            is_internal: is_internal_topic(&topic.name),
            partitions: partitions
                .map(|(index, partition)| describe_partition(image, index, partition))
                .collect(),
            topic_authorized_operations: self.topic_operations,
        }
    }
}

/// The error for a name that no topic has. A name that is invalid has another one.
fn name_error(name: &str) -> ErrorCode {
    match check_topic_name(name) {
        Ok(()) => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        Err(_) => ErrorCode::INVALID_TOPIC_EXCEPTION,
    }
}

fn describe_partition(image: &Image, index: usize, partition: &Partition) -> MetadataResponsePartition {
    let serves = |id: &i32| image.brokers().get(id).is_some_and(|broker| partition.is_served_by(broker));
    let error_code = if partition.has_leader() { ErrorCode::NONE } else { ErrorCode::LEADER_NOT_AVAILABLE };
    MetadataResponsePartition {
        error_code,
        partition_index: i32::try_from(index).expect("partitions are numbered by i32"),
        leader_id: partition.leader,
        leader_epoch: partition.leader_epoch,
        replica_nodes: partition.replicas.to_vec(),
        isr_nodes: partition.isr.to_vec(),
        offline_replicas: partition.replicas.iter().copied().filter(|id| !serves(id)).collect(),
    }
}

/// Answers with INVALID_REQUEST for every topic, as Kafka does if one has no name, or an id before version
/// 12.
fn refuse(call: &Call<'_>, request: &MetadataRequest) -> Reply {
    let topics = request.topics.iter().flatten().map(|topic| MetadataResponseTopic {
        error_code: ErrorCode::INVALID_REQUEST,
        name: Some(topic.name.clone().unwrap_or_default()),
        topic_id: topic.topic_id,
        ..MetadataResponseTopic::default()
    });
    call.reply(&MetadataResponse {
        topics: topics.collect(),
        error_code: ErrorCode::INVALID_REQUEST,
        ..MetadataResponse::default()
    })
}
