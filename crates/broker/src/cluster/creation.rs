//! Topics that are made because somebody needs them.

use protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig, CreateTopicsRequest};
use protocol::{ErrorCode, Str};
use tracing::debug;

use super::Cluster;
use crate::coordinators::OFFSETS_TOPIC;

impl Cluster {
    /// Creates topics that a client has asked about, with the defaults. Returns those that could not be
    /// decided on, and why; what the controller refuses is not there afterwards.
    pub(crate) async fn auto_create_topics(&self, names: Vec<Str>) -> Vec<(Str, ErrorCode)> {
        let topics = names.into_iter().map(|name| match &*name {
            OFFSETS_TOPIC => self.offsets_topic(),
            _ => with_defaults(name),
        });
        self.create(topics.collect()).await
    }

    /// Creates the topic of groups' offsets, if it does not exist.
    pub(crate) async fn create_offsets_topic(&self) {
        self.create(vec![self.offsets_topic()]).await;
    }

    async fn create(&self, topics: Vec<CreatableTopic>) -> Vec<(Str, ErrorCode)> {
        let names: Vec<Str> = topics.iter().map(|topic| topic.name.clone()).collect();
        let request = CreateTopicsRequest { topics, ..CreateTopicsRequest::default() };
        match self.ask(&request).await {
            Err(error) => names.into_iter().map(|name| (name, error)).collect(),
            Ok(response) => {
                // Nobody asked for a topic to be made: one that cannot be is one that is not there, as in Kafka.
                for topic in response.topics.iter().filter(|topic| topic.error_code.is_error()) {
                    let reason = topic.error_message.as_deref().unwrap_or_default();
                    debug!(topic = %topic.name, "the topic was not created on demand: {reason}");
                }
                Vec::new()
            }
        }
    }

    fn offsets_topic(&self) -> CreatableTopic {
        let config = |name, value: String| CreatableTopicConfig {
            name: Str::from_static(name),
            value: Some(value.into()),
        };
        CreatableTopic {
            num_partitions: self.config.offsets_topic_num_partitions,
            // As many as there are brokers to hold it, in a cluster smaller than the setting asks for.
            replication_factor: 1,
            configs: vec![
                config("cleanup.policy", "compact".to_owned()),
                config("compression.type", "producer".to_owned()),
                config("segment.bytes", self.config.offsets_topic_segment_bytes.to_string()),
            ],
            ..with_defaults(Str::from_static(OFFSETS_TOPIC))
        }
    }
}

/// A topic with the broker's defaults for partitions and replicas.
fn with_defaults(name: Str) -> CreatableTopic {
    CreatableTopic { name, num_partitions: -1, replication_factor: -1, ..CreatableTopic::default() }
}
