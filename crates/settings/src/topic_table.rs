//! The settings of a topic: every one that Kafka 4.3 knows.

use crate::setting::{Scope, Setting, Type};

const NO_LZ4_LEVELS: &str = "Milena compresses with lz4 at one level, its fastest";
const NO_TIERS: &str =
    "Milena has no remote storage yet, so that records are only kept in the log directories";
const NO_THROTTLE: &str = "Milena does not throttle replication yet";
const NO_PREALLOCATION: &str = "Milena lets segment files grow as they are written";
const NO_ELECTION: &str = "with a single replica of each partition there is no leader to elect";

const TIMESTAMP_TYPES: &[&str] = &["CreateTime", "LogAppendTime"];
const CLEANUP_POLICIES: &[&str] = &["compact", "delete"];
const CODECS: &[&str] = &["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"];

const fn topic(name: &'static str, kind: Type, default: &'static str) -> Setting {
    crate::setting::setting(Scope::Topic, name, kind, default)
}

/// By name, in order.
pub(crate) static TOPIC: &[Setting] = &[
    topic("cleanup.policy", Type::List, "delete").words(CLEANUP_POLICIES).doc(
        "What becomes of old records: 'delete' removes whole segments by retention.ms and retention.bytes; \
         'compact' keeps the newest record of each key. Both may be given. With 'compact' every record \
         needs a key.",
    ),
    topic("compression.gzip.level", Type::Int, "-1")
        .between_or(1, 9, -1)
        .doc("The effort of gzip where the broker compresses: 1 is fastest, 9 smallest, -1 gzip's own choice."),
    topic("compression.lz4.level", Type::Int, "9")
        .between(1, 17)
        .warned(NO_LZ4_LEVELS)
        .doc("The effort of lz4 where the broker compresses."),
    topic("compression.type", Type::String, "producer").words(CODECS).doc(
        "The codec that batches are stored with. 'producer' keeps each batch as its producer compressed it; \
         with another the broker compresses anew what came otherwise.",
    ),
    topic("compression.zstd.level", Type::Int, "3")
        .between(-131_072, 22)
        .doc("The effort of zstd where the broker compresses."),
    topic("delete.retention.ms", Type::Long, "86400000").at_least(0).doc(
        "How long, in milliseconds, the marker of a deleted key stays in a compacted topic, so that readers \
         who started from the beginning in that time see the deletion.",
    ),
    topic("file.delete.delay.ms", Type::Long, "60000")
        .at_least(0)
        .doc("How long, in milliseconds, a segment's files stay on disk after they were taken out of the log."),
    topic("flush.messages", Type::Long, "1").at_least(1).doc(
        "After how many records the log is synced to disk. With 1, which is Milena's default, a produce \
         request with acks=all is answered once its records are on disk; requests that wait share one sync. \
         9223372036854775807, which is Kafka's default, leaves it to the operating system: faster, and a \
         power cut loses what was acknowledged last.",
    ),
    topic("flush.ms", Type::Long, "9223372036854775807")
        .at_least(0)
        .doc("After how many milliseconds at most records that were not synced to disk are."),
    topic("follower.replication.throttled.replicas", Type::List, "").replicas().warned(NO_THROTTLE).doc(
        "The replicas whose fetching is throttled, as partition:broker, or * for all.",
    ),
    topic("index.interval.bytes", Type::Int, "4096").at_least(0).doc(
        "How many bytes of records lie between two entries of the offset index. Fewer bytes make the index \
         larger and a search shorter.",
    ),
    crate::setting::unset(Scope::Topic, "internal.segment.bytes", Type::Int)
        .at_least(1)
        .internal()
        .doc("The size of a segment without segment.bytes' lower limit, for tests."),
    topic("leader.replication.throttled.replicas", Type::List, "").replicas().warned(NO_THROTTLE).doc(
        "The replicas whose serving to followers is throttled, as partition:broker, or * for all.",
    ),
    topic("local.retention.bytes", Type::Long, "-2").at_least(-2).warned(NO_TIERS).doc(
        "The bytes of a partition that stay in the log directory once they are in remote storage; -2 means \
         retention.bytes.",
    ),
    topic("local.retention.ms", Type::Long, "-2").at_least(-2).warned(NO_TIERS).doc(
        "The milliseconds that records stay in the log directory once they are in remote storage; -2 means \
         retention.ms.",
    ),
    topic("max.compaction.lag.ms", Type::Long, "9223372036854775807")
        .at_least(1)
        .doc("After how many milliseconds at the latest a record becomes eligible for compaction."),
    topic("max.decompressed.message.bytes", Type::Int, "2147483639").between(1, 2_147_483_639).doc(
        "The size in bytes that a record may have once it is decompressed. A larger record of a compressed \
         batch is rejected with INVALID_RECORD before it is decompressed; compaction and offset lookups by \
         time fail on one that is already stored. A setting of Kafka 4.4. \
         max.decompressed.batch.bytes limits all records of a batch together.",
    ),
    topic("max.message.bytes", Type::Int, "1048588").at_least(0).doc(
        "The size in bytes that a record batch, as compressed by its producer, may have at most.",
    ),
    topic("message.timestamp.after.max.ms", Type::Long, "3600000").at_least(0).doc(
        "By how many milliseconds a record's timestamp may be ahead of the broker's clock; a record beyond \
         is refused. Not applied with message.timestamp.type=LogAppendTime.",
    ),
    topic("message.timestamp.before.max.ms", Type::Long, "9223372036854775807").at_least(0).doc(
        "By how many milliseconds a record's timestamp may be behind the broker's clock; a record beyond \
         is refused. Not applied with message.timestamp.type=LogAppendTime.",
    ),
    topic("message.timestamp.type", Type::String, "CreateTime").words(TIMESTAMP_TYPES).doc(
        "Whose time a record carries: 'CreateTime' keeps the producer's, 'LogAppendTime' replaces it by the \
         broker's at the time of the append.",
    ),
    topic("min.cleanable.dirty.ratio", Type::Double, "0.5").fraction(0.0, 1.0).doc(
        "The part of a compacted log that must be new since the last compaction before the next one starts.",
    ),
    topic("min.compaction.lag.ms", Type::Long, "0")
        .at_least(0)
        .doc("How many milliseconds a record stays untouched by compaction at least."),
    topic("min.insync.replicas", Type::Int, "1").at_least(1).doc(
        "How many in-sync replicas a partition needs so that a produce request with acks=all is taken; with \
         fewer it fails with NOT_ENOUGH_REPLICAS. A topic with fewer replicas than that needs all of them.",
    ),
    topic("preallocate", Type::Boolean, "false")
        .warned(NO_PREALLOCATION)
        .doc("Whether a segment's file gets its full size when it is created."),
    topic("remote.log.copy.disable", Type::Boolean, "false")
        .refused(NO_TIERS)
        .doc("Whether no more segments are copied to remote storage."),
    topic("remote.log.delete.on.disable", Type::Boolean, "false")
        .refused(NO_TIERS)
        .doc("Whether what is in remote storage goes away when remote storage is switched off."),
    topic("remote.storage.enable", Type::Boolean, "false")
        .refused(NO_TIERS)
        .doc("Whether older segments move to remote storage."),
    topic("retention.bytes", Type::Long, "-1").doc(
        "The size in bytes that a partition may grow to before its oldest segments are deleted; -1 is no \
         limit. It is a limit of each partition, not of the topic.",
    ),
    topic("retention.ms", Type::Long, "604800000").at_least(-1).doc(
        "How many milliseconds records stay at least before their segment is deleted; -1 keeps them for ever.",
    ),
    topic("segment.bytes", Type::Int, "1073741824").at_least(1_048_576).doc(
        "The size in bytes at which a segment is closed and the next one begins. Retention removes whole \
         segments, so that smaller ones follow it more closely.",
    ),
    topic("segment.index.bytes", Type::Int, "10485760")
        .at_least(4)
        .doc("The size in bytes that a segment's offset index may reach before the next segment begins."),
    topic("segment.jitter.ms", Type::Long, "0").at_least(0).doc(
        "Up to how many milliseconds, chosen at random, a segment is closed before segment.ms, so that many \
         partitions do not roll at once.",
    ),
    topic("segment.ms", Type::Long, "604800000").at_least(1).doc(
        "After how many milliseconds a segment is closed though it is not full, so that retention can \
         remove it.",
    ),
    topic("unclean.leader.election.enable", Type::Boolean, "false").warned(NO_ELECTION).doc(
        "Whether a replica that is not in sync may become leader when no other is left, at the price of the \
         records that it lacks.",
    ),
];

/// How many milliseconds one unit of a broker's setting is worth to the topic's; 1 where they
/// have the same unit.
pub(crate) type Unit = i64;

const MINUTE_MS: Unit = 60_000;
const HOUR_MS: Unit = 3_600_000;

/// Where a topic's setting takes its value from when the topic has none: the broker's settings,
/// the first that is set wins, and the last one's default counts where none is.
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

/// The broker's settings that mean the same in another unit: the first that is set wins.
pub(crate) static BROKER_SYNONYMS: &[(&str, &[&str])] = &[
    ("log.dirs", &["log.dirs", "log.dir"]),
    ("log.flush.interval.ms", &["log.flush.interval.ms", "log.flush.scheduler.interval.ms"]),
    ("log.retention.minutes", &["log.retention.minutes", "log.retention.hours"]),
    ("log.retention.ms", &["log.retention.ms", "log.retention.minutes", "log.retention.hours"]),
    ("log.roll.jitter.ms", &["log.roll.jitter.ms", "log.roll.jitter.hours"]),
    ("log.roll.ms", &["log.roll.ms", "log.roll.hours"]),
    ("node.id", &["node.id", "broker.id"]),
];
