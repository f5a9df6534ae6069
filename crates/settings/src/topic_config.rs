//! A topic's settings with every layer resolved.

use record::{Compression, Compressor};

use crate::{Layers, Scope};

/// The timestamp type of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampType {
    /// The producer's.
    CreateTime,
    /// The broker's, when it appends.
    LogAppendTime,
}

/// The settings of a topic: its own values, else those of the broker, else the defaults. Plain values, cheap
/// to compute again after a change. The fields are named after the settings; the table documents them.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "each field is documented by the table, under its own name")]
pub struct TopicConfig {
    /// `cleanup.policy` has `compact`.
    pub compact: bool,
    /// `compression.type` with the level of that codec; `None` for `producer`.
    pub compression: Option<Compressor>,
    /// `cleanup.policy` has `delete`.
    pub delete: bool,
    pub delete_retention_ms: i64,
    pub file_delete_delay_ms: i64,
    pub flush_messages: i64,
    pub flush_ms: i64,
    pub index_interval_bytes: i32,
    pub max_compaction_lag_ms: i64,
    pub max_decompressed_message_bytes: i32,
    pub max_message_bytes: i32,
    pub message_timestamp_after_max_ms: i64,
    pub message_timestamp_before_max_ms: i64,
    pub message_timestamp_type: TimestampType,
    pub min_cleanable_dirty_ratio: f64,
    pub min_compaction_lag_ms: i64,
    pub min_insync_replicas: i32,
    pub preallocate: bool,
    /// -1: no limit.
    pub retention_bytes: i64,
    /// -1: no limit.
    pub retention_ms: i64,
    pub segment_bytes: i32,
    pub segment_index_bytes: i32,
    pub segment_jitter_ms: i64,
    pub segment_ms: i64,
    pub unclean_leader_election_enable: bool,
}

impl TopicConfig {
    /// Resolves a topic's settings.
    pub fn resolve(layers: &Layers<'_>) -> Self {
        let value = |name| layers.value(Scope::Topic, name);
        let long = |name| value(name).whole();
        let int = |name| i32::try_from(long(name)).expect("an INT setting fits 32 bits");
        let policy = value("cleanup.policy");
        let has_policy = |policies: &str| policy.list().iter().any(|policy| policy == policies);
        Self {
            compact: has_policy("compact"),
            compression: compression(value("compression.type").text(), int),
            delete: has_policy("delete"),
            delete_retention_ms: long("delete.retention.ms"),
            file_delete_delay_ms: long("file.delete.delay.ms"),
            flush_messages: long("flush.messages"),
            flush_ms: long("flush.ms"),
            index_interval_bytes: int("index.interval.bytes"),
            max_compaction_lag_ms: long("max.compaction.lag.ms"),
            max_decompressed_message_bytes: int("max.decompressed.message.bytes"),
            max_message_bytes: int("max.message.bytes"),
            message_timestamp_after_max_ms: long("message.timestamp.after.max.ms"),
            message_timestamp_before_max_ms: long("message.timestamp.before.max.ms"),
            message_timestamp_type: match value("message.timestamp.type").text() {
                "LogAppendTime" => TimestampType::LogAppendTime,
                _ => TimestampType::CreateTime,
            },
            min_cleanable_dirty_ratio: value("min.cleanable.dirty.ratio").fraction(),
            min_compaction_lag_ms: long("min.compaction.lag.ms"),
            min_insync_replicas: int("min.insync.replicas"),
            preallocate: value("preallocate").boolean(),
            retention_bytes: long("retention.bytes"),
            retention_ms: long("retention.ms"),
            segment_bytes: layers
                .optional(Scope::Topic, "internal.segment.bytes")
                .map_or_else(|| int("segment.bytes"), |bytes| bytes.whole() as i32),
            segment_index_bytes: int("segment.index.bytes"),
            segment_jitter_ms: long("segment.jitter.ms"),
            segment_ms: long("segment.ms"),
            unclean_leader_election_enable: value("unclean.leader.election.enable").boolean(),
        }
    }
}

/// The compressor of stored batches; `None` to keep them as their producers compressed them.
fn compression(name: &str, level: impl Fn(&'static str) -> i32) -> Option<Compressor> {
    let (codec, level) = match name {
        "uncompressed" => (Compression::None, None),
        // -1 is gzip's own choice.
        "gzip" => (Compression::Gzip, Some(level("compression.gzip.level")).filter(|level| *level > 0)),
        "snappy" => (Compression::Snappy, None),
        "lz4" => (Compression::Lz4, None),
        "zstd" => (Compression::Zstd, Some(level("compression.zstd.level"))),
        _ => return None,
    };
    Some(Compressor { codec, level })
}

impl Default for TopicConfig {
    /// The defaults of the table.
    fn default() -> Self {
        let none = crate::Configs::new();
        Self::resolve(&Layers { topic: None, broker: &none, brokers: &none, given: &none })
    }
}
