use super::*;

const STABLE: &str = "a join v=3
     b join v=3
     c join v=3 instance=i
     wait 6000
     > @6000 a join: NONE gen=1 consumer range leader=a1 id=a1 a1:m b1:m i1[i]:m
     > @6000 b join: NONE gen=1 consumer range leader=a1 id=b1
     > @6000 c join: NONE gen=1 consumer range leader=a1 id=i1
     b sync
     c sync
     a sync a1=A b1=B i1=C
     > log: g gen=1 consumer range leader=a1 a1=A b1=B i1[i]=C
     > a sync: NONE consumer range A
     > b sync: NONE consumer range B
     > c sync: NONE consumer range C\n";

#[test]
fn a_member_that_leaves_starts_a_rebalance() {
    check(&format!(
        "{STABLE}
         a leave
         > a leave: NONE a1=NONE
         a heartbeat
         > a heartbeat: UNKNOWN_MEMBER_ID
         b heartbeat
         > b heartbeat: REBALANCE_IN_PROGRESS
         b join
         c join instance=i
         > b join: NONE gen=2 consumer range leader=b1 id=b1 b1:m i1[i]:m
         > c join: NONE gen=2 consumer range leader=b1 id=i1"
    ));
}

#[test]
fn the_last_to_leave_turns_off_the_light() {
    check(&format!(
        "{STABLE}
         a leave
         > a leave: NONE a1=NONE
         b leave
         > b leave: NONE b1=NONE
         c leave instance=i
         > log: g gen=2 consumer
         > c leave: NONE i1[i]=NONE
         c leave instance=i
         > c leave: NONE i1[i]=UNKNOWN_MEMBER_ID"
    ));
    check(&format!(
        "{STABLE}
         admin leave a1 b1 [i]
         > log: g gen=2 consumer
         > admin leave: NONE a1=NONE b1=NONE [i]=NONE"
    ));
}

#[test]
fn when_it_is_not_stored_that_all_left_they_have_left_all_the_same() {
    check(&format!(
        "{STABLE}
         fail NOT_ENOUGH_REPLICAS
         admin leave a1 b1 [i]
         > lost: g gen=2 consumer
         > admin leave: COORDINATOR_NOT_AVAILABLE
         admin leave a1 b1 [i]
         > admin leave: NONE a1=UNKNOWN_MEMBER_ID b1=UNKNOWN_MEMBER_ID [i]=UNKNOWN_MEMBER_ID
         wait 10000
         > @16000 log: g gen=2 consumer"
    ));
}

#[test]
fn several_may_leave_at_once_each_with_an_error_of_its_own() {
    check(&format!(
        "{STABLE}
         admin leave x1 [j] b1[i] b1[j] b1 b1
         > admin leave: NONE x1=UNKNOWN_MEMBER_ID [j]=UNKNOWN_MEMBER_ID b1[i]=FENCED_INSTANCE_ID b1[j]=UNKNOWN_MEMBER_ID b1=NONE b1=UNKNOWN_MEMBER_ID
         a heartbeat
         > a heartbeat: REBALANCE_IN_PROGRESS"
    ));
    // Nothing happens if no member has left.
    check(&format!(
        "{STABLE}
         admin leave x1
         > admin leave: NONE x1=UNKNOWN_MEMBER_ID
         a heartbeat
         > a heartbeat: NONE
         admin leave group=none x1 y1
         > admin leave: NONE x1=UNKNOWN_MEMBER_ID y1=UNKNOWN_MEMBER_ID"
    ));
}

#[test]
fn before_version_3_there_is_one_member_and_one_error() {
    check(&format!(
        "{STABLE}
         x leave v=2
         > x leave: UNKNOWN_MEMBER_ID
         x leave v=0 group=none
         > x leave: UNKNOWN_MEMBER_ID
         a leave v=2
         > a leave: NONE
         a leave v=1
         > a leave: UNKNOWN_MEMBER_ID"
    ));
}

#[test]
fn who_is_removed_while_it_waits_is_told() {
    check(
        "a join v=3
         b join v=3
         admin leave a1
         > a join: UNKNOWN_MEMBER_ID
         > admin leave: NONE a1=NONE
         wait 6000
         > @6000 b join: NONE gen=1 consumer range leader=b1 id=b1 b1:m",
    );
    check(
        "a join v=3
         b join v=3
         wait 6000
         > @6000 a join: NONE gen=1 consumer range leader=a1 id=a1 a1:m b1:m
         > @6000 b join: NONE gen=1 consumer range leader=a1 id=b1
         b sync
         admin leave b1
         > b sync: UNKNOWN_MEMBER_ID
         > admin leave: NONE b1=NONE
         a join
         > a join: NONE gen=2 consumer range leader=a1 id=a1 a1:m",
    );
}

#[test]
fn who_has_only_been_given_an_id_may_leave_too() {
    check(
        "a join
         > a join: MEMBER_ID_REQUIRED id=a1
         a leave
         > a leave: NONE a1=NONE
         a list
         > a list:
         a join
         > a join: UNKNOWN_MEMBER_ID id=a1",
    );
}

#[test]
fn the_rebalance_goes_on_without_who_leaves() {
    check(&format!(
        "{STABLE}
         a join
         b join
         c leave instance=i
         > a join: NONE gen=2 consumer range leader=a1 id=a1 a1:m b1:m
         > b join: NONE gen=2 consumer range leader=a1 id=b1
         > c leave: NONE i1[i]=NONE"
    ));
}
