//! The contents of the brokers' log directories.

use protocol::ErrorCode;
use protocol::messages::describe_log_dirs_request::DescribeLogDirsRequest;
pub use protocol::messages::describe_log_dirs_response::{LogDamage, PartitionLogStatus};

use super::Admin;
use crate::cluster::{ClusterError, Lane};
use crate::topic_partition::TopicPartition;

/// A log directory of a broker.
#[derive(Debug, Clone, PartialEq)]
pub struct LogDirDescription {
    /// The broker's id.
    pub broker: i32,
    /// Its path on the broker.
    pub path: String,
    /// The reason why its contents are unknown: [`ErrorCode::KAFKA_STORAGE_ERROR`] if it has failed.
    pub error: Option<ErrorCode>,
    /// The size of its volume, if the broker reports it.
    pub total_bytes: Option<i64>,
    /// The free space on the volume, if the broker reports it.
    pub usable_bytes: Option<i64>,
    /// The logs in it, by partition.
    pub logs: Vec<LogDescription>,
}

/// The log of a partition's replica.
#[derive(Debug, Clone, PartialEq)]
pub struct LogDescription {
    /// The partition.
    pub partition: TopicPartition,
    /// Bytes of batches.
    pub size_bytes: i64,
    /// Whether it is a future log, which will replace the log in another directory.
    pub is_future: bool,
    /// Details that Kafka's brokers do not report.
    pub status: Option<PartitionLogStatus>,
}

impl Admin {
    /// The log directories of all brokers with their contents, by broker and path.
    ///
    /// # Errors
    /// [`ClusterError`] if a broker does not answer: a part would look like the whole.
    pub async fn describe_log_dirs(&self) -> Result<Vec<LogDirDescription>, ClusterError> {
        let mut retry = self.cluster.retry();
        loop {
            match self.describe_log_dirs_once().await {
                Ok(dirs) => return Ok(dirs),
                Err(error) => retry.after(error).await?,
            }
        }
    }

    async fn describe_log_dirs_once(&self) -> Result<Vec<LogDirDescription>, ClusterError> {
        let request = DescribeLogDirsRequest { topics: None, include_log_status: true };
        let mut dirs = Vec::new();
        for &broker in self.cluster.view().brokers.keys() {
            let connection = self.cluster.broker(broker, Lane::Prompt).await?;
            let response = connection.request(&request).await?;
            ClusterError::check(response.error_code, None)?;
            let mut of_broker: Vec<LogDirDescription> = Vec::new();
            for dir in response.results {
                let mut logs = Vec::new();
                for topic in dir.topics {
                    let name = topic.name.to_string();
                    logs.extend(topic.partitions.into_iter().map(|partition| LogDescription {
                        partition: TopicPartition::new(name.clone(), partition.partition_index),
                        size_bytes: partition.partition_size,
                        is_future: partition.is_future_key,
                        status: partition.log_status,
                    }));
                }
                logs.sort_by(|a, b| a.partition.cmp(&b.partition));
                of_broker.push(LogDirDescription {
                    broker,
                    path: dir.log_dir.to_string(),
                    error: dir.error_code.is_error().then_some(dir.error_code),
                    total_bytes: Some(dir.total_bytes).filter(|&bytes| bytes >= 0),
                    usable_bytes: Some(dir.usable_bytes).filter(|&bytes| bytes >= 0),
                    logs,
                });
            }
            of_broker.sort_by(|a, b| a.path.cmp(&b.path));
            dirs.append(&mut of_broker);
        }
        Ok(dirs)
    }
}
