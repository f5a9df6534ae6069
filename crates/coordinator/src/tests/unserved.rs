//! Groups of the protocols that are not served: consumer, share and streams groups, as Kafka leaves them.

use protocol::records::*;
use protocol::{Bytes, Str, Uuid};

use super::script::{check_on, record_text};
use crate::*;

const GROUP: &str = "g";

fn record<K: CoordinatorKey, V: CoordinatorValue>(key: &K, value: Option<&V>) -> CoordinatorRecord {
    let value = value.map(|value| coordinator_value::encode(value, 0).unwrap());
    CoordinatorRecord { key: coordinator_key::encode(key).unwrap(), value }
}

/// A record whose key names only the group, whatever its type.
fn of_group<V: CoordinatorValue>(value: &V) -> CoordinatorRecord {
    keyed(V::RECORD_TYPE, None, Some(coordinator_value::encode(value, 0).unwrap()))
}

/// A record about one member.
fn of_member<V: CoordinatorValue>(member: &str, value: &V) -> CoordinatorRecord {
    keyed(V::RECORD_TYPE, Some(member), Some(coordinator_value::encode(value, 0).unwrap()))
}

/// The key in Kafka's layout: the type, the group, and a further name.
fn keyed(record_type: i16, name: Option<&str>, value: Option<Bytes>) -> CoordinatorRecord {
    let mut key = record_type.to_be_bytes().to_vec();
    for text in [Some(GROUP), name].into_iter().flatten() {
        key.extend((text.len() as i16).to_be_bytes());
        key.extend(text.as_bytes());
    }
    CoordinatorRecord { key: key.into(), value }
}

fn text(value: &str) -> Str {
    Str::from(value)
}

fn commit(topic: &str, offset: i64) -> CoordinatorRecord {
    let key = OffsetCommitKey { group: text(GROUP), topic: text(topic), partition: 0 };
    let value = OffsetCommitValue {
        offset,
        commit_timestamp: super::script::START_MS,
        expire_timestamp: -1,
        ..Default::default()
    };
    record(&key, Some(&value))
}

/// A consumer group of epoch 3 whose members `ma` and `mb` have these epochs and read `t`.
fn consumer_group(members: &[(&str, i32)]) -> Vec<CoordinatorRecord> {
    let mut records = vec![commit("t", 5)];
    for (member, epoch) in members {
        let subscribed_topic_names = vec![text("t")];
        records.push(of_member(
            member,
            &ConsumerGroupMemberMetadataValue {
                subscribed_topic_names,
                classic_member_metadata: None,
                ..Default::default()
            },
        ));
        records.push(of_group(&ConsumerGroupMetadataValue { epoch: 3, ..Default::default() }));
        records.push(of_member(member, &ConsumerGroupTargetAssignmentMemberValue::default()));
        let assignment =
            ConsumerGroupTargetAssignmentMetadataValue { assignment_epoch: 3, ..Default::default() };
        records.push(of_group(&assignment));
        let current =
            ConsumerGroupCurrentMemberAssignmentValue { member_epoch: *epoch, ..Default::default() };
        records.push(of_member(member, &current));
    }
    records.push(of_group(&ConsumerGroupMetadataValue { epoch: 3, ..Default::default() }));
    records.push(of_group(&ConsumerGroupTargetAssignmentMetadataValue {
        assignment_epoch: 3,
        ..Default::default()
    }));
    records.push(keyed(16, Some("t.*"), Some(Bytes::from_static(b"\0\0???"))));
    records
}

/// The records that Kafka appends when such a group loses a member.
fn without_member(member: &str) -> Vec<CoordinatorRecord> {
    [8, 7, 5].map(|record_type| keyed(record_type, Some(member), None)).to_vec()
}

fn share_group(members: &[&str]) -> Vec<CoordinatorRecord> {
    let mut records = vec![
        of_group(&ShareGroupMetadataValue { epoch: 2, ..Default::default() }),
        of_group(&ShareGroupTargetAssignmentMetadataValue { assignment_epoch: 2, ..Default::default() }),
    ];
    for member in members {
        records.push(of_member(member, &ShareGroupMemberMetadataValue::default()));
        records.push(of_member(member, &ShareGroupTargetAssignmentMemberValue::default()));
        records.push(of_member(member, &ShareGroupCurrentMemberAssignmentValue::default()));
    }
    let topic = share_group_state_partition_metadata_value::TopicPartitionsInfo {
        topic_id: Uuid::ONE,
        topic_name: text("t"),
        partitions: vec![0, 1],
    };
    let initialized_topics = vec![topic];
    records
        .push(of_group(&ShareGroupStatePartitionMetadataValue { initialized_topics, ..Default::default() }));
    records
}

fn streams_group(members: &[&str]) -> Vec<CoordinatorRecord> {
    let subtopology =
        streams_group_topology_value::Subtopology { source_topics: vec![text("t")], ..Default::default() };
    let mut records = vec![
        commit("t", 5),
        of_group(&StreamsGroupMetadataValue { epoch: 3, validated_topology_epoch: 1, ..Default::default() }),
        of_group(&StreamsGroupTargetAssignmentMetadataValue { assignment_epoch: 3, ..Default::default() }),
        of_group(&StreamsGroupTopologyValue { epoch: 1, subtopologies: vec![subtopology] }),
    ];
    for member in members {
        records.push(of_member(member, &StreamsGroupMemberMetadataValue::default()));
        records.push(of_member(member, &StreamsGroupTargetAssignmentMemberValue::default()));
        let current =
            StreamsGroupCurrentMemberAssignmentValue { member_epoch: 3, state: 1, ..Default::default() };
        records.push(of_member(member, &current));
    }
    records
}

#[test]
fn they_are_listed_with_their_type_and_state_and_are_no_classic_groups() {
    let described = "GROUP_ID_NOT_FOUND";
    for (records, listed) in [
        (consumer_group(&[]), "g(consumer,Empty,consumer)"),
        (consumer_group(&[("ma", 3), ("mb", 3)]), "g(consumer,Stable,consumer)"),
        (consumer_group(&[("ma", 3), ("mb", 2)]), "g(consumer,Reconciling,consumer)"),
        (share_group(&[]), "g(share,Empty,share)"),
        (share_group(&["ma"]), "g(share,Stable,share)"),
        (streams_group(&[]), "g(streams,Empty,streams)"),
        (streams_group(&["ma"]), "g(streams,Stable,streams)"),
    ] {
        let mut play = check_on(records, &format!("a list\n> a list: {listed}"));
        let text = play.step("a describe g").remove(0);
        assert!(text.contains(described) && text.contains("Dead"), "{text}");
        assert_eq!(play.step("a list types=classic"), ["a list:"]);
    }
    let newer = of_group(&ConsumerGroupMetadataValue { epoch: 4, ..Default::default() });
    let assigning = [consumer_group(&[("ma", 3)]), vec![newer]].concat();
    check_on(assigning, "a list\n> a list: g(consumer,Assigning,consumer)");
    let newer = of_group(&StreamsGroupTopologyValue { epoch: 2, ..Default::default() });
    let not_ready = [streams_group(&["ma"]), vec![newer]].concat();
    check_on(not_ready, "a list\n> a list: g(streams,NotReady,streams)");
}

/// Kafka writes tombstones for everything that it has written.
#[test]
fn one_that_kafka_has_deleted_is_gone() {
    let offset = CoordinatorRecord { value: None, ..commit("t", 5) };
    let ends = [
        (
            consumer_group(&[("ma", 3)]),
            [without_member("ma"), vec![keyed(6, None, None), keyed(3, None, None)]],
        ),
        (
            streams_group(&[]),
            [Vec::new(), vec![keyed(20, None, None), keyed(17, None, None), keyed(23, None, None)]],
        ),
        (
            share_group(&[]),
            [Vec::new(), vec![keyed(12, None, None), keyed(15, None, None), keyed(11, None, None)]],
        ),
    ];
    for (records, end) in ends {
        let end = end.concat();
        check_on([records.clone(), vec![offset.clone()], end.clone()].concat(), "a list\n> a list:");
        // Compaction may have left only the tombstones, or some of the records before them.
        check_on([vec![commit("t", 5), offset.clone()], end.clone()].concat(), "a list\n> a list:");
        check_on(end, "a list\n> a list:");
    }
    // An offset that was deleted does not make a group either.
    check_on(vec![commit("t", 5), offset], "a list\n> a list:");
}

/// The order is one in which Kafka can replay them, here with Kafka's own records: each member's assignments
/// before the member, and the group last.
#[test]
fn deleting_one_deletes_all_of_its_records() {
    let types = |script: &str, records: Vec<CoordinatorRecord>| {
        let before = records.len();
        let mut play = check_on(records.clone(), script);
        let deleted = play.shell.log[before..].to_vec();
        assert!(deleted.iter().all(|record| record.value.is_none()), "{deleted:?}");
        let keys = |records: &[CoordinatorRecord]| {
            records.iter().map(|record| record.key.clone()).collect::<std::collections::BTreeSet<_>>()
        };
        let left = &keys(&records) - &keys(&deleted);
        assert!(left.is_empty(), "{left:?} stay");
        assert_eq!(play.step("a list"), ["a list:"]);
        play.step("restart");
        assert_eq!(play.step("a list"), ["a list:"]);
        deleted.iter().map(|record| i16::from_be_bytes([record.key[0], record.key[1]])).collect::<Vec<_>>()
    };
    let refused = "
        a delete g
        > a delete: g=NON_EMPTY_GROUP
        wait 44999
        a delete g
        > a delete: g=NON_EMPTY_GROUP
        wait 1";
    let deleted =
        |script: &str, log: &str| format!("{script}\n a delete g\n > log: {log}\n > a delete: g=NONE");
    let empty = deleted("", "g t-0 deleted; 6 g deleted; 16 g t.* deleted; 4 g deleted; 3 g deleted");
    assert_eq!(types(&empty, consumer_group(&[])), [1, 6, 16, 4, 3]);
    let members = deleted(
        refused,
        "g t-0 deleted; 8 g ma deleted; 8 g mb deleted; 7 g ma deleted; 7 g mb deleted; 6 g deleted; \
         5 g ma deleted; 5 g mb deleted; 16 g t.* deleted; 4 g deleted; 3 g deleted",
    );
    types(&members, consumer_group(&[("ma", 3), ("mb", 2)]));
    let share = "14 g m deleted; 13 g m deleted; 12 g deleted; 10 g m deleted; 15 g deleted; 11 g deleted";
    types(&deleted(refused, share), share_group(&["m"]));
    let streams = "g t-0 deleted; 22 g m deleted; 21 g m deleted; 20 g deleted; 19 g m deleted; 23 g deleted; 17 g deleted";
    types(&deleted(refused, streams), streams_group(&["m"]));
    // A record that only Kafka 4.0 wrote.
    let old = [share_group(&[]), vec![keyed(9, None, Some(Bytes::from_static(b"\0\0")))]].concat();
    let share = "12 g deleted; 9 g deleted; 15 g deleted; 11 g deleted";
    types(&deleted("", share), old);
}

/// A target assignment without its member, as a crash between two batches of a deletion may leave it.
#[test]
fn a_deletion_that_ended_half_way_is_done_again() {
    let records = [
        consumer_group(&[("ma", 3), ("mb", 3)]),
        vec![keyed(8, Some("ma"), None), keyed(5, Some("ma"), None)],
    ];
    let left = without_member("mb");
    check_on(
        [records.concat(), left].concat(),
        "
        a list
        > a list: g(consumer,Empty,consumer)
        a delete g
        > log: g t-0 deleted; 8 g ma deleted; 7 g ma deleted; 6 g deleted; 5 g ma deleted; 16 g t.* deleted; 4 g deleted; 3 g deleted
        > a delete: g=NONE
        ",
    );
}

#[test]
fn a_classic_member_is_refused_while_the_name_is_taken() {
    let refused = "
        a join
        > a join: INCONSISTENT_GROUP_PROTOCOL
        a join v=3
        > a join: INCONSISTENT_GROUP_PROTOCOL
        a sync id=ma gen=3 type=consumer protocol=range
        > a sync: UNKNOWN_MEMBER_ID
        a heartbeat id=ma gen=3
        > a heartbeat: UNKNOWN_MEMBER_ID
        a leave ma
        > a leave: NONE ma=UNKNOWN_MEMBER_ID";
    for records in
        [consumer_group(&[("ma", 3)]), share_group(&[]), share_group(&["ma"]), streams_group(&["ma"])]
    {
        let play = check_on(records.clone(), refused);
        assert_eq!(play.shell.log, records, "it is left as it is");
    }
    // Not even once its members count as gone.
    check_on(share_group(&["ma"]), &format!("wait 45000\n{refused}"));
}

/// As in Kafka, and with Kafka's records: those of the group are deleted, its offsets stay.
#[test]
fn an_empty_group_makes_room_for_a_classic_one() {
    let join = |tombstones: &str| {
        format!(
            "
            a join id=unknown
            > a join: UNKNOWN_MEMBER_ID id=unknown
            a join protocols=
            > a join: INCONSISTENT_GROUP_PROTOCOL
            fail NOT_ENOUGH_REPLICAS
            a join v=3
            > lost: {tombstones}; g gen=0
            > a join: COORDINATOR_NOT_AVAILABLE
            a list types=classic
            > a list:
            a join v=3
            > log: {tombstones}; g gen=0
            a list
            > a list: g(consumer,PreparingRebalance,classic)
            a fetch t-0
            > a fetch: t-0=5
            wait 3000
            > @{{at}} a join: NONE gen=1 consumer range leader=a2 id=a2 a2:m
            restart
            a fetch t-0
            > a fetch: t-0=5
            a list
            > a list: g(,Empty,classic)
            "
        )
    };
    let consumer = "6 g deleted; 16 g t.* deleted; 4 g deleted; 3 g deleted";
    check_on(consumer_group(&[]), &join(consumer).replace("{at}", "3000"));
    let streams = "20 g deleted; 23 g deleted; 17 g deleted";
    check_on(streams_group(&[]), &join(streams).replace("{at}", "3000"));
    let member = "8 g ma deleted; 7 g ma deleted; 6 g deleted; 5 g ma deleted; 16 g t.* deleted; 4 g deleted; 3 g deleted";
    let late = format!("wait 45000\n{}", join(member)).replace("{at}", "48000");
    check_on(consumer_group(&[("ma", 3)]), &late);
}

/// Kafka's answers for members that committed and fetched before it was replaced.
#[test]
fn offsets_are_committed_and_fetched_by_members_of_the_right_epoch() {
    check_on(
        consumer_group(&[("ma", 3), ("mb", 2)]),
        "
        a commit t-0=6 id=ma gen=3
        > log: g t-0=6
        > a commit: t-0=NONE
        a commit t-0=7 id=ma gen=4
        > a commit: t-0=STALE_MEMBER_EPOCH
        a commit t-0=7 id=ma gen=2
        > a commit: t-0=STALE_MEMBER_EPOCH
        a commit t-0=7 id=ma gen=3 v=8
        > a commit: t-0=UNSUPPORTED_VERSION
        a commit t-0=7 id=mc gen=3
        > a commit: t-0=UNKNOWN_MEMBER_ID
        a commit t-0=7
        > a commit: t-0=UNKNOWN_MEMBER_ID
        a fetch t-0
        > a fetch: t-0=6
        a fetch t-0 id=ma gen=3
        > a fetch: t-0=6
        a fetch t-0 id=ma gen=2
        > a fetch: STALE_MEMBER_EPOCH
        a fetch * id=mc gen=2
        > a fetch: UNKNOWN_MEMBER_ID
        a forget t-0
        > a forget: NONE t-0=GROUP_SUBSCRIBED_TO_TOPIC
        wait 45000
        a commit t-0=8 id=ma gen=3
        > a commit: t-0=UNKNOWN_MEMBER_ID
        a commit t-0=8
        > log: g t-0=8
        > a commit: t-0=NONE
        a forget t-0
        > log: g t-0 deleted
        > a forget: NONE t-0=NONE
        a list
        > a list: g(consumer,Empty,consumer)
        ",
    );
    check_on(
        streams_group(&["ma"]),
        "
        a commit t-0=6 id=ma gen=3
        > log: g t-0=6
        > a commit: t-0=NONE
        a commit t-0=6 id=ma gen=2
        > a commit: t-0=STALE_MEMBER_EPOCH
        a forget t-0
        > a forget: NONE t-0=GROUP_SUBSCRIBED_TO_TOPIC
        ",
    );
    check_on(
        share_group(&[]),
        "
        a commit t-0=6
        > a commit: t-0=GROUP_ID_NOT_FOUND
        a fetch t-0
        > a fetch: t-0=-1
        a fetch t-0 id=ma gen=2
        > a fetch: t-0=-1
        a forget t-0
        > a forget: GROUP_ID_NOT_FOUND
        ",
    );
}

/// The offsets expire, and the group stays for Kafka.
#[test]
fn offsets_expire_and_the_group_stays() {
    check_on(
        consumer_group(&[("ma", 3)]),
        "
        clock 604800000
        wait 600000
        > @600000 log: g t-0 deleted
        a list
        > a list: g(consumer,Empty,consumer)
        ",
    );
}

/// A later Kafka may write values that this coordinator cannot decode; the group exists all the same.
#[test]
fn values_of_a_later_version() {
    let later = |record_type, name| keyed(record_type, name, Some(Bytes::from_static(b"\x7f\xff?")));
    let records =
        vec![later(3, None), later(5, Some("m")), later(8, Some("m")), later(6, None), later(7, Some("m"))];
    let play = check_on(records, "a list\n> a list: g(consumer,Reconciling,consumer)");
    assert!(play.shell.coordinator.skipped_records().by_type.is_empty());
    assert_eq!(play.shell.coordinator.unserved_groups(), [("consumer", 1)].into());
}

/// The states of a share group in `__share_group_state`, and their deletion.
#[test]
fn the_states_of_a_share_group_are_told() {
    let play = check_on(share_group(&["ma"]), "");
    let now = play.shell.now;
    let names = [text(GROUP), text("other")];
    assert_eq!(play.shell.coordinator.share_states(&names, now), [], "it has a member");
    let later = Now { steady: now.steady.after(45_000), ..now };
    let states = play.shell.coordinator.share_states(&names, later);
    let expected =
        [0, 1].map(|partition| ShareState { group_id: text(GROUP), topic_id: Uuid::ONE, partition });
    assert_eq!(states, expected);
    // Kafka's `SharePartitionKey.asCoordinatorKey`, with the usual hash: "g:AAAAAAAAAAAAAAAAAAAAAQ:0".
    assert_eq!(states[0].stored_in(50), partition_for("g:AAAAAAAAAAAAAAAAAAAAAQ:0", 50));
    let key = [&[0, 0, 0, 1, b'g'][..], &Uuid::ONE.0, &[0, 0, 0, 0]].concat();
    assert_eq!(states[0].tombstone(), CoordinatorRecord { key: key.into(), value: None });
    assert_eq!(record_text(&play.shell.log[0]), "11 g");
}
