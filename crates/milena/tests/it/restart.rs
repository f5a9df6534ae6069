//! Clean stops and starts: everything is there again, soon.

use std::time::Duration;

use protocol::Str;
use protocol::messages::create_topics_request::CreatableTopic;
use protocol::messages::{CreateTopicsRequest, FindCoordinatorRequest};
use rdkafka::admin::ResourceSpecifier;
use rdkafka::consumer::Consumer;
use rdkafka::message::Message;

use crate::harness::broker::Broker;
use crate::harness::clients::{
    LIMIT, Producer, admin, admin_options, block_on, consumer, create_topic, ids, read_all, watermarks,
};
use crate::harness::raw::Raw;

/// Messages 0..`count` in partition 0, in many small batches.
fn fill(bootstrap: &str, topic: &str, count: usize, size: usize) {
    let producer = Producer::new(bootstrap, &[("batch.num.messages", "50"), ("enable.idempotence", "true")]);
    (0..count).for_each(|id| producer.send(topic, 0, id, size));
    producer.acknowledged();
}

#[test]
fn a_clean_restart_keeps_everything() {
    let Some(mut broker) = Broker::own(&[]) else { return };
    let settings = [("retention.ms", "86400001"), ("segment.bytes", "1048576")];
    let filled = create_topic(broker.bootstrap(), "kept", 3, &settings);
    let empty = create_topic(broker.bootstrap(), "empty", 2, &[]);
    fill(broker.bootstrap(), &filled, 20_000, 200);
    let before: Vec<_> = read_all(broker.bootstrap(), &filled, 0);
    let cluster_id = cluster_id(&broker);
    for _ in 0..3 {
        let stopped = broker.stop();
        assert!(stopped < Duration::from_secs(5), "it took {stopped:?} to stop");
        let started = broker.restart();
        assert!(started < Duration::from_secs(5), "it took {started:?} to start");
        let after = read_all(broker.bootstrap(), &filled, 0);
        assert_eq!(after.len(), before.len());
        for (one, other) in before.iter().zip(&after) {
            assert_eq!((one.offset(), one.timestamp()), (other.offset(), other.timestamp()));
            assert!(one.key() == other.key() && one.payload() == other.payload());
        }
        assert_eq!(watermarks(broker.bootstrap(), &filled, 1), (0, 0));
        assert_eq!(watermarks(broker.bootstrap(), &empty, 1), (0, 0));
    }
    assert_eq!(self::cluster_id(&broker), cluster_id);
    let resource = ResourceSpecifier::Topic(&filled);
    let described = block_on(admin(broker.bootstrap()).describe_configs([&resource], &admin_options()));
    let described = described.expect("an answer").remove(0).expect("described");
    assert_eq!(described.get("retention.ms").expect("known").value.as_deref(), Some("86400001"));
    // Offsets go on.
    let producer = Producer::new(broker.bootstrap(), &[]);
    producer.send(&filled, 0, 20_000, 10);
    assert_eq!(producer.acknowledged()[0].offset, 20_000);
}

fn cluster_id(broker: &Broker) -> String {
    let consumer = consumer(broker.bootstrap(), "unused", &[]);
    consumer.client().fetch_cluster_id(LIMIT).expect("a cluster id")
}

/// After a clean stop nothing is read again at start: the time does not follow the size.
#[test]
fn a_start_after_a_clean_stop_is_quick_however_much_there_is() {
    let Some(mut broker) = Broker::own(&[]) else { return };
    let topics: Vec<_> = (0..20)
        .map(|_| create_topic(broker.bootstrap(), "size", 20, &[("segment.bytes", "1048576")]))
        .collect();
    fill(broker.bootstrap(), &topics[0], 100_000, 1_000);
    broker.stop();
    let started = broker.restart();
    assert!(started < Duration::from_secs(2), "400 partitions and 100 MB took {started:?} to start");
    assert_eq!(watermarks(broker.bootstrap(), &topics[0], 0), (0, 100_000));
    assert_eq!(watermarks(broker.bootstrap(), &topics[19], 19), (0, 0));
}

/// Clients that were there all the time go on by themselves.
#[test]
fn clients_live_through_a_restart() {
    let Some(mut broker) = Broker::own(&[]) else { return };
    let topic = create_topic(broker.bootstrap(), "through", 1, &[]);
    let producer = Producer::new(broker.bootstrap(), &[("enable.idempotence", "true")]);
    let reader = crate::harness::clients::reader(broker.bootstrap(), &topic, 0, rdkafka::Offset::Beginning);
    let mut seen = Vec::new();
    for round in 0..4 {
        for id in round * 500..(round + 1) * 500 {
            producer.send(&topic, 0, id, 100);
        }
        if round == 1 {
            broker.stop();
            broker.restart();
        } else if round == 2 {
            broker.kill();
            broker.restart();
        }
        while seen.len() < (round + 1) * 500 {
            match reader.poll(LIMIT) {
                Some(Ok(message)) => seen.push(message.detach()),
                Some(Err(_)) => {}
                None => panic!("{} messages seen in round {round}", seen.len()),
            }
        }
    }
    producer.acknowledged();
    assert_eq!(ids(&seen), (0..2_000).collect::<Vec<_>>());
}

/// Deleted topics stay deleted, deleted records too.
#[test]
fn what_was_deleted_stays_deleted() {
    let Some(mut broker) = Broker::own(&[]) else { return };
    let gone = create_topic(broker.bootstrap(), "gone", 2, &[]);
    let cut = create_topic(broker.bootstrap(), "cut", 1, &[]);
    fill(broker.bootstrap(), &gone, 100, 100);
    fill(broker.bootstrap(), &cut, 100, 100);
    let answers = block_on(admin(broker.bootstrap()).delete_topics(&[&gone], &admin_options()));
    assert!(answers.expect("an answer")[0].is_ok());
    let mut list = rdkafka::TopicPartitionList::new();
    list.add_partition_offset(&cut, 0, rdkafka::Offset::Offset(40)).expect("an offset");
    block_on(admin(broker.bootstrap()).delete_records(&list, &admin_options())).expect("an answer");
    for crash in [false, true] {
        broker.end(crash);
        broker.restart();
        assert_eq!(watermarks(broker.bootstrap(), &cut, 0), (40, 100));
        assert_eq!(ids(&read_all(broker.bootstrap(), &cut, 0)), (40..100).collect::<Vec<_>>());
        let consumer = consumer(broker.bootstrap(), "unused", &[]);
        let metadata = consumer.fetch_metadata(None, LIMIT).expect("metadata");
        assert!(!metadata.topics().iter().any(|topic| topic.name() == gone));
    }
    let left: Vec<_> = std::fs::read_dir(broker.data())
        .expect("the data directory")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with(&gone) && !name.ends_with("-delete"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

/// A stop is a clean one also while partitions are being made: it lets that end.
#[test]
fn a_stop_while_topics_are_made_is_clean() {
    let Some(mut broker) = Broker::own(&[]) else { return };
    for round in 0..4 {
        let mut connection = Raw::open(broker.bootstrap());
        if round == 0 {
            let request = FindCoordinatorRequest { key: Str::from("first"), ..Default::default() };
            connection.send(&request, 3);
        } else {
            let name = Str::from(format!("made-{round}"));
            let topic = CreatableTopic {
                name,
                num_partitions: 50,
                replication_factor: 1,
                ..CreatableTopic::default()
            };
            let request =
                CreateTopicsRequest { topics: vec![topic], timeout_ms: 10_000, ..Default::default() };
            connection.send(&request, 5);
        }
        // Each round stops it at another point of the work, of which nobody waits for the answer.
        std::thread::sleep(Duration::from_millis(1 + round * 7));
        drop(connection);
        broker.stop();
        let clean = broker.data().join(".kafka_cleanshutdown").exists();
        assert!(clean, "the stop of round {round} was not clean: {}", broker.log());
        broker.restart();
    }
}
