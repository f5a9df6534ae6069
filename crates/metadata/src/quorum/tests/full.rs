//! Disks that are full.

use std::io::ErrorKind;
use std::sync::Arc;

use storage::fs::Operation;
use storage::fs::faults::{Fault, Faults};
use storage::fs::simulated::Disk;

use super::crash::checkpoints;
use super::*;

fn full(operation: Operation, path_end: &'static str, times: u32) -> Fault {
    Fault { operation, path_end, after: 0, times, error: ErrorKind::StorageFull }
}

async fn node(dir: &TempDir) -> (Node, Arc<Faults>) {
    let faults = Arc::new(Faults::default());
    let node = Node::try_start(&Fs::faulty(faults.clone()), dir.path(), config()).await;
    let node = node.expect("it starts");
    node.register().await;
    (node, faults)
}

/// Waits until an operation has been tried so often on a path that ends so.
async fn tried(faults: &Faults, operation: Operation, path_end: &str, times: usize) {
    let mut seen = 0;
    while seen < times {
        let done = faults.take_done();
        let is_it = |done: &&(Operation, PathBuf)| {
            done.0 == operation && done.1.to_string_lossy().ends_with(path_end)
        };
        seen += done.iter().filter(is_it).count();
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn trap_s6_a_decision_waits_for_room_and_the_quorum_goes_on() {
    let dir = TempDir::new();
    let (node, faults) = node(&dir).await;
    faults.take_done();
    // The second of its records finds no room, and is tried twice more.
    faults.add(Fault { after: 1, ..full(Operation::Write, ".log", 3) });
    assert_eq!(node.create_topic("first", 1).await, ErrorCode::NONE);
    assert_eq!(node.create_topic("waits", 3).await, ErrorCode::NONE);
    assert_eq!(node.create_topic("after", 1).await, ErrorCode::NONE);
    assert_eq!(names(&node.quorum.image()), ["after", "first", "waits"]);
    node.crash().await;
    let node = Node::start(dir.path()).await;
    assert_eq!(names(&node.quorum.image()), ["after", "first", "waits"]);
    node.stop().await;
}

/// A voter without room for its vote gives none, and takes part again when there is room.
#[tokio::test]
async fn a_vote_waits_for_room_and_the_quorum_goes_on() {
    let dir = TempDir::new();
    let (node, faults) = node(&dir).await;
    faults.take_done();
    faults.add(full(Operation::Write, "quorum-state.tmp", 3));
    let candidate = VoterId { id: 2, directory_id: Uuid([8; 16]) };
    let vote = raft::Vote { leader_id: raft::LeaderId { term: 9, voted_for: candidate }, committed: false };
    let mut request = openraft::raft::VoteRequest::new(vote, Some(raft::log_id(9, 1_000)));
    request.leadership_transfer = true;
    let answer = node.quorum.raft.vote(request).await.expect("it runs");
    assert!(answer.vote_granted, "{answer:?}");
    tried(&faults, Operation::Write, "quorum-state.tmp", 4).await;
    let written = std::fs::read_to_string(dir.metadata().join("quorum-state")).expect("a vote");
    assert!(written.contains(r#""leaderEpoch":9,"votedId":2"#), "{written}");
    node.crash().await;
}

#[tokio::test]
async fn a_quorum_that_waits_for_room_can_be_stopped() {
    let dir = TempDir::new();
    let (node, faults) = node(&dir).await;
    assert_eq!(node.create_topic("kept", 1).await, ErrorCode::NONE);
    faults.take_done();
    faults.add(full(Operation::Write, ".log", u32::MAX));
    let (created, ()) =
        tokio::join!(node.quorum.submit(|_| ((), vec![MetadataRecord::NoOp(Default::default())])), async {
            tried(&faults, Operation::Write, ".log", 2).await;
            let _ = node.quorum.shutdown().await;
        });
    assert!(matches!(created, Err(SubmitError::Stopped(_))), "{created:?}");
    faults.clear();
    node.crash().await;
    let node = Node::start(dir.path()).await;
    assert_eq!(names(&node.quorum.image()), ["kept"]);
    node.stop().await;
}

#[tokio::test]
async fn a_snapshot_waits_for_room_and_nobody_for_it() {
    let dir = TempDir::new();
    let (node, faults) = node(&dir).await;
    assert_eq!(node.create_topic("before", 1).await, ErrorCode::NONE);
    faults.take_done();
    faults.add(full(Operation::Write, ".checkpoint.part", 2));
    node.quorum.snapshot().await.expect("it is begun");
    tried(&faults, Operation::Write, ".checkpoint.part", 1).await;
    assert_eq!(node.create_topic("meanwhile", 1).await, ErrorCode::NONE);
    tried(&faults, Operation::Rename, ".checkpoint.part", 1).await;
    while checkpoints(&dir).is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    node.stop().await;
    let node = Node::start(dir.path()).await;
    assert_eq!(names(&node.quorum.image()), ["before", "meanwhile"]);
    node.stop().await;
}

#[tokio::test]
async fn a_start_without_room_says_what_to_do() {
    let disk = Disk::new(1);
    disk.set_capacity(8 << 20);
    let fs = Fs::simulated(disk.clone());
    let path = Path::new("/data");
    let node = Node::try_start(&fs, path, config()).await.expect("it starts");
    node.register().await;
    assert_eq!(node.create_topic("kept", 1).await, ErrorCode::NONE);
    node.stop().await;
    disk.set_capacity(disk.used_bytes() + 4096);
    let error = Node::try_start(&fs, path, config()).await.err().expect("it does not start");
    assert!(matches!(error, StartError::DiskFull { .. }), "{error}");
    assert!(error.to_string().contains("the disk of /data, which has the metadata log, is full"), "{error}");
    disk.set_capacity(8 << 20);
    let node = Node::try_start(&fs, path, config()).await.expect("it starts");
    assert_eq!(names(&node.quorum.image()), ["kept"]);
    // What is decided on a full disk is refused before it is begun.
    disk.set_capacity(disk.used_bytes() + 4096);
    let refused = node.quorum.submit(|_| ((), vec![MetadataRecord::NoOp(Default::default())])).await;
    assert_eq!(refused, Err(SubmitError::DiskFull));
    disk.set_capacity(8 << 20);
    assert_eq!(node.create_topic("later", 1).await, ErrorCode::NONE);
    node.stop().await;
}
