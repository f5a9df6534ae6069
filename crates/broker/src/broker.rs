//! The broker: what its connections share.

use std::sync::Arc;
use std::time::Duration;

use metadata::controller::{Decision, settings_without_effect};
use metadata::quorum::Quorum;
use metadata::settings::{BrokerConfig, Configs};
use metadata::{Controller, Image, SubmitError};
use parking_lot::Mutex;
use protocol::messages::AllocateProducerIdsRequest;
use protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig, CreateTopicsRequest};
use protocol::{ErrorCode, Str, Uuid};
use runtime::{clock, random};
use tokio::sync::Semaphore;
use tracing::{debug, warn};

use crate::cluster::ProducerIds;
use crate::coordinators::{Groups, OFFSETS_TOPIC};
use crate::directories::Logs;
use crate::fetch::session::FetchSessions;
use crate::replicas::Topics;
use crate::server::RareLog;
use crate::server::limits::{AnswerMemory, ConnectionLimits, RequestMemory};
use crate::traffic::Traffic;
use crate::upkeep::cleaner::Cleaner;
use crate::upkeep::moves::Moves;
use crate::upkeep::scrubber::Scrubber;

/// How long a request without a timeout of its own may wait for the controller: less than clients wait for an answer,
/// which is 30 s for most.
pub(crate) const DECISION_TIMEOUT: Duration = Duration::from_secs(10);

/// A broker that serves.
pub(crate) struct Broker {
    pub(crate) config: BrokerConfig,
    /// The settings that it was started with, as they were given.
    pub(crate) given: Arc<Configs>,
    pub(crate) cluster_id: Str,
    pub(crate) broker_epoch: i64,
    /// The names of the listeners, in the order of the settings.
    pub(crate) listener_names: Vec<Str>,
    pub(crate) controller: Controller,
    pub(crate) quorum: Quorum,
    pub(crate) topics: Topics,
    /// Held while the table of topics follows the metadata or a failure.
    pub(crate) applying: Mutex<()>,
    pub(crate) logs: Logs,
    pub(crate) moves: Moves,
    pub(crate) cleaner: Arc<Cleaner>,
    pub(crate) scrubber: Arc<Scrubber>,
    pub(crate) groups: Arc<Groups>,
    pub(crate) fetch_sessions: FetchSessions,
    pub(crate) producer_ids: ProducerIds,
    pub(crate) connection_limits: Arc<ConnectionLimits>,
    pub(crate) request_memory: Arc<RequestMemory>,
    pub(crate) answer_memory: Arc<AnswerMemory>,
    /// Held while a large answer is made.
    pub(crate) large_answers: Semaphore,
    pub(crate) traffic: Traffic,
    /// Requests that are not served.
    pub(crate) refused_log: RareLog,
    /// Connections that are not taken.
    pub(crate) not_accepted_log: RareLog,
}

impl Broker {
    pub(crate) fn listener_name(&self, listener: usize) -> &Str {
        &self.listener_names[listener]
    }

    /// The node that clients send administrative requests to: this one, because it is the only voter and so leads
    /// the quorum.
    pub(crate) fn controller_id(&self) -> i32 {
        self.config.node_id
    }

    pub(crate) fn image(&self) -> Arc<Image> {
        self.quorum.image()
    }

    /// Puts a request to the controller. When this returns, what was decided is in the metadata
    /// log, on disk, and in force on this broker.
    ///
    /// # Errors
    /// Kafka's error where the decision was not made durable, or not in force, within `timeout`.
    pub(crate) async fn decide<R>(
        &self,
        timeout: Duration,
        decide: impl FnOnce(&Controller, &Image) -> Decision<R>,
    ) -> Result<R, ErrorCode> {
        let mut without_effect = Vec::new();
        let decided = self.quorum.submit(|image| {
            let (response, records) = decide(&self.controller, image);
            without_effect = settings_without_effect(&records);
            (response, records)
        });
        match clock::timeout(timeout, decided).await {
            Ok(Ok(response)) => {
                without_effect.iter().for_each(|setting| warn!("{setting}"));
                Ok(response)
            }
            Ok(Err(error)) => {
                warn!("a change of the cluster's metadata was not made: {error}");
                Err(match error {
                    SubmitError::DiskFull => ErrorCode::KAFKA_STORAGE_ERROR,
                    SubmitError::TooLarge { .. } => ErrorCode::RECORD_LIST_TOO_LARGE,
                    SubmitError::Unencodable { .. } | SubmitError::Contradiction(_) => {
                        ErrorCode::UNKNOWN_SERVER_ERROR
                    }
                    SubmitError::Stopped(_) => ErrorCode::NOT_CONTROLLER,
                })
            }
            Err(_elapsed) => Err(ErrorCode::REQUEST_TIMED_OUT),
        }
    }

    /// Creates topics that a client has asked about, with the defaults. Returns those that could not be
    /// decided on, and why; what the controller refuses is not there afterwards.
    pub(crate) async fn auto_create_topics(&self, names: Vec<Str>) -> Vec<(Str, ErrorCode)> {
        let topics = names.into_iter().map(|name| match &*name {
            OFFSETS_TOPIC => self.offsets_topic(),
            _ => with_defaults(name),
        });
        self.create(topics.collect()).await
    }

    /// Creates the topic that holds the groups, where it does not exist.
    pub(crate) async fn create_offsets_topic(&self) {
        self.create(vec![self.offsets_topic()]).await;
    }

    async fn create(&self, topics: Vec<CreatableTopic>) -> Vec<(Str, ErrorCode)> {
        let names: Vec<Str> = topics.iter().map(|topic| topic.name.clone()).collect();
        let request = CreateTopicsRequest { topics, ..CreateTopicsRequest::default() };
        let decided = self.decide(DECISION_TIMEOUT, |controller, image| {
            controller.create_topics(image, &request, || Uuid(random::uuid_bytes()))
        });
        match decided.await {
            Err(error) => names.into_iter().map(|name| (name, error)).collect(),
            Ok(response) => {
                // Nobody asked for a topic to be made: one that cannot be is one that is not there, as in Kafka.
                for topic in response.topics.iter().filter(|topic| topic.error_code.is_error()) {
                    let reason = topic.error_message.as_deref().unwrap_or_default();
                    debug!(topic = %topic.name, "not created on demand: {reason}");
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

    /// An id that no producer has had.
    ///
    /// # Errors
    /// Kafka's error where the controller gives none.
    pub(crate) async fn next_producer_id(&self) -> Result<i64, ErrorCode> {
        loop {
            if let Some(id) = self.producer_ids.take() {
                return Ok(id);
            }
            let request = AllocateProducerIdsRequest {
                broker_id: self.config.node_id,
                broker_epoch: self.broker_epoch,
            };
            let decided = self.decide(DECISION_TIMEOUT, |controller, image| {
                controller.allocate_producer_ids(image, &request)
            });
            let block = decided.await.map_err(|_| ErrorCode::COORDINATOR_LOAD_IN_PROGRESS)?;
            if block.error_code.is_error() {
                return Err(block.error_code);
            }
            let first = block.producer_id_start;
            self.producer_ids.refill(first..first + i64::from(block.producer_id_len));
        }
    }
}

/// A topic with the broker's defaults for partitions and replicas.
fn with_defaults(name: Str) -> CreatableTopic {
    CreatableTopic { name, num_partitions: -1, replication_factor: -1, ..CreatableTopic::default() }
}
