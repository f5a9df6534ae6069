use super::*;

const JOINED: &str = "a join v=3
     b join v=3
     wait 6000
     > @6000 a join: NONE gen=1 consumer range leader=a1 id=a1 a1:m b1:m
     > @6000 b join: NONE gen=1 consumer range leader=a1 id=b1\n";

#[test]
fn members_wait_for_the_leader() {
    check(&format!(
        "{JOINED}
         b sync
         a sync a1=A b1=B
         > log: g gen=1 consumer range leader=a1 a1=A b1=B
         > a sync: NONE consumer range A
         > b sync: NONE consumer range B"
    ));
    check(&format!(
        "{JOINED}
         a sync a1=A b1=B
         > log: g gen=1 consumer range leader=a1 a1=A b1=B
         > a sync: NONE consumer range A
         b sync
         > b sync: NONE consumer range B
         b sync
         > b sync: NONE consumer range B
         a describe
         > a describe: Stable consumer range a1(a@/127.0.0.1):m=A b1(b@/127.0.0.1):m=B"
    ));
}

#[test]
fn a_member_that_the_leader_leaves_out_gets_nothing() {
    check(&format!(
        "{JOINED}
         b sync
         a sync a1=A stranger=X
         > log: g gen=1 consumer range leader=a1 a1=A b1=
         > a sync: NONE consumer range A
         > b sync: NONE consumer range"
    ));
}

#[test]
fn only_the_leader_shares_out() {
    check(&format!(
        "{JOINED}
         b sync a1=X b1=Y
         a sync a1=A b1=B
         > log: g gen=1 consumer range leader=a1 a1=A b1=B
         > a sync: NONE consumer range A
         > b sync: NONE consumer range B"
    ));
}

#[test]
fn whoever_is_not_in_this_generation_is_told() {
    check(&format!(
        "{JOINED}
         x sync group=other v=4
         > x sync: UNKNOWN_MEMBER_ID
         x sync v=4
         > x sync: UNKNOWN_MEMBER_ID
         b sync gen=0
         > b sync: ILLEGAL_GENERATION
         b sync gen=2
         > b sync: ILLEGAL_GENERATION
         b sync instance=i
         > b sync: UNKNOWN_MEMBER_ID
         b sync protocol=other
         > b sync: INCONSISTENT_GROUP_PROTOCOL
         b sync type=other
         > b sync: INCONSISTENT_GROUP_PROTOCOL
         b sync type=null
         > b sync: INCONSISTENT_GROUP_PROTOCOL
         b sync protocol=null
         > b sync: INCONSISTENT_GROUP_PROTOCOL
         b sync type=null protocol=null v=4
         c join v=3
         > b sync: REBALANCE_IN_PROGRESS
         b sync
         > b sync: REBALANCE_IN_PROGRESS"
    ));
}

#[test]
fn assignments_that_are_not_stored_are_not_handed_out() {
    for (append_error, told) in [
        ("NOT_ENOUGH_REPLICAS", "COORDINATOR_NOT_AVAILABLE"),
        ("REQUEST_TIMED_OUT", "COORDINATOR_NOT_AVAILABLE"),
        ("UNKNOWN_TOPIC_OR_PARTITION", "COORDINATOR_NOT_AVAILABLE"),
        ("NOT_LEADER_OR_FOLLOWER", "NOT_COORDINATOR"),
        ("KAFKA_STORAGE_ERROR", "NOT_COORDINATOR"),
        ("MESSAGE_TOO_LARGE", "UNKNOWN_SERVER_ERROR"),
        ("RECORD_LIST_TOO_LARGE", "UNKNOWN_SERVER_ERROR"),
        ("CORRUPT_MESSAGE", "CORRUPT_MESSAGE"),
    ] {
        check(&format!(
            "{JOINED}
             b sync
             fail {append_error}
             a sync a1=A b1=B
             > lost: g gen=1 consumer range leader=a1 a1=A b1=B
             > a sync: {told}
             > b sync: {told}
             a describe
             > a describe: PreparingRebalance consumer a1(a@/127.0.0.1):= b1(b@/127.0.0.1):=
             b join
             a join
             > a join: NONE gen=2 consumer range leader=a1 id=a1 a1:m b1:m
             > b join: NONE gen=2 consumer range leader=a1 id=b1"
        ));
    }
}

#[test]
fn a_sync_that_is_sent_twice_is_answered_twice() {
    check(&format!(
        "{JOINED}
         b sync
         b sync
         > b sync: REBALANCE_IN_PROGRESS
         a sync a1=A b1=B
         > log: g gen=1 consumer range leader=a1 a1=A b1=B
         > a sync: NONE consumer range A
         > b sync: NONE consumer range B"
    ));
}

#[test]
fn a_rebalance_sends_those_who_wait_for_the_leader_back() {
    check(&format!(
        "{JOINED}
         b sync
         c join v=3
         > b sync: REBALANCE_IN_PROGRESS
         a sync a1=A b1=B
         > a sync: REBALANCE_IN_PROGRESS
         a join
         b join
         > a join: NONE gen=2 consumer range leader=a1 id=a1 a1:m b1:m c1:m
         > b join: NONE gen=2 consumer range leader=a1 id=b1
         > c join: NONE gen=2 consumer range leader=a1 id=c1
         a sync gen=1 a1=A b1=B
         > a sync: ILLEGAL_GENERATION"
    ));
}
