//! Fetching: limits, waiting, errors, versions.

use std::time::{Duration, Instant};

use protocol::messages::FetchRequest;
use protocol::messages::fetch_request::FetchTopic;
use protocol::{ErrorCode, Str, Uuid};
use record::{BatchBuilder, Compression};

use super::harness::Node;
use super::harness::raw::{
    Raw, batch, batch_with, fetch_nothing, fetch_partition, fetch_request, only_partition,
};
use super::harness::unique;

/// Creates a topic with `count` batches of one record in partition 0, each with a value of `size` bytes.
fn filled(raw: &mut Raw, broker: &Node, count: usize, size: usize) -> String {
    let topic = broker.create_topic("fetch", 3, &[]);
    for _ in 0..count {
        raw.append(&topic, batch(&[&vec![b'x'; size]]));
    }
    topic
}

#[test]
fn there_is_always_at_least_one_batch() {
    let broker = Node::start();
    let mut raw = broker.open();
    let topic = filled(&mut raw, &broker, 3, 10_000);
    let mut request = fetch_request(&topic, 0, 0);
    request.max_bytes = 1;
    request.topics[0].partitions[0].partition_max_bytes = 1;
    let answer = raw.fetch_one(&request);
    assert_eq!(answer.error_code, ErrorCode::NONE);
    let bytes = answer.records.as_bytes().expect("records");
    let first = record::batches(bytes).next().expect("a batch").expect("whole");
    assert_eq!((first.header().base_offset, first.bytes().len()), (0, bytes.len()));
}

#[test]
fn a_partition_gives_no_more_than_its_limit() {
    let broker = Node::start();
    let mut raw = broker.open();
    let topic = filled(&mut raw, &broker, 10, 10_000);
    let mut request = fetch_request(&topic, 0, 0);
    request.topics[0].partitions[0].partition_max_bytes = 35_000;
    let length = raw.fetch_one(&request).records.len();
    assert!((30_000..=35_000).contains(&length), "{length}");
    request.topics[0].partitions[0].partition_max_bytes = 10 << 20;
    assert!(raw.fetch_one(&request).records.len() > 100_000);
}

/// The limit of the request applies to all its partitions together; only the first one with data may exceed
/// it.
#[test]
fn a_request_gives_no_more_than_its_limit() {
    let broker = Node::start();
    let mut raw = broker.open();
    let topics: Vec<_> = (0..4).map(|_| filled(&mut raw, &broker, 10, 10_000)).collect();
    let mut request = fetch_nothing();
    request.max_bytes = 25_000;
    for topic in &topics {
        let mut partition = fetch_partition(0, 0);
        partition.partition_max_bytes = 1 << 20;
        let topic = Str::from(topic.as_str());
        request.topics.push(FetchTopic { topic, partitions: vec![partition], ..Default::default() });
    }
    let response = raw.ask(&request, 12);
    let sizes: Vec<_> = response.responses.iter().map(|topic| topic.partitions[0].records.len()).collect();
    let sum: usize = sizes.iter().sum();
    assert!((20_000..=25_000).contains(&sum), "{sizes:?}");
}

/// A response that is large enough leaves partitions to the next one, except for those whose reader keeps up,
/// and for errors. A request for more bytes than that gets them.
#[test]
fn a_large_response_leaves_partitions_to_the_next() {
    let broker = Node::start();
    let mut raw = broker.open();
    let mut topics: Vec<_> = (0..12).map(|_| filled(&mut raw, &broker, 1, 1_000_000)).collect();
    topics.push(filled(&mut raw, &broker, 3, 100));
    topics.push(topics[12].clone());
    let mut request = fetch_nothing();
    for topic in &topics {
        let topic = Str::from(topic.as_str());
        let partitions = vec![fetch_partition(0, 0)];
        request.topics.push(FetchTopic { topic, partitions, ..Default::default() });
    }
    request.topics[12].partitions[0].fetch_offset = 1;
    request.topics[13].partitions[0].fetch_offset = 4;
    let answers = |raw: &mut Raw, request: &FetchRequest| {
        let response = raw.ask(request, 12);
        response.responses.into_iter().flat_map(|topic| topic.partitions).collect::<Vec<_>>()
    };
    let found = answers(&mut raw, &request);
    let sizes: Vec<_> = found.iter().map(|partition| partition.records.len()).collect();
    assert!(sizes[..9].iter().all(|size| *size > 1_000_000), "{sizes:?}");
    assert_eq!(sizes[9..12], [0; 3], "{sizes:?}");
    assert!((200..1_000).contains(&sizes[12]), "{sizes:?}");
    let told: Vec<_> = found[9..].iter().map(|found| (found.error_code, found.high_watermark)).collect();
    let [one, three] = [1, 3].map(|high_watermark| (ErrorCode::NONE, high_watermark));
    assert_eq!(told, [one, one, one, three, (ErrorCode::OFFSET_OUT_OF_RANGE, -1)]);

    request.min_bytes = 11_500_000;
    let sizes: Vec<_> = answers(&mut raw, &request).iter().map(|found| found.records.len()).collect();
    assert!(sizes[..12].iter().all(|size| *size > 1_000_000), "{sizes:?}");
}

#[test]
fn a_fetch_waits_for_min_bytes_and_no_longer_than_max_wait() {
    let broker = Node::start();
    let mut raw = broker.open();
    let topic = filled(&mut raw, &broker, 1, 100);
    let timed = |raw: &mut Raw, offset, min_bytes, max_wait_ms| {
        let mut request = fetch_request(&topic, 0, offset);
        (request.min_bytes, request.max_wait_ms) = (min_bytes, max_wait_ms);
        let begun = Instant::now();
        let length = raw.fetch_one(&request).records.len();
        (length, begun.elapsed())
    };
    // No records, and none required: answered at once.
    let (length, took) = timed(&mut raw, 1, 0, 5_000);
    assert!(length == 0 && took < Duration::from_secs(2), "{length} {took:?}");
    // No records, and some required: answered after the whole wait.
    let (length, took) = timed(&mut raw, 1, 1, 700);
    assert!(length == 0 && took > Duration::from_millis(650), "{length} {took:?}");
    // Too few bytes: they are returned after the wait.
    let (length, took) = timed(&mut raw, 0, 100_000, 700);
    assert!(length > 100 && took > Duration::from_millis(650), "{length} {took:?}");
    // Enough bytes: answered at once.
    let (length, took) = timed(&mut raw, 0, 100, 5_000);
    assert!(length > 100 && took < Duration::from_secs(2), "{length} {took:?}");
}

#[test]
fn a_waiting_fetch_wakes_when_enough_was_appended() {
    let broker = Node::start();
    let mut raw = broker.open();
    let mut producing = broker.open();
    let topic = filled(&mut raw, &broker, 0, 0);
    let mut request = fetch_request(&topic, 0, 0);
    (request.min_bytes, request.max_wait_ms) = (10_000, 20_000);
    let begun = Instant::now();
    raw.send(&request, 12);
    for _ in 0..3 {
        std::thread::sleep(Duration::from_millis(200));
        producing.append(&topic, batch(&[&[b'x'; 4_000]]));
    }
    let appended = begun.elapsed();
    let answer = only_partition(raw.receive::<FetchRequest>(12).1);
    assert!(answer.records.len() > 12_000, "{}", answer.records.len());
    let late = begun.elapsed().saturating_sub(appended);
    assert!(late < Duration::from_secs(2), "it woke {late:?} after the append");
}

#[test]
fn offsets_out_of_range_are_an_error_at_once() {
    let broker = Node::start();
    let mut raw = broker.open();
    let topic = filled(&mut raw, &broker, 3, 10);
    for offset in [4, i64::MAX, -1, -2] {
        let mut request = fetch_request(&topic, 0, offset);
        (request.min_bytes, request.max_wait_ms) = (1, 10_000);
        let begun = Instant::now();
        let answer = raw.fetch_one(&request);
        assert_eq!(answer.error_code, ErrorCode::OFFSET_OUT_OF_RANGE, "offset {offset}");
        assert_eq!(answer.high_watermark, -1, "offset {offset}");
        assert!(answer.records.is_empty());
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    }
    let end = raw.fetch_one(&fetch_request(&topic, 0, 3));
    assert_eq!((end.error_code, end.high_watermark, end.log_start_offset), (ErrorCode::NONE, 3, 0));
}

#[test]
fn unknown_topics_partitions_and_ids() {
    let broker = Node::start();
    let mut raw = broker.open();
    let topic = filled(&mut raw, &broker, 1, 10);
    let absent = raw.fetch_one(&fetch_request(&unique("absent"), 0, 0));
    assert_eq!(absent.error_code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    let absent = raw.fetch_one(&fetch_request(&topic, 99, 0));
    assert_eq!(absent.error_code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    // From version 13 on topics have ids, and an unknown id has another error than an unknown name.
    let mut request = fetch_request(&topic, 0, 0);
    request.topics[0].topic = Str::new();
    request.topics[0].topic_id = Uuid([7; 16]);
    assert_eq!(only_partition(raw.ask(&request, 13)).error_code, ErrorCode::UNKNOWN_TOPIC_ID);
    request.topics[0].topic_id = raw.topic_id(&topic);
    assert_eq!(only_partition(raw.ask(&request, 13)).error_code, ErrorCode::NONE);
    request.topics[0].partitions[0].partition = 99;
    let answer = only_partition(raw.ask(&request, 13));
    assert_eq!(answer.error_code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
}

#[test]
fn the_leader_epoch_is_checked() {
    let broker = Node::start();
    let mut raw = broker.open();
    let topic = filled(&mut raw, &broker, 1, 10);
    let epoch = raw.topic(&topic).partitions[0].leader_epoch;
    let with_epoch = |raw: &mut Raw, epoch| {
        let mut request = fetch_request(&topic, 0, 0);
        request.topics[0].partitions[0].current_leader_epoch = epoch;
        raw.fetch_one(&request).error_code
    };
    assert_eq!(with_epoch(&mut raw, epoch), ErrorCode::NONE);
    assert_eq!(with_epoch(&mut raw, -1), ErrorCode::NONE);
    assert_eq!(with_epoch(&mut raw, epoch + 1), ErrorCode::UNKNOWN_LEADER_EPOCH);
    if epoch > 0 {
        assert_eq!(with_epoch(&mut raw, epoch - 1), ErrorCode::FENCED_LEADER_EPOCH);
    }
}

#[test]
fn every_version_reads_the_same() {
    let broker = Node::start();
    let mut raw = broker.open();
    let topic = filled(&mut raw, &broker, 2, 50);
    let id = raw.topic_id(&topic);
    for version in 4..=17 {
        let mut request = fetch_request(&topic, 0, 1);
        request.topics[0].topic_id = id;
        if version >= 13 {
            request.topics[0].topic = Str::new();
        } else {
            request.topics[0].topic_id = Uuid::ZERO;
        }
        if version >= 15 {
            request.replica_id = -1;
        }
        let answer = only_partition(raw.ask(&request, version));
        assert_eq!(answer.error_code, ErrorCode::NONE, "version {version}");
        assert_eq!(answer.high_watermark, 2, "version {version}");
        assert_eq!(answer.last_stable_offset, 2, "version {version}");
        let bytes = answer.records.as_bytes().expect("records");
        let read = record::batches(bytes).next().expect("a batch").expect("whole");
        assert_eq!(read.header().base_offset, 1, "version {version}");
        read.verify_crc().expect("its checksum");
    }
}

/// A reader of committed records gets everything if there are no transactions.
#[test]
fn read_committed_reads_all_where_nothing_is_pending() {
    let broker = Node::start();
    let mut raw = broker.open();
    let topic = filled(&mut raw, &broker, 2, 50);
    let mut request = fetch_request(&topic, 0, 0);
    let uncommitted = raw.fetch_one(&request);
    request.isolation_level = 1;
    let committed = raw.fetch_one(&request);
    assert_eq!(committed.records, uncommitted.records);
    assert_eq!(committed.aborted_transactions.map(|list| list.len()).unwrap_or_default(), 0);
    assert_eq!(uncommitted.aborted_transactions.map(|list| list.len()).unwrap_or_default(), 0);
}

/// A consumer cannot act as a replica and advance the high watermark (CVE-2018-1288), nor read what consumers
/// may not.
#[test]
fn a_forged_replica_is_refused() {
    let broker = Node::start();
    let mut raw = broker.open();
    let topic = filled(&mut raw, &broker, 2, 50);
    let mut request = fetch_request(&topic, 0, 0);
    request.replica_id = 99;
    let answer = raw.fetch_one(&request);
    assert!(answer.error_code.is_error(), "{answer:?}");
    assert!(answer.records.is_empty());
    assert_eq!(raw.fetch_one(&fetch_request(&topic, 0, 2)).high_watermark, 2);
}

/// A batch is returned as it was sent: compressed by the producer, not decompressed by the broker.
#[test]
fn batches_are_stored_as_they_came() {
    let broker = Node::start();
    let mut raw = broker.open();
    let topic = filled(&mut raw, &broker, 0, 0);
    let codecs =
        [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];
    for codec in codecs {
        let sent = batch_with(BatchBuilder::new(codec), &[b"some", b"values", &[b'v'; 500]]);
        let offset = raw.append(&topic, sent.clone());
        let answer = raw.fetch_one(&fetch_request(&topic, 0, offset));
        let bytes = answer.records.as_bytes().expect("records").clone();
        let stored = record::batches(&bytes).next().expect("a batch").expect("whole");
        assert_eq!(stored.header().base_offset, offset);
        // The broker may write the offset and the leader epoch; the checksum covers all other bytes.
        assert_eq!(stored.bytes()[16..], sent[16..], "{codec:?}");
    }
}
