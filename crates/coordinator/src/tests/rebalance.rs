use protocol::messages::JoinGroupRequest;
use protocol::messages::join_group_request::JoinGroupRequestProtocol;
use protocol::records::GroupMetadataValue;
use protocol::{ErrorCode, Str};

use super::script::{START, context};
use super::*;
use crate::{
    CoordinatorRecord, GroupCoordinator, GroupRequest, LoadingShard, Now, ReplayOutcome, Reply, Settings,
    Shard, StoredRecord, Token,
};

/// Two members in a stable group, with `a` as the leader.
const STABLE: &str = "a join v=3
     b join v=3
     wait 6000
     > @6000 a join: NONE gen=1 consumer range leader=a1 id=a1 a1:m b1:m
     > @6000 b join: NONE gen=1 consumer range leader=a1 id=b1
     b sync
     a sync a1=A b1=B
     > log: g gen=1 consumer range leader=a1 a1=A b1=B
     > a sync: NONE consumer range A
     > b sync: NONE consumer range B\n";

#[test]
fn members_that_do_not_rejoin_in_time_are_out() {
    check(&format!(
        "{STABLE}
         b join protocols=range:n session=100000 rebalance=20000
         wait 9000
         a heartbeat
         > a heartbeat: REBALANCE_IN_PROGRESS
         wait 9000
         a heartbeat
         > a heartbeat: REBALANCE_IN_PROGRESS
         wait 9000
         a heartbeat
         > a heartbeat: REBALANCE_IN_PROGRESS
         wait 9000
         a heartbeat
         > a heartbeat: REBALANCE_IN_PROGRESS
         wait 9000
         a heartbeat
         > a heartbeat: REBALANCE_IN_PROGRESS
         wait 9000
         a heartbeat
         > a heartbeat: REBALANCE_IN_PROGRESS
         wait 5999
         wait 1
         > @66000 b join: NONE gen=2 consumer range leader=b1 id=b1 b1:n
         a heartbeat
         > a heartbeat: UNKNOWN_MEMBER_ID"
    ));
}

#[test]
fn a_rebalance_ends_as_soon_as_the_missing_are_found_dead() {
    check(&format!(
        "{STABLE}
         b join protocols=range:n
         wait 9999
         wait 1
         > @16000 b join: NONE gen=2 consumer range leader=b1 id=b1 b1:n"
    ));
}

#[test]
fn a_member_that_is_not_heard_of_is_out() {
    check(&format!(
        "{STABLE}
         wait 5000
         b heartbeat
         > b heartbeat: NONE
         wait 4999
         b heartbeat
         > b heartbeat: NONE
         wait 1
         b heartbeat
         > b heartbeat: REBALANCE_IN_PROGRESS
         a heartbeat
         > a heartbeat: UNKNOWN_MEMBER_ID
         b join
         > b join: NONE gen=2 consumer range leader=b1 id=b1 b1:m"
    ));
}

#[test]
fn when_all_are_gone_the_group_is_empty_and_the_log_knows_it() {
    check(&format!(
        "{STABLE}
         wait 10000
         > @16000 log: g gen=2 consumer
         a describe g
         > a describe: Empty consumer
         a join
         > a join: UNKNOWN_MEMBER_ID id=a1
         a join id= v=3
         wait 3000
         > @19000 a join: NONE gen=3 consumer range leader=a2 id=a2 a2:m"
    ));
}

#[test]
fn that_the_group_is_empty_is_stored_even_if_the_first_attempt_fails() {
    check(&format!(
        "{STABLE}
         fail NOT_ENOUGH_REPLICAS
         wait 10000
         > @16000 lost: g gen=2 consumer
         a describe g
         > a describe: Empty consumer
         fail NOT_ENOUGH_REPLICAS
         wait 10000
         > @26000 lost: g gen=2 consumer
         wait 10000
         > @36000 log: g gen=2 consumer
         wait 100000"
    ));
    // A member that has joined meanwhile makes the append superfluous.
    check(&format!(
        "{STABLE}
         fail NOT_ENOUGH_REPLICAS
         wait 10000
         > @16000 lost: g gen=2 consumer
         a join id= v=3
         wait 3000
         > @19000 a join: NONE gen=3 consumer range leader=a2 id=a2 a2:m
         a sync a2=A
         > log: g gen=3 consumer range leader=a2 a2=A
         > a sync: NONE consumer range A
         a heartbeat
         > a heartbeat: NONE
         wait 8000
         a heartbeat
         > a heartbeat: NONE"
    ));
}

#[test]
fn members_that_do_not_sync_in_time_are_out() {
    check(
        "a join v=3 session=100000 rebalance=20000
         b join v=3 session=100000 rebalance=10000
         c join v=3 session=100000 rebalance=10000
         wait 6000
         > @6000 a join: NONE gen=1 consumer range leader=a1 id=a1 a1:m b1:m c1:m
         > @6000 b join: NONE gen=1 consumer range leader=a1 id=b1
         > @6000 c join: NONE gen=1 consumer range leader=a1 id=c1
         a sync a1=A b1=B c1=C
         > log: g gen=1 consumer range leader=a1 a1=A b1=B c1=C
         > a sync: NONE consumer range A
         b sync
         > b sync: NONE consumer range B
         wait 19999
         c heartbeat
         > c heartbeat: NONE
         wait 1
         c heartbeat
         > c heartbeat: UNKNOWN_MEMBER_ID
         a heartbeat
         > a heartbeat: REBALANCE_IN_PROGRESS",
    );
    // A leader that does not assign is replaced, and the members that waited for it start over.
    check(
        "a join v=3 session=100000 rebalance=20000
         b join v=3 session=100000 rebalance=10000
         wait 6000
         > @6000 a join: NONE gen=1 consumer range leader=a1 id=a1 a1:m b1:m
         > @6000 b join: NONE gen=1 consumer range leader=a1 id=b1
         b sync
         wait 20000
         > @26000 b sync: REBALANCE_IN_PROGRESS
         b join
         > b join: NONE gen=2 consumer range leader=b1 id=b1 b1:m
         a sync
         > a sync: UNKNOWN_MEMBER_ID",
    );
    // Once all have sent SyncGroup, nothing is due any more.
    check(&format!(
        "{STABLE}
         wait 9000
         a heartbeat
         > a heartbeat: NONE
         b heartbeat
         > b heartbeat: NONE
         wait 9000
         a heartbeat
         > a heartbeat: NONE
         b heartbeat
         > b heartbeat: NONE"
    ));
}

#[test]
fn a_new_member_that_gave_up_does_not_stay_for_ever() {
    check(
        "a join v=3 session=400000 rebalance=1800000
         wait 3000
         > @3000 a join: NONE gen=1 consumer range leader=a1 id=a1 a1:m
         b join v=3
         wait 299999
         wait 1
         > @303000 b join: UNKNOWN_MEMBER_ID
         a join
         > a join: NONE gen=2 consumer range leader=a1 id=a1 a1:m",
    );
}

#[test]
fn a_member_that_waits_for_the_others_does_not_time_out() {
    check(
        "a join v=3 session=1000000 rebalance=100000
         b join v=3 session=6000
         wait 6000
         > @6000 a join: NONE gen=1 consumer range leader=a1 id=a1 a1:m b1:m
         > @6000 b join: NONE gen=1 consumer range leader=a1 id=b1
         b sync
         wait 20000
         a sync a1=A b1=B
         > log: g gen=1 consumer range leader=a1 a1=A b1=B
         > a sync: NONE consumer range A
         > b sync: NONE consumer range B
         wait 5999
         b heartbeat
         > b heartbeat: NONE
         b join protocols=range:n session=6000
         wait 50000
         a join
         > a join: NONE gen=2 consumer range leader=a1 id=a1 a1:m b1:n
         > b join: NONE gen=2 consumer range leader=a1 id=b1
         wait 5999
         b heartbeat
         > b heartbeat: NONE",
    );
}

#[test]
fn a_member_that_rejoins_has_the_session_timeout_that_it_asks_for_then() {
    check(&format!(
        "{STABLE}
         b join protocols=range:n session=20000
         a join
         > a join: NONE gen=2 consumer range leader=a1 id=a1 a1:m b1:n
         > b join: NONE gen=2 consumer range leader=a1 id=b1
         b sync
         a sync a1=A b1=B
         > log: g gen=2 consumer range leader=a1 a1=A b1=B
         > a sync: NONE consumer range A
         > b sync: NONE consumer range B
         wait 9000
         a heartbeat
         > a heartbeat: NONE
         wait 9000
         a heartbeat
         > a heartbeat: NONE
         wait 1999
         a heartbeat
         > a heartbeat: NONE
         wait 1
         a heartbeat
         > a heartbeat: REBALANCE_IN_PROGRESS
         b heartbeat
         > b heartbeat: UNKNOWN_MEMBER_ID"
    ));
}

/// A group does not get here by itself, but a log may say so.
#[test]
fn generations_that_run_out_begin_anew() {
    let value = GroupMetadataValue {
        protocol_type: Str::from("consumer"),
        generation: i32::MAX,
        ..Default::default()
    };
    let record = CoordinatorRecord::group_metadata(&Str::from("g"), &value).expect("it fits");
    let mut loading = LoadingShard::<GroupCoordinator>::new(Settings::default());
    assert_eq!(loading.replay(StoredRecord::new(0, record)), Ok(ReplayOutcome::Applied));
    let mut coordinator = loading.loaded(START);
    let protocol = JoinGroupRequestProtocol { name: Str::from("range"), ..Default::default() };
    let request = JoinGroupRequest {
        group_id: Str::from("g"),
        session_timeout_ms: 10_000,
        protocol_type: Str::from("consumer"),
        protocols: vec![protocol],
        ..Default::default()
    };
    let request = GroupRequest::JoinGroup(context("a", 3, 1), request);
    let joining = coordinator.decide(Token(1), request, START);
    assert!(joining.append.is_none() && joining.replies.is_empty());
    let joined = coordinator.tick(Now { steady: START.steady.after(3_000), ..START });
    let [(Token(1), Reply::JoinGroup(response))] = &joined.replies[..] else { panic!("it has joined") };
    assert_eq!((response.error_code, response.generation_id), (ErrorCode::NONE, i32::MIN));
}
