//! Compaction: the latest value of each key stays, at its offset, through restarts and crashes.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::message::{Message, OwnedMessage};
use rdkafka::producer::BaseRecord;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::harness::broker::Broker;
use crate::harness::clients::{LIMIT, Producer, consumer, create_topic, read_all, watermarks};
use crate::harness::wait_until;

/// Compaction begins as soon as anything is dirty.
const EAGER: &[(&str, &str)] = &[
    ("log.cleaner.backoff.ms", "50"),
    ("log.cleaner.min.cleanable.ratio", "0.01"),
    ("log.segment.delete.delay.ms", "0"),
    ("offsets.topic.num.partitions", "1"),
    ("offsets.topic.segment.bytes", "1048576"),
];

/// The latest value and its offset, by key; none for a deleted one.
type Latest = BTreeMap<Vec<u8>, (i64, Option<Vec<u8>>)>;

fn latest(messages: &[OwnedMessage]) -> Latest {
    let of = |message: &OwnedMessage| {
        let key = message.key().expect("a compacted topic's records have keys").to_vec();
        (key, (message.offset(), message.payload().map(<[u8]>::to_vec)))
    };
    messages.iter().map(of).collect()
}

/// Writes `count` versions over 100 keys, of which each tenth is deleted at the end.
fn fill(bootstrap: &str, topic: &str, count: usize) {
    let producer = Producer::new(bootstrap, &[("enable.idempotence", "true"), ("compression.type", "lz4")]);
    let value = |id: usize| -> Vec<u8> {
        // What does not compress, so that segments fill.
        (0..200_u64)
            .map(|n| ((id as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15 ^ n.pow(5)) >> 40) as u8)
            .collect()
    };
    for id in 0..count {
        let (key, value) = (format!("key-{}", id % 100), value(id));
        let record =
            BaseRecord::with_opaque_to(topic, id).partition(0).key(key.as_bytes()).payload(&value[..]);
        producer.send_record(record).expect("queued");
    }
    for id in (0..100).step_by(10) {
        let key = format!("key-{id}");
        let record = BaseRecord::<'_, [u8], [u8], usize>::with_opaque_to(topic, count + id);
        producer.send_record(record.partition(0).key(key.as_bytes())).expect("queued");
    }
    producer.acknowledged();
}

/// Bytes of the segments in a partition's directory.
fn log_bytes(directory: &Path) -> u64 {
    let entries = std::fs::read_dir(directory).expect("the partition's directory").flatten();
    let logs = entries.filter(|entry| entry.path().extension().is_some_and(|extension| extension == "log"));
    logs.filter_map(|entry| entry.metadata().ok()).map(|metadata| metadata.len()).sum()
}

#[test]
fn the_latest_value_of_each_key_stays_and_the_rest_goes() {
    let Some(mut broker) = Broker::own(EAGER) else { return };
    let topic = create_topic(
        broker.bootstrap(),
        "latest",
        1,
        &[("cleanup.policy", "compact"), ("segment.bytes", "1048576")],
    );
    fill(broker.bootstrap(), &topic, 30_000);
    let expected_end = watermarks(broker.bootstrap(), &topic, 0);
    assert_eq!(expected_end, (0, 30_010));
    let directory = broker.data().join(format!("{topic}-0"));
    // More than six segments come to the active one and one of the latest values.
    wait_until("the log is compacted", Duration::from_secs(30), || log_bytes(&directory) < 2_200_000);
    let mut messages = Vec::new();
    // A directory is not listed in an instant: names may have changed meanwhile, and segments not yet.
    wait_until("few records are left", Duration::from_secs(30), || {
        messages = read_all(broker.bootstrap(), &topic, 0);
        messages.len() < 12_000
    });
    let before = latest(&messages);
    assert_eq!(before.len(), 100);
    for (key, (offset, value)) in &before {
        let number: i64 = std::str::from_utf8(&key[4..]).expect("text").parse().expect("a number");
        let expected = if number % 10 == 0 { 30_000 + number / 10 } else { 29_900 + number };
        assert_eq!((*offset, value.is_none()), (expected, number % 10 == 0), "key-{number}");
    }
    for crash in [false, true] {
        broker.end(crash);
        broker.restart();
        assert_eq!(watermarks(broker.bootstrap(), &topic, 0), expected_end);
        assert_eq!(latest(&read_all(broker.bootstrap(), &topic, 0)), before);
    }
    fill(broker.bootstrap(), &topic, 30_000);
    wait_until("the log is compacted again", Duration::from_secs(30), || log_bytes(&directory) < 2_200_000);
    assert_eq!(watermarks(broker.bootstrap(), &topic, 0).1, 60_020);
    assert_eq!(latest(&read_all(broker.bootstrap(), &topic, 0)).len(), 100);
    broker.assert_healthy();
}

#[test]
fn without_the_policy_or_with_the_cleaner_off_everything_stays() {
    let off: Vec<_> = EAGER.iter().copied().chain([("log.cleaner.enable", "false")]).collect();
    for (settings, policy) in [(EAGER, "delete"), (&off[..], "compact")] {
        let Some(broker) = Broker::own(settings) else { return };
        let topic = create_topic(
            broker.bootstrap(),
            "all",
            1,
            &[("cleanup.policy", policy), ("segment.bytes", "1048576")],
        );
        fill(broker.bootstrap(), &topic, 12_000);
        // Several rounds of an eager cleaner.
        std::thread::sleep(Duration::from_millis(400));
        assert_eq!(read_all(broker.bootstrap(), &topic, 0).len(), 12_010);
    }
}

/// The offsets topic is compacted, and what a group committed last is there after a restart.
#[test]
fn committed_offsets_are_compacted() {
    let Some(mut broker) = Broker::own(EAGER) else { return };
    let topic = create_topic(broker.bootstrap(), "committed", 1, &[]);
    let metadata = "m".repeat(4_000);
    let commit = |consumer: &rdkafka::consumer::BaseConsumer, offset: i64| {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&topic, 0, Offset::Offset(offset)).expect("a place");
        list.find_partition(&topic, 0).expect("it was added").set_metadata(&metadata);
        consumer.commit(&list, CommitMode::Sync).expect("committed");
    };
    let member = consumer(broker.bootstrap(), "compacted", &[]);
    (0..1_200).for_each(|offset| commit(&member, offset));
    let directory = broker.data().join("__consumer_offsets-0");
    wait_until("the offsets are compacted", Duration::from_secs(30), || log_bytes(&directory) < 2_500_000);
    for crash in [false, true] {
        broker.end(crash);
        broker.restart();
        let mut list = TopicPartitionList::new();
        list.add_partition(&topic, 0);
        let member = consumer(broker.bootstrap(), "compacted", &[]);
        let committed = member.committed_offsets(list, LIMIT).expect("an answer");
        assert_eq!(committed.elements()[0].offset(), Offset::Offset(1_199));
    }
    broker.assert_healthy();
}

#[test]
fn what_works_in_the_background_leaves_the_processors_to_requests() {
    let Some(broker) = Broker::own(&[]) else { return };
    let usual = broker.nice_of_threads("milena-flush");
    if usual.is_empty() {
        eprintln!("skipped: this system does not tell how nice a thread is");
        return;
    }
    for name in ["milena-clean", "milena-scrub"] {
        // The threads make themselves nice once they run.
        let is_nice = || broker.nice_of_threads(name).first().is_some_and(|nice| *nice > usual[0]);
        wait_until("a thread of the background is nicer than the rest", LIMIT, is_nice);
    }
}
