//! The log after a stop at any moment.

use futures_util::StreamExt;
use protocol::records::{BeginTransactionRecord, EndTransactionRecord, TopicRecord};

use super::raft::offset;
use super::*;
use crate::replay::Replay;

/// The start of each batch of the metadata log, and the end of the last one.
fn boundaries(bytes: &[u8]) -> Vec<usize> {
    let mut at = vec![0];
    for batch in ::record::batches(bytes) {
        at.push(at[at.len() - 1] + batch.expect("the log is whole").bytes().len());
    }
    at
}

/// The state that the first batches lead to, transactions as a whole.
fn expected(bytes: &[u8]) -> Image {
    let mut replay = Replay::default();
    for batch in ::record::batches(bytes) {
        for entry in batches::decode(&batch.expect("whole")).expect("readable") {
            let at = offset(entry.log_id.index);
            match entry.payload {
                raft::Payload::Normal(entry) => replay.record(at, entry.record).expect("it follows"),
                _ => replay.skip(at),
            }
        }
    }
    replay.image().clone()
}

fn copy(from: &TempDir) -> TempDir {
    let to = TempDir::new();
    std::fs::create_dir_all(to.metadata()).expect("a directory");
    for name in ["00000000000000000000.log", "quorum-state"] {
        std::fs::copy(from.metadata().join(name), to.metadata().join(name)).expect("a copy");
    }
    to
}

async fn history(dir: &TempDir) {
    let node = Node::start(dir.path()).await;
    node.register().await;
    for (name, partitions) in [("a", 3), ("b", 1), ("c", 5)] {
        assert_eq!(node.create_topic(name, partitions).await, ErrorCode::NONE);
    }
    let b = node.quorum.image().topic("b").expect("it was created").id;
    let remove = protocol::records::RemoveTopicRecord { topic_id: b };
    node.quorum.submit(|_| ((), vec![remove.into()])).await.expect("it is deleted");
    node.crash().await;
}

#[tokio::test]
async fn a_log_cut_anywhere_recovers_a_prefix_and_no_half_decision() {
    let dir = TempDir::new();
    history(&dir).await;
    let bytes = std::fs::read(dir.metadata_log()).expect("the log");
    let at = boundaries(&bytes);
    assert!(at.len() > 20, "there is something to cut");
    let mut half = 0;
    for (nth, end) in at.iter().enumerate().skip(1) {
        // At a boundary, and with a torn batch behind it.
        for torn in [0, 1, 40, 70] {
            let cut = (end + torn).min(bytes.len());
            if at.contains(&cut) && torn > 0 {
                continue;
            }
            let copied = copy(&dir);
            std::fs::write(copied.metadata_log(), &bytes[..cut]).expect("a cut log");
            let node = Node::start(copied.path()).await;
            let expected = expected(&bytes[..*end]);
            let image = node.quorum.image();
            assert!(image.topics().iter().eq(expected.topics().iter()), "cut after batch {nth} and {torn}");
            assert_eq!(image.brokers(), expected.brokers());
            for topic in image.topics().iter() {
                assert!(matches!((&*topic.name, topic.partitions.len()), ("a", 3) | ("b", 1) | ("c", 5)));
            }
            if torn == 0 && image.topics().len() < 2 {
                half += 1;
            }
            // It goes on from there.
            if image.brokers().get(&1).is_some_and(|broker| !broker.fenced) {
                assert_eq!(node.create_topic("after", 1).await, ErrorCode::NONE);
            }
            node.crash().await;
            let again = Node::start(copied.path()).await;
            assert!(again.quorum.image().topics().len() >= expected.topics().len());
            again.stop().await;
        }
    }
    assert!(half > 5, "some cuts lie within decisions");
}

#[tokio::test]
async fn an_interrupted_transaction_is_aborted_in_the_log() {
    let dir = TempDir::new();
    history(&dir).await;
    let bytes = std::fs::read(dir.metadata_log()).expect("the log");
    let at = boundaries(&bytes);
    // Begin, topic, partition, end, remove: the middle of "c" is some batches before the end.
    let cut = at[at.len() - 5];
    std::fs::write(dir.metadata_log(), &bytes[..cut]).expect("a cut log");
    let node = Node::start(dir.path()).await;
    assert!(node.quorum.image().topic("c").is_none());
    node.stop().await;
    let bytes = std::fs::read(dir.metadata_log()).expect("the log");
    let aborts = ::record::batches(&bytes)
        .flat_map(|batch| batches::decode(&batch.expect("whole")).expect("readable"))
        .filter(|entry| matches!(&entry.payload, raft::Payload::Normal(it) if matches!(it.record, MetadataRecord::AbortTransaction(_))));
    assert_eq!(aborts.count(), 1);
}

#[tokio::test]
async fn a_snapshot_stands_for_the_log_before_it() {
    for clean in [true, false] {
        let dir = TempDir::new();
        let small = QuorumConfig { segment_bytes: 4096, bytes_between_snapshots: 16_384, ..config() };
        let node = Node::try_start(&Fs::real(), dir.path(), small.clone()).await.expect("it starts");
        node.register().await;
        for i in 0..300 {
            assert_eq!(node.create_topic(&format!("t{i:03}"), 2).await, ErrorCode::NONE);
        }
        wait_for_checkpoint(&dir, &node).await;
        node.create_topic("last", 1).await;
        let before = node.quorum.image();
        if clean {
            node.stop().await;
        } else {
            node.crash().await;
        }
        assert!(!dir.metadata_log().exists(), "the first segments are gone");

        let node = Node::try_start(&Fs::real(), dir.path(), small).await.expect("it starts again");
        let image = node.quorum.image();
        assert!(image.topics().iter().eq(before.topics().iter()), "clean: {clean}");
        assert_eq!(image.topics().len(), 301);
        assert_eq!(node.create_topic("more", 1).await, ErrorCode::NONE);
        node.stop().await;
    }
}

async fn wait_for_checkpoint(dir: &TempDir, node: &Node) {
    for _ in 0..500 {
        let names = checkpoints(dir);
        if !names.is_empty() && !dir.metadata_log().exists() {
            assert_eq!(names.len(), 1, "older snapshots are removed");
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("no snapshot of {:?}", node.quorum);
}

pub(super) fn checkpoints(dir: &TempDir) -> Vec<String> {
    let entries = std::fs::read_dir(dir.metadata()).expect("the directory");
    let names = entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"));
    names.filter(|name| name.ends_with(".checkpoint")).collect()
}

#[tokio::test]
async fn a_snapshot_within_a_transaction_is_of_before_it() {
    let dir = TempDir::new();
    let node = Node::start(dir.path()).await;
    let topic = |i: u8| TopicRecord { name: format!("t{i}").into(), topic_id: Uuid([i; 16]) };
    node.quorum.submit(|_| ((), vec![topic(1).into()])).await.expect("it is created");
    // Half a decision, as a node that is not the only one might find it.
    let half = vec![BeginTransactionRecord::default().into(), topic(2).into()];
    let mut written = node
        .quorum
        .raft
        .client_write_many(raft::EntryRecord::of_decision(half, 30))
        .await
        .expect("it is sent");
    while let Some(result) = written.next().await {
        result.expect("it runs").expect("it is written");
    }
    node.quorum.snapshot().await.expect("a snapshot");
    for _ in 0..500 {
        if !checkpoints(&dir).is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(checkpoints(&dir).len(), 1);
    let rest = vec![topic(3).into(), EndTransactionRecord::default().into()];
    let mut written = node
        .quorum
        .raft
        .client_write_many(raft::EntryRecord::of_decision(rest, 30))
        .await
        .expect("it is sent");
    while let Some(result) = written.next().await {
        result.expect("it runs").expect("it is written");
    }
    node.crash().await;
    let node = Node::start(dir.path()).await;
    assert_eq!(names(&node.quorum.image()), ["t1", "t2", "t3"]);
    node.stop().await;
}
