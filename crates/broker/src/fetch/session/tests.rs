use std::cell::Cell;

use bytes::Bytes;
use protocol::Records;

use super::*;

fn target(partition: i32) -> FetchTarget {
    FetchTarget {
        topic: Str::from("t"),
        topic_id: Uuid::ZERO,
        partition,
        fetch_offset: 0,
        log_start_offset: -1,
        partition_max_bytes: 100,
        current_leader_epoch: -1,
        last_fetched_epoch: -1,
    }
}

fn answer(partition: i32, high_watermark: i64, records: &'static [u8]) -> (FetchTarget, PartitionData) {
    let data = PartitionData {
        partition_index: partition,
        high_watermark,
        records: Records::Bytes(Bytes::from_static(records)),
        ..PartitionData::default()
    };
    (target(partition), data)
}

fn claim(session_id: i32, epoch: i32) -> SessionClaim {
    SessionClaim { session_id, epoch, by_topic_id: false }
}

fn ids() -> impl Fn() -> i32 {
    let next = Cell::new(0);
    move || {
        next.set(next.get() + 1);
        next.get()
    }
}

/// Opens a session with partitions 0..count and returns its id.
fn open(sessions: &FetchSessions, count: i32, now_ms: i64) -> i32 {
    let targets = (0..count).map(target).collect();
    let (context, _) = sessions.begin(claim(0, INITIAL_EPOCH), targets, &[], now_ms).unwrap();
    let mut answers = (0..count).map(|partition| answer(partition, 5, b"")).collect();
    sessions.finish(context, &mut answers, now_ms, ids()).unwrap()
}

fn sent(answers: &[(FetchTarget, PartitionData)]) -> Vec<i32> {
    answers.iter().map(|(target, _)| target.partition).collect()
}

#[test]
fn only_what_changed_is_sent_and_busy_partitions_go_last() {
    let sessions = FetchSessions::new(10);
    let id = open(&sessions, 3, 0);
    let (context, targets) = sessions.begin(claim(id, 1), vec![], &[], 0).unwrap();
    assert_eq!(targets.len(), 3);
    let mut answers = vec![answer(0, 6, b"records"), answer(1, 5, b""), answer(2, 6, b"")];
    assert_eq!(sessions.finish(context, &mut answers, 0, ids()), Ok(id));
    assert_eq!(sent(&answers), [0, 2]);
    let (_, targets) = sessions.begin(claim(id, 2), vec![], &[], 0).unwrap();
    let order: Vec<i32> = targets.iter().map(|target| target.partition).collect();
    assert_eq!(order, [1, 2, 0], "partition 0 brought records");
}

#[test]
fn a_partition_that_failed_is_sent_again_when_it_recovers() {
    let sessions = FetchSessions::new(10);
    let id = open(&sessions, 1, 0);
    let (context, _) = sessions.begin(claim(id, 1), vec![], &[], 0).unwrap();
    let mut answers = vec![answer(0, -1, b"")];
    answers[0].1.error_code = ErrorCode::NOT_LEADER_OR_FOLLOWER;
    sessions.finish(context, &mut answers, 0, ids()).unwrap();
    assert_eq!(sent(&answers), [0]);
    let (context, _) = sessions.begin(claim(id, 2), vec![], &[], 0).unwrap();
    let mut answers = vec![answer(0, 5, b"")];
    sessions.finish(context, &mut answers, 0, ids()).unwrap();
    assert_eq!(sent(&answers), [0]);
}

#[test]
fn partitions_join_change_and_leave_a_session() {
    let sessions = FetchSessions::new(10);
    let id = open(&sessions, 2, 0);
    let moved = FetchTarget { fetch_offset: 9, ..target(0) };
    let (_, targets) = sessions.begin(claim(id, 1), vec![moved.clone(), target(7)], &[target(1)], 0).unwrap();
    assert_eq!(targets, [moved, target(7)]);
    let (context, targets) = sessions.begin(claim(id, 2), vec![], &[target(0), target(7)], 0).unwrap();
    assert!(targets.is_empty() && matches!(context, FetchContext::Sessionless));
    assert_eq!(sessions.len(), 0, "an empty session ends");
}

#[test]
fn wrong_sessions_epochs_and_kinds_are_told_apart() {
    let sessions = FetchSessions::new(10);
    let id = open(&sessions, 1, 0);
    let error = |claim| sessions.begin(claim, vec![], &[], 0).unwrap_err();
    assert_eq!(error(claim(id + 1, 1)), ErrorCode::FETCH_SESSION_ID_NOT_FOUND);
    assert_eq!(error(claim(id, 2)), ErrorCode::INVALID_FETCH_SESSION_EPOCH);
    let by_id = SessionClaim { by_topic_id: true, ..claim(id, 1) };
    assert_eq!(error(by_id), ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR);
    let (first, _) = sessions.begin(claim(id, 1), vec![], &[], 0).unwrap();
    sessions.begin(claim(id, 2), vec![], &[], 0).unwrap();
    let overtaken = sessions.finish(first, &mut vec![], 0, ids());
    assert_eq!(overtaken, Err(ErrorCode::INVALID_FETCH_SESSION_EPOCH));
}

#[test]
fn a_full_request_closes_its_session_and_a_final_one_opens_none() {
    let sessions = FetchSessions::new(10);
    let id = open(&sessions, 1, 0);
    let (context, _) = sessions.begin(claim(id, FINAL_EPOCH), vec![target(0)], &[], 0).unwrap();
    assert_eq!(sessions.len(), 0);
    let mut answers = vec![answer(0, 5, b"")];
    assert_eq!(sessions.finish(context, &mut answers, 0, ids()), Ok(NO_SESSION));
    assert_eq!(sent(&answers), [0]);
}

#[test]
fn a_full_cache_evicts_the_stale_and_the_small_but_nothing_new() {
    let sessions = FetchSessions::new(1);
    let first = open(&sessions, 2, 0);
    assert_ne!(first, NO_SESSION);
    assert_eq!(open(&sessions, 5, 1_000), NO_SESSION, "the first is new");
    let (context, _) = sessions.begin(claim(first, 1), vec![], &[], 119_000).unwrap();
    drop(context);
    assert_eq!(open(&sessions, 2, 121_000), NO_SESSION, "not larger than the first");
    assert_ne!(open(&sessions, 3, 121_000), NO_SESSION, "larger, and the first is old");
    assert_ne!(open(&sessions, 1, 250_000), NO_SESSION, "the other is stale");
    assert_eq!(sessions.len(), 1);
}

#[test]
fn epochs_wrap_to_one() {
    assert_eq!(next_epoch(1), 2);
    assert_eq!(next_epoch(i32::MAX), 1);
}
