"""Where Milena answers otherwise than Kafka, and means to."""

from wire import CLOSED

INVALID_TIMESTAMP, INVALID_REQUEST, INVALID_RECORD = 32, 42, 87

# Those of Kafka 4.3.1, and one of 4.4.
TOPIC_SETTINGS = [
    "cleanup.policy", "compression.gzip.level", "compression.lz4.level", "compression.type",
    "compression.zstd.level", "delete.retention.ms", "file.delete.delay.ms", "flush.messages", "flush.ms",
    "follower.replication.throttled.replicas", "index.interval.bytes", "leader.replication.throttled.replicas",
    "local.retention.bytes", "local.retention.ms", "max.compaction.lag.ms", "max.decompressed.message.bytes",
    "max.message.bytes", "message.timestamp.after.max.ms", "message.timestamp.before.max.ms",
    "message.timestamp.type", "min.cleanable.dirty.ratio", "min.compaction.lag.ms", "min.insync.replicas",
    "preallocate", "remote.log.copy.disable", "remote.log.delete.on.disable", "remote.storage.enable",
    "retention.bytes", "retention.ms", "segment.bytes", "segment.index.bytes", "segment.jitter.ms",
    "segment.ms", "unclean.leader.election.enable",
]

DEPARTURES = {
    # What does not decode is refused, whichever way it is wrong.
    ("bodies", "a count of minus two"): CLOSED,
    ("bodies", "a string that is not text"): CLOSED,
    ("bodies", "compact, tags without an end"): CLOSED,
    # Kafka never answers this one.
    ("produce_lengths", "null"): INVALID_RECORD,
    # Kafka stores what no producer writes and what consumers or its own cleaner stumble over later: offsets out of
    # order, bits and times that are the broker's to set, half an identity.
    ("produce_header", "append time by the client"): INVALID_TIMESTAMP,
    ("produce_header", "delete horizon by the client"): INVALID_RECORD,
    ("produce_header", "producer without an epoch"): INVALID_RECORD,
    ("produce_header", "negative producer"): INVALID_RECORD,
    ("produce_records", "offset deltas with a gap and a count"): INVALID_RECORD,
    ("produce_records", "offset deltas that repeat"): INVALID_RECORD,
    ("produce_records", "offset deltas backwards"): INVALID_RECORD,
    ("produce_records", "negative offset delta"): INVALID_RECORD,
    # Kafka stores times before 1970 unless it has to write the batch itself.
    ("produce_before_1970", "recompressed"): [0, 0, -1, 0, [], [False, 0]],
    ("produce_compressed", "gzip with bytes behind it"): INVALID_RECORD,
    # Kafka answers UNKNOWN_SERVER_ERROR; here less than a byte is none.
    ("fetch_ranges", "negative bytes of the partition"): [0, 5, 5, 70],
    ("metadata", "neither"): [[INVALID_REQUEST, False]],
    # Kafka keeps settings that it does not know for plugins to read; here there are none.
    ("alter_configs", "the broker, unknown"): INVALID_REQUEST,
    # A resource that is named again is described once: Kafka answers a request of 160 kB with 300 MB.
    ("resources", "described twice"): [[0, "", 1]],
    # Spaces around an element of a list do not count, here not even where it is subtracted.
    ("lists_change", "cleanup.policy, with spaces, shown"): [["", 1]],
    # Kafka 4.4 has this one too.
    ("describe_configs", "all of a topic's"): TOPIC_SETTINGS,
    ("describe_configs", "max.decompressed.message.bytes is"): "2147483639",
    # Durable by default.
    ("describe_configs", "flush.messages is"): "1",
}
