use super::*;

/// A stable group: `a` is a static member and leads, `b` is another static member, and `d` a dynamic one.
const STABLE: &str = "a join instance=i protocols=p:1,q:2
     b join instance=j protocols=p:3
     d join v=3 protocols=p:4,q:5
     wait 6000
     > @6000 d join: NONE gen=1 consumer p leader=i1 id=d1
     > @6000 a join: NONE gen=1 consumer p leader=i1 id=i1 d1:4 i1[i]:1 j1[j]:3
     > @6000 b join: NONE gen=1 consumer p leader=i1 id=j1
     b sync instance=j
     d sync
     a sync instance=i i1=A j1=B d1=D
     > log: g gen=1 consumer p leader=i1 d1=D i1[i]=A j1[j]=B
     > d sync: NONE consumer p D
     > a sync: NONE consumer p A
     > b sync: NONE consumer p B\n";

#[test]
fn a_static_member_that_restarts_takes_up_where_it_left() {
    check(&format!(
        "{STABLE}
         c join instance=j protocols=p:3
         > log: g gen=1 consumer p leader=i1 d1=D i1[i]=A j2[j]=B
         > c join: NONE gen=1 consumer p leader=i1 id=j2
         c sync instance=j
         > c sync: NONE consumer p B
         a heartbeat instance=i
         > a heartbeat: NONE
         a describe
         > a describe: Stable consumer p d1(d@/127.0.0.1):4=D i1[i](a@/127.0.0.1):1=A j2[j](b@/127.0.0.1):3=B"
    ));
}

#[test]
fn the_member_that_was_replaced_is_fenced() {
    check(&format!(
        "{STABLE}
         c join instance=j protocols=p:3
         > log: g gen=1 consumer p leader=i1 d1=D i1[i]=A j2[j]=B
         > c join: NONE gen=1 consumer p leader=i1 id=j2
         b heartbeat instance=j
         > b heartbeat: FENCED_INSTANCE_ID
         b heartbeat
         > b heartbeat: UNKNOWN_MEMBER_ID
         b sync instance=j
         > b sync: FENCED_INSTANCE_ID
         b join instance=j protocols=p:3
         > b join: FENCED_INSTANCE_ID id=j1
         b commit t-0=1 instance=j
         > b commit: t-0=FENCED_INSTANCE_ID
         b commit t-0=1
         > b commit: t-0=UNKNOWN_MEMBER_ID
         b leave instance=j
         > b leave: NONE j1[j]=FENCED_INSTANCE_ID
         c commit t-0=1 instance=j
         > log: g t-0=1
         > c commit: t-0=NONE
         c heartbeat instance=k
         > c heartbeat: UNKNOWN_MEMBER_ID"
    ));
}

#[test]
fn a_leader_that_restarts_is_told_not_to_assign() {
    check(&format!(
        "{STABLE}
         c join instance=i protocols=p:1,q:2
         > log: g gen=1 consumer p leader=i2 d1=D i2[i]=A j1[j]=B
         > c join: NONE gen=1 consumer p leader=i2 id=i2 skip d1:4 i2[i]:1 j1[j]:3
         c sync instance=i
         > c sync: NONE consumer p A"
    ));
    // A client whose version cannot skip the assignment must not become the leader.
    check(&format!(
        "{STABLE}
         c join v=8 instance=i protocols=p:1,q:2
         > log: g gen=1 consumer p leader=i2 d1=D i2[i]=A j1[j]=B
         > c join: NONE gen=1 consumer p leader=i1 id=i2
         c sync instance=i
         > c sync: NONE consumer p A
         c join instance=i protocols=p:1,q:2
         d heartbeat
         > d heartbeat: REBALANCE_IN_PROGRESS"
    ));
}

#[test]
fn a_replacement_that_is_not_stored_has_not_happened() {
    check(&format!(
        "{STABLE}
         fail NOT_ENOUGH_REPLICAS
         c join instance=j protocols=p:3
         > lost: g gen=1 consumer p leader=i1 d1=D i1[i]=A j2[j]=B
         > c join: COORDINATOR_NOT_AVAILABLE gen=1 consumer p leader=i1
         b heartbeat instance=j
         > b heartbeat: NONE
         b sync instance=j
         > b sync: NONE consumer p B
         wait 9999
         b heartbeat instance=j
         > b heartbeat: NONE"
    ));
    // A client wants its place, so its session restarts.
    check(&format!(
        "{STABLE}
         wait 9000
         a heartbeat instance=i
         > a heartbeat: NONE
         d heartbeat
         > d heartbeat: NONE
         fail NOT_ENOUGH_REPLICAS
         c join instance=j protocols=p:3
         > lost: g gen=1 consumer p leader=i1 d1=D i1[i]=A j2[j]=B
         > c join: COORDINATOR_NOT_AVAILABLE gen=1 consumer p leader=i1
         wait 9999
         d heartbeat
         > d heartbeat: NONE
         wait 1
         a heartbeat instance=i
         > a heartbeat: UNKNOWN_MEMBER_ID
         b heartbeat instance=j
         > b heartbeat: UNKNOWN_MEMBER_ID
         d heartbeat
         > d heartbeat: REBALANCE_IN_PROGRESS"
    ));
}

#[test]
fn a_static_member_that_changes_the_protocol_starts_a_rebalance() {
    check(
        "a join instance=i protocols=p:1,q:2
         d join v=3 protocols=p:4,q:5
         wait 6000
         > @6000 d join: NONE gen=1 consumer p leader=i1 id=d1
         > @6000 a join: NONE gen=1 consumer p leader=i1 id=i1 d1:4 i1[i]:1
         d sync
         a sync instance=i i1=A d1=D
         > log: g gen=1 consumer p leader=i1 d1=D i1[i]=A
         > d sync: NONE consumer p D
         > a sync: NONE consumer p A
         c join instance=i protocols=q:7
         a heartbeat instance=i
         > a heartbeat: FENCED_INSTANCE_ID
         d heartbeat
         > d heartbeat: REBALANCE_IN_PROGRESS
         d join protocols=p:4,q:5
         > d join: NONE gen=2 consumer q leader=i2 id=d1
         > c join: NONE gen=2 consumer q leader=i2 id=i2 d1:5 i2[i]:7",
    );
}

#[test]
fn a_static_member_that_restarts_while_the_leader_assigns_starts_a_rebalance() {
    check(
        "a join instance=i
         b join instance=j
         wait 6000
         > @6000 a join: NONE gen=1 consumer range leader=i1 id=i1 i1[i]:m j1[j]:m
         > @6000 b join: NONE gen=1 consumer range leader=i1 id=j1
         b sync instance=j
         c join instance=j
         > b sync: FENCED_INSTANCE_ID
         a sync instance=i
         > a sync: REBALANCE_IN_PROGRESS
         a join instance=i
         > a join: NONE gen=2 consumer range leader=i1 id=i1 i1[i]:m j2[j]:m
         > c join: NONE gen=2 consumer range leader=i1 id=j2",
    );
}

#[test]
fn a_static_member_that_restarts_while_it_joins_is_fenced_there() {
    check(
        "a join instance=i
         b join instance=i
         > a join: FENCED_INSTANCE_ID id=i1
         wait 3000
         > @3000 b join: NONE gen=1 consumer range leader=i2 id=i2 i2[i]:m",
    );
}

#[test]
fn a_static_member_keeps_its_place_while_it_is_away() {
    // The member does not rejoin, but its session has not timed out.
    check(&format!(
        "{STABLE}
         a join instance=i rebalance=9000 protocols=p:1
         d join protocols=p:4 rebalance=9000
         b leave instance=j
         > d join: NONE gen=2 consumer p leader=i1 id=d1
         > a join: NONE gen=2 consumer p leader=i1 id=i1 d1:4 i1[i]:1
         > b leave: NONE j1[j]=NONE"
    ));
    check(
        "a join instance=i session=100000 rebalance=20000
         b join instance=j session=100000 rebalance=20000
         wait 6000
         > @6000 a join: NONE gen=1 consumer range leader=i1 id=i1 i1[i]:m j1[j]:m
         > @6000 b join: NONE gen=1 consumer range leader=i1 id=j1
         b sync instance=j
         a sync instance=i i1=A j1=B
         > log: g gen=1 consumer range leader=i1 i1[i]=A j1[j]=B
         > a sync: NONE consumer range A
         > b sync: NONE consumer range B
         b join instance=j session=100000 rebalance=20000 protocols=range:n
         wait 20000
         > @26000 b join: NONE gen=2 consumer range leader=j1 id=j1 i1[i]:m j1[j]:n
         b sync instance=j i1=X j1=Y
         > log: g gen=2 consumer range leader=j1 i1[i]=X j1[j]=Y
         > b sync: NONE consumer range Y
         a heartbeat instance=i
         > a heartbeat: ILLEGAL_GENERATION",
    );
}

#[test]
fn a_group_of_static_members_that_are_all_away_waits_for_their_sessions() {
    check(
        "a join instance=i session=100000 rebalance=20000
         b join instance=j session=100000 rebalance=20000
         d join v=3 session=100000 rebalance=20000
         wait 6000
         > @6000 d join: NONE gen=1 consumer range leader=i1 id=d1
         > @6000 a join: NONE gen=1 consumer range leader=i1 id=i1 d1:m i1[i]:m j1[j]:m
         > @6000 b join: NONE gen=1 consumer range leader=i1 id=j1
         d leave
         > d leave: NONE d1=NONE
         wait 99999
         a describe
         > a describe: PreparingRebalance consumer i1[i](a@/127.0.0.1):= j1[j](b@/127.0.0.1):=
         wait 1
         > @106000 log: g gen=2 consumer",
    );
}

#[test]
fn a_sync_that_is_outstanding_is_outstanding_under_the_new_id() {
    check(
        "a join instance=i session=100000 rebalance=20000
         b join instance=j session=100000 rebalance=20000
         wait 6000
         > @6000 a join: NONE gen=1 consumer range leader=i1 id=i1 i1[i]:m j1[j]:m
         > @6000 b join: NONE gen=1 consumer range leader=i1 id=j1
         a sync instance=i i1=A j1=B
         > log: g gen=1 consumer range leader=i1 i1[i]=A j1[j]=B
         > a sync: NONE consumer range A
         c join instance=j session=100000 rebalance=20000
         > log: g gen=1 consumer range leader=i1 i1[i]=A j2[j]=B
         > c join: NONE gen=1 consumer range leader=i1 id=j2
         c sync instance=j
         > c sync: NONE consumer range B
         wait 30000
         a heartbeat instance=i
         > a heartbeat: NONE
         c heartbeat instance=j
         > c heartbeat: NONE",
    );
}

/// Kafka expects the member under its old id, and removes it although it has sent SyncGroup.
#[test]
fn a_member_that_was_replaced_before_its_sync_is_expected_to_send_it() {
    let replaced = "a join instance=i session=100000
         b join instance=j session=100000
         wait 6000
         > @6000 a join: NONE gen=1 consumer range leader=i1 id=i1 i1[i]:m j1[j]:m
         > @6000 b join: NONE gen=1 consumer range leader=i1 id=j1
         a sync instance=i i1=A j1=B
         > log: g gen=1 consumer range leader=i1 i1[i]=A j1[j]=B
         > a sync: NONE consumer range A
         c join instance=j session=100000
         > log: g gen=1 consumer range leader=i1 i1[i]=A j2[j]=B
         > c join: NONE gen=1 consumer range leader=i1 id=j2\n";
    check(&format!(
        "{replaced}
         wait 59999
         c heartbeat instance=j
         > c heartbeat: NONE
         wait 1
         c heartbeat instance=j
         > c heartbeat: UNKNOWN_MEMBER_ID
         a heartbeat instance=i
         > a heartbeat: REBALANCE_IN_PROGRESS"
    ));
    check(&format!(
        "{replaced}
         c sync instance=j
         > c sync: NONE consumer range B
         wait 60000
         c heartbeat instance=j
         > c heartbeat: NONE
         a heartbeat instance=i
         > a heartbeat: NONE"
    ));
}
