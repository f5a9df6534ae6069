//! Creating, enlarging and deleting topics.

use protocol::messages::create_partitions_request::{CreatePartitionsRequest, CreatePartitionsTopic};
use protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig, CreateTopicsRequest};
use protocol::messages::delete_topics_request::{DeleteTopicState, DeleteTopicsRequest};
use protocol::{ErrorCode, Str, Uuid};

use super::{Admin, only};
use crate::cluster::ClusterError;
use crate::connection::RequestError;

#[cfg(test)]
mod tests;

/// A topic to create.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewTopic {
    /// Its name.
    pub name: String,
    /// Its number of partitions; `None` for the broker's `num.partitions`.
    pub partitions: Option<i32>,
    /// The number of replicas of each; `None` for the broker's `default.replication.factor`.
    pub replication_factor: Option<i16>,
    /// Settings that differ from the broker's, by name.
    pub configs: Vec<(String, String)>,
}

/// A topic that was created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreatedTopic {
    /// Its name.
    pub name: String,
    /// Its id; [`Uuid::ZERO`] if the broker is too old to tell.
    pub id: Uuid,
    /// Its number of partitions; `None` if the broker does not report it.
    pub partitions: Option<i32>,
    /// The number of replicas of each; `None` if the broker does not report it.
    pub replication_factor: Option<i16>,
}

impl Admin {
    /// Creates a topic. With `validate_only` nothing is created; the answer describes the topic that would
    /// be.
    ///
    /// # Errors
    /// [`ClusterError::Refused`] with `TOPIC_ALREADY_EXISTS`, `INVALID_TOPIC_EXCEPTION`,
    /// `INVALID_PARTITIONS`, `INVALID_REPLICATION_FACTOR`, `INVALID_CONFIG`, `POLICY_VIOLATION` and others.
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
        let (wait, timeout_ms) = self.patience();
        let request = CreateTopicsRequest { topics: vec![creatable], timeout_ms, validate_only };
        let mut retry = self.cluster.retry();
        let mut in_doubt = false;
        loop {
            let attempt = async {
                let response =
                    self.cluster.controller().await?.request_with(&request, i16::MAX, wait).await?;
                let result = only(response.topics)?;
                ClusterError::check(result.error_code, result.error_message.as_deref())?;
                Ok::<_, ClusterError>(CreatedTopic {
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
                Err(error) if in_doubt && error.code() == Some(ErrorCode::TOPIC_ALREADY_EXISTS) => {
                    return self.created_before(topic).await.ok_or(error);
                }
                Err(error) => {
                    in_doubt |= !validate_only && may_have_happened(&error);
                    retry.after(error).await?;
                }
            }
        }
    }

    /// The topic, if it exists as an earlier attempt would have created it whose answer was lost.
    async fn created_before(&self, topic: &NewTopic) -> Option<CreatedTopic> {
        self.cluster.forget_topic(&topic.name);
        let found = self.cluster.topic(&topic.name).await.ok()?;
        let partitions = i32::try_from(found.partitions.len()).ok();
        let replication_factor = i16::try_from(found.replication_factor()).ok();
        let is_it = (topic.partitions.is_none() || topic.partitions == partitions)
            && (topic.replication_factor.is_none() || topic.replication_factor == replication_factor);
        is_it.then(|| CreatedTopic { name: topic.name.clone(), id: found.id, partitions, replication_factor })
    }

    /// Raises the number of a topic's partitions to `count`.
    ///
    /// # Errors
    /// [`ClusterError::UnknownTopic`]; [`ClusterError::Refused`] with `INVALID_PARTITIONS` if it has that
    /// many already, and others.
    pub async fn create_partitions(&self, topic: &str, count: i32) -> Result<(), ClusterError> {
        let (wait, timeout_ms) = self.patience();
        let request = CreatePartitionsRequest {
            topics: vec![CreatePartitionsTopic { name: Str::from(topic), count, assignments: None }],
            timeout_ms,
            validate_only: false,
        };
        let mut retry = self.cluster.retry();
        let mut in_doubt = false;
        loop {
            let attempt = async {
                let response =
                    self.cluster.controller().await?.request_with(&request, i16::MAX, wait).await?;
                let result = only(response.results)?;
                check_topic(topic, result.error_code, result.error_message.as_deref())
            };
            match attempt.await {
                Ok(()) => {
                    self.cluster.forget_topic(topic);
                    return Ok(());
                }
                Err(error @ ClusterError::UnknownTopic { .. }) => return Err(error),
                Err(error) if in_doubt && error.code() == Some(ErrorCode::INVALID_PARTITIONS) => {
                    self.cluster.forget_topic(topic);
                    let found = self.cluster.topic(topic).await?.partitions.len();
                    return if i32::try_from(found) == Ok(count) { Ok(()) } else { Err(error) };
                }
                Err(error) => {
                    in_doubt |= may_have_happened(&error);
                    retry.after(error).await?;
                }
            }
        }
    }

    /// Deletes a topic and all its records.
    ///
    /// # Errors
    /// [`ClusterError::UnknownTopic`]; [`ClusterError::Refused`] with `TOPIC_DELETION_DISABLED` and others.
    pub async fn delete_topic(&self, topic: &str) -> Result<(), ClusterError> {
        let (wait, timeout_ms) = self.patience();
        let mut retry = self.cluster.retry();
        let mut in_doubt = false;
        loop {
            let attempt = async {
                let controller = self.cluster.controller().await?;
                let mut request = DeleteTopicsRequest {
                    topic_names: vec![Str::from(topic)],
                    timeout_ms,
                    ..Default::default()
                };
                if controller.version_of::<DeleteTopicsRequest>()? >= 6 {
                    let state = DeleteTopicState { name: Some(Str::from(topic)), topic_id: Uuid::ZERO };
                    request.topics = vec![state];
                }
                let response = controller.request_with(&request, i16::MAX, wait).await?;
                let result = only(response.responses)?;
                check_topic(topic, result.error_code, result.error_message.as_deref())
            };
            match attempt.await {
                Ok(()) => {
                    self.cluster.forget_topic(topic);
                    return Ok(());
                }
                Err(ClusterError::UnknownTopic { .. }) if in_doubt => {
                    self.cluster.forget_topic(topic);
                    return Ok(());
                }
                Err(error @ ClusterError::UnknownTopic { .. }) => return Err(error),
                Err(error) => {
                    in_doubt |= may_have_happened(&error);
                    retry.after(error).await?;
                }
            }
        }
    }
}

/// Whether a change may have been carried out, or still be under way, despite this error: another attempt
/// then finds it done.
fn may_have_happened(error: &ClusterError) -> bool {
    match error {
        ClusterError::Request(RequestError::Closed { .. } | RequestError::TimedOut { .. }) => true,
        error => error.code() == Some(ErrorCode::REQUEST_TIMED_OUT),
    }
}

fn check_topic(topic: &str, code: protocol::ErrorCode, message: Option<&str>) -> Result<(), ClusterError> {
    match ClusterError::of_topic(topic, code) {
        unknown @ ClusterError::UnknownTopic { .. } => Err(unknown),
        _ => ClusterError::check(code, message),
    }
}
