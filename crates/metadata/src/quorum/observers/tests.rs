#![allow(clippy::disallowed_methods, reason = "tests look at the files behind the seam")]

use std::time::Duration;

use super::*;
use crate::quorum::tests::{Node, TempDir};

fn read(quorum: &Quorum, from: i64, last_epoch: i32, max_bytes: usize) -> LogPart {
    let high_watermark = quorum.status().high_watermark;
    quorum.read_for_observer(from, last_epoch, high_watermark, max_bytes).expect("it is read")
}

/// Reads everything as an observer that begins with nothing and knows no snapshot; returns the ends of what it got.
async fn follow_log(quorum: &Quorum, mut from: i64, mut last_epoch: i32) -> (i64, i32) {
    loop {
        match read(quorum, from, last_epoch, 300) {
            LogPart::Records(Some(slice)) => {
                let bytes = slice.read().expect("the file is there");
                for batch in record::stored_batches(&bytes).map_while(Result::ok) {
                    assert_eq!(batch.header().base_offset, from, "without a gap");
                    from = batch.header().last_offset() + 1;
                    last_epoch = batch.header().partition_leader_epoch;
                }
            }
            LogPart::Records(None) => return (from, last_epoch),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn an_observer_reads_all_that_is_committed() {
    let dir = TempDir::new();
    let node = Node::start(dir.path()).await;
    node.register().await;
    node.create_topic("some", 20).await;
    let (end, epoch) = follow_log(&node.quorum, 0, 0).await;
    assert_eq!(end, node.quorum.image().offset() + 1);
    node.quorum.wait_for_committed(end, Duration::from_millis(1)).await;

    let waits = node.quorum.wait_for_committed(end, Duration::from_secs(60));
    let ((), _) = tokio::join!(waits, node.create_topic("more", 1));
    let (later, _) = follow_log(&node.quorum, end, epoch).await;
    assert_eq!(later, node.quorum.image().offset() + 1);
    node.stop().await;
}

#[tokio::test]
async fn an_observer_that_knows_an_end_that_never_was_truncates() {
    let dir = TempDir::new();
    let node = Node::start(dir.path()).await;
    node.stop().await;
    let node = Node::start(dir.path()).await;
    let end = node.quorum.image().offset() + 1;
    let read = |from, epoch| read(&node.quorum, from, epoch, 1 << 20);
    match read(end - 1, 1) {
        // The first epoch ended where the second one began.
        LogPart::Records(Some(_)) => {}
        other => panic!("{other:?}"),
    }
    let LogPart::Diverging(diverging) = read(end, 1) else { panic!("the first epoch ended before") };
    assert_eq!(diverging, EpochEndOffset { epoch: 1, end_offset: end - 1 });
    assert!(matches!(read(end + 10, 2), LogPart::Diverging(_)), "more than there is");
    node.stop().await;
}

#[tokio::test]
async fn an_observer_with_nothing_gets_the_snapshot_in_parts() {
    let dir = TempDir::new();
    let node = Node::start(dir.path()).await;
    node.register().await;
    node.create_topic("some", 20).await;
    node.quorum.snapshot().await.expect("it is begun");
    let LogPart::Snapshot(id) = (loop {
        match read(&node.quorum, 0, 0, 1 << 20) {
            LogPart::Records(_) => runtime::clock::sleep(Duration::from_millis(5)).await,
            read => break read,
        }
    }) else {
        panic!("it has nothing to truncate")
    };
    let mut bytes = Vec::new();
    loop {
        let position = i64::try_from(bytes.len()).expect("it is small");
        let part = node.quorum.read_snapshot(id, position, 100).expect("it is there");
        bytes.extend_from_slice(&part.bytes);
        if bytes.len() as u64 == part.size_bytes {
            break;
        }
    }
    let name = format!("{:020}-{:010}.checkpoint", id.end_offset, id.epoch);
    assert_eq!(bytes, std::fs::read(dir.metadata().join(name)).expect("a snapshot"));
    let beyond = i64::try_from(bytes.len()).expect("it is small");
    for (id, position, out_of_range) in
        [(id, beyond, true), (id, -1, true), (SnapshotId { epoch: id.epoch + 1, ..id }, 0, false)]
    {
        match node.quorum.read_snapshot(id, position, 100) {
            Err(SnapshotReadError::OutOfRange) => assert!(out_of_range),
            Err(SnapshotReadError::NotFound) => assert!(!out_of_range),
            other => panic!("{other:?}"),
        }
    }
    // From the snapshot on it reads the log, whose epochs before its start it need not know.
    let (end, _) = follow_log(&node.quorum, id.end_offset, id.epoch).await;
    assert_eq!(end, node.quorum.image().offset() + 1);
    node.stop().await;
}
