//! Producing: codecs, acknowledgements, sizes, order, idempotence.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::{Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::BaseRecord;
use record::{Batch, Compression};

use crate::check::check;
use crate::harness::broker::{Broker, free_port};
use crate::harness::clients::{
    Producer, create_topic, id_of, ids, payload, read_all, read_partitions, reader, take, try_create_topic,
    watermarks,
};
use crate::harness::proxy::Proxy;
use crate::harness::unique;

use rdkafka::topic_partition_list::Offset;

/// Kafka's default for `message.max.bytes`: the size of a batch, its header included.
const MESSAGE_MAX_BYTES: usize = 1_048_588;

/// Sends `count` messages with `settings` and shows that what is read is what was sent, in order, once.
fn round_trip(settings: &[(&str, &str)], count: usize, size: usize) {
    let broker = Broker::start();
    let topic = create_topic(broker.bootstrap(), "round-trip", 1, &[]);
    let producer = Producer::new(broker.bootstrap(), settings);
    for id in 0..count {
        producer.send(&topic, 0, id, size);
    }
    let reports = producer.acknowledged();
    assert_eq!(reports.len(), count);
    let messages = read_all(broker.bootstrap(), &topic, 0);
    assert_eq!(ids(&messages), (0..count).collect::<Vec<_>>());
    for (at, message) in messages.iter().enumerate() {
        assert_eq!(message.offset(), i64::try_from(at).expect("small"));
        assert_eq!(message.key(), Some(format!("k{at}").as_bytes()));
        assert!(message.payload() == Some(payload(at, size).as_slice()), "message {at} differs");
    }
}

#[test]
fn uncompressed() {
    round_trip(&[("acks", "all")], 2_000, 300);
}

#[test]
fn gzip() {
    round_trip(&[("acks", "all"), ("compression.codec", "gzip")], 2_000, 300);
}

#[test]
fn snappy() {
    round_trip(&[("acks", "all"), ("compression.codec", "snappy")], 2_000, 300);
}

/// The codecs of the batches in a partition's first segment.
fn stored_codecs(broker: &Broker, topic: &str) -> Vec<Compression> {
    let segment = broker.data().join(format!("{topic}-0/00000000000000000000.log"));
    let bytes = std::fs::read(segment).expect("the first segment");
    let codec = |batch: Result<Batch<'_>, _>| batch.expect("whole").header().attributes.compression();
    record::batches(&bytes).map(|batch| codec(batch).expect("a codec")).collect()
}

#[test]
fn a_topic_with_a_codec_of_its_own_is_stored_with_it() {
    let Some(broker) = Broker::own(&[]) else { return };
    for (kind, codec) in [
        ("uncompressed", Compression::None),
        ("gzip", Compression::Gzip),
        ("snappy", Compression::Snappy),
        ("lz4", Compression::Lz4),
        ("zstd", Compression::Zstd),
    ] {
        let level = ("compression.zstd.level", "9");
        let topic = create_topic(broker.bootstrap(), kind, 1, &[("compression.type", kind), level]);
        for (nth, came_as) in ["none", "lz4", "zstd"].into_iter().enumerate() {
            let settings = [("compression.codec", came_as), ("enable.idempotence", "true")];
            let producer = Producer::new(broker.bootstrap(), &settings);
            for id in nth * 100..(nth + 1) * 100 {
                producer.send(&topic, 0, id, 300);
            }
            assert_eq!(producer.acknowledged().len(), 100);
        }
        let messages = read_all(broker.bootstrap(), &topic, 0);
        assert_eq!(ids(&messages), (0..300).collect::<Vec<_>>());
        assert!(
            messages.iter().enumerate().all(|(id, it)| it.payload() == Some(payload(id, 300).as_slice()))
        );
        let codecs = stored_codecs(&broker, &topic);
        assert!(codecs.len() >= 3 && codecs.iter().all(|stored| *stored == codec), "{kind}: {codecs:?}");
    }
}

#[test]
fn lz4() {
    round_trip(&[("acks", "all"), ("compression.codec", "lz4")], 2_000, 300);
}

#[test]
fn zstd() {
    round_trip(&[("acks", "all"), ("compression.codec", "zstd")], 2_000, 300);
}

#[test]
fn large_compressed_batches() {
    for codec in ["gzip", "snappy", "lz4", "zstd"] {
        round_trip(
            &[("compression.codec", codec), ("linger.ms", "50"), ("batch.size", "900000")],
            60,
            50_000,
        );
    }
}

#[test]
fn acknowledged_by_the_leader() {
    round_trip(&[("acks", "1")], 2_000, 100);
}

#[test]
fn idempotent() {
    round_trip(&[("enable.idempotence", "true")], 5_000, 100);
}

/// With acks=0 nothing is answered; what was sent on a connection that stayed is there all the same.
#[test]
fn unacknowledged() {
    let broker = Broker::start();
    let topic = create_topic(broker.bootstrap(), "acks0", 1, &[]);
    let producer = Producer::new(broker.bootstrap(), &[("acks", "0")]);
    for id in 0..1_000 {
        producer.send(&topic, 0, id, 100);
    }
    producer.acknowledged();
    let consumer = reader(broker.bootstrap(), &topic, 0, Offset::Beginning);
    assert_eq!(ids(&take(&consumer, 1_000)), (0..1_000).collect::<Vec<_>>());
}

#[test]
fn keys_values_headers_and_timestamps_come_back_as_sent() {
    let broker = Broker::start();
    let topic = create_topic(broker.bootstrap(), "shapes", 1, &[]);
    let producer = Producer::new(broker.bootstrap(), &[]);
    let headers = OwnedHeaders::new()
        .insert(Header { key: "trace", value: Some(&b"\x00\xff"[..]) })
        .insert(Header { key: "empty", value: Some(&b""[..]) })
        .insert(Header { key: "null", value: None::<&[u8]> })
        .insert(Header { key: "trace", value: Some(&b"again"[..]) });
    let sent = 1_700_000_000_123;
    let whole = BaseRecord::with_opaque_to(&topic, 0).key(&b"key"[..]).payload(&b"value"[..]);
    producer.send_record(whole.headers(headers).timestamp(sent).partition(0)).expect("queued");
    let tombstone = BaseRecord::with_opaque_to(&topic, 1).key(&b"key"[..]);
    producer.send_record(tombstone.partition(0)).expect("queued");
    let bare = BaseRecord::with_opaque_to(&topic, 2).payload(&b""[..]);
    producer.send_record(bare.partition(0)).expect("queued");
    producer.acknowledged();

    let messages = read_all(broker.bootstrap(), &topic, 0);
    assert_eq!(messages.len(), 3);
    assert_eq!((messages[0].key(), messages[0].payload()), (Some(&b"key"[..]), Some(&b"value"[..])));
    assert_eq!(messages[0].timestamp(), rdkafka::Timestamp::CreateTime(sent));
    let came: Vec<_> = messages[0].headers().expect("headers").iter().map(|h| (h.key, h.value)).collect();
    let expected: [(&str, Option<&[u8]>); 4] =
        [("trace", Some(b"\x00\xff")), ("empty", Some(b"")), ("null", None), ("trace", Some(b"again"))];
    assert_eq!(came, expected);
    assert_eq!((messages[1].key(), messages[1].payload()), (Some(&b"key"[..]), None));
    assert_eq!((messages[2].key(), messages[2].payload()), (None, Some(&b""[..])));
}

/// librdkafka sends them as it is told. Each batch has them beside a time of today, before and behind.
#[test]
fn times_before_1970_come_back_as_sent() {
    let Some(mut broker) = Broker::own(&[]) else { return };
    let sent = [1_700_000_000_123, -1_000, -62_135_596_800_000, -5, 1_700_000_000_124];
    let recompressed = [("compression.type", "zstd")];
    let compacted = [("cleanup.policy", "compact")];
    for (topic_settings, codec) in
        [(&[][..], "none"), (&[][..], "lz4"), (&recompressed, "gzip"), (&compacted, "none")]
    {
        let topic = create_topic(broker.bootstrap(), "before-1970", 1, topic_settings);
        let producer =
            Producer::new(broker.bootstrap(), &[("compression.codec", codec), ("linger.ms", "100")]);
        for (id, timestamp) in sent.iter().enumerate() {
            let record = BaseRecord::with_opaque_to(&topic, id).key(&b"key"[..]).payload(&b"value"[..]);
            producer.send_record(record.timestamp(*timestamp).partition(0)).expect("queued");
        }
        producer.acknowledged();
        let came: Vec<_> = read_all(broker.bootstrap(), &topic, 0).iter().map(Message::timestamp).collect();
        assert_eq!(came, sent.map(rdkafka::Timestamp::CreateTime), "{topic_settings:?} {codec}");
    }
    broker.stop();
    let (found, code) = check(broker.data());
    assert_eq!(code, 0, "what is stored is sound: {found:?}");
}

#[test]
fn log_append_time_replaces_the_timestamp() {
    let broker = Broker::start();
    let settings = [("message.timestamp.type", "LogAppendTime")];
    let topic = create_topic(broker.bootstrap(), "append-time", 1, &settings);
    let producer = Producer::new(broker.bootstrap(), &[]);
    let record = BaseRecord::with_opaque_to(&topic, 0).payload(&b"0:"[..]).partition(0);
    producer.send_record(record.timestamp(1_000)).expect("queued");
    producer.acknowledged();
    match read_all(broker.bootstrap(), &topic, 0)[0].timestamp() {
        rdkafka::Timestamp::LogAppendTime(at) => assert!(at > 1_700_000_000_000, "{at}"),
        other => panic!("{other:?}"),
    }
}

/// The size of a value that makes a batch of `batch_bytes` of one message: the batch's header, then the
/// record's length, attributes, deltas, null key and header count.
fn value_for_batch_of(batch_bytes: usize) -> usize {
    batch_bytes - 61 - 11
}

fn send_one(bootstrap: &str, topic: &str, value_bytes: usize) -> Option<RDKafkaErrorCode> {
    let producer = Producer::new(bootstrap, &[("message.max.bytes", "20000000")]);
    let value = payload(7, value_bytes);
    let record = BaseRecord::with_opaque_to(topic, 7).payload(value.as_slice()).partition(0);
    producer.send_record(record).expect("queued");
    producer.reports()[0].error
}

#[test]
fn a_batch_may_be_as_large_as_the_limit_and_no_larger() {
    let broker = Broker::start();
    let topic = create_topic(broker.bootstrap(), "limit", 1, &[]);
    let fits = value_for_batch_of(MESSAGE_MAX_BYTES);
    assert_eq!(send_one(broker.bootstrap(), &topic, fits), None);
    assert_eq!(send_one(broker.bootstrap(), &topic, fits + 1), Some(RDKafkaErrorCode::MessageSizeTooLarge));
    let messages = read_all(broker.bootstrap(), &topic, 0);
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0].payload().map(<[u8]>::len), Some(fits));
}

#[test]
fn a_topic_sets_its_own_limit() {
    let broker = Broker::start();
    let large = create_topic(broker.bootstrap(), "large", 1, &[("max.message.bytes", "9000000")]);
    let small = create_topic(broker.bootstrap(), "small", 1, &[("max.message.bytes", "1000")]);
    assert_eq!(send_one(broker.bootstrap(), &large, 8_900_000), None);
    assert_eq!(
        send_one(broker.bootstrap(), &small, value_for_batch_of(1_000) + 20),
        Some(RDKafkaErrorCode::MessageSizeTooLarge)
    );
    // A fetch of less than one batch still gets that batch.
    let messages = read_all(broker.bootstrap(), &large, 0);
    assert_eq!(messages[0].payload().map(<[u8]>::len), Some(8_900_000));
}

#[test]
fn many_partitions_keep_their_order() {
    const PARTITIONS: usize = 100;
    let broker = Broker::start();
    let topic = create_topic(broker.bootstrap(), "many", i32::try_from(PARTITIONS).expect("small"), &[]);
    let producer = Producer::new(broker.bootstrap(), &[("enable.idempotence", "true")]);
    for id in 0..10_000 {
        producer.send(&topic, i32::try_from(id % PARTITIONS).expect("small"), id, 50);
    }
    producer.acknowledged();
    let read = read_partitions(broker.bootstrap(), &topic, i32::try_from(PARTITIONS).expect("small"));
    for (partition, messages) in read.into_iter().enumerate() {
        let expected: Vec<_> = (0..10_000).filter(|id| id % PARTITIONS == partition).collect();
        assert_eq!(ids(&messages), expected, "partition {partition}");
    }
}

#[test]
fn five_requests_in_flight_are_appended_in_order() {
    round_trip(
        &[("acks", "1"), ("max.in.flight", "5"), ("batch.num.messages", "10"), ("linger.ms", "0")],
        5_000,
        100,
    );
    round_trip(
        &[("acks", "all"), ("max.in.flight", "5"), ("batch.num.messages", "10"), ("linger.ms", "0")],
        2_000,
        100,
    );
}

/// Connections that are cut within requests and within answers: the producer sends again what it does not know to be
/// there, and the broker takes each batch once.
#[test]
fn an_idempotent_producer_over_connections_that_break() {
    let port = free_port();
    let advertised = format!("PLAINTEXT://127.0.0.1:{port}");
    let Some(broker) = Broker::own(&[("advertised.listeners", &advertised)]) else { return };
    let proxy = Proxy::start(port, broker.bootstrap(), 3);
    let topic = create_topic(broker.bootstrap(), "cut", 2, &[]);
    let settings =
        [("enable.idempotence", "true"), ("linger.ms", "1"), ("batch.num.messages", "50"), ("acks", "all")];
    proxy.cut(true);
    let producer = Producer::new(broker.bootstrap(), &settings);
    for id in 0..10_000 {
        producer.send(&topic, i32::from(id % 2 == 1), id, 200);
        if id % 20 == 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    let reports = producer.acknowledged();
    proxy.cut(false);
    assert_eq!(reports.len(), 10_000);
    assert!(proxy.cuts() > 20, "the proxy cut {} connections only", proxy.cuts());
    for partition in 0..2 {
        let messages = read_all(broker.bootstrap(), &topic, partition);
        let first = usize::try_from(partition).expect("small");
        assert_eq!(ids(&messages), (first..10_000).step_by(2).collect::<Vec<_>>());
    }
}

#[test]
fn producers_beside_each_other_interleave_and_lose_nothing() {
    let broker = Broker::start();
    let topic = create_topic(broker.bootstrap(), "beside", 1, &[]);
    let reports: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|who| {
                let (bootstrap, topic) = (broker.bootstrap(), &topic);
                scope.spawn(move || {
                    let producer = Producer::new(bootstrap, &[("acks", "all")]);
                    for n in 0..1_000 {
                        producer.send(topic, 0, who * 1_000 + n, 64);
                    }
                    producer.acknowledged()
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("sent")).collect()
    });
    let messages = read_all(broker.bootstrap(), &topic, 0);
    assert_eq!(messages.len(), 4_000);
    let at: BTreeMap<i64, usize> =
        messages.iter().map(|m| (m.offset(), id_of(m.payload().expect("a payload")))).collect();
    for report in reports {
        assert_eq!(at[&report.offset], report.id, "acknowledged at the offset where it is");
    }
}

#[test]
fn a_topic_that_is_not_there() {
    let broker = Broker::start();
    let producer = Producer::new(
        broker.bootstrap(),
        &[("allow.auto.create.topics", "false"), ("topic.metadata.propagation.max.ms", "500")],
    );
    let topic = unique("absent");
    let record = BaseRecord::with_opaque_to(&topic, 0).payload(&b"x"[..]).partition(0);
    let error = match producer.send_record(record) {
        Err(error) => error.rdkafka_error_code(),
        Ok(()) => producer.reports()[0].error,
    };
    assert!(
        matches!(error, Some(RDKafkaErrorCode::UnknownTopic | RDKafkaErrorCode::UnknownTopicOrPartition)),
        "{error:?}"
    );
    assert_eq!(try_create_topic(broker.bootstrap(), &topic, 1, &[]), Ok(()), "it was not created by the way");
    assert_eq!(watermarks(broker.bootstrap(), &topic, 0), (0, 0));
}
