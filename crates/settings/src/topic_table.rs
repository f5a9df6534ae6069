//! The settings of a topic: every one that Kafka 4.3 knows.

use crate::setting::{Scope, Setting, Type};

const NO_LZ4_LEVELS: &str = "Milena compresses with lz4 at one level, its fastest";
const NO_TIERS: &str = "Milena has no remote storage yet; records are kept in the log directories only";
const NO_THROTTLE: &str = "Milena does not throttle replication yet";
const NO_PREALLOCATION: &str = "Milena lets segment files grow as they are written";
const NO_ELECTION: &str = "with a single replica of each partition there is no leader to elect";

const TIMESTAMP_TYPES: &[&str] = &["CreateTime", "LogAppendTime"];
const CLEANUP_POLICIES: &[&str] = &["compact", "delete"];
const CODECS: &[&str] = &["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"];

const fn topic(name: &'static str, kind: Type, default: &'static str) -> Setting {
    crate::setting::setting(Scope::Topic, name, kind, default)
}

/// The rows by name, in order.
pub(crate) static TOPIC: &[Setting] = &[
    topic("cleanup.policy", Type::List, "delete").words(CLEANUP_POLICIES).doc(
        "The cleanup policy: 'delete' removes whole segments by retention.ms and retention.bytes; 'compact' \
         keeps the newest record of each key. Both can be combined. With 'compact' every record needs a \
         key.",
    ),
    topic("compression.gzip.level", Type::Int, "-1").between_or(1, 9, -1).doc(
        "The gzip level for batches that the broker compresses: 1 is fastest, 9 smallest, -1 gzip's \
             default.",
    ),
    topic("compression.lz4.level", Type::Int, "9")
        .between(1, 17)
        .warned(NO_LZ4_LEVELS)
        .doc("The lz4 level for batches that the broker compresses."),
    topic("compression.type", Type::String, "producer").words(CODECS).doc(
        "The codec of stored batches. 'producer' keeps each batch as its producer compressed it; otherwise \
         the broker recompresses batches that arrive with another codec.",
    ),
    topic("compression.zstd.level", Type::Int, "3")
        .between(-131_072, 22)
        .doc("The zstd level for batches that the broker compresses."),
    topic("delete.retention.ms", Type::Long, "86400000").at_least(0).doc(
        "The time, in milliseconds, that tombstones are kept in a compacted topic. A consumer that starts \
         from the beginning sees every deletion if it reaches the end within that time.",
    ),
    topic("file.delete.delay.ms", Type::Long, "60000")
        .at_least(0)
        .doc("The time, in milliseconds, that the files of a deleted segment stay on disk."),
    topic("flush.messages", Type::Long, "1").at_least(1).doc(
        "The number of records after which the log is synced to disk. With 1, Milena's default, a produce \
         request with acks=all is answered once its records are on disk; waiting requests share one sync. \
         9223372036854775807, Kafka's default, leaves syncing to the operating system: faster, but a power \
         cut loses the last acknowledged records.",
    ),
    topic("flush.ms", Type::Long, "9223372036854775807").at_least(0).doc(
        "The longest time, in milliseconds, that records may stay in memory before they are synced to \
             disk.",
    ),
    topic("follower.replication.throttled.replicas", Type::List, "")
        .replicas()
        .warned(NO_THROTTLE)
        .doc("The replicas whose fetching is throttled, as partition:broker, or * for all."),
    topic("index.interval.bytes", Type::Int, "4096").at_least(0).doc(
        "The bytes of records between two entries of the offset index. Fewer bytes make a larger index and \
         faster searches.",
    ),
    crate::setting::unset(Scope::Topic, "internal.segment.bytes", Type::Int)
        .at_least(1)
        .internal()
        .doc("The size of a segment, without the lower limit of segment.bytes, for tests."),
    topic("leader.replication.throttled.replicas", Type::List, "")
        .replicas()
        .warned(NO_THROTTLE)
        .doc("The replicas whose serving to followers is throttled, as partition:broker, or * for all."),
    topic("local.retention.bytes", Type::Long, "-2").at_least(-2).warned(NO_TIERS).doc(
        "The bytes of a partition that stay in the log directory once they are in remote storage; -2 stands \
         for retention.bytes.",
    ),
    topic("local.retention.ms", Type::Long, "-2").at_least(-2).warned(NO_TIERS).doc(
        "The milliseconds that records stay in the log directory once they are in remote storage; -2 stands \
         for retention.ms.",
    ),
    topic("max.compaction.lag.ms", Type::Long, "9223372036854775807")
        .at_least(1)
        .doc("The longest time, in milliseconds, until a record becomes eligible for compaction."),
    topic("max.decompressed.message.bytes", Type::Int, "2147483639").between(1, 2_147_483_639).doc(
        "The most bytes to which a record may decompress. A larger record of a compressed batch is rejected \
         with INVALID_RECORD before it is decompressed; compaction and offset lookups by time fail on one \
         that is already stored. A setting of Kafka 4.4. max.decompressed.batch.bytes limits all records of \
         a batch together.",
    ),
    topic("max.message.bytes", Type::Int, "1048588")
        .at_least(0)
        .doc("The largest record batch, in bytes, as compressed by its producer."),
    topic("message.timestamp.after.max.ms", Type::Long, "3600000").at_least(0).doc(
        "The most milliseconds that a record's timestamp may be ahead of the broker's clock; other records \
         are rejected. Does not apply with message.timestamp.type=LogAppendTime.",
    ),
    topic("message.timestamp.before.max.ms", Type::Long, "9223372036854775807").at_least(0).doc(
        "The most milliseconds that a record's timestamp may be behind the broker's clock; other records \
         are rejected. Does not apply with message.timestamp.type=LogAppendTime.",
    ),
    topic("message.timestamp.type", Type::String, "CreateTime").words(TIMESTAMP_TYPES).doc(
        "The timestamp type of records: 'CreateTime' keeps the producer's timestamp, 'LogAppendTime' \
         replaces it by the broker's time on append.",
    ),
    topic("min.cleanable.dirty.ratio", Type::Double, "0.5").fraction(0.0, 1.0).doc(
        "The share of a compacted log that must be new since the last compaction before the next one starts.",
    ),
    topic("min.compaction.lag.ms", Type::Long, "0")
        .at_least(0)
        .doc("The shortest time, in milliseconds, until a record becomes eligible for compaction."),
    topic("min.insync.replicas", Type::Int, "1").at_least(1).doc(
        "The number of in-sync replicas that a produce request with acks=all requires; with fewer it fails \
         with NOT_ENOUGH_REPLICAS. A topic with fewer replicas than that requires all of them.",
    ),
    topic("preallocate", Type::Boolean, "false")
        .warned(NO_PREALLOCATION)
        .doc("Whether a segment's file gets its full size when it is created."),
    topic("remote.log.copy.disable", Type::Boolean, "false")
        .refused(NO_TIERS)
        .doc("Whether to stop copying segments to remote storage."),
    topic("remote.log.delete.on.disable", Type::Boolean, "false")
        .refused(NO_TIERS)
        .doc("Whether to delete the records in remote storage when remote storage is disabled."),
    topic("remote.storage.enable", Type::Boolean, "false")
        .refused(NO_TIERS)
        .doc("Whether older segments move to remote storage."),
    topic("retention.bytes", Type::Long, "-1").doc(
        "The size, in bytes, above which a partition's oldest segments are deleted; -1 sets no limit. The \
         limit applies to each partition, not to the topic.",
    ),
    topic("retention.ms", Type::Long, "604800000").at_least(-1).doc(
        "The milliseconds that records are kept before their segment is deleted; -1 keeps them forever.",
    ),
    topic("segment.bytes", Type::Int, "1073741824").at_least(1_048_576).doc(
        "The size, in bytes, at which a segment is closed and the next one starts. Retention removes whole \
         segments, so smaller ones follow it more closely.",
    ),
    topic("segment.index.bytes", Type::Int, "10485760")
        .at_least(4)
        .doc("The largest size of a segment's offset index, in bytes; the next segment starts then."),
    topic("segment.jitter.ms", Type::Long, "0").at_least(0).doc(
        "The most milliseconds by which a segment is closed before segment.ms, chosen at random, so that \
         many partitions do not roll at once.",
    ),
    topic("segment.ms", Type::Long, "604800000").at_least(1).doc(
        "The milliseconds after which a segment is closed even if it is not full, so that retention can \
         remove it.",
    ),
    topic("unclean.leader.election.enable", Type::Boolean, "false").warned(NO_ELECTION).doc(
        "Whether a replica that is not in sync may become leader if no other is left, at the cost of the \
         records that it lacks.",
    ),
];

/// The factor from the unit of a broker's setting to that of the topic's; 1 if they have the same unit.
pub(crate) type Unit = i64;

const MINUTE_MS: Unit = 60_000;
const HOUR_MS: Unit = 3_600_000;

/// The broker's settings that stand in for a topic's: the first one that is set wins, and if none is, the
/// default of the last one counts.
pub(crate) static TOPIC_SYNONYMS: &[(&str, &[(&str, Unit)])] = &[
    ("cleanup.policy", &[("log.cleanup.policy", 1)]),
    ("compression.gzip.level", &[("compression.gzip.level", 1)]),
    ("compression.lz4.level", &[("compression.lz4.level", 1)]),
    ("compression.type", &[("compression.type", 1)]),
    ("compression.zstd.level", &[("compression.zstd.level", 1)]),
    ("delete.retention.ms", &[("log.cleaner.delete.retention.ms", 1)]),
    ("file.delete.delay.ms", &[("log.segment.delete.delay.ms", 1)]),
    ("flush.messages", &[("log.flush.interval.messages", 1)]),
    ("flush.ms", &[("log.flush.interval.ms", 1), ("log.flush.scheduler.interval.ms", 1)]),
    ("index.interval.bytes", &[("log.index.interval.bytes", 1)]),
    ("local.retention.bytes", &[("log.local.retention.bytes", 1)]),
    ("local.retention.ms", &[("log.local.retention.ms", 1)]),
    ("max.decompressed.message.bytes", &[("max.decompressed.message.bytes", 1)]),
    ("max.compaction.lag.ms", &[("log.cleaner.max.compaction.lag.ms", 1)]),
    ("max.message.bytes", &[("message.max.bytes", 1)]),
    ("message.timestamp.after.max.ms", &[("log.message.timestamp.after.max.ms", 1)]),
    ("message.timestamp.before.max.ms", &[("log.message.timestamp.before.max.ms", 1)]),
    ("message.timestamp.type", &[("log.message.timestamp.type", 1)]),
    ("min.cleanable.dirty.ratio", &[("log.cleaner.min.cleanable.ratio", 1)]),
    ("min.compaction.lag.ms", &[("log.cleaner.min.compaction.lag.ms", 1)]),
    ("min.insync.replicas", &[("min.insync.replicas", 1)]),
    ("preallocate", &[("log.preallocate", 1)]),
    ("retention.bytes", &[("log.retention.bytes", 1)]),
    (
        "retention.ms",
        &[("log.retention.ms", 1), ("log.retention.minutes", MINUTE_MS), ("log.retention.hours", HOUR_MS)],
    ),
    ("segment.bytes", &[("log.segment.bytes", 1)]),
    ("segment.index.bytes", &[("log.index.size.max.bytes", 1)]),
    ("segment.jitter.ms", &[("log.roll.jitter.ms", 1), ("log.roll.jitter.hours", HOUR_MS)]),
    ("segment.ms", &[("log.roll.ms", 1), ("log.roll.hours", HOUR_MS)]),
    ("unclean.leader.election.enable", &[("unclean.leader.election.enable", 1)]),
];

/// The broker's settings with the same meaning in another unit: the first one that is set wins.
pub(crate) static BROKER_SYNONYMS: &[(&str, &[&str])] = &[
    ("log.dirs", &["log.dirs", "log.dir"]),
    ("log.flush.interval.ms", &["log.flush.interval.ms", "log.flush.scheduler.interval.ms"]),
    ("log.retention.minutes", &["log.retention.minutes", "log.retention.hours"]),
    ("log.retention.ms", &["log.retention.ms", "log.retention.minutes", "log.retention.hours"]),
    ("log.roll.jitter.ms", &["log.roll.jitter.ms", "log.roll.jitter.hours"]),
    ("log.roll.ms", &["log.roll.ms", "log.roll.hours"]),
    ("node.id", &["node.id", "broker.id"]),
];
