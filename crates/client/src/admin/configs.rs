//! The settings of topics and brokers.

use protocol::messages::describe_configs_request::{DescribeConfigsRequest, DescribeConfigsResource};
use protocol::messages::describe_configs_response::DescribeConfigsResourceResult;
use protocol::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};
use protocol::{ErrorCode, Str};

use super::{Admin, only};
use crate::cluster::ClusterError;

const RESOURCE_TOPIC: i8 = 2;

/// A setting in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Its name.
    pub name: String,
    /// Its value; `None` if it has none, or is secret.
    pub value: Option<String>,
    /// The source of its value.
    pub source: ConfigSource,
    /// Whether it cannot be changed while the broker runs.
    pub is_read_only: bool,
    /// Whether its value is secret.
    pub is_sensitive: bool,
}

/// The source of a setting's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfigSource {
    /// The default.
    Default,
    /// The topic itself.
    Topic,
    /// A broker: its file, or a setting changed while it runs.
    Broker,
    /// A source that this client does not know.
    Other(i8),
}

impl ConfigSource {
    fn from_i8(source: i8) -> Self {
        match source {
            5 => ConfigSource::Default,
            1 => ConfigSource::Topic,
            2..=4 => ConfigSource::Broker,
            other => ConfigSource::Other(other),
        }
    }
}

/// A change of one setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigChange {
    /// Gives it a value.
    Set {
        /// Its name.
        name: String,
        /// Its new value.
        value: String,
    },
    /// Removes its value, so that the broker's applies again.
    Unset {
        /// Its name.
        name: String,
    },
}

impl Admin {
    /// The settings of a topic, including those that have their defaults.
    ///
    /// # Errors
    /// [`ClusterError::UnknownTopic`] and others.
    pub async fn topic_configs(&self, topic: &str) -> Result<Vec<Config>, ClusterError> {
        let resource = DescribeConfigsResource {
            resource_type: RESOURCE_TOPIC,
            resource_name: Str::from(topic),
            configuration_keys: None,
        };
        let request = DescribeConfigsRequest { resources: vec![resource], ..Default::default() };
        let mut retry = self.cluster.retry();
        loop {
            let attempt = async {
                let response = self.cluster.any().await?.request(&request).await?;
                let result = only(response.results)?;
                check(topic, result.error_code, result.error_message.as_deref())?;
                Ok(result.configs.iter().map(Config::from_response).collect())
            };
            match attempt.await {
                Ok(configs) => return Ok(configs),
                Err(error @ ClusterError::UnknownTopic { .. }) => return Err(error),
                Err(error) => retry.after(error).await?,
            }
        }
    }

    /// Changes settings of a topic, all of them or none.
    ///
    /// # Errors
    /// [`ClusterError::UnknownTopic`]; [`ClusterError::Refused`] with `INVALID_CONFIG` and others.
    pub async fn alter_topic_configs(
        &self,
        topic: &str,
        changes: &[ConfigChange],
    ) -> Result<(), ClusterError> {
        let resource = AlterConfigsResource {
            resource_type: RESOURCE_TOPIC,
            resource_name: Str::from(topic),
            configs: changes.iter().map(ConfigChange::to_request).collect(),
        };
        let request = IncrementalAlterConfigsRequest { resources: vec![resource], validate_only: false };
        let mut retry = self.cluster.retry();
        loop {
            let attempt = async {
                let response = self.cluster.controller().await?.request(&request).await?;
                let result = only(response.responses)?;
                check(topic, result.error_code, result.error_message.as_deref())
            };
            match attempt.await {
                Ok(()) => return Ok(()),
                Err(error @ ClusterError::UnknownTopic { .. }) => return Err(error),
                Err(error) => retry.after(error).await?,
            }
        }
    }
}

impl Config {
    fn from_response(config: &DescribeConfigsResourceResult) -> Config {
        Config {
            name: config.name.to_string(),
            value: config.value.as_deref().map(ToOwned::to_owned),
            source: ConfigSource::from_i8(config.config_source),
            is_read_only: config.read_only,
            is_sensitive: config.is_sensitive,
        }
    }
}

impl ConfigChange {
    fn to_request(&self) -> AlterableConfig {
        const SET: i8 = 0;
        const DELETE: i8 = 1;
        match self {
            ConfigChange::Set { name, value } => AlterableConfig {
                name: Str::from(name),
                config_operation: SET,
                value: Some(Str::from(value)),
            },
            ConfigChange::Unset { name } => {
                AlterableConfig { name: Str::from(name), config_operation: DELETE, value: None }
            }
        }
    }
}

fn check(topic: &str, code: ErrorCode, message: Option<&str>) -> Result<(), ClusterError> {
    match ClusterError::of_topic(topic, code) {
        unknown @ ClusterError::UnknownTopic { .. } => Err(unknown),
        _ => ClusterError::check(code, message),
    }
}
