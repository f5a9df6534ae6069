//! The settings of a partition, resolved from those of its topic and the broker.

use std::sync::Arc;

use record::{Compression, Compressor, ProduceRules};
use settings::{BrokerConfig, TimestampType, TopicConfig};
use storage::LogConfig;

use super::super::leader::InSyncRules;

/// The time after which a follower that has not caught up lags behind: Kafka's default of `replica.lag.time.max.ms`. No
/// broker has followers yet, and the setting says so.
const REPLICA_LAG_TIME_MAX_MS: i64 = 30_000;

/// A topic's settings as one of its partitions needs them.
#[derive(Debug, Clone)]
pub(crate) struct PartitionRules {
    pub(crate) topic: TopicConfig,
    max_decompressed_bytes: usize,
    log: Arc<LogConfig>,
}

impl PartitionRules {
    pub(crate) fn new(topic: TopicConfig, broker: &BrokerConfig) -> Self {
        Self {
            log: Arc::new(log_config(&topic, i64::from(broker.producer_id_expiration_ms))),
            topic,
            max_decompressed_bytes: usize::try_from(broker.max_decompressed_batch_bytes).unwrap_or(0),
        }
    }

    /// Whether an acks=all produce waits for the disk. That is the default; a larger
    /// `flush.messages` asks for Kafka's acknowledgement from the page cache.
    pub(crate) fn durable_acks(&self) -> bool {
        self.topic.flush_messages == 1
    }

    /// The measure of being in sync.
    pub(crate) fn in_sync(&self) -> InSyncRules {
        InSyncRules {
            min_in_sync: usize::try_from(self.topic.min_insync_replicas).unwrap_or(0),
            max_lag_ms: REPLICA_LAG_TIME_MAX_MS,
        }
    }

    /// The compressor for a batch that arrived with `codec`, or `None` if it is stored as received.
    pub(crate) fn recompress(&self, codec: Option<Compression>) -> Option<Compressor> {
        self.topic.compression.filter(|compressor| Some(compressor.codec) != codec)
    }

    /// The rules for a produced batch.
    pub(crate) fn produce(&self, request_version: i16, now_ms: i64) -> ProduceRules {
        ProduceRules {
            request_version,
            now_ms,
            max_message_bytes: usize::try_from(self.topic.max_message_bytes).unwrap_or(0),
            max_decompressed_bytes: self.max_decompressed_bytes,
            max_record_bytes: usize::try_from(self.topic.max_decompressed_message_bytes).unwrap_or(0),
            compacted: self.topic.compact,
            timestamp_type: match self.topic.message_timestamp_type {
                TimestampType::CreateTime => record::TimestampType::CreateTime,
                TimestampType::LogAppendTime => record::TimestampType::LogAppendTime,
            },
            timestamp_before_max_ms: self.topic.message_timestamp_before_max_ms,
            timestamp_after_max_ms: self.topic.message_timestamp_after_max_ms,
        }
    }

    /// The settings of the log.
    pub(crate) fn log(&self) -> Arc<LogConfig> {
        Arc::clone(&self.log)
    }
}

fn log_config(topic: &TopicConfig, producer_id_expiration_ms: i64) -> LogConfig {
    // A topic that is not compacted does not roll segments by this lag.
    let lag_ms = if topic.compact { topic.max_compaction_lag_ms } else { i64::MAX };
    LogConfig {
        segment_bytes: u32::try_from(topic.segment_bytes).unwrap_or(0),
        segment_ms: topic.segment_ms.min(lag_ms),
        segment_jitter_ms: topic.segment_jitter_ms,
        segment_index_bytes: u32::try_from(topic.segment_index_bytes).unwrap_or(0),
        index_interval_bytes: u32::try_from(topic.index_interval_bytes).unwrap_or(0),
        delete: topic.delete,
        compact: topic.compact,
        min_compaction_lag_ms: topic.min_compaction_lag_ms,
        max_compaction_lag_ms: topic.max_compaction_lag_ms,
        delete_retention_ms: topic.delete_retention_ms,
        retention_ms: topic.retention_ms,
        retention_bytes: topic.retention_bytes,
        file_delete_delay_ms: topic.file_delete_delay_ms,
        max_decompressed_message_bytes: usize::try_from(topic.max_decompressed_message_bytes).unwrap_or(0),
        producer_id_expiration_ms,
    }
}
