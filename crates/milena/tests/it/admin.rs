//! Topics, partitions and settings through Kafka's admin client.

use std::time::Duration;

use rdkafka::admin::{
    AdminOptions, ConfigResource, ConfigSource, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::consumer::Consumer;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::BaseRecord;

use crate::harness::broker::Broker;
use crate::harness::clients::{
    LIMIT, Producer, admin, admin_options, block_on, consumer, create, create_topic, ids, read_all,
    try_create_topic, watermarks,
};
use crate::harness::{unique, wait_until};

/// The number of partitions of `topic`, or `None` if it does not exist. Never creates it.
fn partitions_of(bootstrap: &str, topic: &str) -> Option<usize> {
    let consumer = consumer(bootstrap, "unused", &[]);
    let all = consumer.fetch_metadata(None, LIMIT).expect("metadata");
    all.topics().iter().find(|found| found.name() == topic).map(|found| found.partitions().len())
}

fn delete(bootstrap: &str, topic: &str) -> Result<(), RDKafkaErrorCode> {
    let answers = block_on(admin(bootstrap).delete_topics(&[topic], &admin_options())).expect("an answer");
    answers.into_iter().next().expect("one").map(drop).map_err(|(_, code)| code)
}

fn set_partitions(bootstrap: &str, topic: &str, count: usize) -> Result<(), RDKafkaErrorCode> {
    let wanted = NewPartitions::new(topic, count);
    let answers =
        block_on(admin(bootstrap).create_partitions([&wanted], &admin_options())).expect("an answer");
    answers.into_iter().next().expect("one").map(drop).map_err(|(_, code)| code)
}

fn describe(bootstrap: &str, resource: &ResourceSpecifier<'_>) -> Result<ConfigResource, RDKafkaErrorCode> {
    let answers =
        block_on(admin(bootstrap).describe_configs([resource], &admin_options())).expect("an answer");
    answers.into_iter().next().expect("one")
}

#[test]
fn a_topic_is_created_seen_and_deleted() {
    let broker = Broker::start();
    let topic = create_topic(broker.bootstrap(), "life", 3, &[]);
    assert_eq!(partitions_of(broker.bootstrap(), &topic), Some(3));
    assert_eq!(
        try_create_topic(broker.bootstrap(), &topic, 3, &[]),
        Err(RDKafkaErrorCode::TopicAlreadyExists)
    );
    assert_eq!(delete(broker.bootstrap(), &topic), Ok(()));
    assert_eq!(partitions_of(broker.bootstrap(), &topic), None);
    assert_eq!(delete(broker.bootstrap(), &topic), Err(RDKafkaErrorCode::UnknownTopicOrPartition));
}

/// The same name again is another topic: nothing of the old one shows.
#[test]
fn a_recreated_topic_is_empty() {
    let broker = Broker::start();
    let topic = create_topic(broker.bootstrap(), "again", 1, &[]);
    let producer = Producer::new(broker.bootstrap(), &[]);
    (0..100).for_each(|id| producer.send(&topic, 0, id, 100));
    producer.acknowledged();
    assert_eq!(watermarks(broker.bootstrap(), &topic, 0), (0, 100));
    assert_eq!(delete(broker.bootstrap(), &topic), Ok(()));
    wait_until("the name is free again", LIMIT, || {
        match try_create_topic(broker.bootstrap(), &topic, 1, &[]) {
            Ok(()) => true,
            Err(RDKafkaErrorCode::TopicAlreadyExists) => false,
            Err(other) => panic!("{other}"),
        }
    });
    assert_eq!(watermarks(broker.bootstrap(), &topic, 0), (0, 0));
    let producer = Producer::new(broker.bootstrap(), &[]);
    producer.send(&topic, 0, 7, 100);
    assert_eq!(producer.acknowledged()[0].offset, 0);
    assert_eq!(ids(&read_all(broker.bootstrap(), &topic, 0)), [7]);
}

#[test]
fn names_that_kafka_refuses() {
    let broker = Broker::start();
    let too_long = "n".repeat(250);
    for name in ["", ".", "..", "with space", "slash/ed", "nul\u{1}", "ümlaut", too_long.as_str()] {
        let outcome = try_create_topic(broker.bootstrap(), name, 1, &[]);
        assert_eq!(outcome, Err(RDKafkaErrorCode::InvalidTopic), "{name:?}");
    }
    let longest = format!("{}{}", unique("n"), "n".repeat(249))[..249].to_owned();
    assert_eq!(try_create_topic(broker.bootstrap(), &longest, 1, &[]), Ok(()));
    assert_eq!(partitions_of(broker.bootstrap(), &longest), Some(1));
    // A period and an underscore are one in the names of metrics, so Kafka takes one such topic only.
    let dotted = unique("do.tted");
    assert_eq!(try_create_topic(broker.bootstrap(), &dotted, 1, &[]), Ok(()));
    let collides = dotted.replace('.', "_");
    assert_eq!(try_create_topic(broker.bootstrap(), &collides, 1, &[]), Err(RDKafkaErrorCode::InvalidTopic));
}

#[test]
fn numbers_and_settings_that_kafka_refuses() {
    let broker = Broker::start();
    let name = unique("refused");
    let attempt = |partitions, replicas, setting: Option<(&str, &str)>| {
        let mut topic = NewTopic::new(&name, partitions, TopicReplication::Fixed(replicas));
        if let Some((key, value)) = setting {
            topic = topic.set(key, value);
        }
        create(broker.bootstrap(), &topic, &admin_options())
    };
    assert_eq!(attempt(0, 1, None), Err(RDKafkaErrorCode::InvalidPartitions));
    assert_eq!(attempt(1, 3, None), Err(RDKafkaErrorCode::InvalidReplicationFactor));
    assert_eq!(attempt(1, 0, None), Err(RDKafkaErrorCode::InvalidReplicationFactor));
    let settings = [
        ("no.such.setting", "1"),
        ("retention.ms", "soon"),
        ("retention.ms", "-2"),
        ("cleanup.policy", "shred"),
        ("segment.bytes", "1"),
        ("max.message.bytes", "-1"),
        ("compression.type", "rar"),
        ("message.timestamp.type", "Tomorrow"),
        ("min.insync.replicas", "0"),
    ];
    for setting in settings {
        assert_eq!(attempt(1, 1, Some(setting)), Err(RDKafkaErrorCode::InvalidConfig), "{setting:?}");
    }
    assert_eq!(partitions_of(broker.bootstrap(), &name), None);
}

#[test]
fn validate_only_creates_nothing() {
    let broker = Broker::start();
    let name = unique("validated");
    let topic = NewTopic::new(&name, 2, TopicReplication::Fixed(1));
    let options = AdminOptions::new().request_timeout(Some(LIMIT)).validate_only(true);
    assert_eq!(create(broker.bootstrap(), &topic, &options), Ok(()));
    assert_eq!(partitions_of(broker.bootstrap(), &name), None);
}

#[test]
fn defaults_for_partitions_and_replicas() {
    let broker = Broker::start();
    let name = unique("defaults");
    let topic = NewTopic::new(&name, -1, TopicReplication::Fixed(-1));
    assert_eq!(create(broker.bootstrap(), &topic, &admin_options()), Ok(()));
    assert_eq!(partitions_of(broker.bootstrap(), &name), Some(1), "num.partitions is 1");
}

#[test]
fn partitions_can_be_added_and_not_removed() {
    let broker = Broker::start();
    let topic = create_topic(broker.bootstrap(), "grow", 2, &[]);
    let producer = Producer::new(broker.bootstrap(), &[("topic.metadata.refresh.interval.ms", "100")]);
    producer.send(&topic, 0, 0, 10);
    producer.acknowledged();
    assert_eq!(set_partitions(broker.bootstrap(), &topic, 5), Ok(()));
    assert_eq!(partitions_of(broker.bootstrap(), &topic), Some(5));
    assert_eq!(set_partitions(broker.bootstrap(), &topic, 5), Err(RDKafkaErrorCode::InvalidPartitions));
    assert_eq!(set_partitions(broker.bootstrap(), &topic, 3), Err(RDKafkaErrorCode::InvalidPartitions));
    let absent = unique("absent");
    assert_eq!(
        set_partitions(broker.bootstrap(), &absent, 3),
        Err(RDKafkaErrorCode::UnknownTopicOrPartition)
    );
    // A producer that was there before finds the new ones.
    wait_until("the producer sees partition 4", Duration::from_secs(10), || {
        let record = BaseRecord::with_opaque_to(&topic, 4).payload(&b"4:"[..]).partition(4);
        producer.send_record(record).is_ok()
    });
    producer.acknowledged();
    assert_eq!(watermarks(broker.bootstrap(), &topic, 4), (0, 1));
    assert_eq!(watermarks(broker.bootstrap(), &topic, 0), (0, 1));
}

#[test]
fn settings_of_a_topic_are_described() {
    let broker = Broker::start();
    let settings = [("retention.ms", "12345"), ("cleanup.policy", "compact,delete")];
    let topic = create_topic(broker.bootstrap(), "described", 1, &settings);
    let described = describe(broker.bootstrap(), &ResourceSpecifier::Topic(&topic)).expect("described");
    let retention = described.get("retention.ms").expect("retention.ms");
    assert_eq!(retention.value.as_deref(), Some("12345"));
    assert!(matches!(retention.source, ConfigSource::DynamicTopic), "{:?}", retention.source);
    assert!(!retention.is_default && !retention.is_read_only && !retention.is_sensitive);
    let policy = described.get("cleanup.policy").expect("cleanup.policy");
    assert_eq!(policy.value.as_deref(), Some("compact,delete"));
    let segment = described.get("segment.bytes").expect("segment.bytes");
    assert_eq!(segment.value.as_deref(), Some("1073741824"));
    assert!(matches!(segment.source, ConfigSource::Default), "{:?}", segment.source);
    assert!(segment.is_default);
    let names: Vec<_> = described.entries.iter().map(|entry| entry.name.as_str()).collect();
    for name in ["max.message.bytes", "min.insync.replicas", "compression.type", "retention.bytes"] {
        assert!(names.contains(&name), "{name} is missing from {names:?}");
    }
    let absent = unique("absent");
    // The client drops the error that comes with the answer for one resource.
    let described = describe(broker.bootstrap(), &ResourceSpecifier::Topic(&absent)).expect("an answer");
    assert!(described.entries.is_empty());
}

#[test]
fn settings_of_the_broker_are_described() {
    let broker = Broker::start();
    let consumer = consumer(broker.bootstrap(), "unused", &[]);
    let metadata = consumer.fetch_metadata(None, LIMIT).expect("metadata");
    assert_eq!(metadata.brokers().len(), 1);
    let id = metadata.brokers()[0].id();
    let described = describe(broker.bootstrap(), &ResourceSpecifier::Broker(id)).expect("described");
    let listeners = described.get("listeners").expect("listeners");
    assert!(listeners.value.as_deref().is_some_and(|value| value.contains("127.0.0.1")));
    assert!(described.get("log.retention.hours").is_some());
    assert_eq!(described.get("message.max.bytes").expect("known").value.as_deref(), Some("1048588"));
}

#[test]
fn one_answer_for_each_topic_of_a_request() {
    let broker = Broker::start();
    let names: Vec<String> = (0..20).map(|_| unique("batch")).collect();
    let mut topics: Vec<_> =
        names.iter().map(|name| NewTopic::new(name, 2, TopicReplication::Fixed(1))).collect();
    topics.push(NewTopic::new("not valid", 1, TopicReplication::Fixed(1)));
    let answers = block_on(admin(broker.bootstrap()).create_topics(&topics, &admin_options()));
    let answers = answers.expect("an answer");
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 20);
    let refused: Vec<_> = answers.into_iter().filter_map(Result::err).collect();
    assert_eq!(refused, [("not valid".to_owned(), RDKafkaErrorCode::InvalidTopic)]);
    assert!(names.iter().all(|name| partitions_of(broker.bootstrap(), name) == Some(2)));
}

#[test]
fn a_first_message_creates_its_topic() {
    let broker = Broker::start();
    let topic = unique("auto");
    let producer = Producer::new(broker.bootstrap(), &[]);
    let record = BaseRecord::with_opaque_to(&topic, 0).payload(&b"0:"[..]);
    producer.send_record(record).expect("queued");
    assert_eq!(producer.acknowledged()[0].offset, 0);
    assert_eq!(partitions_of(broker.bootstrap(), &topic), Some(1));
    assert_eq!(ids(&read_all(broker.bootstrap(), &topic, 0)), [0]);
}

#[test]
fn auto_creation_follows_its_settings() {
    let settings = [("num.partitions", "7")];
    let Some(broker) = Broker::own(&settings) else { return };
    let topic = unique("auto");
    let producer = Producer::new(broker.bootstrap(), &[]);
    producer.send_record(BaseRecord::with_opaque_to(&topic, 0).payload(&b"x"[..])).expect("queued");
    producer.acknowledged();
    assert_eq!(partitions_of(broker.bootstrap(), &topic), Some(7));

    let Some(broker) = Broker::own(&[("auto.create.topics.enable", "false")]) else { return };
    let producer = Producer::new(
        broker.bootstrap(),
        &[("topic.metadata.propagation.max.ms", "500"), ("message.timeout.ms", "3000")],
    );
    let record = BaseRecord::with_opaque_to(&topic, 0).payload(&b"x"[..]);
    let refused = match producer.send_record(record) {
        Err(error) => error.rdkafka_error_code(),
        Ok(()) => producer.reports()[0].error,
    };
    assert!(refused.is_some());
    assert_eq!(partitions_of(broker.bootstrap(), &topic), None);
}
