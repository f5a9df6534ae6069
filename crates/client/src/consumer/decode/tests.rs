use bytes::Bytes;
use protocol::Records;
use protocol::messages::fetch_response::{AbortedTransaction, PartitionData};
use record::{BatchBuilder, Compression, Header};

use super::Decoder;
use crate::consumer::{ConsumeError, ConsumedRecord};
use crate::topic_partition::TopicPartition;

/// A batch with the records `values`, in a transaction if a producer is given.
fn batch(base_offset: i64, producer_id: Option<i64>, compression: Compression, values: &[&str]) -> Vec<u8> {
    let mut builder = BatchBuilder::new(compression).base_offset(base_offset).partition_leader_epoch(3);
    if let Some(producer_id) = producer_id {
        builder = builder.producer(producer_id, 0, 0).transactional();
    }
    for value in values {
        builder.push(1000, None, Some(value.as_bytes()), &[]);
    }
    builder.build()
}

/// The end of a producer's transaction.
fn marker(offset: i64, producer_id: i64) -> Vec<u8> {
    let builder = BatchBuilder::new(Compression::None).base_offset(offset).producer(producer_id, 0, -1);
    let mut builder = builder.transactional().control();
    builder.push(1000, Some(&[0, 0, 0, 0]), Some(&[0, 0, 0, 0, 0, 0]), &[]);
    builder.build()
}

fn response(batches: &[Vec<u8>], aborted: &[(i64, i64)]) -> PartitionData {
    let aborted =
        aborted.iter().map(|&(producer_id, first_offset)| AbortedTransaction { producer_id, first_offset });
    PartitionData {
        records: Records::Bytes(Bytes::from(batches.concat())),
        aborted_transactions: Some(aborted.collect()),
        ..Default::default()
    }
}

fn decode(
    read_committed: bool,
    offset: i64,
    response: &PartitionData,
) -> Result<(i64, Vec<ConsumedRecord>), ConsumeError> {
    let mut records = Vec::new();
    let at = TopicPartition::new("t", 0);
    let next = Decoder::new(read_committed, 10_000).decode(&at, offset, response, &mut records)?;
    Ok((next, records))
}

/// Checks the records, as `offset=value`, and the offset of the next fetch.
#[track_caller]
fn check(read_committed: bool, offset: i64, response: &PartitionData, expect: &[&str], expect_next: i64) {
    let (next, records) = decode(read_committed, offset, response).expect("the batches are well formed");
    let value = |record: &ConsumedRecord| {
        format!("{}={}", record.offset, String::from_utf8_lossy(record.value.as_deref().unwrap_or_default()))
    };
    assert_eq!(records.iter().map(value).collect::<Vec<_>>(), expect);
    assert_eq!(next, expect_next);
}

#[test]
fn records_of_all_codecs_come_from_the_offset_on() {
    for codec in
        [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd]
    {
        let batches = [batch(10, None, codec, &["a", "b", "c"]), batch(13, None, codec, &["d"])];
        check(false, 11, &response(&batches, &[]), &["11=b", "12=c", "13=d"], 14);
        // All of the first batch was read before.
        check(false, 13, &response(&batches, &[]), &["13=d"], 14);
    }
}

#[test]
fn a_record_comes_whole() {
    let mut builder = BatchBuilder::new(Compression::None).base_offset(5).partition_leader_epoch(3);
    let headers = [Header { key: b"h", value: Some(b"1") }, Header { key: b"n", value: None }];
    builder.push(1234, Some(b"k"), None, &headers);
    let (_, records) = decode(false, 0, &response(&[builder.build()], &[])).expect("it is well formed");
    let expect = ConsumedRecord {
        topic: "t".into(),
        partition: 0,
        offset: 5,
        timestamp_ms: 1234,
        is_log_append_time: false,
        leader_epoch: 3,
        key: Some(Bytes::from_static(b"k")),
        value: None,
        headers: vec![
            (Bytes::from_static(b"h"), Some(Bytes::from_static(b"1"))),
            (Bytes::from_static(b"n"), None),
        ],
    };
    assert_eq!(records, [expect]);
}

#[test]
fn a_batch_that_is_cut_short_is_left_for_the_next_fetch() {
    let mut batches = [batch(0, None, Compression::None, &["a"]), batch(1, None, Compression::None, &["b"])];
    batches[1].truncate(30);
    check(false, 0, &response(&batches, &[]), &["0=a"], 1);
}

#[test]
fn nothing_leaves_the_position_where_it_is() {
    check(false, 7, &response(&[], &[]), &[], 7);
    check(false, 7, &PartitionData::default(), &[], 7);
}

#[test]
fn what_is_corrupt_gives_no_record() {
    let mut batches = [batch(0, None, Compression::None, &["a"]), batch(1, None, Compression::None, &["b"])];
    *batches[1].last_mut().expect("a batch has bytes") ^= 1;
    let error = decode(false, 0, &response(&batches, &[])).expect_err("the checksum is wrong");
    assert!(matches!(&error, ConsumeError::Corrupt { what, .. } if what.contains("checksum")), "{error}");
    batches[0].truncate(30);
    let error = decode(false, 0, &response(&batches[..1], &[])).expect_err("a broker sends one batch whole");
    assert!(matches!(error, ConsumeError::Corrupt { .. }), "{error}");
    let bomb = batch(0, None, Compression::Zstd, &["x".repeat(20_000).as_str()]);
    let error = decode(false, 0, &response(&[bomb], &[])).expect_err("it is beyond the limit");
    assert!(matches!(error, ConsumeError::Corrupt { .. }), "{error}");
}

#[test]
fn transactions() {
    // Producer 1 aborts, then commits; producer 2 commits between; 3 writes outside of transactions.
    let batches = [
        batch(0, Some(1), Compression::None, &["aborted"]),
        batch(1, Some(2), Compression::None, &["of 2"]),
        batch(2, None, Compression::None, &["of none"]),
        batch(3, Some(1), Compression::None, &["aborted too"]),
        marker(4, 1),
        batch(5, Some(1), Compression::None, &["of 1"]),
        marker(6, 2),
        marker(7, 1),
    ];
    let response = response(&batches, &[(1, 0)]);
    check(true, 0, &response, &["1=of 2", "2=of none", "5=of 1"], 8);
    check(false, 0, &response, &["0=aborted", "1=of 2", "2=of none", "3=aborted too", "5=of 1"], 8);
    // The abort began before what was fetched.
    check(true, 3, &self::response(&batches[3..], &[(1, 0)]), &["5=of 1"], 8);
}
