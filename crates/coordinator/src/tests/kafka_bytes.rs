//! Records byte for byte as Kafka 4.3.1 writes them: its `GroupCoordinatorRecordHelpers` and
//! `GroupCoordinatorRecordSerde` were given the same groups and offsets.

use bytes::Bytes;
use protocol::records::{OffsetCommitKey, OffsetCommitValue};
use protocol::{Str, Uuid};

use super::script::{START_MS, records_of};
use crate::CoordinatorRecord;

fn hex(text: &str) -> Bytes {
    let digits = |place| u8::from_str_radix(&text[place..place + 2], 16).expect("hexadecimal");
    (0..text.len()).step_by(2).map(digits).collect()
}

#[track_caller]
fn check(record: &CoordinatorRecord, key: &str, value: Option<&str>) {
    assert_eq!(record.key, hex(key));
    assert_eq!(record.value, value.map(hex));
}

#[test]
fn groups_are_stored_as_kafka_does() {
    let records = records_of(
        "a join v=3 session=10000 rebalance=60000 protocols=range:m,other:zz
         b join instance=i session=20000 rebalance=30000 protocols=range:n,other:zz
         wait 6000
         a sync a1=A
         a leave
         b leave instance=i
         x delete g",
    );
    assert_eq!(records.len(), 3);
    check(
        &records[0],
        "0002000167",
        Some(concat!(
            "00030008636f6e73756d657200000001000572616e67650026",
            "612d30303030303030302d303030302d303030302d303030302d3030303030303030303030310000018bcfe57f70",
            "000000020026",
            "612d30303030303030302d303030302d303030302d303030302d303030303030303030303031",
            "ffff000161000a2f3132372e302e302e310000ea6000002710000000016d0000000141",
            "0026",
            "692d30303030303030302d303030302d303030302d303030302d303030303030303030303031",
            "000169000162000a2f3132372e302e302e310000753000004e20000000016e00000000",
        )),
    );
    check(
        &records[1],
        "0002000167",
        Some("00030008636f6e73756d657200000002ffffffff0000018bcfe57f7000000000"),
    );
    check(&records[2], "0002000167", None);
}

#[test]
fn offsets_are_stored_as_kafka_does() {
    let record = |group: &str, topic: &str, partition, value: &OffsetCommitValue| {
        let key = OffsetCommitKey { group: Str::from(group), topic: Str::from(topic), partition };
        CoordinatorRecord::offset_commit(&key, value).expect("it fits")
    };
    let value = OffsetCommitValue {
        offset: 1_234_567_890_123,
        leader_epoch: 5,
        metadata: Str::from("note é😀"),
        commit_timestamp: START_MS,
        expire_timestamp: -1,
        topic_id: Uuid::ONE,
    };
    check(
        &record("g", "t", 7, &value),
        "000100016700017400000007",
        Some(
            "00040000011f71fb04cb000000050c6e6f746520c3a9f09f98800000018bcfe5680001001000000000000000000000000000000001",
        ),
    );
    let bare = OffsetCommitValue {
        offset: 0,
        leader_epoch: -1,
        metadata: Str::default(),
        topic_id: Uuid::ZERO,
        commit_timestamp: START_MS,
        expire_timestamp: -1,
    };
    check(
        &record("g", "t", 0, &bare),
        "000100016700017400000000",
        Some("00040000000000000000ffffffff010000018bcfe5680000"),
    );
    let expires = OffsetCommitValue {
        offset: 42,
        metadata: Str::from("m"),
        expire_timestamp: START_MS + 900_000,
        ..value
    };
    check(
        &record("", "topic.with-dots_", i32::MAX, &expires),
        "000100000010746f7069632e776974682d646f74735f7fffffff",
        Some("0001000000000000002a00016d0000018bcfe568000000018bcff323a0"),
    );
    check(
        &CoordinatorRecord::offset_tombstone(&Str::from("g"), &Str::from("t"), 7),
        "000100016700017400000007",
        None,
    );
}

#[test]
fn commits_are_stored_with_the_topic_id_and_the_time() {
    let records = records_of("wait 1000\nx commit t-7=42:m\nx commit t-7=42:m v=4 retention=900000");
    check(
        &records[0],
        "000100016700017400000007",
        Some(concat!(
            "0004000000000000002affffffff026d",
            "0000018bcfe56be801001000000000000000000000000000000001"
        )),
    );
    check(
        &records[1],
        "000100016700017400000007",
        Some("0001000000000000002a00016d0000018bcfe56be80000018bcff32788"),
    );
}
