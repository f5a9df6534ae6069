//! ListOffsets: special timestamps, versions, errors; OffsetForLeaderEpoch; retention.

use std::time::Duration;

use protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use protocol::messages::list_offsets_response::ListOffsetsPartitionResponse;
use protocol::messages::offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic};
use protocol::messages::{ListOffsetsRequest, OffsetForLeaderEpochRequest};
use protocol::{ErrorCode, Str};
use record::{BatchBuilder, Compression};

use super::harness::Node;
use super::harness::raw::{Raw, batch, fetch_request, now_ms};
use super::harness::{unique, wait_until};

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;
const LATEST_TIERED: i64 = -5;

fn request(topic: &str, partition: i32, timestamp: i64, epoch: i32) -> ListOffsetsRequest {
    let partition =
        ListOffsetsPartition { partition_index: partition, current_leader_epoch: epoch, timestamp };
    let topic = ListOffsetsTopic { name: Str::from(topic), partitions: vec![partition] };
    ListOffsetsRequest { replica_id: -1, topics: vec![topic], ..Default::default() }
}

fn ask(raw: &mut Raw, topic: &str, timestamp: i64, version: i16) -> ListOffsetsPartitionResponse {
    raw.ask(&request(topic, 0, timestamp, -1), version).topics.remove(0).partitions.remove(0)
}

/// Batches of three records, with the latest timestamp in a batch before the last.
fn filled(raw: &mut Raw, broker: &Node) -> (String, i64) {
    let topic = broker.create_topic("list-offsets", 1, &[]);
    let base = now_ms() - 100_000;
    for first in [0, 100, 50, 20] {
        let mut builder = BatchBuilder::new(Compression::Lz4);
        for delta in [1, 3, 2] {
            builder.push(base + first + delta, None, Some(b"value"), &[]);
        }
        raw.append(&topic, builder.build());
    }
    (topic, base)
}

#[test]
fn special_timestamps() {
    let broker = Node::start();
    let mut raw = broker.open();
    let (topic, base) = filled(&mut raw, &broker);
    let offset = |raw: &mut Raw, timestamp, version| {
        let answer = ask(raw, &topic, timestamp, version);
        (answer.error_code, answer.offset, answer.timestamp)
    };
    for version in 1..=10 {
        assert_eq!(offset(&mut raw, EARLIEST, version), (ErrorCode::NONE, 0, -1), "version {version}");
        assert_eq!(offset(&mut raw, LATEST, version), (ErrorCode::NONE, 12, -1), "version {version}");
    }
    assert_eq!(offset(&mut raw, MAX_TIMESTAMP, 7), (ErrorCode::NONE, 4, base + 103), "the latest stamp");
    assert_eq!(offset(&mut raw, EARLIEST_LOCAL, 8), (ErrorCode::NONE, 0, -1));
    assert_eq!(offset(&mut raw, LATEST_TIERED, 9), (ErrorCode::NONE, -1, -1), "nothing is tiered");
    let empty = broker.create_topic("empty", 1, &[]);
    let answer = ask(&mut raw, &empty, MAX_TIMESTAMP, 7);
    assert_eq!((answer.error_code, answer.offset, answer.timestamp), (ErrorCode::NONE, -1, -1));
}

/// The first record, by offset, that is not older than the timestamp.
#[test]
fn by_timestamp() {
    let broker = Node::start();
    let mut raw = broker.open();
    let (topic, base) = filled(&mut raw, &broker);
    for (after, offset, stamp) in [(0, 0, 1), (2, 1, 3), (3, 1, 3), (4, 3, 101), (102, 4, 103), (103, 4, 103)]
    {
        let answer = ask(&mut raw, &topic, base + after, 7);
        let found = (answer.error_code, answer.offset, answer.timestamp);
        assert_eq!(found, (ErrorCode::NONE, offset, base + stamp), "{after} ms after");
    }
    let none = ask(&mut raw, &topic, base + 104, 7);
    assert_eq!((none.error_code, none.offset, none.timestamp), (ErrorCode::NONE, -1, -1));
}

#[test]
fn unknown_partitions_and_epochs() {
    let broker = Node::start();
    let mut raw = broker.open();
    let (topic, _) = filled(&mut raw, &broker);
    let code =
        |raw: &mut Raw, request: &ListOffsetsRequest| raw.ask(request, 7).topics[0].partitions[0].error_code;
    let absent = request(&unique("absent"), 0, LATEST, -1);
    assert_eq!(code(&mut raw, &absent), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    let partition = request(&topic, 9, LATEST, -1);
    assert_eq!(code(&mut raw, &partition), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    let epoch = raw.topic(&topic).partitions[0].leader_epoch;
    let newer = request(&topic, 0, LATEST, epoch + 1);
    assert_eq!(code(&mut raw, &newer), ErrorCode::UNKNOWN_LEADER_EPOCH);
    assert_eq!(code(&mut raw, &request(&topic, 0, LATEST, epoch)), ErrorCode::NONE);
}

#[test]
fn the_end_of_a_leader_epoch() {
    let broker = Node::start();
    let mut raw = broker.open();
    let (topic, _) = filled(&mut raw, &broker);
    let current = raw.topic(&topic).partitions[0].leader_epoch;
    let mut end_of = |epoch| {
        let partition =
            OffsetForLeaderPartition { partition: 0, current_leader_epoch: -1, leader_epoch: epoch };
        let topic = OffsetForLeaderTopic { topic: Str::from(topic.as_str()), partitions: vec![partition] };
        let request = OffsetForLeaderEpochRequest { replica_id: -1, topics: vec![topic] };
        let answer = raw.ask(&request, 4).topics.remove(0).partitions.remove(0);
        (answer.error_code, answer.leader_epoch, answer.end_offset)
    };
    assert_eq!(end_of(current), (ErrorCode::NONE, current, 12));
    assert_eq!(end_of(current + 5), (ErrorCode::NONE, -1, -1), "not yet");
}

/// Records beyond the topic's retention are deleted, and a consumer at their offsets learns the new start.
#[test]
fn retention_by_time_and_by_size() {
    let settings = [("log.retention.check.interval.ms", "100")];
    let Some(broker) = Node::own(&settings) else { return };
    let mut raw = broker.open();
    let by_size = [("segment.bytes", "1048576"), ("retention.bytes", "2097152")];
    let by_size = broker.create_topic("by-size", 1, &by_size);
    let by_time = [("segment.bytes", "1048576"), ("retention.ms", "1500")];
    let by_time = broker.create_topic("by-time", 1, &by_time);
    let kept = broker.create_topic("kept", 1, &[("segment.bytes", "1048576")]);
    for _ in 0..12 {
        for topic in [&by_size, &by_time, &kept] {
            raw.append(topic, batch(&[&[b'x'; 500_000]]));
        }
    }
    let limit = Duration::from_secs(20);
    // The first records may be deleted while the last are still written.
    wait_until("the oldest segments go by size", limit, || broker.watermarks(&by_size, 0).0 >= 4);
    let (low, high) = broker.watermarks(&by_size, 0);
    assert!(high == 12 && (4..=9).contains(&low), "{low} to {high}: 2 MiB and what makes segments whole");
    wait_until("all goes by time", limit, || broker.watermarks(&by_time, 0) == (12, 12));
    assert_eq!(broker.watermarks(&kept, 0), (0, 12));
    let gone = raw.fetch_one(&fetch_request(&by_time, 0, 3));
    assert_eq!(gone.error_code, ErrorCode::OFFSET_OUT_OF_RANGE);
    assert_eq!(raw.append(&by_time, batch(&[b"next"])), 12, "offsets are never used again");
}
