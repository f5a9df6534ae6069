//! Settings of a Kafka 4.3 broker that Milena knows and does not honour yet, except those for security.

use crate::setting::{Scope, Setting, Type};

const NO_CONSUMER_GROUPS: &str = "Milena does not serve the group protocol of KIP-848 yet";
const NO_CORDON: &str =
    "a cluster has one broker yet, and a new partition goes to the directory with the fewest";
const NO_LZ4_LEVELS: &str = "Milena compresses with lz4 at one level, its fastest";
const NO_METRICS: &str = "Milena does not report metrics in this way";
const NO_POLICIES: &str = "Milena loads no Java classes; remove the policy, which would not be enforced";
const NO_PREALLOCATION: &str = "Milena lets segment files grow as they are written";
const NO_PROVIDERS: &str =
    "Milena loads no Java classes; write the value itself, or set it in the environment";
const NO_PURGATORY: &str = "Milena has no purgatory: waiting requests are woken by their own events";
const NO_QUOTAS: &str = "Milena has no quotas yet";
const NO_SHARE_GROUPS: &str = "Milena does not serve share groups yet";
const NO_STREAMS_GROUPS: &str = "Milena does not serve streams groups yet";
const NO_TIERS: &str = "Milena has no remote storage yet; records are kept in the log directories only";
const NO_TRANSACTIONS: &str = "Milena does not serve transactions yet";
const ONE_BROKER: &str = "a cluster has one broker yet, so nothing is replicated";
const ONE_NODE: &str = "a cluster has one node yet, which is controller and broker in one process";
const OWN_COORDINATOR: &str = "Milena's coordinator does not need it";
const OWN_THREADS: &str = "Milena sizes its threads and buffers by the machine";

const fn broker(name: &'static str, kind: Type, default: &'static str) -> Setting {
    crate::setting::setting(Scope::Broker, name, kind, default)
}

const fn without(name: &'static str, kind: Type) -> Setting {
    crate::setting::unset(Scope::Broker, name, kind)
}

/// The rows by name, in order.
pub(crate) static BROKER_KNOWN: &[Setting] = &[
    broker("add.partitions.to.txn.retry.backoff.max.ms", Type::Int, "100")
        .at_least(0)
        .warned(NO_TRANSACTIONS),
    broker("add.partitions.to.txn.retry.backoff.ms", Type::Int, "20").at_least(1).warned(NO_TRANSACTIONS),
    without("alter.config.policy.class.name", Type::Class).refused(NO_POLICIES),
    broker("alter.log.dirs.replication.quota.window.num", Type::Int, "11").at_least(1).warned(ONE_BROKER),
    broker("alter.log.dirs.replication.quota.window.size.seconds", Type::Int, "1")
        .at_least(1)
        .warned(ONE_BROKER),
    broker("auto.leader.rebalance.enable", Type::Boolean, "true").warned(ONE_BROKER),
    broker("background.threads", Type::Int, "10").at_least(1).dynamic().warned(OWN_THREADS),
    without("client.quota.callback.class", Type::Class).refused(NO_QUOTAS),
    broker("compression.lz4.level", Type::Int, "9").between(1, 17).dynamic().warned(NO_LZ4_LEVELS),
    broker("config.providers", Type::List, "").dynamic().refused(NO_PROVIDERS),
    broker("controlled.shutdown.enable", Type::Boolean, "true").warned(ONE_BROKER),
    broker("controller.performance.always.log.threshold.ms", Type::Long, "2000")
        .at_least(0)
        .warned(ONE_NODE)
        .internal(),
    broker("controller.performance.sample.period.ms", Type::Long, "60000")
        .at_least(100)
        .warned(ONE_NODE)
        .internal(),
    broker("controller.quorum.append.linger.ms", Type::Int, "25").at_least(0).warned(ONE_NODE),
    broker("controller.quorum.auto.join.enable", Type::Boolean, "false").warned(ONE_NODE),
    broker("controller.quorum.bootstrap.servers", Type::List, "").warned(ONE_NODE),
    broker("controller.quorum.election.backoff.max.ms", Type::Int, "1000").at_least(0).warned(ONE_NODE),
    broker("controller.quorum.election.timeout.ms", Type::Int, "1000").at_least(0).warned(ONE_NODE),
    broker("controller.quorum.fetch.max.bytes", Type::Int, "1048576").at_least(1).warned(ONE_NODE),
    broker("controller.quorum.fetch.snapshot.max.bytes", Type::Int, "1048576").at_least(1).warned(ONE_NODE),
    broker("controller.quorum.fetch.timeout.ms", Type::Int, "2000").at_least(0).warned(ONE_NODE),
    broker("controller.quorum.request.timeout.ms", Type::Int, "2000").at_least(0).warned(ONE_NODE),
    broker("controller.quorum.retry.backoff.ms", Type::Int, "20").at_least(0).warned(ONE_NODE),
    broker("controller.quota.window.num", Type::Int, "11").at_least(1).warned(NO_QUOTAS),
    broker("controller.quota.window.size.seconds", Type::Int, "1").at_least(1).warned(NO_QUOTAS),
    broker("controller.socket.timeout.ms", Type::Int, "30000").warned(ONE_NODE),
    broker("cordoned.log.dirs", Type::List, "").dynamic().warned(NO_CORDON),
    without("create.topic.policy.class.name", Type::Class).refused(NO_POLICIES),
    broker("delete.records.purgatory.purge.interval.requests", Type::Int, "1").warned(NO_PURGATORY),
    without("early.start.listeners", Type::List).warned(ONE_NODE),
    broker("fetch.purgatory.purge.interval.requests", Type::Int, "1000").warned(NO_PURGATORY),
    broker("follower.fetch.last.tiered.offset.enable", Type::Boolean, "false").dynamic().warned(NO_TIERS),
    broker("follower.replication.throttled.rate", Type::Long, "9223372036854775807")
        .at_least(0)
        .dynamic()
        .warned(ONE_BROKER),
    broker("group.consumer.assignment.interval.ms", Type::Int, "1000")
        .at_least(0)
        .dynamic()
        .warned(NO_CONSUMER_GROUPS),
    broker("group.consumer.assignors", Type::List, "uniform,range").warned(NO_CONSUMER_GROUPS),
    broker("group.consumer.heartbeat.interval.ms", Type::Int, "5000").at_least(1).warned(NO_CONSUMER_GROUPS),
    broker("group.consumer.max.assignment.interval.ms", Type::Int, "15000")
        .at_least(0)
        .warned(NO_CONSUMER_GROUPS),
    broker("group.consumer.max.heartbeat.interval.ms", Type::Int, "15000")
        .at_least(1)
        .warned(NO_CONSUMER_GROUPS),
    broker("group.consumer.max.session.timeout.ms", Type::Int, "60000")
        .at_least(1)
        .warned(NO_CONSUMER_GROUPS),
    broker("group.consumer.max.size", Type::Int, "2147483647").at_least(1).warned(NO_CONSUMER_GROUPS),
    broker("group.consumer.migration.policy", Type::String, "bidirectional").warned(NO_CONSUMER_GROUPS),
    broker("group.consumer.min.assignment.interval.ms", Type::Int, "0")
        .at_least(0)
        .warned(NO_CONSUMER_GROUPS),
    broker("group.consumer.min.heartbeat.interval.ms", Type::Int, "5000")
        .at_least(1)
        .warned(NO_CONSUMER_GROUPS),
    broker("group.consumer.min.session.timeout.ms", Type::Int, "45000")
        .at_least(1)
        .warned(NO_CONSUMER_GROUPS),
    broker("group.consumer.regex.refresh.interval.ms", Type::Int, "600000")
        .at_least(10_000)
        .warned(NO_CONSUMER_GROUPS)
        .internal(),
    broker("group.consumer.session.timeout.ms", Type::Int, "45000").at_least(1).warned(NO_CONSUMER_GROUPS),
    broker("group.coordinator.append.linger.ms", Type::Int, "-1").at_least(-1).warned(OWN_COORDINATOR),
    broker("group.coordinator.background.threads", Type::Int, "2").at_least(1).warned(OWN_COORDINATOR),
    broker("group.coordinator.cached.buffer.max.bytes", Type::Int, "1048588")
        .at_least(524_288)
        .dynamic()
        .warned(OWN_COORDINATOR),
    broker("group.coordinator.rebalance.protocols", Type::List, "classic,consumer,streams")
        .words(&["consumer", "classic", "share", "streams"])
        .warned(OWN_COORDINATOR),
    broker("group.coordinator.threads", Type::Int, "4").at_least(1).warned(OWN_COORDINATOR),
    broker("group.share.assignment.interval.ms", Type::Int, "1000")
        .at_least(0)
        .dynamic()
        .warned(NO_SHARE_GROUPS),
    broker("group.share.assignors", Type::List, "simple").warned(NO_SHARE_GROUPS),
    broker("group.share.delivery.count.limit", Type::Int, "5").between(2, 10).warned(NO_SHARE_GROUPS),
    broker("group.share.heartbeat.interval.ms", Type::Int, "5000").at_least(1).warned(NO_SHARE_GROUPS),
    broker("group.share.initialize.retry.interval.ms", Type::Int, "30000")
        .at_least(1)
        .warned(NO_SHARE_GROUPS)
        .internal(),
    broker("group.share.max.assignment.interval.ms", Type::Int, "15000").at_least(0).warned(NO_SHARE_GROUPS),
    broker("group.share.max.delivery.count.limit", Type::Int, "10").between(5, 25).warned(NO_SHARE_GROUPS),
    broker("group.share.max.heartbeat.interval.ms", Type::Int, "15000").at_least(1).warned(NO_SHARE_GROUPS),
    broker("group.share.max.partition.max.record.locks", Type::Int, "4000")
        .between(2000, 10_000)
        .warned(NO_SHARE_GROUPS),
    broker("group.share.max.record.lock.duration.ms", Type::Int, "60000")
        .between(30_000, 3_600_000)
        .warned(NO_SHARE_GROUPS),
    broker("group.share.max.session.timeout.ms", Type::Int, "60000").at_least(1).warned(NO_SHARE_GROUPS),
    broker("group.share.max.share.sessions", Type::Int, "2000").at_least(1).warned(NO_SHARE_GROUPS),
    broker("group.share.max.size", Type::Int, "200").between(1, 1000).warned(NO_SHARE_GROUPS),
    broker("group.share.min.assignment.interval.ms", Type::Int, "0").at_least(0).warned(NO_SHARE_GROUPS),
    broker("group.share.min.delivery.count.limit", Type::Int, "2").between(2, 5).warned(NO_SHARE_GROUPS),
    broker("group.share.min.heartbeat.interval.ms", Type::Int, "5000").at_least(1).warned(NO_SHARE_GROUPS),
    broker("group.share.min.partition.max.record.locks", Type::Int, "100")
        .between(100, 2000)
        .warned(NO_SHARE_GROUPS),
    broker("group.share.min.record.lock.duration.ms", Type::Int, "15000")
        .between(1000, 30_000)
        .warned(NO_SHARE_GROUPS),
    broker("group.share.min.session.timeout.ms", Type::Int, "45000").at_least(1).warned(NO_SHARE_GROUPS),
    broker("group.share.partition.max.record.locks", Type::Int, "2000")
        .between(100, 10_000)
        .warned(NO_SHARE_GROUPS),
    broker(
        "group.share.persister.class.name",
        Type::String,
        "org.apache.kafka.server.share.persister.DefaultStatePersister",
    )
    .warned(NO_SHARE_GROUPS)
    .internal(),
    broker("group.share.record.lock.duration.ms", Type::Int, "30000")
        .between(1000, 3_600_000)
        .warned(NO_SHARE_GROUPS),
    broker("group.share.session.timeout.ms", Type::Int, "45000").at_least(1).warned(NO_SHARE_GROUPS),
    broker("group.streams.assignment.interval.ms", Type::Int, "1000")
        .at_least(0)
        .dynamic()
        .warned(NO_STREAMS_GROUPS),
    broker("group.streams.heartbeat.interval.ms", Type::Int, "5000").at_least(1).warned(NO_STREAMS_GROUPS),
    broker("group.streams.initial.rebalance.delay.ms", Type::Int, "3000")
        .at_least(0)
        .warned(NO_STREAMS_GROUPS),
    broker("group.streams.max.assignment.interval.ms", Type::Int, "15000")
        .at_least(0)
        .warned(NO_STREAMS_GROUPS),
    broker("group.streams.max.heartbeat.interval.ms", Type::Int, "15000")
        .at_least(1)
        .warned(NO_STREAMS_GROUPS),
    broker("group.streams.max.session.timeout.ms", Type::Int, "60000").at_least(1).warned(NO_STREAMS_GROUPS),
    broker("group.streams.max.size", Type::Int, "2147483647").at_least(1).warned(NO_STREAMS_GROUPS),
    broker("group.streams.max.standby.replicas", Type::Int, "2").at_least(0).warned(NO_STREAMS_GROUPS),
    broker("group.streams.min.assignment.interval.ms", Type::Int, "0").at_least(0).warned(NO_STREAMS_GROUPS),
    broker("group.streams.min.heartbeat.interval.ms", Type::Int, "5000")
        .at_least(1)
        .warned(NO_STREAMS_GROUPS),
    broker("group.streams.min.session.timeout.ms", Type::Int, "45000").at_least(1).warned(NO_STREAMS_GROUPS),
    broker("group.streams.num.standby.replicas", Type::Int, "0").at_least(0).warned(NO_STREAMS_GROUPS),
    broker("group.streams.session.timeout.ms", Type::Int, "45000").at_least(1).warned(NO_STREAMS_GROUPS),
    broker("initial.broker.registration.timeout.ms", Type::Int, "60000").warned(ONE_NODE),
    without("inter.broker.listener.name", Type::String).warned(ONE_BROKER),
    broker("internal.metadata.delete.delay.millis", Type::Long, "60000").warned(ONE_NODE).internal(),
    without("internal.metadata.log.segment.bytes", Type::Int).warned(ONE_NODE).internal(),
    broker("internal.metadata.max.batch.size.in.bytes", Type::Int, "8388608").warned(ONE_NODE).internal(),
    broker("kafka.metrics.polling.interval.secs", Type::Int, "10").at_least(1).warned(NO_METRICS),
    broker("kafka.metrics.reporters", Type::List, "").warned(NO_METRICS),
    broker("leader.imbalance.check.interval.seconds", Type::Long, "300").at_least(1).warned(ONE_BROKER),
    broker("leader.replication.throttled.rate", Type::Long, "9223372036854775807")
        .at_least(0)
        .dynamic()
        .warned(ONE_BROKER),
    broker("log.cleaner.io.buffer.size", Type::Int, "524288").at_least(0).dynamic().warned(OWN_THREADS),
    broker("log.dir.failure.timeout.ms", Type::Long, "30000").at_least(1).warned(NO_CORDON),
    broker("log.initial.task.delay.ms", Type::Long, "30000").at_least(0).warned(OWN_THREADS).internal(),
    broker("log.local.retention.bytes", Type::Long, "-2").at_least(-2).dynamic().warned(NO_TIERS),
    broker("log.local.retention.ms", Type::Long, "-2").at_least(-2).dynamic().warned(NO_TIERS),
    broker("log.preallocate", Type::Boolean, "false").dynamic().warned(NO_PREALLOCATION),
    broker("max.connection.creation.rate", Type::Int, "2147483647").at_least(0).dynamic().warned(NO_QUOTAS),
    broker("max.connections.per.ip.overrides", Type::String, "").dynamic().warned(NO_QUOTAS),
    broker("metadata.log.max.snapshot.interval.ms", Type::Long, "3600000").at_least(0).warned(ONE_NODE),
    broker("metadata.log.segment.ms", Type::Long, "604800000").warned(ONE_NODE),
    broker("metadata.max.idle.interval.ms", Type::Int, "500").at_least(0).warned(ONE_NODE),
    broker("metadata.max.retention.bytes", Type::Long, "104857600").warned(ONE_NODE),
    broker("metadata.max.retention.ms", Type::Long, "604800000").warned(ONE_NODE),
    broker("metric.reporters", Type::List, "org.apache.kafka.common.metrics.JmxReporter")
        .dynamic()
        .warned(NO_METRICS),
    broker("metrics.num.samples", Type::Int, "2").at_least(1).warned(NO_METRICS),
    broker("metrics.recording.level", Type::String, "INFO").warned(NO_METRICS),
    broker("metrics.sample.window.ms", Type::Long, "30000").at_least(1).warned(NO_METRICS),
    broker("num.io.threads", Type::Int, "8").at_least(1).dynamic().warned(OWN_THREADS),
    broker("num.network.threads", Type::Int, "3").at_least(1).dynamic().warned(OWN_THREADS),
    broker("num.recovery.threads.per.data.dir", Type::Int, "2").at_least(1).dynamic().warned(OWN_THREADS),
    broker("num.replica.fetchers", Type::Int, "1").at_least(1).dynamic().warned(ONE_BROKER),
    broker("offsets.commit.timeout.ms", Type::Int, "5000").at_least(1).warned(OWN_COORDINATOR),
    broker("offsets.topic.compression.codec", Type::Int, "0").warned(OWN_COORDINATOR),
    broker("producer.purgatory.purge.interval.requests", Type::Int, "1000").warned(NO_PURGATORY),
    broker("queued.max.requests", Type::Int, "500").at_least(1).warned(OWN_THREADS),
    broker("quota.window.num", Type::Int, "11").at_least(1).warned(NO_QUOTAS),
    broker("quota.window.size.seconds", Type::Int, "1").at_least(1).warned(NO_QUOTAS),
    broker("remote.fetch.max.wait.ms", Type::Int, "500").at_least(1).dynamic().warned(NO_TIERS),
    broker("remote.list.offsets.request.timeout.ms", Type::Long, "30000")
        .at_least(1)
        .dynamic()
        .warned(NO_TIERS),
    broker("remote.log.index.file.cache.total.size.bytes", Type::Long, "1073741824")
        .at_least(1)
        .dynamic()
        .warned(NO_TIERS),
    broker("remote.log.index.file.cache.ttl.ms", Type::Long, "900000")
        .at_least(-1)
        .warned(NO_TIERS)
        .internal(),
    broker("remote.log.manager.copier.thread.pool.size", Type::Int, "10")
        .at_least(1)
        .dynamic()
        .warned(NO_TIERS),
    broker("remote.log.manager.copy.max.bytes.per.second", Type::Long, "9223372036854775807")
        .at_least(1)
        .dynamic()
        .warned(NO_TIERS),
    broker("remote.log.manager.copy.quota.window.num", Type::Int, "11").at_least(1).warned(NO_TIERS),
    broker("remote.log.manager.copy.quota.window.size.seconds", Type::Int, "1").at_least(1).warned(NO_TIERS),
    broker("remote.log.manager.expiration.thread.pool.size", Type::Int, "10")
        .at_least(1)
        .dynamic()
        .warned(NO_TIERS),
    broker("remote.log.manager.fetch.max.bytes.per.second", Type::Long, "9223372036854775807")
        .at_least(1)
        .dynamic()
        .warned(NO_TIERS),
    broker("remote.log.manager.fetch.quota.window.num", Type::Int, "11").at_least(1).warned(NO_TIERS),
    broker("remote.log.manager.fetch.quota.window.size.seconds", Type::Int, "1").at_least(1).warned(NO_TIERS),
    broker("remote.log.manager.follower.thread.pool.size", Type::Int, "2")
        .at_least(1)
        .dynamic()
        .warned(NO_TIERS),
    broker("remote.log.manager.task.interval.ms", Type::Long, "30000").at_least(1).warned(NO_TIERS),
    broker("remote.log.manager.task.retry.backoff.max.ms", Type::Long, "30000")
        .at_least(1)
        .warned(NO_TIERS)
        .internal(),
    broker("remote.log.manager.task.retry.backoff.ms", Type::Long, "500")
        .at_least(1)
        .warned(NO_TIERS)
        .internal(),
    broker("remote.log.manager.task.retry.jitter", Type::Double, "0.2")
        .fraction(0.0, 0.5)
        .warned(NO_TIERS)
        .internal(),
    broker("remote.log.manager.thread.pool.size", Type::Int, "2").at_least(1).warned(NO_TIERS),
    broker("remote.log.metadata.custom.metadata.max.bytes", Type::Int, "128").at_least(0).warned(NO_TIERS),
    broker(
        "remote.log.metadata.manager.class.name",
        Type::String,
        "org.apache.kafka.server.log.remote.metadata.storage.TopicBasedRemoteLogMetadataManager",
    )
    .warned(NO_TIERS),
    without("remote.log.metadata.manager.class.path", Type::String).warned(NO_TIERS),
    broker("remote.log.metadata.manager.impl.prefix", Type::String, "rlmm.config.").warned(NO_TIERS),
    without("remote.log.metadata.manager.listener.name", Type::String).warned(NO_TIERS),
    broker("remote.log.reader.max.pending.tasks", Type::Int, "100").at_least(1).warned(NO_TIERS),
    broker("remote.log.reader.threads", Type::Int, "10").at_least(1).dynamic().warned(NO_TIERS),
    without("remote.log.storage.manager.class.name", Type::String).warned(NO_TIERS),
    without("remote.log.storage.manager.class.path", Type::String).warned(NO_TIERS),
    broker("remote.log.storage.manager.impl.prefix", Type::String, "rsm.config.").warned(NO_TIERS),
    broker("remote.log.storage.system.enable", Type::Boolean, "false").refused(NO_TIERS),
    broker("replica.fetch.backoff.ms", Type::Int, "1000").at_least(0).warned(ONE_BROKER),
    broker("replica.fetch.max.bytes", Type::Int, "1048576").at_least(0).warned(ONE_BROKER),
    broker("replica.fetch.min.bytes", Type::Int, "1").warned(ONE_BROKER),
    broker("replica.fetch.response.max.bytes", Type::Int, "10485760").at_least(0).warned(ONE_BROKER),
    broker("replica.fetch.wait.max.ms", Type::Int, "500").warned(ONE_BROKER),
    broker("replica.high.watermark.checkpoint.interval.ms", Type::Long, "5000").warned(ONE_BROKER),
    broker("replica.lag.time.max.ms", Type::Long, "30000").warned(ONE_BROKER),
    without("replica.selector.class", Type::String).warned(ONE_BROKER),
    broker("replica.socket.receive.buffer.bytes", Type::Int, "65536").warned(ONE_BROKER),
    broker("replica.socket.timeout.ms", Type::Int, "30000").warned(ONE_BROKER),
    broker("replication.quota.window.num", Type::Int, "11").at_least(1).warned(ONE_BROKER),
    broker("replication.quota.window.size.seconds", Type::Int, "1").at_least(1).warned(ONE_BROKER),
    broker("request.timeout.ms", Type::Int, "30000").warned(ONE_BROKER),
    broker("server.max.startup.time.ms", Type::Long, "9223372036854775807")
        .at_least(0)
        .warned(ONE_NODE)
        .internal(),
    broker("share.coordinator.append.linger.ms", Type::Int, "-1").at_least(-1).warned(NO_SHARE_GROUPS),
    broker("share.coordinator.cached.buffer.max.bytes", Type::Int, "1048588")
        .at_least(524_288)
        .dynamic()
        .warned(NO_SHARE_GROUPS),
    broker("share.coordinator.cold.partition.snapshot.interval.ms", Type::Int, "300000")
        .at_least(1)
        .warned(NO_SHARE_GROUPS)
        .internal(),
    broker("share.coordinator.load.buffer.size", Type::Int, "5242880").at_least(1).warned(NO_SHARE_GROUPS),
    broker("share.coordinator.snapshot.update.records.per.snapshot", Type::Int, "500")
        .between(0, 500)
        .warned(NO_SHARE_GROUPS),
    broker("share.coordinator.state.topic.compression.codec", Type::Int, "0").warned(NO_SHARE_GROUPS),
    broker("share.coordinator.state.topic.min.isr", Type::Short, "2").at_least(1).warned(NO_SHARE_GROUPS),
    broker("share.coordinator.state.topic.num.partitions", Type::Int, "50")
        .at_least(1)
        .warned(NO_SHARE_GROUPS),
    broker("share.coordinator.state.topic.prune.interval.ms", Type::Int, "300000")
        .at_least(1)
        .warned(NO_SHARE_GROUPS)
        .internal(),
    broker("share.coordinator.state.topic.replication.factor", Type::Short, "3")
        .at_least(1)
        .warned(NO_SHARE_GROUPS),
    broker("share.coordinator.state.topic.segment.bytes", Type::Int, "104857600")
        .at_least(1)
        .warned(NO_SHARE_GROUPS),
    broker("share.coordinator.threads", Type::Int, "1").at_least(1).warned(NO_SHARE_GROUPS),
    broker("share.coordinator.write.timeout.ms", Type::Int, "5000").at_least(1).warned(NO_SHARE_GROUPS),
    broker("share.fetch.purgatory.purge.interval.requests", Type::Int, "1000").warned(NO_SHARE_GROUPS),
    broker("socket.connection.setup.timeout.max.ms", Type::Long, "30000").warned(ONE_BROKER),
    broker("socket.connection.setup.timeout.ms", Type::Long, "10000").warned(ONE_BROKER),
    broker("socket.listen.backlog.size", Type::Int, "50").at_least(1).warned(OWN_THREADS),
    broker("socket.receive.buffer.bytes", Type::Int, "102400").warned(OWN_THREADS),
    broker("socket.send.buffer.bytes", Type::Int, "102400").warned(OWN_THREADS),
    broker("telemetry.max.bytes", Type::Int, "1048576").at_least(1).warned(NO_METRICS),
    broker("transaction.abort.timed.out.transaction.cleanup.interval.ms", Type::Int, "10000")
        .at_least(1)
        .warned(NO_TRANSACTIONS),
    broker("transaction.max.timeout.ms", Type::Int, "900000").at_least(1).warned(NO_TRANSACTIONS),
    broker("transaction.partition.verification.enable", Type::Boolean, "true")
        .dynamic()
        .warned(NO_TRANSACTIONS),
    broker("transaction.remove.expired.transaction.cleanup.interval.ms", Type::Int, "3600000")
        .at_least(1)
        .warned(NO_TRANSACTIONS),
    broker("transaction.state.log.load.buffer.size", Type::Int, "5242880")
        .at_least(1)
        .warned(NO_TRANSACTIONS),
    broker("transaction.state.log.min.isr", Type::Int, "2").at_least(1).warned(NO_TRANSACTIONS),
    broker("transaction.state.log.num.partitions", Type::Int, "50").at_least(1).warned(NO_TRANSACTIONS),
    broker("transaction.state.log.replication.factor", Type::Short, "3").at_least(1).warned(NO_TRANSACTIONS),
    broker("transaction.state.log.segment.bytes", Type::Int, "104857600").at_least(1).warned(NO_TRANSACTIONS),
    broker("transaction.two.phase.commit.enable", Type::Boolean, "false").warned(NO_TRANSACTIONS),
    broker("transactional.id.expiration.ms", Type::Int, "604800000").at_least(1).warned(NO_TRANSACTIONS),
    broker("unclean.leader.election.enable", Type::Boolean, "false").dynamic().warned(ONE_BROKER),
    broker("unclean.leader.election.interval.ms", Type::Long, "300000")
        .at_least(1)
        .warned(ONE_BROKER)
        .internal(),
    broker("unstable.feature.versions.enable", Type::Boolean, "false").warned(ONE_NODE).internal(),
];
