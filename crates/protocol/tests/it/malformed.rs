//! Invalid bytes: each fault is reported with its field and its position.

use bytes::{BufMut, Bytes, BytesMut};
use protocol::messages::{
    CreateTopicsRequest, DescribeTopicPartitionsRequest, FetchRequest, JoinGroupRequest, MetadataRequest,
    ProduceRequest, SaslAuthenticateRequest, StreamsGroupHeartbeatRequest,
};
use protocol::records::{self, coordinator_key, coordinator_value, framed};
use protocol::wire::put_uvarint;
use protocol::{DecodeErrorKind as Kind, Message, Reader};

/// Decodes `bytes` as an `M` of `version` to the last byte and expects a fault.
#[track_caller]
fn check<M: Message>(version: i16, bytes: impl AsRef<[u8]>, kind: Kind, field: &str, offset: usize) {
    let mut reader = Reader::new(Bytes::copy_from_slice(bytes.as_ref()));
    let outcome = M::decode(&mut reader, version).and_then(|_| reader.finish());
    let error = outcome.err().map(|error| (error.kind, error.field, error.offset));
    assert_eq!(Some((kind, field, offset)), error);
}

#[test]
fn lengths_of_the_old_form() {
    check::<SaslAuthenticateRequest>(1, [0, 0, 1], Kind::Truncated, "SaslAuthenticateRequest.auth_bytes", 0);
    let field = "SaslAuthenticateRequest.auth_bytes";
    check::<SaslAuthenticateRequest>(1, [0, 0, 0, 5, 1, 2], Kind::Truncated, field, 4);
    check::<SaslAuthenticateRequest>(1, [0x7f, 0xff, 0xff, 0xff, 1], Kind::Truncated, field, 4);
    check::<SaslAuthenticateRequest>(1, [0xff, 0xff, 0xff, 0xff], Kind::Null, field, 4);
    check::<SaslAuthenticateRequest>(1, [0xff, 0xff, 0xff, 0xfe], Kind::NegativeLength, field, 4);
    check::<SaslAuthenticateRequest>(1, [0x80, 0, 0, 0], Kind::NegativeLength, field, 4);
    check::<SaslAuthenticateRequest>(1, [0, 0, 0, 1, 1, 2], Kind::TrailingBytes, "message", 5);
    check::<JoinGroupRequest>(1, [0xff, 0xff], Kind::Null, "JoinGroupRequest.group_id", 2);
    check::<JoinGroupRequest>(1, [0xff, 0xfe], Kind::NegativeLength, "JoinGroupRequest.group_id", 2);
    check::<JoinGroupRequest>(1, [0, 3, b'a'], Kind::Truncated, "JoinGroupRequest.group_id", 2);
    check::<MetadataRequest>(0, [0xff; 4], Kind::Null, "MetadataRequest.topics", 4);
}

#[test]
fn lengths_of_the_compact_form() {
    let field = "SaslAuthenticateRequest.auth_bytes";
    check::<SaslAuthenticateRequest>(2, [0], Kind::Null, field, 1);
    check::<SaslAuthenticateRequest>(2, [], Kind::Truncated, field, 0);
    check::<SaslAuthenticateRequest>(2, [0x80], Kind::Truncated, field, 0);
    check::<SaslAuthenticateRequest>(2, [0xff, 0xff, 0xff, 0xff, 0x0f], Kind::Truncated, field, 5);
    check::<SaslAuthenticateRequest>(2, [0xff, 0xff, 0xff, 0xff, 0x1f], Kind::VarintTooLong, field, 0);
    check::<SaslAuthenticateRequest>(2, [0x80, 0x80, 0x80, 0x80, 0x80, 0], Kind::VarintTooLong, field, 0);
    check::<JoinGroupRequest>(6, [0], Kind::Null, "JoinGroupRequest.group_id", 1);
}

#[test]
fn text_that_is_none() {
    check::<JoinGroupRequest>(1, [0, 2, 0xc3, 0x28], Kind::NotUtf8, "JoinGroupRequest.group_id", 4);
    check::<JoinGroupRequest>(6, [3, 0xed, 0xa0], Kind::NotUtf8, "JoinGroupRequest.group_id", 3);
    let mut long = BytesMut::new();
    put_uvarint(&mut long, 32_769);
    long.put_bytes(b'x', 40_000);
    check::<JoinGroupRequest>(6, &long, Kind::StringTooLong, "JoinGroupRequest.group_id", 3);
}

#[test]
fn counts_that_the_bytes_cannot_hold() {
    check::<MetadataRequest>(1, [0x7f, 0xff, 0xff, 0xff, 0, 0], Kind::Truncated, "MetadataRequest.topics", 4);
    // Six bytes can be three strings of version 1, but not four.
    check::<MetadataRequest>(1, [0, 0, 0, 4, 0, 0, 0, 0, 0, 0], Kind::Truncated, "MetadataRequest.topics", 4);
    check::<MetadataRequest>(
        12,
        [0xff, 0xff, 0xff, 0xff, 0x0f, 0],
        Kind::Truncated,
        "MetadataRequest.topics",
        5,
    );
    check::<MetadataRequest>(1, [0xff, 0xff, 0xff, 0xfe], Kind::NegativeLength, "MetadataRequest.topics", 4);
}

/// A million empty copartition groups are three million bytes, which would be 72 million in memory.
#[test]
fn elements_that_are_much_larger_in_memory() {
    let mut bytes = BytesMut::new();
    bytes.put_slice(&[1, 1]);
    bytes.put_slice(&[0; 8]);
    bytes.put_slice(&[0, 0]);
    bytes.put_slice(&[0, 0, 0, 0]);
    // A topology of one subtopology, whose last field are the groups.
    bytes.put_slice(&[1, 0, 0, 0, 0, 2]);
    bytes.put_slice(&[1; 6]);
    let offset = bytes.len() + 4;
    put_uvarint(&mut bytes, 3_000_001);
    bytes.put_bytes(1, 13_000_000);
    let field = "Subtopology.copartition_groups";
    check::<StreamsGroupHeartbeatRequest>(0, &bytes, Kind::TooMuchMemory, field, offset);
}

/// Arrays that are each within the limit, and not together.
#[test]
fn many_arrays_share_one_limit() {
    // No transactional id, acks, timeout; topics called "a", each with one partition without records; no tags.
    let mut bytes = BytesMut::new();
    bytes.put_slice(&[0, 0, 0, 0, 0, 0, 0]);
    put_uvarint(&mut bytes, 50_001);
    for _ in 0..50_000 {
        bytes.put_slice(&[2, b'a', 2, 0, 0, 0, 0, 0, 0, 0]);
    }
    bytes.put_u8(0);
    let bytes = bytes.freeze();
    let unlimited = ProduceRequest::decode(&mut Reader::with_memory_limit(bytes.clone(), usize::MAX), 9);
    assert_eq!(unlimited.unwrap().topic_data.len(), 50_000);
    let error = ProduceRequest::decode(&mut Reader::new(bytes), 9).unwrap_err();
    assert_eq!((Kind::TooMuchMemory, "TopicProduceData.partition_data"), (error.kind, error.field));
}

#[test]
fn any_byte_is_a_boolean_and_says_whether_a_struct_is_there() {
    for (byte, expected) in [(0, false), (1, true), (2, true), (0x80, true), (0xff, true)] {
        let request = MetadataRequest::decode(&mut Reader::new(vec![0, 0, 0, 0, byte].into()), 4).unwrap();
        assert_eq!(request.allow_auto_topic_creation, expected, "{byte}");
    }
    // No topics, the limit; then a cursor if the byte is not negative.
    let decode = |bytes: &[u8]| {
        let bytes = [&[1, 0, 0, 0, 9], bytes].concat();
        let mut reader = Reader::new(bytes.into());
        let request = DescribeTopicPartitionsRequest::decode(&mut reader, 0).unwrap();
        reader.finish().unwrap();
        request.cursor.map(|cursor| cursor.partition_index)
    };
    for byte in [0, 1, 0x7f] {
        assert_eq!(decode(&[byte, 2, b't', 0, 0, 0, 4, 0, 0]), Some(4), "{byte}");
    }
    for byte in [0xff, 0xfe, 0x80] {
        assert_eq!(decode(&[byte, 0]), None, "{byte}");
    }
}

/// The last bytes of a Fetch request of version 12 or later are its tagged fields: here those of `bytes`.
fn fetch_with_tags(version: i16, tags: &[u8]) -> Vec<u8> {
    // The replica id has become a tagged field in version 15.
    let mut bytes = vec![0; if version < 15 { 25 } else { 21 }];
    bytes.extend([1, 1, 1]);
    bytes.extend(tags);
    bytes
}

#[test]
fn tagged_fields() {
    let decode = |version, tags: &[u8]| {
        FetchRequest::decode(&mut Reader::new(fetch_with_tags(version, tags).into()), version).unwrap()
    };
    // Known: a cluster id. Unknown: left out and forgotten. Known to a later version only: the same.
    assert_eq!(Some("c".into()), decode(12, &[1, 0, 2, 2, b'c']).cluster_id);
    assert_eq!(None, decode(12, &[1, 0, 1, 0]).cluster_id);
    let unknown = decode(12, &[3, 0, 2, 2, b'c', 7, 3, 1, 2, 3, 0x80, 1, 0]);
    assert_eq!(FetchRequest { cluster_id: Some("c".into()), ..decode(12, &[0]) }, unknown);
    let state = [1, 1, 13, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0];
    assert_eq!(
        (1, 2),
        (decode(15, &state).replica_state.replica_id, decode(15, &state).replica_state.replica_epoch)
    );
    assert_eq!(-1, decode(14, &state).replica_state.replica_id);

    let check = |version, tags: &[u8], kind, field, offset: usize| {
        let start = fetch_with_tags(version, &[]).len();
        check::<FetchRequest>(version, fetch_with_tags(version, tags), kind, field, start + offset);
    };
    let name = "FetchRequest";
    check(12, &[], Kind::Truncated, name, 0);
    check(12, &[2, 0, 2, 2, b'c', 0, 2, 2, b'c'], Kind::TagOrder, name, 6);
    check(12, &[2, 9, 0, 0, 2, 2, b'c'], Kind::TagOrder, name, 4);
    check(12, &[1, 0, 3, 2, b'c', 0], Kind::TagSize, name, 5);
    check(12, &[1, 0, 1, 2, b'c'], Kind::Truncated, "FetchRequest.cluster_id", 4);
    check(12, &[1, 9, 2, 0], Kind::Truncated, name, 3);
    check(12, &[1, 9, 0xff, 0xff, 0xff, 0xff, 0x0f], Kind::Truncated, name, 7);
    check(12, &[2, 9, 0], Kind::Truncated, name, 1);
    check(12, &[0x80, 0xe8, 0xc4, 0x09, 0, 0], Kind::Truncated, name, 4);
    check(12, &[0, 0], Kind::TrailingBytes, "message", 1);
    // What is inside a tagged field cannot read beyond it.
    check(15, &[1, 1, 12, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0], Kind::Truncated, "ReplicaState", 15);
}

#[test]
fn more_tagged_fields_than_anyone_sends() {
    let mut tags = BytesMut::new();
    put_uvarint(&mut tags, 300);
    for tag in 100..400 {
        put_uvarint(&mut tags, tag);
        tags.put_u8(0);
    }
    check::<FetchRequest>(12, fetch_with_tags(12, &tags), Kind::TooManyTags, "FetchRequest", 30);
}

#[test]
fn null_where_only_some_versions_have_it() {
    // The records of a partition may be null, its topic's name may not.
    let head = [0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    let partition = [0, 1, b't', 0, 0, 0, 1, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff];
    let bytes: Vec<u8> = head.into_iter().chain(partition).collect();
    let produce = ProduceRequest::decode(&mut Reader::new(bytes.into()), 3).unwrap();
    assert!(produce.topic_data[0].partition_data[0].records.is_null());
    let bytes: Vec<u8> = head.into_iter().chain([0xff, 0xff]).chain([0; 10]).collect();
    check::<ProduceRequest>(3, bytes, Kind::Null, "TopicProduceData.name", 14);
    check::<CreateTopicsRequest>(5, [0], Kind::Null, "CreateTopicsRequest.topics", 1);
}

#[test]
fn the_frames_of_records() {
    let error = |error: protocol::DecodeError| (error.kind, error.field, error.offset);
    let split = |bytes: &'static [u8]| framed::split(Bytes::from_static(bytes)).map(drop).map_err(error);
    assert_eq!(Err((Kind::Truncated, "frame version", 0)), split(&[]));
    assert_eq!(Err((Kind::UnsupportedVersion, "frame version", 1)), split(&[2, 2, 0]));
    assert_eq!(Err((Kind::Truncated, "record version", 2)), split(&[1, 2]));
    assert_eq!(Err((Kind::UnknownType, "record type", 4)), split(&[1, 0x80, 0x80, 4, 0]));
    assert_eq!(
        Err((Kind::Truncated, "record type", 0)),
        coordinator_key::split(Bytes::from_static(&[0])).map(drop).map_err(error)
    );
    let more = framed::split(Bytes::from_static(&[1, 20, 0, 0, 7])).unwrap().2;
    let more = framed::decode_rest::<records::NoOpRecord>(more, 0).map(drop).map_err(error);
    assert_eq!(Err((Kind::TrailingBytes, "message", 4)), more);
    let value = coordinator_value::decode::<records::OffsetCommitValue>(Bytes::from_static(&[0, 5, 0]));
    assert_eq!(Err((Kind::UnsupportedVersion, "OffsetCommitValue", 2)), value.map(drop).map_err(error));
}

#[test]
fn the_frames_of_records_have_the_bytes_of_kafka() {
    let topic = records::TopicRecord { name: "t".into(), topic_id: protocol::Uuid::ONE };
    let bytes = framed::encode(&topic, 0).unwrap();
    assert_eq!(&[1, 2, 0, 2, b't', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0][..], bytes);
    let (key, version, reader) = framed::split(bytes).unwrap();
    assert_eq!((2, 0), (key, version));
    assert_eq!(topic, framed::decode_rest(reader, version).unwrap());

    let key = records::OffsetCommitKey { group: "g".into(), topic: "t".into(), partition: 3 };
    let bytes = coordinator_key::encode(&key).unwrap();
    assert_eq!(&[0, 1, 0, 1, b'g', 0, 1, b't', 0, 0, 0, 3][..], bytes);
    let (record_type, reader) = coordinator_key::split(bytes).unwrap();
    assert_eq!(1, record_type);
    assert_eq!(key, coordinator_key::decode_rest(reader).unwrap());

    let value = records::ConsumerGroupMetadataValue { epoch: 7, ..Default::default() };
    let bytes = coordinator_value::encode(&value, 0).unwrap();
    assert_eq!(&[0, 0, 0, 0, 0, 7, 0][..], bytes);
    assert_eq!(value, coordinator_value::decode(bytes).unwrap());
}
