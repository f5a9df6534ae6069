//! Offsets: watermarks, by timestamp, out of range, records deleted from the front.

use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::producer::BaseRecord;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::harness::broker::Broker;
use crate::harness::clients::{
    LIMIT, Producer, admin, admin_options, block_on, consumer, create_topic, ids, read_all, take, watermarks,
};

/// A topic of one partition with messages 0..`count`, message n stamped 1,000 + 10 n.
fn stamped(bootstrap: &str, count: usize) -> String {
    let topic = create_topic(bootstrap, "stamped", 1, &[("retention.ms", "-1")]);
    let producer = Producer::new(bootstrap, &[("batch.num.messages", "7")]);
    for id in 0..count {
        let value = format!("{id}:");
        let at = 1_000 + 10 * i64::try_from(id).expect("small");
        let record = BaseRecord::with_opaque_to(&topic, id).payload(value.as_bytes());
        producer.send_record(record.partition(0).timestamp(at)).expect("queued");
    }
    producer.acknowledged();
    topic
}

fn offset_at(consumer: &BaseConsumer, topic: &str, timestamp: i64) -> Offset {
    let mut wanted = TopicPartitionList::new();
    wanted.add_partition_offset(topic, 0, Offset::Offset(timestamp)).expect("a timestamp");
    let found = consumer.offsets_for_times(wanted, LIMIT).expect("offsets");
    found.find_partition(topic, 0).expect("asked for").offset()
}

#[test]
fn offsets_by_timestamp() {
    let broker = Broker::start();
    let topic = stamped(broker.bootstrap(), 100);
    let consumer = consumer(broker.bootstrap(), "unused", &[]);
    assert_eq!(offset_at(&consumer, &topic, 0), Offset::Offset(0));
    assert_eq!(offset_at(&consumer, &topic, 1_000), Offset::Offset(0));
    assert_eq!(offset_at(&consumer, &topic, 1_001), Offset::Offset(1));
    assert_eq!(offset_at(&consumer, &topic, 1_500), Offset::Offset(50));
    assert_eq!(offset_at(&consumer, &topic, 1_509), Offset::Offset(51));
    assert_eq!(offset_at(&consumer, &topic, 1_990), Offset::Offset(99));
    assert_eq!(offset_at(&consumer, &topic, 1_991), Offset::End);
}

#[test]
fn watermarks_follow_the_log() {
    let broker = Broker::start();
    let topic = create_topic(broker.bootstrap(), "marks", 1, &[]);
    assert_eq!(watermarks(broker.bootstrap(), &topic, 0), (0, 0));
    let producer = Producer::new(broker.bootstrap(), &[]);
    for round in 1..=5 {
        (0..10).for_each(|id| producer.send(&topic, 0, id, 10));
        producer.acknowledged();
        assert_eq!(watermarks(broker.bootstrap(), &topic, 0), (0, round * 10));
    }
    let consumer = consumer(broker.bootstrap(), "unused", &[]);
    let error = consumer.fetch_watermarks(&topic, 3, LIMIT).expect_err("there is one partition");
    assert_eq!(error.rdkafka_error_code(), Some(RDKafkaErrorCode::UnknownPartition));
}

/// A consumer without a group, at `offset` of a topic's only partition.
fn at(bootstrap: &str, topic: &str, reset: &str, offset: i64) -> BaseConsumer {
    let consumer = consumer(bootstrap, "unused", &[("auto.offset.reset", reset)]);
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, 0, Offset::Offset(offset)).expect("an offset");
    consumer.assign(&list).expect("assigned");
    consumer
}

#[test]
fn out_of_range_is_reset_as_the_consumer_wishes() {
    let broker = Broker::start();
    let topic = stamped(broker.bootstrap(), 20);
    assert_eq!(ids(&take(&at(broker.bootstrap(), &topic, "earliest", 1_000), 3)), [0, 1, 2]);

    let consumer = at(broker.bootstrap(), &topic, "error", 21);
    let error = loop {
        match consumer.poll(LIMIT).expect("an answer") {
            Ok(message) => panic!("{:?}", message.offset()),
            Err(KafkaError::PartitionEOF(_)) => {}
            Err(error) => break error,
        }
    };
    assert_eq!(error.rdkafka_error_code(), Some(RDKafkaErrorCode::AutoOffsetReset));
    // The end itself is no error: the next message comes from there.
    let consumer = at(broker.bootstrap(), &topic, "error", 20);
    match consumer.poll(LIMIT) {
        Some(Err(KafkaError::PartitionEOF(0))) => {}
        Some(Err(error)) => panic!("{error}"),
        other => panic!("{:?}", other.map(|message| message.map(|m| m.offset()))),
    }
}

#[test]
fn records_are_deleted_from_the_front() {
    let broker = Broker::start();
    let topic = stamped(broker.bootstrap(), 50);
    let delete_before = |offset| {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&topic, 0, offset).expect("an offset");
        let answer = block_on(admin(broker.bootstrap()).delete_records(&list, &admin_options()));
        let answer = answer.expect("an answer");
        let partition = answer.find_partition(&topic, 0).expect("asked for");
        partition.error().map(|()| partition.offset())
    };
    assert_eq!(delete_before(Offset::Offset(20)), Ok(Offset::Offset(20)));
    assert_eq!(watermarks(broker.bootstrap(), &topic, 0), (20, 50));
    assert_eq!(ids(&read_all(broker.bootstrap(), &topic, 0)), (20..50).collect::<Vec<_>>());
    // Backwards changes nothing; past the end is refused; the end itself empties the log.
    assert_eq!(delete_before(Offset::Offset(10)), Ok(Offset::Offset(20)));
    let error = delete_before(Offset::Offset(51)).expect_err("past the end");
    assert_eq!(error.rdkafka_error_code(), Some(RDKafkaErrorCode::OffsetOutOfRange));
    assert_eq!(delete_before(Offset::End), Ok(Offset::Offset(50)));
    assert_eq!(watermarks(broker.bootstrap(), &topic, 0), (50, 50));
    // Offsets go on where they were.
    let producer = Producer::new(broker.bootstrap(), &[]);
    producer.send(&topic, 0, 50, 10);
    assert_eq!(producer.acknowledged()[0].offset, 50);
    // A consumer from before the start goes to the start.
    assert_eq!(ids(&take(&at(broker.bootstrap(), &topic, "earliest", 5), 1)), [50]);
}

#[test]
fn seek_pause_and_resume() {
    let broker = Broker::start();
    let topic = stamped(broker.bootstrap(), 30);
    let consumer = at(broker.bootstrap(), &topic, "error", 0);
    assert_eq!(ids(&take(&consumer, 10)), (0..10).collect::<Vec<_>>());
    consumer.seek(&topic, 0, Offset::Offset(25), LIMIT).expect("sought");
    assert_eq!(ids(&take(&consumer, 5)), (25..30).collect::<Vec<_>>());
    consumer.seek(&topic, 0, Offset::Beginning, LIMIT).expect("sought");
    assert_eq!(ids(&take(&consumer, 2)), [0, 1]);
    let mut list = TopicPartitionList::new();
    list.add_partition(&topic, 0);
    consumer.pause(&list).expect("paused");
    match consumer.poll(Duration::from_millis(300)) {
        None | Some(Err(KafkaError::PartitionEOF(_))) => {}
        other => panic!("{:?}", other.map(|message| message.map(|m| m.offset()))),
    }
    consumer.resume(&list).expect("resumed");
    assert_eq!(ids(&take(&consumer, 28)), (2..30).collect::<Vec<_>>());
}

/// A consumer that waits at the end gets a message when it is appended, not at the end of its wait.
#[test]
fn a_message_reaches_a_waiting_consumer_at_once() {
    let broker = Broker::start();
    let topic = stamped(broker.bootstrap(), 1);
    let consumer = consumer(broker.bootstrap(), "unused", &[("fetch.wait.max.ms", "10000")]);
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&topic, 0, Offset::Offset(0)).expect("an offset");
    consumer.assign(&list).expect("assigned");
    take(&consumer, 1);
    let producer = Producer::new(broker.bootstrap(), &[("linger.ms", "0")]);
    for id in 1..=10 {
        producer.send(&topic, 0, id, 10);
        let sent = std::time::Instant::now();
        assert_eq!(ids(&take(&consumer, 1)), [id]);
        assert!(sent.elapsed() < Duration::from_secs(2), "message {id} took {:?}", sent.elapsed());
    }
}
