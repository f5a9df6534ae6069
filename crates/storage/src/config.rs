//! A log's settings from its topic, as plain values.

use record::DecompressLimits;

/// The settings of one partition's log. Kafka's names and meanings; a topic's configuration is the
/// broker's affair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// `segment.bytes`: a segment takes no batch that would make it larger. At most 2147483647.
    pub segment_bytes: u32,
    /// `segment.ms`: a batch whose timestamp is this much above that of the segment's first opens a new one.
    pub segment_ms: i64,
    /// `segment.jitter.ms`: the most by which `segment_ms` is shortened, differently for each segment.
    pub segment_jitter_ms: i64,
    /// `segment.index.bytes`: the most that the offset index, and the time index, of one segment may take.
    pub segment_index_bytes: u32,
    /// `index.interval.bytes`: the bytes of batches between two index entries.
    pub index_interval_bytes: u32,
    /// Whether `cleanup.policy` has `delete`: whether the next two settings apply.
    pub delete: bool,
    /// Whether `cleanup.policy` has `compact`: whether the three settings after this apply.
    pub compact: bool,
    /// `min.compaction.lag.ms`: the shortest time that a record stays uncompacted.
    pub min_compaction_lag_ms: i64,
    /// `max.compaction.lag.ms`: the longest time that a record stays uncompacted.
    pub max_compaction_lag_ms: i64,
    /// `delete.retention.ms`: how long a tombstone or a transaction marker stays once compaction has
    /// seen that it may go.
    pub delete_retention_ms: i64,
    /// `retention.ms`; -1 for no limit.
    pub retention_ms: i64,
    /// `retention.bytes`; -1 for no limit.
    pub retention_bytes: i64,
    /// `file.delete.delay.ms`: how long a deleted segment's files stay under another name.
    pub file_delete_delay_ms: i64,
    /// `max.decompressed.message.bytes`: the most bytes of a record of a compressed batch that is read here, once it is
    /// decompressed.
    pub max_decompressed_message_bytes: usize,
    /// `producer.id.expiration.ms`: how long a producer that writes nothing is remembered.
    pub producer_id_expiration_ms: i64,
}

/// The most bytes to which the records of one stored batch may decompress. They were validated on append, so
/// this limit matters for damage only.
const BATCH_BYTES_MAX: usize = 1 << 30;

impl LogConfig {
    /// The limits for decompressing a stored batch.
    pub(crate) fn decompress_limits(&self) -> DecompressLimits {
        DecompressLimits { batch_bytes: BATCH_BYTES_MAX, record_bytes: self.max_decompressed_message_bytes }
    }
}

impl Default for LogConfig {
    /// Kafka's defaults.
    fn default() -> LogConfig {
        LogConfig {
            segment_bytes: 1 << 30,
            segment_ms: 7 * 24 * 60 * 60 * 1000,
            segment_jitter_ms: 0,
            segment_index_bytes: 10 << 20,
            index_interval_bytes: 4096,
            delete: true,
            compact: false,
            min_compaction_lag_ms: 0,
            max_compaction_lag_ms: i64::MAX,
            delete_retention_ms: 24 * 60 * 60 * 1000,
            retention_ms: 7 * 24 * 60 * 60 * 1000,
            retention_bytes: -1,
            file_delete_delay_ms: 60_000,
            max_decompressed_message_bytes: 2_147_483_639,
            producer_id_expiration_ms: 24 * 60 * 60 * 1000,
        }
    }
}
