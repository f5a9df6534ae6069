//! Invalid batches of every kind: each gets Kafka's error, nothing of it is stored, and the connection stays.

use protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use protocol::messages::list_offsets_response::ListOffsetsPartitionResponse;
use protocol::messages::produce_request::PartitionProduceData;
use protocol::messages::{IncrementalAlterConfigsRequest, ListOffsetsRequest, ProduceRequest};
use protocol::{ErrorCode, Records};
use record::{BatchBuilder, Compression};

use super::harness::Node;
use super::harness::raw::{Raw, batch, batch_with, now_ms, produce_request};
use super::harness::unique;

/// A batch of three records, changed by `change`, with a checksum that matches the result.
fn changed(change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = batch(&[b"one", b"two", b"three"]);
    change(&mut bytes);
    fix_crc(&mut bytes);
    bytes
}

/// Writes `value` at `at`. The positions of the fields in the header are those of Kafka's
/// `DefaultRecordBatch`.
fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    bytes[at..at + value.len()].copy_from_slice(value);
}

fn compressed(codec: Compression, change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = batch_with(BatchBuilder::new(codec), &[&[b'a'; 3_000], b"two"]);
    change(&mut bytes);
    fix_crc(&mut bytes);
    bytes
}

/// Truncates `bytes` to `length` and writes that into the header.
fn shorten(bytes: &mut Vec<u8>, by: usize) {
    bytes.truncate(bytes.len() - by);
    let length = i32::try_from(bytes.len() - 12).expect("small");
    put(bytes, 8, &length.to_be_bytes());
}

type Case = (&'static str, Vec<u8>, Verdict);

/// The expected answer. The broker is stricter than Kafka about batches that Kafka stores and nobody can
/// read, and has a precise error where Kafka answers with an unknown one.
struct Verdict {
    here: ErrorCode,
    kafka: ErrorCode,
}

fn same(code: ErrorCode) -> Verdict {
    Verdict { here: code, kafka: code }
}

fn stricter(here: ErrorCode, kafka: ErrorCode) -> Verdict {
    Verdict { here, kafka }
}

fn framing() -> Vec<Case> {
    let whole = batch(&[b"one"]);
    let mut wrong_crc = whole.clone();
    *wrong_crc.last_mut().expect("not empty") ^= 1;
    let mut torn = whole.clone();
    torn.truncate(whole.len() - 3);
    vec![
        ("no batch", Vec::new(), same(ErrorCode::INVALID_RECORD)),
        ("two batches", [whole.clone(), whole.clone()].concat(), same(ErrorCode::INVALID_RECORD)),
        ("bytes behind the batch", [whole.clone(), vec![0; 5]].concat(), same(ErrorCode::NONE)),
        ("a torn batch", torn, same(ErrorCode::INVALID_RECORD)),
        ("less than a header", whole[..40].to_vec(), same(ErrorCode::INVALID_RECORD)),
        ("a wrong checksum", wrong_crc, same(ErrorCode::CORRUPT_MESSAGE)),
        ("magic 1", changed(|b| b[16] = 1), same(ErrorCode::INVALID_RECORD)),
        ("magic 3", changed(|b| b[16] = 3), same(ErrorCode::CORRUPT_MESSAGE)),
        ("length too small", changed(|b| put(b, 8, &10_i32.to_be_bytes())), same(ErrorCode::CORRUPT_MESSAGE)),
        (
            "a negative length",
            changed(|b| put(b, 8, &(-1_i32).to_be_bytes())),
            same(ErrorCode::CORRUPT_MESSAGE),
        ),
    ]
}

fn stamped(first: i64, max: i64) -> Vec<u8> {
    changed(|b| {
        put(b, 27, &first.to_be_bytes());
        put(b, 35, &max.to_be_bytes());
    })
}

fn headers() -> Vec<Case> {
    vec![
        ("a control batch", changed(|b| b[22] |= 0x20), same(ErrorCode::INVALID_RECORD)),
        (
            "transactional without a producer",
            changed(|b| b[22] |= 0x10),
            same(ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED),
        ),
        (
            "an unknown codec",
            changed(|b| b[22] |= 5),
            stricter(ErrorCode::UNSUPPORTED_COMPRESSION_TYPE, ErrorCode::UNKNOWN_SERVER_ERROR),
        ),
        ("unknown attributes", changed(|b| b[21] |= 0x40), same(ErrorCode::NONE)),
        ("a base offset", changed(|b| put(b, 0, &9_i64.to_be_bytes())), same(ErrorCode::INVALID_RECORD)),
        ("a forged leader epoch", changed(|b| put(b, 12, &77_i32.to_be_bytes())), same(ErrorCode::NONE)),
        (
            "fewer records than said",
            changed(|b| put(b, 57, &4_i32.to_be_bytes())),
            same(ErrorCode::INVALID_RECORD),
        ),
        (
            "more records than said",
            changed(|b| put(b, 57, &2_i32.to_be_bytes())),
            same(ErrorCode::INVALID_RECORD),
        ),
        ("no records", changed(|b| put(b, 57, &0_i32.to_be_bytes())), same(ErrorCode::INVALID_RECORD)),
        (
            "a negative count",
            changed(|b| put(b, 57, &(-3_i32).to_be_bytes())),
            same(ErrorCode::INVALID_RECORD),
        ),
        ("a huge count", changed(|b| put(b, 57, &i32::MAX.to_be_bytes())), same(ErrorCode::INVALID_RECORD)),
        (
            "a wrong last offset",
            changed(|b| put(b, 23, &5_i32.to_be_bytes())),
            same(ErrorCode::INVALID_RECORD),
        ),
        (
            "a negative last offset",
            changed(|b| put(b, 23, &(-1_i32).to_be_bytes())),
            same(ErrorCode::INVALID_RECORD),
        ),
        (
            "the far future",
            stamped(now_ms() + 7_200_000, now_ms() + 7_200_000),
            same(ErrorCode::INVALID_TIMESTAMP),
        ),
        (
            "a producer without a sequence",
            changed(|b| put(b, 43, &[0, 0, 0, 0, 0, 0, 0, 9])),
            same(ErrorCode::INVALID_RECORD),
        ),
        (
            "log append time from a client",
            changed(|b| b[22] |= 8),
            stricter(ErrorCode::INVALID_TIMESTAMP, ErrorCode::NONE),
        ),
    ]
}

fn records() -> Vec<Case> {
    // The first record: length at 61, attributes 62, timestamp delta 63, offset delta 64, key length 65, value length 66.
    vec![
        ("a record length too long", changed(|b| b[61] = 0x7e), same(ErrorCode::INVALID_RECORD)),
        ("a record length too short", changed(|b| b[61] -= 2), same(ErrorCode::INVALID_RECORD)),
        ("a negative record length", changed(|b| b[61] = 1), same(ErrorCode::INVALID_RECORD)),
        (
            "a wrong offset delta",
            changed(|b| b[64] = 4),
            stricter(ErrorCode::INVALID_RECORD, ErrorCode::NONE),
        ),
        ("a key longer than the record", changed(|b| b[65] = 0x7e), same(ErrorCode::INVALID_RECORD)),
        ("a key length of -2", changed(|b| b[65] = 3), same(ErrorCode::NONE)),
        ("a value longer than the record", changed(|b| b[66] = 0x7e), same(ErrorCode::INVALID_RECORD)),
        ("headers that are not there", changed(|b| b[70] = 0x7e), same(ErrorCode::INVALID_RECORD)),
        ("a negative header count", changed(|b| b[70] = 1), same(ErrorCode::INVALID_RECORD)),
        ("record attributes", changed(|b| b[62] = 0x7f), same(ErrorCode::NONE)),
    ]
}

fn compression() -> Vec<Case> {
    let noise = |codec| compressed(codec, |b| b[61..].iter_mut().for_each(|byte| *byte = 0xa7));
    let cut = |codec| compressed(codec, |b| shorten(b, 6));
    let count = |codec| compressed(codec, |b| put(b, 57, &5_i32.to_be_bytes()));
    let mut cases = vec![
        (
            "gzip: noise",
            noise(Compression::Gzip),
            stricter(ErrorCode::INVALID_RECORD, ErrorCode::UNKNOWN_SERVER_ERROR),
        ),
        (
            "snappy: noise",
            noise(Compression::Snappy),
            stricter(ErrorCode::INVALID_RECORD, ErrorCode::UNKNOWN_SERVER_ERROR),
        ),
        (
            "lz4: noise",
            noise(Compression::Lz4),
            stricter(ErrorCode::INVALID_RECORD, ErrorCode::UNKNOWN_SERVER_ERROR),
        ),
        (
            "zstd: noise",
            noise(Compression::Zstd),
            stricter(ErrorCode::INVALID_RECORD, ErrorCode::UNKNOWN_SERVER_ERROR),
        ),
        (
            "gzip: cut",
            cut(Compression::Gzip),
            stricter(ErrorCode::INVALID_RECORD, ErrorCode::UNKNOWN_SERVER_ERROR),
        ),
        (
            "snappy: cut",
            cut(Compression::Snappy),
            stricter(ErrorCode::INVALID_RECORD, ErrorCode::UNKNOWN_SERVER_ERROR),
        ),
        (
            "lz4: cut",
            cut(Compression::Lz4),
            stricter(ErrorCode::INVALID_RECORD, ErrorCode::UNKNOWN_SERVER_ERROR),
        ),
        (
            "zstd: cut",
            cut(Compression::Zstd),
            stricter(ErrorCode::INVALID_RECORD, ErrorCode::UNKNOWN_SERVER_ERROR),
        ),
    ];
    for codec in [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd] {
        cases.push(("compressed: fewer records than said", count(codec), same(ErrorCode::INVALID_RECORD)));
    }
    cases
}

/// Sends each case and compares the answer. All differences are reported together.
fn check(cases: Vec<Case>) {
    let broker = Node::start();
    let mut raw = broker.open();
    let topic = broker.create_topic("bad", 1, &[]);
    let mut stored = 0;
    let mut wrong = Vec::new();
    for (name, bytes, expected) in cases {
        let expected = if broker.is_kafka() { expected.kafka } else { expected.here };
        let answer = raw.produce(&topic, bytes);
        if answer.error_code != expected {
            wrong.push(format!(
                "{name}: {} instead of {} ({:?})",
                answer.error_code.name(),
                expected.name(),
                answer.error_message
            ));
        }
        let end = broker.watermarks(&topic, 0).1;
        if answer.error_code.is_error() {
            assert_eq!(end, stored, "{name} was refused and stored");
        }
        stored = end;
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(raw.append(&topic, batch(&[b"good"])), stored, "the connection and the partition are good");
}

#[test]
fn batches_that_are_not_framed_right() {
    check(framing());
}

#[test]
fn batch_headers_that_lie() {
    check(headers());
}

#[test]
fn records_that_lie() {
    check(records());
}

#[test]
fn compressed_bytes_that_lie() {
    check(compression());
}

/// The limit of Kafka 4.4 for a record of a compressed batch: the topic's own, or else the brokers'. It takes
/// effect at once, for producing and for reading to find an offset.
#[test]
fn records_that_decompress_to_more_than_a_topic_takes() {
    let Some(broker) = Node::own(&[]) else { return };
    let mut raw = broker.open();
    const NAME: &str = "max.decompressed.message.bytes";
    let own = broker.create_topic("own-limit", 1, &[(NAME, "512")]);
    let other = broker.create_topic("no-limit", 1, &[]);
    let large = |codec| batch_with(BatchBuilder::new(codec), &[&[0; 4096]]);
    for codec in [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd] {
        assert_eq!(raw.produce(&own, large(codec)).error_code, ErrorCode::INVALID_RECORD, "{codec:?}");
        assert_eq!(raw.produce(&other, large(codec)).error_code, ErrorCode::NONE, "{codec:?}");
        let small = batch_with(BatchBuilder::new(codec), &[&[0; 64][..]; 100]);
        assert_eq!(raw.produce(&own, small).error_code, ErrorCode::NONE, "{codec:?}");
    }
    assert_eq!(raw.produce(&own, large(Compression::None)).error_code, ErrorCode::NONE);
    assert_eq!(first_at(&mut raw, &other, 0).error_code, ErrorCode::NONE);
    set_for_all_brokers(&mut raw, NAME, "512");
    assert_eq!(raw.produce(&other, large(Compression::Gzip)).error_code, ErrorCode::INVALID_RECORD);
    assert_eq!(first_at(&mut raw, &other, 0).error_code, ErrorCode::INVALID_RECORD);
}

/// The answer for the first record of a topic's partition 0 at or after a time.
fn first_at(raw: &mut Raw, topic: &str, timestamp: i64) -> ListOffsetsPartitionResponse {
    let partition = ListOffsetsPartition { timestamp, current_leader_epoch: -1, ..Default::default() };
    let topic = ListOffsetsTopic { name: topic.into(), partitions: vec![partition] };
    let request = ListOffsetsRequest { replica_id: -1, topics: vec![topic], ..Default::default() };
    raw.ask(&request, 7).topics.remove(0).partitions.remove(0)
}

fn set_for_all_brokers(raw: &mut Raw, name: &'static str, value: &str) {
    let config = AlterableConfig { name: name.into(), config_operation: 0, value: Some(value.into()) };
    const BROKER: i8 = 4;
    let resource =
        AlterConfigsResource { resource_type: BROKER, configs: vec![config], ..Default::default() };
    let request = IncrementalAlterConfigsRequest { resources: vec![resource], ..Default::default() };
    assert_eq!(raw.ask(&request, 1).responses[0].error_code, ErrorCode::NONE);
}

#[test]
fn too_large_for_the_topic() {
    let broker = Node::start();
    let mut raw = broker.open();
    let topic = broker.create_topic("small", 1, &[("max.message.bytes", "1000")]);
    let answer = raw.produce(&topic, batch(&[&[b'x'; 2_000]]));
    assert_eq!(answer.error_code, ErrorCode::MESSAGE_TOO_LARGE);
    assert_eq!(raw.append(&topic, batch(&[&[b'x'; 500]])), 0);
}

/// Compaction is by key.
#[test]
fn a_compacted_topic_wants_keys() {
    let broker = Node::start();
    let mut raw = broker.open();
    let topic = broker.create_topic("compacted", 1, &[("cleanup.policy", "compact")]);
    let answer = raw.produce(&topic, batch(&[b"no key"]));
    assert_eq!(answer.error_code, ErrorCode::INVALID_RECORD);
    assert_eq!(answer.record_errors.len(), 1);
    let mut builder = BatchBuilder::new(Compression::None);
    builder.push(now_ms(), Some(b"key"), Some(b"value"), &[]);
    assert_eq!(raw.append(&topic, builder.build()), 0);
}

#[test]
fn timestamps_outside_the_topics_bounds() {
    let broker = Node::start();
    let mut raw = broker.open();
    let settings =
        [("message.timestamp.before.max.ms", "60000"), ("message.timestamp.after.max.ms", "60000")];
    let topic = broker.create_topic("bounds", 1, &settings);
    for (timestamp, expected) in [
        (now_ms() - 120_000, ErrorCode::INVALID_TIMESTAMP),
        (now_ms() + 120_000, ErrorCode::INVALID_TIMESTAMP),
        (now_ms() - 30_000, ErrorCode::NONE),
        (now_ms() + 30_000, ErrorCode::NONE),
    ] {
        let mut builder = BatchBuilder::new(Compression::None);
        builder.push(timestamp, None, Some(b"value"), &[]);
        assert_eq!(raw.produce(&topic, builder.build()).error_code, expected, "{}", timestamp - now_ms());
    }
}

#[test]
fn a_transactional_batch_without_an_id_fails_its_whole_request() {
    let broker = Node::start();
    let mut raw = broker.open();
    let topic = broker.create_topic("transactional", 2, &[]);
    let mut builder = BatchBuilder::new(Compression::None).producer(7, 0, 0).transactional();
    builder.push(now_ms(), None, Some(b"value"), &[]);
    let mut request = produce_request(&topic, batch(&[b"x"]), 1);
    let transactional = PartitionProduceData { index: 1, records: Records::Bytes(builder.build().into()) };
    request.topic_data[0].partition_data.push(transactional);
    let answer = raw.ask(&request, 9);
    let codes = answer.responses[0].partition_responses.iter().map(|partition| partition.error_code);
    assert_eq!(codes.collect::<Vec<_>>(), [ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED; 2]);
    assert_eq!(broker.watermarks(&topic, 0), (0, 0));
}

#[test]
fn acks_and_topics_that_are_not() {
    let broker = Node::start();
    let mut raw = broker.open();
    let topic = broker.create_topic("acks", 1, &[]);
    for acks in [2, -2, 5] {
        let mut request = produce_request(&topic, batch(&[b"x"]), acks);
        let absent = PartitionProduceData { index: 9, ..request.topic_data[0].partition_data[0].clone() };
        request.topic_data[0].partition_data.push(absent);
        let answer = raw.ask(&request, 9);
        let codes = answer.responses[0].partition_responses.iter().map(|partition| partition.error_code);
        let expected = [ErrorCode::INVALID_REQUIRED_ACKS, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION];
        assert_eq!(codes.collect::<Vec<_>>(), expected, "acks={acks}");
    }
    let absent = raw.produce(&unique("absent"), batch(&[b"x"]));
    assert_eq!(absent.error_code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    let mut request = produce_request(&topic, batch(&[b"x"]), -1);
    request.topic_data[0].partition_data[0].index = 9;
    let answer = raw.ask(&request, 9);
    let code = answer.responses[0].partition_responses[0].error_code;
    assert_eq!(code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    assert_eq!(broker.watermarks(&topic, 0), (0, 0));
}

/// Version 7 of Produce adds Zstandard.
#[test]
fn zstd_in_an_old_version_is_refused() {
    let broker = Node::start();
    let mut raw = broker.open();
    let topic = broker.create_topic("zstd", 1, &[]);
    let sent = batch_with(BatchBuilder::new(Compression::Zstd), &[b"x"]);
    for (version, expected) in [(6, ErrorCode::UNSUPPORTED_COMPRESSION_TYPE), (7, ErrorCode::NONE)] {
        let answer = raw.ask(&produce_request(&topic, sent.clone(), -1), version);
        assert_eq!(answer.responses[0].partition_responses[0].error_code, expected, "version {version}");
    }
}

/// Every version of Produce appends the same records; from 13 on topics are named by id.
#[test]
fn every_version_appends_the_same() {
    let broker = Node::start();
    let mut raw = broker.open();
    let topic = broker.create_topic("versions", 1, &[]);
    let id = raw.topic_id(&topic);
    for version in 3..=13 {
        let mut request = produce_request(&topic, batch(&[b"x"]), -1);
        if version >= 13 {
            request.topic_data[0].name = protocol::Str::new();
            request.topic_data[0].topic_id = id;
        }
        let answer = raw.ask::<ProduceRequest>(&request, version);
        let partition = &answer.responses[0].partition_responses[0];
        assert_eq!(partition.error_code, ErrorCode::NONE, "version {version}");
        assert_eq!(partition.base_offset, i64::from(version) - 3, "version {version}");
    }
    let mut request = produce_request(&topic, batch(&[b"x"]), -1);
    request.topic_data[0].name = protocol::Str::new();
    request.topic_data[0].topic_id = protocol::Uuid([9; 16]);
    let answer = raw.ask::<ProduceRequest>(&request, 13);
    assert_eq!(answer.responses[0].partition_responses[0].error_code, ErrorCode::UNKNOWN_TOPIC_ID);
}

/// Computes CRC-32C bit by bit: slowly, and independently of the product's code.
fn crc32c(bytes: &[u8]) -> u32 {
    let mut crc = !0_u32;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0x82f6_3b78 & (crc & 1).wrapping_neg());
        }
    }
    !crc
}

/// The positions of a batch's checksum and of the bytes that it covers.
const CRC_AT: usize = 17;
const CRC_COVERS_FROM: usize = 21;

/// Writes the checksum of the present bytes into the batch.
fn fix_crc(batch: &mut [u8]) {
    let crc = crc32c(&batch[CRC_COVERS_FROM..]);
    batch[CRC_AT..CRC_COVERS_FROM].copy_from_slice(&crc.to_be_bytes());
}
