use super::*;

#[test]
fn a_heartbeat_tells_what_to_do() {
    check(
        "x heartbeat
         > x heartbeat: UNKNOWN_MEMBER_ID
         a join v=3
         x heartbeat
         > x heartbeat: UNKNOWN_MEMBER_ID
         a heartbeat id=a1 gen=0
         > a heartbeat: REBALANCE_IN_PROGRESS
         wait 3000
         > @3000 a join: NONE gen=1 consumer range leader=a1 id=a1 a1:m
         a heartbeat
         > a heartbeat: NONE
         a heartbeat gen=0
         > a heartbeat: ILLEGAL_GENERATION
         a heartbeat gen=2
         > a heartbeat: ILLEGAL_GENERATION
         a sync a1=A
         > log: g gen=1 consumer range leader=a1 a1=A
         > a sync: NONE consumer range A
         a heartbeat
         > a heartbeat: NONE
         a heartbeat instance=i
         > a heartbeat: UNKNOWN_MEMBER_ID
         a leave
         > log: g gen=2 consumer
         > a leave: NONE a1=NONE
         a heartbeat
         > a heartbeat: UNKNOWN_MEMBER_ID
         a heartbeat gen=2
         > a heartbeat: UNKNOWN_MEMBER_ID",
    );
}

#[test]
fn a_commit_keeps_a_session_alive() {
    check(
        "a join v=3
         wait 3000
         > @3000 a join: NONE gen=1 consumer range leader=a1 id=a1 a1:m
         a sync a1=A
         > log: g gen=1 consumer range leader=a1 a1=A
         > a sync: NONE consumer range A
         wait 9000
         a commit t-0=1
         > log: g t-0=1
         > a commit: t-0=NONE
         wait 9999
         a heartbeat
         > a heartbeat: NONE",
    );
}
