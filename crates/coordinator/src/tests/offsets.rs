use super::script::check_with;
use super::*;
use crate::Settings;

/// A stable group with one consumer of topic `t`.
const STABLE: &str = "a join v=3 topics=t
     wait 3000
     > @3000 a join: NONE gen=1 consumer range leader=a1 id=a1 a1:{t}
     a sync a1=A
     > log: g gen=1 consumer range leader=a1 a1=A
     > a sync: NONE consumer range A\n";

#[test]
fn a_consumer_without_a_group_may_store_offsets() {
    check(
        "x commit t-0=5:note t-1=7 u-0=0
         > log: g t-0=5:note; g t-1=7; g u-0=0
         > x commit: t-0=NONE t-1=NONE u-0=NONE
         x fetch t-0 t-1 t-2 v-0
         > x fetch: t-0=5:note t-1=7 t-2=-1 v-0=-1
         x fetch *
         > x fetch: t-0=5:note t-1=7 u-0=0
         x list
         > x list: g(,Empty,classic)
         x commit t-0=4
         > log: g t-0=4
         > x commit: t-0=NONE
         x fetch t-0
         > x fetch: t-0=4
         restart
         x fetch *
         > x fetch: t-0=4 t-1=7 u-0=0",
    );
}

#[test]
fn a_group_without_a_name_may_store_offsets_too() {
    check(
        "x commit t-0=5 group=
         > log:  t-0=5
         > x commit: t-0=NONE
         x fetch t-0 group=
         > x fetch: t-0=5",
    );
}

#[test]
fn a_group_that_is_not_known_has_no_offsets() {
    check(
        "x fetch t-0
         > x fetch: t-0=-1
         x fetch *
         > x fetch:
         x list
         > x list:",
    );
}

#[test]
fn a_generation_belongs_to_a_group() {
    check(
        "x commit t-0=5 gen=1 id=x1
         > x commit: t-0=GROUP_ID_NOT_FOUND
         x commit t-0=5 gen=1 id=x1 v=9
         > x commit: t-0=GROUP_ID_NOT_FOUND
         x commit t-0=5 gen=1 id=x1 v=8
         > x commit: t-0=ILLEGAL_GENERATION
         x commit t-0=5 gen=-1 id=x1 v=8
         > log: g t-0=5
         > x commit: t-0=NONE
         x commit t-0=5 gen=0 id=x1
         > x commit: t-0=UNKNOWN_MEMBER_ID",
    );
}

#[test]
fn members_commit_in_their_generation() {
    check(&format!(
        "{STABLE}
         a commit t-0=1
         > log: g t-0=1
         > a commit: t-0=NONE
         a commit t-0=9 gen=0
         > a commit: t-0=ILLEGAL_GENERATION
         a commit t-0=9 gen=2
         > a commit: t-0=ILLEGAL_GENERATION
         a commit t-0=9 id=x1
         > a commit: t-0=UNKNOWN_MEMBER_ID
         a commit t-0=9 instance=i
         > a commit: t-0=UNKNOWN_MEMBER_ID
         b join v=3
         a commit t-0=2
         > log: g t-0=2
         > a commit: t-0=NONE
         a join topics=t
         > a join: NONE gen=2 consumer range leader=a1 id=a1 a1:{{t}} b1:m
         > b join: NONE gen=2 consumer range leader=a1 id=b1
         a commit t-0=3 gen=1
         > a commit: t-0=ILLEGAL_GENERATION
         a commit t-0=3
         > a commit: t-0=REBALANCE_IN_PROGRESS
         a fetch t-0
         > a fetch: t-0=2"
    ));
}

#[test]
fn metadata_has_a_largest_size_counted_as_java_does() {
    let settings = Settings { offset_metadata_max_bytes: 4, ..Settings::default() };
    // Four UTF-16 code units: four of two bytes each, or two of four.
    check_with(
        settings,
        "x commit t-0=1:abcd t-1=2:abcde t-2=3:éééé t-3=4:😀😀 t-4=5:😀😀a
         > log: g t-0=1:abcd; g t-2=3:éééé; g t-3=4:😀😀
         > x commit: t-0=NONE t-1=OFFSET_METADATA_TOO_LARGE t-2=NONE t-3=NONE t-4=OFFSET_METADATA_TOO_LARGE
         x commit t-0=9:abcde
         > x commit: t-0=OFFSET_METADATA_TOO_LARGE
         x fetch t-0
         > x fetch: t-0=1:abcd",
    );
}

#[test]
fn a_commit_that_is_not_stored_has_not_happened() {
    check(
        "x commit t-0=1
         > log: g t-0=1
         > x commit: t-0=NONE
         fail NOT_ENOUGH_REPLICAS
         x commit t-0=2 t-1=2
         > lost: g t-0=2; g t-1=2
         > x commit: t-0=COORDINATOR_NOT_AVAILABLE t-1=COORDINATOR_NOT_AVAILABLE
         x fetch t-0 t-1
         > x fetch: t-0=1 t-1=-1
         fail NOT_LEADER_OR_FOLLOWER
         y commit t-0=2 group=h
         > lost: h t-0=2
         > y commit: t-0=NOT_COORDINATOR
         y list
         > y list: g(,Empty,classic)",
    );
}

#[test]
fn offsets_of_a_topic_that_was_deleted_are_not_those_of_its_successor() {
    check(
        "x commit t@1-0=5 t@1-1=6
         > log: g t-0=5; g t-1=6
         > x commit: t-0=NONE t-1=NONE
         x fetch t@1-0 t@2-0 t@0-0
         > x fetch: t-0=5 t-0=-1 t-0=5
         x commit t@2-0=1
         > log: g t-0=1
         > x commit: t-0=NONE
         x fetch t@1-0 t@2-0 t@1-1 t@2-1
         > x fetch: t-0=-1 t-0=1 t-1=6 t-1=-1
         x fetch *
         > x fetch: t-0=1 t-1=6
         x fetch *@2
         > x fetch: t-0=1
         x fetch *@1
         > x fetch: t-1=6
         x fetch *@3
         > x fetch:
         gone t@1
         > log: g t-1 deleted
         x fetch t@0-0 t@0-1
         > x fetch: t-0=1 t-1=-1",
    );
    // Without an id, the name decides.
    check(
        "x commit t@0-0=5
         > log: g t-0=5
         > x commit: t-0=NONE
         x fetch t@1-0 t@2-0
         > x fetch: t-0=5 t-0=5
         gone t@2
         > log: g t-0 deleted",
    );
}

#[test]
fn topics_are_gone_from_all_groups() {
    check(
        "x commit t-0=5 u-0=6 group=g
         > log: g t-0=5; g u-0=6
         > x commit: t-0=NONE u-0=NONE
         x commit t-0=5 t-1=6 group=h
         > log: h t-0=5; h t-1=6
         > x commit: t-0=NONE t-1=NONE
         fail NOT_ENOUGH_REPLICAS
         gone t
         > lost: g t-0 deleted; h t-0 deleted; h t-1 deleted
         x fetch *
         > x fetch: t-0=5 u-0=6
         gone t
         > log: g t-0 deleted; h t-0 deleted; h t-1 deleted
         x fetch *
         > x fetch: u-0=6
         gone t
         restart
         x fetch * group=h
         > x fetch:",
    );
}

#[test]
fn an_administrator_may_delete_offsets_that_are_not_needed() {
    check(&format!(
        "x forget t-0
         > x forget: GROUP_ID_NOT_FOUND
         x forget t-0 group=
         > x forget: INVALID_GROUP_ID
         {STABLE}
         a commit t-0=1 u-0=2
         > log: g t-0=1; g u-0=2
         > a commit: t-0=NONE u-0=NONE
         x forget t-0 u-0 u-1
         > log: g u-0 deleted
         > x forget: NONE t-0=GROUP_SUBSCRIBED_TO_TOPIC u-0=NONE u-1=NONE
         x forget u-0
         > x forget: NONE u-0=NONE
         a leave
         > log: g gen=2 consumer
         > a leave: NONE a1=NONE
         fail NOT_ENOUGH_REPLICAS
         x forget t-0
         > lost: g t-0 deleted
         > x forget: COORDINATOR_NOT_AVAILABLE
         x fetch *
         > x fetch: t-0=1
         x forget t-0
         > log: g t-0 deleted
         > x forget: NONE t-0=NONE"
    ));
}

#[test]
fn of_groups_other_than_consumers_offsets_are_deleted_only_when_they_are_empty() {
    check(
        "a join v=3 type=connect
         wait 3000
         > @3000 a join: NONE gen=1 connect range leader=a1 id=a1 a1:m
         x forget t-0
         > x forget: NON_EMPTY_GROUP
         a leave
         > log: g gen=2 connect
         > a leave: NONE a1=NONE
         x forget t-0
         > x forget: NONE t-0=NONE",
    );
    // A consumer whose metadata cannot be parsed may read anything.
    check(
        "a join v=3 protocols=range:?
         wait 3000
         > @3000 a join: NONE gen=1 consumer range leader=a1 id=a1 a1:?
         x forget t-0
         > x forget: NONE t-0=GROUP_SUBSCRIBED_TO_TOPIC",
    );
}
