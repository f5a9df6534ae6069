use protocol::messages::JoinGroupRequest;
use protocol::{ErrorCode, Str};

use super::script::{START, check_with, context};
use super::*;
use crate::{GroupCoordinator, GroupRequest, LoadingShard, Reply, Settings, Shard, Token};

#[test]
fn a_dynamic_member_is_given_its_id_first() {
    check(
        "a join
         > a join: MEMBER_ID_REQUIRED id=a1
         a list
         > a list: g(,Empty,classic)
         a join
         a list
         > a list: g(consumer,PreparingRebalance,classic)
         wait 3000
         > @3000 a join: NONE gen=1 consumer range leader=a1 id=a1 a1:m",
    );
}

#[test]
fn before_version_4_a_member_joins_with_its_first_request() {
    check(
        "a join v=3
         wait 3000
         > @3000 a join: NONE gen=1 consumer range leader=a1 id=a1 a1:m",
    );
}

#[test]
fn a_member_id_that_was_given_out_is_forgotten_after_the_session_timeout() {
    check(
        "a join session=6000
         > a join: MEMBER_ID_REQUIRED id=a1
         wait 5999
         a list
         > a list: g(,Empty,classic)
         wait 1
         a list
         > a list:
         a join
         > a join: UNKNOWN_MEMBER_ID id=a1",
    );
}

#[test]
fn a_rebalance_waits_for_those_who_were_given_an_id() {
    check(
        "a join v=3
         wait 3000
         > @3000 a join: NONE gen=1 consumer range leader=a1 id=a1 a1:m
         a sync a1=A
         > log: g gen=1 consumer range leader=a1 a1=A
         > a sync: NONE consumer range A
         b join
         > b join: MEMBER_ID_REQUIRED id=b1
         c join v=3
         a join
         b join
         > a join: NONE gen=2 consumer range leader=a1 id=a1 a1:m b1:m c1:m
         > b join: NONE gen=2 consumer range leader=a1 id=b1
         > c join: NONE gen=2 consumer range leader=a1 id=c1",
    );
    // And no longer, once nobody else is expected to join.
    check(
        "a join v=3
         wait 3000
         > @3000 a join: NONE gen=1 consumer range leader=a1 id=a1 a1:m
         a sync a1=A
         > log: g gen=1 consumer range leader=a1 a1=A
         > a sync: NONE consumer range A
         b join session=6000
         > b join: MEMBER_ID_REQUIRED id=b1
         a join
         wait 5999
         wait 1
         > @9000 a join: NONE gen=2 consumer range leader=a1 id=a1 a1:m",
    );
}

#[test]
fn the_first_rebalance_waits_for_more_members_as_long_as_they_keep_coming() {
    check(
        "a join v=3
         wait 2999
         b join v=3
         wait 1
         wait 2000
         c join v=3
         wait 1000
         wait 3000
         > @9000 a join: NONE gen=1 consumer range leader=a1 id=a1 a1:m b1:m c1:m
         > @9000 b join: NONE gen=1 consumer range leader=a1 id=b1
         > @9000 c join: NONE gen=1 consumer range leader=a1 id=c1",
    );
    // But not beyond the rebalance timeout: 3000, and 4000 more.
    check(
        "a join v=3 rebalance=7000
         wait 1000
         b join v=3 rebalance=100
         wait 2000
         c join v=3 rebalance=100
         wait 3000
         d join v=3 rebalance=100
         wait 999
         wait 1
         > @7000 a join: NONE gen=1 consumer range leader=a1 id=a1 a1:m b1:m c1:m d1:m
         > @7000 b join: NONE gen=1 consumer range leader=a1 id=b1
         > @7000 c join: NONE gen=1 consumer range leader=a1 id=c1
         > @7000 d join: NONE gen=1 consumer range leader=a1 id=d1",
    );
}

#[test]
fn the_delay_of_the_first_rebalance_is_a_setting() {
    check_with(
        Settings { group_initial_rebalance_delay_ms: 0, ..Settings::default() },
        "a join v=3
         > a join: NONE gen=1 consumer range leader=a1 id=a1 a1:m",
    );
}

#[test]
fn session_timeouts_have_bounds() {
    check(
        "a join session=5999
         > a join: INVALID_SESSION_TIMEOUT
         a join session=1800001
         > a join: INVALID_SESSION_TIMEOUT
         a join id=x session=-1
         > a join: INVALID_SESSION_TIMEOUT id=x
         a join session=6000
         > a join: MEMBER_ID_REQUIRED id=a1
         b join session=1800000
         > b join: MEMBER_ID_REQUIRED id=b1",
    );
}

#[test]
fn a_group_has_an_id() {
    check(
        "a join group=
         > a join: INVALID_GROUP_ID
         a sync group=
         > a sync: INCONSISTENT_GROUP_PROTOCOL
         a sync group= v=4
         > a sync: INVALID_GROUP_ID
         a heartbeat group=
         > a heartbeat: INVALID_GROUP_ID
         a leave group=
         > a leave: INVALID_GROUP_ID",
    );
}

#[test]
fn only_who_has_no_id_yet_founds_a_group() {
    check(
        "a join id=x
         > a join: UNKNOWN_MEMBER_ID id=x
         a list
         > a list:
         b join
         > b join: MEMBER_ID_REQUIRED id=b1
         a join id=x
         > a join: UNKNOWN_MEMBER_ID id=x",
    );
}

#[test]
fn protocols_must_fit_those_of_the_group() {
    check(
        "a join protocols=
         > a join: INCONSISTENT_GROUP_PROTOCOL
         a join type=
         > a join: INCONSISTENT_GROUP_PROTOCOL
         a list
         > a list:
         a join v=3 protocols=range:x,sticky:y
         b join protocols=roundrobin
         > b join: INCONSISTENT_GROUP_PROTOCOL
         b join type=connect
         > b join: INCONSISTENT_GROUP_PROTOCOL
         b join v=3 protocols=sticky:z
         wait 3000
         wait 3000
         > @6000 a join: NONE gen=1 consumer sticky leader=a1 id=a1 a1:y b1:z
         > @6000 b join: NONE gen=1 consumer sticky leader=a1 id=b1
         a join protocols=range
         > a join: INCONSISTENT_GROUP_PROTOCOL id=a1",
    );
}

#[test]
fn the_protocol_is_the_one_that_most_members_prefer() {
    check_with(
        Settings { group_initial_rebalance_delay_ms: 1, ..Settings::default() },
        "a join v=3 protocols=p:1,q:2,r:3
         b join v=3 protocols=q:4,p:5
         c join v=3 protocols=r:6,q:7,p:8
         d join v=3 protocols=q:9,r:0,p:1
         wait 1
         wait 1
         > @2 a join: NONE gen=1 consumer q leader=a1 id=a1 a1:2 b1:4 c1:7 d1:9
         > @2 b join: NONE gen=1 consumer q leader=a1 id=b1
         > @2 c join: NONE gen=1 consumer q leader=a1 id=c1
         > @2 d join: NONE gen=1 consumer q leader=a1 id=d1",
    );
}

#[test]
fn a_protocol_named_twice_counts_once() {
    check(
        "a join v=3 protocols=p:1,p:2,q:3
         b join v=3 protocols=p:4
         wait 6000
         > @6000 a join: NONE gen=1 consumer p leader=a1 id=a1 a1:1 b1:4
         > @6000 b join: NONE gen=1 consumer p leader=a1 id=b1",
    );
}

#[test]
fn a_group_has_a_largest_size() {
    check_with(
        Settings { group_max_size: 2, group_initial_rebalance_delay_ms: 0, ..Settings::default() },
        "a join v=3
         > a join: NONE gen=1 consumer range leader=a1 id=a1 a1:m
         b join v=3
         a join
         > a join: NONE gen=2 consumer range leader=a1 id=a1 a1:m b1:m
         > b join: NONE gen=2 consumer range leader=a1 id=b1
         c join v=3
         > c join: GROUP_MAX_SIZE_REACHED
         c join
         > c join: GROUP_MAX_SIZE_REACHED
         b sync
         a sync a1=A b1=B
         > log: g gen=2 consumer range leader=a1 a1=A b1=B
         > a sync: NONE consumer range A
         > b sync: NONE consumer range B
         c join v=3
         > c join: GROUP_MAX_SIZE_REACHED",
    );
    // While members rejoin, the last ones are removed.
    check_with(
        Settings { group_max_size: 2, group_initial_rebalance_delay_ms: 0, ..Settings::default() },
        "a join v=3
         > a join: NONE gen=1 consumer range leader=a1 id=a1 a1:m
         b join v=3
         c join v=3
         a join
         > a join: GROUP_MAX_SIZE_REACHED
         a heartbeat
         > a heartbeat: UNKNOWN_MEMBER_ID
         wait 60000
         > @60000 b join: NONE gen=2 consumer range leader=b1 id=b1 b1:m c1:m
         > @60000 c join: NONE gen=2 consumer range leader=b1 id=c1",
    );
}

#[test]
fn joining_again_in_the_same_generation_gives_the_same_answer() {
    check(
        "a join v=3
         b join v=3
         wait 6000
         > @6000 a join: NONE gen=1 consumer range leader=a1 id=a1 a1:m b1:m
         > @6000 b join: NONE gen=1 consumer range leader=a1 id=b1
         a join
         > a join: NONE gen=1 consumer range leader=a1 id=a1 a1:m b1:m
         b join
         > b join: NONE gen=1 consumer range leader=a1 id=b1
         a sync a1=A b1=B
         > log: g gen=1 consumer range leader=a1 a1=A b1=B
         > a sync: NONE consumer range A
         b join
         > b join: NONE gen=1 consumer range leader=a1 id=b1
         b sync
         > b sync: NONE consumer range B",
    );
}

#[test]
fn a_leader_that_rejoins_or_a_member_that_changed_starts_a_rebalance() {
    let stable = "a join v=3
         b join v=3
         wait 6000
         > @6000 a join: NONE gen=1 consumer range leader=a1 id=a1 a1:m b1:m
         > @6000 b join: NONE gen=1 consumer range leader=a1 id=b1
         b sync
         a sync a1=A b1=B
         > log: g gen=1 consumer range leader=a1 a1=A b1=B
         > a sync: NONE consumer range A
         > b sync: NONE consumer range B\n";
    check(&format!(
        "{stable}
         a join
         b heartbeat
         > b heartbeat: REBALANCE_IN_PROGRESS
         b join
         > a join: NONE gen=2 consumer range leader=a1 id=a1 a1:m b1:m
         > b join: NONE gen=2 consumer range leader=a1 id=b1"
    ));
    check(&format!(
        "{stable}
         b join protocols=range:n
         a join
         > a join: NONE gen=2 consumer range leader=a1 id=a1 a1:m b1:n
         > b join: NONE gen=2 consumer range leader=a1 id=b1
         b sync
         b join protocols=range:o
         > b sync: REBALANCE_IN_PROGRESS
         a join
         > a join: NONE gen=3 consumer range leader=a1 id=a1 a1:m b1:o
         > b join: NONE gen=3 consumer range leader=a1 id=b1"
    ));
}

#[test]
fn a_join_that_is_sent_twice_is_answered_twice() {
    check(
        "a join v=3
         b join v=3
         wait 6000
         > @6000 a join: NONE gen=1 consumer range leader=a1 id=a1 a1:m b1:m
         > @6000 b join: NONE gen=1 consumer range leader=a1 id=b1
         a join protocols=range:n
         a join protocols=range:n
         > a join: REBALANCE_IN_PROGRESS id=a1
         b join
         > a join: NONE gen=2 consumer range leader=a1 id=a1 a1:n b1:m
         > b join: NONE gen=2 consumer range leader=a1 id=b1",
    );
}

#[test]
fn a_pending_member_cannot_become_a_static_one() {
    check(
        "a join
         > a join: MEMBER_ID_REQUIRED id=a1
         a join instance=i
         > a join: UNKNOWN_SERVER_ERROR
         a join
         wait 3000
         > @3000 a join: NONE gen=1 consumer range leader=a1 id=a1 a1:m",
    );
}

#[test]
fn a_group_does_not_give_out_member_ids_without_end() {
    let mut coordinator = LoadingShard::<GroupCoordinator>::new(Settings::default()).loaded(START);
    let mut join = |number: u64| {
        let request = JoinGroupRequest {
            group_id: Str::from("g"),
            session_timeout_ms: 10_000,
            protocol_type: Str::from("consumer"),
            protocols: vec![Default::default()],
            ..Default::default()
        };
        let context = context("a", 9, u128::from(number));
        let request = GroupRequest::JoinGroup(context, request);
        let output = coordinator.decide(Token(number), request, START);
        let [(Token(_), Reply::JoinGroup(response))] = &output.replies[..] else { panic!("{output:?}") };
        response.error_code
    };
    for number in 0..10_000 {
        assert_eq!(join(number), ErrorCode::MEMBER_ID_REQUIRED);
    }
    assert_eq!(join(10_000), ErrorCode::GROUP_MAX_SIZE_REACHED);
}

#[test]
fn member_ids_that_the_protocol_has_no_room_for_are_refused() {
    let name = "a".repeat(32_767 - 37);
    check(&format!(
        "{name} join v=3
         wait 3000
         > @3000 {name} join: NONE gen=1 consumer range leader={name}1 id={name}1 {name}1:m
         {name}x join v=3
         > {name}x join: INVALID_REQUEST",
    ));
}
