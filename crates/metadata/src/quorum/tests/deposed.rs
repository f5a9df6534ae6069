//! A leader that another one follows.

use std::sync::Arc;
use std::time::Duration;

use openraft::raft::AppendEntriesRequest;
use protocol::records::TopicRecord;
use storage::fs::Operation;
use storage::fs::faults::Faults;

use super::raft::{Entry, LogId, Payload, Vote, log_id};
use super::*;

/// The term of the other leader.
const TERM: i32 = 5;

const OTHER: VoterId = VoterId { id: 2, directory_id: Uuid([8; 16]) };

fn topic(name: &str, id: u8) -> MetadataRecord {
    TopicRecord { name: name.into(), topic_id: Uuid([id; 16]) }.into()
}

/// Another leader's entry behind what `node` has applied, as it arrives from the network.
fn append_theirs(node: &Node) -> (LogId, AppendEntriesRequest<Types>) {
    // It leads in the first term, and nothing waits to be applied.
    let before = log_id(1, node.quorum.image().offset());
    let appended = log_id(TERM, raft::offset(before.index) + 1);
    let record = raft::EntryRecord::of_decision(vec![topic("theirs", 2)], 30).remove(0);
    let request = AppendEntriesRequest {
        vote: Vote::new_committed(TERM.unsigned_abs().into(), OTHER),
        prev_log_id: Some(before),
        entries: vec![Entry::new(appended, Payload::Normal(record))],
        leader_commit: Some(appended),
    };
    (appended, request)
}

/// Waits until this node leads in a later term than that of the other.
async fn lead_again(node: &Node) {
    node.quorum.raft.trigger().elect(false).await.expect("it runs");
    let leads = |metrics: &openraft::RaftMetrics<Types>| {
        metrics.current_leader == Some(metrics.id) && metrics.current_term > u64::from(TERM.unsigned_abs())
    };
    let wait = node.quorum.raft.wait(Some(Duration::from_secs(60)));
    wait.metrics(leads, "it leads again").await.expect("it is the only voter");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deposed_leader_rolls_back_what_it_proposed() {
    let dir = TempDir::new();
    let faults = Arc::new(Faults::default());
    let node = Node::try_start(&Fs::faulty(faults.clone()), dir.path(), config()).await.expect("it starts");
    node.register().await;
    let (appended, request) = append_theirs(&node);
    // A decision is in the log and not yet durable when the other leader is heard of.
    faults.hold(Operation::Sync, ".log");
    let heard = async {
        let held = faults.clone();
        runtime::task::spawn_blocking(move || held.await_held()).await.expect("it does not panic");
        let vote = dir.metadata().join("quorum-state");
        let release = async {
            while !std::fs::read_to_string(&vote).expect("a vote").contains(r#""leaderEpoch":5"#) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            faults.release();
        };
        tokio::join!(node.quorum.raft.append_entries(request), release).0
    };
    let ours = node.quorum.submit(|_| ((), vec![topic("ours", 1)]));
    let (ours, heard) = tokio::join!(ours, heard);
    assert!(heard.expect("it runs").is_success());
    assert_eq!(ours, Err(SubmitError::Deposed));
    let wait = node.quorum.raft.wait(Some(Duration::from_secs(60)));
    let is_applied = |metrics: &openraft::RaftMetrics<Types>| metrics.last_applied == Some(appended);
    wait.metrics(is_applied, "it follows").await.expect("it was committed");
    assert_eq!(names(&node.quorum.image()), ["theirs"]);

    // It refuses to decide, and says who does.
    for records in [vec![], vec![topic("ours", 1)]] {
        let refused = node.quorum.submit(|_| ((), records)).await;
        assert_eq!(refused, Err(SubmitError::NotLeader { leader: Some(OTHER) }));
    }

    // In its next term it builds on what the other has decided.
    lead_again(&node).await;
    let known = node.quorum.submit(|image| (names(image), vec![topic("ours", 1)])).await.expect("it leads");
    assert_eq!(known.answer, ["theirs"]);
    assert_eq!(known.offset, raft::offset(appended.index) + 2, "behind the entry that says who leads");
    assert_eq!(names(&node.quorum.image()), ["ours", "theirs"]);
    node.stop().await;
    let node = Node::start(dir.path()).await;
    assert_eq!(names(&node.quorum.image()), ["ours", "theirs"]);
    node.stop().await;
}

/// It need not hear of it by a proposal that failed: nobody may have waited for one.
#[tokio::test]
async fn a_leader_of_a_later_term_begins_with_what_is_applied() {
    let dir = TempDir::new();
    let node = Node::start(dir.path()).await;
    assert_eq!(node.quorum.submit(|_| ((), vec![topic("ours", 1)])).await.map(|_| ()), Ok(()));
    let (_, request) = append_theirs(&node);
    assert!(node.quorum.raft.append_entries(request).await.expect("it runs").is_success());
    lead_again(&node).await;
    let known = node.quorum.submit(|image| (names(image), Vec::new())).await.expect("it leads");
    assert_eq!(known.answer, ["ours", "theirs"]);
    node.stop().await;
}

/// The next leader ends it, as a start does.
#[tokio::test]
async fn a_transaction_that_a_deposed_leader_left_open_is_dropped() {
    let dir = TempDir::new();
    let node = Node::start(dir.path()).await;
    let (first, mut request) = append_theirs(&node);
    let begin = protocol::records::BeginTransactionRecord::default().into();
    let records = raft::EntryRecord::of_decision(vec![begin, topic("half", 3)], 30);
    let entries = (first.index..).zip(records).map(|(index, record)| {
        let log_id = log_id(TERM, raft::offset(index));
        Entry::new(log_id, Payload::Normal(record))
    });
    request.entries = entries.collect();
    request.leader_commit = request.entries.last().map(|entry| entry.log_id);
    assert!(node.quorum.raft.append_entries(request).await.expect("it runs").is_success());
    lead_again(&node).await;
    assert_eq!(node.quorum.submit(|_| ((), vec![topic("ours", 1)])).await.map(|_| ()), Ok(()));
    assert_eq!(names(&node.quorum.image()), ["ours"]);
    node.stop().await;
    let node = Node::start(dir.path()).await;
    assert_eq!(names(&node.quorum.image()), ["ours"]);
    node.stop().await;
}

/// It was decided upon a state that is not the one before it: a proposal before it was dropped, or another leader came.
#[tokio::test]
async fn a_record_at_another_place_than_it_was_decided_for_has_no_effect() {
    let dir = TempDir::new();
    let node = Node::start(dir.path()).await;
    let next = node.quorum.image().offset() + 1;
    let mut record = raft::EntryRecord::of_decision(vec![topic("misplaced", 1)], 30).remove(0);
    record.expected = Some(log_id(1, next + 1));
    node.quorum.raft.client_write(record).await.expect("it leads");
    let mut record = raft::EntryRecord::of_decision(vec![topic("placed", 2)], 30).remove(0);
    record.expected = Some(log_id(1, next + 1));
    node.quorum.raft.client_write(record).await.expect("it leads");
    assert_eq!(names(&node.quorum.image()), ["placed"]);
    node.crash().await;
    let node = Node::start(dir.path()).await;
    assert_eq!(names(&node.quorum.image()), ["placed"]);
    node.stop().await;
}
