//! The settings of a broker that Milena honours.

use crate::setting::{Scope, Setting, Type};

const OWN_COORDINATOR: &str = "Milena's coordinator does not need it";
const WITH_RECOVERY_POINTS: &str = "Milena writes them with the recovery points, as often as \
     log.flush.offset.checkpoint.interval.ms says";
const ONE_PROCESS: &str = "a Milena node is always broker and controller in one; set process.roles=broker,controller or leave it out";

const fn broker(name: &'static str, kind: Type, default: &'static str) -> Setting {
    crate::setting::setting(Scope::Broker, name, kind, default)
}

const fn without(name: &'static str, kind: Type) -> Setting {
    crate::setting::unset(Scope::Broker, name, kind)
}

/// By name, in order.
pub(crate) static BROKER: &[Setting] = &[
    without("advertised.listeners", Type::List).doc(
        "The addresses that clients are told to connect to, as NAME://host:port, where they differ from \
listeners: behind a proxy, in a container. Each name is one of listeners.",
    ),
    broker("auto.create.topics.enable", Type::Boolean, "true").doc(
        "Whether a topic that does not exist is created when a client asks for its metadata or produces \
to it.",
    ),
    broker("broker.id", Type::Int, "-1").doc("The older name of node.id."),
    without("broker.rack", Type::String)
        .doc("The rack or zone of this broker, which consumers can use to fetch from a replica nearby."),
    broker("compression.gzip.level", Type::Int, "-1")
        .between_or(1, 9, -1)
        .dynamic()
        .doc("The effort of gzip, in topics without compression.gzip.level."),
    broker("compression.type", Type::String, "producer")
        .words(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"])
        .dynamic()
        .doc("The codec that batches are stored with, in topics without compression.type."),
    broker("compression.zstd.level", Type::Int, "3")
        .between(-131_072, 22)
        .dynamic()
        .doc("The effort of zstd, in topics without compression.zstd.level."),
    broker("connections.max.idle.ms", Type::Long, "600000")
        .doc("After how many milliseconds without a request a connection is closed; -1 never closes one."),
    without("console.listener", Type::String).doc(
        "The address, as host:port, on which the metrics are served by HTTP at /metrics, for Prometheus. Nothing is \
served where it is not given. There are no passwords: choose an address that only those reach who may know. A setting \
of Milena's own.",
    ),
    without("controller.listener.names", Type::List).doc(
        "The names of listeners that controllers would use. Milena does not open them: its controller \
runs inside.",
    ),
    broker("controller.quorum.voters", Type::List, "").doc(
        "The voters of the metadata quorum, as id@host:port. A single node needs none; where it is given \
it may name this node only.",
    ),
    broker("default.replication.factor", Type::Int, "1")
        .doc("How many replicas the partitions of a topic get that is created without a number of its own."),
    broker("delete.topic.enable", Type::Boolean, "true").doc("Whether topics may be deleted."),
    broker("fetch.max.bytes", Type::Int, "57671680").at_least(1024).doc(
        "The bytes that the answer to one fetch request has at most, whatever the client asks for. The \
first batch is sent even where it is larger. An answer of 8 MiB takes no further partitions but those whose \
reader keeps up, unless `fetch.min.bytes` wants more.",
    ),
    broker("group.initial.rebalance.delay.ms", Type::Int, "3000").doc(
        "How many milliseconds the coordinator waits for more members before the first rebalance of a new \
group: fewer rebalances for a later start.",
    ),
    broker("group.max.session.timeout.ms", Type::Int, "1800000")
        .doc("The longest session timeout in milliseconds that a group member may ask for."),
    broker("group.max.size", Type::Int, "2147483647").at_least(1).doc("How many members a group may have."),
    broker("group.min.session.timeout.ms", Type::Int, "6000")
        .doc("The shortest session timeout in milliseconds that a group member may ask for."),
    broker(
        "listener.security.protocol.map",
        Type::String,
        "SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT",
    )
    .doc("The security protocol of each listener name, as NAME:PROTOCOL. Milena speaks PLAINTEXT."),
    broker("listeners", Type::List, "PLAINTEXT://127.0.0.1:9092").doc(
        "The addresses to listen on, as NAME://host:port. 0.0.0.0 or no host is every address of the \
machine. By default only this machine itself can connect.",
    ),
    broker("log.cleaner.backoff.ms", Type::Long, "15000")
        .at_least(0)
        .dynamic()
        .doc("How long, in milliseconds, a thread that compacts sleeps when no log needs it."),
    broker("log.cleaner.dedupe.buffer.size", Type::Long, "134217728").dynamic().doc(
        "The bytes that all threads together may take to remember the keys of the logs that they compact. \
Memory is taken as keys come and given back after each log.",
    ),
    broker("log.cleaner.delete.retention.ms", Type::Long, "86400000").at_least(0).dynamic().doc(
        "How long, in milliseconds, the marker of a deleted key stays, in topics without \
delete.retention.ms.",
    ),
    broker("log.cleaner.enable", Type::Boolean, "true")
        .doc("Whether logs of topics with cleanup.policy=compact are compacted."),
    broker("log.cleaner.io.buffer.load.factor", Type::Double, "0.9")
        .dynamic()
        .doc("How full the memory for keys may be; fuller means more keys and more collisions."),
    broker("log.cleaner.io.max.bytes.per.second", Type::Double, "1.7976931348623157E308")
        .dynamic()
        .doc("The bytes that all threads together read and write in a second at most."),
    broker("log.cleaner.max.compaction.lag.ms", Type::Long, "9223372036854775807").at_least(1).dynamic().doc(
        "After how many milliseconds at the latest a record becomes eligible for compaction, in topics \
without max.compaction.lag.ms.",
    ),
    broker("log.cleaner.min.cleanable.ratio", Type::Double, "0.5").fraction(0.0, 1.0).dynamic().doc(
        "The part of a compacted log that must be new before it is compacted again, in topics without \
min.cleanable.dirty.ratio.",
    ),
    broker("log.cleaner.min.compaction.lag.ms", Type::Long, "0").at_least(0).dynamic().doc(
        "How many milliseconds a record stays untouched by compaction at least, in topics without \
min.compaction.lag.ms.",
    ),
    broker("log.cleaner.threads", Type::Int, "1")
        .at_least(0)
        .doc("The threads that compact; with 0 nothing is compacted."),
    broker("log.cleanup.policy", Type::List, "delete")
        .words(&["compact", "delete"])
        .dynamic()
        .doc("What becomes of old records in topics without a cleanup.policy of their own."),
    broker("log.dir", Type::List, "milena-data").doc("The directory of the logs where log.dirs is not set."),
    broker("log.dir.reserved.bytes", Type::Long, "67108864").at_least(0).doc(
        "How many bytes of the disk of each log directory records of clients leave free, a tenth of the disk \
at most: below them produce requests are answered with KAFKA_STORAGE_ERROR until there is room again, \
while committed offsets, metadata and checkpoints are still written. 0 fills the disk to its end. A setting \
of Milena's own.",
    ),
    without("log.dirs", Type::List)
        .doc("The directories of the logs, separated by commas. Each should be a disk of its own."),
    broker("log.flush.interval.messages", Type::Long, "1").at_least(1).dynamic().doc(
        "After how many records a log is synced to disk, in topics without flush.messages. 1, the default \
here, syncs before a produce request with acks=all is answered; 9223372036854775807, the default \
of Kafka, leaves it to the operating system.",
    ),
    without("log.flush.interval.ms", Type::Long)
        .dynamic()
        .doc("After how many milliseconds at most a log is synced to disk, in topics without flush.ms."),
    broker("log.flush.offset.checkpoint.interval.ms", Type::Int, "60000").at_least(0).doc(
        "How often, in milliseconds, the recovery points are written: after a crash what is past them is \
scanned.",
    ),
    broker("log.flush.scheduler.interval.ms", Type::Long, "9223372036854775807")
        .doc("How often, in milliseconds, logs are looked at for flush.ms."),
    broker("log.flush.start.offset.checkpoint.interval.ms", Type::Int, "60000")
        .at_least(0)
        .warned(WITH_RECOVERY_POINTS)
        .doc("How often, in milliseconds, the log start offsets are written."),
    broker("log.index.interval.bytes", Type::Int, "4096").at_least(0).dynamic().doc(
        "How many bytes of records lie between two entries of an offset index, in topics without \
index.interval.bytes.",
    ),
    broker("log.index.size.max.bytes", Type::Int, "10485760")
        .at_least(4)
        .dynamic()
        .doc("The size in bytes that an offset index may reach, in topics without segment.index.bytes."),
    broker("log.message.timestamp.after.max.ms", Type::Long, "3600000").at_least(0).dynamic().doc(
        "By how many milliseconds a timestamp may be ahead of the clock, in topics without \
message.timestamp.after.max.ms.",
    ),
    broker("log.message.timestamp.before.max.ms", Type::Long, "9223372036854775807")
        .at_least(0)
        .dynamic()
        .doc(
            "By how many milliseconds a timestamp may be behind the clock, in topics without \
message.timestamp.before.max.ms.",
        ),
    broker("log.message.timestamp.type", Type::String, "CreateTime")
        .words(&["CreateTime", "LogAppendTime"])
        .dynamic()
        .doc("Whose time records carry, in topics without message.timestamp.type."),
    broker("log.retention.bytes", Type::Long, "-1").dynamic().doc(
        "The size in bytes that a partition may grow to before its oldest segments are deleted, in topics \
without retention.bytes; -1 is no limit.",
    ),
    broker("log.retention.check.interval.ms", Type::Long, "300000")
        .at_least(1)
        .doc("How often, in milliseconds, logs are looked at for segments to delete."),
    broker("log.retention.hours", Type::Int, "168").doc(
        "How many hours records stay at least, where neither log.retention.minutes nor log.retention.ms \
is set.",
    ),
    without("log.retention.minutes", Type::Int)
        .doc("How many minutes records stay at least, where log.retention.ms is not set."),
    without("log.retention.ms", Type::Long).dynamic().doc(
        "How many milliseconds records stay at least, in topics without retention.ms; -1 keeps them for \
ever.",
    ),
    broker("log.roll.hours", Type::Int, "168")
        .at_least(1)
        .doc("After how many hours a segment is closed, where log.roll.ms is not set."),
    broker("log.roll.jitter.hours", Type::Int, "0")
        .at_least(0)
        .doc("Up to how many hours a segment is closed earlier, where log.roll.jitter.ms is not set."),
    without("log.roll.jitter.ms", Type::Long).dynamic().doc(
        "Up to how many milliseconds, chosen at random, a segment is closed earlier, in topics without \
segment.jitter.ms.",
    ),
    without("log.roll.ms", Type::Long)
        .dynamic()
        .doc("After how many milliseconds a segment is closed, in topics without segment.ms."),
    broker("log.scrub.interval.ms", Type::Long, "604800000").at_least(1).dynamic().doc(
        "How many milliseconds after it has read all closed segments the broker begins to read them again, to find \
what the disks have damaged. The first time is after so long too, but five minutes after the start at the latest. A \
setting of Milena's own.",
    ),
    broker("log.scrub.io.max.bytes.per.second", Type::Long, "10485760").at_least(0).dynamic().doc(
        "How many bytes a second are read of closed segments and the metadata to find damage; 0 reads nothing. What is found is logged, \
counted in the metrics, and shown by milena log status. A setting of Milena's own.",
    ),
    broker("log.segment.bytes", Type::Int, "1073741824")
        .at_least(1_048_576)
        .dynamic()
        .doc("The size in bytes at which a segment is closed, in topics without segment.bytes."),
    broker("log.segment.delete.delay.ms", Type::Long, "60000")
        .at_least(0)
        .dynamic()
        .doc("How many milliseconds deleted files stay on disk, in topics without file.delete.delay.ms."),
    broker("max.connections", Type::Int, "16384").at_least(0).doc(
        "How many connections the broker takes in all; one more is closed at once. Kafka sets no limit.",
    ),
    broker("max.connections.per.ip", Type::Int, "4096").at_least(0).doc(
        "How many connections the broker takes from one address; one more is closed at once. Kafka sets \
no limit.",
    ),
    broker("max.decompressed.batch.bytes", Type::Int, "104857600").at_least(1).doc(
        "The size in bytes that the records of a compressed batch may have together once they are \
decompressed. A larger batch is rejected with MESSAGE_TOO_LARGE, before it is decompressed any further. A setting of \
Milena's own.",
    ),
    broker("max.decompressed.message.bytes", Type::Int, "2147483639")
        .between(1, 2_147_483_639)
        .dynamic()
        .doc(
            "The size in bytes that a record of a compressed batch may have once it is decompressed, in topics \
without max.decompressed.message.bytes.",
        ),
    broker("max.incremental.fetch.session.cache.slots", Type::Int, "1000").at_least(0).doc(
        "How many incremental fetch sessions are kept. A client without one sends its whole list of \
partitions each time.",
    ),
    broker("max.request.partition.size.limit", Type::Int, "2000")
        .at_least(1)
        .doc("How many partitions the answer to one DescribeTopicPartitions request has at most."),
    broker("message.max.bytes", Type::Int, "1048588")
        .at_least(0)
        .dynamic()
        .doc("The size in bytes that a record batch may have at most, in topics without max.message.bytes."),
    without("metadata.log.dir", Type::String)
        .doc("The directory of the metadata log, where it is not the first of log.dirs."),
    broker("metadata.log.max.record.bytes.between.snapshots", Type::Long, "20971520")
        .at_least(1)
        .doc("How many bytes of metadata records are written before the next snapshot of the metadata."),
    broker("metadata.log.segment.bytes", Type::Int, "1073741824")
        .at_least(8_388_608)
        .doc("The size in bytes of a segment of the metadata log."),
    broker("min.insync.replicas", Type::Int, "1")
        .at_least(1)
        .dynamic()
        .doc("How many in-sync replicas acks=all asks for, in topics without min.insync.replicas."),
    broker("node.id", Type::Int, "1")
        .at_least(0)
        .doc("The number of this node in its cluster. It never changes, and no other node has it."),
    broker("num.partitions", Type::Int, "1")
        .at_least(1)
        .doc("How many partitions a topic gets that is created without a number of its own."),
    without("num.replica.alter.log.dirs.threads", Type::Int).doc(
        "How many partitions are moved between log directories at once; where it is not set, as many as there are \
log directories.",
    ),
    broker("offset.metadata.max.bytes", Type::Int, "4096")
        .doc("How many bytes of text a client may store beside a committed offset."),
    broker("offsets.load.buffer.size", Type::Int, "5242880")
        .at_least(1)
        .warned(OWN_COORDINATOR)
        .doc("The size in bytes of one read while committed offsets are loaded."),
    broker("offsets.retention.check.interval.ms", Type::Long, "600000")
        .at_least(1)
        .doc("How often, in milliseconds, committed offsets are looked at for expiry."),
    broker("offsets.retention.minutes", Type::Int, "10080")
        .at_least(1)
        .doc("How many minutes committed offsets are kept after their group has become empty."),
    broker("offsets.topic.num.partitions", Type::Int, "50")
        .at_least(1)
        .doc("How many partitions __consumer_offsets gets when it is created. It cannot be changed later."),
    broker("offsets.topic.replication.factor", Type::Short, "3").at_least(1).doc(
        "How many replicas __consumer_offsets gets when it is created: as many as there are brokers where \
there are fewer.",
    ),
    broker("offsets.topic.segment.bytes", Type::Int, "104857600")
        .at_least(1)
        .doc("The size in bytes of a segment of __consumer_offsets."),
    broker("process.roles", Type::List, "broker,controller")
        .words(&["broker", "controller"])
        .refused(ONE_PROCESS)
        .doc("The roles of this node. Milena runs both in one process."),
    broker("producer.id.expiration.check.interval.ms", Type::Int, "600000")
        .at_least(1)
        .internal()
        .doc("How often, in milliseconds, the state of producers is looked at for expiry."),
    broker("producer.id.expiration.ms", Type::Int, "86400000").at_least(1).doc(
        "After how many milliseconds without a record the state of an idempotent producer is forgotten.",
    ),
    broker("queued.max.request.bytes", Type::Long, "-1").doc(
        "How many bytes of requests may be in work at once; reading waits when they are reached. -1 is a \
quarter of the memory.",
    ),
    broker("replica.alter.log.dirs.io.max.bytes.per.second", Type::Long, "9223372036854775807")
        .at_least(0)
        .dynamic()
        .doc("How many bytes a second all moves of partitions between log directories may copy together."),
    broker("socket.request.max.bytes", Type::Int, "104857600")
        .at_least(1)
        .doc("The size in bytes that one request may have; a connection that announces more is closed."),
];
