use coordinator::{GroupCoordinator, Now, Settings, SteadyMs, WallMs};
use protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use protocol::records::{OffsetCommitKey, OffsetCommitValue, coordinator_key, coordinator_value};
use protocol::{Str, Uuid};
use record::{BatchBuilder, Compression};

use super::*;

const NOW: Now = Now { steady: SteadyMs(1_000), wall: WallMs(2_000) };

const PRODUCER_EPOCH: i16 = 3;

/// A record that commits an offset of group `g`, in a batch that is not built yet.
fn push(builder: &mut BatchBuilder, partition: i32, offset: i64) {
    let key = OffsetCommitKey { group: Str::from("g"), topic: Str::from("t"), partition };
    let value = OffsetCommitValue { offset, leader_epoch: -1, ..Default::default() };
    let key = coordinator_key::encode(&key).unwrap();
    let value = coordinator_value::encode(&value, 3).unwrap();
    builder.push(1_000, Some(&key), Some(&value), &[]);
}

fn in_transaction(producer_id: i64, partition: i32, offset: i64) -> Vec<u8> {
    let mut builder =
        BatchBuilder::new(Compression::None).producer(producer_id, PRODUCER_EPOCH, 0).transactional();
    push(&mut builder, partition, offset);
    builder.build()
}

/// The end of a transaction: a commit if `kind` is 1, an abort if it is 0.
fn marker(producer_id: i64, kind: u8) -> Vec<u8> {
    let builder = BatchBuilder::new(Compression::None).producer(producer_id, PRODUCER_EPOCH, -1);
    let mut builder = builder.transactional().control();
    builder.push(1_000, Some(&[0, 0, 0, kind]), Some(&[0, 0, 0, 0, 0, 0]), &[]);
    builder.build()
}

/// The committed offsets for partitions 0 to 3 after the batches, and whether an open transaction may change
/// them.
fn loaded(batches: &[Vec<u8>]) -> Vec<(i64, ErrorCode)> {
    let mut loading = LoadingShard::<GroupCoordinator>::new(Settings::default());
    let mut scratch = Scratch::new();
    for batch in batches {
        replay(&mut loading, &Batch::parse(batch).unwrap(), &mut scratch).unwrap();
    }
    let topic = OffsetFetchRequestTopics {
        name: Str::from("t"),
        partition_indexes: (0..4).collect(),
        ..Default::default()
    };
    let request =
        OffsetFetchRequestGroup { group_id: Str::from("g"), topics: Some(vec![topic]), ..Default::default() };
    let answer = loading.loaded(NOW).offset_fetch(&request, true, NOW, |_| Uuid::ZERO).unwrap();
    answer.topics[0].partitions.iter().map(|it| (it.committed_offset, it.error_code)).collect()
}

#[test]
fn a_transaction_counts_by_its_end() {
    let batches = [
        in_transaction(7, 0, 5),
        in_transaction(8, 1, 6),
        in_transaction(9, 2, 7),
        marker(7, 1),
        marker(8, 0),
        // A type that Kafka may add.
        marker(9, 5),
    ];
    let (none, unstable) = (ErrorCode::NONE, ErrorCode::UNSTABLE_OFFSET_COMMIT);
    assert_eq!(loaded(&batches), [(5, none), (-1, none), (-1, unstable), (-1, none)]);
}

/// An idempotent producer without a transaction has nothing to wait for.
#[test]
fn only_transactions_wait_for_their_end() {
    let mut builder = BatchBuilder::new(Compression::None).producer(7, PRODUCER_EPOCH, 0);
    push(&mut builder, 0, 5);
    assert_eq!(loaded(&[builder.build()])[0], (5, ErrorCode::NONE));
}

#[test]
fn batches_may_be_compressed_and_have_many_records() {
    for compression in [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd] {
        let mut builder = BatchBuilder::new(compression);
        (0..4).for_each(|partition| push(&mut builder, partition, i64::from(partition) + 40));
        push(&mut builder, 2, 99);
        let none = ErrorCode::NONE;
        assert_eq!(loaded(&[builder.build()]), [(40, none), (41, none), (99, none), (43, none)]);
    }
}
