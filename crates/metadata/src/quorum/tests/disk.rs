//! Disks that fail, files that are damaged, directories of others.

use std::io::ErrorKind;
use std::sync::Arc;

use storage::fs::Operation;
use storage::fs::faults::{Fault, Faults};

use super::captured::contents;
use super::crash::checkpoints;
use super::*;

fn files(dir: &TempDir) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = std::fs::read_dir(dir.metadata())
        .expect("the directory")
        .map(|entry| entry.expect("an entry").path())
        // Indexes may be rebuilt.
        .filter(|path| {
            [".log", ".checkpoint", "quorum-state"].iter().any(|end| path.to_string_lossy().ends_with(end))
        })
        .map(|path| (path.to_string_lossy().into_owned(), std::fs::read(&path).expect("a file")))
        .collect();
    files.sort();
    files
}

#[track_caller]
fn refused(dir: &TempDir) -> impl Future<Output = StartError> {
    let caller = std::panic::Location::caller();
    refused_for(dir, caller)
}

/// Why a start is refused. A survey must find the same, and change nothing.
async fn refused_for(dir: &TempDir, caller: &std::panic::Location<'_>) -> StartError {
    let before = contents(dir.path());
    let open = OpenDirectory { fs: Fs::real().overlay(), path: dir.path().to_owned(), open_files_max: 16 };
    let opened = LogDirectory::open(open).map_err(StartError::Directory);
    let surveyed = opened.and_then(|directory| survey_in(&config(), &directory));
    assert_eq!(contents(dir.path()), before, "at {caller}");
    match Node::try_start(&Fs::real(), dir.path(), config()).await {
        Ok(_) => panic!("it started, at {caller}"),
        Err(error) => {
            let surveyed = surveyed.err().map(|error| error.to_string());
            assert_eq!(surveyed, Some(error.to_string()), "at {caller}");
            error
        }
    }
}

async fn snapshotted() -> TempDir {
    let dir = TempDir::new();
    let node = Node::start(dir.path()).await;
    node.register().await;
    node.create_topic("kept", 4).await;
    node.quorum.snapshot().await.expect("a snapshot");
    for _ in 0..500 {
        if !checkpoints(&dir).is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    node.stop().await;
    dir
}

#[tokio::test]
async fn a_damaged_snapshot_is_told_of_and_nothing_is_deleted() {
    let dir = snapshotted().await;
    let name = checkpoints(&dir).pop().expect("a snapshot");
    let path = dir.metadata().join(&name);
    let whole = std::fs::read(&path).expect("the snapshot");
    for position in (0..whole.len()).step_by(23) {
        let mut damaged = whole.clone();
        damaged[position] ^= 0x10;
        std::fs::write(&path, &damaged).expect("damage");
        let before = files(&dir);
        let error = refused(&dir).await;
        assert!(matches!(error, StartError::Checkpoint(CheckpointError::Damaged { .. })), "{error}");
        assert!(error.to_string().contains(&name), "{error}");
        let after = files(&dir);
        assert_eq!(before, after, "nothing is deleted or changed");
    }
    // Cut between two batches it looks whole but for its end, or its beginning.
    let batches: Vec<&[u8]> = ::record::batches(&whole).map(|batch| batch.expect("whole").bytes()).collect();
    let end = whole.len() - batches[batches.len() - 1].len();
    for part in [&whole[..end], &whole[batches[0].len()..]] {
        std::fs::write(&path, part).expect("a part");
        let error = refused(&dir).await;
        assert!(matches!(error, StartError::Checkpoint(CheckpointError::Damaged { .. })), "{error}");
    }
    for len in [0, 1, 61, whole.len() / 2, whole.len() - 1] {
        std::fs::write(&path, &whole[..len]).expect("a short file");
        let error = refused(&dir).await;
        assert!(matches!(error, StartError::Checkpoint(CheckpointError::Damaged { .. })), "{len}: {error}");
    }
    std::fs::write(&path, &whole).expect("mended");
    let node = Node::start(dir.path()).await;
    assert_eq!(names(&node.quorum.image()), ["kept"]);
    node.stop().await;
}

#[tokio::test]
async fn a_damaged_log_is_told_of_after_a_clean_stop() {
    let dir = TempDir::new();
    let node = Node::start(dir.path()).await;
    node.register().await;
    node.create_topic("kept", 4).await;
    node.stop().await;
    let mut bytes = std::fs::read(dir.metadata_log()).expect("the log");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(dir.metadata_log(), &bytes).expect("damage");
    let error = refused(&dir).await;
    assert!(matches!(error, StartError::Unreadable { .. } | StartError::Log(_)), "{error}");
    assert_eq!(std::fs::read(dir.metadata_log()).expect("the log"), bytes, "nothing is cut");
}

#[tokio::test]
async fn a_record_that_is_missing_is_noticed() {
    let dir = TempDir::new();
    let node = Node::start(dir.path()).await;
    node.register().await;
    node.create_topic("kept", 4).await;
    node.crash().await;
    let bytes = std::fs::read(dir.metadata_log()).expect("the log");
    let batches: Vec<&[u8]> = ::record::batches(&bytes).map(|batch| batch.expect("whole").bytes()).collect();
    let holed = [&batches[..9], &batches[10..]].concat().concat();
    std::fs::write(dir.metadata_log(), &holed).expect("a hole");
    let error = refused(&dir).await;
    assert!(matches!(error, StartError::Unreadable { offset: 9, .. }), "{error}");
    assert!(error.to_string().contains("the records up to 10 are missing"), "{error}");
}

#[tokio::test]
async fn a_lost_or_damaged_vote_is_no_vote() {
    let dir = TempDir::new();
    Node::start(dir.path()).await.stop().await;
    let path = dir.metadata().join("quorum-state");
    let vote = std::fs::read(&path).expect("a vote");
    std::fs::remove_file(&path).expect("it is removed");
    let error = refused(&dir).await;
    assert!(matches!(error, StartError::Vote(VoteError::Behind { log_epoch: 1, .. })), "{error}");
    for damage in [&b""[..], b"{", b"{\"leaderId\":1}", b"garbage"] {
        std::fs::write(&path, damage).expect("damage");
        let error = refused(&dir).await;
        assert!(matches!(error, StartError::Vote(VoteError::Damaged { .. })), "{error}");
        assert!(error.to_string().contains("quorum-state"), "{error}");
    }
    std::fs::write(&path, vote).expect("mended");
    Node::start(dir.path()).await.stop().await;
}

#[tokio::test]
async fn a_lost_log_is_not_taken_for_a_new_one() {
    let dir = TempDir::new();
    Node::start(dir.path()).await.stop().await;
    for entry in std::fs::read_dir(dir.metadata()).expect("the directory") {
        let path = entry.expect("an entry").path();
        if !path.ends_with("quorum-state") {
            std::fs::remove_file(&path).expect("it is removed");
        }
    }
    std::fs::remove_file(dir.path().join(".kafka_cleanshutdown")).expect("it was a clean stop");
    std::fs::remove_file(dir.path().join("recovery-point-offset-checkpoint")).expect("it was written");
    let error = refused(&dir).await;
    assert!(matches!(error, StartError::Unreadable { offset: 0, .. }), "{error}");
}

#[tokio::test]
async fn another_directory_is_another_voter() {
    let dir = TempDir::new();
    Node::start(dir.path()).await.stop().await;
    let others =
        [QuorumConfig { directory_id: Uuid([8; 16]), ..config() }, QuorumConfig { node_id: 2, ..config() }];
    for other in others {
        let result = Node::try_start(&Fs::real(), dir.path(), other).await;
        let error = result.err().expect("it is refused");
        assert!(matches!(error, StartError::NotVoter { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_failed_sync_stops_the_quorum_and_loses_nothing_acknowledged() {
    let dir = TempDir::new();
    let faults = Arc::new(Faults::default());
    let node = Node::try_start(&Fs::faulty(faults.clone()), dir.path(), config()).await;
    let node = node.expect("it starts");
    node.register().await;
    assert_eq!(node.create_topic("kept", 1).await, ErrorCode::NONE);
    faults.add(Fault {
        operation: Operation::Sync,
        path_end: ".log",
        after: 0,
        times: 1,
        error: ErrorKind::Other,
    });
    let lost = protocol::records::TopicRecord { name: "lost".into(), topic_id: Uuid([1; 16]) };
    let result = node.quorum.submit(|_| ((), vec![lost.into()])).await;
    assert!(matches!(result, Err(SubmitError::Stopped(_))), "{result:?}");
    assert!(node.quorum.image().topic("lost").is_none(), "what is not on disk is not told");
    let again = node.quorum.submit(|_| ((), vec![MetadataRecord::NoOp(Default::default())])).await;
    assert!(matches!(again, Err(SubmitError::Stopped(_))), "nothing retries: {again:?}");
    node.crash().await;
    let node = Node::start(dir.path()).await;
    assert!(node.quorum.image().topic("kept").is_some());
    node.stop().await;
}

#[tokio::test]
async fn nothing_is_submitted_after_a_shutdown() {
    let dir = TempDir::new();
    let node = Node::start(dir.path()).await;
    node.quorum.shutdown().await.expect("it stops");
    let write = node.quorum.submit(|_| ((), vec![MetadataRecord::NoOp(Default::default())])).await;
    assert!(matches!(write, Err(SubmitError::Stopped(_))), "{write:?}");
    let read = node.quorum.submit(|_| ((), Vec::new())).await;
    assert!(matches!(read, Err(SubmitError::Stopped(_))), "{read:?}");
    node.quorum.shutdown().await.expect("twice is once");
}
