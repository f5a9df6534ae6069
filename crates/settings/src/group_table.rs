//! The settings of a group: every one that Kafka 4.3 knows.

use crate::setting::{Scope, Setting, Type};

const NO_CONSUMER: &str = "Milena does not serve the group protocol of KIP-848 yet";
const NO_SHARE: &str = "Milena does not serve share groups yet";
const NO_STREAMS: &str = "Milena does not serve streams groups yet";

const ISOLATION: &[&str] = &["read_committed", "read_uncommitted"];

const fn group(name: &'static str, kind: Type, default: &'static str) -> Setting {
    crate::setting::setting(Scope::Group, name, kind, default)
}

/// The rows by name, in order.
pub(crate) static GROUP: &[Setting] = &[
    group("consumer.assignment.interval.ms", Type::Int, "1000").at_least(0).refused(NO_CONSUMER),
    group("consumer.heartbeat.interval.ms", Type::Int, "5000").at_least(1).refused(NO_CONSUMER),
    group("consumer.session.timeout.ms", Type::Int, "45000").at_least(1).refused(NO_CONSUMER),
    group("share.assignment.interval.ms", Type::Int, "1000").at_least(0).refused(NO_SHARE),
    group("share.auto.offset.reset", Type::String, "latest").refused(NO_SHARE),
    group("share.delivery.count.limit", Type::Int, "5").at_least(2).refused(NO_SHARE),
    group("share.heartbeat.interval.ms", Type::Int, "5000").at_least(1).refused(NO_SHARE),
    group("share.isolation.level", Type::String, "read_uncommitted").words(ISOLATION).refused(NO_SHARE),
    group("share.partition.max.record.locks", Type::Int, "2000").at_least(100).refused(NO_SHARE),
    group("share.record.lock.duration.ms", Type::Int, "30000").at_least(1000).refused(NO_SHARE),
    group("share.renew.acknowledge.enable", Type::Boolean, "true").refused(NO_SHARE),
    group("share.session.timeout.ms", Type::Int, "45000").at_least(1).refused(NO_SHARE),
    group("streams.assignment.interval.ms", Type::Int, "1000").at_least(0).refused(NO_STREAMS),
    group("streams.heartbeat.interval.ms", Type::Int, "5000").at_least(1).refused(NO_STREAMS),
    group("streams.initial.rebalance.delay.ms", Type::Int, "3000").at_least(0).refused(NO_STREAMS),
    group("streams.num.standby.replicas", Type::Int, "0").at_least(0).refused(NO_STREAMS),
    group("streams.session.timeout.ms", Type::Int, "45000").at_least(1).refused(NO_STREAMS),
];
