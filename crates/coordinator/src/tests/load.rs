use bytes::Bytes;
use protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use protocol::records::{GroupMetadataKey, GroupMetadataValue, coordinator_key, coordinator_value};
use protocol::{ErrorCode, Str, Uuid};

use super::script::{START, check_with, records_of};
use super::*;
use crate::*;

#[test]
fn a_group_goes_on_after_a_restart() {
    check(
        "a join v=3
         b join instance=i
         wait 6000
         > @6000 a join: NONE gen=1 consumer range leader=a1 id=a1 a1:m i1[i]:m
         > @6000 b join: NONE gen=1 consumer range leader=a1 id=i1
         b sync instance=i
         a sync a1=A i1=B
         > log: g gen=1 consumer range leader=a1 a1=A i1[i]=B
         > a sync: NONE consumer range A
         > b sync: NONE consumer range B
         c join
         > c join: MEMBER_ID_REQUIRED id=c1
         restart
         x describe g
         > x describe: Stable consumer range a1(a@/127.0.0.1):m=A i1[i](b@/127.0.0.1):m=B
         a heartbeat
         > a heartbeat: NONE
         a commit t-0=1
         > log: g t-0=1
         > a commit: t-0=NONE
         b sync instance=i
         > b sync: NONE consumer range B
         c join
         > c join: UNKNOWN_MEMBER_ID id=c1
         b heartbeat instance=i
         > b heartbeat: NONE
         wait 9999
         wait 1
         > @16000 log: g gen=2 consumer",
    );
}

#[test]
fn a_rebalance_under_way_starts_over_after_a_restart() {
    check(
        "a join v=3
         wait 3000
         > @3000 a join: NONE gen=1 consumer range leader=a1 id=a1 a1:m
         a sync a1=A
         > log: g gen=1 consumer range leader=a1 a1=A
         > a sync: NONE consumer range A
         b join v=3
         a join
         > a join: NONE gen=2 consumer range leader=a1 id=a1 a1:m b1:m
         > b join: NONE gen=2 consumer range leader=a1 id=b1
         restart
         a sync a1=A b1=B
         > a sync: ILLEGAL_GENERATION
         b sync
         > b sync: UNKNOWN_MEMBER_ID
         a join
         > a join: NONE gen=2 consumer range leader=a1 id=a1 a1:m
         b join id= v=3
         a join
         > a join: NONE gen=3 consumer range leader=a1 id=a1 a1:m b2:m
         > b join: NONE gen=3 consumer range leader=a1 id=b2",
    );
}

#[test]
fn what_the_group_was_empty_since_outlives_a_restart() {
    check_with(
        Settings { offsets_retention_minutes: 60, ..Settings::default() },
        "a join v=3
         wait 3000
         > @3000 a join: NONE gen=1 consumer range leader=a1 id=a1 a1:m
         a commit t-0=1 id= gen=-1 group=h
         > log: h t-0=1
         > a commit: t-0=NONE
         a sync a1=A
         > log: g gen=1 consumer range leader=a1 a1=A
         > a sync: NONE consumer range A
         a commit t-0=1
         > log: g t-0=1
         > a commit: t-0=NONE
         wait 9000
         a leave
         > log: g gen=2 consumer
         > a leave: NONE a1=NONE
         wait 1788000
         restart
         wait 1200000
         wait 600000
         wait 600000
         > @4200000 log: g t-0 deleted; g deleted; h t-0 deleted; h deleted",
    );
}

#[test]
fn a_group_over_its_size_rebalances_after_loading() {
    let mut log = records_of(
        "a join v=3
b join v=3
c join v=3
wait 6000
a sync a1=A b1=B c1=C",
    );
    let settings = Settings { group_max_size: 2, ..Settings::default() };
    let mut loading = LoadingShard::<GroupCoordinator>::new(settings);
    for (offset, record) in log.drain(..).enumerate() {
        assert_eq!(loading.replay(StoredRecord::new(offset as i64, record)), Ok(ReplayOutcome::Applied));
    }
    let coordinator = loading.loaded(START);
    let described = coordinator.describe_group(&Str::from("g"), 6);
    assert_eq!(described.group_state, "PreparingRebalance");
    assert_eq!(described.members.len(), 3);
}

fn stored(offset: i64, key: &[u8], value: Option<&[u8]>) -> StoredRecord {
    StoredRecord {
        offset,
        producer_id: -1,
        key: Some(Bytes::copy_from_slice(key)),
        value: value.map(Bytes::copy_from_slice),
    }
}

#[test]
fn records_of_other_types_are_counted_and_left_alone() {
    let mut loading = LoadingShard::<GroupCoordinator>::new(Settings::default());
    // A consumer group's epoch (type 3), twice, and a type of the future.
    assert_eq!(
        loading.replay(stored(0, b"\0\x03\0\x01g", Some(b"\0\0\0\0\0\x01"))),
        Ok(ReplayOutcome::Applied)
    );
    assert_eq!(loading.replay(stored(1, b"\0\x03\0\x01g", None)), Ok(ReplayOutcome::Applied));
    assert_eq!(loading.replay(stored(2, b"\x7f\xff???", Some(b"???"))), Ok(ReplayOutcome::Skipped));
    let coordinator = loading.loaded(START);
    assert_eq!(coordinator.skipped_records().by_type, [(i16::MAX, 1)].into());
    assert_eq!(coordinator.list_groups(&Default::default(), START), []);
}

#[test]
fn records_that_are_not_what_they_say_are_errors() {
    let reason = |record: StoredRecord| {
        let error = LoadingShard::<GroupCoordinator>::new(Settings::default())
            .replay(record)
            .expect_err("not a record");
        assert_eq!(error.offset, 7);
        assert!(error.to_string().contains("offset 7"), "{error}");
        error.reason
    };
    let no_key = StoredRecord { key: None, ..stored(7, b"", None) };
    assert_eq!(reason(no_key), ReplayErrorReason::NoKey);
    for key in [&b""[..], b"\0", b"\0\x02", b"\0\x02\0\x05g", b"\0\x02\0\x01g!", b"\0\x01\0\x01g\0\x01t\0\0"]
    {
        assert!(matches!(reason(stored(7, key, None)), ReplayErrorReason::Key(_)), "{key:?}");
    }
    for value in [&b""[..], b"\0\x05", b"\0\x03", b"\x7f\xff\0", b"\0\x03\0\0\0\0\0\0"] {
        let record = stored(7, b"\0\x02\0\x01g", Some(value));
        assert!(matches!(reason(record), ReplayErrorReason::Value(_)), "{value:?}");
        let record = stored(7, b"\0\x01\0\x01g\0\x01t\0\0\0\0", Some(value));
        assert!(matches!(reason(record), ReplayErrorReason::Value(_)), "{value:?}");
    }
    let mut twice = records_of("a join v=3\nwait 3000\na sync a1=A").remove(0);
    let value = twice.value.take().expect("a value");
    let mut group: GroupMetadataValue = coordinator_value::decode(value).expect("a group");
    group.members.push(group.members[0].clone());
    let value = coordinator_value::encode(&group, 3).expect("it fits");
    assert_eq!(reason(stored(7, &twice.key, Some(&value))), ReplayErrorReason::DuplicateMember);
}

/// Kafka wrote values of versions 0 to 2 before there were rebalance timeouts, timestamps and static members.
#[test]
fn old_versions_of_groups_are_understood() {
    let mut record = records_of("a join v=3 rebalance=7000\nwait 3000\na sync a1=A").remove(0);
    let value = record.value.take().expect("a value");
    let group: GroupMetadataValue = coordinator_value::decode(value).expect("a group");
    for version in 0..=4 {
        let value = coordinator_value::encode(&group, version).expect("it fits");
        let mut loading = LoadingShard::<GroupCoordinator>::new(Settings::default());
        let key = coordinator_key::encode(&GroupMetadataKey { group: Str::from("g") }).expect("it fits");
        assert_eq!(loading.replay(stored(0, &key, Some(&value))), Ok(ReplayOutcome::Applied));
        let coordinator = loading.loaded(START);
        let group = coordinator.classic_group("g").expect("loaded");
        let member = group.members().next().expect("a member");
        assert_eq!(member.rebalance_timeout_ms, if version == 0 { 10_000 } else { 7_000 });
        assert_eq!(group.state_timestamp.is_some(), version >= 2);
        assert_eq!(group.generation_id, 1);
    }
}

/// A group that changes to the new protocol leaves a tombstone of its classic group. Its offsets stay.
#[test]
fn the_tombstone_of_a_group_does_not_take_its_offsets() {
    let mut loading = LoadingShard::<GroupCoordinator>::new(Settings::default());
    let mut log = records_of("a join v=3\nwait 3000\na sync a1=A\na commit t-0=5");
    log.push(CoordinatorRecord::group_tombstone(&Str::from("g")));
    for (offset, record) in log.into_iter().enumerate() {
        assert_eq!(loading.replay(StoredRecord::new(offset as i64, record)), Ok(ReplayOutcome::Applied));
    }
    let coordinator = loading.loaded(START);
    assert_eq!(fetch(&coordinator, 0, false), (5, ErrorCode::NONE));
    assert_eq!(coordinator.describe_group(&Str::from("g"), 6).group_state, "Empty");
}

fn fetch(coordinator: &GroupCoordinator, partition: i32, require_stable: bool) -> (i64, ErrorCode) {
    let topic = OffsetFetchRequestTopics {
        name: Str::from("t"),
        partition_indexes: vec![partition],
        ..Default::default()
    };
    let request =
        OffsetFetchRequestGroup { group_id: Str::from("g"), topics: Some(vec![topic]), ..Default::default() };
    let response = coordinator.offset_fetch(&request, require_stable, START, |_| Uuid::ZERO).unwrap();
    let partition = &response.topics[0].partitions[0];
    (partition.committed_offset, partition.error_code)
}

/// Offsets that a transaction commits take effect when it ends, unless it is aborted.
#[test]
fn offsets_of_transactions_count_when_these_commit() {
    let commit = |offset, producer_id, script: &str| StoredRecord {
        producer_id,
        ..StoredRecord::new(offset, records_of(script).remove(0))
    };
    let mut loading = LoadingShard::<GroupCoordinator>::new(Settings::default());
    let mut replay = |record| assert_eq!(loading.replay(record), Ok(ReplayOutcome::Applied));
    replay(commit(0, -1, "x commit t-0=1"));
    replay(commit(1, 10, "x commit t-0=2"));
    replay(commit(2, 10, "x commit t-1=2"));
    replay(commit(3, 11, "x commit t-2=3"));
    replay(commit(4, 12, "x commit t-3=4"));
    replay(commit(5, 13, "x commit t-4=5"));
    replay(commit(6, 10, "x commit t-4=6"));
    // Committed outside of the transaction, after the offset in it.
    replay(commit(7, -1, "x commit t-1=9"));
    // Deleted while pending.
    replay(commit(8, -1, "x commit t-3=7\nx forget t-3"));
    let tombstone = CoordinatorRecord::offset_tombstone(&Str::from("g"), &Str::from("t"), 3);
    replay(StoredRecord::new(9, tombstone));
    loading.end_transaction(10, true);
    loading.end_transaction(11, false);
    loading.end_transaction(12, true);
    loading.end_transaction(99, true);
    let coordinator = loading.loaded(START);
    let none = ErrorCode::NONE;
    assert_eq!(fetch(&coordinator, 0, true), (2, none));
    assert_eq!(fetch(&coordinator, 1, true), (9, none));
    assert_eq!(fetch(&coordinator, 2, true), (-1, none));
    assert_eq!(fetch(&coordinator, 3, true), (-1, none));
    // The transaction of producer 13 is still open.
    assert_eq!(fetch(&coordinator, 4, false), (6, none));
    assert_eq!(fetch(&coordinator, 4, true), (-1, ErrorCode::UNSTABLE_OFFSET_COMMIT));
}

/// Whatever the log has, its load ends with an error or with a coordinator that serves.
#[test]
fn damaged_records_do_no_harm() {
    let log = records_of(
        "a join v=3
b join instance=i
wait 6000
a sync a1=A i1=B
a commit t-0=5
x commit t-0=5 group=h
a leave
b leave instance=i
x delete g",
    );
    let mut rng = fastrand::Rng::with_seed(7);
    let mut damage = |bytes: &Bytes| {
        let mut bytes = bytes.to_vec();
        for _ in 0..rng.usize(..3) {
            match bytes.len() {
                0 => bytes.push(rng.u8(..)),
                len if rng.u32(..4) == 0 => bytes.truncate(rng.usize(..len)),
                len => bytes[rng.usize(..len)] = rng.u8(..),
            }
        }
        Bytes::from(bytes)
    };
    let mut refused = 0;
    for _ in 0..3_000 {
        let mut loading = LoadingShard::<GroupCoordinator>::new(Settings::default());
        for (offset, record) in log.iter().enumerate() {
            let key = Some(damage(&record.key));
            let value = record.value.as_ref().map(&mut damage);
            let record = StoredRecord { offset: offset as i64, producer_id: -1, key, value };
            refused += usize::from(loading.replay(record).is_err());
        }
        let mut coordinator = loading.loaded(START);
        let year_ms = 365 * 24 * 60 * 60 * 1_000;
        let now = Now { steady: START.steady.after(year_ms), wall: START.wall.after(year_ms) };
        for _ in 0..100 {
            let output = coordinator.tick(now);
            let Some(append) = output.append else { break };
            let _ = coordinator.append_failed(append, ErrorCode::NOT_ENOUGH_REPLICAS, now);
        }
    }
    assert!(refused > 1_000, "much of it is no record any more");
}
