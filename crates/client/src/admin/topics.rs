//! Creating, enlarging and deleting topics.

use std::time::Duration;

use protocol::messages::create_partitions_request::{CreatePartitionsRequest, CreatePartitionsTopic};
use protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig, CreateTopicsRequest};
use protocol::messages::delete_topics_request::{DeleteTopicState, DeleteTopicsRequest};
use protocol::{Str, Uuid};

use super::{Admin, CHANGE_TIMEOUT_MS, only};
use crate::cluster::ClusterError;

/// A topic to be created.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewTopic {
    /// Its name.
    pub name: String,
    /// How many partitions; `None` for the broker's `num.partitions`.
    pub partitions: Option<i32>,
    /// How many replicas of each; `None` for the broker's `default.replication.factor`.
    pub replication_factor: Option<i16>,
    /// Settings that differ from the broker's, by name.
    pub configs: Vec<(String, String)>,
}

/// A topic that was created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreatedTopic {
    /// Its name.
    pub name: String,
    /// Its id; [`Uuid::ZERO`] where the broker is too old to tell.
    pub id: Uuid,
    /// How many partitions it has; `None` where the broker does not tell.
    pub partitions: Option<i32>,
    /// How many replicas each has; `None` where the broker does not tell.
    pub replication_factor: Option<i16>,
}

impl Admin {
    /// Creates a topic. With `validate_only` nothing is created; the answer is what it would be.
    ///
    /// # Errors
    /// [`ClusterError::Refused`] with `TOPIC_ALREADY_EXISTS`, `INVALID_TOPIC_EXCEPTION`, `INVALID_PARTITIONS`,
    /// `INVALID_REPLICATION_FACTOR`, `INVALID_CONFIG`, `POLICY_VIOLATION` and others.
    pub async fn create_topic(
        &self,
        topic: &NewTopic,
        validate_only: bool,
    ) -> Result<CreatedTopic, ClusterError> {
        let config = |(name, value): &(String, String)| CreatableTopicConfig {
            name: Str::from(name),
            value: Some(Str::from(value)),
        };
        let creatable = CreatableTopic {
            name: Str::from(&topic.name),
            num_partitions: topic.partitions.unwrap_or(-1),
            replication_factor: topic.replication_factor.unwrap_or(-1),
            configs: topic.configs.iter().map(config).collect(),
            ..Default::default()
        };
        let request =
            CreateTopicsRequest { topics: vec![creatable], timeout_ms: CHANGE_TIMEOUT_MS, validate_only };
        let mut retry = self.cluster.retry();
        loop {
            let attempt = async {
                let response =
                    self.cluster.controller().await?.request_with(&request, i16::MAX, WAIT).await?;
                let result = only(response.topics)?;
                ClusterError::check(result.error_code, result.error_message.as_deref())?;
                Ok(CreatedTopic {
                    name: result.name.to_string(),
                    id: result.topic_id,
                    partitions: Some(result.num_partitions).filter(|&count| count > 0),
                    replication_factor: Some(result.replication_factor).filter(|&factor| factor > 0),
                })
            };
            match attempt.await {
                Ok(created) => {
                    self.cluster.forget_topic(&topic.name);
                    return Ok(created);
                }
                Err(error) => retry.after(error).await?,
            }
        }
    }

    /// Gives a topic more partitions, `count` in all.
    ///
    /// # Errors
    /// [`ClusterError::UnknownTopic`]; [`ClusterError::Refused`] with `INVALID_PARTITIONS` where it has as
    /// many already, and others.
    pub async fn create_partitions(&self, topic: &str, count: i32) -> Result<(), ClusterError> {
        let request = CreatePartitionsRequest {
            topics: vec![CreatePartitionsTopic { name: Str::from(topic), count, assignments: None }],
            timeout_ms: CHANGE_TIMEOUT_MS,
            validate_only: false,
        };
        let mut retry = self.cluster.retry();
        loop {
            let attempt = async {
                let response =
                    self.cluster.controller().await?.request_with(&request, i16::MAX, WAIT).await?;
                let result = only(response.results)?;
                check_topic(topic, result.error_code, result.error_message.as_deref())
            };
            match attempt.await {
                Ok(()) => {
                    self.cluster.forget_topic(topic);
                    return Ok(());
                }
                Err(error @ ClusterError::UnknownTopic { .. }) => return Err(error),
                Err(error) => retry.after(error).await?,
            }
        }
    }

    /// Deletes a topic and all its records.
    ///
    /// # Errors
    /// [`ClusterError::UnknownTopic`]; [`ClusterError::Refused`] with `TOPIC_DELETION_DISABLED` and others.
    pub async fn delete_topic(&self, topic: &str) -> Result<(), ClusterError> {
        let mut retry = self.cluster.retry();
        loop {
            let attempt = async {
                let controller = self.cluster.controller().await?;
                let mut request = DeleteTopicsRequest {
                    topic_names: vec![Str::from(topic)],
                    timeout_ms: CHANGE_TIMEOUT_MS,
                    ..Default::default()
                };
                if controller.version_of::<DeleteTopicsRequest>()? >= 6 {
                    let state = DeleteTopicState { name: Some(Str::from(topic)), topic_id: Uuid::ZERO };
                    request.topics = vec![state];
                }
                let response = controller.request_with(&request, i16::MAX, WAIT).await?;
                let result = only(response.responses)?;
                check_topic(topic, result.error_code, result.error_message.as_deref())
            };
            match attempt.await {
                Ok(()) => {
                    self.cluster.forget_topic(topic);
                    return Ok(());
                }
                Err(error @ ClusterError::UnknownTopic { .. }) => return Err(error),
                Err(error) => retry.after(error).await?,
            }
        }
    }
}

const WAIT: Duration = Duration::from_millis(CHANGE_TIMEOUT_MS.unsigned_abs() as u64);

fn check_topic(topic: &str, code: protocol::ErrorCode, message: Option<&str>) -> Result<(), ClusterError> {
    match ClusterError::of_topic(topic, code) {
        unknown @ ClusterError::UnknownTopic { .. } => Err(unknown),
        _ => ClusterError::check(code, message),
    }
}
