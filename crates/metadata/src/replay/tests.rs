use protocol::Uuid;
use protocol::records::{
    AbortTransactionRecord, BeginTransactionRecord, EndTransactionRecord, RemoveTopicRecord, TopicRecord,
};

use super::*;

fn topic(i: u8) -> MetadataRecord {
    TopicRecord { name: format!("t{i}").into(), topic_id: Uuid([i; 16]) }.into()
}

fn begin() -> MetadataRecord {
    BeginTransactionRecord::default().into()
}

fn end() -> MetadataRecord {
    EndTransactionRecord::default().into()
}

fn abort() -> MetadataRecord {
    AbortTransactionRecord::default().into()
}

fn read(records: Vec<MetadataRecord>) -> Result<Replay, ReplayError> {
    let mut replay = Replay::default();
    for (offset, record) in (0..).zip(records) {
        replay.record(offset, record)?;
    }
    Ok(replay)
}

#[test]
fn records_of_a_transaction_count_at_its_end() {
    let mut replay = read(vec![topic(1), begin(), topic(2)]).expect("it is open");
    assert!(replay.in_transaction());
    assert_eq!((replay.image().topics().len(), replay.image().offset()), (1, 0));
    assert_eq!(replay.take_delta().topics.len(), 1);
    replay.record(3, topic(3)).expect("it goes on");
    assert!(replay.take_delta().is_empty());
    replay.record(4, end()).expect("it ends");
    assert_eq!((replay.image().topics().len(), replay.image().offset()), (3, 4));
    assert_eq!(replay.take_delta().topics.len(), 2);
    assert!(!replay.in_transaction());
}

#[test]
fn an_aborted_transaction_never_was() {
    let replay = read(vec![topic(1), begin(), topic(2), abort(), topic(3)]).expect("it reads");
    let names: Vec<String> = replay.image().topics().iter().map(|topic| topic.name.to_string()).collect();
    assert_eq!(names, ["t1", "t3"]);
    assert_eq!(replay.image().offset(), 4);
}

#[test]
fn marks_stand_where_they_can() {
    for wrong in [vec![end()], vec![abort()], vec![begin(), begin()], vec![begin(), end(), end()]] {
        assert!(matches!(read(wrong), Err(ReplayError::Transaction(_))));
    }
    let unknown = RemoveTopicRecord { topic_id: Uuid([9; 16]) };
    assert!(matches!(read(vec![unknown.clone().into()]), Err(ReplayError::Apply(_))));
    assert!(matches!(read(vec![begin(), unknown.into(), end()]), Err(ReplayError::Apply(_))));
}

#[test]
fn other_entries_move_the_offset_only() {
    let mut replay = read(vec![topic(1)]).expect("it reads");
    let before = replay.image().clone();
    replay.take_delta();
    replay.skip(1);
    assert_eq!(replay.image().offset(), 1);
    assert_eq!(replay.image().topics(), before.topics());
    replay.record(2, begin()).expect("it begins");
    replay.skip(3);
    assert_eq!(replay.image().offset(), 1, "the state is that of before the transaction");
}
