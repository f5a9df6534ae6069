//! The settings of a broker that Milena honours.

use crate::setting::{Scope, Setting, Type};

const OWN_COORDINATOR: &str = "Milena's coordinator does not need it";
const WITH_RECOVERY_POINTS: &str =
    "Milena writes them with the recovery points, every log.flush.offset.checkpoint.interval.ms";
const ONE_PROCESS: &str =
    "a Milena node is always broker and controller in one; set process.roles=broker,controller or omit it";

const fn broker(name: &'static str, kind: Type, default: &'static str) -> Setting {
    crate::setting::setting(Scope::Broker, name, kind, default)
}

const fn without(name: &'static str, kind: Type) -> Setting {
    crate::setting::unset(Scope::Broker, name, kind)
}

/// The rows by name, in order.
pub(crate) static BROKER: &[Setting] = &[
    without("advertised.listeners", Type::List).doc(
        "The addresses that clients connect to, as NAME://host:port, if they differ from listeners: behind \
         a proxy, in a container. Each name is one of listeners.",
    ),
    broker("auto.create.topics.enable", Type::Boolean, "true").doc(
        "Whether to create a topic that does not exist when a client asks for its metadata or produces to \
         it.",
    ),
    broker("broker.heartbeat.interval.ms", Type::Int, "2000")
        .doc("The time, in milliseconds, between two heartbeats of this broker to the controller."),
    broker("broker.id", Type::Int, "-1").doc("The old name of node.id."),
    without("broker.rack", Type::String)
        .doc("The rack or zone of this broker. Consumers can use it to fetch from a nearby replica."),
    broker("broker.session.timeout.ms", Type::Int, "9000").doc(
        "The time, in milliseconds, after which the controller fences a broker that sends no heartbeat.",
    ),
    broker("compression.gzip.level", Type::Int, "-1")
        .between_or(1, 9, -1)
        .dynamic()
        .doc("The gzip level for topics without compression.gzip.level."),
    broker("compression.type", Type::String, "producer")
        .words(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"])
        .dynamic()
        .doc("The codec of stored batches, for topics without compression.type."),
    broker("compression.zstd.level", Type::Int, "3")
        .between(-131_072, 22)
        .dynamic()
        .doc("The zstd level for topics without compression.zstd.level."),
    broker("connections.max.idle.ms", Type::Long, "600000").doc(
        "The time, in milliseconds, after which a connection without requests is closed; -1 never \
             closes one.",
    ),
    without("console.listener", Type::String).doc(
        "The address, as host:port, of the HTTP endpoint for metrics, /metrics; by default there is none. \
         The endpoint is unauthenticated: bind it to an address that only trusted clients can reach. A \
         setting of Milena's own.",
    ),
    without("controller.listener.names", Type::List).doc(
        "The names of the listeners, among `listeners`, that serve brokers, and tools with \
         --bootstrap-controller. They do not serve clients. By default there is none.",
    ),
    broker("controller.quorum.voters", Type::List, "").doc(
        "The voters of the metadata quorum, as id@host:port. A single node needs none; the only voter \
         allowed is this node.",
    ),
    broker("default.replication.factor", Type::Int, "1")
        .doc("The replication factor for topics created without one."),
    broker("delete.topic.enable", Type::Boolean, "true").doc("Whether topics can be deleted."),
    broker("fetch.max.bytes", Type::Int, "57671680").at_least(1024).doc(
        "The largest answer to a fetch request, in bytes, whatever the client asks for. A first batch is \
         sent even if it is larger. An answer of 8 MiB takes on no further partitions except those whose \
         reader keeps up, unless `fetch.min.bytes` wants more.",
    ),
    broker("group.initial.rebalance.delay.ms", Type::Int, "3000").doc(
        "The time, in milliseconds, that the coordinator waits for more members before the first rebalance \
         of a new group: a later start, but fewer rebalances.",
    ),
    broker("group.max.session.timeout.ms", Type::Int, "1800000")
        .doc("The longest session timeout, in milliseconds, that a group member may ask for."),
    broker("group.max.size", Type::Int, "2147483647")
        .at_least(1)
        .doc("The largest number of members of a group."),
    broker("group.min.session.timeout.ms", Type::Int, "6000")
        .doc("The shortest session timeout, in milliseconds, that a group member may ask for."),
    broker(
        "listener.security.protocol.map",
        Type::String,
        "SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT",
    )
    .doc("The security protocol of each listener name, as NAME:PROTOCOL. Milena supports PLAINTEXT."),
    broker("listeners", Type::List, "PLAINTEXT://127.0.0.1:9092").doc(
        "The addresses to listen on, as NAME://host:port. 0.0.0.0, or no host, stands for every address of \
         the machine. By default only this machine can connect.",
    ),
    broker("log.cleaner.backoff.ms", Type::Long, "15000")
        .at_least(0)
        .dynamic()
        .doc("The time, in milliseconds, that a cleaner thread sleeps when no log needs compaction."),
    broker("log.cleaner.dedupe.buffer.size", Type::Long, "134217728").dynamic().doc(
        "The memory, in bytes, that all cleaner threads together may use for the keys of the logs that they \
         compact. It is allocated as keys are found and freed after each log.",
    ),
    broker("log.cleaner.delete.retention.ms", Type::Long, "86400000")
        .at_least(0)
        .dynamic()
        .doc("The time, in milliseconds, that tombstones are kept, for topics without delete.retention.ms."),
    broker("log.cleaner.enable", Type::Boolean, "true")
        .doc("Whether logs of topics with cleanup.policy=compact are compacted."),
    broker("log.cleaner.io.buffer.load.factor", Type::Double, "0.9")
        .dynamic()
        .doc("The load factor of the cleaner's key map. A higher one holds more keys, with more collisions."),
    broker("log.cleaner.io.max.bytes.per.second", Type::Double, "1.7976931348623157E308")
        .dynamic()
        .doc("The most bytes that all cleaner threads together read and write per second."),
    broker("log.cleaner.max.compaction.lag.ms", Type::Long, "9223372036854775807").at_least(1).dynamic().doc(
        "The longest time, in milliseconds, until a record becomes eligible for compaction, for topics \
         without max.compaction.lag.ms.",
    ),
    broker("log.cleaner.min.cleanable.ratio", Type::Double, "0.5").fraction(0.0, 1.0).dynamic().doc(
        "The share of a log that must be new before it is compacted again, for topics without \
         min.cleanable.dirty.ratio.",
    ),
    broker("log.cleaner.min.compaction.lag.ms", Type::Long, "0").at_least(0).dynamic().doc(
        "The shortest time, in milliseconds, until a record becomes eligible for compaction, for topics \
         without min.compaction.lag.ms.",
    ),
    broker("log.cleaner.threads", Type::Int, "1")
        .at_least(0)
        .doc("The number of cleaner threads; 0 turns compaction off."),
    broker("log.cleanup.policy", Type::List, "delete")
        .words(&["compact", "delete"])
        .dynamic()
        .doc("The cleanup policy for topics without cleanup.policy."),
    broker("log.dir", Type::List, "milena-data").doc("The log directory, if log.dirs is not set."),
    broker("log.dir.reserved.bytes", Type::Long, "67108864").at_least(0).doc(
        "The free space, in bytes, that clients' records must leave on the disk of each log directory, at \
         most a tenth of the disk. If there is less, produce requests fail with KAFKA_STORAGE_ERROR until \
         there is more again; committed offsets, metadata and checkpoints are still written. 0 lets the \
         disk fill up. A setting of Milena's own.",
    ),
    without("log.dirs", Type::List)
        .doc("The log directories, separated by commas. Each should be on a disk of its own."),
    broker("log.flush.interval.messages", Type::Long, "1").at_least(1).dynamic().doc(
        "The number of records after which a log is synced to disk, for topics without flush.messages. 1, \
         Milena's default, syncs before it answers a produce request with acks=all; 9223372036854775807, \
         Kafka's default, leaves syncing to the operating system.",
    ),
    without("log.flush.interval.ms", Type::Long).dynamic().doc(
        "The longest time, in milliseconds, that records may stay in memory before they are synced to \
             disk, for topics without flush.ms.",
    ),
    broker("log.flush.offset.checkpoint.interval.ms", Type::Int, "60000").at_least(0).doc(
        "The time, in milliseconds, between two writes of the recovery points. After a crash, the log is \
         checked from there.",
    ),
    broker("log.flush.scheduler.interval.ms", Type::Long, "9223372036854775807")
        .doc("The time, in milliseconds, between two checks of the logs for flush.ms."),
    broker("log.flush.start.offset.checkpoint.interval.ms", Type::Int, "60000")
        .at_least(0)
        .warned(WITH_RECOVERY_POINTS)
        .doc("The time, in milliseconds, between two writes of the log start offsets."),
    broker("log.index.interval.bytes", Type::Int, "4096").at_least(0).dynamic().doc(
        "The bytes of records between two entries of an offset index, for topics without \
         index.interval.bytes.",
    ),
    broker("log.index.size.max.bytes", Type::Int, "10485760")
        .at_least(4)
        .dynamic()
        .doc("The largest size of an offset index, in bytes, for topics without segment.index.bytes."),
    broker("log.message.timestamp.after.max.ms", Type::Long, "3600000").at_least(0).dynamic().doc(
        "The most milliseconds that a record's timestamp may be ahead of the broker's clock, for topics \
         without message.timestamp.after.max.ms.",
    ),
    broker("log.message.timestamp.before.max.ms", Type::Long, "9223372036854775807")
        .at_least(0)
        .dynamic()
        .doc(
            "The most milliseconds that a record's timestamp may be behind the broker's clock, for topics \
             without message.timestamp.before.max.ms.",
        ),
    broker("log.message.timestamp.type", Type::String, "CreateTime")
        .words(&["CreateTime", "LogAppendTime"])
        .dynamic()
        .doc("The timestamp type of records, for topics without message.timestamp.type."),
    broker("log.retention.bytes", Type::Long, "-1").dynamic().doc(
        "The size, in bytes, above which a partition's oldest segments are deleted, for topics without \
         retention.bytes; -1 sets no limit.",
    ),
    broker("log.retention.check.interval.ms", Type::Long, "300000")
        .at_least(1)
        .doc("The time, in milliseconds, between two checks of the logs for segments to delete."),
    broker("log.retention.hours", Type::Int, "168").doc(
        "The hours that records are kept, if neither log.retention.minutes nor log.retention.ms is set.",
    ),
    without("log.retention.minutes", Type::Int)
        .doc("The minutes that records are kept, if log.retention.ms is not set."),
    without("log.retention.ms", Type::Long).dynamic().doc(
        "The milliseconds that records are kept, for topics without retention.ms; -1 keeps them forever.",
    ),
    broker("log.roll.hours", Type::Int, "168")
        .at_least(1)
        .doc("The hours after which a segment is closed, if log.roll.ms is not set."),
    broker("log.roll.jitter.hours", Type::Int, "0").at_least(0).doc(
        "The most hours by which a segment is closed early, chosen at random, if log.roll.jitter.ms is \
             not set.",
    ),
    without("log.roll.jitter.ms", Type::Long).dynamic().doc(
        "The most milliseconds by which a segment is closed early, chosen at random, for topics without \
         segment.jitter.ms.",
    ),
    without("log.roll.ms", Type::Long)
        .dynamic()
        .doc("The milliseconds after which a segment is closed, for topics without segment.ms."),
    broker("log.scrub.interval.ms", Type::Long, "604800000").at_least(1).dynamic().doc(
        "The time, in milliseconds, between two scrubs: a scrub reads all closed segments again to find \
         damage of the disks. The first one starts after this time too, but at most five minutes after the \
         broker. A setting of Milena's own.",
    ),
    broker("log.scrub.io.max.bytes.per.second", Type::Long, "10485760").at_least(0).dynamic().doc(
        "The bytes per second that a scrub reads of closed segments and the metadata; 0 turns scrubbing \
         off. Damage is logged, counted in the metrics, and shown by milena log status. A setting of \
         Milena's own.",
    ),
    broker("log.segment.bytes", Type::Int, "1073741824")
        .at_least(1_048_576)
        .dynamic()
        .doc("The size, in bytes, at which a segment is closed, for topics without segment.bytes."),
    broker("log.segment.delete.delay.ms", Type::Long, "60000")
        .at_least(0)
        .dynamic()
        .doc("The milliseconds that deleted files stay on disk, for topics without file.delete.delay.ms."),
    broker("max.connections", Type::Int, "16384")
        .at_least(0)
        .doc("The most connections to the broker; further ones are closed at once. Kafka sets no limit."),
    broker("max.connections.per.ip", Type::Int, "4096")
        .at_least(0)
        .doc("The most connections from one address; further ones are closed at once. Kafka sets no limit."),
    broker("max.decompressed.batch.bytes", Type::Int, "104857600").at_least(1).doc(
        "The most bytes to which the records of a compressed batch may decompress, all together. A larger \
         batch is rejected with MESSAGE_TOO_LARGE before it is decompressed any further. A setting of \
         Milena's own.",
    ),
    broker("max.decompressed.message.bytes", Type::Int, "2147483639")
        .between(1, 2_147_483_639)
        .dynamic()
        .doc(
            "The most bytes to which a record of a compressed batch may decompress, for topics without \
             max.decompressed.message.bytes.",
        ),
    broker("max.incremental.fetch.session.cache.slots", Type::Int, "1000").at_least(0).doc(
        "The number of incremental fetch sessions that are kept. A client without one sends its whole list \
         of partitions each time.",
    ),
    broker("max.request.partition.size.limit", Type::Int, "2000")
        .at_least(1)
        .doc("The most partitions in an answer to a DescribeTopicPartitions request."),
    broker("message.max.bytes", Type::Int, "1048588")
        .at_least(0)
        .dynamic()
        .doc("The largest record batch, in bytes, for topics without max.message.bytes."),
    without("metadata.log.dir", Type::String)
        .doc("The directory of the metadata log, if it is not the first of log.dirs."),
    broker("metadata.log.max.record.bytes.between.snapshots", Type::Long, "20971520")
        .at_least(1)
        .doc("The bytes of metadata records between two snapshots of the metadata."),
    broker("metadata.log.segment.bytes", Type::Int, "1073741824")
        .at_least(8_388_608)
        .doc("The size of a segment of the metadata log, in bytes."),
    broker("min.insync.replicas", Type::Int, "1").at_least(1).dynamic().doc(
        "The number of in-sync replicas that acks=all requires, for topics without min.insync.replicas.",
    ),
    broker("node.id", Type::Int, "1")
        .at_least(0)
        .doc("The id of this node in its cluster. It must be unique, and never changes."),
    broker("num.partitions", Type::Int, "1")
        .at_least(1)
        .doc("The number of partitions for topics created without one."),
    without("num.replica.alter.log.dirs.threads", Type::Int).doc(
        "The number of partitions that are moved between log directories at the same time; by default, the \
         number of log directories.",
    ),
    broker("offset.metadata.max.bytes", Type::Int, "4096")
        .doc("The longest metadata, in bytes, that a client may store with a committed offset."),
    broker("offsets.load.buffer.size", Type::Int, "5242880")
        .at_least(1)
        .warned(OWN_COORDINATOR)
        .doc("The size, in bytes, of a read while committed offsets are loaded."),
    broker("offsets.retention.check.interval.ms", Type::Long, "600000")
        .at_least(1)
        .doc("The time, in milliseconds, between two checks for expired committed offsets."),
    broker("offsets.retention.minutes", Type::Int, "10080")
        .at_least(1)
        .doc("The minutes that committed offsets are kept after their group has become empty."),
    broker("offsets.topic.num.partitions", Type::Int, "50").at_least(1).doc(
        "The number of partitions of __consumer_offsets when it is created. It cannot be changed later.",
    ),
    broker("offsets.topic.replication.factor", Type::Short, "3").at_least(1).doc(
        "The replication factor of __consumer_offsets when it is created, at most the number of brokers.",
    ),
    broker("offsets.topic.segment.bytes", Type::Int, "104857600")
        .at_least(1)
        .doc("The size of a segment of __consumer_offsets, in bytes."),
    broker("process.roles", Type::List, "broker,controller")
        .words(&["broker", "controller"])
        .refused(ONE_PROCESS)
        .doc("The roles of this node. Milena runs both in one process."),
    broker("producer.id.expiration.check.interval.ms", Type::Int, "600000")
        .at_least(1)
        .internal()
        .doc("The time, in milliseconds, between two checks for expired producer state."),
    broker("producer.id.expiration.ms", Type::Int, "86400000").at_least(1).doc(
        "The time without a record, in milliseconds, after which the state of an idempotent producer \
         expires.",
    ),
    broker("queued.max.request.bytes", Type::Long, "-1").doc(
        "The most bytes of requests in progress; beyond it the broker stops reading until some are done. -1 \
         stands for a quarter of the memory.",
    ),
    broker("replica.alter.log.dirs.io.max.bytes.per.second", Type::Long, "9223372036854775807")
        .at_least(0)
        .dynamic()
        .doc("The most bytes per second that all moves of partitions between log directories copy together."),
    broker("socket.request.max.bytes", Type::Int, "104857600")
        .at_least(1)
        .doc("The largest request, in bytes; a connection that announces a larger one is closed."),
    broker("unstable.api.versions.enable", Type::Boolean, "false").internal().doc(
        "Whether other brokers can join at the listeners for controllers. This is for tests: clusters of \
         several brokers are not finished.",
    ),
];
